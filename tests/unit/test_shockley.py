"""Rest voltages at antiparallel Shockley pairs, against bisection."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.layered.shockley import rest

Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def surplus(u: Array, p: Array, total: Array, neuron: Array) -> Array:
    """``D u + i(u) - p`` with u measured from the middle of the window."""
    half = 0.5 * (neuron[1] - neuron[0])
    saturation, thermal = neuron[2], neuron[3]
    with np.errstate(over="ignore"):
        rise = np.exp((u - half) / thermal)
    return total * u + saturation * (rise - np.exp((-u - half) / thermal)) - p


def bisect(p: Array, total: Array, neuron: Array) -> Array:
    low, high = np.zeros_like(p), p / total
    for _ in range(200):
        middle = 0.5 * (low + high)
        above = surplus(middle, p, total, neuron) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


def draw(n: int, half: float) -> tuple[Array, Array, Array]:
    """Pushes of both signs, conductances and diodes over many orders of magnitude."""
    rng = np.random.default_rng(7)
    neuron = np.stack(
        [
            np.full(n, -half),
            np.full(n, half),
            10.0 ** rng.uniform(-14, -3, n),
            10.0 ** rng.uniform(-2.5, -1, n),
        ]
    )
    push = rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-12, 3, n)
    return push, 10.0 ** rng.uniform(-9, 0, n), neuron


@pytest.mark.parametrize("half", [0.0, 1e-3, 0.1, 20.0])
def test_nodes_rest_where_currents_balance(half: float) -> None:
    push, total, neuron = draw(20_000, half)
    volts, slope = np.empty_like(push), np.empty_like(push)
    rest(push, total, neuron, volts, slope)
    expected = np.sign(push) * bisect(np.abs(push), total, neuron)
    assert np.all(np.abs(volts - expected) <= 1e-13 * (np.abs(expected) + neuron[3]))
    rise = np.exp((volts - half) / neuron[3]) + np.exp((-volts - half) / neuron[3])
    np.testing.assert_allclose(slope, 1.0 / (total + neuron[2] * rise / neuron[3]), rtol=1e-7)


def test_a_window_off_centre_moves_the_answer_along() -> None:
    push, total, neuron = draw(2_000, 0.3)
    volts, slope = np.empty_like(push), np.empty_like(push)
    moved, moved_slope = np.empty_like(push), np.empty_like(push)
    rest(push, total, neuron, volts, slope)
    neuron[:2] += 0.25
    rest(push + total * 0.25, total, neuron, moved, moved_slope)
    np.testing.assert_allclose(moved - 0.25, volts, rtol=1e-9, atol=1e-12)


def test_single_precision_is_rounded_once() -> None:
    push, total, neuron = (a.astype(np.float32) for a in draw(2_000, 0.1))
    volts, slope = np.empty_like(push), np.empty_like(push)
    rest(push, total, neuron, volts, slope)
    wide = [a.astype(np.float64) for a in (push, total, neuron)]
    exact, exact_slope = np.empty(push.size), np.empty(push.size)
    rest(*wide, exact, exact_slope)
    np.testing.assert_array_equal(volts, exact.astype(np.float32))
    np.testing.assert_array_equal(slope, exact_slope.astype(np.float32))


def test_what_is_not_finite_does_not_look_settled() -> None:
    push = np.array([np.nan, np.inf, -np.inf, 1.0])
    neuron = np.repeat([[-0.1], [0.1], [1e-6], [0.025]], 4, axis=1)
    volts, slope = np.empty(4), np.empty(4)
    rest(push, np.full(4, 1e-3), neuron, volts, slope)
    assert np.isfinite(volts).tolist() == [False, False, False, True]
