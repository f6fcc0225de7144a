r"""Sparse symmetric factorisation of many matrices of one pattern, in lockstep.

Newton's method on a reciprocal circuit factorises matrices :math:`J = A + N \mathrm{diag}(g) N^T`
that differ from example to example in few values and never in their pattern.  The order of
elimination and the pattern of the factor are therefore found once, and the factorisation
:math:`P J P^T = L D L^T` (up-looking, after Davis, "Algorithm 849: a concise sparse Cholesky
factorization package", ACM TOMS 2005) runs through the pattern once for a whole batch: values of
all examples lie side by side, so that every operation is one on a vector of examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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


_FEW = 3
"""Up to as many are faster one by one."""


class _Pattern(NamedTuple):
    """Order of elimination and pattern of the factor."""

    order: Ints
    starts: Ints
    rows: Ints
    walk_starts: Ints
    walk: Ints
    factor_starts: Ints
    factor_rows: Ints


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
        rows, columns = rows[by_column].astype(np.int64), columns[by_column]
        starts = np.searchsorted(columns, np.arange(n + 1)).astype(np.int64)
        parent, counts = _tree(n, starts, rows)
        factor_starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        walk_starts, walk = _walks(n, starts, rows, parent, int(counts.sum()))
        factor_rows = _factor_rows(n, walk_starts, walk, factor_starts)
        self._pattern = _Pattern(
            order.astype(np.int64), starts, rows, walk_starts, walk, factor_starts, factor_rows
        )

    @property
    def n_factor(self) -> int:
        """Entries of L below its diagonal."""
        return int(self._pattern.factor_starts[-1])

    def solve(self, values: Floats, right: Floats) -> Floats:
        """Solve ``J_b x_b = right_b``.

        Args:
            values: (n_entries, batch) values at ``entries``.
            right: (n, batch).

        Returns:
            (n, batch); not finite where a matrix is not positive definite.
        """
        out = np.empty_like(right)
        batch = right.shape[1]
        if batch > _LANES:
            _solve_blocks(self._pattern, values, right, out)
        elif batch > _FEW:
            _solve_many(self._pattern, values, right, out, 0, batch)
        else:
            for k in range(batch):
                _solve_one(self._pattern, values, right, out, k, k + 1)
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


def _kernel(wide: bool) -> Callable[..., None]:
    """Factorisation and solution of examples side by side; of just one, if not ``wide``.

    That there is one is then known to the compiler, which is worth a factor of five.
    """

    @njit(cache=True, error_model="numpy", fastmath={"contract"})
    def solve(
        pattern: _Pattern, all_values: Floats, right: Floats, out: Floats, first: int, stop: int
    ) -> None:
        n, lanes = len(right), stop - first if wide else 1
        starts, rows, order = pattern.starts, pattern.rows, pattern.order
        factor_starts, factor_rows = pattern.factor_starts, pattern.factor_rows
        values, x = np.empty((len(all_values), lanes)), np.empty((n, lanes))
        for p in range(len(values)):
            for t in range(lanes):
                values[p, t] = all_values[p, first + t]
        lower, pivots = np.empty((factor_rows.size, lanes)), np.empty((n, lanes))
        work, used = np.zeros((n, lanes)), factor_starts[:-1].copy()
        mine = np.empty(lanes)
        for k in range(n):
            for p in range(starts[k], starts[k + 1]):
                i = rows[p]
                for t in range(lanes):
                    work[i, t] += values[p, t]
            for t in range(lanes):
                pivots[k, t] = work[k, t]
                work[k, t] = 0.0
                x[k, t] = right[order[k], first + t]
            for w in range(pattern.walk_starts[k], pattern.walk_starts[k + 1]):
                i = pattern.walk[w]
                for t in range(lanes):
                    mine[t] = work[i, t]
                    work[i, t] = 0.0
                for p in range(factor_starts[i], used[i]):
                    r = factor_rows[p]
                    for t in range(lanes):
                        work[r, t] -= lower[p, t] * mine[t]
                p = used[i]
                for t in range(lanes):
                    entry = mine[t] / pivots[i, t]
                    pivots[k, t] -= entry * mine[t]
                    x[k, t] -= entry * x[i, t]
                    lower[p, t] = entry
                used[i] += 1
        for k in range(n - 1, -1, -1):
            for t in range(lanes):
                x[k, t] /= pivots[k, t]
            for p in range(factor_starts[k], factor_starts[k + 1]):
                r = factor_rows[p]
                for t in range(lanes):
                    x[k, t] -= lower[p, t] * x[r, t]
            for t in range(lanes):
                out[order[k], first + t] = x[k, t]

    return solve


_solve_one, _solve_many = _kernel(False), _kernel(True)


@njit(cache=True, error_model="numpy", parallel=True)
def _solve_blocks(pattern: _Pattern, values: Floats, right: Floats, out: Floats) -> None:
    batch = right.shape[1]
    for block in prange((batch + _LANES - 1) // _LANES):
        first = block * _LANES
        _solve_many(pattern, values, right, out, first, min(first + _LANES, batch))
