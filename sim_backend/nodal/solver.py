r"""Operating points: damped Newton on equation (1) of ``assembly``, for many examples at once.

Every step replaces the nonlinear branches by their tangents and solves the linear circuit that
results.  Junction voltages are limited between steps (Nagel 1975); where that does not converge, a
conductance across every nonlinear branch is lowered by decades (gmin stepping), then the sources
are raised from zero (source stepping).  An ideal diode is a branch of its own that is either
open or a source of its series voltage; its state follows from the step before, and the solution
is exact once no state changes.

Nothing is returned as solved that does not satisfy Kirchhoff's current law: the residual of the
true equations decides, and one more Newton step estimates the error of the voltages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.elements import Circuit
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, Branches, Junctions
from sim_backend.nodal.linear import LinearSolver

__all__ = ["NewtonOptions", "Solution", "Solver"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


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
        error_volts: (batch,) estimated error of the node voltages, from one more Newton step.
        ok: (batch,) converged.
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


class Solver:
    """Solves one circuit for many levels of its sources.

    Args:
        circuit: what to solve; checked and assembled here, once.
        options: convergence.
        volts_per_kelvin: ``k / q``; simulators differ in the sixth digit.

    Raises:
        CircuitError: see :func:`sim_backend.nodal.checks.check_parts`.
    """

    def __init__(
        self,
        circuit: Circuit,
        options: NewtonOptions | None = None,
        volts_per_kelvin: float = BOLTZMANN_OVER_CHARGE,
    ) -> None:
        self.equations = Equations(circuit)
        self.options = options or NewtonOptions()
        equations = self.equations
        # Gmin is part of the matrix already.
        junctions = Junctions(equations.junctions, circuit.kelvin, 0.0, volts_per_kelvin)
        self._branches = Branches(junctions, equations.curves, equations.ideal)
        self._linear = LinearSolver(equations)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, ground left out; inner nodes of diodes (``d#inner``) last."""
        return self.equations.nodes

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of voltage sources, then of current sources."""
        return self.equations.sources

    def solve(self, levels: Mapping[str, Floats] | Floats | None = None) -> Solution:
        """Operating points.

        Args:
            levels: (batch, n_sources) volts and amps in the order of ``sources``; or levels of
                some sources by name, (batch,), the others at their nominal ones; None for one
                example at nominal levels.
        """
        given = self._levels(levels)
        newton = _Newton(self.equations, self._branches, self._linear, self.options, given)
        newton.run()
        return newton.solution()

    def _levels(self, levels: Mapping[str, Floats] | Floats | None) -> Floats:
        nominal = self.equations.levels
        if levels is None:
            return nominal[None].copy()
        if isinstance(levels, np.ndarray):
            if levels.ndim != 2 or levels.shape[1] != nominal.size or not len(levels):
                raise ValueError(
                    f"levels must be (batch, {nominal.size}), one a source; got {levels.shape}"
                )
            given = levels.astype(float)
        else:
            batch = max((np.size(v) for v in levels.values()), default=1)
            given = np.repeat(nominal[None], batch, axis=0)
            for name, values in levels.items():
                if name not in self.sources:
                    raise ValueError(f"there is no source {name}")
                given[:, self.sources.index(name)] = values
        if not np.isfinite(given).all():
            raise ValueError("a source level is not finite")
        return given


class _Newton:
    """State of the iteration on a batch."""

    def __init__(
        self,
        equations: Equations,
        branches: Branches,
        linear: LinearSolver,
        options: NewtonOptions,
        levels: Floats,
    ) -> None:
        self.equations = e = equations
        self.branches, self.linear, self.options = branches, linear, options
        self.levels = levels
        batch = len(levels)
        self.held = (
            levels @ e.held_volts.T.toarray()
            if e.held_volts.nnz
            else np.zeros((batch, e.held_volts.shape[0]))
        )
        self.right = (e.drive @ levels.T).T - (e.held_matrix @ self.held.T).T
        self.offset = (e.held_incidence.T @ self.held.T).T
        self.x = np.zeros((batch, e.n_unknowns))
        self.bias = np.zeros((batch, e.n_nonlinear))
        self.amps_ideal = np.zeros((batch, len(e.ideal)))
        self.on = np.zeros((batch, len(e.ideal)), bool)
        self.done = np.zeros(batch, bool)
        self.error = np.full(batch, np.inf)

    def run(self) -> None:
        everyone = np.arange(len(self.x))
        self.iterate(everyone, 0.0, 1.0)
        for help_ in (self.step_gmin, self.step_sources):
            lost = np.flatnonzero(~self.done)
            if lost.size:
                help_(lost)

    def step_gmin(self, lost: NDArray[np.intp]) -> None:
        self.forget(lost)
        for exponent in range(-2, -13, -1):
            self.iterate(lost, 10.0**exponent, 1.0)
        self.iterate(lost, 0.0, 1.0)

    def step_sources(self, lost: NDArray[np.intp]) -> None:
        """Raise the sources, by steps that shrink where Newton fails and grow where not."""
        for k in lost:
            one = np.array([k])
            self.forget(one)
            reached, step = 0.0, 0.1
            kept = self.keep(one)
            while reached < 1.0 and step > 1e-5:
                aim = min(1.0, reached + step)
                self.iterate(one, 0.0, aim)
                if self.done[k]:
                    reached, step, kept = aim, 2.0 * step, self.keep(one)
                else:
                    self.restore(one, kept)
                    step *= 0.25
            if reached < 1.0:
                self.iterate(one, 0.0, 1.0)

    def keep(self, who: NDArray[np.intp]) -> tuple[Floats, ...]:
        return self.x[who].copy(), self.bias[who].copy(), self.on[who].copy()

    def restore(self, who: NDArray[np.intp], kept: tuple[Floats, ...]) -> None:
        self.x[who], self.bias[who], self.on[who] = kept

    def forget(self, who: NDArray[np.intp]) -> None:
        self.x[who], self.bias[who], self.on[who] = 0.0, 0.0, False

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
        e = self.equations
        volts = (e.incidence.T @ self.x.T).T + self.offset
        smooth, _ = self.branches.evaluate(volts)
        amps = np.concatenate([smooth, self.amps_ideal], 1)
        residual = self.residual(amps)
        nodes = np.empty((len(self.x), len(e.nodes)))
        free = e.unknown >= 0
        nodes[:, free] = self.x[:, e.unknown[free]]
        nodes[:, ~free] = self.held[:, e.held[~free]]
        ok = self.done & (residual <= self.options.residual)
        return Solution(
            nodes, residual, self.error, ok,
            functools.partial(self.source_amps, amps),
        )  # fmt: skip

    def residual(self, amps: Floats) -> Floats:
        """Largest current left over, relative to the sum of absolute currents that meet."""
        e = self.equations
        left = (e.matrix @ self.x.T + e.incidence @ amps.T).T - self.right
        meeting = (abs(e.matrix) @ np.abs(self.x).T + abs(e.incidence) @ np.abs(amps).T).T
        meeting += (abs(e.drive) @ np.abs(self.levels).T).T
        meeting += (abs(e.held_matrix) @ np.abs(self.held).T).T
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(left == 0.0, 0.0, np.abs(left) / meeting)
        worst: Floats = share.max(1, initial=0.0)
        return worst

    def source_amps(self, amps: Floats) -> Floats:
        e = self.equations
        state = np.concatenate([self.x, self.held, amps, self.levels], 1)
        found = np.zeros((len(self.x), e.n_voltage_sources))
        for k, name in enumerate(e.sources[: e.n_voltage_sources]):
            if name in e.branches:
                found[:, k] = self.x[:, e.branches[name]]
        found[:, e.holders] = (e.holding @ (e.held_rows @ state.T)).T
        return found
