r"""Passes over the devices of one crossbar block: currents in, conductances changed.

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

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats

__all__ = ["collect", "program", "vote"]

_STRIP = 64
"""Rows of a dense product formed at a time: with 1024 columns, a quarter of an L2 cache."""

_SMALL = 2048
"""Devices moved at a time: their slopes stay in the innermost cache."""


@njit(cache=True, forceinline=True, error_model="numpy")
def _worth_skipping(factors: Floats, ranks: int) -> bool:
    """Whether skipping the zeros of ``factors``, ``ranks`` a row, beats a dense product.

    The skipping loops cost one vector operation a non-zero entry, BLAS about a quarter of
    one an entry plus a fixed cost of two a row (measured on two Zen 5 cores, 100 and 1024
    columns).
    """
    nonzero = 0
    entries = factors.reshape(factors.size)
    for i in range(entries.size):
        nonzero += entries[i] != 0.0
    return bool(nonzero * ranks < (0.25 * ranks + 2.0) * factors.size)


@njit(cache=True, forceinline=True, error_model="numpy")
def _sum_chunks(partial: Floats) -> None:
    """Leave in ``partial[0]`` the sum of ``partial`` (chunks, n, m) over its first axis.

    Written out here and elsewhere, because array expressions of numba compile for seconds.
    """
    for t in range(1, partial.shape[0]):
        for b in range(partial.shape[1]):
            for j in range(partial.shape[2]):
                partial[0, b, j] += partial[t, b, j]


@njit(cache=True, forceinline=True, error_model="numpy")
def _dot(left: Floats, right: Floats, product: Floats) -> None:
    """BLAS product, compiled once for all kernels."""
    np.dot(left, right, product)


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def collect(conductance: Floats, volts: Floats, first: int, chunks: int) -> Floats:
    """Short-circuit column currents of a block, amps, (batch, m).

    Args:
        conductance: (n, m) siemens.
        volts: (batch, n_lines); row ``i`` of the block is driven by line ``first + i``.
        first: see above.
        chunks: row blocks worked on in parallel; fixes the order of the sums.
    """
    rows, columns = conductance.shape
    batch = volts.shape[0]
    partial = np.empty((chunks, batch, columns), conductance.dtype)
    for t in prange(chunks):
        low, high = t * rows // chunks, (t + 1) * rows // chunks
        driven = volts[:, first + low : first + high].copy()
        mine = partial[t]
        if _worth_skipping(driven, batch):
            for b in range(batch):
                for j in range(columns):
                    mine[b, j] = 0.0
            for i in range(high - low):
                for b in range(batch):
                    x = driven[b, i]
                    if x != 0.0:
                        for j in range(columns):
                            mine[b, j] += x * conductance[low + i, j]
        else:
            _dot(driven, conductance[low:high], mine)
    _sum_chunks(partial)
    total: Floats = partial[0]
    return total


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
    clamped: bool,
    term: Floats,
    factors: Floats,
) -> None:
    """Fill ``r`` (n,) and ``R`` (n, k) of equation (3) for some rows; see :func:`program`."""
    phases, batch = others.shape[:2]
    for i in range(tails.size):
        term[i] = 0.0
    if clamped:
        for b in range(batch):
            for i in range(tails.size):
                factors[i, b] = first[b, tails[i]]
        return
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
def _slope_row(
    row_term: np.floating,
    column_term: Floats,
    factors: Floats,
    column_factors: Floats,
    sparse: bool,
    slope: Floats,
    r: int,
) -> bool:
    """Complete (3) for row ``r``, which holds the products already unless ``sparse``.

    Returns:
        False, with a slope of zero, if a voltage of the row's node is not finite.
    """
    columns = column_term.size
    probe = row_term
    for k in range(factors.shape[1]):
        probe += factors[r, k]
    if not np.isfinite(probe):
        for j in range(columns):
            slope[r, j] = 0
        return False
    if not sparse:
        for j in range(columns):
            slope[r, j] += row_term + column_term[j]
        return True
    for j in range(columns):
        slope[r, j] = row_term + column_term[j]
    ranks = factors.shape[1]
    if ranks > 4:
        for k in range(ranks):
            x = factors[r, k]
            if x != 0:
                for j in range(columns):
                    slope[r, j] += x * column_factors[k, j]
    elif ranks:
        k = 0
        x0, x1, x2, x3 = factors[r, k], factors[r, k + 1], factors[r, k + 2], factors[r, k + 3]
        if x0 != 0 or x1 != 0 or x2 != 0 or x3 != 0:
            for j in range(columns):
                slope[r, j] += (x0 * column_factors[k, j] + x1 * column_factors[k + 1, j]) + (
                    x2 * column_factors[k + 2, j] + x3 * column_factors[k + 3, j]
                )
    return True


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
    fours = block.shape[0] - block.shape[0] % 4
    for i in range(0, fours, 4):
        for j in range(sums.size):
            sums[j] += (block[i, j] + block[i + 1, j]) + (block[i + 2, j] + block[i + 3, j])
    for i in range(fours, block.shape[0]):
        for j in range(sums.size):
            sums[j] += block[i, j]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _sum(values: Floats) -> np.floating:
    total = values.dtype.type(0)
    for j in range(values.size):
        total += values[j]
    return total


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def program(
    conductance: Floats,
    first: Floats,
    others: Floats,
    weights: Floats,
    tails: NDArray[np.int64],
    head: int,
    clamped: bool,
    sign_only: bool,
    dead_zone: np.floating,
    step: np.floating,
    low: np.floating,
    high: np.floating,
    changed: NDArray[np.uint8],
    row_sums: Floats,
    partial: Floats,
) -> bool:
    """Move every device against (3) and confine it; one pass.

    Phases enter by their difference from the first one, so that squares are never subtracted:
    with ``d`` that difference and ``m`` the mean, a phase adds ``(ds - dv)(m_s - m_v)``.

    Args:
        conductance: (n, m) siemens, changed in place.
        first: (batch, n_nodes) volts of the phase the others are compared with.
        others: (phases, batch, n_nodes) volts; no phases leave the conductances alone.
        weights: (phases,).
        tails: (n,) node of each row.
        head: node of the first column; the others follow it.
        clamped: rows have the same volts in all phases.
        sign_only: use the sign of (3) instead of its value.
        dead_zone: with ``sign_only``, absolute values of (3) up to this count as zero.
        step: what (3) or its sign is multiplied with.
        low: smallest conductance, siemens.
        high: largest conductance, siemens.
        changed: (n, m) incremented where a conductance changed.
        row_sums: (n,) overwritten by the new sums, siemens; empty if nobody asks for them.
        partial: (chunks, m) overwritten; the first row by the new column sums.  Its length is
            the number of row blocks worked on in parallel and fixes the order of the sums.

    Returns:
        False if a state is not finite; then devices of the rows it concerns, or all devices if
        it concerns columns, were left alone.
    """
    rows, columns = conductance.shape
    chunks = partial.shape[0]
    column_term, column_factors = _column_factors(first, others, weights, head, columns, clamped)
    if not np.isfinite(column_term.sum()):
        return False
    ranks = column_factors.shape[0] if others.shape[0] else 0  # a multiple of four
    few = max(4, _SMALL // columns)
    spoilt = np.zeros(chunks, np.uint8)
    for t in prange(chunks):
        # Of its own, because neighbouring rows of ``partial`` share a cache line.
        sums = np.zeros(columns, conductance.dtype)
        row_term = np.zeros(_STRIP, conductance.dtype)
        slope = np.empty((_STRIP, columns), conductance.dtype)
        stop = (t + 1) * rows // chunks
        for start in range(t * rows // chunks, stop, _STRIP):
            size = min(_STRIP, stop - start)
            factors = np.zeros((size, ranks), conductance.dtype)
            sparse = True
            if ranks:
                _row_factors(
                    first, others, weights, tails[start : start + size], clamped,
                    row_term[:size], factors,
                )  # fmt: skip
                sparse = _worth_skipping(factors, ranks)
            if not sparse:
                _dot(factors, column_factors, slope[:size])
            for i in range(0, size, few):
                some = min(few, size - i)
                for r in range(i, i + some):
                    good = _slope_row(
                        row_term[r], column_term, factors, column_factors, sparse, slope, r
                    )
                    if not good:
                        spoilt[t] = 1
                mine = slope[i : i + some].reshape(some * columns)
                if sign_only:
                    _signs(mine, dead_zone)
                low_row, high_row = start + i, start + i + some
                _move(
                    conductance[low_row:high_row].reshape(some * columns), mine,
                    changed[low_row:high_row].reshape(some * columns), step, low, high,
                )  # fmt: skip
                _add_rows(conductance[low_row:high_row], sums)
                if row_sums.size:
                    for r in range(low_row, high_row):
                        row_sums[r] = _sum(conductance[r])
        for j in range(columns):
            partial[t, j] = sums[j]
    for t in range(1, chunks):
        for j in range(columns):
            partial[0, j] += partial[t, j]
    return not spoilt.any()


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
