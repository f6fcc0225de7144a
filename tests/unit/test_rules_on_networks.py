"""Every rule on a simulated network: windows, counts, falling cost, failed batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.costs import SquaredError
from hil.estimators import Centred
from hil.rules import ComparisonRule, GradientRule, SignRule, UpdateRule
from hil.scheduler import Scheduler
from tests.unit.recorders import (
    INPUTS,
    RNG,
    SCHEDULER,
    TARGETS,
)

RULES: dict[str, Callable[[bool], UpdateRule]] = {
    "gradient": lambda q: GradientRule((3e-3, 3e-3), quantised=q),
    "sign": lambda q: SignRule((4e-4, 4e-4), quantised=q),
    "comparison": lambda q: ComparisonRule((4e-4, 4e-4), quantised=q),
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("quantised", [True, False])
@pytest.mark.parametrize("name", RULES)
def test_windows_hold_and_writes_are_counted(
    build: Callable[..., Any], name: str, quantised: bool, precision: str
) -> None:
    substrate = build((4,), n_signals=3, n_outputs=2, precision=precision).substrate
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (5, 3)).astype(precision)
    targets = rng.uniform(-1, 1, (5, 2)).astype(precision)
    rule = RULES[name](quantised)
    low, high = (np.dtype(precision).type(g) for g in substrate.spec.window_siemens)
    at_an_end = False
    expected = np.zeros(substrate.spec.topology.n_devices, int)
    for _ in range(12):
        free = SCHEDULER.free(substrate, inputs, targets)
        before = substrate.read_conductance()
        rule.learn(substrate, SCHEDULER, inputs, free, 1.0, rng)
        after = substrate.read_conductance()
        expected += after != before
        assert after.min() >= low
        assert after.max() <= high
        at_an_end |= bool(((after == low) | (after == high)).any())
    assert at_an_end
    np.testing.assert_array_equal(substrate.write_counts(), expected)
    assert 0 < expected.min()
    assert expected.min() < expected.max()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_lowers_the_cost(build: Callable[..., Any], name: str) -> None:
    substrate = build((6,), n_signals=4, n_outputs=2, seed=4).substrate
    rng = np.random.default_rng(1)
    inputs = rng.uniform(-1, 1, (4, 4))
    targets = np.array([[0.1, 0.0], [0.0, 0.1], [0.1, 0.0], [0.0, 0.1]])
    scheduler = Scheduler(SquaredError(), Centred(), 1e-5)
    rule: UpdateRule = {
        "gradient": GradientRule((1e-5, 1e-5)),
        "sign": SignRule((1e-5, 1e-5)),
        "comparison": ComparisonRule((1e-5, 1e-5)),
    }[name]
    costs = []
    for step in range(30):
        free = scheduler.free(substrate, inputs, targets)
        costs.append(float(scheduler.cost.value(free.output_volts, targets).sum()))
        rule.learn(substrate, scheduler, inputs, free, 0.95**step, rng)
    assert costs[-1] < 0.8 * costs[0]


@pytest.mark.parametrize("name", RULES)
def test_a_failed_batch_programs_nothing(build: Callable[..., Any], name: str) -> None:
    # One Newton step is never enough.
    substrate = build((3,), max_iterations=1).substrate
    inputs, targets = INPUTS[:, [0, 1, 0]], TARGETS[:, :2]
    start = substrate.read_conductance()
    free = SCHEDULER.free(substrate, inputs, targets)
    assert not free.settled.ok.any()
    RULES[name](False).learn(substrate, SCHEDULER, inputs, free, 1.0, RNG)
    np.testing.assert_array_equal(substrate.read_conductance(), start)
    np.testing.assert_array_equal(substrate.write_counts(), 0)
