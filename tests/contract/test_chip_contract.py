"""The substrate contract on chips of programmable devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.contract import check_substrate
from hil.substrate import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    KeepsState,
    LoadsConductance,
    ReadsConductance,
    SettlesEach,
    Substrate,
)
from sim_backend.drawing import DrawsCircuit
from tests.unit.chip.chips import CUBES, chip, graph_chip, spread_chip

EXACT: dict[str, dict[str, Any]] = {
    "ideal": {},
    "soft_bounds": {"pulses": {"kind": "soft_bounds", "step_weight": 0.02}},
    "access": {"access": {"on_ohms": 500.0}},
}
"""Devices that are all alike, so that the strictest form of every clause applies."""

ASTRAY: dict[str, dict[str, Any]] = {
    "noisy_cycles": {"pulses": {**CUBES, "cycle_spread": 5.0}},
    "write_noise": {"write_noise_relative": 0.02},
    "half_select": {"disturb": {"scheme": "half", "half_select_share": 1e-3}},
    "third_select": {"disturb": {"scheme": "third", "third_select_share": 1e-3}},
    "read_noise": {"read_noise": {"white_relative_rms": 1e-3}},
}
"""What a pulse does, or what is seen, is spread, but every conductance can be loaded."""

BOUNDED: dict[str, dict[str, Any]] = {
    "stuck": {"stuck": {"high": 0.1, "low": 0.1}},
    "own_bounds": {"pulses": {**CUBES, "low_spread": 0.3, "high_spread": 0.3, "cycle_spread": 1.0}},
    "everything": {
        "pulses": {**CUBES, "low_spread": 0.3, "high_spread": 0.3, "cycle_spread": 1.0},
        "stuck": {"high": 0.05, "low": 0.05},
        "write_noise_relative": 0.02,
        "read_noise": {
            "white_relative_rms": 0.003,
            "flicker": {"relative_rms": 0.003, "low_hertz": 1.0, "high_hertz": 1e4},
            "telegraph": {
                "share": 0.3, "relative_step": 0.01, "high_seconds": 1e-3, "low_seconds": 1e-3,
            },
        },
        "drift": {"exponent": 0.05, "exponent_spread": 0.01},
        "disturb": {
            "scheme": "half", "half_select_share": 1e-3, "read_share": 1e-5,
        },
    },
}  # fmt: skip
"""Some devices cannot be brought to every conductance, not even by ideal loading."""


@pytest.mark.parametrize("kind", [*EXACT, *ASTRAY])
def test_chips_honour_the_contract(kind: str) -> None:
    table = (EXACT | ASTRAY)[kind]
    assert (chip(table).spec.pulse_spread > 0.0) == (kind in ASTRAY and kind != "read_noise")
    check_substrate(lambda: chip(table))


@pytest.mark.parametrize("kind", BOUNDED)
def test_chips_with_limits_honour_it(kind: str) -> None:
    assert chip(BOUNDED[kind]).spec.pulse_spread > 0.0
    check_substrate(lambda: chip(BOUNDED[kind]))


@pytest.mark.parametrize("name", ["reram-es", "reram-om-2022", "reram-hfo2-2022", "ecram-li"])
def test_published_devices_honour_it(name: str) -> None:
    check_substrate(lambda: chip(name))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_chips_with_fixed_errors_honour_the_contract(precision: str) -> None:
    check_substrate(lambda: spread_chip(0.3, precision=precision))


@pytest.mark.parametrize("kind", ["ideal", "half_select"])
def test_chips_of_any_graph_honour_the_contract(kind: str) -> None:
    check_substrate(lambda: graph_chip((EXACT | ASTRAY)[kind]))


@pytest.mark.parametrize("make", [chip, graph_chip])
def test_abilities_are_those_of_devices_and_network(make: Callable[..., Substrate]) -> None:
    substrate = make({})
    for ability in (
        ReadsConductance, LoadsConductance, CountsWrites, KeepsState, SettlesEach, ComparesDrops,
        DrawsCircuit,
    ):  # fmt: skip
        assert isinstance(substrate, ability)
    assert not isinstance(substrate, Adjusts)
    assert not isinstance(substrate, Descends)
    adjustable = spread_chip(0.1)
    assert isinstance(adjustable, Adjusts)
    assert not isinstance(adjustable, Descends)
    assert isinstance(adjustable, KeepsState)


def test_spread_pulses_do_not_excuse_pulses_the_wrong_way() -> None:
    def turned() -> Substrate:
        substrate = chip(ASTRAY["noisy_cycles"])
        pulse = substrate._pulse
        substrate._pulse = lambda counts: pulse(np.negative(counts))
        return substrate

    with pytest.raises(AssertionError, match="pulse"):
        check_substrate(turned)
