"""Published devices answer pulses as their parameters say: 10,000 devices, 5 standard errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim_backend.memristors.catalogue import device, device_names
from sim_backend.memristors.memristors import Memristors
from sim_backend.memristors.pulse_config import ExponentialStepConfig
from sim_backend.memristors.spread import Steps
from tests.unit.memristors.chips import (
    WINDOW,
    N,
    assert_mean,
    assert_same_distribution,
    assert_std,
    folded_normal,
    rng,
)

STEP_DEVICES = [name for name in device_names() if device(name).pulses.kind != "vteam"]

SHARE = 0.1
"""Of the window for the nominal range, where bounds must not be cut off at the window: ten times
the range lies beyond any bound drawn here."""


def model_of(name: str, share: float = SHARE):
    """The pulse model of a device with its nominal range in the middle of the window."""
    model = device(name).build().pulses
    return dataclasses.replace(model, steps=dataclasses.replace(model.steps, share_of_window=share))


def weights(model, siemens):
    scale = model.steps.scale(WINDOW)
    return (siemens - scale.zero_siemens) / scale.siemens_per_weight


def gain_moments(steps: Steps, shift: float) -> tuple[float, float]:
    """Mean and standard deviation of a step over the mean one, with the asymmetry's shift."""
    own = 1.0 + shift if steps.own_asymmetry else 1.0
    shift = 0.0 if steps.own_asymmetry else shift
    if not steps.log_normal:
        return folded_normal(1.0 + shift, np.hypot(steps.step_spread, steps.asymmetry_spread))
    variance = steps.step_spread**2
    mean = np.exp(variance / 2)
    # Folding touches one in a hundred thousand of these, which are next to zero anyway.
    std = np.sqrt(mean**2 * np.expm1(variance) + steps.asymmetry_spread**2)
    return own * (mean + shift), own * std


@pytest.mark.parametrize("name", STEP_DEVICES)
def test_drawn_steps_and_bounds(name: str) -> None:
    model = model_of(name)
    steps = model.steps
    chip = model.draw(N, WINDOW, rng(11))
    unit = steps.scale(WINDOW).siemens_per_weight
    for bound, nominal, spread in (
        (chip.high_siemens, steps.high_weight, steps.high_spread),
        (chip.low_siemens, steps.low_weight, steps.low_spread),
    ):
        mean, std = folded_normal(1.0, spread)
        assert_mean(weights(model, bound) / nominal, mean)
        assert_std(weights(model, bound) / nominal, std)
    for step, shift in (
        (chip.up_siemens, min(steps.asymmetry, 0.0)),
        (chip.down_siemens, -max(steps.asymmetry, 0.0)),
    ):
        mean, std = gain_moments(steps, shift)
        assert_mean(step / (unit * steps.step_weight), mean)
        assert_std(step / (unit * steps.step_weight), std)


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("name", STEP_DEVICES)
def test_one_pulse_from_weight_zero(name: str, up: bool) -> None:
    """Step and cycle-to-cycle spread, of the devices whose limits are out of reach."""
    model = model_of(name)
    chip = model.draw(N, WINDOW, rng(12))
    zero = model.steps.scale(WINDOW).zero_siemens
    after = model.pulse(chip, np.full(N, zero), np.full(N, 1 if up else -1), rng(13))
    step = chip.up_siemens if up else chip.down_siemens
    config = device(name).pulses
    if isinstance(config, ExponentialStepConfig):
        if up:
            step = step * (1 - config.up_factor * np.exp(config.up_exponent * config.offset))
        else:
            step = step * (1 - config.down_factor * np.exp(-config.down_exponent * config.offset))
    spread = model.steps.cycle_spread
    reach = step * (1 + 6 * spread)
    free = (zero + reach <= chip.high_siemens) & (zero - reach >= chip.low_siemens)
    assert free.sum() > 2000
    change = (after - zero) * (1 if up else -1)
    relative = change[free] / step[free] - 1.0
    if spread == 0.0:
        np.testing.assert_allclose(relative, 0.0, atol=1e-9)
    else:
        assert_mean(relative, 0.0)
        assert_std(relative, spread)


def reference_weights(name: str, train: list[int], generator: np.random.Generator) -> np.ndarray:
    """The published definition in weights, pulse by pulse, written independently of the package.

    Devices start at weight 0; bounds are cut off at the window, which is -1 to 1 around the
    middle of the nominal range over the share of the window.
    """
    p = device(name).pulses

    def get(key, default=0.0):
        return getattr(p, key, default)

    xi = lambda: generator.standard_normal(N)  # noqa: E731
    w_max = get("high_weight", 1.0) * (1 + get("high_spread") * xi())
    w_min = get("low_weight", -1.0) * (1 + get("low_spread") * xi())
    gain = np.exp(get("step_spread") * xi()) if get("log_normal", False) else (
        1 + get("step_spread") * xi()
    )  # fmt: skip
    r = get("asymmetry_spread") * xi()
    a = get("asymmetry")
    if get("own_asymmetry", False):
        up, down = gain * (1 + min(a, 0) + r), gain * (1 - max(a, 0) - r)
    else:
        up, down = gain + min(a, 0) + r, gain - max(a, 0) - r
    up, down = np.abs(up) * p.step_weight, np.abs(down) * p.step_weight
    swap = w_min > w_max
    w_min, w_max = np.where(swap, w_max, w_min), np.where(swap, w_min, w_max)
    w_min, w_max = -np.abs(w_min), np.abs(w_max)
    g_up = np.abs(get("up_fall") + get("up_fall_spread") * xi())
    g_down = np.abs(get("down_fall") + get("down_fall_spread") * xi())
    middle = 0.5 * (get("low_weight", -1.0) + get("high_weight", 1.0))
    half = 0.5 * (get("high_weight", 1.0) - get("low_weight", -1.0))
    ceiling, floor = np.minimum(w_max, middle + half), np.maximum(w_min, middle - half)
    w = np.zeros(N)
    sigma = get("cycle_spread")
    for sign in train:
        noise = sigma * xi()
        if p.kind == "exponential_step":
            z = 2 * w / (w_max - w_min) * p.slope + p.offset
            if sign > 0:
                y = np.maximum(1 - p.up_factor * np.exp(p.up_exponent * z), 0)
            else:
                y = np.maximum(1 - p.down_factor * np.exp(-p.down_exponent * z), 0)
            relative = y * (1 + noise)
        else:
            if p.kind == "soft_bounds":
                fall = w / w_max if sign > 0 else w / w_min
            elif sign > 0:
                fall = g_up * w / get("high_weight", 1.0)
            else:
                fall = g_down * w / get("low_weight", -1.0)
            additive = get("additive_noise", False)
            relative = 1 - fall + noise if additive else (1 - fall) * (1 + noise)
        w = w + (up if sign > 0 else -down) * relative
        w = np.clip(w, floor, ceiling)
    return w


@pytest.mark.parametrize("name", STEP_DEVICES)
def test_a_train_of_pulses_against_the_published_definition(name: str) -> None:
    """Mean, spread and whole distribution after pulses up and down, window and limits included."""
    ups, downs = 20, 9
    model = model_of(name, share=1.0)
    chip = model.draw(N, WINDOW, rng(14))
    siemens = np.full(N, model.steps.scale(WINDOW).zero_siemens)
    siemens = model.pulse(chip, siemens, np.full(N, ups), rng(15))
    siemens = model.pulse(chip, siemens, np.full(N, -downs), rng(16))
    found = weights(model, siemens)
    expected = reference_weights(name, [1] * ups + [-1] * downs, rng(17))
    if name == "ideal":
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        return
    assert_same_distribution(found, expected)
    # Two samples of the same size: errors add in squares.
    assert_mean(found - expected, 0.0)
    error = np.sqrt(sum(np.var((x - x.mean()) ** 2) for x in (found, expected)) / N)
    assert abs(found.var() - expected.var()) <= 5 * error


def test_vteam_crosses_its_window_in_a_hundred_pulses() -> None:
    config = device("vteam-2015")
    model = config.build().pulses
    chip = model.draw(2, config.window_siemens, rng())
    half = np.array([model.pulse(chip, np.array(config.window_siemens), np.array(c), rng())
                     for c in ([50, -50], [100, -100])])  # fmt: skip
    ohms = np.array([1050 / 2, 1050 / 2])  # linear in the state, between 50 and 1000
    np.testing.assert_allclose(1 / half[0], ohms, rtol=1e-9)
    np.testing.assert_allclose(1 / half[1], [50.0, 1000.0], rtol=1e-9)


@pytest.mark.parametrize("name", device_names())
def test_what_is_stuck_and_written_is_as_stated(name: str) -> None:
    config = device(name)
    low, high = config.window_siemens
    devices = Memristors(config.build(), config.window_siemens, np.full(N, low), rng(20))
    share = config.stuck.high + config.stuck.low + config.stuck.between
    assert abs(devices.stuck.mean() - share) <= 5 * np.sqrt(share * (1 - share) / N)
    devices.pulse(np.ones(N, int), rng(21))
    state = devices.arrays()
    noise = state["state/write_noise_siemens"][~devices.stuck] / (high - low)
    assert_std(noise, config.write_noise_relative)
    assert not state["state/write_noise_siemens"][devices.stuck].any()


@pytest.mark.parametrize("name", device_names())
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_pulse_leaves_the_limits(name: str, seed: int) -> None:
    config = device(name)
    window = config.window_siemens
    n = 200
    devices = Memristors(config.build(), window, rng(seed).uniform(*window, n), rng(seed))
    chip = devices.chip
    assert (window[0] <= chip.low_siemens).all()
    assert (chip.low_siemens <= chip.high_siemens).all()
    assert (chip.high_siemens <= window[1]).all()
    generator = rng(seed + 100)
    for reach in (1, 3, 40, 500):
        devices.pulse(generator.integers(-reach, reach + 1, n), generator)
        programmed = devices.arrays()["state/programmed_siemens"]
        assert (chip.low_siemens <= programmed).all()
        assert (programmed <= chip.high_siemens).all()
        seen = devices.siemens()
        assert (window[0] <= seen).all()
        assert (seen <= window[1]).all()


@pytest.mark.parametrize("name", device_names())
def test_seeds_decide_everything(name: str) -> None:
    config = device(name)

    def run(seed: int, pulse_seed: int) -> np.ndarray:
        start = np.full(50, np.mean(config.window_siemens))
        devices = Memristors(config.build(), config.window_siemens, start, rng(seed))
        generator = rng(pulse_seed)
        for _ in range(3):
            devices.pulse(generator.integers(-9, 10, 50), generator)
        return devices.siemens()

    np.testing.assert_array_equal(run(0, 1), run(0, 1))
    if name not in ("ideal", "vteam-2015"):  # which draw nothing
        assert not np.array_equal(run(0, 1), run(1, 1))
    assert not np.array_equal(run(0, 1), run(0, 2))
