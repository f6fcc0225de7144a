"""Raw tables, and what their targets mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hil.errors import DataError

__all__ = ["Columns", "RawTable", "Task", "interpret_targets"]

Task: TypeAlias = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class RawTable:
    """What a file holds, before splitting and scaling.

    Attributes:
        source: the file, for messages.
        inputs: float64, shape (n, n_features).
        targets: integers, reals or text, shape (n,) or (n, n_targets).
        n_train: the first so many rows are the training part and the rest the test part;
            ``None`` if the file states no split.

    """

    source: str
    inputs: NDArray[np.float64]
    targets: NDArray[Any]
    n_train: int | None = None


@dataclass(frozen=True, eq=False)
class Columns:
    """Targets as a task: int64 labels of shape (n,), or float64 (n, n_targets)."""

    values: NDArray[Any]
    n_classes: int | None = None
    class_names: tuple[str, ...] | None = None


def interpret_targets(table: RawTable, task: Task | None) -> Columns:
    """Decide what the targets of ``table`` mean.

    Without a stated task one column of integers, booleans or text is classification and
    everything else regression. Text labels become indices into the sorted names. Integer
    labels are used as they are: gaps are allowed and ``n_classes`` is the largest label
    plus one, but a label must be below the number of examples, since larger ones are
    nearly always quantities.

    Raises:
        DataError: if the targets do not fit the task, or a label is negative, fractional
            or as large as the number of examples.

    """
    raw = table.targets
    columns = raw[:, np.newaxis] if raw.ndim == 1 else raw
    kind = columns.dtype.kind
    if columns.ndim != 2 or kind not in "biufU":
        raise DataError(
            f"{table.source}: targets have shape {raw.shape} and type {raw.dtype}; give "
            "numbers or text with one row per example",
            path=table.source,
        )
    if task == "classification" or (task is None and columns.shape[1] == 1 and kind != "f"):
        return _classes(columns, table.source)
    if kind == "U":
        raise DataError(
            f"{table.source}: regression needs numbers as targets, found text; choose "
            "task='classification' with one column, or other targets",
            path=table.source,
        )
    return Columns(columns.astype(np.float64))


def _classes(columns: NDArray[Any], source: str) -> Columns:
    if columns.shape[1] != 1:
        raise DataError(
            f"{source}: classification needs one label per example, found "
            f"{columns.shape[1]} target columns; turn one-hot rows into class indices",
            path=source,
        )
    if columns.dtype.kind == "U":
        names, indices = np.unique(columns[:, 0], return_inverse=True)
        return Columns(indices.astype(np.int64), len(names), tuple(str(name) for name in names))
    values = _whole_labels(columns[:, 0], source)
    return Columns(values, int(values.max()) + 1)


def _whole_labels(labels: NDArray[Any], source: str) -> NDArray[np.int64]:
    good = (labels >= 0) & (labels < len(labels))
    if labels.dtype.kind == "f":
        good &= labels == np.floor(labels)
    if not good.all():
        index = int(np.argmin(good))
        raise DataError(
            f"{source}: label {labels[index]} of example {index} (counted from 0) is not an "
            f"integer from 0 to {len(labels) - 1}, the number of examples less one; renumber "
            "the classes from 0, or set data.task=regression if it is a quantity",
            path=source,
            index=index,
        )
    return labels.astype(np.int64)
