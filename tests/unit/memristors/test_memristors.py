"""The whole chip: drift, disturbances, write noise, stuck devices, storing and resuming."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim_backend.memristors.access import Access
from sim_backend.memristors.disturb import Disturb, half_selected
from sim_backend.memristors.drift import Drift
from sim_backend.memristors.exponential_step import ExponentialStep
from sim_backend.memristors.linear_step import LinearStep, soft_bounds
from sim_backend.memristors.memristors import DeviceModel, Memristors
from sim_backend.memristors.read_noise import Flicker, ReadNoise, Telegraph
from sim_backend.memristors.spread import Steps
from sim_backend.memristors.stuck import Stuck
from tests.unit.memristors.chips import WINDOW, N, assert_mean, assert_std, rng

IDEAL = LinearStep(Steps(0.01))
STEP = 0.01 * (WINDOW[1] - WINDOW[0]) / 2


def chip(model: DeviceModel, n: int, at: float = 5e-5, seed: int = 0) -> Memristors:
    return Memristors(model, WINDOW, np.full(n, at), rng(seed))


def test_an_ideal_chip_is_what_was_loaded_and_pulsed() -> None:
    devices = Memristors(DeviceModel(IDEAL), WINDOW, np.array([1e-7, 2e-5, 9e-3]), rng())
    np.testing.assert_array_equal(devices.siemens(), [WINDOW[0], 2e-5, WINDOW[1]])
    devices.load(np.full(3, 5e-5, np.float32))
    devices.pulse(np.array([2, 0, -3]), rng())
    np.testing.assert_allclose(devices.siemens(), 5e-5 + STEP * np.array([2, 0, -3]), rtol=1e-7)
    seen = devices.siemens()
    seen[:] = 0.0
    assert devices.siemens().all()  # a copy was changed


def test_stuck_devices() -> None:
    model = DeviceModel(IDEAL, stuck=Stuck(0.1, 0.2, 0.3, (0.25, 0.5)))
    devices = chip(model, N)
    assert abs(devices.stuck.mean() - 0.6) <= 5 * np.sqrt(0.24 / N)
    before = devices.siemens()
    devices.pulse(np.full(N, 5), rng())
    after = devices.siemens()
    np.testing.assert_array_equal(after[devices.stuck], before[devices.stuck])
    np.testing.assert_allclose(after[~devices.stuck], 5e-5 + 5 * STEP)
    stuck = before[devices.stuck]
    for share, found in ((0.1, stuck == WINDOW[1]), (0.2, stuck == WINDOW[0])):
        assert abs(found.sum() / N - share) <= 5 * np.sqrt(share * (1 - share) / N)
    between = stuck[(stuck != WINDOW[0]) & (stuck != WINDOW[1])]
    place = (between - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
    assert place.min() >= 0.25
    assert place.max() <= 0.5
    assert_mean(place, 0.375)


def test_write_noise_is_drawn_anew_by_every_programming_and_does_not_add_up() -> None:
    model = DeviceModel(IDEAL, write_noise_relative=0.02)
    devices = chip(model, N)
    np.testing.assert_array_equal(devices.siemens(), 5e-5)
    generator = rng(1)
    width = WINDOW[1] - WINDOW[0]
    deviations = []
    for k in range(1, 4):
        devices.pulse(np.ones(N, int), generator)
        deviations.append((devices.siemens() - (5e-5 + k * STEP)) / width)
        assert_mean(deviations[-1], 0.0)
        assert_std(deviations[-1], 0.02)
    assert_mean(deviations[0] * deviations[1] / 0.02**2, 0.0)
    before = devices.siemens()
    devices.pulse(np.arange(N) % 2, generator)
    untouched = devices.siemens()[::2]
    np.testing.assert_array_equal(untouched, before[::2])


def test_drift_follows_its_power_law() -> None:
    model = DeviceModel(IDEAL, drift=Drift(exponent=0.07, exponent_spread=0.01))
    devices = chip(model, N)
    times = np.geomspace(1e4, 1e6, 9)
    log_siemens = []
    for at in times:
        devices.wait_until(float(at))
        log_siemens.append(np.log(devices.siemens() / 5e-5))
    slopes = np.polynomial.polynomial.polyfit(np.log(times + 20.0), np.array(log_siemens), 1)[1]
    assert_mean(slopes, -0.07)
    assert_std(slopes, 0.01)
    # At t = 0 nothing has drifted, and t_0 after half a factor 2^nu has.
    fresh = chip(DeviceModel(IDEAL, drift=Drift(0.5, reference_seconds=3.0)), 1)
    assert fresh.siemens()[0] == 5e-5
    fresh.wait_until(3.0)
    assert fresh.siemens()[0] == pytest.approx(5e-5 / np.sqrt(2.0), rel=1e-14)


def test_a_pulse_starts_from_the_drifted_conductance_and_restarts_drift() -> None:
    devices = chip(DeviceModel(IDEAL, drift=Drift(0.1)), 2)
    devices.wait_until(980.0)
    drifted = 5e-5 * 50**-0.1
    np.testing.assert_allclose(devices.siemens(), drifted, rtol=1e-13)
    devices.pulse(np.array([1, 0]), rng())
    np.testing.assert_allclose(devices.siemens(), [drifted + STEP, drifted], rtol=1e-13)
    devices.wait_until(1000.0)
    np.testing.assert_allclose(
        devices.siemens(), [(drifted + STEP) * 2**-0.1, 5e-5 * 51**-0.1], rtol=1e-13
    )
    with pytest.raises(ValueError, match="cannot go back"):
        devices.wait_until(999.0)
    devices.wait_until(1e30)
    assert (devices.siemens() >= WINDOW[0]).all()


def test_disturbances_are_small_pulses_that_leave_drift_and_write_noise_alone() -> None:
    share = 1e-3
    model = DeviceModel(
        IDEAL, drift=Drift(0.1), write_noise_relative=0.01, disturb=Disturb(half_select_share=share)
    )
    devices = chip(model, 3)
    devices.pulse(np.array([1, 1, 1]), rng(3))
    devices.wait_until(500.0)
    noise = devices.arrays()["state/write_noise_siemens"]
    before = devices.siemens()
    up, down = np.array([0, 40, 7]), np.array([0, 10, 27])
    devices.disturb(up, down, model.disturb.half_select_share, rng())
    np.testing.assert_allclose(devices.siemens() - before, share * STEP * (up - down), atol=1e-18)
    state = devices.arrays()
    np.testing.assert_array_equal(state["state/write_noise_siemens"], noise)
    np.testing.assert_array_equal(state["state/programmed_at_seconds"], 0.0)
    disturbed = devices.siemens()
    devices.disturb(up, down, 0.0, rng())
    np.testing.assert_array_equal(devices.siemens(), disturbed)


EXPONENTIAL = ExponentialStep(Steps(0.005, cycle_spread=2.0), -1.2, -0.1, 5.0, 5.0, -0.5, -0.5)


@pytest.mark.parametrize(
    "model",
    [
        EXPONENTIAL,
        soft_bounds(Steps(0.005, cycle_spread=2.0)),
        soft_bounds(Steps(0.005, cycle_spread=2.0), additive_noise=True),
    ],
)
@pytest.mark.parametrize("share", [1e-3, 0.02])
def test_disturbances_at_once_are_those_one_by_one(model: Any, share: float) -> None:
    """300 of them: up to six full pulses, each of which is worked out anew."""
    chip = model.draw(N, WINDOW, rng())
    start = np.full(N, 3e-5)
    odd = np.arange(N) % 2
    up, down = np.where(odd, 300, 100), np.where(odd, 0, 200)
    one_by_one = model.pulse(chip, start, up // 2, rng(1), share)
    one_by_one = model.pulse(chip, one_by_one, -down, rng(2), share)
    one_by_one = model.pulse(chip, one_by_one, up - up // 2, rng(3), share)
    at_once = model.disturb(chip, start, up, down, rng(4), share)
    for part in (slice(0, None, 2), slice(1, None, 2)):
        error = np.hypot(one_by_one[part].std(), at_once[part].std()) / np.sqrt(N / 2)
        gap = at_once[part].mean() - one_by_one[part].mean()
        assert abs(gap) <= 5 * error + 0.01 * abs(one_by_one[part].mean() - 3e-5)
        assert at_once[part].std() == pytest.approx(one_by_one[part].std(), rel=0.08)


def test_disturbances_stop_at_limits() -> None:
    for model in (EXPONENTIAL, soft_bounds(Steps(0.05, cycle_spread=2.0)), IDEAL):
        chip = model.draw(3, WINDOW, rng())
        ends = np.array([WINDOW[0], 5e-5, WINDOW[1]])
        after = model.disturb(chip, ends, np.zeros(3, int), np.full(3, 10**5), rng(), 0.1)
        assert (after >= WINDOW[0]).all()
        assert after.max() < 1.1 * WINDOW[0]
        np.testing.assert_array_equal(
            model.disturb(chip, ends, np.zeros(3, int), np.zeros(3, int), rng(), 0.1), ends
        )


def test_drawn_arrays_and_state_are_told_apart() -> None:
    devices = chip(FULL, 60)
    drawn, state = devices.drawn_arrays(), devices.state_arrays()
    assert not drawn.keys() & state.keys()
    devices.pulse(np.ones(60, int), rng(1))
    devices.read(np.array([1.0]), rng(2))
    for name, values in devices.drawn_arrays().items():
        np.testing.assert_array_equal(values, drawn[name])
    moved = {
        name for name, values in devices.state_arrays().items() if (values != state[name]).any()
    }
    assert {"state/programmed_siemens", "noise/flicker", "state/now_seconds"} <= moved
    other = Memristors(FULL, WINDOW, np.full(60, 5e-5), rng(77), devices.drawn)
    other.load_state(devices.state_arrays())
    np.testing.assert_array_equal(other.siemens(), devices.siemens())


def test_half_selected_devices_are_those_in_row_or_column() -> None:
    counts = rng(4).integers(-3, 4, (5, 7))
    up, down = half_selected(counts)
    for i in range(5):
        for j in range(7):
            others = [counts[i, k] for k in range(7) if k != j]
            others += [counts[k, j] for k in range(5) if k != i]
            assert up[i, j] == sum(c for c in others if c > 0)
            assert down[i, j] == -sum(c for c in others if c < 0)


def test_reading_sees_drift_and_noise() -> None:
    model = DeviceModel(IDEAL, drift=Drift(0.1), read_noise=ReadNoise(white_relative_rms=0.03))
    devices = chip(model, N)
    found = devices.read(np.array([0.0, 980.0]), rng(5))
    assert found.shape == (2, N)
    for row, factor in zip(found, (1.0, 50**-0.1), strict=True):
        assert_mean(row / (5e-5 * factor), 1.0)
        assert_std(row / (5e-5 * factor), 0.03)
    assert devices.now_seconds == 980.0


FULL = DeviceModel(
    soft_bounds(Steps(0.05, 0.3, True, 0.1, 0.05, cycle_spread=0.5, low_spread=0.2)),
    stuck=Stuck(0.05, 0.05),
    write_noise_relative=0.01,
    drift=Drift(0.05, 0.01),
    read_noise=ReadNoise(0.01, Flicker(0.01, 0.1, 10.0), Telegraph(0.5, 0.02, 1.0, 2.0)),
    disturb=Disturb(1e-3, 1e-6),
)


def go_on(devices: Memristors, generator: np.random.Generator, begin: int) -> np.ndarray:
    found = []
    for k in range(begin, begin + 3):
        devices.pulse(generator.integers(-4, 5, 60), generator)
        up, down = half_selected(generator.integers(-1, 2, (6, 10)))
        devices.disturb(up.ravel(), down.ravel(), 1e-3, generator)
        found.append(devices.read(np.array([3.0 * k, 3.0 * k + 1.0]), generator))
    return np.array(found)


def test_a_stored_chip_goes_on_with_the_same_bits() -> None:
    devices, generator = chip(FULL, 60, seed=8), rng(9)
    go_on(devices, generator, 0)
    stored = devices.arrays()
    state = generator.bit_generator.state
    expected = go_on(devices, generator, 3)
    resumed, other = chip(FULL, 60, seed=99), rng()
    resumed.load_arrays(stored)
    other.bit_generator.state = state
    np.testing.assert_array_equal(go_on(resumed, other, 3), expected)
    after, again = devices.arrays(), resumed.arrays()
    assert after.keys() == again.keys()
    for name, values in after.items():
        np.testing.assert_array_equal(values, again[name])
    # What was stored has not moved on with the chip.
    resumed.load_arrays(stored)
    np.testing.assert_array_equal(resumed.arrays()["state/now_seconds"], 7.0)


def test_a_foreign_chip_is_refused_and_nothing_loaded() -> None:
    devices = chip(FULL, 60)
    before = devices.arrays()
    with pytest.raises(ValueError, match="another number of devices"):
        devices.load_arrays(chip(FULL, 61).arrays())
    with pytest.raises(ValueError, match="another device model"):
        devices.load_arrays({k: v for k, v in before.items() if k != "state/programmed_siemens"})
    for name, values in devices.arrays().items():
        np.testing.assert_array_equal(values, before[name])


def test_gates_select() -> None:
    access = Access(on_ohms=1e3, off_ohms=1e9)
    gates = np.array([True, False])
    np.testing.assert_allclose(
        1 / access.seen_siemens(np.full(2, 1e-4), gates), [1e4 + 1e3, 1e4 + 1e9]
    )
    np.testing.assert_array_equal(access.selected(np.array([3, -4]), gates), [3, 0])
    np.testing.assert_array_equal(Access(1e3).seen_siemens(np.full(2, 1e-4), ~gates)[0], 0.0)
