"""What a circuit is at its ports, and how its parts enter equations, in compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "Amplifiers",
    "Branches",
    "Ports",
    "State",
    "add",
    "amplified",
    "between",
    "copied",
    "eliminate",
    "linear_amps",
    "put",
    "stamp_amplifiers",
    "stamp_ports",
    "stamp_siemens",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Ports(NamedTuple):
    """Conductances between ports.

    Attributes:
        siemens: (p, p) symmetric, between two ports; the diagonal is 0.
        ground_siemens: (p,) to ground.
        weight: (p,) of each port in the co-content, which differ where amplifiers lie between.
    """

    siemens: Floats
    ground_siemens: Floats
    weight: Floats


class Branches(NamedTuple):
    """(n,) each; see ``circuit_world_laws``. Ends are ports, -1 for ground."""

    kind: Ints
    tail: Ints
    head: Ints
    a: Floats
    b: Floats
    c: Floats


class Amplifiers(NamedTuple):
    """(n,) each; see :class:`sim_backend.nodal.elements.Amplifier`. -1 for ground."""

    near: Ints
    far: Ints
    forward_gain: Floats
    backward_gain: Floats


class State(NamedTuple):
    """Where to start, and then the solution.

    Attributes:
        volts: (p,) of ports.
        amps: (n_branches,) ``j`` of each branch.
        states: (n_branches,).
        bias: (n_branches,) voltages at which junctions are linearised.
        delivered: (n_amplifiers,) currents out of their far ends.
    """

    volts: Floats
    amps: Floats
    states: Ints
    bias: Floats
    delivered: Floats


def copied(state: State) -> State:
    """A state with arrays of its own."""
    return State(
        state.volts.copy(),
        state.amps.copy(),
        state.states.copy(),
        state.bias.copy(),
        state.delivered.copy(),
    )


@njit(cache=True, error_model="numpy")
def eliminate(siemens: Floats, ground_siemens: Floats, n: int) -> Floats:
    """Eliminate the first ``n`` nets of a network of conductances, star by star.

    Nothing is ever subtracted, so that conductances of 1e-14 S and 1e3 S may meet.

    Args:
        siemens: (m, m) symmetric with zero diagonal; overwritten, its last rows and columns are
            what is seen from the nets left.
        ground_siemens: (m,) likewise.
        n: how many; each has a conductance to something.

    Returns:
        (m, m - n) voltages of all nets per volt at each that is left.
    """
    m = len(siemens)
    share = np.zeros((n, m))
    for k in range(n):
        row = siemens[k]
        total = ground_siemens[k]
        for i in range(k + 1, m):
            total += row[i]
        for i in range(k + 1, m):
            share[k, i] = row[i] / total
        for i in range(k + 1, m):
            f = share[k, i]
            if f != 0.0:
                ground_siemens[i] += f * ground_siemens[k]
                for j in range(k + 1, m):
                    siemens[i, j] += f * row[j]
                siemens[i, i] = 0.0
    follow = np.zeros((m, m - n))
    for i in range(n, m):
        follow[i, i - n] = 1.0
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, m):
            f = share[k, i]
            if f != 0.0:
                for j in range(m - n):
                    follow[k, j] += f * follow[i, j]
    return follow


@njit(cache=True, error_model="numpy")
def add(row: int, value: float, to: Floats) -> None:
    """Add to an entry; -1 is none."""
    if row >= 0:
        to[row] += value


@njit(cache=True, error_model="numpy")
def between(tail: int, head: int, volts: Floats) -> float:
    """Voltage between two ports; -1 is ground."""
    u = 0.0
    if tail >= 0:
        u += volts[tail]
    if head >= 0:
        u -= volts[head]
    return u


@njit(cache=True, error_model="numpy")
def linear_amps(ports: Ports, volts: Floats, only: Ints, out: Floats, size: Floats) -> None:
    """Currents out of ports with ``only >= 0`` through conductances, and the sum of their sizes."""
    for p in range(volts.size):
        if only[p] >= 0:
            row, here = ports.siemens[p], volts[p]
            total = ports.ground_siemens[p] * here
            sizes = abs(total)
            for q in range(volts.size):
                amps = row[q] * (here - volts[q])
                total += amps
                sizes += abs(amps)
            out[p], size[p] = total, sizes


@njit(cache=True, error_model="numpy")
def amplified(amplifiers: Amplifiers, delivered: Floats, out: Floats) -> None:
    """Add what amplifiers take out of ports."""
    for i in range(delivered.size):
        add(amplifiers.far[i], -delivered[i], out)
        add(amplifiers.near[i], amplifiers.backward_gain[i] * delivered[i], out)


@njit(cache=True, error_model="numpy")
def put(a: Floats, row: int, column: int, value: float) -> None:
    """Add to an entry of a matrix; -1 is none."""
    if row >= 0 and column >= 0:
        a[row, column] += value


@njit(cache=True, error_model="numpy")
def stamp_ports(ports: Ports, place: Ints, a: Floats) -> None:
    """Enter conductances; ``place`` (p,) is the row of each port, -1 for one that is known."""
    n = place.size
    for p in range(n):
        if place[p] < 0:
            continue
        row, mine = ports.siemens[p], a[place[p]]
        total = ports.ground_siemens[p]
        for q in range(n):
            total += row[q]
            if place[q] >= 0:
                mine[place[q]] -= row[q]
        mine[place[p]] += total


@njit(cache=True, error_model="numpy")
def stamp_siemens(a: Floats, tail: int, head: int, siemens: float) -> None:
    """Enter one conductance between two rows."""
    put(a, tail, tail, siemens)
    put(a, head, head, siemens)
    put(a, tail, head, -siemens)
    put(a, head, tail, -siemens)


@njit(cache=True, error_model="numpy")
def stamp_amplifiers(
    amplifiers: Amplifiers, volts: Floats, place: Ints, first: int, a: Floats
) -> None:
    """Enter amplifiers, whose rows and columns begin at ``first``, and what they are off by."""
    right = a.shape[1] - 1
    for i in range(amplifiers.near.size):
        near, far, row = amplifiers.near[i], amplifiers.far[i], first + i
        at_near = place[near] if near >= 0 else -1
        at_far = place[far] if far >= 0 else -1
        put(a, row, at_far, 1.0)
        put(a, row, at_near, -amplifiers.forward_gain[i])
        put(a, at_far, row, -1.0)
        put(a, at_near, row, amplifiers.backward_gain[i])
        wrong = between(far, -1, volts) - amplifiers.forward_gain[i] * between(near, -1, volts)
        a[row, right] = -wrong
