r"""A path of solutions from a circuit that anybody can solve to the one that is asked for.

A conductance :math:`g_0 e^{-t}` ties every node to a voltage of its own near 0 V, sources are
raised from zero while it is still large, and ideal diodes carry the current i that makes
:math:`(V_k - v)\, \rho i = e^{-t}` (smoothing after Chen, Harker, Kanzow and Smale).  At the start
the solution is next to those voltages; at the end nothing is left of all this.  Where circuits
have several operating points the path turns back in t and on again.  It is therefore followed by
its length (Keller 1977), as Melville, Trajkovic, Fang and Watson (1993) do for transistor
circuits; their random voltages keep it from running into points where it branches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.balance import Balance
from sim_backend.nodal.bordered import Bordered
from sim_backend.nodal.laws import Branches
from sim_backend.nodal.point import Point

__all__ = ["Continuation"]

Floats = NDArray[np.float64]

_STEPS, _FEWEST_STEPS = 500, 150
_STEPS_UNKNOWNS = 1e5
"""Larger circuits get fewer steps, each of which costs more."""
_CORRECTIONS, _FIRST_CORRECTIONS = 8, 60
_FAILED = 1000
_LONGEST, _SHORTEST = 3.0, 1e-7
_EXACT, _FAR = 1e-6, 1e3
"""Corrections, in lengths, that are small enough to stop, and too large to go on."""
_BEHIND = -2.0
"""A path that comes back to here is lost."""
_RAMP = 6.0
"""The sources are raised while the ties fall by this many e-folds."""
_LAST_SIEMENS = 1e-16
_SPREAD_VOLTS = 0.05
_SMOOTHING_VOLTS = 1.0


class _State(NamedTuple):
    """What is left over at a place, and how that changes."""

    left: Floats
    siemens: Floats
    closed: Floats
    open_: Floats
    tie: Floats


class Continuation:
    """Follows paths for one circuit at its present conductances, one example at a time.

    Args:
        equations: of the circuit.
        branches: its nonlinear branches.
        balance: its elements.
    """

    def __init__(self, equations: Equations, branches: Branches, balance: Balance) -> None:
        self.equations = e = equations
        self.branches, self.balance = branches, balance
        self.n, self.m = e.n_unknowns, len(e.ideal)
        self.is_node = np.zeros(self.n)
        self.is_node[e.unknown[e.unknown >= 0]] = 1.0
        sizes, nodes = abs(sparse.csr_matrix(e.matrix)), self.is_node > 0.0
        at_nodes, others = sizes[nodes][:, nodes], sizes[~nodes][:, ~nodes]
        largest = max(1e-3, at_nodes.max() if at_nodes.nnz else 0.0)
        gains = [sizes[nodes][:, ~nodes].data, sizes[~nodes][:, nodes].data, largest * others.data]
        gain = max(1.0, np.concatenate(gains).max(initial=0.0))
        # Ties so strong that no loop has gain enough left for a second solution.
        self.first_siemens = 100.0 * gain * largest
        self.spread_volts = _SPREAD_VOLTS / gain
        self.end = float(np.log(self.first_siemens / _LAST_SIEMENS))
        diagonal = at_nodes.diagonal()
        self.ohms = 1.0 / float(np.median(diagonal[diagonal > 0.0])) if diagonal.any() else 1e3
        self.bordered = Bordered(e, branches.n_smooth, self.ohms)

    def follow(self, point: Point, seed: int) -> Point | None:
        """Where the path of a single example ends; None if it is lost on the way."""
        with np.errstate(all="ignore"):
            return _Path(self, point, seed).follow()


class _Path:
    """The path of one example: places are (n_x + n_ideal,) unknowns, and t as the last entry."""

    def __init__(self, circuit: Continuation, point: Point, seed: int) -> None:
        self.c, self.point = circuit, point
        signs = np.random.default_rng(seed).uniform(-1.0, 1.0, circuit.n)
        self.target = circuit.spread_volts * signs * circuit.is_node
        # Lengths are those of node voltages and of t.
        self.weights = np.append(np.zeros(circuit.n + circuit.m), 1.0)
        self.weights[: circuit.n] = circuit.is_node
        self.by_t, self.sign = np.zeros(circuit.n + circuit.m), 0.0

    def state(self, place: Floats) -> _State:
        c, point, t = self.c, self.point, max(place[-1], 2.0 * _BEHIND)
        x, through = place[None, : c.n], place[None, c.n : -1]
        share = min(max(t / _RAMP, 0.0), 1.0)
        share = share * share * (3.0 - 2.0 * share)
        volts = (c.equations.incidence.T @ x.T).T + share * point.offset
        amps, siemens = c.branches.evaluate(volts)
        amps = np.concatenate([amps, through], 1)
        left = c.balance.left(x, share * point.held, amps, share * point.levels)[0]
        tie = c.first_siemens * np.exp(-t) * c.is_node
        left += tie * (x[0] - self.target)
        below = c.branches.ideal_volts - volts[0, c.branches.n_smooth :]
        rows, open_ = _smallest(below, c.ohms * through[0], _SMOOTHING_VOLTS * np.exp(-0.5 * t))
        return _State(np.concatenate([left, rows]), siemens[0], 1.0 - open_, open_, tie)

    def solve(self, state: _State, row: Floats, right: Floats) -> tuple[Floats, float]:
        """Solve with the Jacobian, bordered; and the sign of its determinant."""
        slopes = state.siemens, state.closed, state.open_, state.tie
        return self.c.bordered.solve(*slopes, self.by_t, row, right)

    def tangent(self, place: Floats, last: Floats) -> Floats:
        """Direction of the path, of length one.

        The determinant with the path's own direction as last row never changes its sign along a
        path (Keller 1977); that tells forth from back even where a step jumps across a hairpin.
        """
        n, step = self.c.n, np.zeros(place.size)
        # Lengths count relative to the voltages reached.
        self.weights[:n] = self.c.is_node / (1.0 + np.abs(place[:n])) ** 2
        step[-1] = 1e-5
        ahead, behind = self.state(place + step).left, self.state(place - step).left
        self.by_t = (ahead - behind) / (2.0 * step[-1])
        found, sign = self.solve(self.state(place), self.weights * last, step / step[-1])
        self.sign = self.sign or sign
        return np.asarray(found * (sign * self.sign / np.sqrt(self.weights @ found**2)))

    def correct(self, place: Floats, along: Floats, most: int = _CORRECTIONS) -> int:
        """Back to the path, across ``along``, in place; how many corrections it took."""
        row = self.weights * along
        for k in range(most):
            state = self.state(place)
            step, _ = self.solve(state, row, np.append(-state.left, 0.0))
            lengths = np.sqrt(self.weights) * np.abs(step)
            if not np.isfinite(step).all() or lengths.max() > _FAR or place[-1] < _BEHIND:
                break
            place += step
            if lengths[:-1].max() <= _EXACT and lengths[-1] <= 100.0 * _EXACT:
                return k
        return _FAILED

    def follow(self) -> Point | None:
        place = np.concatenate([self.target, np.full(self.c.m, 1.0 / self.c.ohms), [0.0]])
        along = np.zeros(place.size)
        along[-1] = 1.0
        if self.correct(place, along, _FIRST_CORRECTIONS) == _FAILED:
            return None
        length = 0.5
        steps = max(_FEWEST_STEPS, min(_STEPS, int(_STEPS_UNKNOWNS / place.size)))
        for _ in range(steps):
            if place[-1] >= self.c.end:
                return self.arrive(place)
            along = self.tangent(place, along)
            if not np.isfinite(along).all():
                return None
            while length > _SHORTEST:
                tried = place + length * along
                taken = self.correct(tried, along)
                if taken != _FAILED:
                    break
                length *= 0.3
            else:
                return None
            place = tried
            length = min(_LONGEST, length * (2.0 if taken <= 3 else 1.0 if taken <= 5 else 0.5))
        return None

    def arrive(self, place: Floats) -> Point:
        c, point = self.c, self.point.part(np.array([0]))
        point.x[0], through = place[: c.n], place[c.n : -1]
        volts = (c.equations.incidence.T @ point.x[0] + point.offset[0])[c.branches.n_smooth :]
        point.on[0] = c.ohms * through > c.branches.ideal_volts - volts
        point.amps_ideal[0] = np.where(point.on[0], through, 0.0)
        return point


def _smallest(below: Floats, current: Floats, smooth: float) -> tuple[Floats, Floats]:
    """The smaller of two, smoothed: zero where their product is ``smooth**2``; slope by current.

    Args:
        below: volts below the voltage of each ideal diode.
        current: their currents times a resistance, volts.
        smooth: volts.
    """
    gap, total = below - current, below + current
    root = np.hypot(gap, 2.0 * smooth)
    # Without cancellation.
    positive = np.maximum(total, 0.0) + root
    product = below * current - smooth**2
    rows = np.where(total > 0.0, 2.0 * product / positive, 0.5 * (total - root))
    return rows, 0.5 * (1.0 + gap / root)
