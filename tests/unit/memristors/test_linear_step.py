"""Constant and linearly falling steps: closed forms, noise, limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim_backend.memristors.interface import take
from sim_backend.memristors.linear_step import LinearStep, soft_bounds
from sim_backend.memristors.repeating import pulse_by_pulse
from sim_backend.memristors.spread import Steps
from tests.unit.memristors.chips import (
    WINDOW,
    N,
    assert_mean,
    assert_same_distribution,
    assert_std,
    rng,
)

WIDTH = WINDOW[1] - WINDOW[0]
PER_WEIGHT = WIDTH / 2


def singly(model: LinearStep, chip, siemens, counts, generator):
    """One pulse a call."""
    siemens = siemens.copy()
    for k in range(int(np.abs(counts).max())):
        one = np.sign(counts) * (np.abs(counts) > k)
        siemens = model.pulse(chip, siemens, one, generator)
    return siemens


def test_ideal_steps_add_up_and_stop_at_the_window() -> None:
    model = LinearStep(Steps(0.002))
    chip = model.draw(5, WINDOW, rng())
    start = np.full(5, 50e-6)
    counts = np.array([0, 3, -7, 100_000, -100_000])
    after = model.pulse(chip, start, counts, rng())
    step = 0.002 * PER_WEIGHT
    expected = [50e-6, 50e-6 + 3 * step, 50e-6 - 7 * step, WINDOW[1], WINDOW[0]]
    np.testing.assert_allclose(after, expected, rtol=1e-13)
    assert after[0] == start[0]
    assert model.nominal_siemens(WINDOW) == pytest.approx(step, rel=1e-14)


def test_soft_bounds_approach_their_bound_geometrically() -> None:
    steps = Steps(0.05, low_weight=-0.75, high_weight=1.25)
    model = soft_bounds(steps)
    chip = model.draw(2, WINDOW, rng())
    for count in (1, 2, 17, 400):
        after = model.pulse(chip, np.array(WINDOW), np.array([count, -count]), rng())
        up = 1.25 - 2.0 * (1 - 0.05 / 1.25) ** count  # from -0.75
        down = -0.75 + 2.0 * (1 - 0.05 / 0.75) ** count  # from 1.25
        weights = np.array([up, down])
        np.testing.assert_allclose(after, WINDOW[0] + (weights + 0.75) * PER_WEIGHT, rtol=1e-12)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(("up_fall", "down_fall"), [(0.0, 0.0), (0.3, 0.9), (1.0, 1.0), (2.5, 1.8)])
@pytest.mark.parametrize("step", [1e-4, 0.05, 0.7, 1.9])
def test_many_pulses_at_once_are_single_pulses(
    step: float, up_fall: float, down_fall: float, own: bool
) -> None:
    # Steps up to twice the way to the bound overshoot; falls above 1 end within the window.
    steps = Steps(
        step, step_spread=0.5, log_normal=True, low_spread=0.2, high_spread=0.2,
        asymmetry=0.2, share_of_window=0.8,
    )  # fmt: skip
    model = LinearStep(steps, up_fall, down_fall, 0.05, 0.05, own_bounds=own)
    chip = model.draw(300, WINDOW, rng(1))
    start = np.clip(rng(2).uniform(*WINDOW, 300), chip.low_siemens, chip.high_siemens)
    counts = rng(3).integers(-40, 41, 300)
    at_once = model.pulse(chip, start, counts, rng())
    np.testing.assert_allclose(at_once, singly(model, chip, start, counts, rng()), rtol=1e-9)


def test_steps_that_fall_imperceptibly_are_constant_steps() -> None:
    constant, falling = LinearStep(Steps(1e-4)), LinearStep(Steps(1e-4), 1e-13, 1e-13)
    start, counts = np.full(2, 40e-6), np.array([1000, -1000])
    chip = falling.draw(2, WINDOW, rng())
    np.testing.assert_allclose(
        falling.pulse(chip, start, counts, rng()),
        constant.pulse(constant.draw(2, WINDOW, rng()), start, counts, rng()),
        rtol=1e-12,
    )


def test_additive_noise_of_many_pulses() -> None:
    """Mean and rms of 50 falling steps far from the limits, against the sums of geometric rows."""
    step, fall, noise, count = 0.004, 1.0, 0.8, 50
    model = soft_bounds(Steps(step, cycle_spread=noise), additive_noise=True)
    chip = model.draw(N, WINDOW, rng())
    zero = sum(WINDOW) / 2
    after = (model.pulse(chip, np.full(N, zero), np.full(N, count), rng(5)) - zero) / PER_WEIGHT
    kept = (1 - step * fall) ** np.arange(count)
    assert_mean(after, step * kept.sum())
    assert_std(after, step * noise * np.sqrt((kept**2).sum()))


@pytest.mark.parametrize("additive", [False, True])
@pytest.mark.parametrize("fall", [0.0, 0.7])
def test_noise_of_many_pulses_is_that_of_single_ones(fall: float, additive: bool) -> None:
    """Also where noise drives devices into their limits and back."""
    steps = Steps(0.02, cycle_spread=4.0, step_spread=0.1, high_spread=0.1)
    model = LinearStep(steps, fall, fall, additive_noise=additive)
    chip = model.draw(N, WINDOW, rng())
    start = np.clip(rng(1).uniform(*WINDOW, N), chip.low_siemens, chip.high_siemens)
    counts = np.full(N, 25)
    assert_same_distribution(
        model.pulse(chip, start, counts, rng(2)), singly(model, chip, start, counts, rng(3))
    )


def test_multiplicative_noise_falls_with_the_step_and_additive_noise_does_not() -> None:
    """Near the upper bound, where a step has lost 0.9 x 0.8 of its size."""
    start = WINDOW[0] + 1.8 * PER_WEIGHT
    for additive, rms in ((True, 0.5), (False, 0.5 * (1 - 0.9 * 0.8))):
        model = LinearStep(Steps(1e-3, cycle_spread=0.5), 0.9, 0.9, additive_noise=additive)
        chip = model.draw(N, WINDOW, rng())
        moved = model.pulse(chip, np.full(N, start), np.ones(N, int), rng(4)) - start
        assert_mean(moved / (1e-3 * PER_WEIGHT), 1 - 0.9 * 0.8)
        assert_std(moved / (1e-3 * PER_WEIGHT), rms)


def test_far_from_the_limits_noise_is_drawn_once_a_device() -> None:
    """So that a million pulses cost what one does."""
    model = LinearStep(Steps(1e-9, cycle_spread=1.0))
    chip = model.draw(3, WINDOW, rng())
    generator, twin = rng(7), rng(7)
    model.pulse(chip, np.full(3, 50e-6), np.array([10**6, -(10**6), 10**6]), generator)
    twin.standard_normal(3)
    assert generator.bit_generator.state == twin.bit_generator.state


def test_a_share_of_a_pulse_is_a_smaller_step() -> None:
    model = LinearStep(Steps(0.01))
    chip = model.draw(1, WINDOW, rng())
    after = model.pulse(chip, np.array([50e-6]), np.array([-4]), rng(), share=0.125)
    np.testing.assert_allclose(after, 50e-6 - 4 * 0.125 * 0.01 * PER_WEIGHT, rtol=1e-13)


def test_pulse_by_pulse_keeps_the_order_of_devices() -> None:
    model = LinearStep(Steps(0.01))
    chip = model.draw(6, WINDOW, rng())
    counts = np.array([1, -5, 0, 3, -2, 5])

    def step(part, now, up):
        return now + np.where(up, 1e-6, -1e-6)

    after = pulse_by_pulse(step, chip, np.full(6, 50e-6), counts)
    np.testing.assert_allclose(after, 50e-6 + 1e-6 * counts, rtol=1e-12)
    nobody = take(chip, slice(0, 0))
    assert pulse_by_pulse(step, nobody, np.empty(0), np.empty(0, int)).size == 0


@pytest.mark.parametrize("own", [False, True])
def test_asymmetry(own: bool) -> None:
    steps = Steps(0.01, 0.3, asymmetry=0.25, asymmetry_spread=0.02, own_asymmetry=own)
    drawn = steps.draw(N, rng())
    assert_mean(drawn.up_weight, 0.01)
    assert_mean(drawn.down_weight, 0.0075)
    turned = dataclasses.replace(steps, asymmetry=-0.25).draw(N, rng())
    assert_mean(turned.up_weight, 0.0075)
    assert_mean(turned.down_weight, 0.01)
    ratio = drawn.down_weight / drawn.up_weight
    # Relative to a device's own step the ratio does not vary with it, but for the small spread.
    assert (ratio.std() < 0.05) == own


def test_spread_of_asymmetry_makes_one_step_larger_and_the_other_smaller() -> None:
    drawn = Steps(0.01, asymmetry_spread=0.05).draw(N, rng())
    np.testing.assert_allclose(drawn.up_weight + drawn.down_weight, 0.02, rtol=1e-12)
    assert_std(drawn.up_weight / 0.01, 0.05)
