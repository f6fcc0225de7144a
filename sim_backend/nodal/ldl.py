r"""Sparse symmetric factorisation of many matrices of one pattern, in lockstep.

Newton's method on a reciprocal circuit factorises matrices :math:`J = A + N \mathrm{diag}(g) N^T`
that differ from example to example in few values and never in their pattern.  The order of
elimination and the pattern of the factor are therefore found once, and the factorisation
:math:`P J P^T = L D L^T` (up-looking, after Davis, "Algorithm 849: a concise sparse Cholesky
factorization package", ACM TOMS 2005) runs through the pattern once for a whole batch: values of
all examples lie side by side, so that every operation is one on a vector of examples.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

__all__ = ["LockstepFactor"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LANES = 16
"""Examples factorised together by one thread: two vectors of doubles and more."""


class LockstepFactor:
    """Factorises and solves batches of symmetric positive definite matrices of one pattern.

    Args:
        pattern: (n, n) symmetric; its stored entries are the pattern, diagonal included.  The
            values must make it positive definite; they decide the order only.
    """

    def __init__(self, pattern: sparse.csc_matrix) -> None:
        self.n = n = pattern.shape[0]
        order = _order(pattern)
        place = np.empty(n, np.int64)
        place[order] = np.arange(n)
        coo = pattern.tocoo()
        rows, columns = place[coo.row], place[coo.col]
        upper = rows <= columns
        #: Places in ``pattern.tocoo().data`` of the entries that are read.
        self.entries: NDArray[np.intp] = np.flatnonzero(upper)
        rows, columns = rows[upper], columns[upper]
        by_column = np.lexsort((rows, columns))
        self.entries = self.entries[by_column]
        self._rows: Ints = rows[by_column].astype(np.int64)
        self._starts: Ints = np.searchsorted(columns[by_column], np.arange(n + 1)).astype(np.int64)
        self._order = order.astype(np.int64)
        parent, counts = _tree(n, self._starts, self._rows)
        self._factor_starts: Ints = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._walk_starts, self._walk = _walks(
            n, self._starts, self._rows, parent, int(counts.sum())
        )
        self._factor_rows = _factor_rows(
            n, self._walk_starts, self._walk, self._factor_starts
        )  # fmt: skip

    @property
    def n_factor(self) -> int:
        """Entries of L below its diagonal."""
        return int(self._factor_starts[-1])

    def solve(self, values: Floats, right: Floats) -> Floats:
        """Solve ``J_b x_b = right_b``.

        Args:
            values: (n_entries, batch) values at ``entries``.
            right: (n, batch).

        Returns:
            (n, batch); not finite where a matrix is not positive definite.
        """
        out = np.empty_like(right)
        _solve(
            self._order, self._starts, self._rows, self._walk_starts, self._walk,
            self._factor_starts, self._factor_rows, values, right, out,
        )  # fmt: skip
        return out


def _order(pattern: sparse.csc_matrix) -> NDArray[np.intp]:
    """Minimum degree order of a symmetric pattern."""
    n = pattern.shape[0]
    if n < 3:
        return np.arange(n)
    # Diagonally dominant, so that no pivoting disturbs the order.
    ones = pattern.copy()
    ones.data = np.full(ones.nnz, -1.0)
    ones = (ones + sparse.diags(np.asarray(abs(ones).sum(axis=1)).ravel() + 2.0)).tocsc()
    factor = linalg.splu(
        ones, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return np.argsort(factor.perm_c)


@njit(cache=True)
def _tree(n: int, starts: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Elimination tree, and the entries of every column of L."""
    parent, flag, counts = np.full(n, -1), np.full(n, -1), np.zeros(n, np.int64)
    for k in range(n):
        flag[k] = k
        for p in range(starts[k], starts[k + 1]):
            i = rows[p]
            while flag[i] != k:
                if parent[i] == -1:
                    parent[i] = k
                counts[i] += 1
                flag[i] = k
                i = parent[i]
    return parent, counts


@njit(cache=True)
def _walks(n: int, starts: Ints, rows: Ints, parent: Ints, total: int) -> tuple[Ints, Ints]:
    """Columns that each row of L has entries in, in an order in which they can be eliminated."""
    walk_starts, walk = np.zeros(n + 1, np.int64), np.empty(total, np.int64)
    flag, stack = np.full(n, -1), np.empty(n, np.int64)
    filled = 0
    for k in range(n):
        flag[k] = k
        top = n
        for p in range(starts[k], starts[k + 1]):
            i, length = rows[p], 0
            while flag[i] != k:
                stack[length] = i
                length += 1
                flag[i] = k
                i = parent[i]
            while length > 0:
                length -= 1
                top -= 1
                stack[top] = stack[length]
        for s in range(top, n):
            walk[filled] = stack[s]
            filled += 1
        walk_starts[k + 1] = filled
    return walk_starts, walk


@njit(cache=True)
def _factor_rows(n: int, walk_starts: Ints, walk: Ints, factor_starts: Ints) -> Ints:
    """Row of every entry of L, column by column."""
    out, used = np.empty(walk.size, np.int64), factor_starts[:-1].copy()
    for k in range(n):
        for w in range(walk_starts[k], walk_starts[k + 1]):
            i = walk[w]
            out[used[i]] = k
            used[i] += 1
    return out


@njit(cache=True, error_model="numpy", parallel=True)
def _solve(
    order: Ints,
    starts: Ints,
    rows: Ints,
    walk_starts: Ints,
    walk: Ints,
    factor_starts: Ints,
    factor_rows: Ints,
    values: Floats,
    right: Floats,
    out: Floats,
) -> None:
    n, batch = right.shape
    for block in prange((batch + _LANES - 1) // _LANES):
        first = block * _LANES
        lanes = min(_LANES, batch - first)
        mine = values[:, first : first + lanes].copy()
        lower = np.empty((walk.size, lanes))
        pivots = np.empty((n, lanes))
        _factorise(starts, rows, walk_starts, walk, factor_starts, factor_rows, mine, lower, pivots)
        x = np.empty((n, lanes))
        for k in range(n):
            for t in range(lanes):
                x[k, t] = right[order[k], first + t]
        _substitute(factor_starts, factor_rows, lower, pivots, x)
        for k in range(n):
            for t in range(lanes):
                out[order[k], first + t] = x[k, t]


@njit(cache=True, error_model="numpy", forceinline=True)
def _factorise(
    starts: Ints,
    rows: Ints,
    walk_starts: Ints,
    walk: Ints,
    factor_starts: Ints,
    factor_rows: Ints,
    values: Floats,
    lower: Floats,
    pivots: Floats,
) -> None:
    n, lanes = pivots.shape
    work, used = np.zeros((n, lanes)), factor_starts[:-1].copy()
    for k in range(n):
        for t in range(lanes):
            pivots[k, t] = 0.0
        for p in range(starts[k], starts[k + 1]):
            i = rows[p]
            for t in range(lanes):
                if i == k:
                    pivots[k, t] += values[p, t]
                else:
                    work[i, t] += values[p, t]
        for w in range(walk_starts[k], walk_starts[k + 1]):
            i = walk[w]
            for p in range(factor_starts[i], used[i]):
                r = factor_rows[p]
                for t in range(lanes):
                    work[r, t] -= lower[p, t] * work[i, t]
            p = used[i]
            for t in range(lanes):
                entry = work[i, t] / pivots[i, t]
                pivots[k, t] -= entry * work[i, t]
                lower[p, t] = entry
                work[i, t] = 0.0
            used[i] += 1


@njit(cache=True, error_model="numpy", forceinline=True)
def _substitute(
    factor_starts: Ints, factor_rows: Ints, lower: Floats, pivots: Floats, x: Floats
) -> None:
    n, lanes = x.shape
    for k in range(n):
        for p in range(factor_starts[k], factor_starts[k + 1]):
            r = factor_rows[p]
            for t in range(lanes):
                x[r, t] -= lower[p, t] * x[k, t]
    for k in range(n - 1, -1, -1):
        for t in range(lanes):
            x[k, t] /= pivots[k, t]
        for p in range(factor_starts[k], factor_starts[k + 1]):
            r = factor_rows[p]
            for t in range(lanes):
                x[k, t] -= lower[p, t] * x[r, t]
