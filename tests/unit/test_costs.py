"""Costs: values by hand, gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from hil.costs import Cost, CrossEntropy, PairedSquaredError, SquaredError

CASES = [
    (SquaredError(), 3, 3),
    (PairedSquaredError(), 6, 3),
    (CrossEntropy(0.2), 3, 3),
    (CrossEntropy(0.2, paired=True), 6, 3),
]


def one_hot(labels: list[int], n: int) -> np.ndarray:
    return np.eye(n)[labels]


@pytest.mark.parametrize(("cost", "n_outputs", "n_targets"), CASES)
def test_gradient_is_the_derivative_of_the_value(
    cost: Cost, n_outputs: int, n_targets: int
) -> None:
    rng = np.random.default_rng(1)
    outputs = rng.normal(size=(4, n_outputs))
    targets = rng.dirichlet(np.ones(n_targets), 4)
    step = 1e-6
    for k in range(n_outputs):
        up, down = outputs.copy(), outputs.copy()
        up[:, k] += step
        down[:, k] -= step
        slope = (cost.value(up, targets) - cost.value(down, targets)) / (2 * step)
        np.testing.assert_allclose(cost.gradient(outputs, targets)[:, k], slope, atol=1e-8)


@pytest.mark.parametrize(("cost", "n_outputs", "n_targets"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_types(cost: Cost, n_outputs: int, n_targets: int, dtype: type) -> None:
    outputs = np.linspace(-1, 1, 5 * n_outputs, dtype=dtype).reshape(5, n_outputs)
    targets = one_hot([0, 1, 2, 0, 1], n_targets).astype(dtype)
    before = outputs.copy()
    assert cost.value(outputs, targets).shape == (5,)
    assert cost.gradient(outputs, targets).shape == (5, n_outputs)
    assert cost.gradient(outputs, targets).dtype == dtype
    assert cost.scores(outputs).shape == (5, n_targets)
    np.testing.assert_array_equal(outputs, before)


def test_squared_error_by_hand() -> None:
    outputs, targets = np.array([[0.5, -0.25]]), np.array([[0.25, 0.25]])
    np.testing.assert_array_equal(SquaredError().value(outputs, targets), [0.5 * 0.3125])
    np.testing.assert_array_equal(SquaredError().gradient(outputs, targets), [[0.25, -0.5]])
    np.testing.assert_array_equal(SquaredError().scores(outputs), outputs)


def test_paired_outputs_are_all_plus_then_all_minus() -> None:
    outputs = np.array([[0.5, 0.25, 0.125, 1.0]])  # Y+ = (0.5, 0.25), Y- = (0.125, 1)
    targets = np.array([[1.0, 0.0]])
    cost = PairedSquaredError()
    np.testing.assert_array_equal(cost.scores(outputs), [[0.375, -0.75]])
    np.testing.assert_array_equal(
        cost.value(outputs, targets), [0.5 * (0.625**2 + 0.75**2)]
    )  # eq. (4.15)
    np.testing.assert_array_equal(cost.gradient(outputs, targets), [[-0.625, -0.75, 0.625, 0.75]])


def test_cross_entropy_by_hand() -> None:
    # softmax of (log 3, 0) is (3/4, 1/4).
    volts = 0.5 * np.array([[np.log(3.0), 0.0]])
    cost = CrossEntropy(0.5)
    target = np.array([[0.0, 1.0]])
    np.testing.assert_allclose(cost.value(volts, target), [0.25 * np.log(4.0)], rtol=1e-14)
    np.testing.assert_allclose(cost.gradient(volts, target), [[0.375, -0.375]], rtol=1e-14)


def test_paired_cross_entropy_is_the_single_one_of_the_scores() -> None:
    rng = np.random.default_rng(2)
    outputs, targets = rng.normal(size=(3, 8)), one_hot([0, 3, 1], 4)
    paired, single = CrossEntropy(0.3, paired=True), CrossEntropy(0.3)
    scores = outputs[:, :4] - outputs[:, 4:]
    np.testing.assert_array_equal(paired.scores(outputs), scores)
    np.testing.assert_array_equal(paired.value(outputs, targets), single.value(scores, targets))
    slope = single.gradient(scores, targets)
    np.testing.assert_array_equal(paired.gradient(outputs, targets), np.hstack([slope, -slope]))


def test_cross_entropy_of_far_outputs_is_finite() -> None:
    cost = CrossEntropy(1e-3)
    outputs = np.array([[5.0, -5.0], [-5.0, 5.0]], np.float32)
    targets = one_hot([0, 0], 2).astype(np.float32)
    np.testing.assert_allclose(cost.value(outputs, targets), [0.0, 1e-3 * 10.0], rtol=1e-6)
    np.testing.assert_allclose(
        cost.gradient(outputs, targets), [[0.0, 0.0], [-1e-3, 1e-3]], atol=1e-12
    )


def test_cross_entropy_ignores_a_common_shift() -> None:
    cost, targets = CrossEntropy(0.1), one_hot([2], 3)
    outputs = np.array([[0.1, 0.3, -0.2]])
    np.testing.assert_allclose(
        cost.value(outputs + 0.7, targets), cost.value(outputs, targets), rtol=1e-12
    )
    assert abs(cost.gradient(outputs, targets).sum()) < 1e-15
