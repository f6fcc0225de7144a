"""Exponential steps against numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim_backend.memristors.catalogue import device
from sim_backend.memristors.exponential_step import ExponentialStep
from sim_backend.memristors.spread import Steps
from tests.unit.memristors.chips import WINDOW, N, assert_mean, assert_std, rng

PER_WEIGHT = (WINDOW[1] - WINDOW[0]) / 2
PUBLISHED = device("reram-es").build().pulses


def bare(**changes: float) -> ExponentialStep:
    """The published step without any spread."""
    model = dataclasses.replace(PUBLISHED, steps=Steps(0.00135, asymmetry=0.259359))
    return dataclasses.replace(model, **changes)


def test_steps_at_the_bounds_and_at_zero() -> None:
    """``z = -(w + 1) / 2``: from 0 at the lower bound to -1 at the upper one."""
    model = bare()
    chip = model.draw(3, WINDOW, rng())
    at = np.array([WINDOW[0], sum(WINDOW) / 2, WINDOW[1]])
    up = model.step_siemens(chip, at, np.ones(3, bool)) / (0.00135 * PER_WEIGHT)
    down = model.step_siemens(chip, at, np.zeros(3, bool)) / (0.00135 * PER_WEIGHT)
    fading = np.exp([0.0, -2.5, -5.0])
    np.testing.assert_allclose(up, 1 + 1.18445 * fading, rtol=1e-9)
    np.testing.assert_allclose(down, -(1 - 0.259359) * (1 + 0.081404 / fading), rtol=1e-9)
    assert model.nominal_siemens(WINDOW) == pytest.approx(
        0.5 * (up[1] - down[1]) * 0.00135 * PER_WEIGHT, rel=1e-12
    )


def test_slope_is_relative_to_a_devices_own_range() -> None:
    """A device of half the range has gone as far through z at half the weight."""
    model = bare(slope=0.8, offset=0.1)
    halved = dataclasses.replace(
        model, steps=dataclasses.replace(model.steps, low_weight=-0.5, high_weight=0.5)
    )
    # The nominal range is the window: weights of half the size, the same conductances.
    at = np.linspace(*WINDOW, 5)
    for up in (np.ones(5, bool), np.zeros(5, bool)):
        whole = model.step_siemens(model.draw(5, WINDOW, rng()), at, up)
        half = halved.step_siemens(halved.draw(5, WINDOW, rng()), at, up)
        np.testing.assert_allclose(half, 2.0 * whole, rtol=1e-12)


def test_steps_never_turn_round() -> None:
    """A positive factor makes steps vanish, not change sign."""
    model = bare(up_factor=0.5, up_exponent=4.0, slope=1.0, offset=0.0)
    chip = model.draw(2, WINDOW, rng())
    steps = model.step_siemens(chip, np.array(WINDOW), np.ones(2, bool))
    assert steps[0] > 0.0
    assert steps[1] == 0.0  # 1 - 0.5 exp(4)


def test_pulses_repeat_the_step() -> None:
    model = bare()
    chip = model.draw(4, WINDOW, rng())
    start = np.array([2e-5, 2e-5, 9e-5, 9.99e-5])
    counts = np.array([7, -3, -11, 400])
    expected = start.copy()
    for k, count in enumerate(counts):
        for _ in range(abs(count)):
            move = model.step_siemens(chip, expected, np.full(4, count > 0))[k]
            expected[k] = min(max(expected[k] + move, WINDOW[0]), WINDOW[1])
    np.testing.assert_allclose(model.pulse(chip, start, counts, rng()), expected, rtol=1e-12)


def test_cycles_are_spread_in_proportion_to_the_step() -> None:
    model = dataclasses.replace(bare(), steps=Steps(1e-4, cycle_spread=0.5))
    chip = model.draw(N, WINDOW, rng())
    start = np.full(N, 9e-5)
    step = model.step_siemens(chip, start, np.zeros(N, bool))[0]
    moved = model.pulse(chip, start, np.full(N, -1), rng(3)) - start
    assert_mean(moved / step, 1.0)
    assert_std(moved / step, 0.5)
