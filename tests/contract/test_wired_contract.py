"""The substrate contract on stacks of crossbars with wires."""

from __future__ import annotations

from typing import Any

import pytest

from hil.contract import check_substrate
from hil.substrate import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    LoadsConductance,
    ReadsConductance,
    SettlesEach,
)
from sim_backend.drawing import DrawsCircuit
from sim_backend.wired.adapter import WiredSubstrate
from tests.unit.wired_networks import Build, wire

KINDS: dict[str, dict[str, Any]] = {
    "ideal_one_hidden": {"hidden": (6,)},
    "ideal_two_hidden_biased": {"hidden": (5, 4), "biased": (True, True, True)},
    "linear_no_hidden": {"hidden": (), "neurons": "linear"},
    "shockley_two_hidden_amplified": {
        "hidden": (4, 3),
        "neurons": "shockley_pairs",
        "gains": (4.0, 0.25),
        "biased": (True, False, True),
    },
    "limited_nudge": {"hidden": (4,), "max_nudge_amps": 1e-4, "max_input_volts": 0.5},
    "coarse": {"hidden": (5, 4), "tolerance": 1e-2},
    "one_node_a_layer": {"hidden": (1, 1)},
    "single_precision": {"hidden": (5,), "precision": "float32"},
}
OHMS = {"both": (5.0, 8.0), "words": (5.0, 0.0), "bits": (0.0, 8.0)}


@pytest.mark.parametrize("kind", KINDS)
def test_stacks_with_wires_honour_the_contract(build: Build, kind: str) -> None:
    check_substrate(lambda: wire(build(**KINDS[kind]), *OHMS["both"]))


@pytest.mark.parametrize("sides", ["words", "bits"])
def test_wires_on_one_side_honour_the_contract(build: Build, sides: str) -> None:
    check_substrate(lambda: wire(build((5, 4), biased=(True, True, True)), *OHMS[sides]))


def test_abilities_are_those_of_an_ideal_simulation_but_for_descending() -> None:
    abilities = (
        SettlesEach, Adjusts, ComparesDrops, CountsWrites, LoadsConductance, ReadsConductance,
        DrawsCircuit,
    )  # fmt: skip
    assert all(issubclass(WiredSubstrate, ability) for ability in abilities)
    assert not issubclass(WiredSubstrate, Descends)
