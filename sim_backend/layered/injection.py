"""Currents from sourced lines into the columns of a crossbar.

Most lines of an image are at 0 V.  Rows whose line is at 0 V in each of four examples are passed
over; the others are read once for the four, four rows at a time, so that a conductance loaded
is used four times and a sum stored takes four products.  Dense inputs into few columns go
through BLAS; into many it is slower, because it first copies the conductances.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats

__all__ = ["collect", "dot"]

_DENSE = 0.7
"""Share of rows live in the first four examples above which BLAS is faster."""

_WIDE = 200
"""Columns from which it never is (measured between 100 and 1024, on a Zen 4 core)."""


@njit(cache=True, forceinline=True, error_model="numpy")
def dot(left: Floats, right: Floats, product: Floats) -> None:
    """BLAS product, compiled once for all kernels."""
    np.dot(left, right, product)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _add_tile(
    sums: Floats, b: int, volts: Floats, i: int, conductance: Floats, rows: NDArray[np.int64]
) -> None:
    """Add to ``sums[b:b+4]`` the currents of ``rows[i:i+4]`` at ``volts[:, i:i+4]``."""
    r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    x00, x01, x02, x03 = volts[0, i], volts[0, i + 1], volts[0, i + 2], volts[0, i + 3]
    x10, x11, x12, x13 = volts[1, i], volts[1, i + 1], volts[1, i + 2], volts[1, i + 3]
    x20, x21, x22, x23 = volts[2, i], volts[2, i + 1], volts[2, i + 2], volts[2, i + 3]
    x30, x31, x32, x33 = volts[3, i], volts[3, i + 1], volts[3, i + 2], volts[3, i + 3]
    for j in range(sums.shape[1]):
        p, q = conductance[r0, j], conductance[r1, j]
        r, s = conductance[r2, j], conductance[r3, j]
        sums[b, j] += (x00 * p + x01 * q) + (x02 * r + x03 * s)
        sums[b + 1, j] += (x10 * p + x11 * q) + (x12 * r + x13 * s)
        sums[b + 2, j] += (x20 * p + x21 * q) + (x22 * r + x23 * s)
        sums[b + 3, j] += (x30 * p + x31 * q) + (x32 * r + x33 * s)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _live_rows(
    volts: Floats,
    first: int,
    low: int,
    high: int,
    marks: NDArray[np.uint8],
    rows: NDArray[np.int64],
    levels: Floats,
) -> int:
    """List rows ``low`` to ``high`` whose lines are not all at 0 V, and their volts.

    Args:
        volts: (up to 4, n_lines).
        first: line of row 0.
        low: first row.
        high: row after the last.
        marks: (high - low,) for work.
        rows: filled with row numbers, padded with copies to a multiple of four.
        levels: (4, n) filled with the volts of these rows, padded with zeros.

    Returns:
        How many rows are listed.
    """
    for i in range(high - low):
        marks[i] = 0
    for b in range(volts.shape[0]):
        lines = volts[b, first + low : first + high]
        for i in range(high - low):
            marks[i] |= np.uint8(lines[i] != 0)
    count = 0
    for i in range(high - low):
        rows[count] = low + i
        count += marks[i]
    padded = count + -count % 4
    for i in range(count, padded):
        rows[i] = low
    for b in range(4):
        for i in range(padded):
            levels[b, i] = 0
    for b in range(volts.shape[0]):
        for i in range(count):
            levels[b, i] = volts[b, first + rows[i]]
    return padded


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def collect(conductance: Floats, volts: Floats, first: int, chunks: int) -> Floats:
    """Short-circuit column currents of a block, amps, (batch, m).

    Args:
        conductance: (n, m) siemens.
        volts: (batch, n_lines); row ``i`` of the block is driven by line ``first + i``.
        first: see above.
        chunks: row blocks worked on in parallel; fixes the order of the sums.
    """
    n, columns = conductance.shape
    batch = volts.shape[0]
    whole_fours = batch + -batch % 4
    partial = np.empty((chunks, whole_fours, columns), conductance.dtype)
    for t in prange(chunks):
        low, high = t * n // chunks, (t + 1) * n // chunks
        mine = partial[t]
        marks = np.empty(high - low, np.uint8)
        rows = np.empty(high - low + 4, np.int64)
        levels = np.empty((4, high - low + 4), conductance.dtype)
        for b in range(0, batch, 4):
            four = volts[b : min(b + 4, batch)]
            listed = _live_rows(four, first, low, high, marks, rows, levels)
            if b == 0 and columns < _WIDE and listed > _DENSE * (high - low):
                driven = volts[:, first + low : first + high].copy()
                dot(driven, conductance[low:high], mine[:batch])
                break
            for k in range(b, b + 4):
                for j in range(columns):
                    mine[k, j] = 0
            for i in range(0, listed, 4):
                _add_tile(mine, b, levels, i, conductance, rows)
    for t in range(1, chunks):
        for b in range(batch):
            for j in range(columns):
                partial[0, b, j] += partial[t, b, j]
    total: Floats = partial[0, :batch]
    return total
