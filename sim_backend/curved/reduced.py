r"""Steady state of a network of curved devices with one hidden layer, by elimination of that layer.

Given the outputs ``o`` every hidden node has its own rest voltage ``v_j(o)`` (``nodes``), so what
remains is one small system in the outputs alone,

.. math::  F_k(o) = p_k + I_k(o_k) + \sum_j g_{jk} f(u_j - o_k) = 0, \qquad u_j = A_j v_j + s_j.

``-F`` is the gradient of a strictly convex function, the co-content minimised over the hidden
nodes (thesis eq. 4.7; hidden node ``j`` weighs ``A_j/B_j``).  With ``q_jk = g_jk f'(u_j - o_k)``
and ``r_j = A_j B_j dv_j/dp_j`` the Jacobian is

.. math::  -\frac{\partial F}{\partial o} = \operatorname{diag}(\textstyle\sum_j q_{jk} - I_k')
           - \sum_j r_j\, q_j q_j^T,

positive definite, and Newton's method with a search along that function converges from anywhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.curved.laws import CUBIC, sinh_cosh
from sim_backend.curved.nodes import combine, loss, rest
from sim_backend.layered.reduced import solve_factored
from sim_backend.layered.responses import FAST

__all__ = ["solve_reduced"]

Floats = NDArray[np.floating]

_MOST_BACKTRACKS = 60
_PATIENCE = 20
"""Newton steps after which a step must not raise the co-content at all."""

_LONGEST_STEP = 3.0
"""Of an exponential's argument."""

_ENOUGH = 1e-9
"""Relative residual aimed at where a larger one would be tolerated: Newton gets there at once, and
phases that differ by little are to be compared."""

_FLOOR = 1e-6
"""Share of the largest voltage below which outputs are not told from zero."""

_EPS = float(np.finfo(np.float64).eps)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _draw_upon(kind: int, parameter: float, between: Floats, o: Floats, drawn: Floats) -> None:
    """Products of the output crossbar (n_out, n_hidden) with the features of ``o``."""
    n_out, n_hidden = between.shape
    drawn[:] = 0.0
    for k in range(n_out):
        x = o[k]
        if kind == CUBIC:
            f0 = x * (1.0 + parameter * x * x)
            f1, f2 = 3.0 * parameter * x * x, 3.0 * parameter * x
            for j in range(n_hidden):
                drawn[0, j] += between[k, j] * f0
                drawn[1, j] += between[k, j] * f1
                drawn[2, j] += between[k, j] * f2
        else:
            f0, f1 = sinh_cosh(parameter * x)
            for j in range(n_hidden):
                drawn[0, j] += between[k, j] * f0
                drawn[1, j] += between[k, j] * f1


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _feed(
    kind: int, parameter: float, between: Floats, u: Floats, biased: Floats, bias_total: Floats,
    push: Floats, o: Floats, features: Floats, q: Floats, f: Floats, total: Floats,
) -> None:  # fmt: skip
    """Fill ``f = F(o)``, slopes ``q`` (n_out, n_hidden) of the devices and their sums ``total``."""
    n_out, n_hidden = between.shape
    if kind != CUBIC:
        for j in range(n_hidden):
            features[0, j], features[1, j] = sinh_cosh(parameter * u[j])
    for k in range(n_out):
        x = o[k]
        inflow = slopes = 0.0
        if kind == CUBIC:
            for j in range(n_hidden):
                drop = u[j] - x
                bend = parameter * drop * drop
                slope = between[k, j] * (1.0 + 3.0 * bend)
                inflow += between[k, j] * drop * (1.0 + bend)
                slopes += slope
                q[k, j] = slope
            g, b0, b1, b2 = bias_total[k], biased[0, k], biased[1, k], biased[2, k]
            inflow += b0 - x * (g + b1) + x * x * b2 - x * x * x * parameter * g
            slopes += g + b1 - 2.0 * x * b2 + 3.0 * x * x * parameter * g
        else:
            s, more = sinh_cosh(parameter * x)
            cosh, per = 1.0 + more, 1.0 / parameter
            for j in range(n_hidden):
                sinh_u, cosh_u = features[0, j], 1.0 + features[1, j]
                slope = between[k, j] * (cosh_u * cosh - sinh_u * s)
                inflow += per * between[k, j] * (sinh_u * cosh - cosh_u * s)
                slopes += slope
                q[k, j] = slope
            b0, b1 = biased[0, k], bias_total[k] + biased[1, k]
            inflow += per * (b0 * cosh - b1 * s)
            slopes += b1 * cosh - b0 * s
        f[k] = push[k] + inflow
        total[k] = slopes


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _newton_step(
    q: Floats, r: Floats, total: Floats, f: Floats, work: Floats, factor: Floats, step: Floats
) -> None:
    """Solve ``J step = F`` by Cholesky's method."""
    n_out, n_hidden = q.shape
    for a in range(n_out):
        for j in range(n_hidden):
            work[j] = r[j] * q[a, j]
        for b in range(a + 1):
            s = 0.0
            for j in range(n_hidden):
                s += work[j] * q[b, j]
            factor[a, b] = -s
        factor[a, a] += total[a]
        for b in range(a + 1):
            s = factor[a, b]
            for k in range(b):
                s -= factor[a, k] * factor[b, k]
            factor[a, b] = np.sqrt(s) if a == b else s / factor[b, b]
    solve_factored(factor, f, step)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _imbalance(f: Floats, total: Floats, o: Floats, largest: float) -> float:
    """Largest ``|F|`` over its slope relative to the largest output; NaN if not finite."""
    worst, scale, summed = 0.0, _FLOOR * largest, 0.0
    for k in range(f.size):
        worst = max(worst, abs(f[k]) / total[k])
        scale = max(scale, abs(o[k]))
        summed += f[k] / total[k]
    if not np.isfinite(summed):  # a maximum passes over NaN, a sum does not
        return np.nan
    return worst / scale if scale > 0.0 else worst


@njit(cache=True, forceinline=True, error_model="numpy", fastmath=FAST)
def _shorten(kind: int, parameter: float, step: Floats) -> float:
    """Share of a step that is taken at once."""
    longest = 0.0
    for k in range(step.size):
        longest = max(longest, abs(step[k]))
    if kind == CUBIC or longest * parameter <= _LONGEST_STEP:
        return 1.0
    return _LONGEST_STEP / (longest * parameter)


@njit(cache=True, forceinline=True, error_model="numpy")
def _lost_outputs(
    kind: int, parameter: float, between: Floats, features: Floats, total: Floats, o: Floats,
    largest: float,
) -> float:  # fmt: skip
    """Rounding error of the outputs, relative to ``largest`` volts; see ``nodes.loss``."""
    if kind == CUBIC or largest == 0.0:
        return 0.0
    worst = 0.0
    for k in range(o.size):
        s, more = sinh_cosh(parameter * o[k])
        terms = 0.0
        for j in range(between.shape[1]):
            across = abs(features[0, j]) * (1.0 + more) + (1.0 + features[1, j]) * abs(s)
            terms += between[k, j] * across
        worst = max(worst, _EPS * terms / (parameter * total[k] * largest))
    return worst


@njit(cache=True, error_model="numpy", parallel=True, nogil=True)
def solve_reduced(
    kind: int, parameter: float,
    fed: Floats, fed_total: Floats, between: Floats, drawn_total: Floats, amplifier: Floats,
    hidden_push: Floats, diodes: int, neuron: Floats,
    biased: Floats, bias_total: Floats, pushes: Floats, largest: Floats,
    tolerance: float, most_steps: int,
    hidden: Floats, outputs: Floats, ok: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Settle the phases of a batch; later ones start at the solution of the first one.

    Args:
        kind: see ``laws``.
        parameter: a or b.
        fed: (batch, n_features, n_hidden) products of the first crossbar with the lines'.
        fed_total: (n_hidden,) its column sums.
        between: (n_out, n_hidden) siemens of the output crossbar, bias rows left out.
        drawn_total: (n_hidden,) sums of ``between`` over the outputs.
        amplifier: (3, n_hidden) A, B and s.
        hidden_push: (n_hidden,) constant amps into the hidden nodes.
        diodes: ``WINDOW`` or ``SHOCKLEY`` of ``layered.responses``.
        neuron: (4, n_hidden), see there.
        biased: (batch, n_features, n_out) products of the output crossbar's bias rows.
        bias_total: (n_out,) column sums of those.
        pushes: (phases, batch, n_out) amps into the outputs.
        largest: (batch,) largest absolute voltage of a line.
        tolerance: relative residual of a settled example.
        most_steps: bound on Newton steps.
        hidden: (phases, batch, n_hidden) in its first phase guesses; overwritten.
        outputs: (phases, batch, n_out) likewise.
        ok: (phases, batch) overwritten: whether the state is finite; the largest ``|F|`` over its
            slope, relative to the largest output, is within the tolerance; and so is, relative
            to the largest voltage, what hidden nodes are off and what rounding cost.
    """
    phases, batch, n_out = pushes.shape
    n_hidden = hidden.shape[2]
    goal = min(tolerance, _ENOUGH)
    for s in prange(batch):
        drawn = np.empty((fed.shape[1], n_hidden))
        features = np.empty((2, n_hidden))
        c = np.empty((5, n_hidden))
        response = np.empty(n_hidden)
        r, u, work = np.empty(n_hidden), np.empty(n_hidden), np.empty(n_hidden)
        q = np.empty((n_out, n_hidden))
        factor = np.empty((n_out, n_out))
        f, total, step, start = np.empty(n_out), np.empty(n_out), np.empty(n_out), np.empty(n_out)
        for p in range(phases):
            v, o = hidden[p, s], outputs[p, s]
            for j in range(n_hidden):
                v[j] = hidden[0, s, j]
            for k in range(n_out):
                o[k] = outputs[0, s, k] if np.isfinite(outputs[0, s, k]) else 0.0
                step[k] = 0.0
            ascent = along = 0.0
            t = 0.0
            best = np.inf
            settled = False
            for i in range(most_steps + 1):
                for k in range(n_out):
                    start[k] = o[k]
                for _ in range(_MOST_BACKTRACKS):
                    for k in range(n_out):
                        o[k] = start[k] + t * step[k]
                    _draw_upon(kind, parameter, between, o, drawn)
                    combine(
                        kind, parameter, fed[s], fed_total, drawn, drawn_total, amplifier,
                        hidden_push, c,
                    )  # fmt: skip
                    rest(kind, parameter, c, amplifier, diodes, neuron, v, response)
                    for j in range(n_hidden):
                        u[j] = amplifier[0, j] * v[j] + amplifier[2, j]
                    _feed(
                        kind, parameter, between, u, biased[s], bias_total, pushes[p, s], o,
                        features, q, f, total,
                    )  # fmt: skip
                    # F.step falls along the step; past the minimum it turns negative.
                    along = 0.0
                    for k in range(n_out):
                        along += step[k] * f[k]
                    if along >= (-0.5 * ascent if i < _PATIENCE else -1e-12 * ascent):
                        break
                    t *= max(0.1, min(0.9, ascent / (ascent - along)))
                imbalance = _imbalance(f, total, o, largest[s])
                settled = imbalance <= tolerance
                if not imbalance > goal or (settled and imbalance > 0.5 * best):
                    break
                best = imbalance
                if i == most_steps:
                    break
                for j in range(n_hidden):
                    r[j] = amplifier[0, j] * amplifier[1, j] * response[j]
                _newton_step(q, r, total, f, work, factor, step)
                t = _shorten(kind, parameter, step)
                ascent = 0.0
                for k in range(n_out):
                    ascent += step[k] * f[k]
            lost = loss(
                kind, parameter, c, amplifier, diodes, neuron, largest[s], v, response
            )  # fmt: skip
            lost += _lost_outputs(kind, parameter, between, features, total, o, largest[s])
            summed = lost
            for j in range(n_hidden):
                summed += v[j]
            ok[p, s] = settled and lost <= tolerance and np.isfinite(summed)
