r"""Newton's method on the ports of a circuit, compiled, one example after the other.

With the linear part reduced to the nodes where nonlinear branches end (``ports``) what is left is
:math:`S x + N\, i(N^T x + v_0) = c` with a full matrix S of moderate size.  Every step adds the
slopes of the branches to S and factorises: symmetric matrices as :math:`L D L^T` without pivots,
others as LU with row pivots.  A step is found from what is left over at the present point, not
from the right-hand side, so that rounding in the factors only costs a further step.

An ideal diode between a port and a held node makes the port's voltage known while it
conducts: its equation is replaced by that voltage, and what is left over there is its current.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.nodal.dense_solve import factorise, substitute
from sim_backend.nodal.junction_law import evaluate, limit
from sim_backend.nodal.port_kernels import PortArrays, drop, fill, leave, pin, take

__all__ = ["Batch", "iterate_dense"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SWEEPS = 16
"""Most sweeps over the ports in a guess."""

_FREE_SWEEPS = 5
"""Sweeps in which voltages may move as they like: diodes are still on their way."""

_SHRINKING = 0.4
"""Newton's method takes over once a sweep does not shrink the moves to this share."""

_CLOSE_VOLTS = 3e-9
"""A move after which a step or two of Newton's method are the last."""

_LOST_VOLTS = 0.5
"""Larger moves in the last sweep mean that the guess is none."""


class Batch(NamedTuple):
    """State of an iteration; all but the first two are changed by it.

    Attributes:
        right: (batch, n) c.
        offset: (batch, n_junctions + n_ideal) voltages of branches at ``x = 0``.
        x: (batch, n).
        bias: (batch, n_junctions + n_ideal) voltages that tangents are taken at.
        on: (batch, n_ideal) ideal diodes that conduct.
        through: (batch, n_ideal) currents of the ideal diodes.
        moved: (batch, n + 1) the last step, and the largest move of a branch in it.
        settled: (batch,).
    """

    right: Floats
    offset: Floats
    x: Floats
    bias: Floats
    on: Bools
    through: Floats
    moved: Floats
    settled: Bools


def iterate_dense(
    system: PortArrays,
    laws: Floats,
    ideal_volts: Floats,
    batch: Batch,
    tolerance: Floats,
    steps: int,
    is_cold: bool,
    parts: int,
) -> None:
    """Iterate until each example has converged or failed.

    Args:
        system: the ports.
        laws: (4, n_junctions) saturation amps, thermal volts, critical volts, 1 if cubic.
        ideal_volts: (n_ideal,) at which ideal diodes conduct.
        batch: start and result.
        tolerance: absolute volts, and relative to the largest voltage.
        steps: most steps.
        is_cold: start from a guess.
        parts: how many parts the batch is cut into.
    """
    if parts == 1:
        _iterate(system, laws, ideal_volts, batch, tolerance, steps, is_cold, 0, len(batch.x))
    else:
        _iterate_parts(system, laws, ideal_volts, batch, tolerance, steps, is_cold, parts)


@njit(cache=True, error_model="numpy", parallel=True)
def _iterate_parts(
    system: PortArrays,
    laws: Floats,
    ideal_volts: Floats,
    batch: Batch,
    tolerance: Floats,
    steps: int,
    is_cold: bool,
    parts: int,
) -> None:
    size = len(batch.x)
    for part in prange(parts):
        _iterate(
            system, laws, ideal_volts, batch, tolerance, steps, is_cold,
            part * size // parts, (part + 1) * size // parts,
        )  # fmt: skip


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _iterate(
    system: PortArrays,
    laws: Floats,
    ideal_volts: Floats,
    batch: Batch,
    tolerance: Floats,
    steps: int,
    is_cold: bool,
    first: int,
    stop: int,
) -> None:
    n, m = batch.x.shape[1], system.ends.shape[1]
    work, step, order = np.empty((n, n + 1)), np.empty(n), np.empty(n, np.int64)
    siemens, on_volts = np.empty(m), np.empty(ideal_volts.size)
    has_guess = is_cold and system.first[n] > system.first[0]
    for p in range(n):
        has_guess &= system.columns[p, p] > 0.0
    for b in range(first, stop):
        for d in range(ideal_volts.size):
            on_volts[d] = ideal_volts[d] - batch.offset[b, m + d]
        if has_guess:
            _guess(system, laws, batch, b, step)
        for _ in range(steps):
            leave(system, batch.right[b], batch.x[b], step)
            _tangents(system, laws, batch, b, siemens, step)
            fill(system, siemens, step, work)
            if not pin(system, on_volts, batch.x[b], batch.on[b], work):
                break
            if not factorise(work, order, system.is_symmetric):
                break
            substitute(work, step)
            if _advance(system, laws, on_volts, batch, b, tolerance, step, siemens):
                batch.settled[b] = True
                break


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _guess(system: PortArrays, laws: Floats, batch: Batch, b: int, left: Floats) -> None:
    """Settle port after port, the others as they are, while that comes closer fast.

    A sweep over all ports costs a third of a step of Newton's method or less, and where diodes hold
    many of them a few sweeps do what half of the steps would.
    """
    x = batch.x[b]
    for i in range(x.size):
        left[i] = batch.right[b, i]
    before = largest = np.inf
    for sweep in range(_SWEEPS):
        largest = 0.0
        for p in range(x.size):
            own = system.columns[p, p]
            move = _settle_port(system, laws, batch, b, p, left[p] + own * x[p])
            # A comparison that is false of what is not a number.
            largest = max(largest, abs(move)) if abs(move) < np.inf else np.inf
            x[p] += move
            column = system.columns[p]
            for i in range(x.size):
                left[i] -= move * column[i]
        if largest < _CLOSE_VOLTS:
            return
        if not largest < np.inf:
            break
        if sweep >= _FREE_SWEEPS and not largest < _SHRINKING * before:
            break
        before = largest
    if not largest < _LOST_VOLTS:
        for p in range(x.size):
            x[p] = 0.0
        for k in range(batch.bias.shape[1]):
            batch.bias[b, k] = 0.0


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _settle_port(
    system: PortArrays, laws: Floats, batch: Batch, b: int, p: int, amps: float
) -> float:
    """A step of one port's voltage, into which ``amps`` flow at 0 V, with the others held."""
    bias, offset, ends = batch.bias[b], batch.offset[b], system.ends
    siemens = float(system.columns[p, p])
    for a in range(system.first[p], system.first[p + 1]):
        k = system.alone[a]
        through, slope = evaluate(bias[k], laws[0, k], laws[1, k], laws[3, k] > 0.0)
        through += slope * (offset[k] - bias[k])
        amps -= through if ends[0, k] == p else -through
        siemens += slope
    volts = amps / siemens
    for a in range(system.first[p], system.first[p + 1]):
        k = system.alone[a]
        across = offset[k] + (volts if ends[0, k] == p else -volts)
        bias[k] = limit(across, bias[k], laws[1, k], laws[2, k])
    return float(volts - batch.x[b, p])


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _tangents(
    system: PortArrays, laws: Floats, batch: Batch, b: int, siemens: Floats, left: Floats
) -> None:
    """Slopes of the junctions; takes their currents by tangents at ``bias`` out of ``left``."""
    x, bias, offset, ends = batch.x[b], batch.bias[b], batch.offset[b], system.ends
    for k in range(siemens.size):
        amps, slope = evaluate(bias[k], laws[0, k], laws[1, k], laws[3, k] > 0.0)
        siemens[k] = slope
        take(ends, k, amps + slope * (offset[k] + drop(ends, k, x) - bias[k]), left)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _advance(
    system: PortArrays,
    laws: Floats,
    on_volts: Floats,
    batch: Batch,
    b: int,
    tolerance: Floats,
    step: Floats,
    siemens: Floats,
) -> bool:
    """Take the step; whether it was the last one needed."""
    x, moved = batch.x[b], batch.moved[b]
    n, most, largest = x.size, 0.0, 0.0
    for i in range(n):
        x[i] += step[i]
        moved[i] = step[i]
        most, largest = max(most, abs(step[i])), max(largest, abs(x[i]))
    stable = _switch(system, laws, on_volts, batch, b, step, siemens)
    moved[n] = 0.0
    for k in range(siemens.size):
        across = batch.offset[b, k] + drop(system.ends, k, x)
        moved[n] = max(moved[n], abs(across - batch.bias[b, k]))
        limited = limit(across, batch.bias[b, k], laws[1, k], laws[2, k])
        stable &= limited == across
        batch.bias[b, k] = limited
    if not np.isfinite(most + largest + moved[n]):
        return False
    return stable and max(most, moved[n]) <= tolerance[0] + tolerance[1] * largest


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _switch(
    system: PortArrays,
    laws: Floats,
    on_volts: Floats,
    batch: Batch,
    b: int,
    left: Floats,
    siemens: Floats,
) -> bool:
    """Open and close ideal diodes; whether none changed."""
    x, on, through, ideal = batch.x[b], batch.on[b], batch.through[b], system.ideal
    unchanged, conducts = True, False
    for d in range(on_volts.size):
        conducts |= on[d]
    if conducts:
        leave(system, batch.right[b], x, left)
        _tangents(system, laws, batch, b, siemens, left)
    for d in range(on_volts.size):
        p, sign = ideal[0, d], ideal[1, d]
        through[d] = sign * left[p] if on[d] else 0.0
        now = through[d] > 0.0 if on[d] else sign * x[p] > on_volts[d]
        unchanged &= now == on[d]
        on[d] = now
        batch.bias[b, siemens.size + d] = sign * x[p] + batch.offset[b, siemens.size + d]
    return unchanged
