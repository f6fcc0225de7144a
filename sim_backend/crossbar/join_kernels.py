r"""Joining two blocks: elimination of the nodes they share.

With :math:`C_{EE}, C_{EP}` the conductances among the shared nodes and between them and the ports
of the new block, and D the diagonal matrix of the sums of their rows,

.. math::  Y = D - C_{EE} = L L^T, \quad B = L^{-1} C_{EP}, \quad
           C_{PP} \mathrel{+}= B^T B, \quad W = L^{-T} B = Y^{-1} C_{EP}.

L has negative numbers off its diagonal only and B none, so no step subtracts, as long as the
pivots are found as sums: of what conducts to nodes eliminated later and to ports.  That makes
every entry accurate to rounding error *relative to itself* (see ``leaf_kernels``).  The diagonal
of :math:`C_{PP}` means nothing and is never read.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.crossbar.blas import multiply_add, multiply_own_add, solve_triangular
from sim_backend.crossbar.layout import (
    A_MATRIX,
    A_PORTS,
    A_SHARED,
    B_MATRIX,
    B_PORTS,
    B_SHARED,
    MATRIX,
    PORTS,
    SEGMENTS,
    SHARED,
)

__all__ = ["add_tile", "factorise", "gather", "solve_weights", "to_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PANEL = 32
"""Columns factorised without BLAS."""

_TILE = 16
"""Rows and columns transposed at a time."""


@njit(cache=True, error_model="numpy")
def gather(join: Ints, below: Floats, weights: Floats, low: int, high: int) -> None:
    """Fill columns ``low`` to ``high`` of C_EP."""
    n, m = join[PORTS], join[SHARED]
    start = 0
    for part in range(6):
        which, first, count = join[SEGMENTS + 3 * part : SEGMENTS + 3 * part + 3]
        shared = join[A_SHARED] if which == 0 else join[B_SHARED]
        size = join[A_PORTS] if which == 0 else join[B_PORTS]
        matrix = below[join[A_MATRIX] if which == 0 else join[B_MATRIX] :]
        p0, p1 = max(low, start), min(high, start + count)
        shift = first - start
        if shared > first:
            for k in range(m):
                for p in range(p0, p1):
                    weights[k * n + p] = matrix[(shared + k) * size + shift + p]
        else:
            for k0 in range(0, m, _TILE):
                for q0 in range(p0, p1, _TILE):
                    for k in range(k0, min(k0 + _TILE, m)):
                        for p in range(q0, min(q0 + _TILE, p1)):
                            weights[k * n + p] = matrix[(shift + p) * size + shared + k]
        start += count


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _panel(m: int, block: Floats, later: Floats, excess: Floats) -> None:
    """Factorise conductances ``block[k, j], k < j`` in place.

    Args:
        m: order.
        block: on return row k holds column k of L.
        later: sum of conductances to nodes outside of the block; changed.
        excess: those to ports alone; on return entries of ``L^-1 excess``.
    """
    for k in range(m):
        pivot = later[k]
        for j in range(k + 1, m):
            pivot += block[k, j]
        for j in range(k + 1, m):
            share = block[k, j] / pivot
            later[j] += share * later[k]
            excess[j] += share * excess[k]
            for i in range(j + 1, m):
                block[j, i] += share * block[k, i]
        root = np.sqrt(pivot)
        excess[k] /= root
        for j in range(k + 1, m):
            block[k, j] /= -root
        block[k, k] = root


@njit(cache=True, error_model="numpy")
def factorise(join: Ints, below: Floats, weights: Floats, pivots: Floats) -> None:
    """Fill ``pivots`` (m, m) with L; ``weights`` is C_EP."""
    n, m = join[PORTS], join[SHARED]
    one, two = below[join[A_MATRIX] :], below[join[B_MATRIX] :]
    a, b, size_a, size_b = join[A_SHARED], join[B_SHARED], join[A_PORTS], join[B_PORTS]
    excess = np.empty(m)
    for k in range(m):
        for j in range(k):
            pivots[k * m + j] = one[(a + k) * size_a + a + j] + two[(b + k) * size_b + b + j]
        total = 0.0
        for p in range(n):
            total += weights[k * n + p]
        excess[k] = total
    block, later = np.empty((_PANEL, _PANEL)), np.empty(_PANEL)
    for low in range(0, m, _PANEL):
        high = min(low + _PANEL, m)
        width, corner = high - low, low * m + low
        if low:
            rows = pivots[low * m :]
            shape = (width, m - low, low)
            multiply_add((True, False), shape, rows, m, rows, m, 1.0, pivots[corner:], m)
            for k in range(low, high):
                for j in range(low):
                    excess[k] -= pivots[k * m + j] * excess[j]
        for k in range(width):
            later[k] = excess[low + k]
            for j in range(k + 1, width):
                block[k, j] = pivots[(low + j) * m + low + k]
        for i in range(high, m):
            for k in range(width):
                later[k] += pivots[i * m + low + k]
        _panel(width, block, later, excess[low:high])
        for j in range(width):
            for k in range(j + 1):
                pivots[(low + j) * m + low + k] = block[k, j]
        if high < m:
            rest = pivots[high * m + low :]
            solve_triangular((True, True), (width, m - high), -1.0, pivots[corner:], m, rest, m)


@njit(cache=True, error_model="numpy")
def solve_weights(join: Ints, pivots: Floats, weights: Floats, low: int, high: int) -> None:
    """Turn columns ``low`` to ``high`` of C_EP into B."""
    n, m = join[PORTS], join[SHARED]
    if high > low:
        solve_triangular((False, False), (high - low, m), 1.0, pivots, m, weights[low:], n)


@njit(cache=True, error_model="numpy")
def to_weights(join: Ints, pivots: Floats, weights: Floats, low: int, high: int) -> None:
    """Turn columns ``low`` to ``high`` of B into W."""
    n, m = join[PORTS], join[SHARED]
    if high > low:
        solve_triangular((False, True), (high - low, m), 1.0, pivots, m, weights[low:], n)


@njit(cache=True, error_model="numpy")
def _copy_tile(join: Ints, below: Floats, above: Floats, tile: tuple[int, int, int, int]) -> None:
    """Conductances that ports of the new block have before the join; lower triangle only."""
    i0, i1, j0, j1 = tile
    n = join[PORTS]
    start = 0
    for part in range(6):
        which, first, count = join[SEGMENTS + 3 * part : SEGMENTS + 3 * part + 3]
        size = join[A_PORTS] if which == 0 else join[B_PORTS]
        matrix = below[join[A_MATRIX] if which == 0 else join[B_MATRIX] :]
        for p in range(max(i0, start), min(i1, start + count)):
            row = matrix[(first + p - start) * size :]
            new = above[p * n :]
            origin = 0
            for other in range(part + 1):
                kind, head, length = join[SEGMENTS + 3 * other : SEGMENTS + 3 * other + 3]
                q0, q1 = max(j0, origin), min(min(j1, origin + length), p + 1)
                shift = head - origin
                if kind == which:
                    for q in range(q0, q1):
                        new[q] = row[q + shift]
                else:
                    for q in range(q0, q1):
                        new[q] = 0.0
                origin += length
        start += count


@njit(cache=True, error_model="numpy")
def add_tile(
    join: Ints, below: Floats, weights: Floats, above: Floats, tile: tuple[int, int, int, int]
) -> None:
    """Fill rows i0 to i1 and columns j0 to j1 of the new block's matrix; ``weights`` is B.

    A tile is either square on the diagonal, and filled below it, or wholly below it.
    """
    i0, i1, j0, j1 = tile
    n, m = join[PORTS], join[SHARED]
    new = above[join[MATRIX] :]
    _copy_tile(join, below, new, tile)
    if i0 == j0:
        multiply_own_add(i1 - i0, m, weights[i0:], n, new[i0 * n + i0 :], n)
    else:
        shape = (j1 - j0, i1 - i0, m)
        multiply_add(
            (False, True), shape, weights[j0:], n, weights[i0:], n, 1.0, new[i0 * n + j0 :], n
        )
