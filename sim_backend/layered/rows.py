"""The rows of one crossbar: moved, confined to their window and summed, a few at a time.

Rows move a few at a time, so that a core stays in its innermost cache; what rows without
products move by is worked out once (four pixels of five are at 0 V in MNIST).  Equation (3) is
the one of ``programming``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats
from sim_backend.layered.slopes import complete, mark, silence

__all__ = ["live_lines", "summed", "walk", "walk_lines"]

_STRIP = 65536
"""Slopes formed at a time, where BLAS forms them: a quarter of an L2 cache."""

_SMALL = 1600
"""Devices moved at a time: they and their slopes stay in the innermost cache."""

_STRETCH = 1024
"""Columns of a row that are moved in one go."""

_PITCH = _STRETCH + 16
"""Distance of factors; a power of two would put all of them into the same few cache lines."""

_P1, _P2, _P3, _P4 = (np.uint64(k * _PITCH) for k in (1, 2, 3, 4))
"""Unsigned, because kernels look at every index that may be negative."""


@njit(cache=True, forceinline=True, error_model="numpy")
def _groups(columns: int) -> tuple[int, int]:
    """Rows moved and summed at a time, and rows whose slopes are formed at a time.

    The second is a multiple of the first, so that rows are summed in the same groups, and sums
    have the same bits, whichever way they were moved.
    """
    strip = min(256, max(16, _STRIP // columns))
    few = min(strip, max(4, _SMALL // columns))
    return few, strip - strip % few


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _repeat(row: Floats, times: int) -> Floats:
    values = np.empty(times * row.size, row.dtype)
    for r in range(times):
        for j in range(row.size):
            values[r * row.size + j] = row[j]
    return values


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _signs(slope: Floats, dead_zone: np.floating) -> None:
    for j in range(slope.size):
        steep = abs(slope[j]) > dead_zone
        slope[j] = np.sign(slope[j]) if steep else dead_zone * 0


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _move(
    cells: Floats, at: int, size: int, slope: Floats, to: int, changed: NDArray[np.uint8],
    step: np.floating, low: np.floating, high: np.floating,
) -> None:  # fmt: skip
    """Descend on ``size`` devices as one: a loop a row would spend as long on its ends."""
    here, there = np.uint64(at), np.uint64(to)
    for j in range(np.uint64(size)):
        old = cells[here + j]
        new = min(max(old - step * slope[there + j], low), high)
        cells[here + j] = new
        changed[here + j] += np.uint8(new != old)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _table(column_term: Floats, columns: Floats) -> Floats:
    """``c`` and four rows of ``C`` of (3), stretch by stretch, for :func:`_move_row`.

    The five lie a fixed number of elements apart, so that the compiler knows where they are: to
    compare the ends of all of them with those of a row would take as long as to move it.
    """
    m = column_term.size
    table = np.empty(-(-m // _STRETCH) * 5 * _PITCH, column_term.dtype)
    for left in range(0, m, _STRETCH):
        to, width = left // _STRETCH * 5 * _PITCH, min(_STRETCH, m - left)
        for j in range(width):
            table[to + j] = column_term[left + j]
        for k in range(4):
            to += _PITCH
            for j in range(width):
                table[to + j] = columns[k, left + j]
    return table


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _move_row(
    cells: Floats, at: int, columns: int, table: Floats, volts: tuple[Floats, ...], line: int,
    step: np.floating, low: np.floating, high: np.floating, changed: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Form (3) for the row on a line of four examples and descend, in one go."""
    x0, x1, x2, x3 = volts[0][line], volts[1][line], volts[2][line], volts[3][line]
    base, here, left = np.uint64(0), np.uint64(at), np.uint64(columns)
    while left > 0:
        width = min(left, np.uint64(_STRETCH))
        for j in range(width):
            near = x0 * table[base + _P1 + j] + x1 * table[base + _P2 + j]
            far = x2 * table[base + _P3 + j] + x3 * table[base + _P4 + j]
            old = cells[here + j]
            new = min(max(old - step * (table[base + j] + (near + far)), low), high)
            cells[here + j] = new
            changed[here + j] += np.uint8(new != old)
        base += _P1 + _P4
        here += width
        left -= width


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _add_rows(cells: Floats, at: int, rows: int, sums: Floats) -> None:
    """Add ``rows`` rows from device ``at`` on to ``sums``, eight at a time."""
    m, a = np.uint64(sums.size), np.uint64(at)
    for _ in range(rows // 8):
        b, c, d = a + m, a + m + m, a + m + m + m
        e, f, g, h = d + m, d + m + m, d + m + m + m, d + m + m + m + m
        for j in range(m):
            near = (cells[a + j] + cells[b + j]) + (cells[c + j] + cells[d + j])
            far = (cells[e + j] + cells[f + j]) + (cells[g + j] + cells[h + j])
            sums[j] += near + far
        a = h + m
    for _ in range(rows % 8):
        for j in range(m):
            sums[j] += cells[a + j]
        a += m


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def summed(values: Floats) -> np.floating:
    """Sum of a vector, in its dtype."""
    total = values.dtype.type(0)
    for j in range(values.size):
        total += values[j]
    return total


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _run_end(live: NDArray[np.int32], at: int, stop: int) -> int:
    """First row after ``at`` that is at rest where that one is not, or the reverse."""
    r = at + 1
    while r < stop and (live[r] != 0) == (live[at] != 0):
        r += 1
    return r


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def live_lines(nodes: Floats, line: int, live: NDArray[np.uint8]) -> np.floating:
    """Mark lines that are not at 0 V in all examples; a sum that is finite if all volts are."""
    probe = nodes.dtype.type(0)
    for b in range(nodes.shape[0]):
        volts = nodes[b, line : line + live.size]
        for i in range(live.size):
            live[i] |= np.uint8(volts[i] != 0)
            probe += abs(volts[i])
    return probe


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def walk_lines(
    cells: Floats, begin: int, nodes: Floats, line: int, live: NDArray[np.uint8],
    column_term: Floats, columns: Floats, step: np.floating, low: np.floating, high: np.floating,
    changed: NDArray[np.uint8], sums: Floats,
) -> None:  # fmt: skip
    """Do :func:`walk` for rows on the sourced lines of up to four examples, all finite.

    Args:
        cells: see :func:`walk`.
        begin: first row.
        nodes: (examples, n_nodes) volts.
        line: node of the first row's line; the others follow it.
        live: (n,) rows that are not at 0 V in all of them.
        column_term: see :func:`walk`; so for the following.
        columns: see above, four factors; zeros for examples that are missing.
        step: see above.
        low: see above.
        high: see above.
        changed: see above.
        sums: see above.
    """
    m, n = column_term.size, live.size
    few, _ = _groups(m)
    table, resting = _table(column_term, columns), _repeat(column_term, few)
    last = nodes.shape[0] - 1
    volts = (
        nodes[0, line:], nodes[min(1, last), line:], nodes[min(2, last), line:],
        nodes[min(3, last), line:],
    )  # fmt: skip
    for block in range(0, n, few):
        stop = min(block + few, n)
        r = block
        while r < stop:
            here = (begin + r) * m
            if live[r]:
                _move_row(cells, here, m, table, volts, r, step, low, high, changed)
                r += 1
                continue
            at = r
            while r < stop and live[r] == 0:
                r += 1
            _move(cells, here, (r - at) * m, resting, 0, changed, step, low, high)
        _add_rows(cells, (begin + block) * m, stop - block, sums)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def walk(
    cells: Floats, conductance: Floats, begin: int, end: int, first: Floats, others: Floats,
    weights: Floats, tails: NDArray[np.int64], column_term: Floats, columns: Floats,
    clamped: bool, sign_only: bool, dead_zone: np.floating, step: np.floating,
    low: np.floating, high: np.floating, changed: NDArray[np.uint8], row_sums: Floats,
    sums: Floats,
) -> bool:  # fmt: skip
    """Do ``programming.program`` for rows ``begin`` to ``end``; whether all states were finite.

    ``cells`` and ``changed`` are a block as one row, ``conductance`` is the same as a matrix: a
    change of shape inside the loops would be a call.
    """
    m, ranks = column_term.size, columns.shape[0]
    few, strip = _groups(m)
    slopes = np.empty((strip + 4) * m, conductance.dtype)
    slope = slopes.reshape(strip + 4, m)
    factors = np.zeros((strip + 4, ranks), conductance.dtype)
    term = np.zeros(strip + 4, conductance.dtype)
    probes = np.zeros(strip, conductance.dtype)
    live = np.zeros(strip, np.int32)
    resting = _repeat(column_term, few)
    if sign_only:
        _signs(resting, dead_zone)
    is_dense, probe, all_finite = False, conductance.dtype.type(0), True
    for start in range(begin, end, strip):
        size = min(strip, end - start)
        if ranks:
            is_dense, probe = mark(
                first, others, weights, tails[start : start + size], clamped, columns,
                term, factors, probes[:size], live[:size], slope,
            )  # fmt: skip
        for block in range(0, size, few):
            stop = min(block + few, size)
            r = block
            while r < stop:
                at, r = r, stop if is_dense else _run_end(live, r, stop)
                here, count = (start + at) * m, (r - at) * m
                if not is_dense and live[at] == 0:
                    _move(cells, here, count, resting, 0, changed, step, low, high)
                    continue
                complete(slope, at, r, is_dense, term, column_term, factors, columns)
                to = at if is_dense else 0
                if not np.isfinite(probe) and silence(slope[to:], probes[at:r]):
                    all_finite = False
                if sign_only:
                    _signs(slopes[to * m : to * m + count], dead_zone)
                _move(cells, here, count, slopes, to * m, changed, step, low, high)
            _add_rows(cells, (start + block) * m, stop - block, sums)
            for r in range(start + block, start + stop if row_sums.size else 0):
                row_sums[r] = summed(conductance[r])
    return all_finite
