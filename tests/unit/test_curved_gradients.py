"""Gradient estimates on stacks of curved devices against finite differences of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.costs import SquaredError
from hil.energy import ResistorEnergy
from hil.estimators import Centred, Estimator, OneSided
from hil.scheduler import Scheduler
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.memristors.conduction import Cubic, Sinh
from tests.unit.curved_stacks import circuit, substrate

Array = NDArray[np.float64]

GAINS = (4.0, 0.25)
STACKS: dict[str, dict[str, Any]] = {
    "one hidden": {"hidden": (4,), "kind": "pairs", "biased": (True, True)},
    "amplified": {"hidden": (4,), "kind": "pairs", "gains": GAINS},
    "two hidden, amplified": {"hidden": (3, 3), "kind": "ideal_diodes", "gains": (2.0, 0.5)},
}


class Problem:
    """A batch with targets, and the loss gradient by central differences."""

    def __init__(self, of: CurvedSubstrate) -> None:
        self.substrate = of
        self.cost = SquaredError()
        rng = np.random.default_rng(6)
        topology = of.spec.topology
        self.inputs: Array = rng.uniform(-0.5, 0.5, (3, topology.inputs.size))
        self.targets: Array = rng.uniform(-0.1, 0.1, (3, 2))
        start = of.read_conductance()
        self.exact = np.zeros(start.size)
        for k in range(start.size):
            step = 1e-4 * start[k] * (np.arange(start.size) == k)
            rise = self.loss(start + step) - self.loss(start - step)
            self.exact[k] = rise / (2e-4 * start[k])
        of.load_conductance(start)

    def loss(self, conductance: Array) -> float:
        self.substrate.load_conductance(conductance)
        scheduler = Scheduler(self.cost, Centred(), 1.0)
        free = scheduler.free(self.substrate, self.inputs, self.targets)
        assert free.settled.ok.all()
        return float(self.cost.value(free.output_volts, self.targets).mean())

    def error(self, estimator: Estimator, beta: float, energy: Any = None) -> float:
        """Of the estimate, relative to the gradient."""
        scheduler = Scheduler(self.cost, estimator, beta)
        free = scheduler.free(self.substrate, self.inputs, self.targets)
        rng = np.random.default_rng(0)
        terms, ok = scheduler.terms(self.substrate, self.inputs, free, rng)
        assert ok.all()
        gap = (energy or self.substrate.spec.energy).contrast(terms) - self.exact
        return float(np.linalg.norm(gap) / np.linalg.norm(self.exact))


def problem(name: str, curve: Any) -> Problem:
    more = STACKS[name]
    return Problem(
        substrate(circuit(**more), curve, gains=more.get("gains"), tolerance=1e-11, seed=2)
    )


@pytest.mark.parametrize("curve", [Cubic(3.0), Sinh(4.0)], ids=str)
@pytest.mark.parametrize("name", STACKS)
def test_the_estimate_is_the_gradient_of_the_loss(name: str, curve: Any) -> None:
    of = problem(name, curve)
    assert np.abs(of.exact).max() > 0.0
    assert of.error(Centred(), 1e-6) < 1e-5


@pytest.mark.parametrize("curve", [Cubic(3.0), Sinh(4.0)], ids=str)
def test_the_energy_of_resistors_would_be_wrong(curve: Any) -> None:
    of = problem("one hidden", curve)
    spec = of.substrate.spec
    straight = ResistorEnergy(spec.topology, (1.0, 1.0))
    assert of.error(Centred(), 1e-6, straight) > 0.05


@pytest.mark.parametrize("curve", [Cubic(3.0), Sinh(4.0)], ids=str)
@pytest.mark.parametrize(("estimator", "order"), [(OneSided(), 1), (Centred(), 2)])
def test_errors_fall_with_beta_as_the_theory_says(
    estimator: Estimator, order: int, curve: Any
) -> None:
    of = problem("one hidden", curve)
    large, small = (of.error(estimator, beta) for beta in (2e-4, 1e-4))
    assert large / small == pytest.approx(2.0**order, rel=0.35)
