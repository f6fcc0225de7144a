"""The substrate contract on networks behind the electronics of a board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.contract import check_substrate
from hil.substrate import Substrate
from sim_backend.board.abilities import board_around
from sim_backend.board.config import BoardConfig
from sim_backend.graph.config import NodalConfig
from sim_backend.order import Order
from tests.contract.wrappers import Bare

Build = Callable[..., Any]

TIMES = {"wait_seconds": 1e-3, "acquisition_seconds": 2e-5, "read_seconds": 1e-4}
BOARDS: dict[str, dict[str, Any]] = {
    "off": {},
    "sources": {
        "dac": {
            "bits": 16,
            "range_volts": 1.0,
            "gain_spread": 1e-3,
            "offset_volts": 1e-4,
            "inl_lsb": 1.0,
            "noise_volts": 1e-4,
        },
        "nudge": {
            "bits": 16,
            "range_amps": 2e-3,
            "gain_spread": 1e-2,
            "offset_amps": 1e-8,
            "inl_lsb": 1.0,
            "noise_amps": 1e-8,
        },
    },
    "readings": {
        "adc": {
            "bits": 12,
            "range_volts": 2.0,
            "gain_spread": 1e-3,
            "offset_volts": 2e-3,
            "inl_lsb": 1.0,
            "noise_volts": 2e-4,
        },
        "supply": {"lower_volts": -3.0, "upper_volts": 3.0},
    },
    "holds": {
        "timing": TIMES,
        "hold": {
            "tau_seconds": 2e-6,
            "step_volts": 5e-4,
            "step_spread_volts": 1e-4,
            "droop_volts_per_second": 8e-3,
            "droop_spread_volts_per_second": 8e-3,
            "offset_volts": 1e-4,
            "gain_spread": 2e-5,
            "noise_volts": 1e-4,
        },
    },
    "two banks": {
        "hold": {"banks": 2, "offset_volts": 1e-3, "step_spread_volts": 1e-3, "gain_spread": 1e-4}
    },
    "comparators": {
        "adc": {"noise_volts": 2e-4},
        "comparator": {"offset_volts": 2e-4, "noise_volts": 1e-4, "hysteresis_volts": 1e-4},
    },
    "charging": {"timing": TIMES, "settling": {"node_farads": 1e-9}, "adc": {"shared": False}},
}
EVERYTHING: dict[str, Any] = {}
for _board in BOARDS.values():
    for _part, _settings in _board.items():
        EVERYTHING[_part] = EVERYTHING.get(_part, {}) | _settings


def around(inner: Substrate, board: dict[str, Any]) -> Substrate:
    config = BoardConfig.model_validate(board)
    drawn = config.draw(inner.spec.topology, np.random.default_rng(5))
    return board_around(inner, config, drawn, np.random.default_rng(6))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("board", BOARDS)
def test_layered_networks_behind_a_board(build: Build, board: str, precision: str) -> None:
    # Behind an amplifier noise of the inputs is larger than the board, which knows none, states.
    gains = None if board == "sources" else (4.0, 0.25)

    def made() -> Substrate:
        network = build((5,), neurons="shockley_pairs", gains=gains, precision=precision)
        return around(network.substrate, BOARDS[board])

    check_substrate(made)


@pytest.mark.parametrize("hidden", [(), (4, 3)])
def test_all_at_once(build: Build, hidden: tuple[int, ...]) -> None:
    check_substrate(lambda: around(build(hidden, max_nudge_amps=0.1).substrate, EVERYTHING))


def test_a_graph_behind_a_board() -> None:
    config = NodalConfig.model_validate(
        {
            "graph": {"kind": "lattice", "rows": 3, "columns": 4},
            "neurons": {"kind": "ideal_diodes"},
            "initial": {"kind": "uniform", "low_siemens": 1e-4, "high_siemens": 1e-3},
            "g_min_siemens": 1e-5,
            "g_max_siemens": 2e-3,
        }
    )

    def made() -> Substrate:
        rng = np.random.default_rng(1)
        order = Order(3, 2, (False,) * config.n_crossbars, 1.0, "float64", 2, rng)
        return around(config.make(order).substrate, EVERYTHING)

    check_substrate(made)


def test_a_board_in_a_board_and_a_network_without_abilities(build: Build) -> None:
    simple = {"adc": {"noise_volts": 1e-4}}
    check_substrate(lambda: around(Bare(build((4,)).substrate), simple))
    check_substrate(lambda: around(around(build((4,)).substrate, simple), BOARDS["readings"]))
