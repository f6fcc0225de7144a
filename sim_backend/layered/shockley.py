r"""Rest voltages of nodes with antiparallel Shockley diodes, many at a time.

With the voltage ``u`` measured from the middle of the window in the direction in which the node
is pushed, equation (1) of ``neurons`` reads

.. math::  p = D u + I_s (e^{u/t - s} - e^{-u/t - s}),   \qquad p, u \ge 0,\ s = h/t,

``h`` being half the window and ``t`` the thermal voltage.  The right side is convex, so Newton's
method from an upper bound falls monotonically to the root, quadratically at last: after a step
``d`` the error is below ``d^2 / 2t``.  All nodes of a layer take their steps together, which lets
the compiler use vector instructions; for that the exponential is written out.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["rest"]

Floats = NDArray[np.floating]

_MAX_NEWTON = 80

_SMALL_STEP = 1e-8
"""In thermal voltages; what is left after such a step is below rounding."""

_LOG2_E = math.log2(math.e)
# ln 2 in two parts: the product of the first with a small integer is exact.
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_LN2 = math.log(2.0)
_MOST_ABOVE = 0.0862
"""log2(m) is below ``m - 1 +`` this for m in [1, 2]."""

_MANTISSA = (1 << 52) - 1
_ONE = 1023 << 52
"""Bits of 1.0."""

_C2, _C3, _C4, _C5 = (1.0 / math.factorial(k) for k in (2, 3, 4, 5))
_C6, _C7, _C8, _C9 = (1.0 / math.factorial(k) for k in (6, 7, 8, 9))
_C10, _C11, _C12, _C13 = (1.0 / math.factorial(k) for k in (10, 11, 12, 13))


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _exp_in_place(x: Floats, bits: NDArray[np.int64]) -> None:
    """Exponentials of ``x`` to two units in the last place; what underflows is about 1e-308.

    ``bits`` is for work and of the same size.  NaN stays NaN.
    """
    for j in range(x.size):
        # In this order NaN passes.
        a = -708.0 if x[j] < -708.0 else x[j]
        a = 709.0 if a > 709.0 else a
        k = np.floor(a * _LOG2_E + 0.5)
        r = (a - k * _LN2_HIGH) - k * _LN2_LOW
        p = _C12 + r * _C13
        p = _C10 + r * _C11 + (r * r) * p
        p = _C8 + r * _C9 + (r * r) * p
        p = _C6 + r * _C7 + (r * r) * p
        p = _C4 + r * _C5 + (r * r) * p
        p = _C2 + r * _C3 + (r * r) * p
        x[j] = 1.0 + (r + (r * r) * p)
        bits[j] = (np.int64(k) + 1023) << 52
    powers = bits.view(np.float64)
    for j in range(x.size):
        x[j] *= powers[j]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _log1p_bound_in_place(x: Floats, mantissas: Floats) -> None:
    """Upper bounds of ``log(1 + x)``, at most 0.06 too large, for ``x >= 0``."""
    bits = x.view(np.int64)
    whole = mantissas.view(np.int64)
    for j in range(x.size):
        x[j] += 1.0
    for j in range(x.size):
        whole[j] = (bits[j] & _MANTISSA) | _ONE
    for j in range(x.size):
        exponent = float((bits[j] >> 52) - 1023)
        x[j] = _LN2 * (exponent + (mantissas[j] - 1.0) + _MOST_ABOVE)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _start(
    push: Floats, total: Floats, neuron: Floats, p: Floats, u: Floats, ratio: Floats, work: Floats
) -> None:
    """Fill ``p`` and an upper bound of the root in ``u``; ``ratio`` and ``work`` are overwritten.

    Where the resistor takes all current the root is below ``p / D``, where the diode does, below
    ``h + t log(1 + p / I_s)``, and with what is left to it at the window's edge,
    ``h + t log(2 + (p - D h) / I_s)``.
    """
    for j in range(push.size):
        middle = 0.5 * (neuron[0, j] + neuron[1, j])
        p[j] = abs(float(push[j]) - total[j] * middle)
        half = 0.5 * (float(neuron[1, j]) - neuron[0, j])
        rest = p[j] - total[j] * half
        left = 1.0 + rest / neuron[2, j] if rest > 0.0 else p[j] / neuron[2, j]
        ratio[j] = left if left < p[j] / neuron[2, j] else p[j] / neuron[2, j]
    _log1p_bound_in_place(ratio, work)
    for j in range(push.size):
        half = 0.5 * (float(neuron[1, j]) - neuron[0, j])
        bound = half + neuron[3, j] * ratio[j]
        u[j] = bound if bound < p[j] / total[j] else p[j] / total[j]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def rest(push: Floats, total: Floats, neuron: Floats, volts: Floats, slope: Floats) -> None:
    """Fill ``volts`` and ``slope = dv/dpush``; see ``responses.respond``.  Works in float64."""
    n = push.size
    p, u, edge, steepness = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    both, bits = np.empty(2 * n), np.empty(2 * n, np.int64)
    _start(push, total, neuron, p, u, edge, steepness)
    for j in range(n):
        steepness[j] = 1.0 / neuron[3, j]
        edge[j] = 0.5 * (float(neuron[1, j]) - neuron[0, j]) * steepness[j]
    for _ in range(_MAX_NEWTON):
        for j in range(n):
            x = u[j] * steepness[j]
            both[j], both[n + j] = x - edge[j], -x - edge[j]
        _exp_in_place(both, bits)
        moving = 0
        for j in range(n):
            up, down = neuron[2, j] * both[j], neuron[2, j] * both[n + j]
            resistance = 1.0 / (total[j] + (up + down) * steepness[j])
            step = (total[j] * u[j] + up - down - p[j]) * resistance
            u[j] -= step
            moving += abs(step) * steepness[j] > _SMALL_STEP
            slope[j] = resistance
        if moving == 0:
            break
    for j in range(n):
        middle = 0.5 * (float(neuron[0, j]) + neuron[1, j])
        is_up = push[j] >= total[j] * middle
        volts[j] = middle + u[j] if is_up else middle - u[j]
