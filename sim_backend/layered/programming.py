r"""Passes over the devices of all crossbars: conductances changed and summed.

A device between row ``i`` and column ``j`` sees the drop ``s_i - v_j``.  The gradient of the
co-content is half its square, and the difference between two phases, summed over a batch, is
of low rank:

.. math::  \sum_b \tfrac12\left[(\Delta V^+)^2 - (\Delta V^-)^2\right]
           = r_i + c_j + \sum_k R_{ik} C_{kj}.                          \qquad (3)

So a whole update is one pass: form (3) for some rows, move them, confine them to their window,
sum them, count what changed.  Rows move a few at a time, so that a core stays in its innermost
cache; what rows without products move by is worked out once (four pixels of five are at 0 V in
MNIST).
``hil.energy.contrast_factors`` says the same in readable form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats
from sim_backend.layered.slopes import column_factors, complete, mark, silence

__all__ = ["Block", "program", "vote"]


class Block(NamedTuple):
    """Where one crossbar lies in the arrays of :func:`program`.

    Attributes:
        start: first device.
        rows: number of rows.
        columns: number of columns.
        head: node of the first column; the others follow it.
        top: its first row among the rows of all blocks.
        left: its first column among the columns of all blocks.
        sourced: 1 if its rows are input lines whose nodes follow one another, so that nobody
            asks for their sums; else 0.
    """

    start: int
    rows: int
    columns: int
    head: int
    top: int
    left: int
    sourced: int


_STRIP = 65536
"""Slopes formed at a time, where BLAS forms them: a quarter of an L2 cache."""

_SMALL = 1600
"""Devices moved at a time: they and their slopes stay in the innermost cache."""

_ALONE = 8192
"""Up to so many devices a block is the work of one thread, because the next to read it is one."""


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
    conductance: Floats,
    slope: Floats,
    changed: NDArray[np.uint8],
    step: np.floating,
    low: np.floating,
    high: np.floating,
) -> None:
    """Descend on several rows as one: a loop a row would spend as long on its ends."""
    for j in range(conductance.size):
        old = conductance[j]
        new = min(max(old - step * slope[j], low), high)
        conductance[j] = new
        changed[j] += np.uint8(new != old)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _add_rows(block: Floats, sums: Floats) -> None:
    eights = block.shape[0] - block.shape[0] % 8
    for i in range(0, eights, 8):
        for j in range(sums.size):
            low = (block[i, j] + block[i + 1, j]) + (block[i + 2, j] + block[i + 3, j])
            high = (block[i + 4, j] + block[i + 5, j]) + (block[i + 6, j] + block[i + 7, j])
            sums[j] += low + high
    for i in range(eights, block.shape[0]):
        for j in range(sums.size):
            sums[j] += block[i, j]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _sum(values: Floats) -> np.floating:
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
def _walk(
    cells: Floats, conductance: Floats, begin: int, end: int, first: Floats, others: Floats,
    weights: Floats, tails: NDArray[np.int64], column_term: Floats, columns: Floats,
    clamped: bool, sign_only: bool, dead_zone: np.floating, step: np.floating,
    low: np.floating, high: np.floating, changed: NDArray[np.uint8], row_sums: Floats,
    sums: Floats,
) -> bool:  # fmt: skip
    """Do :func:`program` for rows ``begin`` to ``end``; whether all states were finite.

    ``cells`` and ``changed`` are a block as one row, ``conductance`` is the same as a matrix: a
    change of shape inside the loops would be a call.
    """
    m, ranks = column_term.size, columns.shape[0]
    few, strip = max(4, _SMALL // m), min(256, max(16, _STRIP // m))
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
                mine = resting[: (r - at) * m]
                if is_dense or live[at] != 0:
                    complete(slope, at, r, is_dense, term, column_term, factors, columns)
                    to = at if is_dense else 0
                    if not np.isfinite(probe) and silence(slope[to:], probes[at:r]):
                        all_finite = False
                    mine = slopes[to * m : (to + r - at) * m]
                    if sign_only:
                        _signs(mine, dead_zone)
                here, there = (start + at) * m, (start + r) * m
                _move(cells[here:there], mine, changed[here:there], step, low, high)
            _add_rows(conductance[start + block : start + stop], sums)
            for r in range(start + block, start + stop if row_sums.size else 0):
                row_sums[r] = _sum(conductance[r])
    return all_finite


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def program(
    conductance: Floats,
    blocks: NDArray[np.int64],
    tails: NDArray[np.int64],
    first: Floats,
    others: Floats,
    weights: Floats,
    shares_inputs: bool,
    sign_only: bool,
    dead_zones: Floats,
    steps: Floats,
    low: np.floating,
    high: np.floating,
    changed: NDArray[np.uint8],
    row_sums: Floats,
    partial: Floats,
) -> bool:
    """Move every device against (3) and confine it; one pass over all crossbars.

    Phases enter by their difference from the first one, so that squares are never subtracted:
    with ``d`` that difference and ``m`` the mean, a phase adds ``(ds - dv)(m_s - m_v)``.

    Args:
        conductance: (n_devices,) siemens, block after block, row-major; changed in place.
        blocks: (n_blocks, 7), one :class:`Block` a row.
        tails: (n_rows,) node of each row of all blocks.
        first: (batch, n_nodes) volts of the phase the others are compared with.
        others: (phases, batch, n_nodes) volts; no phases leave the conductances alone.
        weights: (phases,).
        shares_inputs: input nodes have the same volts in all phases.
        sign_only: use the sign of (3) instead of its value.
        dead_zones: (n_blocks,) with ``sign_only``, absolute values of (3) up to this count as
            zero.
        steps: (n_blocks,) what (3) or its sign is multiplied with.
        low: smallest conductance, siemens.
        high: largest conductance, siemens.
        changed: (n_devices,) incremented where a conductance changed.
        row_sums: (n_rows,) overwritten by the new sums, siemens, where a block asks for them.
        partial: (chunks, n_columns) overwritten; the first row by the new sums of all blocks'
            columns.  Its length is the number of row blocks worked on in parallel and fixes the
            order of the sums.

    Returns:
        False if a state is not finite; then devices of the rows it concerns, or all devices of
        a block if it concerns columns, were left alone.
    """
    chunks = partial.shape[0]
    finite = np.ones(chunks, np.bool_)
    for t in prange(chunks):
        for g in range(blocks.shape[0]):
            start, rows, columns, head = blocks[g, 0], blocks[g, 1], blocks[g, 2], blocks[g, 3]
            top, left = blocks[g, 4], blocks[g, 5]
            clamped = shares_inputs and blocks[g, 6] != 0
            column_term, factors = column_factors(first, others, weights, head, columns, clamped)
            is_fine = np.isfinite(_sum(column_term))
            if not is_fine:
                for j in range(columns):
                    column_term[j] = 0
            if not is_fine or others.shape[0] == 0:
                factors = factors[:0]
            # Of its own, because neighbouring rows of ``partial`` share a cache line.
            sums = np.zeros(columns, conductance.dtype)
            # What a sourced line sees loads nothing.
            stop = top if blocks[g, 6] else top + rows
            begin, end = t * rows // chunks, (t + 1) * rows // chunks
            if rows * columns <= _ALONE:
                begin, end = 0, rows if t == 0 else 0
            cells = conductance[start : start + rows * columns]
            all_fine = _walk(
                cells, cells.reshape(rows, columns), begin, end, first, others, weights,
                tails[top : top + rows], column_term, factors, clamped, sign_only,
                dead_zones[g], steps[g], low, high,
                changed[start : start + rows * columns],
                row_sums[top:stop], sums,
            )  # fmt: skip
            for j in range(columns):
                partial[t, left + j] = sums[j]
            if not (is_fine and all_fine):
                finite[t] = False
    for t in range(1, chunks):
        for j in range(partial.shape[1]):
            partial[0, j] += partial[t, j]
    return bool(finite.all())


@njit(cache=True, error_model="numpy", parallel=True)
def vote(
    rows_first: Floats,
    columns_first: Floats,
    rows_second: Floats,
    columns_second: Floats,
    dead_zone: float,
    votes: NDArray[np.int32],
) -> None:
    """Add one comparison a device and example to ``votes`` (n, m).

    A vote is +1 where the second absolute drop exceeds the first by more than ``dead_zone``
    volts, -1 where it falls short by more, else 0.  Voltages are (batch, n) and (batch, m).
    """
    batch, columns = columns_first.shape
    for i in prange(rows_first.shape[1]):
        for b in range(batch):
            s = rows_first[b, i]
            z = rows_second[b, i]
            for j in range(columns):
                rise = abs(z - columns_second[b, j]) - abs(s - columns_first[b, j])
                votes[i, j] += (rise > dead_zone) - (rise < -dead_zone)
