"""Substrates that record what rules ask of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.arrays import Floats, IntArray
from hil.costs import SquaredError
from hil.energy import ResistorEnergy, Term
from hil.estimators import Centred
from hil.rules import UpdateRule
from hil.scheduler import Scheduler
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Crossbar, Topology

PULSE = 1e-5
BETA = 1e-3


class Pulsed(Substrate):
    """Two groups of dividers from two inputs; it can settle and be pulsed, nothing else."""

    def __init__(self) -> None:
        inputs, first, second = np.array([0, 1]), np.array([2, 3]), np.array([4])
        topology = Topology(
            5, inputs, np.array([2, 3, 4]), (Crossbar(inputs, first), Crossbar(inputs, second))
        )
        super().__init__(
            SubstrateSpec(
                "pulsed",
                topology,
                ResistorEnergy(topology, (1.0, 1.0)),
                max_input_volts=10.0,
                max_nudge_amps=1.0,
                window_siemens=(1e-4, 3e-3),
                pulse_siemens=PULSE,
                settle_tolerance=1e-12,
            )
        )
        self.g = np.linspace(1e-3, 2e-3, 6)
        self.pulses: list[IntArray] = []

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        matrix = np.concatenate([self.g[:4].reshape(2, 2), self.g[4:].reshape(2, 1)], axis=1)
        push = drive.input_volts @ matrix
        if drive.nudge_amps is not None:
            push = push + drive.nudge_amps
        volts = np.concatenate([drive.input_volts, push / matrix.sum(axis=0)], axis=1)
        return Settled(volts, np.ones(len(volts), bool))

    def _pulse(self, counts: IntArray) -> None:
        self.pulses.append(counts.copy())
        low, high = self.spec.window_siemens
        self.g = np.clip(self.g + PULSE * counts, low, high)

    def _make_safe(self) -> None: ...


class Adjustable(Pulsed):
    """Can also be adjusted."""

    def __init__(self) -> None:
        super().__init__()
        self.adjustments: list[Floats] = []

    def adjust(self, delta_siemens: Floats) -> None:
        self.adjustments.append(delta_siemens.copy())


class Descending(Adjustable):
    """Can also descend."""

    def __init__(self) -> None:
        super().__init__()
        self.descents: list[tuple[Sequence[Term], list[float], bool]] = []

    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        self.descents.append((terms, list(rates), sign_only))


class Voting(Pulsed):
    """Hands out votes that the test chose."""

    def __init__(self, votes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.votes = iter(votes)
        self.asked: list[tuple[float, bool]] = []

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        self.asked.append((dead_zone_volts, first.nudge_amps is None))
        ok = np.array([True, False, True])
        return Comparisons(np.array(next(self.votes), np.int32), ok)


class AdjustableVoting(Voting):
    """Hands out votes and can be adjusted."""

    adjusted: Floats

    def adjust(self, delta_siemens: Floats) -> None:
        self.adjusted = delta_siemens.copy()


INPUTS = np.array([[0.5, -0.25], [0.1, 0.2], [-0.4, 0.3]])
TARGETS = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5], [1.0, 0.0, 0.0]])
SCHEDULER = Scheduler(SquaredError(), Centred(), BETA)
RNG = np.random.default_rng(0)


def learn(rule: UpdateRule, substrate: Substrate, factor: float = 1.0) -> np.ndarray:
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    return rule.learn(substrate, SCHEDULER, INPUTS, free, factor, RNG)


def gradient(substrate: Substrate) -> Floats:
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    terms, _ = SCHEDULER.terms(substrate, INPUTS, free, RNG)
    return substrate.spec.energy.contrast(terms)


def spread(values: tuple[float, float]) -> Floats:
    return np.repeat(values, (4, 2))
