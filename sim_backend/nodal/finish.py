r"""What takes voltages the rest of the way to the solution.

Corrections follow from what the elements themselves leave over (``balance``).  They shrink as long
as the factors are worth anything; where they are not, factors of twice the digits take over.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.accuracy import DOUBLE, Accuracy, Correct
from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.continuation import Continuation
from sim_backend.nodal.laws import Branches
from sim_backend.nodal.linear import LinearSolver
from sim_backend.nodal.point import Point
from sim_backend.nodal.quadruple import QuadrupleSolver

__all__ = ["Finisher"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_QUADRUPLE = 2.0**-102
_STEPS, _PLACES = 25, 64
_FEW_UNKNOWNS = 40
"""So few that many places can be tried in twice the digits."""
_WORTHLESS = 0.1
"""Share of the voltages that rounding may move before factors correct nothing any more."""
_SHRINKING = 0.3
_SLACK = 16.0
"""Units in the last place by which a conducting ideal diode may miss its voltage."""
_CLOSE = 2.0
"""Steps up an exponential by more thermal volts are shortened."""


class Finisher:
    """Refines solutions of one circuit.

    Attributes:
        accuracy: estimates their errors.

    Args:
        equations: of the circuit.
        branches: its nonlinear branches.
        linear: its factorisations.
        gmin_siemens: conductance across every junction.
    """

    def __init__(
        self, equations: Equations, branches: Branches, linear: LinearSolver, gmin_siemens: float
    ) -> None:
        self._equations, self._branches = equations, branches
        self.accuracy = Accuracy(equations, branches, linear, gmin_siemens)

    @functools.cached_property
    def _quadruple(self) -> QuadrupleSolver:
        return QuadrupleSolver(self._equations, self.accuracy.balance)

    def continuation(self) -> Continuation:
        """For the conductances of now."""
        return Continuation(self._equations, self._branches, self.accuracy.balance)

    def refine(self, point: Point, small: Callable[[Floats], Floats]) -> tuple[Floats, BoolArray]:
        """Correct a batch in place.

        Args:
            point: near solutions.
            small: error that counts as none, volts, from the largest node voltages (batch,).

        Returns:
            (batch,) error in volts; (batch,) whether corrected.
        """
        start = point.part(np.arange(len(point.x)))
        error, fine = self._refine(point, small, self.accuracy.correct, DOUBLE)
        lost = np.flatnonzero(~fine)
        if lost.size:
            again = start.part(lost)
            error[lost], fine[lost] = self._refine(
                again, small, self._quadruple.solve, _QUADRUPLE
            )  # fmt: skip
            point.put(lost, again)
        return error, fine

    def scatter(self, point: Point, small: Callable[[Floats], Floats]) -> tuple[Floats, BoolArray]:
        """Try to correct one example from many places at once; arguments as of :meth:`refine`."""
        rng = np.random.default_rng(0)
        many = point.part(np.zeros(_PLACES, np.intp))
        # Of all sizes that voltages have.
        size = np.geomspace(1e-2, 1e3, _PLACES)[:, None]
        many.x = size * rng.normal(size=many.x.shape)
        many.on = rng.random(many.on.shape) < 0.5
        many.amps_ideal = np.zeros(many.on.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            if many.x.shape[1] + many.on.shape[1] <= _FEW_UNKNOWNS:
                error, fine = self.refine(many, small)
            else:
                error, fine = self._refine(many, small, self.accuracy.correct, DOUBLE)
        first = np.flatnonzero(fine)[:1]
        if not first.size:
            return np.full(1, np.inf), np.zeros(1, bool)
        point.put(np.array([0]), many.part(first))
        return error[first], fine[first]

    def _refine(
        self, point: Point, small: Callable[[Floats], Floats], correct: Correct, unit: float
    ) -> tuple[Floats, BoolArray]:
        batch = len(point.x)
        error, fine = np.full(batch, np.inf), np.zeros(batch, bool)
        last, who = np.full(batch, np.inf), np.arange(batch)
        for _ in range(_STEPS):
            if not who.size:
                break
            part = point.part(who)
            size, whole = self._step(part, correct)
            alive = np.isfinite(size)
            point.put(who[alive], part.part(alive))
            rounding = 2.0 * DOUBLE * self.accuracy.largest(part.x)
            limit = small(self.accuracy.largest(part.x))
            # As exact as doubles can be, or small and no longer shrinking.
            end = whole & ((size <= rounding) | ((size <= limit) & (size > _SHRINKING * last[who])))
            error[who], last[who] = size + rounding, size
            fine[who[end]] = True
            who = who[alive & ~end]
        found = np.flatnonzero(fine)
        if found.size:
            part = point.part(found)
            error[found] += self._doubt(part, correct, unit)
            fine[found] = error[found] <= small(self.accuracy.largest(part.x))
        return error, fine

    def _step(self, point: Point, correct: Correct) -> tuple[Floats, BoolArray]:
        """One correction: its size in volts, (batch,), and whether whole and without a switch."""
        n = self._branches.n_smooth
        volts = self.accuracy.volts(point)
        amps, siemens = self._branches.evaluate(volts)
        through = np.concatenate([amps, point.amps_ideal], 1)
        left = self.accuracy.balance.left(point.x, point.held, through, point.levels)
        below = self._branches.ideal_volts - volts[:, n:]
        step, step_amps = correct(left, siemens, point.on, below)
        share = self._share(volts, (self._equations.incidence.T @ step.T).T)[:, None]
        point.x += share * step
        point.amps_ideal += share * step_amps
        above = self.accuracy.volts(point)[:, n:] - self._branches.ideal_volts
        # A conducting one sits at its voltage to rounding.
        slack = _SLACK * DOUBLE * self.accuracy.largest(point.x)[:, None]
        on = np.where(point.on, point.amps_ideal > 0.0, above > slack)
        whole = (share[:, 0] == 1.0) & (on == point.on).all(1)
        # Diodes that fight each other carry more and more without ever being at their voltages.
        missed = np.where(on & point.on, np.abs(above), 0.0).max(1, initial=0.0)
        point.on, point.amps_ideal = on, np.where(on, point.amps_ideal, 0.0)
        size = self.accuracy.largest(step)
        return np.where(missed > slack[:, 0], np.maximum(size, missed), size), whole

    def _share(self, volts: Floats, step: Floats) -> Floats:
        """Share of a step that moves no conducting junction up by more than a little."""
        thermal, critical = self._branches.junction_volts
        n = thermal.size
        rise = np.where(
            volts[:, :n] + step[:, :n] > critical, step[:, :n] / (_CLOSE * thermal), 0.0
        )
        found: Floats = 1.0 / np.maximum(rise.max(1, initial=0.0), 1.0)
        return found

    def _doubt(self, point: Point, correct: Correct, unit: float) -> Floats:
        """What refinement cannot see: rounding of the laws; infinite if factors are worthless."""
        volts = self.accuracy.volts(point)
        amps, siemens = self._branches.evaluate(volts)
        rows = unit * self.accuracy.sizes(point, np.concatenate([amps, point.amps_ideal], 1))
        held = unit * self.accuracy.largest(point.x)
        moved = self.accuracy.propagate(correct, rows, held, siemens, point.on)
        worthless = ~(moved <= _WORTHLESS * self.accuracy.largest(point.x))
        worthless &= moved > 0.0
        rounding = self._branches.rounding_amps(volts, amps)
        signs = np.random.default_rng(rounding.shape[1]).choice([-1.0, 1.0], rounding.shape[1])
        smooth = self._equations.incidence[:, : rounding.shape[1]]
        left = (smooth @ (signs * rounding).T).T
        step, _ = correct(left, siemens, point.on, np.zeros(point.on.shape))
        size = 2.0 * self.accuracy.largest(step)
        size += self.accuracy.loops(volts, amps)
        small = _SLACK * DOUBLE * self.accuracy.largest(point.x)
        worthless |= self.accuracy.is_impossible(point, volts, small)
        return np.where(worthless | ~np.isfinite(size), np.inf, size)
