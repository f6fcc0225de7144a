r"""Operating points by descent, for circuits whose sources fight each other.

With a small resistance in series with everything vertical (see ``circuit_world_laws``) each law
is a continuous, monotone function, the operating point is the minimum of a convex co-content, and
Newton's method with an exact line search descends to it; a piecewise quadratic function has
finitely many pieces.  What comes out is where ``circuit_world_kernels.settle`` begins.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.emulated.circuit_world_laws import regular
from drivers.emulated.circuit_world_stamps import (
    Amplifiers,
    Branches,
    Ports,
    State,
    add,
    amplified,
    between,
    linear_amps,
    stamp_amplifiers,
    stamp_ports,
    stamp_siemens,
)
from sim_backend.nodal.dense_solve import factorise, substitute

__all__ = ["relax"]

Floats = NDArray[np.float64]

_CLOSE_VOLTS = 1e-9
"""Relative to 1 V and to the largest voltage."""
_ROUNDING = 2e-14
"""Share of the currents that meet at a port which their sum may be off."""
_ENOUGH = 0.5
"""Share of the slope along a step below which its whole length is taken."""
_BISECTIONS = 60


@njit(cache=True, error_model="numpy")
def _port(port: int, volts: Floats) -> float:
    return abs(volts[port]) if port >= 0 else 0.0


@njit(cache=True, error_model="numpy")
def _slope(
    branches: Branches, weight: Floats, volts: Floats, way: Floats, t: float, ohms: float
) -> float:
    """Nonlinear branches' part of the slope of the co-content at ``volts + t way``."""
    total = 0.0
    for k in range(branches.kind.size):
        tail, head = branches.tail[k], branches.head[k]
        du = between(tail, head, way)
        if du != 0.0:
            u = between(tail, head, volts) + t * du
            a, b, c = branches.a[k], branches.b[k], branches.c[k]
            amps, _, _ = regular(branches.kind[k], a, b, c, u, ohms)
            # Weights differ where a branch ends at a net that a source holds.
            if tail >= 0:
                total += weight[tail] * way[tail] * amps
            if head >= 0:
                total -= weight[head] * way[head] * amps
    return total


@njit(cache=True, error_model="numpy")
def _search(
    branches: Branches, weight: Floats, volts: Floats, way: Floats, line: tuple[float, float],
    ohms: float,
) -> float:  # fmt: skip
    """Length of a step: all of it, or where the slope along it is zero.

    Args:
        branches: of the circuit.
        weight: of the ports.
        volts: where to start.
        way: the step.
        line: slope of the linear part at the start, and its rise over the whole step.
        ohms: see :func:`relax`.
    """
    start = line[0] + _slope(branches, weight, volts, way, 0.0, ohms)
    end = line[0] + line[1] + _slope(branches, weight, volts, way, 1.0, ohms)
    if not start < 0.0 or end <= -_ENOUGH * start:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        # Exponentials make steps far too long: first by orders of magnitude.
        t = 0.5 * (low + high) if low > 0.0 else high * 1e-2
        slope = line[0] + t * line[1] + _slope(branches, weight, volts, way, t, ohms)
        if abs(slope) <= -0.1 * start:
            return t
        if slope > 0.0:
            high = t
        else:
            low = t
    return max(low, high * 1e-2)


@njit(cache=True, error_model="numpy")
def relax(
    ports: Ports, branches: Branches, amplifiers: Amplifiers, state: State, ohms: float, steps: int
) -> bool:
    """Solve with ``ohms`` in series with all that is vertical; the state is overwritten.

    Args:
        ports: conductances.
        branches: everything nonlinear.
        amplifiers: all.
        state: only written.
        ohms: larger than 0.
        steps: most steps.

    Returns:
        Whether it has converged.
    """
    p, n_amps = state.volts.size, amplifiers.near.size
    size = p + n_amps
    place = np.arange(p)
    volts, delivered, left = np.zeros(p), np.zeros(n_amps), np.zeros(p)
    rise, sizes, converged = np.zeros(p), np.zeros(p), False
    order = np.empty(size, np.int64)
    for _ in range(steps):
        a, x = np.zeros((size, size + 1)), np.empty(size)
        linear_amps(ports, volts, place, left, sizes)
        amplified(amplifiers, delivered, left)
        stamp_ports(ports, place, a)
        stamp_amplifiers(amplifiers, volts, place, p, a)
        sums = left.copy()
        for k in range(branches.kind.size):
            tail, head = branches.tail[k], branches.head[k]
            u = between(tail, head, volts)
            amps, siemens, _ = regular(
                branches.kind[k], branches.a[k], branches.b[k], branches.c[k], u, ohms
            )
            add(tail, amps, sums)
            add(head, -amps, sums)
            # A drop is as exact as its voltages, and so much worse is a current by a slope.
            rounding = abs(amps) + siemens * (_port(tail, volts) + _port(head, volts))
            add(tail, rounding, sizes)
            add(head, rounding, sizes)
            stamp_siemens(a, tail, head, siemens)
        balanced = True
        for q in range(p):
            a[q, size] = -sums[q]
            balanced = balanced and abs(sums[q]) <= _ROUNDING * sizes[q]
        if balanced:
            converged = True
            break
        if size and not factorise(a, order, False):
            return False
        substitute(a, x)
        way = x[:p].copy()
        linear_amps(ports, way, place, rise, sizes)
        amplified(amplifiers, x[p:], rise)
        line = (np.sum(ports.weight * way * left), np.sum(ports.weight * way * rise))
        t = _search(branches, ports.weight, volts, way, line, ohms)
        if not np.isfinite(way).all():
            return False
        volts += t * way
        delivered += t * x[p:]
        moved, largest = 0.0, 0.0
        for q in range(p):
            moved, largest = max(moved, abs(way[q])), max(largest, abs(volts[q]))
        if moved <= _CLOSE_VOLTS * (1.0 + largest):
            converged = True
            break
    state.volts[:], state.delivered[:] = volts, delivered
    for k in range(branches.kind.size):
        u = between(branches.tail[k], branches.head[k], volts)
        amps, _, mode = regular(
            branches.kind[k], branches.a[k], branches.b[k], branches.c[k], u, ohms
        )
        state.amps[k], state.states[k], state.bias[k] = amps, mode, u
    return converged
