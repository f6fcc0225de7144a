r"""Exact steady state of a network with one hidden layer, by elimination of that layer.

Given the output voltages ``o`` every hidden node rests at its response (equation (1) of
``neurons``) to the current ``c + K o`` pushed into it, so what remains is one small system
in the outputs alone,

.. math::  F(o) = p + F_A\,\phi(c + K o) - D o = 0,                      \qquad (2)

with ``F_A = A_j g_{jk}`` the forward path through the amplifiers and ``K = B_j g_{jk}`` the
backward one.  ``-F`` is the gradient of a strictly convex function (the co-content minimised
over the hidden nodes, thesis eq. 4.7), its Jacobian ``D - F_A diag(phi') K`` is positive
definite, and Newton's method with a line search along that function converges from anywhere;
with ideal diodes ``F`` is piecewise linear and Newton ends after finitely many steps at the
solution to rounding error.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from sim_backend.layered.responses import FAST, Floats, respond

__all__ = ["solve_reduced"]

_MAX_BACKTRACKS = 8


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _residual(
    kind: int,
    current: Floats,
    push_out: Floats,
    forward: Floats,
    backward: Floats,
    total: Floats,
    out_total: Floats,
    neuron: Floats,
    o: Floats,
    push: Floats,
    v: Floats,
    slope: Floats,
    f: Floats,
) -> float:
    """Fill hidden ``v`` and ``slope`` at ``o`` and ``f = F(o)``; return the outputs' scale."""
    n_out, n_hidden = forward.shape
    for j in range(n_hidden):
        push[j] = current[j]
    for k in range(n_out):
        ok = o[k]
        for j in range(n_hidden):
            push[j] += backward[k, j] * ok
    respond(kind, push, total, neuron, v, slope)
    scale = 0.0
    for k in range(n_out):
        inflow = push_out[k]
        for j in range(n_hidden):
            inflow += forward[k, j] * v[j]
        f[k] = inflow - out_total[k] * o[k]
        scale = max(scale, abs(inflow) / out_total[k])
    return scale


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _newton_step(
    forward: Floats,
    backward: Floats,
    out_total: Floats,
    slope: Floats,
    f: Floats,
    jacobian: Floats,
    step: Floats,
    work: Floats,
) -> None:
    """Solve ``J step = F`` by Cholesky; J is symmetric because A_j B_j enters as a product."""
    n_out, n_hidden = forward.shape
    for a in range(n_out):
        for j in range(n_hidden):
            work[j] = forward[a, j] * slope[j]
        for b in range(a + 1):
            dot = work[0] * 0.0
            for j in range(n_hidden):
                dot += work[j] * backward[b, j]
            jacobian[a, b] = -dot
        jacobian[a, a] += out_total[a]
    for a in range(n_out):
        for b in range(a + 1):
            s = jacobian[a, b]
            for k in range(b):
                s -= jacobian[a, k] * jacobian[b, k]
            jacobian[a, b] = np.sqrt(s) if a == b else s / jacobian[b, b]
    for a in range(n_out):
        s = f[a]
        for k in range(a):
            s -= jacobian[a, k] * step[k]
        step[a] = s / jacobian[a, a]
    for a in range(n_out - 1, -1, -1):
        s = step[a]
        for k in range(a + 1, n_out):
            s -= jacobian[k, a] * step[k]
        step[a] = s / jacobian[a, a]


@njit(cache=True, error_model="numpy", parallel=True, nogil=True)
def solve_reduced(
    kind: int,
    currents: Floats,
    pushes_out: Floats,
    forward: Floats,
    backward: Floats,
    total: Floats,
    out_total: Floats,
    neuron: Floats,
    tolerance: float,
    max_newton: int,
    node_volts: Floats,
    hidden_start: int,
    output_start: int,
    residuals: Floats,
) -> None:
    """Settle a batch; equation (2).

    Args:
        kind: ``responses.WINDOW`` or ``responses.SHOCKLEY``.
        currents: (batch, n_hidden) amps from inputs and bias lines into each hidden node.
        pushes_out: (batch, n_out) amps from bias lines and nudge into each output.
        forward: (n_out, n_hidden) siemens times forward gain.
        backward: (n_out, n_hidden) siemens times backward gain.
        total: (n_hidden,) siemens seen by each hidden node.
        out_total: (n_out,) siemens seen by each output.
        neuron: (4, n_hidden); see ``responses.respond``.
        tolerance: relative residual at which Newton stops.
        max_newton: bound on Newton steps.
        node_volts: (batch, n_nodes), C order; holds the start in its output columns, and the
            solution in both its hidden and its output columns on return.
        hidden_start: first hidden column.
        output_start: first output column.
        residuals: (batch,) overwritten: largest ``|F|/D`` over the outputs, relative to the
            largest output voltage; NaN for a state that is not finite.
    """
    batch, n_hidden = currents.shape
    n_out = forward.shape[0]
    for s in prange(batch):
        push = np.empty(n_hidden, currents.dtype)
        slope = np.empty(n_hidden, currents.dtype)
        work = np.empty(n_hidden, currents.dtype)
        jacobian = np.empty((n_out, n_out), currents.dtype)
        f = np.empty(n_out, currents.dtype)
        step = np.empty(n_out, currents.dtype)
        start = np.empty(n_out, currents.dtype)
        v = node_volts[s, hidden_start : hidden_start + n_hidden]
        o = node_volts[s, output_start : output_start + n_out]
        for k in range(n_out):
            o[k] = o[k] if np.isfinite(o[k]) else 0.0
        scale = _residual(
            kind, currents[s], pushes_out[s], forward, backward, total, out_total, neuron,
            o, push, v, slope, f,
        )  # fmt: skip
        for _ in range(max_newton):
            worst = 0.0
            summed = 0.0
            for k in range(n_out):
                worst = max(worst, abs(f[k]) / out_total[k])
                summed += f[k]
            residuals[s] = worst / scale if scale > 0.0 else worst
            if not np.isfinite(summed):  # a maximum passes over NaN, a sum does not
                residuals[s] = np.nan
            if not residuals[s] > tolerance:
                break
            _newton_step(forward, backward, out_total, slope, f, jacobian, step, work)
            ascent = 0.0
            for k in range(n_out):
                start[k] = o[k]
                ascent += step[k] * f[k]
            t = 1.0
            for _ in range(_MAX_BACKTRACKS):
                for k in range(n_out):
                    o[k] = start[k] + t * step[k]
                scale = _residual(
                    kind, currents[s], pushes_out[s], forward, backward, total, out_total,
                    neuron, o, push, v, slope, f,
                )  # fmt: skip
                along = 0.0
                for k in range(n_out):
                    along += step[k] * f[k]
                # F.step falls along the step; past the minimum it turns negative.
                if along >= -0.5 * ascent:
                    break
                t *= ascent / (ascent - along)
