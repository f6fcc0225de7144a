"""Matrices whose values are linear in conductances and whose pattern never changes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["StampedMatrix", "Stamps", "Triplets"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_FULL = 0.1
"""A matrix with more of its entries stored is kept and multiplied as a dense one."""


class Stamps(NamedTuple):
    """Entries of a matrix, repeated ones to be summed."""

    rows: Places
    columns: Places
    values: Floats

    def at(self, row_places: Places, column_places: Places) -> Stamps:
        """In the numbering of a part of the rows and columns; -1 is not in it."""
        rows, columns = row_places[self.rows], column_places[self.columns]
        there = (rows >= 0) & (columns >= 0)
        return Stamps(rows[there], columns[there], self.values[there])

    def matrix(self, rows: int, columns: int) -> sparse.csr_matrix:
        """As a sparse matrix."""
        return sparse.csr_matrix((self.values, (self.rows, self.columns)), (rows, columns))


@dataclass
class Triplets:
    """Stamps being collected; a negative row or column is ground and drops out."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    blocks: list[Stamps] = field(default_factory=list)

    def add(self, row: int, column: int, value: float) -> None:
        """One entry."""
        if row >= 0 and column >= 0:
            self.rows.append(row)
            self.columns.append(column)
            self.values.append(value)

    def add_many(self, rows: Places, columns: Places, values: Floats | float) -> None:
        """Many at once."""
        there = (rows >= 0) & (columns >= 0)
        spread = np.broadcast_to(np.asarray(values, float), there.shape)
        self.blocks.append(Stamps(rows[there], columns[there], spread[there]))

    def stamps(self) -> Stamps:
        """All of them."""
        single = Stamps(
            np.array(self.rows, np.intp), np.array(self.columns, np.intp), np.array(self.values)
        )
        return Stamps(*(np.concatenate(parts) for parts in zip(single, *self.blocks, strict=True)))


class StampedMatrix:
    """Matrix of resistors and of fixed stamps; zero conductances keep their place.

    Args:
        shape: of the matrix.
        entries: of the resistors: (n_resistors,) rows, columns, and the sign of the
            conductance there; a negative row or column is none.
        fixed: everything else.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        entries: list[tuple[Places, Places, float]],
        fixed: Stamps,
    ) -> None:
        rows, columns = shape
        self.shape = shape
        self._entries, self._stamps = entries, fixed
        self._parts: list[tuple[Places, Places, float]] = []
        for row, column, sign in entries:
            there = np.flatnonzero((row >= 0) & (column >= 0))
            if there.size:
                self._parts.append((row[there] * columns + column[there], there, sign))
        self._fixed_keys, self._fixed = fixed.rows * columns + fixed.columns, fixed.values
        stored = self._fixed.size + sum(there.size for _, there, _ in self._parts)
        self._is_dense = stored > _FULL * rows * columns

    def absolute(self) -> StampedMatrix:
        """The same with every stamp's absolute value."""
        entries = [(rows, columns, 1.0) for rows, columns, _ in self._entries]
        rows, columns, values = self._stamps
        return StampedMatrix(self.shape, entries, Stamps(rows, columns, np.abs(values)))

    def any(self, siemens: Floats) -> sparse.csr_matrix | Floats:
        """For conductances (n_resistors,): a dense matrix if it is full enough, else sparse."""
        return self.dense(siemens) if self._is_dense else self.sparse(siemens)

    def dense(self, siemens: Floats) -> Floats:
        """The matrix for conductances (n_resistors,)."""
        size = self.shape[0] * self.shape[1]
        flat = np.bincount(self._fixed_keys, self._fixed, size).astype(float, copy=False)
        for keys, there, sign in self._parts:
            values = siemens if there.size == siemens.size else siemens[there]
            flat += sign * np.bincount(keys, values, size)
        return flat.reshape(self.shape)

    def sparse(self, siemens: Floats) -> sparse.csr_matrix:
        """The same with all places stored that may ever be other than zero."""
        indices, indptr, fixed, *places = self._layout
        data = fixed.copy()
        for place, (_, there, sign) in zip(places, self._parts, strict=True):
            data += sign * np.bincount(place, siemens[there], data.size)
        return sparse.csr_matrix((data, indices, indptr), self.shape, copy=False)

    @functools.cached_property
    def _layout(self) -> list[NDArray[Any]]:
        rows, columns = self.shape
        keys = [self._fixed_keys, *(part[0] for part in self._parts)]
        kept, place = _unique(np.concatenate(keys), rows * columns)
        fixed, *places = np.split(place, np.cumsum([k.size for k in keys])[:-1])
        indptr = np.searchsorted(kept, np.arange(rows + 1) * columns)
        values = np.bincount(fixed, self._fixed, kept.size).astype(float, copy=False)
        indices = (kept % max(columns, 1)).astype(np.int32)
        return [indices, indptr.astype(np.int32), values, *places]


def _unique(keys: Places, most: int) -> tuple[Places, Places]:
    """Sorted different keys, and the place of each key among them; keys are below ``most``."""
    if most > 20 * keys.size + 1000:
        kept, place = np.unique(keys, return_inverse=True)
        return kept, place
    # Few possible keys: counting beats sorting.
    present = np.zeros(most, bool)
    present[keys] = True
    kept = np.flatnonzero(present)
    table = np.empty(most, np.intp)
    table[kept] = np.arange(kept.size)
    return kept, table[keys]
