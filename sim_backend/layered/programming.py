r"""Passes over the devices of all crossbars: conductances changed and summed.

A device between row ``i`` and column ``j`` sees the drop ``s_i - v_j``.  The gradient of the
co-content is half its square, and the difference between two phases, summed over a batch, is
of low rank:

.. math::  \sum_b \tfrac12\left[(\Delta V^+)^2 - (\Delta V^-)^2\right]
           = r_i + c_j + \sum_k R_{ik} C_{kj}.                          \qquad (3)

So a whole update is one pass: form (3) for some rows, move them, confine them to their window,
sum them, count what changed (``rows``); here it is shared out between threads.
``hil.energy.contrast_factors`` says the same in readable form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats
from sim_backend.layered.rows import live_lines, summed, walk, walk_lines
from sim_backend.layered.slopes import NARROW, column_factors

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


_ALONE = 8192
"""Up to so many devices a block is the work of one thread, because the next to read it is one."""


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _share(
    t: int, conductance: Floats, blocks: NDArray[np.int64], tails: NDArray[np.int64],
    first: Floats, others: Floats, weights: Floats, shares_inputs: bool, sign_only: bool,
    dead_zones: Floats, steps: Floats, low: np.floating, high: np.floating,
    changed: NDArray[np.uint8], row_sums: Floats, partial: Floats, finite: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Do :func:`program` for the ``t``-th part of the rows."""
    chunks = partial.shape[0]
    for g in range(blocks.shape[0]):
        start, rows, columns, head = blocks[g, 0], blocks[g, 1], blocks[g, 2], blocks[g, 3]
        top, left = blocks[g, 4], blocks[g, 5]
        clamped = shares_inputs and blocks[g, 6] != 0
        begin, end = t * rows // chunks, (t + 1) * rows // chunks
        if rows * columns <= _ALONE:
            begin, end = 0, rows if t == 0 else 0
        if begin == end:
            for j in range(columns):
                partial[t, left + j] = 0
            continue
        column_term, factors = column_factors(first, others, weights, head, columns, clamped)
        is_fine = np.isfinite(summed(column_term))
        if not is_fine:
            for j in range(columns):
                column_term[j] = 0
        if not is_fine or others.shape[0] == 0:
            factors = factors[:0]
        # Of its own, because neighbouring rows of ``partial`` share a cache line.
        sums = np.zeros(columns, conductance.dtype)
        # What a sourced line sees loads nothing.
        stop = top if blocks[g, 6] else top + rows
        is_quick = False
        live = np.zeros(0, np.uint8)
        cells = conductance[start : start + rows * columns]
        marks = changed[start : start + rows * columns]
        if clamped and not sign_only and factors.shape[0] == 4 and columns >= NARROW:
            live = np.zeros(end - begin, np.uint8)
            is_quick = bool(np.isfinite(live_lines(first, tails[top] + begin, live)))
        if is_quick:
            walk_lines(
                cells, begin, first, tails[top] + begin, live, column_term, factors, steps[g],
                low, high, marks, sums,
            )  # fmt: skip
            all_fine = True
        else:
            all_fine = walk(
                cells, cells.reshape(rows, columns), begin, end, first, others, weights,
                tails[top : top + rows], column_term, factors, clamped, sign_only,
                dead_zones[g], steps[g], low, high, marks,
                row_sums[top:stop], sums,
            )  # fmt: skip
        for j in range(columns):
            partial[t, left + j] = sums[j]
        if not (is_fine and all_fine):
            finite[t] = False


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
        # One call and nothing else: numba then knows that the arrays do not overlap.
        _share(
            t, conductance, blocks, tails, first, others, weights, shares_inputs, sign_only,
            dead_zones, steps, low, high, changed, row_sums, partial, finite,
        )  # fmt: skip
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
