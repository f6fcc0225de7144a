r"""Steady states of dense systems with a nonlinear neuron at every node, compiled.

Held against all others, node ``i`` rests at its response ``G_i(v)`` to the current that they push
into it (equation (1) of ``layered.neurons``).  A steady state is a fixed point of ``G``, and
Newton's method is applied to ``v - G(v) = 0``:

.. math::  \delta_i / G'_i + \sum_{j \ne i} M_{ij} \delta_j = (G_i(v) - v_i) / G'_i

with ``G'`` the response per current.  For Shockley pairs that takes tangents at ``G(v)``, where no
exponential can overflow; for ideal diodes ``G' = 0`` says that a node is held and leaves an
active-set method, which ends after finitely many steps at the exact solution.

A step is taken if it brings ``v`` closer to ``G(v)``.  If not, layer after layer is set to its
response instead: ``M`` has no positive entries off its diagonal, so that this contracts in the
norm ``max |v_i| / reach_i`` and gets there in any case.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import respond
from sim_backend.nodal.dense_solve import factorise, substitute
from sim_backend.wired.equations import Equations, NeuronArrays

__all__ = ["settle"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SUMS = {"contract", "reassoc", "nsz"}
"""Sums may be taken in any order, so that they are taken several terms at a time."""

_PARTS = 16
"""Parts that a batch is cut into; each allocates its scratch once."""

_SWEEPS = 2
"""Sweeps over the layers at the start and in place of a step that failed."""


@njit(cache=True, error_model="numpy", parallel=True)
def settle(
    equations: Equations,
    neurons: NeuronArrays,
    scale: Floats,
    is_symmetric: bool,
    push: Floats,
    tolerance: float,
    steps: int,
    volts: Floats,
    ok: Bools,
) -> None:
    """Settle a batch, example by example.

    Args:
        equations: of the network.
        neurons: at its nodes.
        scale: (n,) factors of the rows that make the matrix symmetric, if it is.
        is_symmetric: whether they do.
        push: (batch, n) amps into the nodes at 0 V.
        tolerance: distance of every node from its response, relative to the largest voltage that
            its layer would take without diodes.
        steps: most steps after the first sweeps.
        volts: (batch, n) start, overwritten.
        ok: (batch,) overwritten.
    """
    batch, n = push.shape
    parts = min(batch, _PARTS)
    for part in prange(parts):
        work, places, vectors = np.empty(n * (n + 1)), np.empty((2, n), np.int64), np.empty((5, n))
        for b in range(part * batch // parts, (part + 1) * batch // parts):
            ok[b] = _settle_one(
                equations, neurons, scale, is_symmetric, push[b], tolerance, steps, volts[b],
                work, places, vectors,
            )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _settle_one(
    equations: Equations,
    neurons: NeuronArrays,
    scale: Floats,
    is_symmetric: bool,
    push: Floats,
    tolerance: float,
    steps: int,
    x: Floats,
    work: Floats,
    places: NDArray[np.int64],
    vectors: Floats,
) -> bool:
    """Settle one example from ``x``; the last three arguments are scratch."""
    rest, slope, inflow = vectors[0], vectors[1], vectors[2]
    tried, step = vectors[3], vectors[4]
    order, free = places[0], places[1]
    starting = True
    away = np.inf
    for _ in range(steps + 1):
        closer = np.inf
        if not starting:
            if _is_settled(equations, neurons, x, inflow, rest, tolerance):
                return True
            if not away < np.inf:
                return False
            n_free = _system(equations, scale, x, rest, slope, free, work, step)
            if _solve(work, n_free, order, is_symmetric, step):
                _move(x, rest, free, n_free, step, tried)
                closer = _respond(equations, neurons, push, tried, inflow, rest, slope)
        if closer < away:
            for i in range(x.size):
                x[i] = tried[i]
        else:
            _sweep(equations, neurons, push, x, inflow, rest, slope)
            closer = _respond(equations, neurons, push, x, inflow, rest, slope)
        starting, away = False, closer
    return bool(_is_settled(equations, neurons, x, inflow, rest, tolerance))


@njit(cache=True, error_model="numpy", fastmath=_SUMS)
def _product(one: Floats, other: Floats) -> float:
    total = 0.0
    for i in range(one.size):
        total += one[i] * other[i]
    return total


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _respond_layer(
    equations: Equations,
    neurons: NeuronArrays,
    push: Floats,
    x: Floats,
    layer: int,
    inflow: Floats,
    rest: Floats,
    slope: Floats,
) -> None:
    """Fill a layer's part of ``inflow`` (at 0 V), ``rest`` (the response) and ``slope``."""
    low, high = neurons.edges[layer], neurons.edges[layer + 1]
    into, total = inflow[low:high], equations.total[low:high]
    for i in range(low, high):
        inflow[i] = push[i] - _product(equations.matrix[i], x) + equations.total[i] * x[i]
    own = neurons.parameters[4 * low : 4 * high].reshape(4, high - low)
    respond(neurons.kinds[layer], into, total, own, rest[low:high], slope[low:high])


@njit(cache=True, error_model="numpy")
def _sweep(
    equations: Equations,
    neurons: NeuronArrays,
    push: Floats,
    x: Floats,
    inflow: Floats,
    rest: Floats,
    slope: Floats,
) -> None:
    """Set layer after layer to its response, some times."""
    for turn in range(_SWEEPS * neurons.kinds.size):
        layer = turn % neurons.kinds.size
        _respond_layer(equations, neurons, push, x, layer, inflow, rest, slope)
        for i in range(neurons.edges[layer], neurons.edges[layer + 1]):
            x[i] = rest[i]


@njit(cache=True, error_model="numpy")
def _respond(
    equations: Equations,
    neurons: NeuronArrays,
    push: Floats,
    x: Floats,
    inflow: Floats,
    rest: Floats,
    slope: Floats,
) -> float:
    """Responses of all layers to ``x``; how far it is from them."""
    for layer in range(neurons.kinds.size):
        _respond_layer(equations, neurons, push, x, layer, inflow, rest, slope)
    away = 0.0
    for i in range(x.size):
        distance = abs(rest[i] - x[i]) / equations.reach[i]
        # A comparison that is false of what is not a number.
        away = max(away, distance) if distance < np.inf else np.inf
    return away


@njit(cache=True, error_model="numpy")
def _is_settled(
    equations: Equations,
    neurons: NeuronArrays,
    x: Floats,
    inflow: Floats,
    rest: Floats,
    tolerance: float,
) -> bool:
    for layer in range(neurons.kinds.size):
        largest = distance = 0.0
        for i in range(neurons.edges[layer], neurons.edges[layer + 1]):
            largest = max(largest, abs(inflow[i]) / equations.total[i])
            gap = abs(rest[i] - x[i])
            distance = max(distance, gap) if gap < np.inf else np.inf
        if not distance <= tolerance * largest:
            return False
    return True


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _system(
    equations: Equations,
    scale: Floats,
    x: Floats,
    rest: Floats,
    slope: Floats,
    free: NDArray[np.int64],
    work: Floats,
    held: Floats,
) -> int:
    """Fill matrix and right-hand side of the nodes that are not held; how many they are."""
    n_free = 0
    for i in range(x.size):
        held[i] = 0.0
        if slope[i] > 0.0:
            free[n_free] = i
            n_free += 1
        else:
            held[i] = rest[i] - x[i]
    a = work[: n_free * (n_free + 1)].reshape(n_free, n_free + 1)
    for p in range(n_free):
        i = free[p]
        line, row = equations.matrix[i], a[p]
        for q in range(n_free):
            row[q] = scale[i] * line[free[q]]
        row[p] = scale[i] / slope[i]
        row[n_free] = scale[i] * ((rest[i] - x[i]) / slope[i] - _product(line, held))
    return n_free


@njit(cache=True, error_model="numpy")
def _solve(
    work: Floats, n_free: int, order: NDArray[np.int64], is_symmetric: bool, step: Floats
) -> bool:
    a = work[: n_free * (n_free + 1)].reshape(n_free, n_free + 1)
    if not factorise(a, order, is_symmetric):
        return False
    substitute(a, step[:n_free])
    return True


@njit(cache=True, error_model="numpy")
def _move(
    x: Floats, rest: Floats, free: NDArray[np.int64], n_free: int, step: Floats, moved: Floats
) -> None:
    """Where the step leads: held nodes to where they are held."""
    for i in range(x.size):
        moved[i] = rest[i]
    for p in range(n_free):
        moved[free[p]] = x[free[p]] + step[p]
