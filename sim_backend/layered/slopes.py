"""Slopes of the co-content along the conductances of some rows; equation (3) of ``programming``.

Rows whose inputs are 0 V in every example have the slopes of the columns in common and skip their
products.  Those of other rows are formed four rows by four products, so that what is loaded is
used four times, or by BLAS where most factors are not zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.layered.injection import dot
from sim_backend.layered.responses import FAST, Floats

__all__ = ["NARROW", "column_factors", "complete", "mark", "silence"]

_DENSE = 0.125
"""Share of row factors that are not zero above which BLAS forms the products of a strip faster
(measured on two Zen 4 cores, 100 and 1024 columns)."""

NARROW = 32
"""Below so many columns BLAS always does: loops along a row would be all ends."""


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def column_factors(
    first: Floats, others: Floats, weights: Floats, head: int, columns: int, clamped: bool
) -> tuple[Floats, Floats]:
    """``c`` (m,) and ``C`` (k, m) of (3); see ``programming.program``."""
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
    """Fill ``r`` (n,) and ``R`` (n, k) of (3) for some rows; see ``programming.program``."""
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
    factors: Floats, k: int, columns: Floats,
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
            p, q = columns[k, j], columns[k + 1, j]
            u, v = columns[k + 2, j], columns[k + 3, j]
            slope[to, j] = (t0 + z) + ((x00 * p + x01 * q) + (x02 * u + x03 * v))
            slope[to + 1, j] = (t1 + z) + ((x10 * p + x11 * q) + (x12 * u + x13 * v))
            slope[to + 2, j] = (t2 + z) + ((x20 * p + x21 * q) + (x22 * u + x23 * v))
            slope[to + 3, j] = (t3 + z) + ((x30 * p + x31 * q) + (x32 * u + x33 * v))
    else:
        for j in range(column_term.size):
            p, q = columns[k, j], columns[k + 1, j]
            u, v = columns[k + 2, j], columns[k + 3, j]
            slope[to, j] += (x00 * p + x01 * q) + (x02 * u + x03 * v)
            slope[to + 1, j] += (x10 * p + x11 * q) + (x12 * u + x13 * v)
            slope[to + 2, j] += (x20 * p + x21 * q) + (x22 * u + x23 * v)
            slope[to + 3, j] += (x30 * p + x31 * q) + (x32 * u + x33 * v)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def complete(
    slope: Floats, low: int, high: int, is_dense: bool, term: Floats, column_term: Floats,
    factors: Floats, columns: Floats,
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
                _slope_tile(slope, r - low, r, term, column_term, factors, k, columns)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def silence(slope: Floats, probes: Floats) -> bool:
    """Set slopes of rows to zero whose probe is not finite; whether there are any."""
    found = False
    for r in range(probes.size):
        if not np.isfinite(probes[r]):
            found = True
            for j in range(slope.shape[1]):
                slope[r, j] = 0
    return found


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def mark(
    first: Floats, others: Floats, weights: Floats, tails: NDArray[np.int64], clamped: bool,
    columns: Floats, term: Floats, factors: Floats, probes: Floats, live: NDArray[np.int32],
    slope: Floats,
) -> tuple[bool, np.floating]:  # fmt: skip
    """Find the factors of a strip of rows and form its products if most of them count.

    Args:
        first: see ``programming.program``; so for the following three.
        others: see above.
        weights: see above.
        tails: (n,) node of each row of the strip.
        clamped: see ``programming.program``.
        columns: (ranks, m) ``C`` of (3), at least one rank.
        term: (n + 4,) filled with ``r``, or left at zero if clamped.
        factors: (n + 4, ranks) filled with ``R``; if clamped and sparse, only of live rows.
        probes: (n,) filled with a sum that is not finite if a voltage is not.
        live: (n,) filled with the number of factors that are not zero.
        slope: (n + 4, m) its first n rows are overwritten by the products if dense.

    Returns:
        Whether the strip is dense, and the sum of the probes.
    """
    n, ranks = tails.size, columns.shape[0]
    if clamped:
        _mark_lines(first, tails[0], factors, probes, live)
    else:
        _row_factors(first, others, weights, tails, term, factors)
        _mark_nodes(term, factors, probes, live)
    nonzero, probe = 0, term.dtype.type(0)
    for r in range(n):
        nonzero += live[r]
        probe += probes[r]
    is_dense = columns.shape[1] < NARROW or (ranks > 4 and nonzero > _DENSE * n * ranks)
    if is_dense:
        for r in range(n):
            if live[r] == 0:
                for k in range(ranks):
                    factors[r, k] = 0
        dot(factors[:n], columns, slope[:n])
    return is_dense, probe
