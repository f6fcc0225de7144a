"""Full systems of moderate size, factorised in place in compiled code."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["factorise", "replace_right", "substitute"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SUMS = {"contract", "reassoc", "nsz"}
"""Sums may be taken in any order, so that they are taken several terms at a time."""


@njit(cache=True, error_model="numpy")
def factorise(a: Floats, order: Ints, is_symmetric: bool) -> bool:
    """Factorise; False if the matrix is singular or, if symmetric, not positive definite.

    Args:
        a: (n, n + 1) matrix and a right-hand side, overwritten by upper factor and what
            :func:`substitute` needs; only the upper half of a symmetric matrix is used.
        order: (n,) row pivots, written if the matrix is not symmetric.
        is_symmetric: whether to factorise without pivots, as L D L^T.
    """
    return _symmetric(a) if is_symmetric else _pivoting(a, order)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def replace_right(a: Floats, order: Ints, is_symmetric: bool, right: Floats) -> None:
    """Put another right-hand side, (n,), into a factorised matrix."""
    n = len(a)
    x = right.copy()
    # Rows were exchanged as a whole, with what stood in them of earlier eliminations.
    for k in range(0 if is_symmetric else n):
        x[k], x[order[k]] = x[order[k]], x[k]
    for k in range(n):
        if is_symmetric:
            row, f = a[k], x[k] / a[k, k]
            for i in range(k + 1, n):
                x[i] -= f * row[i]
        else:
            for i in range(k + 1, n):
                x[i] -= a[i, k] * x[k]
    for k in range(n):
        a[k, n] = x[k]


@njit(cache=True, error_model="numpy", fastmath=_SUMS)
def substitute(a: Floats, x: Floats) -> None:
    """Solution (n,) for the right-hand side in a factorised matrix."""
    n = x.size
    for k in range(n - 1, -1, -1):
        row, total = a[k], 0.0
        for j in range(k + 1, n):
            total += row[j] * x[j]
        x[k] = (row[n] - total) / row[k]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _symmetric(a: Floats) -> bool:
    # Four rows at a time, so that each row below is read and written once for four.
    n, width = a.shape
    k = 0
    while k < n:
        stop = min(k + 4, n)
        for p in range(k, stop):
            mine = a[p]
            if not mine[p] > 0.0:
                return False
            for i in range(p + 1, stop):
                f, row = mine[i] / mine[p], a[i]
                for j in range(i, width):
                    row[j] -= f * mine[j]
        if stop == k + 4:
            r0, r1, r2, r3 = a[k], a[k + 1], a[k + 2], a[k + 3]
            d0, d1, d2, d3 = r0[k], r1[k + 1], r2[k + 2], r3[k + 3]
            for i in range(k + 4, n):
                f0, f1, f2, f3 = r0[i] / d0, r1[i] / d1, r2[i] / d2, r3[i] / d3
                row = a[i]
                for j in range(i, width):
                    row[j] -= (f0 * r0[j] + f1 * r1[j]) + (f2 * r2[j] + f3 * r3[j])
        k = stop
    return True


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _pivoting(a: Floats, order: Ints) -> bool:
    n, width = a.shape
    for k in range(n):
        best, at = 0.0, k
        for i in range(k, n):
            if abs(a[i, k]) > best:
                best, at = abs(a[i, k]), i
        if not best > 0.0 or not np.isfinite(best):
            return False
        order[k] = at
        if at != k:
            for j in range(width):
                a[k, j], a[at, j] = a[at, j], a[k, j]
        mine = a[k]
        for i in range(k + 1, n):
            f, row = a[i, k] / mine[k], a[i]
            row[k] = f
            if f != 0.0:
                for j in range(k + 1, width):
                    row[j] -= f * mine[j]
    return True
