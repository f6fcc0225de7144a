"""Ideal programming of devices whose conductances are off by fixed factors."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import UsageError
from hil.substrate import Drive
from sim_backend.chip.adjustable import SIGMAS, Pattern
from tests.unit.chip.chips import WINDOW, layered, spread_chip
from tests.unit.memristors.chips import assert_mean, assert_std

INPUTS = np.array([[0.3, -0.5, 0.8], [-0.2, 0.9, 0.1]])
N = 25


def test_factors_are_log_normal_and_cut_off() -> None:
    factor = Pattern.draw(0.2, 100_000, np.random.default_rng(0)).factor
    assert_mean(np.log(factor), 0.0)
    assert_std(np.log(factor), 0.2)
    assert np.abs(np.log(factor)).max() <= 0.2 * SIGMAS
    np.testing.assert_array_equal(Pattern.draw(0.0, 3, np.random.default_rng(0)).factor, 1.0)


def test_what_is_programmed_and_what_devices_have() -> None:
    substrate = spread_chip(0.3)
    factor = substrate._factor
    start = substrate.read_conductance()
    delta = np.random.default_rng(1).normal(0.0, 1e-4, N)
    substrate.adjust(delta)
    programmed = substrate.read_conductance()
    np.testing.assert_array_equal(programmed, np.clip(start + delta, *WINDOW))
    np.testing.assert_allclose(substrate.actual_conductance(), programmed * factor)
    exact = layered((1e-9, 1.0))
    exact.load_conductance(programmed * factor)
    expected = exact.settle(Drive(INPUTS)).node_volts
    np.testing.assert_allclose(substrate.settle(Drive(INPUTS)).node_volts, expected, rtol=1e-9)
    substrate.load_conductance(programmed)
    np.testing.assert_array_equal(substrate.read_conductance(), programmed)
    np.testing.assert_array_equal(substrate.write_counts(), programmed != start)


def test_pulses_are_nominal_steps() -> None:
    substrate = spread_chip(0.3)
    middle = np.full(N, 0.5 * sum(WINDOW))
    substrate.load_conductance(middle)
    counts = np.arange(N) - 12
    substrate.pulse(counts)
    step = substrate.spec.pulse_siemens
    np.testing.assert_allclose(substrate.read_conductance(), middle + counts * step)


def test_conductances_can_be_written_to_another_chip() -> None:
    one, other = spread_chip(0.3, lot=1), spread_chip(0.3, lot=2)
    one.adjust(np.full(N, 1e-4))
    other.load_conductance(one.read_conductance())
    np.testing.assert_array_equal(other.read_conductance(), one.read_conductance())
    ratio = other.actual_conductance() / one.actual_conductance()
    np.testing.assert_allclose(ratio, other._factor / one._factor)
    assert np.abs(np.log(ratio)).max() > 0.3


def test_without_spread_it_is_the_network_inside() -> None:
    plain, substrate = layered(WINDOW), spread_chip(0.0)
    for some in (plain, substrate):
        some.adjust(np.linspace(-1e-4, 1e-4, N))
    np.testing.assert_array_equal(substrate.read_conductance(), plain.read_conductance())
    one, other = (some.settle(Drive(INPUTS)).node_volts for some in (plain, substrate))
    np.testing.assert_array_equal(one, other)


def test_state_is_what_is_programmed() -> None:
    one, other = spread_chip(0.3), spread_chip(0.3)
    one.adjust(np.full(N, 1e-4))
    other.load_state(one.state_arrays())
    np.testing.assert_array_equal(other.read_conductance(), one.read_conductance())
    for wrong in ({}, {"chip/programmed_siemens": np.zeros(3)}):
        with pytest.raises(UsageError):
            other.load_state(wrong)
    np.testing.assert_array_equal(other.read_conductance(), one.read_conductance())
