"""The phases of equilibrium propagation on one batch (thesis 4.3.2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from hil.arrays import BoolArray, Floats
from hil.costs import Cost
from hil.energy import Term
from hil.errors import UsageError
from hil.estimators import Estimator
from hil.substrate import (
    ComparesDrops,
    Comparisons,
    Drive,
    Settled,
    SettlesEach,
    Substrate,
)

__all__ = ["FreePhase", "Scheduler", "output_volts"]


@functools.cache
def _type_settles_each(kind: type[Substrate]) -> bool:
    return issubclass(kind, SettlesEach)


def _settles_each(substrate: Substrate) -> TypeGuard[SettlesEach]:
    """Asked once a type: a structural check takes longer than settling a small network."""
    return _type_settles_each(type(substrate))


def output_volts(substrate: Substrate, settled: Settled) -> Floats:
    """Voltages of the output nodes, (batch, n_outputs)."""
    nodes = substrate.spec.topology.outputs
    if int(nodes[-1]) - int(nodes[0]) + 1 == nodes.size:
        return settled.node_volts[:, int(nodes[0]) : int(nodes[-1]) + 1]
    return settled.node_volts[:, nodes]


@dataclass(frozen=True, slots=True)
class FreePhase:
    """Result of a free phase.

    Attributes:
        settled: the states.
        output_volts: (batch, n_outputs).
        nudge_volts: ``-dC/dV`` frozen at the free state, (batch, n_outputs); zero for an
            example that did not settle, which therefore takes no part in learning.
    """

    settled: Settled
    output_volts: Floats
    nudge_volts: Floats


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Runs the phases; owns their order, warm starts and the nudge.

    Attributes:
        cost: cost at the outputs.
        estimator: which phases and weights.
        beta_siemens: nudging factor; eq. (4.16) gives it the unit of a conductance.
    """

    cost: Cost
    estimator: Estimator
    beta_siemens: float

    def __post_init__(self) -> None:
        """Refuse a nudging factor that is no positive number.

        Raises:
            UsageError: see above.
        """
        beta = self.beta_siemens
        if not isinstance(beta, int | float | np.floating) or not 0.0 < beta < np.inf:
            raise UsageError(f"beta_siemens must be positive and finite; got {beta!r}")

    def free(self, substrate: Substrate, input_volts: Floats, targets: Floats) -> FreePhase:
        """Settle freely and find the nudge.

        Args:
            substrate: where.
            input_volts: (batch, n_inputs).
            targets: (batch, n_targets), volts or probabilities as the cost has it.
        """
        settled = substrate.settle(Drive(input_volts))
        outputs = output_volts(substrate, settled)
        nudge = -self.cost.gradient(outputs, targets)
        if np.count_nonzero(settled.ok) < settled.ok.size:
            nudge[~settled.ok] = 0.0
        return FreePhase(settled, outputs, nudge)

    def terms(
        self,
        substrate: Substrate,
        input_volts: Floats,
        free: FreePhase,
        rng: np.random.Generator,
    ) -> tuple[tuple[Term, ...], BoolArray]:
        """Run the nudged phases; weighted states of the batch-mean gradient estimate.

        Returns:
            The terms whose contrast is the mean gradient, and which examples took part.
            An example that failed in any phase is 0 V everywhere in all of them, so that it
            contributes nothing.
        """
        stencil = self.estimator.stencil(rng)
        multiples = [multiple for multiple, _ in stencil if multiple != 0.0]
        nudged = iter(self._nudged(substrate, input_volts, free, multiples))
        phases: list[tuple[float, Settled]] = []
        ok = free.settled.ok
        for multiple, weight in stencil:
            settled = free.settled
            if multiple != 0.0:
                settled = next(nudged)
                ok = ok & settled.ok
            phases.append((weight, settled))
        n_ok = int(np.count_nonzero(ok))
        if n_ok < ok.size:
            phases = [(w, _silenced(s, ~ok)) for w, s in phases]
        scale = 1.0 / (self.beta_siemens * max(1, n_ok))
        return tuple(Term(w * scale, s.node_volts) for w, s in phases), ok

    def _nudged(
        self, substrate: Substrate, input_volts: Floats, free: FreePhase, multiples: list[float]
    ) -> list[Settled]:
        """Settle with so many times beta, in this order."""
        near = free.settled
        drives = [
            Drive(input_volts, (multiple * self.beta_siemens) * free.nudge_volts)
            for multiple in multiples
        ]
        if _settles_each(substrate):
            return substrate.settle_each(drives, near)
        states: list[Settled] = []
        for place, drive in enumerate(drives):
            start = near
            if -multiples[place] in multiples[:place]:
                # To first order in beta the opposite nudge moves every node the other way.
                opposite = states[multiples.index(-multiples[place])]
                mirrored = near.node_volts + near.node_volts
                mirrored -= opposite.node_volts
                start = Settled(mirrored, near.ok)
            states.append(substrate.settle(drive, start))
        return states

    def compare(
        self,
        substrate: Substrate,
        input_volts: Floats,
        free: FreePhase,
        dead_zone_volts: float,
        against_free: bool,
    ) -> Comparisons:
        """One bit a device and example: ``|dV_beta|`` against ``|dV_0|`` or ``|dV_-beta|``.

        Only examples that settled freely are driven; the others have no nudge and no vote.
        """
        took_part = free.settled.ok
        if not took_part.any():
            return Comparisons(np.zeros(substrate.spec.topology.n_devices, np.int32), took_part)
        unit = free.nudge_volts.dtype.type(self.beta_siemens) * free.nudge_volts
        near = free.settled
        if not took_part.all():
            input_volts, unit = input_volts[took_part], unit[took_part]
            near = Settled(near.node_volts[took_part], near.ok[took_part])
        first = Drive(input_volts, None if against_free else -unit)
        second = Drive(input_volts, unit)
        if isinstance(substrate, ComparesDrops):
            result = substrate.accumulate_comparisons(first, second, dead_zone_volts, near)
        else:
            before = substrate.settle(first, near)
            after = substrate.settle(second, near)
            result = _compare_held(substrate, before, after, dead_zone_volts)
        ok = took_part.copy()
        ok[took_part] = result.ok
        return Comparisons(result.votes, ok)


def _silenced(settled: Settled, where: BoolArray) -> Settled:
    volts = settled.node_volts.copy()
    volts[where] = 0.0
    return Settled(volts, settled.ok)


def _compare_held(
    substrate: Substrate, before: Settled, after: Settled, dead_zone_volts: float
) -> Comparisons:
    """Compare in software what was held, example by example."""
    topology = substrate.spec.topology
    ok = before.ok & after.ok
    votes = np.zeros(topology.n_devices, np.int32)
    for b in np.flatnonzero(ok):
        low, high = before.node_volts[b], after.node_volts[b]
        rise = np.abs(high[topology.tails] - high[topology.heads])
        rise -= np.abs(low[topology.tails] - low[topology.heads])
        votes += (rise > dead_zone_volts).astype(np.int32)
        votes -= (rise < -dead_zone_volts).astype(np.int32)
    return Comparisons(votes, ok)
