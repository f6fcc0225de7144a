r"""How far voltages are from the solution.

Rounding in a matrix is a small change of its elements that differs from row to row, and where the
conductances at a node differ by many decades it moves the solution by far more than the last
Newton step.  Two estimates of that, the second one dearer, say whether a solution holds:

1. Where there is nothing but conductances, J is an M-matrix: with any voltages :math:`z > 0` that
   draw currents :math:`J z > 0` from all nodes, rounding w in the equations moves no node by more
   than :math:`z_i \max_j w_j / (J z)_j`.
2. The error that w makes, by a solution with the matrix itself.

Where neither is small enough, ``finish`` corrects the voltages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.balance import Balance
from sim_backend.nodal.elements import (
    Amplifier,
    CurrentControlledVoltage,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.laws import Branches
from sim_backend.nodal.leftover import left_over
from sim_backend.nodal.linear import LinearSolver
from sim_backend.nodal.parts import ends
from sim_backend.nodal.point import Point

__all__ = ["DOUBLE", "Accuracy", "Correct", "Sight"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Places = NDArray[np.intp]
Correct: TypeAlias = Callable[[Floats, Floats, BoolArray, Floats], tuple[Floats, Floats]]
"""See :meth:`Accuracy.correct`."""

DOUBLE = 2.0**-52
_LAW_ROUNDINGS = 40.0
"""Units in the last place that a junction's current may be off; see ``Branches.rounding_amps``."""
_SIGN_MARGIN = 3.0
"""Errors of random signs, times this, stand for the worst signs."""
_NEAR = 0.2
"""Voltages that bound errors are found anew where they draw less than this share of the current."""


@dataclass(frozen=True)
class Sight:
    """What the matrix says about a batch.

    Attributes:
        volts: (batch, n_nonlinear) of the nonlinear branches.
        amps: (batch, n_nonlinear) their currents.
        siemens: (batch, n_smooth) slopes of the smooth ones.
        left: (batch, n_x) left over in each equation.
        meeting: (batch, n_x) sums of absolute terms there.
    """

    volts: Floats
    amps: Floats
    siemens: Floats
    left: Floats
    meeting: Floats

    @property
    def residual(self) -> Floats:
        """(batch,) largest share of what meets in an equation that is left over there.

        What rounding of the largest terms of all leaves behind where nothing flows does not count.
        """
        left = np.abs(self.left)
        nothing = 4.0 * DOUBLE * self.meeting.max(1, initial=0.0, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(left <= nothing, 0.0, left / self.meeting)
        worst: Floats = share.max(1, initial=0.0)
        return worst


class Accuracy:
    """Estimates errors of solutions of one circuit.

    Args:
        equations: of the circuit.
        branches: its nonlinear branches.
        linear: its factorisations.
        gmin_siemens: conductance across every junction.
    """

    def __init__(
        self, equations: Equations, branches: Branches, linear: LinearSolver, gmin_siemens: float
    ) -> None:
        self._equations = e = equations
        self._branches, self._linear = branches, linear
        self._gmin_siemens = gmin_siemens
        self._nodes = e.unknown[e.unknown >= 0]
        self._is_all_nodes = self._nodes.size == e.n_unknowns
        parts = e.parts
        # A resistor from a node to itself drops out of the matrix, but its rounding does not.
        self._is_looped = bool((parts.resistor_plus == parts.resistor_minus).any())
        self._is_plain = e.is_reciprocal and self._is_all_nodes and not self._is_looped
        n = branches.n_smooth
        is_between: BoolArray = np.all(e.branch_ends >= 0, axis=0)
        self._is_plain &= not is_between[n:].any()
        self._is_bounded = not self._is_looped and not is_between.any()
        self._between = np.flatnonzero(is_between[:n])
        self._two_sided = e.incidence[:, self._between]
        self._floating = _floating_loops(e, n)
        self._roundings = 2.0 if not e.n_nonlinear else _LAW_ROUNDINGS
        self._tried: tuple[Floats, Floats, Floats] | None = None

    @functools.cached_property
    def balance(self) -> Balance:
        """What the elements leave over."""
        return Balance(self._equations, self._gmin_siemens)

    def volts(self, point: Point) -> Floats:
        """Voltages of the nonlinear branches, (batch, n_nonlinear)."""
        found: Floats = (self._equations.incidence.T @ point.x.T).T + point.offset
        return found

    def largest(self, x: Floats) -> Floats:
        """Largest node voltage of each example among ``x``, volts, (batch,)."""
        nodes = x if self._is_all_nodes else x[:, self._nodes]
        found: Floats = np.abs(nodes).max(1, initial=0.0)
        return found

    def look(self, point: Point) -> Sight:
        """See :class:`Sight`."""
        e, volts = self._equations, self.volts(point)
        amps, siemens = self._branches.evaluate(volts)
        amps = np.concatenate([amps, point.amps_ideal], 1)
        left, meeting = left_over(e.matrix, e.branch_ends, point.x, point.right, amps, np.abs(amps))
        meeting += e.boundary_sizes(point.levels, point.held)
        return Sight(volts, amps, siemens, left, meeting)

    def error(self, point: Point, sight: Sight, small: Floats) -> Floats:
        """How far the voltages may be off, volts, (batch,).

        Args:
            point: solutions.
            sight: of them.
            small: (batch,) an error that need not be known better.
        """
        rounding = np.abs(sight.left) + self._roundings * DOUBLE * sight.meeting
        found = self._bound(rounding, sight.siemens)
        unsure = np.flatnonzero(~(found <= small))
        if unsure.size:
            amps = sight.amps[unsure, : self._branches.n_smooth]
            laws = self._branches.rounding_amps(sight.volts[unsure], amps)
            rounding = np.abs(sight.left[unsure]) + self._spread(laws)
            rounding += 2.0 * DOUBLE * self.sizes(point.part(unsure), sight.amps[unsure])
            held = 4.0 * DOUBLE * self.largest(point.x[unsure])
            found[unsure] = self.propagate(
                self.correct, rounding, held, sight.siemens[unsure], point.on[unsure]
            )
        found += DOUBLE * self.largest(point.x) + self.loops(sight.volts, sight.amps)
        return np.where(self.is_impossible(point, sight.volts, small), np.inf, found)

    def is_impossible(self, point: Point, volts: Floats, small: Floats) -> BoolArray:
        """(batch,) whether some branch is where its law does not allow it to be.

        An ideal diode above its voltage, or one that carries below it or back; a junction at
        currents for which its law is not followed any more.

        Args:
            point: solutions.
            volts: (batch, n_nonlinear) of the branches there.
            small: (batch,) a voltage that counts as none.
        """
        above = volts[:, self._branches.n_smooth :] - self._branches.ideal_volts
        wrong: BoolArray = (above > small[:, None]) | (point.amps_ideal < 0.0)
        wrong |= point.on & (above < -small[:, None])
        return np.asarray(wrong.any(1) | self._branches.is_beyond(volts))

    def loops(self, volts: Floats, amps: Floats) -> Floats:
        """Error, volts, (batch,), by currents that circle through voltage sources that float.

        Such a current is known to rounding, and so much of it may be taken for a current between
        the loop and the rest of the circuit.
        """
        found = np.zeros(len(volts))
        diagonal = self._equations.matrix.diagonal() if self._floating[0].size else np.zeros(0)
        for k, plus, minus in zip(*self._floating, strict=True):
            rounding = _LAW_ROUNDINGS * DOUBLE * np.abs(amps[:, k])
            with np.errstate(divide="ignore", invalid="ignore"):
                error = rounding / max(diagonal[plus], diagonal[minus])
            found = np.maximum(found, np.where(rounding > 0.0, error, 0.0))
        return found

    def residual(self, point: Point) -> Floats:
        """Like that of :class:`Sight`, element by element, (batch,)."""
        sight = self.look(point)
        left = self.balance.left(point.x, point.held, sight.amps, point.levels)
        meeting = self.sizes(point, sight.amps)
        return Sight(sight.volts, sight.amps, sight.siemens, left, meeting).residual

    def sizes(self, point: Point, amps: Floats) -> Floats:
        """Sums of absolute terms in each equation, every element by itself, (batch, n_x)."""
        e = self._equations
        if self._is_looped:
            y = np.concatenate([point.x, point.held, np.zeros((len(point.x), 1))], 1)
            meeting = (self.balance.sizes @ np.abs(y).T).T
        else:
            meeting = e.stamp_sizes(point.x, point.held)
        meeting += (abs(e.drive) @ np.abs(point.levels).T).T
        found: Floats = meeting + self._spread(amps)
        return found

    def _spread(self, amps: Floats) -> Floats:
        incidence = self._equations.incidence[:, : amps.shape[1]]
        found: Floats = (abs(incidence) @ np.abs(amps).T).T
        return found

    def _bound(self, rounding: Floats, siemens: Floats) -> Floats:
        """The first estimate; infinite where it does not apply."""
        if not self._is_plain:
            if self._is_bounded:
                return self._linear.error_bound(rounding)
            return np.full(len(rounding), np.inf)
        volts, amps = self._trial()
        if self._two_sided.shape[1]:
            drop = self._two_sided.T @ volts
            amps = amps + (self._two_sided @ (siemens[:, self._between] * drop).T).T
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(amps > 0.0, rounding / amps, np.inf).max(1, initial=0.0)
            found: Floats = share * volts.max(initial=0.0)
        return found

    def _trial(self) -> tuple[Floats, Floats]:
        """Positive voltages, (n_x,), and the currents, (n_x,), that the linear part takes there."""
        e = self._equations
        if self._tried is None or self._tried[0] is not e.siemens:
            diagonal = e.matrix.diagonal()
            if self._tried is not None:
                _, volts, _ = self._tried
                self._tried = e.siemens, volts, e.matrix @ volts
            if self._tried is None or not (self._tried[2] > _NEAR * diagonal).all():
                smooth, ideal = np.zeros((1, self._branches.n_smooth)), np.zeros((1, len(e.ideal)))
                # Where only diodes hold a node some conductance of theirs would help; it is small.
                volts = self.correct(-diagonal[None], smooth, ideal > 0.0, ideal)[0][0]
                volts = np.maximum(np.where(np.isfinite(volts), volts, 1.0), 1.0)
                self._tried = e.siemens, volts, e.matrix @ volts
        return self._tried[1:]

    def propagate(
        self, correct: Correct, rounding: Floats, held: Floats, siemens: Floats, on: BoolArray
    ) -> Floats:
        """Error of the node voltages that errors of the equations make, (batch,).

        Args:
            correct: solves.
            rounding: (batch, n_x) errors of the equations.
            held: (batch,) errors of the voltages of conducting ideal diodes.
            siemens: (batch, n_smooth) slopes.
            on: (batch, n_ideal) which conduct.
        """
        drops = np.repeat(held[:, None], on.shape[1], axis=1)
        worst = np.zeros(len(rounding))
        for signs in self._signs(rounding.shape[1]):
            moved, _ = correct(signs * rounding, siemens, on, drops)
            size = self.largest(moved)
            worst = np.maximum(worst, np.where(np.isfinite(size), size, np.inf))
        return worst

    def _signs(self, n: int) -> list[Floats]:
        """All alike, the worst case of a network of resistors; and at random, for others."""
        alike = np.ones(n)
        if self._equations.is_reciprocal and self._is_all_nodes:
            return [alike]
        return [alike, _SIGN_MARGIN * np.random.default_rng(n).choice([-1.0, 1.0], size=n)]

    def correct(
        self, left: Floats, siemens: Floats, on: BoolArray, on_volts: Floats
    ) -> tuple[Floats, Floats]:
        """Correct with factors in double precision.

        Args:
            left: (batch, n_x) left over.
            siemens: (batch, n_smooth) slopes.
            on: (batch, n_ideal) which ideal diodes conduct.
            on_volts: (batch, n_ideal) how far a conducting one is below its voltage.

        Returns:
            (batch, n_x) and (batch, n_ideal) what to add.
        """
        nothing = np.zeros_like(siemens)
        with np.errstate(all="ignore"):
            return self._linear.solve(-left, nothing, siemens, on, on_volts, nothing)


def _floating_loops(e: Equations, n_smooth: int) -> tuple[Places, Places, Places]:
    """Smooth branches that voltage sources bridge which no source ties to ground.

    Returns:
        The branches, and the places in x of their ends, three arrays of one length.
    """
    kinds = (VoltageSource, VoltageControlledVoltage, CurrentControlledVoltage, Amplifier)
    index, n = e.parts.index, len(e.nodes)
    pairs = [ends(element) for element in e.parts.others if isinstance(element, kinds)]
    tails, heads = ([index[pair[side]] % (n + 1) for pair in pairs] for side in (0, 1))
    graph = sparse.coo_matrix((np.ones(len(pairs)), (tails, heads)), (n + 1, n + 1))
    _, label = csgraph.connected_components(graph, directed=False)
    # The last entry is for held nodes, whose place is -1.
    of_unknown = np.full(e.n_unknowns + 1, label[n])
    free = e.unknown >= 0
    of_unknown[e.unknown[free]] = label[:-1][free]
    plus, minus = e.branch_ends[:, :n_smooth]
    both = (plus >= 0) & (minus >= 0) & (plus != minus)
    is_bridged = both & (of_unknown[plus] == of_unknown[minus]) & (of_unknown[plus] != label[n])
    found = np.flatnonzero(is_bridged)
    return found, plus[found], minus[found]
