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
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats, respond

__all__ = ["prepare_reduced", "solve_factored", "solve_reduced"]

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
    last = n_out - 1
    none = push.dtype.type(0)
    for j in range(n_hidden):
        push[j] = current[j]
    # Outputs four at a time; where there are fewer, the last one is done again to no effect.
    for k in range(0, n_out, 4):
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        o0 = o[k]
        o1 = o[k1] if k + 1 < n_out else none
        o2 = o[k2] if k + 2 < n_out else none
        o3 = o[k3] if k + 3 < n_out else none
        for j in range(n_hidden):
            low = backward[k, j] * o0 + backward[k1, j] * o1
            high = backward[k2, j] * o2 + backward[k3, j] * o3
            push[j] += low + high
    respond(kind, push, total, neuron, v, slope)
    for k in range(0, n_out, 4):
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        s0 = s1 = s2 = s3 = none
        for j in range(n_hidden):
            x = v[j]
            s0 += forward[k, j] * x
            s1 += forward[k1, j] * x
            s2 += forward[k2, j] * x
            s3 += forward[k3, j] * x
        f[k], f[k1], f[k2], f[k3] = s0, s1, s2, s3
    scale = 0.0
    for k in range(n_out):
        inflow = push_out[k] + f[k]
        f[k] = inflow - out_total[k] * o[k]
        scale = max(scale, abs(inflow) / out_total[k])
    return scale


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _factorise(
    forward: Floats,
    backward: Floats,
    out_total: Floats,
    slope: Floats,
    work: Floats,
    factor: Floats,
) -> None:
    """Cholesky factor of ``J``; it is symmetric because A_j B_j enters as a product."""
    n_out, n_hidden = forward.shape
    last = n_out - 1
    none = work.dtype.type(0)
    for a in range(n_out):
        for j in range(n_hidden):
            work[j] = forward[a, j] * slope[j]
        # Four at a time; those above the diagonal are not used.
        for b in range(0, a + 1, 4):
            b1, b2, b3 = min(b + 1, last), min(b + 2, last), min(b + 3, last)
            s0 = s1 = s2 = s3 = none
            for j in range(n_hidden):
                x = work[j]
                s0 += x * backward[b, j]
                s1 += x * backward[b1, j]
                s2 += x * backward[b2, j]
                s3 += x * backward[b3, j]
            factor[a, b], factor[a, b1], factor[a, b2], factor[a, b3] = -s0, -s1, -s2, -s3
        factor[a, a] += out_total[a]
    for a in range(n_out):
        for b in range(a + 1):
            s = factor[a, b]
            for k in range(b):
                s -= factor[a, k] * factor[b, k]
            factor[a, b] = np.sqrt(s) if a == b else s / factor[b, b]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def solve_factored(factor: Floats, f: Floats, step: Floats) -> None:
    """Solve ``J step = F`` with the Cholesky factor of ``J``."""
    n_out = f.size
    for a in range(n_out):
        s = f[a]
        for k in range(a):
            s -= factor[a, k] * step[k]
        step[a] = s / factor[a, a]
    for a in range(n_out - 1, -1, -1):
        s = step[a]
        for k in range(a + 1, n_out):
            s -= factor[k, a] * step[k]
        step[a] = s / factor[a, a]


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _search(
    kind: int, current: Floats, push_out: Floats, forward: Floats, backward: Floats,
    total: Floats, out_total: Floats, neuron: Floats, o: Floats, step: Floats, start: Floats,
    push: Floats, v: Floats, slope: Floats, f: Floats,
) -> float:  # fmt: skip
    """Go along ``step`` from ``o`` as far as pays; as :func:`_residual` at the place reached."""
    ascent = scale = 0.0
    for k in range(o.size):
        start[k] = o[k]
        ascent += step[k] * f[k]
    t = 1.0
    for _ in range(_MAX_BACKTRACKS):
        for k in range(o.size):
            o[k] = start[k] + t * step[k]
        scale = _residual(
            kind, current, push_out, forward, backward, total, out_total, neuron,
            o, push, v, slope, f,
        )  # fmt: skip
        along = 0.0
        for k in range(o.size):
            along += step[k] * f[k]
        # F.step falls along the step; past the minimum it turns negative.
        if along >= -0.5 * ascent:
            break
        t *= ascent / (ascent - along)
    return scale


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _imbalance(f: Floats, out_total: Floats, scale: float) -> float:
    """Largest ``|F|/D`` relative to ``scale``; NaN if one is not finite."""
    worst = summed = 0.0
    for k in range(f.size):
        worst = max(worst, abs(f[k]) / out_total[k])
        summed += f[k]
    if not np.isfinite(summed):  # a maximum passes over NaN, a sum does not
        return np.nan
    return worst / scale if scale > 0.0 else worst


@njit(cache=True, error_model="numpy")
def prepare_reduced(
    last: Floats,
    forward_gain: Floats,
    backward_gain: Floats,
    hidden_sums: Floats,
    out_sums: Floats,
    row_sums: Floats,
    forward: Floats,
    backward: Floats,
    total: Floats,
    out_total: Floats,
) -> None:
    """Fill what :func:`solve_reduced` takes of the conductances.

    Args:
        last: (rows, n_out) siemens of the output crossbar; its first rows are the hidden nodes.
        forward_gain: (n_hidden,).
        backward_gain: (n_hidden,).
        hidden_sums: (n_hidden,) column sums of the crossbar before, siemens.
        out_sums: (n_out,) column sums of ``last``.
        row_sums: (rows,) row sums of ``last``.
        forward: see :func:`solve_reduced`; so for the following.
        backward: overwritten.
        total: overwritten.
        out_total: overwritten.
    """
    n_out, n_hidden = forward.shape
    for k in range(n_out):
        out_total[k] = out_sums[k]
    for j in range(n_hidden):
        loop = forward_gain[j] * backward_gain[j]
        total[j] = hidden_sums[j] + loop * row_sums[j]
        for k in range(n_out):
            forward[k, j] = last[j, k] * forward_gain[j]
            backward[k, j] = last[j, k] * backward_gain[j]


@njit(cache=True, error_model="numpy", parallel=True, nogil=True)
def solve_reduced(
    lines: Floats,
    kind: int,
    currents: Floats,
    pushes_out: Floats,
    nudges: Floats,
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
    ok: NDArray[np.bool_],
) -> None:
    """Settle the phases of a batch; equation (2).

    All phases begin at the start of the first one.  Several have their first step in common but
    for the nudge, so that its matrix is factorised once.

    Args:
        lines: (batch, n_lines) volts, copied to the first nodes.
        kind: ``responses.WINDOW`` or ``responses.SHOCKLEY``.
        currents: (batch, n_hidden) amps from inputs and bias lines into each hidden node.
        pushes_out: (batch, n_out) amps from bias lines into each output.
        nudges: (phases, batch, n_out) amps on top.
        forward: (n_out, n_hidden) siemens times forward gain.
        backward: (n_out, n_hidden) siemens times backward gain.
        total: (n_hidden,) siemens seen by each hidden node.
        out_total: (n_out,) siemens seen by each output.
        neuron: (4, n_hidden); see ``responses.respond``.
        tolerance: relative residual at which Newton stops.
        max_newton: bound on Newton steps.
        node_volts: (phases, batch, n_nodes), C order; holds the start in the output columns of
            its first phase, and on return the lines and the solutions in hidden and output
            columns.
        hidden_start: first hidden column.
        output_start: first output column.
        ok: (phases, batch) overwritten: whether the state is finite and the largest ``|F|/D`` over
            the outputs, relative to the largest output voltage, within the tolerance.
    """
    phases, batch = ok.shape
    n_out, n_hidden = forward.shape
    for s in prange(batch):
        push = np.empty(n_hidden, currents.dtype)
        slope = np.empty(n_hidden, currents.dtype)
        work = np.empty(n_hidden, currents.dtype)
        factor = np.empty((n_out, n_out), currents.dtype)
        shared = np.empty((n_out, n_out), currents.dtype)
        push_out = np.empty(n_out, currents.dtype)
        f = np.empty(n_out, currents.dtype)
        f_start = np.zeros(n_out, currents.dtype)
        step = np.empty(n_out, currents.dtype)
        first = np.empty(n_out, currents.dtype)
        start = np.empty(n_out, currents.dtype)
        for k in range(n_out):
            o_k = node_volts[0, s, output_start + k]
            first[k] = o_k if np.isfinite(o_k) else 0.0
        # Several phases are led by a look at their common start.  Everything has one place in the
        # loops, because what is inlined twice is compiled twice.
        for p in range(-1 if phases > 1 else 0, phases):
            v = node_volts[max(p, 0), s, hidden_start : hidden_start + n_hidden]
            o = node_volts[max(p, 0), s, output_start : output_start + n_out]
            for k in range(n_out):
                nudge = nudges[p, s, k] if p >= 0 else f_start[k]
                o[k], step[k] = first[k], 0.0
                push_out[k] = pushes_out[s, k] + nudge
                f[k] = f_start[k] + nudge
            scale = 0.0
            for i in range(max_newton + 1):
                if i > 0:
                    if p >= 0:
                        imbalance = _imbalance(f, out_total, scale)
                        ok[p, s] = imbalance <= tolerance
                        if not imbalance > tolerance:
                            break
                    _factorise(forward, backward, out_total, slope, work, factor)
                if i > 0 and p < 0:
                    for a in range(n_out):
                        f_start[a] = f[a]
                        for b in range(a + 1):
                            shared[a, b] = factor[a, b]
                    break
                if i > 0 or (p >= 0 and phases > 1):
                    solve_factored(factor if i > 0 else shared, f, step)
                scale = _search(
                    kind, currents[s], push_out, forward, backward, total, out_total, neuron,
                    o, step, start, push, v, slope, f,
                )  # fmt: skip
        for p in range(phases):
            for i in range(lines.shape[1]):
                node_volts[p, s, i] = lines[s, i]
