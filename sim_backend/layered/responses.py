"""Compiled neuron responses: equation (1) of ``neurons``, solved for a whole layer.

Compiled by numba on first use and cached; importing this module costs the numba import,
so it is imported only once a circuit is built.

Everything that a kernel calls is inlined by force.  A function that is compiled on its own as
well may end up with its sums in another order than its copy inside the kernel, and numba runs
the one in the process that compiles and the other in those that find the kernel in the cache:
a first run would then differ from all later ones in the last bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered import shockley

__all__ = ["FAST", "SHOCKLEY", "WINDOW", "Floats", "respond", "respond_batch"]

Floats = NDArray[np.floating]

WINDOW = 0
"""Linear nodes and ideal diodes: a voltage window, infinite where nothing conducts."""
SHOCKLEY = 1
"""Antiparallel Shockley diodes with series sources."""

# Reassociation lets LLVM vectorise sums; NaN and infinity keep their meaning, because
# unbounded windows are infinite.
FAST = {"contract", "reassoc", "nsz", "arcp"}


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _window(
    push: Floats, total: Floats, lower: Floats, upper: Floats, volts: Floats, slope: Floats
) -> None:
    for j in range(push.size):
        free = push[j] / total[j]
        # In this order NaN passes, so that a failed example cannot look settled.
        held = lower[j] if free < lower[j] else upper[j] if free > upper[j] else free
        volts[j] = held
        slope[j] = 1.0 / total[j] if held == free else 0.0


@njit(cache=True, forceinline=True, error_model="numpy")
def respond(
    kind: int, push: Floats, total: Floats, neuron: Floats, volts: Floats, slope: Floats
) -> None:
    """Fill ``volts`` and ``slope = dv/dpush`` for one layer of one example.

    ``push`` (n,) amps into the node at 0 V, ``total`` (n,) siemens, ``neuron`` (4, n) its
    lower, upper, saturation and thermal parameters; see ``neurons``.
    """
    if kind == WINDOW:
        _window(push, total, neuron[0], neuron[1], volts, slope)
    else:
        shockley.rest(push, total, neuron, volts, slope)


@njit(cache=True, error_model="numpy", parallel=True)
def respond_batch(
    kind: int,
    injected: Floats,
    upstream: Floats,
    downstream: Floats,
    backward: Floats,
    total: Floats,
    neuron: Floats,
    volts: Floats,
) -> None:
    """Fill ``volts`` (batch, n) with the response to all currents; see :func:`respond`.

    ``injected``, ``upstream`` and ``downstream`` are (batch, n) amps from sourced lines, the
    layer before and the layer after, the latter two (0, 0) where there is no such layer;
    ``backward`` (n,) multiplies ``downstream``.
    """
    for s in prange(injected.shape[0]):
        push = np.empty(injected.shape[1], injected.dtype)
        slope = np.empty(injected.shape[1], injected.dtype)
        for j in range(push.size):
            push[j] = injected[s, j]
        if upstream.size:
            for j in range(push.size):
                push[j] += upstream[s, j]
        if downstream.size:
            for j in range(push.size):
                push[j] += backward[j] * downstream[s, j]
        respond(kind, push, total, neuron, volts[s], slope)
