r"""Rest voltages of nodes between two crossbars of curved devices.

A node at ``v`` is fed by the crossbar before it and drawn upon, through its amplifier, by the one
behind it, which it drives at ``u = A v + s``.  The current that would accumulate,

.. math::  R(v) = p + I(v) + B I'(A v + s) - i_{\mathrm{diode}}(v),

falls strictly with ``v``, so that there is exactly one rest voltage.  ``I`` and ``I'`` are the
functions of ``laws``; together they have four coefficients a node:

* cubic: ``R = c_0 + c_1 v + c_2 v^2 + c_3 v^3``;
* sinh: ``R = c_4 + c_0 cosh bv - c_1 sinh bv + c_2 cosh bAv - c_3 sinh bAv``.

Everything that a kernel calls is inlined by force, for the reason in ``layered.responses``.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.curved.laws import CUBIC, sinh_cosh
from sim_backend.layered.responses import FAST, WINDOW

__all__ = ["combine", "loss", "rest", "rest_batch"]

Floats = NDArray[np.floating]

_MOST_STEPS = 400
_STEPS_BEFORE_HALVING = 60

_SMALL_STEP = 1e-8
"""Relative to the voltage and to the length on which a law bends: what is left is its square."""

_LONGEST_STEP = 3.0
"""Of an exponential's argument."""

_EPS = float(np.finfo(np.float64).eps)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def combine(
    kind: int, parameter: float,
    fed: Floats, fed_total: Floats, drawn: Floats, drawn_total: Floats,
    amplifier: Floats, push: Floats, c: Floats,
) -> None:  # fmt: skip
    """Fill the coefficients ``c`` (5, n) of one layer of one example.

    Args:
        kind: see ``laws``.
        parameter: a or b.
        fed: (n_features, n) products with the crossbar before.
        fed_total: (n,) column sums of that crossbar.
        drawn: (n_features, n) products with the crossbar behind; (n_features, 0) for none.
        drawn_total: (n,) row sums of that one.
        amplifier: (3, n) A, B and s.
        push: (n,) amps on top.
        c: overwritten.
    """
    n = push.size
    if kind == CUBIC:
        for j in range(n):
            c[0, j] = push[j] + fed[0, j]
            c[1, j] = -(fed_total[j] + fed[1, j])
            c[2, j] = fed[2, j]
            c[3, j] = -parameter * fed_total[j]
        if drawn.shape[1]:
            for j in range(n):
                gain, back, shift = amplifier[0, j], amplifier[1, j], amplifier[2, j]
                d0, d1 = drawn[0, j], -(drawn_total[j] + drawn[1, j])
                d2, d3 = drawn[2, j], -parameter * drawn_total[j]
                c[0, j] += back * (d0 + shift * (d1 + shift * (d2 + shift * d3)))
                c[1, j] += back * gain * (d1 + shift * (2.0 * d2 + shift * 3.0 * d3))
                c[2, j] += back * gain * gain * (d2 + 3.0 * shift * d3)
                c[3, j] += back * gain * gain * gain * d3
        return
    per = 1.0 / parameter
    for j in range(n):
        c[0, j], c[1, j] = per * fed[0, j], per * (fed_total[j] + fed[1, j])
        c[2, j] = c[3, j] = 0.0
        c[4, j] = push[j]
    if drawn.shape[1]:
        for j in range(n):
            gain, back, shift = amplifier[0, j], amplifier[1, j], amplifier[2, j]
            s, ch = back * per * drawn[0, j], back * per * (drawn_total[j] + drawn[1, j])
            if shift != 0.0:
                sinh, more = sinh_cosh(parameter * shift)
                s, ch = s * (1.0 + more) - ch * sinh, ch * (1.0 + more) - s * sinh
            place = 0 if gain == 1.0 else 2
            c[place, j] += s
            c[place + 1, j] += ch


@njit(cache=True, forceinline=True, error_model="numpy")
def _flow(
    kind: int, parameter: float, gain: float, c: Floats, j: int, v: float
) -> tuple[float, float]:
    """``R`` without the diodes, and its derivative."""
    if kind == CUBIC:
        value = c[0, j] + v * (c[1, j] + v * (c[2, j] + v * c[3, j]))
        return value, c[1, j] + v * (2.0 * c[2, j] + v * 3.0 * c[3, j])
    s, more = sinh_cosh(parameter * v)
    value = (c[4, j] + c[0, j]) + (c[0, j] * more - c[1, j] * s)
    slope = parameter * (c[0, j] * s - c[1, j] * (1.0 + more))
    if c[3, j] > 0.0:
        s, more = sinh_cosh(parameter * gain * v)
        value += c[2, j] + (c[2, j] * more - c[3, j] * s)
        slope += parameter * gain * (c[2, j] * s - c[3, j] * (1.0 + more))
    return value, slope


@njit(cache=True, forceinline=True, error_model="numpy")
def _bracket(
    kind: int, parameter: float, gain: float, c: Floats, j: int, diodes: int, neuron: Floats
) -> tuple[float, float]:
    """Voltages that the rest voltage lies between; equal where an ideal diode holds it."""
    lower, upper = neuron[0, j], neuron[1, j]
    low, high = -np.inf, np.inf
    above = below = 0.0
    if np.isfinite(upper):
        above, _ = _flow(kind, parameter, gain, c, j, upper)
    if np.isfinite(lower):
        below, _ = _flow(kind, parameter, gain, c, j, lower)
    if diodes == WINDOW:
        if np.isfinite(upper):
            high = upper
            low = upper if above >= 0.0 else low
        if np.isfinite(lower) and low != high:
            low = lower
            high = lower if below <= 0.0 else high
        return low, high
    # A diode carries at most what is pushed in at its source's voltage.
    high = upper + neuron[3, j] * np.log1p(max(above, 0.0) / neuron[2, j])
    low = lower - neuron[3, j] * np.log1p(max(-below, 0.0) / neuron[2, j])
    return low, high


@njit(cache=True, forceinline=True, error_model="numpy")
def _root(
    kind: int, parameter: float, gain: float, c: Floats, j: int, diodes: int, neuron: Floats,
    length: float, guess: float,
) -> tuple[float, float]:  # fmt: skip
    """Rest voltage of node ``j``, and ``dv/dpush``: Newton's method within a bracket."""
    low, high = _bracket(kind, parameter, gain, c, j, diodes, neuron)
    if low == high:
        return low, 0.0
    v = guess if np.isfinite(guess) else 0.0
    v = min(max(v, low), high)
    slope = 0.0
    steepness = 1.0 / neuron[3, j]
    for i in range(_MOST_STEPS):
        value, slope = _flow(kind, parameter, gain, c, j, v)
        if diodes != WINDOW:
            up = neuron[2, j] * np.exp((v - neuron[1, j]) * steepness)
            down = neuron[2, j] * np.exp((neuron[0, j] - v) * steepness)
            value -= up - down
            slope -= (up + down) * steepness
        if value > 0.0:
            low = v
        elif value < 0.0:
            high = v
        else:  # at rest, or not a number
            v += value
            break
        step = -value / slope
        if abs(step) <= _SMALL_STEP * min(abs(v), length):
            v += step
            break
        if kind != CUBIC:
            step = min(max(step, -_LONGEST_STEP * length), _LONGEST_STEP * length)
        if not low < v + step < high or i > _STEPS_BEFORE_HALVING:
            if np.isfinite(high - low):
                step = 0.5 * (low + high) - v
        v += step
        if step == 0.0:
            break
    return v, -1.0 / slope


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _cubic_window(
    c: Floats, neuron: Floats, length: float, volts: Floats, response: Floats
) -> None:
    """All nodes of a layer together; beyond its inflection ``R`` bends the way Newton likes."""
    n = volts.size
    for j in range(n):
        guess = volts[j] if np.isfinite(volts[j]) else 0.0
        turn = -c[2, j] / (3.0 * c[3, j]) if c[3, j] < 0.0 else guess
        there = c[0, j] + turn * (c[1, j] + turn * (c[2, j] + turn * c[3, j]))
        volts[j] = max(guess, turn) if there > 0.0 else min(guess, turn)
    for _ in range(_MOST_STEPS):
        moving = 0
        for j in range(n):
            v = volts[j]
            slope = c[1, j] + v * (2.0 * c[2, j] + v * 3.0 * c[3, j])
            value = c[0, j] + v * (c[1, j] + v * (c[2, j] + v * c[3, j]))
            step = -value / slope
            volts[j] = v + step
            response[j] = -1.0 / slope
            moving += abs(step) > _SMALL_STEP * min(abs(v + step), length)
        if moving == 0:
            break
    for j in range(n):
        free = volts[j]
        # In this order NaN passes, so that a failed example cannot look settled.
        low, high = neuron[0, j], neuron[1, j]
        held = low if free < low else high if free > high else free
        volts[j] = held
        response[j] = response[j] if held == free else 0.0


@njit(cache=True, forceinline=True, error_model="numpy")
def rest(
    kind: int, parameter: float, c: Floats, amplifier: Floats, diodes: int, neuron: Floats,
    volts: Floats, response: Floats,
) -> None:  # fmt: skip
    """Replace guesses ``volts`` (n,) by rest voltages; ``response`` (n,) is ``dv/dpush``.

    Args:
        kind: see ``laws``.
        parameter: a or b.
        c: (5, n) from :func:`combine`.
        amplifier: (3, n) A, B and s.
        diodes: ``WINDOW`` or ``SHOCKLEY`` of ``layered.responses``.
        neuron: (4, n), see there.
        volts: see above.
        response: overwritten.
    """
    if kind == CUBIC:
        length = 1.0 / np.sqrt(parameter) if parameter > 0.0 else np.inf
        if diodes == WINDOW:
            _cubic_window(c, neuron, length, volts, response)
            return
    for j in range(volts.size):
        gain = amplifier[0, j]
        if kind != CUBIC:
            length = 1.0 / (parameter * max(1.0, gain))
            if diodes == WINDOW and c[3, j] == 0.0 and c[4, j] == 0.0:
                free = np.arctanh(c[0, j] / c[1, j]) / parameter
                low, high = neuron[0, j], neuron[1, j]
                held = low if free < low else high if free > high else free
                slope = parameter * np.sqrt((c[1, j] - c[0, j]) * (c[1, j] + c[0, j]))
                volts[j] = held
                response[j] = 1.0 / slope if held == free else 0.0
                continue
        bend = min(length, neuron[3, j]) if diodes != WINDOW else length
        volts[j], response[j] = _root(
            kind, parameter, gain, c, j, diodes, neuron, bend, volts[j]
        )  # fmt: skip


@njit(cache=True, forceinline=True, error_model="numpy")
def _left_over(
    kind: int, parameter: float, gain: float, c: Floats, j: int, diodes: int, neuron: Floats,
    v: float,
) -> tuple[float, float]:  # fmt: skip
    """Volts that node ``j`` is off its rest voltage, and the slope of ``-R`` there."""
    value, slope = _flow(kind, parameter, gain, c, j, v)
    if diodes != WINDOW:
        up = neuron[2, j] * np.exp((v - neuron[1, j]) / neuron[3, j])
        down = neuron[2, j] * np.exp((neuron[0, j] - v) / neuron[3, j])
        value -= up - down
        slope -= (up + down) / neuron[3, j]
    else:
        # An ideal diode takes what would drive the node out of its window.
        if v == neuron[0, j] and value < 0.0:
            value = 0.0
        if v == neuron[1, j] and value > 0.0:
            value = 0.0
    return -value / slope, -slope


@njit(cache=True, forceinline=True, error_model="numpy")
def loss(
    kind: int, parameter: float, c: Floats, amplifier: Floats, diodes: int, neuron: Floats,
    largest: float, volts: Floats, response: Floats,
) -> float:  # fmt: skip
    """What is left of :func:`rest` to do and what it lost to rounding, relative.

    The scale is ``largest`` volts, or the largest of ``volts``.  Products of hyperbolic functions
    cancel where a column lies near its rows and both far from 0 V; powers do not cancel to speak
    of.
    """
    scale = largest
    for j in range(volts.size):
        scale = max(scale, abs(volts[j]))
    if not scale > 0.0:
        return scale
    worst = 0.0
    for j in range(volts.size):
        off, slope = _left_over(
            kind, parameter, amplifier[0, j], c, j, diodes, neuron, volts[j]
        )  # fmt: skip
        worst = max(worst, abs(off))
        if kind != CUBIC and response[j] > 0.0:
            sinh, more = sinh_cosh(parameter * largest)
            share = sinh / (1.0 + more)
            s, more = sinh_cosh(parameter * volts[j])
            terms = c[1, j] * (share * (1.0 + more) + abs(s))
            if c[3, j] > 0.0:
                s, more = sinh_cosh(parameter * amplifier[0, j] * volts[j])
                terms += c[3, j] * (share * (1.0 + more) + abs(s))
            worst = max(worst, _EPS * terms / slope)
    return worst / scale


@njit(cache=True, error_model="numpy", parallel=True)
def rest_batch(
    kind: int, parameter: float,
    fed: Floats, fed_total: Floats, drawn: Floats, drawn_total: Floats,
    amplifier: Floats, push: Floats, diodes: int, neuron: Floats, largest: Floats,
    volts: Floats, lost: Floats,
) -> None:  # fmt: skip
    """Rest voltages of a layer for a batch; see :func:`combine` and :func:`rest`.

    Args:
        kind: see ``laws``.
        parameter: a or b.
        fed: (batch, n_features, n).
        fed_total: (n,).
        drawn: (batch, n_features, n), or with n = 0.
        drawn_total: (n,).
        amplifier: (3, n).
        push: (batch, n).
        diodes: see :func:`rest`.
        neuron: (4, n).
        largest: (batch,) volts; see :func:`loss`.
        volts: (batch, n) guesses; replaced.
        lost: (batch,) overwritten by :func:`loss`.
    """
    n = volts.shape[1]
    for b in prange(volts.shape[0]):
        c = np.empty((5, n))
        response = np.empty(n)
        combine(kind, parameter, fed[b], fed_total, drawn[b], drawn_total, amplifier, push[b], c)
        rest(kind, parameter, c, amplifier, diodes, neuron, volts[b], response)
        lost[b] = loss(
            kind, parameter, c, amplifier, diodes, neuron, largest[b], volts[b], response
        )  # fmt: skip
