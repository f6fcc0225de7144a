r"""Operating points of a circuit reduced to its ports, in compiled code.

Unknown are the voltages of the ports, the currents of vertical branches (see
``circuit_world_laws``) and what amplifiers deliver.  Ports that a vertical branch ties to ground
are known.  Newton's method on the junctions is at the same time an active-set iteration on the
states of the others: a source beyond its limit turns into the other kind, one that its limit does
not bind any more turns back.  It ends where every branch satisfies its law exactly, or gives up;
``circuit_world_relaxing`` then finds the states to begin with.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.emulated.circuit_world_laws import is_vertical, level, next_state
from drivers.emulated.circuit_world_stamps import (
    Amplifiers,
    Branches,
    Ports,
    State,
    add,
    amplified,
    between,
    linear_amps,
    put,
    stamp_amplifiers,
    stamp_ports,
    stamp_siemens,
)
from sim_backend.nodal.dense_solve import factorise, substitute
from sim_backend.nodal.junction_law import evaluate, limit

__all__ = ["settle"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CLOSE_VOLTS = 1e-10
"""Relative to 1 V and to the largest voltage: after a step that small Newton has converged."""
_BENT_VOLTS = 1e-7
"""So far a junction may be from its tangent's place: over thermal voltages the error is 1e-13 V."""
_STEADY_STEPS, _SWAYING_VOLTS = 8, 1e-6
"""So many steps without a change of state, and what moves still is moved by rounding."""
_ROUNDING = 2e-14
"""Share of the currents that meet at a port which their sum may be off."""
_LOOP_OHMS = 1e-9
"""In loops of ideal sources, whose currents nothing else would determine."""


@njit(cache=True, error_model="numpy")
def _pin(branches: Branches, state: State, pinned: Ints, row: Ints) -> int:
    """Ports that are known, and branches whose current is an unknown of its own."""
    pinned[:], row[:] = -1, -1
    n = 0
    for k in range(row.size):
        if not is_vertical(branches.kind[k], state.states[k]):
            continue
        tail, head = branches.tail[k], branches.head[k]
        volts = level(branches.kind[k], state.states[k], branches.a[k], branches.b[k])
        bare = branches.kind[k] != 0 or branches.c[k] == 0.0
        if bare and head < 0 and tail >= 0 and pinned[tail] < 0:
            pinned[tail], state.volts[tail] = k, volts
        elif bare and tail < 0 and head >= 0 and pinned[head] < 0:
            pinned[head], state.volts[head] = k, -volts
        else:
            row[k] = n
            n += 1
    return n


@njit(cache=True, error_model="numpy")
def _tangent(branches: Branches, state: State, k: int, u: float) -> tuple[float, float]:
    """Current of a branch that is not pinned, and its slope."""
    kind = branches.kind[k]
    if kind == 2 or kind == 3:
        bias = state.bias[k]
        amps, siemens = evaluate(bias, branches.a[k], branches.b[k], kind == 3)
        return amps + siemens * (u - bias), siemens
    if is_vertical(kind, state.states[k]):
        return state.amps[k], 0.0
    if kind == 0:
        return -state.states[k] * branches.b[k], 0.0
    return (-branches.a[k], 0.0) if kind == 1 else (0.0, 0.0)


@njit(cache=True, error_model="numpy")
def _step(
    ports: Ports,
    branches: Branches,
    amplifiers: Amplifiers,
    state: State,
    pinned: Ints,
    row: Ints,
    may_rest: bool,
) -> int:
    """One step of Newton's method at the present states.

    Returns:
        0 if the matrix is singular, 2 if there was nothing to do because currents balance to
        rounding and the state ``may_rest``, else 1.
    """
    p, n_rows, n_amps = state.volts.size, _pin(branches, state, pinned, row), amplifiers.near.size
    place, n = np.full(p, -1, np.int64), 0
    for q in range(p):
        if pinned[q] < 0:
            place[q] = n
            n += 1
    size = n + n_rows + n_amps
    a, left, sizes = np.zeros((size, size + 1)), np.zeros(p), np.zeros(p)
    balanced = True
    linear_amps(ports, state.volts, place, left, sizes)
    amplified(amplifiers, state.delivered, left)
    stamp_ports(ports, place, a)
    for k in range(row.size):
        tail, head = branches.tail[k], branches.head[k]
        u = between(tail, head, state.volts)
        at_tail = place[tail] if tail >= 0 else -1
        at_head = place[head] if head >= 0 else -1
        pins = is_vertical(branches.kind[k], state.states[k]) and row[k] < 0
        if pins:
            continue
        amps, siemens = _tangent(branches, state, k, u)
        add(tail, amps, left)
        add(head, -amps, left)
        add(tail, abs(amps), sizes)
        add(head, abs(amps), sizes)
        if row[k] >= 0:
            i = n + row[k]
            ohms = max(branches.c[k], _LOOP_OHMS) if branches.kind[k] == 0 else _LOOP_OHMS
            volts = level(branches.kind[k], state.states[k], branches.a[k], branches.b[k])
            put(a, i, at_tail, 1.0)
            put(a, i, at_head, -1.0)
            put(a, at_tail, i, 1.0)
            put(a, at_head, i, -1.0)
            a[i, i] -= ohms
            wrong = u - ohms * state.amps[k] - volts
            a[i, size] = -wrong
            balanced = balanced and abs(wrong) <= _ROUNDING * (1.0 + abs(volts))
        elif siemens != 0.0:
            stamp_siemens(a, at_tail, at_head, siemens)
    stamp_amplifiers(amplifiers, state.volts, place, n + n_rows, a)
    for i in range(n_amps):
        balanced = balanced and abs(a[n + n_rows + i, size]) <= _ROUNDING
    for q in range(p):
        if place[q] >= 0:
            a[place[q], size] = -left[q]
            balanced = balanced and abs(left[q]) <= _ROUNDING * sizes[q]
    if may_rest and balanced:
        return 2
    x = np.empty(size)
    if size:
        if not factorise(a, np.empty(size, np.int64), False):
            return 0
        substitute(a, x)
    for q in range(p):
        if place[q] >= 0:
            state.volts[q] += x[place[q]]
    for k in range(row.size):
        if row[k] >= 0:
            state.amps[k] += x[n + row[k]]
    for i in range(n_amps):
        state.delivered[i] += x[n + n_rows + i]
    return 1


@njit(cache=True, error_model="numpy")
def _currents(
    ports: Ports, branches: Branches, amplifiers: Amplifiers, state: State, pinned: Ints, row: Ints
) -> None:
    """Currents of all branches; those of pinning ones by Kirchhoff's law at their ports."""
    left, sizes = np.zeros(state.volts.size), np.zeros(state.volts.size)
    linear_amps(ports, state.volts, pinned, left, sizes)
    amplified(amplifiers, state.delivered, left)
    for k in range(row.size):
        tail, head = branches.tail[k], branches.head[k]
        if is_vertical(branches.kind[k], state.states[k]) and row[k] < 0:
            continue
        amps, _ = _tangent(branches, state, k, between(tail, head, state.volts))
        state.amps[k] = amps
        add(tail, amps, left)
        add(head, -amps, left)
    for q in range(state.volts.size):
        k = pinned[q]
        if k >= 0:
            state.amps[k] = -left[q] if branches.tail[k] == q else left[q]


@njit(cache=True, error_model="numpy")
def _update(branches: Branches, state: State) -> tuple[bool, float]:
    """New states and biases: whether all stayed, and the largest move of a bias."""
    same, moved = True, 0.0
    for k in range(state.states.size):
        kind = branches.kind[k]
        u = between(branches.tail[k], branches.head[k], state.volts)
        if kind == 2 or kind == 3:
            bias = limit(u, state.bias[k], branches.b[k], branches.c[k])
            same = same and bias == u
            moved = max(moved, abs(bias - state.bias[k]))
            state.bias[k] = bias
            continue
        new = next_state(
            kind, state.states[k], branches.a[k], branches.b[k], branches.c[k], u, state.amps[k]
        )
        if new != state.states[k]:
            state.states[k], same = new, False
            state.amps[k] = 0.0
    return same, moved


@njit(cache=True, error_model="numpy")
def settle(
    ports: Ports, branches: Branches, amplifiers: Amplifiers, state: State, steps: int
) -> int:
    """Solve exactly from the state given, which is overwritten.

    Returns:
        Steps taken; 0 if it has not converged within ``steps``.
    """
    pinned = np.empty(state.volts.size, np.int64)
    row = np.empty(state.states.size, np.int64)
    may_rest, n_same = False, 0
    for step in range(1, steps + 1):
        before = state.volts.copy()
        done = _step(ports, branches, amplifiers, state, pinned, row, may_rest)
        if done == 0:
            return 0
        if done == 2:
            return step
        _currents(ports, branches, amplifiers, state, pinned, row)
        same, moved = _update(branches, state)
        largest, bent = 0.0, moved
        for q in range(before.size):
            largest = max(largest, abs(state.volts[q]))
            moved = max(moved, abs(state.volts[q] - before[q]))
        if not np.isfinite(moved):
            return 0
        if same and moved <= _CLOSE_VOLTS * (1.0 + largest):
            return step
        # Where hardly anything ties a part of the circuit to ground, rounding moves all of it.
        may_rest = same and bent <= _BENT_VOLTS
        n_same = n_same + 1 if same else 0
        if n_same >= _STEADY_STEPS and moved <= _SWAYING_VOLTS:
            return step
    return 0
