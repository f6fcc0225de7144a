"""Gradient estimates on networks of any shape against finite differences of the loss.

The loss of a set of conductances is computed from free phases alone; the estimates see only the
voltage drops of nudged phases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.costs import PairedSquaredError, SquaredError
from hil.energy import ResistorEnergy
from hil.estimators import Centred, Estimator, OneSided
from hil.scheduler import Scheduler
from sim_backend.graph.adapter import NodalSubstrate
from sim_backend.graph.config import NodalConfig
from sim_backend.graph.netlist import NetlistConfig
from sim_backend.order import Order

Array = NDArray[np.float64]

SHARED: dict[str, Any] = {
    "g_min_siemens": 1e-6,
    "g_max_siemens": 1e-2,
    "tolerance": 1e-12,
    "initial": {"kind": "uniform", "low_siemens": 1e-4, "high_siemens": 1e-3},
}
SOFT = {
    "kind": "shockley_pairs",
    "saturation_amps": 3e-6,
    "lower_volts": -0.02,
    "upper_volts": 0.05,
}
CLIPPED = {"kind": "ideal_pairs", "lower_volts": -0.05, "upper_volts": 0.08}
GRAPHS: dict[str, dict[str, Any]] = {
    "lattice": {"kind": "lattice", "rows": 3, "columns": 4},
    "random": {"kind": "random", "hidden": 7, "degree": 3.5},
    "full": {"kind": "full", "hidden": 3},
    "crossbars": {"kind": "crossbars", "hidden": [4]},
}

NETLIST = """* two amplified stages, the second of them measured behind its source
vin1 a 0 0
vin2 b 0 0
vin3 c 0 0
vbias top 0 0.3
ra1 a h1 1.1k
ra2 b h1 2.2k
ra3 b h2 1.5k
ra4 c h2 2.7k
ra5 top h1 4.7k
ra6 h2 0 3.3k
rfix h1 h2 10k
d1 h1 0 dsoft
d2 0 h2 dsoft
e1 s1 0 h1 0 4
v1 s1 m1 0
f1 h1 0 v1 0.5
e2 m2 s2 h2 0 4
v2 s2 0 0
f2 0 h2 v2 0.5
rb1 m1 out1 1k
rb2 m2 out1 2k
rb3 m1 out2 3k
rb4 m2 out2 1.3k
rb5 top out2 5k
rload out1 0 10k
.model dsoft d(is=3u n=1 rs=20)
"""


def graph(name: str, neurons: dict[str, Any]) -> NodalSubstrate:
    config = NodalConfig.model_validate({"graph": GRAPHS[name], "neurons": neurons} | SHARED)
    rng = np.random.default_rng(5)
    return config.exact(Order(3, 2, (False,) * config.n_crossbars, 1.0, "float64", 2, rng))


def netlist() -> NodalSubstrate:
    table = {
        "text": NETLIST,
        "inputs": ["vin1", "vin2", "vin3"],
        "outputs": ["out1", "out2"],
        "trainable": ["ra*", "rb*"],
    }
    config = NetlistConfig.model_validate(table | SHARED)
    return config.exact(Order(3, 2, (False,), 1.0, "float64", 2, np.random.default_rng(5)))


class Problem:
    """A batch with targets, and the loss gradient by central differences."""

    def __init__(self, substrate: NodalSubstrate, paired: bool = False) -> None:
        self.substrate = substrate
        self.cost = PairedSquaredError() if paired else SquaredError()
        rng = np.random.default_rng(6)
        self.inputs: Array = rng.uniform(-0.5, 0.5, (3, 3))
        self.targets: Array = rng.uniform(-0.1, 0.1, (3, 1 if paired else 2))
        start = substrate.read_conductance()
        self.exact = np.zeros(start.size)
        for k in range(start.size):
            step = 1e-4 * start[k] * (np.arange(start.size) == k)
            rise = self.loss(start + step) - self.loss(start - step)
            self.exact[k] = rise / (2e-4 * start[k])
        substrate.load_conductance(start)

    def loss(self, conductance: Array) -> float:
        self.substrate.load_conductance(conductance)
        free = self.scheduler(Centred(), 1.0).free(self.substrate, self.inputs, self.targets)
        assert free.settled.ok.all()
        return float(self.cost.value(free.output_volts, self.targets).mean())

    def scheduler(self, estimator: Estimator, beta: float) -> Scheduler:
        return Scheduler(self.cost, estimator, beta)

    def error(self, estimator: Estimator, beta: float) -> float:
        """Of the estimate, relative to the gradient."""
        scheduler = self.scheduler(estimator, beta)
        free = scheduler.free(self.substrate, self.inputs, self.targets)
        rng = np.random.default_rng(0)
        terms, ok = scheduler.terms(self.substrate, self.inputs, free, rng)
        assert ok.all()
        gap = self.substrate.spec.energy.contrast(terms) - self.exact
        return float(np.linalg.norm(gap) / np.linalg.norm(self.exact))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("neurons", [SOFT, CLIPPED, {"kind": "linear"}])
def test_graphs_have_the_gradient_of_their_loss(name: str, neurons: dict[str, Any]) -> None:
    problem = Problem(graph(name, neurons))
    assert np.abs(problem.exact).max() > 0.0
    assert problem.error(Centred(), 1e-6) < 1e-5


def test_paired_outputs_have_the_gradient_of_their_loss() -> None:
    assert Problem(graph("random", SOFT), paired=True).error(Centred(), 1e-6) < 1e-5


def test_a_netlist_with_amplifiers_has_the_gradient_of_its_loss() -> None:
    """Both ways to measure an amplifier's current, devices to ground and to a bias line."""
    problem = Problem(netlist())
    assert problem.error(Centred(), 1e-6) < 1e-5
    # Weights matter: without them the first stage's devices would be off by B/A.
    energy = problem.substrate.spec.energy
    assert isinstance(energy, ResistorEnergy)
    assert energy.weights == pytest.approx((8.0, 1.0))


@pytest.mark.parametrize(("estimator", "order"), [(OneSided(), 1), (Centred(), 2)])
def test_errors_fall_with_beta_as_the_theory_says(estimator: Estimator, order: int) -> None:
    problem = Problem(graph("lattice", SOFT))
    large, small = (problem.error(estimator, beta) for beta in (2e-4, 1e-4))
    assert large / small == pytest.approx(2.0**order, rel=0.35)
