"""Gradient estimates against implicit differentiation of Kirchhoff's laws.

The exact loss gradient comes from ``DenseCircuit`` (see ``conftest``): the Jacobian of the
node equations at the free state, amplifiers and diode conductances included, one adjoint
solve, and ``dC/dg = -lambda^T dF/dg``.  It shares no formula with the estimators, which only
see voltage drops of settled phases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.costs import Cost, CrossEntropy, PairedSquaredError, SquaredError
from hil.estimators import Centred, Estimator, FourPoint, OneSided, RandomSign
from hil.scheduler import Scheduler, output_volts

Array = NDArray[np.float64]
Build = Callable[..., Any]

BATCH = 3
OFF_VOLTS = 1e-13
"""A neuron that an ideal diode holds at 0 V is within the solver's tolerance of it."""
COSTS: dict[str, tuple[Cost, int]] = {
    "squared": (SquaredError(), 3),
    "paired": (PairedSquaredError(), 4),
    "cross_entropy": (CrossEntropy(0.1), 3),
    "paired_cross_entropy": (CrossEntropy(0.1, paired=True), 4),
}
SOFT_PAIRS = {
    "kind": "shockley_pairs",
    "saturation_amps": 3e-6,
    "lower_volts": -0.02,
    "upper_volts": 0.05,
}
"""Diodes that conduct about as much as the crossbars do, at the voltages used here."""
NETWORKS: dict[str, dict[str, Any]] = {
    "one_hidden": {"hidden": (4,)},
    "one_hidden_biased": {"hidden": (4,), "biased": (True, True)},
    "two_hidden": {"hidden": (4, 3)},
    "one_hidden_amplified": {"hidden": (4,), "gains": (4.0, 0.25)},
    "two_hidden_amplified": {"hidden": (4, 3), "gains": (4.0, 0.25), "biased": (True, True, True)},
    "two_hidden_lossy": {"hidden": (3, 4), "gains": (3.0, 0.5), "biased": (False, True, False)},
}
EXTRA: dict[str, dict[str, Any]] = {
    f"gains_{a:g}_{b:g}": {"hidden": (4, 3), "gains": (a, b), "biased": (False, True, False)}
    for a, b in ((4.0, 0.25), (3.0, 0.5), (2.0, 1.0))
}


class Problem:
    """A network, a batch, a cost, and the exact mean gradient."""

    def __init__(
        self,
        build: Build,
        dense: Any,
        network: str,
        cost: str = "squared",
        neurons: Any = "ideal_diodes",
        seed: int = 0,
        input_volts: float = 0.4,
    ) -> None:
        self.cost, n_outputs = COSTS[cost]
        self.built = build(
            **(NETWORKS | EXTRA)[network],
            neurons=neurons,
            n_outputs=n_outputs,
            seed=seed,
            tolerance=1e-14,
        )
        self.substrate = self.built.substrate
        self.circuit = dense(self.built)
        rng = np.random.default_rng(seed + 100)
        topology = self.built.topology
        size = (BATCH, topology.inputs.size)
        self.inputs: Array = input_volts * rng.uniform(-1.0, 1.0, size)
        n_targets = self.cost.scores(np.zeros((1, n_outputs))).shape[1]
        self.targets: Array = rng.dirichlet(np.ones(n_targets), BATCH)
        if "entropy" not in cost:
            self.targets *= 0.1
        free = self.scheduler(Centred(), 1.0).free(self.substrate, self.inputs, self.targets)
        assert free.settled.ok.all()
        self.free_volts: Array = free.settled.node_volts
        slopes = self.cost.gradient(free.output_volts, self.targets)
        self.exact: Array = np.mean(
            [
                self.circuit.loss_gradient(nodes, slope)
                for nodes, slope in zip(self.free_volts, slopes, strict=True)
            ],
            axis=0,
        )
        # A typical conductance seen by an output: beta in units of it is what matters.
        seen = np.bincount(topology.heads, self.circuit.g, topology.n_nodes)
        self.unit_siemens = float(seen[topology.outputs].mean())

    def scheduler(self, estimator: Estimator, beta: float) -> Scheduler:
        return Scheduler(self.cost, estimator, beta)

    def estimate(self, estimator: Estimator, beta: float, rng: Any = None) -> Array:
        """The estimate at ``beta`` in units of a typical output's conductance."""
        scheduler = self.scheduler(estimator, beta * self.unit_siemens)
        free = scheduler.free(self.substrate, self.inputs, self.targets)
        rng = rng or np.random.default_rng(0)
        terms, ok = scheduler.terms(self.substrate, self.inputs, free, rng)
        assert ok.all()
        found: Array = self.substrate.spec.energy.contrast(terms)
        return found

    def error(self, estimator: Estimator, beta: float, rng: Any = None) -> float:
        """Relative to the gradient, in the Euclidean norm."""
        gap = self.estimate(estimator, beta, rng) - self.exact
        return float(np.linalg.norm(gap) / np.linalg.norm(self.exact))

    def switches(self, estimator: Estimator, beta: float) -> bool:
        """Whether an ideal diode turns on or off between the free phase and a nudged one."""
        scheduler = self.scheduler(estimator, beta * self.unit_siemens)
        free = scheduler.free(self.substrate, self.inputs, self.targets)
        terms, _ = scheduler.terms(self.substrate, self.inputs, free, np.random.default_rng(0))
        hidden = self.built.topology.hidden
        on = np.abs(free.settled.node_volts[:, hidden]) > OFF_VOLTS
        return any(np.any((np.abs(t.node_volts[:, hidden]) > OFF_VOLTS) != on) for t in terms)


def test_implicit_differentiation_is_the_derivative_of_the_cost(build: Build, dense: Any) -> None:
    """The reference itself, against finite differences of settled costs."""
    for neurons in (SOFT_PAIRS, "ideal_diodes"):
        problem = Problem(build, dense, "two_hidden_amplified", "paired", neurons)
        start = problem.substrate.read_conductance()
        scheduler = problem.scheduler(Centred(), 1.0)
        rng = np.random.default_rng(0)
        for device in rng.choice(start.size, 12, replace=False):
            step = 1e-4 * start[device]
            costs = []
            for sign in (1.0, -1.0):
                moved = start.copy()
                moved[device] += sign * step
                problem.substrate.load_conductance(moved)
                free = scheduler.free(problem.substrate, problem.inputs, problem.targets)
                cost = scheduler.cost.value(free.output_volts, problem.targets)
                costs.append(cost.mean())
            slope = (costs[0] - costs[1]) / (2 * step)
            assert slope == pytest.approx(
                problem.exact[device], rel=1e-6, abs=1e-7 * np.abs(problem.exact).max()
            )


# --- Shockley diodes: smooth, so every estimator has its order -----------------------------

SMALL = {
    "one_sided": (1e-6, 3e-7, 1e-7),
    "random_sign": (1e-6, 3e-7, 1e-7),
    "centred": (1e-4,),
    "four_point": (1e-2,),
}
"""Where the bias, which falls with beta, has not yet given way to rounding, which rises."""
ESTIMATORS: dict[str, Estimator] = {
    "one_sided": OneSided(),
    "random_sign": RandomSign(),
    "centred": Centred(),
    "four_point": FourPoint(),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_shockley_gradients_are_exact_at_small_beta(
    build: Build, dense: Any, estimator: str, network: str, cost: str
) -> None:
    problem = Problem(build, dense, network, cost, SOFT_PAIRS)
    # Diodes matter: they carry a good part of the current of some node.
    siemens = problem.circuit.diode_siemens(problem.free_volts[0][problem.circuit.neurons])
    assert siemens.max() > 0.02 * problem.unit_siemens
    errors = [problem.error(ESTIMATORS[estimator], beta) for beta in SMALL[estimator]]
    assert min(errors) <= 1e-5


def slope(problem: Problem, estimator: Estimator, betas: Array) -> float:
    """Log-log slope of the error over beta."""
    errors = [problem.error(estimator, float(beta)) for beta in betas]
    return float(np.polyfit(np.log(betas), np.log(errors), 1)[0])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("estimator", "order", "tolerance", "worst"),
    [("one_sided", 1.0, 0.1, 1e-2), ("centred", 2.0, 0.1, 1e-2), ("four_point", 4.0, 0.3, 1e-3)],
)
def test_errors_fall_with_the_power_of_beta_that_theory_says(
    build: Build,
    dense: Any,
    network: str,
    estimator: str,
    order: float,
    tolerance: float,
    worst: float,
) -> None:
    """Lemma A.1, over two decades of beta that end where the error reaches ``worst``."""
    problem = Problem(build, dense, network, "paired", SOFT_PAIRS)
    top = 1e-6
    while problem.error(ESTIMATORS[estimator], 1.5 * top) < worst:
        top *= 1.5
        assert top < 1e3
    betas = top * np.logspace(-2.0, 0.0, 5)
    assert slope(problem, ESTIMATORS[estimator], betas) == pytest.approx(order, abs=tolerance)


@pytest.mark.parametrize("network", ["one_hidden", "two_hidden_amplified"])
def test_both_signs_average_to_the_centred_estimate(build: Build, dense: Any, network: str) -> None:
    problem = Problem(build, dense, network, "squared", SOFT_PAIRS)

    class Coin:
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    up, down = (problem.estimate(RandomSign(), 0.1, Coin(value)) for value in (0.1, 0.9))
    centred = problem.estimate(Centred(), 0.1)
    scale = np.abs(centred).max()
    assert np.abs(up - down).max() > 1e-3 * scale
    np.testing.assert_allclose(0.5 * (up + down), centred, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(up, problem.estimate(OneSided(), 0.1), rtol=0, atol=1e-12 * scale)


# --- ideal diodes: quadratic between switches ----------------------------------------------


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("estimator", ["centred", "four_point"])
def test_ideal_diode_gradients_are_exact_while_no_diode_switches(
    build: Build, dense: Any, estimator: str, network: str, cost: str
) -> None:
    """dV is linear in beta there, so f(beta) is quadratic and both formulas are exact."""
    problem = Problem(build, dense, network, cost, "ideal_diodes")
    beta = 1e-3
    assert not problem.switches(ESTIMATORS[estimator], beta)
    hidden = problem.free_volts[:, problem.built.topology.hidden]
    assert (np.abs(hidden) <= OFF_VOLTS).any()
    assert (np.abs(hidden) > OFF_VOLTS).any()
    assert problem.error(ESTIMATORS[estimator], beta) <= 1e-9


@pytest.mark.parametrize("network", NETWORKS)
def test_ideal_diode_gradients_are_exact_at_any_beta_that_switches_none(
    build: Build, dense: Any, network: str
) -> None:
    problem = Problem(build, dense, network, "squared", "ideal_diodes")
    betas = [b for b in (1e-2, 1e-1, 1.0, 10.0) if not problem.switches(Centred(), b)]
    assert betas
    for beta in betas:
        assert problem.error(Centred(), beta) <= 1e-9


@pytest.mark.parametrize("neurons", ["linear", "ideal_diodes"])
@pytest.mark.parametrize("network", NETWORKS)
def test_one_sided_keeps_a_bias_proportional_to_beta(
    build: Build, dense: Any, network: str, neurons: str
) -> None:
    """Even linear networks: f is quadratic in beta, and one-sided differences see that."""
    problem = Problem(build, dense, network, "squared", neurons)
    betas = 1e-3 * np.logspace(-2.0, 0.0, 5)
    assert not problem.switches(OneSided(), 1e-3)
    assert slope(problem, OneSided(), betas) == pytest.approx(1.0, abs=0.1)
    assert problem.error(OneSided(), 1e-3) > 1e-6


@pytest.mark.parametrize("network", ["one_hidden", "two_hidden"])
def test_linear_networks_are_exact_at_a_huge_beta(build: Build, dense: Any, network: str) -> None:
    problem = Problem(build, dense, network, "squared", "linear")
    for estimator in (Centred(), FourPoint()):
        assert problem.error(estimator, 100.0) <= 1e-9


# --- amplifiers ----------------------------------------------------------------------------


@pytest.mark.parametrize("neurons", [SOFT_PAIRS, "ideal_diodes"], ids=["shockley", "ideal"])
@pytest.mark.parametrize("network", EXTRA)
def test_every_layer_of_an_amplified_network_has_its_right_scale(
    build: Build, dense: Any, network: str, neurons: Any
) -> None:
    """Layer l weighs (B/A)^l / (B/A)^last."""
    problem = Problem(build, dense, network, "squared", neurons)
    found = problem.estimate(FourPoint(), 1e-3)
    forward, backward = EXTRA[network]["gains"]
    ratio = backward / forward
    weights = problem.substrate.spec.energy.weights
    np.testing.assert_allclose(weights, [ratio**-2, ratio**-1, 1.0], rtol=1e-14)
    for part in problem.built.topology.slices:
        exact = problem.exact[part]
        assert np.linalg.norm(exact) > 0
        gap = np.linalg.norm(found[part] - exact) / np.linalg.norm(exact)
        assert gap <= 1e-5


def test_outputs_are_where_the_cost_looks(build: Build, dense: Any) -> None:
    problem = Problem(build, dense, "two_hidden_amplified")
    free = problem.scheduler(Centred(), 1.0).free(
        problem.substrate, problem.inputs, problem.targets
    )
    nodes = problem.free_volts[:, problem.built.topology.outputs]
    np.testing.assert_array_equal(output_volts(problem.substrate, free.settled), nodes)
    np.testing.assert_array_equal(free.output_volts, nodes)
