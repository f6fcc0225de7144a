r"""Passes over the devices of one crossbar block that change conductances.

A device between row ``i`` and column ``j`` sees the drop ``s_i - v_j``.  The gradient of the
co-content is half its square, and the difference between two phases, summed over a batch, is
of low rank:

.. math::  \sum_b \tfrac12\left[(\Delta V^+)^2 - (\Delta V^-)^2\right]
           = r_i + c_j + \sum_k R_{ik} C_{kj}.                          \qquad (3)

So a whole update is one pass: form (3) for some rows, move them, confine them to their window,
sum them, count what changed.  Rows whose inputs are zero skip their products (four pixels of
five in MNIST); dense inputs go through BLAS, strip by strip, so that each core stays in its
cache.
``hil.energy.contrast_factors`` says the same in readable form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.injection import dot
from sim_backend.layered.responses import FAST, Floats

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

_DENSE = 0.125
"""Share of row factors that are not zero above which BLAS forms the products of a strip faster
(measured on two Zen 4 cores, 100 and 1024 columns)."""

_ALONE = 8192
"""Up to so many devices a block is the work of one thread, because the next to read it is one."""

_NARROW = 32
"""Below so many columns BLAS always does: loops along a row would be all ends."""


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _column_factors(
    first: Floats, others: Floats, weights: Floats, head: int, columns: int, clamped: bool
) -> tuple[Floats, Floats]:
    """``c`` (m,) and ``C`` (k, m) of equation (3); see :func:`program`."""
    phases, batch = others.shape[:2]
    term = np.zeros(columns, first.dtype)
    ranks = batch * (1 if clamped else 2 * phases)
    factors = np.zeros((ranks + -ranks % 4, columns), first.dtype)
    for q in range(phases):
        for b in range(batch):
            base = first[b, head : head + columns]
            volts = others[q, b, head : head + columns]
            mean, move = factors[b], factors[b]
            if not clamped:
                mean, move = factors[2 * (q * batch + b)], factors[2 * (q * batch + b) + 1]
            for j in range(columns):
                change = weights[q] * (volts[j] - base[j])
                middle = (volts[j] + base[j]) * weights.dtype.type(0.5)
                term[j] += change * middle
                move[j] -= change
                if not clamped:
                    mean[j] = -middle
    return term, factors


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _row_factors(
    first: Floats,
    others: Floats,
    weights: Floats,
    tails: NDArray[np.int64],
    term: Floats,
    factors: Floats,
) -> None:
    """Fill ``r`` (n,) and ``R`` (n, k) of equation (3) for some rows; see :func:`program`."""
    phases, batch = others.shape[:2]
    for i in range(tails.size):
        term[i] = 0.0
    for q in range(phases):
        for b in range(batch):
            k = 2 * (q * batch + b)
            for i in range(tails.size):
                base = first[b, tails[i]]
                volts = others[q, b, tails[i]]
                change = weights[q] * (volts - base)
                middle = (volts + base) * weights.dtype.type(0.5)
                term[i] += change * middle
                factors[i, k] = change
                factors[i, k + 1] = middle


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _mark_lines(
    volts: Floats,
    line: int,
    factors: Floats,
    probes: Floats,
    live: NDArray[np.int32],
) -> None:
    """For rows on sourced lines from ``line`` on: factors, their sum, how many are not zero.

    Factors of rows at 0 V in all of ``volts`` (batch, n_nodes) are left as they are.
    """
    for i in range(live.size):
        probes[i] = 0
        live[i] = 0
    for b in range(volts.shape[0]):
        lines = volts[b, line : line + live.size]
        for i in range(live.size):
            probes[i] += lines[i]
            live[i] += lines[i] != 0
    for i in range(live.size):
        if live[i]:
            for b in range(volts.shape[0]):
                factors[i, b] = volts[b, line + i]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _mark_nodes(term: Floats, factors: Floats, probes: Floats, live: NDArray[np.int32]) -> None:
    """Of rows whose factors are filled in: their sum, and how many are not zero."""
    for i in range(live.size):
        probe = term[i]
        count = np.int32(term[i] != 0)
        for k in range(factors.shape[1]):
            probe += factors[i, k]
            count += np.int32(factors[i, k] != 0)
        probes[i] = probe
        live[i] = count


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _slope_tile(
    slope: Floats, to: int, r: int, term: Floats, column_term: Floats,
    factors: Floats, k: int, column_factors: Floats,
) -> None:  # fmt: skip
    """Add products ``k`` to ``k + 4`` of (3) of rows ``r`` to ``r + 4``; at 0 start with the terms.

    They are rows ``to`` to ``to + 4`` of ``slope``.

    Four by four, so that what is loaded and stored is used four times.
    """
    t0, t1, t2, t3 = term[r], term[r + 1], term[r + 2], term[r + 3]
    x00, x01, x02, x03 = factors[r, k], factors[r, k + 1], factors[r, k + 2], factors[r, k + 3]
    i = r + 1
    x10, x11, x12, x13 = factors[i, k], factors[i, k + 1], factors[i, k + 2], factors[i, k + 3]
    i = r + 2
    x20, x21, x22, x23 = factors[i, k], factors[i, k + 1], factors[i, k + 2], factors[i, k + 3]
    i = r + 3
    x30, x31, x32, x33 = factors[i, k], factors[i, k + 1], factors[i, k + 2], factors[i, k + 3]
    if k == 0:
        for j in range(column_term.size):
            z = column_term[j]
            p, q = column_factors[k, j], column_factors[k + 1, j]
            u, v = column_factors[k + 2, j], column_factors[k + 3, j]
            slope[to, j] = (t0 + z) + ((x00 * p + x01 * q) + (x02 * u + x03 * v))
            slope[to + 1, j] = (t1 + z) + ((x10 * p + x11 * q) + (x12 * u + x13 * v))
            slope[to + 2, j] = (t2 + z) + ((x20 * p + x21 * q) + (x22 * u + x23 * v))
            slope[to + 3, j] = (t3 + z) + ((x30 * p + x31 * q) + (x32 * u + x33 * v))
    else:
        for j in range(column_term.size):
            p, q = column_factors[k, j], column_factors[k + 1, j]
            u, v = column_factors[k + 2, j], column_factors[k + 3, j]
            slope[to, j] += (x00 * p + x01 * q) + (x02 * u + x03 * v)
            slope[to + 1, j] += (x10 * p + x11 * q) + (x12 * u + x13 * v)
            slope[to + 2, j] += (x20 * p + x21 * q) + (x22 * u + x23 * v)
            slope[to + 3, j] += (x30 * p + x31 * q) + (x32 * u + x33 * v)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _slopes(
    slope: Floats, low: int, high: int, is_dense: bool, term: Floats, column_term: Floats,
    factors: Floats, column_factors: Floats,
) -> None:  # fmt: skip
    """Complete (3) for rows ``low`` to ``high`` of a strip.

    If dense, these rows of ``slope`` hold the products already.  Otherwise the result goes to its
    first rows, so that it stays in the innermost cache, and up to three more are overwritten.
    """
    if is_dense:
        for r in range(low, high):
            for j in range(column_term.size):
                slope[r, j] += term[r] + column_term[j]
        return
    for r in range(low, high, 4):
        for k in range(0, factors.shape[1], 4):
            wanted = k == 0
            if not wanted:
                for i in range(r, r + 4):
                    for q in range(k, k + 4):
                        wanted |= factors[i, q] != 0
            if wanted:
                _slope_tile(slope, r - low, r, term, column_term, factors, k, column_factors)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _silence(slope: Floats, probes: Floats) -> bool:
    """Set slopes of rows to zero whose probe is not finite; whether there are any."""
    found = False
    for r in range(probes.size):
        if not np.isfinite(probes[r]):
            found = True
            for j in range(slope.shape[1]):
                slope[r, j] = 0
    return found


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
def _walk(
    conductance: Floats, begin: int, end: int, first: Floats, others: Floats, weights: Floats,
    tails: NDArray[np.int64], column_term: Floats, column_factors: Floats, clamped: bool,
    sign_only: bool, dead_zone: np.floating, step: np.floating, low: np.floating,
    high: np.floating, changed: NDArray[np.uint8], row_sums: Floats, sums: Floats,
) -> bool:  # fmt: skip
    """Do :func:`program` for rows ``begin`` to ``end``; whether all states were finite."""
    columns, ranks = column_term.size, column_factors.shape[0]
    few, strip = max(4, _SMALL // columns), min(256, max(16, _STRIP // columns))
    slope = np.empty((strip + 4, columns), conductance.dtype)
    factors = np.zeros((strip + 4, ranks), conductance.dtype)
    term = np.zeros(strip + 4, conductance.dtype)
    probes = np.zeros(strip, conductance.dtype)
    live = np.zeros(strip, np.int32)
    # What rows without factors have in common.
    resting = np.empty((few, columns), conductance.dtype)
    for r in range(few):
        for j in range(columns):
            resting[r, j] = column_term[j]
    if sign_only:
        _signs(resting.reshape(few * columns), dead_zone)
    all_finite = True
    for start in range(begin, end, strip):
        size = min(strip, end - start)
        nonzero, probe = 0, column_term.dtype.type(0)
        if ranks and clamped:
            _mark_lines(first, tails[start], factors, probes[:size], live[:size])
        elif ranks:
            _row_factors(first, others, weights, tails[start : start + size], term, factors)
            _mark_nodes(term, factors, probes, live[:size])
        for r in range(size):
            nonzero += live[r]
            probe += probes[r]
        is_dense = ranks > 0 and (
            columns < _NARROW or (ranks > 4 and nonzero > _DENSE * size * ranks)
        )
        if is_dense:
            for r in range(size):
                if live[r] == 0:
                    for k in range(ranks):
                        factors[r, k] = 0
            dot(factors[:size], column_factors, slope[:size])
        for block in range(0, size, few):
            stop = min(block + few, size)
            r = block
            while r < stop:
                # Rows up to the next that is at rest where this one is not, or the reverse.
                at = r
                moves = is_dense or live[at] != 0
                while r < stop and (is_dense or live[r] != 0) == moves:
                    r += 1
                count = (r - at) * columns
                mine = resting.reshape(few * columns)[:count]
                if moves:
                    _slopes(slope, at, r, is_dense, term, column_term, factors, column_factors)
                    to = at if is_dense else 0
                    found = slope[to : to + r - at]
                    if not np.isfinite(probe) and _silence(found, probes[at:r]):
                        all_finite = False
                    mine = found.reshape(count)
                    if sign_only:
                        _signs(mine, dead_zone)
                _move(
                    conductance[start + at : start + r].reshape(count), mine,
                    changed[start + at : start + r].reshape(count), step, low, high,
                )  # fmt: skip
            _add_rows(conductance[start + block : start + stop], sums)
            if row_sums.size:
                for r in range(start + block, start + stop):
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
            column_term, column_factors = _column_factors(
                first, others, weights, head, columns, clamped
            )
            is_fine = np.isfinite(_sum(column_term))
            if not is_fine:
                for j in range(columns):
                    column_term[j] = 0
            if not is_fine or others.shape[0] == 0:
                column_factors = column_factors[:0]
            # Of its own, because neighbouring rows of ``partial`` share a cache line.
            sums = np.zeros(columns, conductance.dtype)
            # What a sourced line sees loads nothing.
            stop = top if blocks[g, 6] else top + rows
            begin, end = t * rows // chunks, (t + 1) * rows // chunks
            if rows * columns <= _ALONE:
                begin, end = 0, rows if t == 0 else 0
            all_fine = _walk(
                conductance[start : start + rows * columns].reshape(rows, columns),
                begin, end, first, others, weights,
                tails[top : top + rows], column_term, column_factors, clamped, sign_only,
                dead_zones[g], steps[g], low, high,
                changed[start : start + rows * columns].reshape(rows, columns),
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
