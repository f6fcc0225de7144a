"""Lines of ``results.jsonl``, checked when they are read."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["read_record"]

_MAY_BE_UNDEFINED = ("test_error_percent", "test_cost_volts2")
"""Null where a network diverged, or the data has no classes."""


def read_record(line: str) -> tuple[str, dict[str, Any]]:
    """The key of the task and its result.

    Args:
        line: one JSON object.

    Raises:
        ValueError: it is none, or lacks what summaries are made of; the message says what.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not valid JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("task"), str):
        raise ValueError("it names no task")
    result = record.get("result")
    if not isinstance(result, dict):
        raise ValueError("it has no result")
    for name in (*_MAY_BE_UNDEFINED, "unsettled_test_examples"):
        if name not in result:
            raise ValueError(f"it lacks {name}")
        is_null = result[name] is None and name in _MAY_BE_UNDEFINED
        if not is_null and not _is_finite(result[name]):
            raise ValueError(f"its {name} is {json.dumps(result[name])[:40]}, not a finite number")
    return record["task"], result


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond all doubles.
        return False
