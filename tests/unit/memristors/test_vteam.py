"""VTEAM and its integrator against closed forms and an independent solver."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sim_backend.memristors.rosenbrock import StepsError, integrate
from sim_backend.memristors.vteam import StateWindow, Vteam
from tests.unit.memristors.chips import N, assert_mean, assert_std, rng

WINDOW = (1e-5, 1e-3)
MODEL = Vteam(
    off_per_second=2e5, on_per_second=-3e5, off_exponent=2.0, on_exponent=3.0, off_volts=0.5,
    on_volts=-0.4, up_volts=-0.9, down_volts=1.1, pulse_seconds=1e-7,
)  # fmt: skip
WINDOWS = {
    "none": StateWindow(),
    "joglekar": StateWindow("joglekar", power=2),
    "biolek": StateWindow("biolek", power=3),
    "kvatinsky": StateWindow("kvatinsky", off_end=0.8, on_end=0.15, width=0.05),
}


def reference_end(model: Vteam, start_siemens: float, volts: float, seconds: float) -> float:
    """The paper's equations in its own variables, by an implicit Runge-Kutta method."""
    r_on, r_off = 1 / WINDOW[1], 1 / WINDOW[0]
    w = model.state_window

    def ohms(x):
        return r_on * (r_off / r_on) ** x if model.exponential else r_on + (r_off - r_on) * x

    def derivative(_, state):
        x = min(max(state[0], 0.0), 1.0)
        v = volts * ohms(x) / (ohms(x) + model.series_ohms)
        if v > model.off_volts:
            speed = model.off_per_second * (v / model.off_volts - 1) ** model.off_exponent
        elif v < model.on_volts:
            speed = model.on_per_second * (v / model.on_volts - 1) ** model.on_exponent
        else:
            speed = 0.0
        factor = 1.0
        if w.kind == "joglekar":
            factor = 1 - (2 * x - 1) ** (2 * w.power)
        elif w.kind == "biolek":
            factor = 1 - (x - (0 if speed > 0 else 1)) ** (2 * w.power)
        elif w.kind == "kvatinsky":
            e = (x - w.off_end) if speed > 0 else (w.on_end - x)
            factor = np.exp(-np.exp(e / w.width))
        return [speed * factor]

    r = 1 / start_siemens
    x = (
        np.log(r / r_on) / np.log(r_off / r_on)
        if model.exponential
        else (r - r_on) / (r_off - r_on)
    )
    solution = solve_ivp(
        derivative, (0, seconds), [x], method="Radau", rtol=1e-9, atol=1e-11,
        max_step=seconds / 50,
    )  # fmt: skip
    return 1 / ohms(min(max(solution.y[0, -1], 0.0), 1.0))


@pytest.mark.parametrize("series_ohms", [0.0, 2000.0])
@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("kind", WINDOWS)
def test_against_an_independent_solver(kind: str, exponential: bool, series_ohms: float) -> None:
    model = dataclasses.replace(
        MODEL, state_window=WINDOWS[kind], exponential=exponential, series_ohms=series_ohms
    )
    n = 3
    chip = model.draw(n, WINDOW, rng())
    start = np.geomspace(1.2e-5, 8e-4, n)
    for volts, seconds in ((-0.9, 2e-6), (-0.6, 3e-5), (1.1, 1.5e-6), (0.7, 2e-5)):
        after = model.expose(chip, start, np.full(n, volts), np.full(n, seconds))
        expected = [reference_end(model, g, volts, seconds) for g in start]
        np.testing.assert_allclose(after, expected, rtol=1e-5)
    still = model.expose(chip, start, np.full(n, 0.45), np.full(n, 1.0))
    np.testing.assert_array_equal(still, start)  # below both thresholds nothing moves


@pytest.mark.parametrize("kind", WINDOWS)
def test_pulses_of_one_sign_are_one_long_pulse(kind: str) -> None:
    model = dataclasses.replace(MODEL, state_window=WINDOWS[kind])
    chip = model.draw(4, WINDOW, rng())
    start = np.array([2e-5, 2e-5, 5e-4, 5e-4])
    signs = np.array([1, -1, 1, -1])
    singly = start
    for _ in range(12):
        singly = model.pulse(chip, singly, signs, rng())
    np.testing.assert_allclose(model.pulse(chip, start, 12 * signs, rng()), singly, rtol=1e-4)
    assert (singly[signs > 0] > start[signs > 0]).all()
    assert (singly[signs < 0] < start[signs < 0]).all()


def test_joglekar_never_leaves_an_end_and_biolek_does() -> None:
    start = np.array(WINDOW)
    for kind, moves in (("joglekar", False), ("biolek", True)):
        model = dataclasses.replace(MODEL, state_window=StateWindow(kind))
        chip = model.draw(2, WINDOW, rng())
        after = model.pulse(chip, start, np.array([5, -5]), rng())
        assert (after != start).all() == moves


def test_spread() -> None:
    model = dataclasses.replace(MODEL, speed_spread=0.3, threshold_spread=0.02, cycle_spread=0.2)
    chip = model.draw(N, WINDOW, rng(1))
    for speed, nominal in ((chip.off_per_second, 2e5), (chip.on_per_second, -3e5)):
        assert_mean(np.log(speed / nominal), 0.0)
        assert_std(np.log(speed / nominal), 0.3)
    for volts, nominal in ((chip.off_volts, 0.5), (chip.on_volts, -0.4)):
        assert_mean(volts / nominal, 1.0)
        assert_std(volts / nominal, 0.02)
    same = dataclasses.replace(MODEL, cycle_spread=0.2)
    plain = same.draw(N, WINDOW, rng())
    after = same.pulse(plain, np.full(N, 1e-4), np.full(N, -9), rng(2))
    moved = same.state(plain, after) - same.state(plain, np.full(N, 1e-4))
    nine = 9 * 1e-7 * 2e5 * (1.1 / 0.5 - 1) ** 2
    assert_mean(moved / nine, 1.0)
    assert_std(moved / nine, 0.2 / 3)


def test_bounds_are_spread_within_the_window() -> None:
    model = dataclasses.replace(MODEL, low_spread=0.5, high_spread=0.5)
    chip = model.draw(N, WINDOW, rng(3))
    for bound, end in ((chip.low_siemens, WINDOW[0]), (chip.high_siemens, WINDOW[1])):
        cut = bound == end  # half of them lie beyond the window
        assert abs(cut.mean() - 0.5) <= 5 * 0.5 / np.sqrt(N)
        inside = np.log(bound[~cut] / end)
        assert_mean(np.abs(inside), 0.5 * np.sqrt(2 / np.pi))
    ends = model.pulse(chip, chip.low_siemens, np.full(N, 10**6), rng())
    np.testing.assert_allclose(ends, chip.high_siemens, rtol=1e-12)


def test_integrator_is_stable_on_stiff_equations() -> None:
    """A relaxation 10^8 times faster than the duration, in few steps."""
    ends = np.array([0.3, 0.9])
    found = integrate(
        lambda x, rows: 1e8 * (ends[rows] - x), np.array([0.9, 0.1]), np.ones(2), 1e-5, 200
    )
    np.testing.assert_allclose(found, ends, atol=1e-5)


def test_integrator_is_of_third_order() -> None:
    """A thousandth of the tolerance takes ten times the steps; errors keep to the tolerance."""
    calls, errors = [], []
    for tolerance in (1e-6, 1e-9, 1e-12):
        count = 0

        def logistic(x, rows):
            nonlocal count
            count += 1
            return 4.0 * x * (1.0 - x)

        end = integrate(logistic, np.array([0.05]), np.array([1.5]), tolerance)
        errors.append(abs(end[0] - 1 / (1 + 19 * np.exp(-6.0))))
        calls.append(count)
    assert errors[0] < 1e-4
    assert errors[1] < 1e-7
    assert errors[2] < 1e-10
    for few, many in itertools.pairwise(calls):
        assert 5 < many / few < 15


def test_unstable_equations_are_followed_too() -> None:
    """Away from an unstable point: exp(5) times a small start, and exp(20), cut off at the end."""
    start = np.array([1e-5, 1e-5])
    found = integrate(lambda x, rows: 20.0 * x, start, np.array([0.25, 1.0]), 1e-12)
    assert found[0] == pytest.approx(1e-5 * np.exp(5.0), rel=1e-5)
    assert found[1] == 1.0


def test_an_absurd_exposure_is_refused() -> None:
    with pytest.raises(StepsError, match="shorten it"):
        integrate(lambda x, rows: np.sin(1e9 * x) * 1e9, np.array([0.5]), np.array([1.0]),
                  most_steps=50)  # fmt: skip
