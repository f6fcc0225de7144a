r"""Operating points: damped Newton on equation (1) of ``assembly``, for many examples at once.

Every step replaces the nonlinear branches by their tangents and solves the linear circuit that
results.  Junction voltages are limited between steps (Nagel 1975); where that does not converge, a
conductance across every nonlinear branch is lowered by decades (gmin stepping), then a path of
solutions is followed from a circuit that is easy (``continuation``).  An ideal diode is a branch of
its own that is either open or a source of its series voltage; its state follows from the step
before, and the solution is exact once no state changes.

Nothing is returned as solved that does not satisfy Kirchhoff's current law, or whose voltages are
not known to be exact enough (``accuracy``).  Where rounding in the matrix is too large for that,
solutions are refined element by element (``finish``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.compiled import CompiledNewton
from sim_backend.nodal.finish import Finisher
from sim_backend.nodal.laws import Branches
from sim_backend.nodal.linear import LinearSolver
from sim_backend.nodal.point import Point

__all__ = ["Newton", "NewtonOptions", "Solution"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_PATHS = 3
"""Paths followed, from different beginnings, before a circuit is given up."""


@dataclass(frozen=True, slots=True)
class NewtonOptions:
    """When a solution is one.

    Attributes:
        volts: a step that moves no node by more is the last one; also the largest estimated
            error of a node that counts as converged.
        relative: the same relative to the largest node voltage.
        residual: largest current left over at a node, relative to the currents that meet there.
        steps: Newton steps before help is called in.
    """

    volts: float = 1e-9
    relative: float = 1e-9
    residual: float = 1e-6
    steps: int = 100


@dataclass(frozen=True)
class Solution:
    """Operating points of a batch.

    Attributes:
        node_volts: (batch, n_nodes), in the order of ``Solver.nodes``.
        residual: (batch,) largest current left over at a node, relative to those that meet there.
        error_volts: (batch,) the node voltages are off by no more, rounding included; see
            ``accuracy``.
        ok: (batch,) converged, and ``error_volts`` is within ``NewtonOptions``.
        work_out_source_amps: called when somebody asks for ``source_amps``.
    """

    node_volts: Floats
    residual: Floats
    error_volts: Floats
    ok: BoolArray
    work_out_source_amps: Callable[[], Floats] = field(repr=False)

    @functools.cached_property
    def source_amps(self) -> Floats:
        """(batch, n_voltage_sources) from plus through the source to minus."""
        return self.work_out_source_amps()


class Newton:
    """State of the iteration on a batch."""

    def __init__(
        self,
        equations: Equations,
        branches: Branches,
        linear: LinearSolver,
        compiled: CompiledNewton,
        options: NewtonOptions,
        levels: Floats,
        finisher: Finisher,
    ) -> None:
        self.equations = e = equations
        self.finisher = finisher
        self.branches, self.linear, self.options = branches, linear, options
        self.compiled = compiled
        self.levels = levels
        batch = len(levels)
        self.held = (e.held_volts @ levels.T).T
        self.right = (e.drive @ levels.T).T - (e.held_matrix @ self.held.T).T
        self.offset = (e.held_incidence.T @ self.held.T).T
        self.x = np.zeros((batch, e.n_unknowns))
        self.bias = np.zeros((batch, e.n_nonlinear))
        self.amps_ideal = np.zeros((batch, len(e.ideal)))
        self.on = np.zeros((batch, len(e.ideal)), bool)
        self.done = np.zeros(batch, bool)
        self.error, self.residual = np.full(batch, np.inf), np.full(batch, np.inf)

    def run(self, near: Floats | None = None) -> None:
        """Settle all; ``near`` (batch, n_nodes) are node voltages to start from."""
        everyone = np.arange(len(self.x))
        if near is not None:
            self.start(near)
            everyone = self.settle(everyone, is_cold=False)
            self.forget(everyone)
        self.settle(everyone, is_cold=True)
        self.finish(np.arange(len(self.x)))
        for help_ in (self.step_gmin, self.follow_paths, self.scatter):
            lost = np.flatnonzero(~self.done)
            if lost.size:
                help_(lost)
                self.finish(lost)

    def finish(self, who: NDArray[np.intp]) -> None:
        """Estimate errors, and refine what has not settled or not as exactly as it should."""
        accuracy, part = self.finisher.accuracy, self.point().part(who)
        with np.errstate(over="ignore", invalid="ignore"):
            sight, small = accuracy.look(part), self.small(accuracy.largest(part.x))
        self.residual[who] = sight.residual
        settled = self.done[who] & np.isfinite(small)
        error = accuracy.error(part, sight, np.where(settled, small, np.inf))
        self.error[who] = np.maximum(self.error[who], error)
        fine = settled & (self.error[who] <= small) & (self.residual[who] <= self.options.residual)
        self.refine(who[~fine])

    def refine(self, coarse: NDArray[np.intp]) -> None:
        """Correct some examples until rounding alone is left, from wherever they are."""
        found = np.concatenate([self.x[coarse], self.amps_ideal[coarse]], 1)
        self.forget(coarse[~np.isfinite(found).all(1)])
        if coarse.size:
            part = self.point().part(coarse)
            self.take(coarse, part, *self.finisher.refine(part, self.small))

    def scatter(self, lost: NDArray[np.intp]) -> None:
        """Corrections from many places, for circuits that lead every path astray."""
        for k in lost:
            one = np.array([k])
            part = self.point().part(one)
            self.take(one, part, *self.finisher.scatter(part, self.small))

    def take(self, who: NDArray[np.intp], part: Point, error: Floats, fine: BoolArray) -> None:
        """Take over what was corrected."""
        self.error[who] = np.where(fine, error, np.maximum(error, self.error[who]))
        self.done[who] = fine
        who, part = who[fine], part.part(fine)
        self.point().put(who, part)
        self.residual[who] = self.finisher.accuracy.residual(part)

    def point(self) -> Point:
        """The state of the whole batch."""
        return Point(
            self.x, self.on, self.amps_ideal, self.held, self.levels, self.right, self.offset
        )  # fmt: skip

    def small(self, volts: Floats) -> Floats:
        """Largest error that counts as none where node voltages are up to ``volts``."""
        return self.options.volts + self.options.relative * volts

    def settle(self, who: NDArray[np.intp], *, is_cold: bool) -> NDArray[np.intp]:
        """Newton without help for some examples; those that it does not settle."""
        if self.compiled.is_able and who.size:
            who = self.attempt(who, is_cold=is_cold)
        self.iterate(who, 0.0, 1.0)
        return who[~self.done[who]]

    def attempt(self, who: NDArray[np.intp], *, is_cold: bool) -> NDArray[np.intp]:
        """Compiled Newton; what does not settle stays where it is and is returned."""
        options = self.options
        tried = self.compiled.iterate(
            self.right[who],
            self.offset[who],
            (self.x[who], self.bias[who], self.on[who]),
            is_cold,
            (options.volts, options.relative),
            options.steps,
        )
        good = tried.done
        settled = who[good]
        self.x[settled], self.bias[settled] = tried.x[good], tried.bias[good]
        self.on[settled], self.amps_ideal[settled] = tried.on[good], tried.amps_ideal[good]
        self.error[settled], self.done[settled] = tried.moved[good], True
        return who[~good]

    def start(self, near: Floats) -> None:
        """Take node voltages (batch, n_nodes) as the point to start from; not finite is 0 V."""
        e = self.equations
        volts = np.where(np.isfinite(near), near, 0.0)
        nodes = np.flatnonzero(e.unknown >= 0)
        self.x[:, e.unknown[nodes]] = volts[:, nodes]
        self.bias = (e.incidence.T @ self.x.T).T + self.offset
        n = self.branches.n_smooth
        # Conducting ones sit at their voltage, to rounding.
        rounding = 1e-9 * (1.0 + np.abs(volts).max(1, initial=0.0))[:, None]
        self.on = self.bias[:, n:] > self.branches.ideal_volts - rounding

    def step_gmin(self, lost: NDArray[np.intp]) -> None:
        """Lower a conductance across every nonlinear branch by decades."""
        self.forget(lost)
        for exponent in range(-2, -13, -1):
            self.iterate(lost, 10.0**exponent, 1.0)
            lost = lost[self.done[lost]]
        self.iterate(lost, 0.0, 1.0)

    def follow_paths(self, lost: NDArray[np.intp]) -> None:
        """Continuation from a circuit that is easy; see ``continuation``."""
        continuation = self.finisher.continuation()
        for k in lost:
            one = np.array([k])
            for seed in range(_PATHS):
                end = continuation.follow(self.point().part(one), seed)
                if end is not None:
                    self.point().put(one, end)
                    self.finish(one)
                if self.done[k]:
                    break

    def forget(self, who: NDArray[np.intp]) -> None:
        """Begin some examples anew at 0 V."""
        self.x[who], self.bias[who], self.on[who] = 0.0, 0.0, False
        self.amps_ideal[who] = 0.0

    def iterate(self, who: NDArray[np.intp], gmin: float, scale: float) -> None:
        """Newton steps for some examples until each has converged or the steps are used up."""
        options = self.options
        self.done[who] = False
        for _ in range(options.steps):
            if not who.size:
                return
            moved, stable = self.step(who, gmin, scale)
            small = options.volts + options.relative * np.abs(self.x[who]).max(1, initial=0.0)
            settled = stable & (moved <= small)
            self.done[who[settled]] = True
            self.error[who] = moved
            who = who[~settled & np.isfinite(moved)]

    def step(self, who: NDArray[np.intp], gmin: float, scale: float) -> tuple[Floats, BoolArray]:
        """One step: largest move of a voltage, and whether no voltage was limited or switched."""
        e, branches = self.equations, self.branches
        n = branches.n_smooth
        bias, on, offset = self.bias[who], self.on[who], scale * self.offset[who]
        amps, siemens = branches.evaluate(bias, gmin)
        x, through = self.linear.solve(
            scale * self.right[who],
            amps - siemens * bias[:, :n],
            siemens,
            on,
            branches.ideal_volts - offset[:, n:],
            offset[:, :n],
        )
        volts = (e.incidence.T @ x.T).T + offset
        limited = branches.limit(volts, bias)
        now_on = np.where(on, through > 0.0, volts[:, n:] > branches.ideal_volts)
        moved = np.abs(x - self.x[who]).max(1, initial=0.0)
        moved = np.maximum(moved, np.abs(volts - bias)[:, :n].max(1, initial=0.0))
        stable = (limited == volts).all(1) & (now_on == on).all(1)
        self.x[who], self.bias[who] = x, limited
        self.on[who], self.amps_ideal[who] = now_on, np.where(on, through, 0.0)
        return moved, stable

    def solution(self) -> Solution:
        """What was found, and what it is worth."""
        e = self.equations
        nodes = np.empty((len(self.x), len(e.nodes)))
        free = e.unknown >= 0
        nodes[:, free] = self.x[:, e.unknown[free]]
        nodes[:, ~free] = self.held[:, e.held[~free]]
        ok = self.done & (self.residual <= self.options.residual)
        residual, error = (
            np.where(np.isnan(found), np.inf, found) for found in (self.residual, self.error)
        )  # fmt: skip
        return Solution(
            nodes, residual, error, ok,
            functools.partial(self.source_amps, e.siemens),
        )  # fmt: skip

    def amps(self) -> Floats:
        """(batch, n_nonlinear) currents of the nonlinear branches."""
        volts = (self.equations.incidence.T @ self.x.T).T + self.offset
        smooth, _ = self.branches.evaluate(volts)
        return np.concatenate([smooth, self.amps_ideal], 1)

    def source_amps(self, siemens: Floats) -> Floats:
        """Currents of the voltage sources; ``siemens`` are the conductances of the resistors."""
        e, amps = self.equations, self.amps()
        state = np.concatenate([self.x, self.held, amps, self.levels], 1)
        found = np.zeros((len(self.x), e.n_voltage_sources))
        for k, name in enumerate(e.sources[: e.n_voltage_sources]):
            if name in e.branches:
                found[:, k] = self.x[:, e.branches[name]]
        found[:, e.holders] = (e.holding @ (e.held_rows(siemens) @ state.T)).T
        return found
