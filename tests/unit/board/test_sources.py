"""Sources of inputs and nudges against closed formulas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hil.errors import ConfigurationError, SafetyError
from hil.substrate import Drive
from sim_backend.board.abilities import board_around
from sim_backend.board.config import BoardConfig
from sim_backend.board.converters import SHAPE_MEAN_SQUARES, least_step, nonlinearity
from tests.unit.board.rig import N_INPUTS, N_OUTPUTS, Linear, Rig, inputs


def applied(rig: Rig) -> Drive:
    return rig.inner.drives[-1]


@given(
    bits=st.integers(2, 20),
    span=st.floats(1e-3, 10.0),
    share=st.lists(st.floats(-1.0, 1.0), min_size=N_INPUTS, max_size=N_INPUTS),
)
def test_rounding_is_to_the_nearest_level(bits: int, span: float, share: list[float]) -> None:
    rig = Rig(dac={"bits": bits, "range_volts": span}, inner={"max_input_volts": 100.0})
    volts = np.array([share, [-1.0, 1.0], [0.0, 0.0]]) * span
    settled = rig.board.settle(Drive(volts))
    sent = applied(rig).input_volts
    step = least_step(bits, span)
    assert np.abs(sent - volts).max() <= 0.5 * step * (1 + 1e-9)
    np.testing.assert_allclose(sent / step, np.rint(sent / step), atol=1e-6)
    np.testing.assert_allclose(sent[1:], volts[1:], rtol=1e-12)
    # The controller knows what its codes stand for.
    np.testing.assert_array_equal(settled.node_volts[:, :N_INPUTS], sent)


def test_rounding_has_the_rms_of_a_uniform_error() -> None:
    rig = Rig(dac={"bits": 8, "range_volts": 1.0})
    volts = inputs(20_000, reach=1.0)
    rig.board.settle(Drive(volts))
    rms = np.sqrt(np.mean((applied(rig).input_volts - volts) ** 2))
    assert rms == pytest.approx(least_step(8, 1.0) / 12**0.5, rel=0.02)


def test_gain_and_offset_are_those_of_the_channel_and_unknown_to_the_controller() -> None:
    rig = Rig(dac={"gain_spread": 0.01, "offset_volts": 0.02})
    for seed in (0, 1):
        volts = inputs(seed=seed)
        settled = rig.board.settle(Drive(volts))
        expected = volts * rig.drawn.dac_gain + rig.drawn.dac_offset_volts
        np.testing.assert_allclose(applied(rig).input_volts, expected, rtol=1e-14)
        np.testing.assert_array_equal(settled.node_volts[:, :N_INPUTS], volts)


def test_shapes_of_the_nonlinearity_are_orthogonal_and_of_the_stated_squares() -> None:
    x = np.linspace(-1.0, 1.0, 200_001)[:, None]
    curves = [nonlinearity(x, 1.0, np.eye(3)[k : k + 1])[:, 0] for k in range(3)]
    products = np.array([[np.mean(a * b) for a in curves] for b in curves])
    np.testing.assert_allclose(products, np.diag(SHAPE_MEAN_SQUARES), atol=1e-5)


def test_nonlinearity_has_its_rms_and_is_zero_at_the_ends() -> None:
    board = {"dac": {"bits": 10, "range_volts": 2.0, "inl_lsb": 3.0}}
    config = BoardConfig.model_validate(board)
    graph = Linear(n_hidden=1).spec.topology
    draws = [config.draw(graph, np.random.default_rng(s)).dac_inl_lsb for s in range(400)]
    x = np.linspace(-1.0, 1.0, 501)[:, None]
    curves = nonlinearity(np.repeat(x, 800, axis=1), 1.0, np.concatenate(draws))
    assert np.sqrt(np.mean(curves**2)) == pytest.approx(3.0, rel=0.05)
    rig = Rig(**board)
    ends = np.array([[-2.0, 2.0], [2.0, -2.0]])
    rig.board.settle(Drive(ends))
    np.testing.assert_allclose(applied(rig).input_volts, ends, rtol=1e-12)
    middle = np.zeros((1, N_INPUTS))
    rig.board.settle(Drive(middle))
    weights = rig.drawn.dac_inl_lsb * least_step(10, 2.0)
    np.testing.assert_allclose(applied(rig).input_volts[0], weights[:, 0] - weights[:, 2] / 7)


def test_noise_is_white_and_of_the_stated_rms() -> None:
    rig = Rig(dac={"noise_volts": 0.01})
    volts = inputs(20_000)
    sent = []
    for _ in range(2):
        rig.board.settle(Drive(volts))
        sent.append(applied(rig).input_volts - volts)
    assert np.std(sent[0]) == pytest.approx(0.01, rel=0.02)
    assert abs(np.corrcoef(sent[0].ravel(), sent[1].ravel())[0, 1]) < 0.025


def test_levels_beyond_the_range_are_refused_before_anything_is_applied() -> None:
    rig = Rig(dac={"range_volts": 0.4}, nudge={"range_amps": 1e-3})
    spec = rig.board.spec
    assert (spec.max_input_volts, spec.max_nudge_amps) == (0.4, 1e-3)
    volts, amps = np.full((1, N_INPUTS), 0.4), np.full((1, N_OUTPUTS), 1e-3)
    with pytest.raises(SafetyError):
        rig.board.settle(Drive(1.001 * volts))
    with pytest.raises(SafetyError):
        rig.board.settle(Drive(volts, 1.001 * amps))
    assert not rig.inner.drives
    rig.board.settle(Drive(volts, amps))


def test_a_nudge_of_zero_has_an_offset_and_a_free_phase_has_none() -> None:
    rig = Rig(nudge={"gain_spread": 0.1, "offset_amps": 1e-6})
    zero = np.zeros((4, N_OUTPUTS))
    rig.board.settle(Drive(inputs()))
    assert applied(rig).nudge_amps is None
    for amps in (zero, zero + 1e-3):
        rig.board.settle(Drive(inputs(), amps))
        expected = amps * rig.drawn.nudge_gain + rig.drawn.nudge_offset_amps
        np.testing.assert_allclose(applied(rig).nudge_amps, expected, rtol=1e-12)


@given(
    volts=st.floats(1e-3, 100.0),
    amps=st.floats(1e-9, 10.0),
    gain=st.floats(0.0, 0.05),
    offset=st.floats(0.0, 1.0),
)
def test_room_for_errors_is_made_and_given_back(
    volts: float, amps: float, gain: float, offset: float
) -> None:
    config = BoardConfig.model_validate(
        {
            "dac": {"gain_spread": gain, "offset_volts": offset, "noise_volts": offset},
            "nudge": {"gain_spread": gain, "offset_amps": offset},
        }
    )
    found = config.offered_limits(*config.inner_limits(volts, amps))
    assert volts <= found[0] <= volts * (1.0 + 2e-9) + 1e-12 * offset
    assert amps <= found[1] <= amps * (1.0 + 2e-9) + 1e-7 * offset
    assert BoardConfig().offered_limits(volts, amps) == (volts, amps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_applied_stays_within_the_limits_of_the_network(dtype: str) -> None:
    """However unlucky the draw; 1.1 as float32 is more than 1.1."""
    inner = Linear(max_input_volts=1.1)
    config = BoardConfig()
    drawn = config.draw(inner.spec.topology, np.random.default_rng(0))
    drawn = dataclasses.replace(drawn, dac_gain=np.array([2.0, 0.5]))
    board = board_around(inner, config, drawn, np.random.default_rng(0))
    board.settle(Drive(np.array([[0.9, 0.9], [-0.9, 0.9], [0.4, 0.4]], dtype)))
    sent = inner.drives[-1].input_volts
    assert sent.dtype == dtype
    assert np.abs(sent.astype(np.float64)).max() <= 1.1
    np.testing.assert_allclose(sent, [[1.1, 0.45], [-1.1, 0.45], [0.8, 0.2]], rtol=1e-6)


def test_sources_without_a_limit_have_errors_too() -> None:
    limit = 2.0 * float(np.finfo(np.float32).max)
    rig = Rig(dac={"gain_spread": 0.1}, inner={"max_input_volts": limit})
    applied_drive = rig.board._without_noise(Drive(inputs().astype(np.float32)))
    expected = inputs() * rig.drawn.dac_gain
    np.testing.assert_allclose(applied_drive.input_volts, expected, rtol=1e-6)


def test_codes_do_not_round_out_of_the_limits_of_the_network() -> None:
    rig = Rig(dac={"bits": 4, "range_volts": 7.0}, inner={"max_input_volts": 3.6})
    limit = rig.board.spec.max_input_volts
    assert limit == pytest.approx(3.1)
    rig.board.settle(Drive(np.full((1, N_INPUTS), 3.09)))
    np.testing.assert_allclose(applied(rig).input_volts, 3.0, rtol=1e-12)


def test_levels_are_worked_out_anew_when_the_inputs_are_others() -> None:
    rig = Rig(dac={"gain_spread": 0.1})
    volts = inputs().astype(np.float32)
    for given_volts in (volts, volts.astype(np.float64), volts):
        rig.board.settle(Drive(given_volts))
        assert applied(rig).input_volts.dtype == given_volts.dtype
    volts *= 2.0  # in place
    rig.board.settle(Drive(volts))
    np.testing.assert_allclose(applied(rig).input_volts, volts * rig.drawn.dac_gain, rtol=1e-6)
    again = applied(rig).input_volts
    rig.board.settle(Drive(volts.copy()))
    assert applied(rig).input_volts is again


def test_errors_larger_than_the_limits_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no room below the limits"):
        Rig(dac={"offset_volts": 2.0})


@pytest.mark.parametrize(
    "wrong",
    [
        {"dac": {"bits": 8}},
        {"dac": {"range_volts": 1.0, "inl_lsb": 1.0}},
        {"nudge": {"bits": 8}},
        {"adc": {"bits": 8}},
        {"adc": {"bits": 1, "range_volts": 1.0}},
        {"supply": {"lower_volts": 1.0, "upper_volts": 1.0}},
        {"settling": {"node_farads": 1e-9}},
        {"hold": {"tau_seconds": 1e-6}},
        {"hold": {"banks": 3}},
        {"comparator": {"noise_volts": -1.0}},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValidationError):
        BoardConfig.model_validate(wrong)
