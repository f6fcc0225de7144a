"""Which lines to select how often, so that every device of a crossbar gets its own pulses.

A pass pulses all devices where selected rows cross selected columns. Devices of a column whose
counts are ``n_1 < n_2 < ..`` get theirs in passes of ``n_k - n_(k-1)`` pulses, each with the rows
whose count is ``n_k`` or more; or, where that is fewer, in passes of 1, 2, 4.. pulses, each with
the rows whose count has that binary digit. Columns that need the same pass share it. Rows may take
the part of columns, whichever needs fewer passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hil.arrays import IntArray
from hil.errors import UsageError

__all__ = ["Direction", "Pass", "plan", "planned_counts", "split"]

Direction = Literal[1, -1]


@dataclass(frozen=True, slots=True)
class Pass:
    """Pulses of all devices where some rows cross some columns.

    Attributes:
        rows: selected rows, ascending.
        columns: selected columns, ascending.
        direction: 1 raises conductances, -1 lowers them.
        n_pulses: of each device.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    direction: Direction
    n_pulses: int


def plan(counts: IntArray) -> list[Pass]:
    """Passes that give every device of a crossbar exactly its pulses and no other device any.

    Those that raise conductances come first. There are never more than the distinct magnitudes in
    each direction times the smaller side of the crossbar.

    Args:
        counts: (n_rows, n_columns) signed integers.

    Raises:
        UsageError: not a matrix of integers.
    """
    if counts.ndim != 2 or counts.dtype.kind not in "iu":
        raise UsageError(
            "pulses of a crossbar are a matrix of integers, rows by columns; got "
            f"{counts.dtype} of shape {counts.shape}"
        )
    signed = counts.astype(np.int64)
    return [
        *_one_direction(np.maximum(signed, 0), 1),
        *_one_direction(np.maximum(-signed, 0), -1),
    ]


def planned_counts(passes: Sequence[Pass], shape: tuple[int, int]) -> IntArray:
    """(n_rows, n_columns) signed pulses that passes give in all."""
    total = np.zeros(shape, np.int64)
    for each in passes:
        total[np.ix_(each.rows, each.columns)] += each.direction * each.n_pulses
    return total


def _one_direction(magnitudes: IntArray, direction: Direction) -> list[Pass]:
    by_column, by_row = _shared(magnitudes), _shared(magnitudes.T)
    if len(by_column) <= len(by_row):
        return [
            Pass(rows, tuple(columns), direction, n) for (rows, n), columns in by_column.items()
        ]
    return [Pass(tuple(rows), columns, direction, n) for (columns, n), rows in by_row.items()]


def _shared(magnitudes: IntArray) -> dict[tuple[tuple[int, ...], int], list[int]]:
    """Columns by the pass that they share: its rows and its number of pulses."""
    found: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for column in np.flatnonzero(magnitudes.any(axis=0)).tolist():
        here = magnitudes[:, column]
        levels = np.unique(here[here > 0]).tolist()
        digits = [1 << k for k in range(levels[-1].bit_length()) if (here >> k & 1).any()]
        if len(digits) < len(levels):
            parts = [(here & digit > 0, digit) for digit in digits]
        else:
            steps = zip(levels, [0, *levels[:-1]], strict=True)
            parts = [(here >= level, level - given) for level, given in steps]
        for chosen, n_pulses in parts:
            rows = tuple(np.flatnonzero(chosen).tolist())
            found.setdefault((rows, n_pulses), []).append(column)
    return found


def split(one: Pass, fits: Callable[[Pass], bool]) -> list[Pass]:
    """The same pulses in passes of fewer lines, each of which fits what sources can deliver.

    Args:
        one: the pass.
        fits: whether a pass can be done at once.

    Raises:
        UsageError: not even one device at a time fits.
    """
    if fits(one):
        return [one]
    if len(one.rows) == len(one.columns) == 1:
        raise UsageError("a single device is more than fits a pass")
    if len(one.rows) >= len(one.columns):
        middle = len(one.rows) // 2
        halves = [replace(one, rows=part) for part in (one.rows[:middle], one.rows[middle:])]
    else:
        middle = len(one.columns) // 2
        parts = one.columns[:middle], one.columns[middle:]
        halves = [replace(one, columns=part) for part in parts]
    return [each for half in halves for each in split(half, fits)]
