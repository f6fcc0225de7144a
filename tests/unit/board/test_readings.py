"""Readings and the range of the supply against closed formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.substrate import Drive
from sim_backend.board.converters import least_step
from tests.unit.board.rig import N_INPUTS, N_OUTPUTS, Rig, inputs


@given(bits=st.integers(4, 20), seed=st.integers(0, 1000))
def test_rounding_is_within_half_a_step(bits: int, seed: int) -> None:
    rig = Rig(adc={"bits": bits, "range_volts": 2.0})
    assert np.abs(rig.error(inputs(seed=seed))).max() <= 0.5 * least_step(bits, 2.0) * (1 + 1e-9)


def test_rounding_has_the_rms_of_a_uniform_error() -> None:
    rig = Rig(adc={"bits": 10, "range_volts": 2.0})
    step = least_step(10, 2.0)
    assert np.sqrt(np.mean(rig.error(inputs(5000)) ** 2)) == pytest.approx(step / 12**0.5, rel=0.03)
    assert rig.board.spec.noise_volts == pytest.approx(step / 12**0.5)


@pytest.mark.parametrize("shared", [True, False])
def test_gain_and_offset_of_a_shared_converter_and_of_one_a_node(shared: bool) -> None:
    rig = Rig(adc={"gain_spread": 0.01, "offset_volts": 0.01, "shared": shared})
    true = rig.inner.steady(Drive(inputs()))
    error = rig.error(inputs())
    offsets = error - (error[:, :1] if shared else error[:1])
    at = 0 if shared else slice(N_INPUTS, None)
    expected = true * (rig.drawn.adc_gain[at] - 1.0) + rig.drawn.adc_offset_volts[at]
    np.testing.assert_allclose(error, expected, atol=1e-14)
    assert np.abs(offsets).max() < 0.05


@pytest.mark.parametrize(
    "board",
    [
        {"adc": {"offset_volts": 5e-3, "shared": False}},
        {"hold": {"offset_volts": 5e-3, "step_volts": 1e-3, "step_spread_volts": 1e-3}},
    ],
)
def test_offsets_are_constant_and_cancel_between_phases(board: dict[str, Any]) -> None:
    rig = Rig(**board)
    nudge = np.full((4, N_OUTPUTS), 1e-4)
    errors = [rig.error(inputs(seed=1), a) for a in (None, nudge, -nudge, nudge)]
    assert np.abs(errors[0]).max() > 1e-3
    for error in errors[1:]:
        np.testing.assert_allclose(error, errors[0], atol=1e-14)


def test_noise_of_holds_and_readings_adds_in_squares() -> None:
    rig = Rig(adc={"noise_volts": 3e-4}, hold={"noise_volts": 4e-4})
    errors = rig.error(inputs(10_000))
    assert np.std(errors) == pytest.approx(5e-4, rel=0.02)
    assert rig.board.spec.noise_volts == pytest.approx(5e-4)
    assert abs(np.corrcoef(errors[:-1].ravel(), errors[1:].ravel())[0, 1]) < 0.025


def test_noise_of_a_hold_is_read_with_the_gain_of_its_converter() -> None:
    rig = Rig(adc={"gain_spread": 0.4, "shared": False}, hold={"noise_volts": 1e-3})
    gain = rig.drawn.adc_gain[N_INPUTS:]
    spread = np.std(rig.read(np.tile(inputs(1), (20_000, 1))), axis=0)
    np.testing.assert_allclose(spread, 1e-3 * np.abs(gain), rtol=0.03)
    assert np.ptp(gain) > 0.3


def test_the_last_code_stands_for_half_a_step_beyond_the_range() -> None:
    step = least_step(6, 1.0)
    for beyond, ok in ((0.45, True), (0.55, False)):
        rig = Rig(adc={"bits": 6, "range_volts": 1.0}, supply={"upper_volts": 9.0})
        volts = np.zeros((1, N_INPUTS))
        volts[0, 1] = (1.0 + beyond * step) / rig.inner.weights[1].max()
        settled = rig.board.settle(Drive(volts))
        assert settled.ok[0] == ok
        assert settled.node_volts[0, N_INPUTS:].max() == pytest.approx(1.0)


def test_nonlinearity_is_that_of_the_converter() -> None:
    rig = Rig(adc={"bits": 16, "range_volts": 2.0, "inl_lsb": 50.0})
    step = least_step(16, 2.0)
    x = rig.inner.steady(Drive(inputs())) / 2.0
    a, b, c = rig.drawn.adc_inl_lsb[0]
    expected = step * (1 - x**2) * (a + b * x + c * (x**2 - 1 / 7))
    np.testing.assert_allclose(rig.error(inputs()), expected, atol=0.51 * step)


def test_a_voltage_beyond_the_range_fails_its_example() -> None:
    rig = Rig(adc={"bits": 8, "range_volts": 0.2})
    volts = np.array([[0.01, 0.02], [0.5, 0.5]])
    settled = rig.board.settle(Drive(volts))
    np.testing.assert_array_equal(settled.ok, [True, False])
    assert settled.node_volts[1, N_INPUTS:].max() == pytest.approx(0.2)


def test_a_node_beyond_the_supply_fails_its_example() -> None:
    rig = Rig(supply={"lower_volts": -0.1, "upper_volts": 0.2})
    volts = np.array([[0.01, 0.02], [0.5, 0.5], [-0.2, -0.2], [0.3, -0.4]])
    settled = rig.board.settle(Drive(volts))
    true = rig.inner.steady(Drive(volts))
    np.testing.assert_array_equal(settled.ok, [True, False, False, False])
    np.testing.assert_allclose(settled.node_volts[:, N_INPUTS:], np.clip(true, -0.1, 0.2))
    np.testing.assert_array_equal(settled.node_volts[:, :N_INPUTS], volts)
    one_sided = Rig(supply={"upper_volts": 0.2}).board.settle(Drive(volts))
    np.testing.assert_array_equal(one_sided.ok, [True, False, True, True])


def test_a_failed_example_stays_failed_and_alone() -> None:
    rig = Rig(
        adc={"bits": 12, "range_volts": 2.0, "noise_volts": 1e-4},
        hold={"tau_seconds": 1e-6, "offset_volts": 1e-3},
        timing={"wait_seconds": 1e-3, "acquisition_seconds": 5e-6},
        settling={"node_farads": 1e-9},
    )
    volts = inputs()
    volts[1, 0] = 0.125
    free = rig.board.settle(Drive(volts))
    np.testing.assert_array_equal(free.ok, [True, False, True, True])
    assert np.isfinite(free.node_volts[free.ok]).all()
    volts[1, 0] = 0.2
    after = rig.board.settle(Drive(volts), free)
    assert after.ok.all()
    assert np.isfinite(after.node_volts).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states_keep_the_type_of_the_network(dtype: str) -> None:
    rig = Rig(
        adc={"bits": 12, "range_volts": 2.0, "noise_volts": 1e-4, "gain_spread": 0.1},
        hold={"offset_volts": 1e-3, "tau_seconds": 1e-6, "gain_spread": 0.1},
        timing={"wait_seconds": 1e-3, "acquisition_seconds": 5e-6},
        settling={"node_farads": 1e-9},
        inner={"dtype": dtype},
    )
    for given_type in ("float32", "float64"):
        settled = rig.board.settle(Drive(inputs().astype(given_type)))
        assert settled.node_volts.dtype == dtype
