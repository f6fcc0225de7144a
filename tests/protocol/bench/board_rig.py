"""Phases by an emulated board around a simulated network of resistors."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.equipment import Equipment
from drivers.bench.phases_board import BoardPhases
from drivers.board.driver import Board
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_analog import SubstrateCore
from drivers.emulated.shboard_electronics import Electronics, geometry_of
from drivers.transport.memory import MemoryTransport
from hil.arrays import Floats
from sim_backend.board.config import BoardConfig
from sim_backend.layered.config import LayeredConfig
from sim_backend.order import Order
from tests.protocol.bench.files import board_bench
from tests.protocol.bench.instruments import Recorded

PARTS: dict[str, Any] = {
    "dac": {"bits": 16, "range_volts": 0.6},
    "nudge": {"bits": 16, "range_amps": 2e-5},
    "adc": {"bits": 12, "range_volts": 0.6},
}
LSB_VOLTS = 0.6 / 2047
SIZES = (4, 3, 2)
"""Signals, hidden nodes and outputs; a pair of bias lines joins the first crossbar."""


def bench(**changes: Any) -> BenchConfig:
    """The file: linear, no capacitance, inputs of at most 0.5 V, nudges of at most 10 uA."""
    stated: dict[str, Any] = {
        "phases": {"max_nudge_amps": 1e-5, "dead_man_seconds": 30.0},
        "programming": {"set_volts": 1.2, "reset_volts": 1.5},
    }
    merged = {key: stated.get(key, {}) | changes.get(key, {}) for key in stated | changes}
    return BenchConfig.model_validate(
        tomllib.loads(board_bench(SIZES[0], [SIZES[1]], SIZES[2], (True, False), **merged))
    )


class Rig:
    """An energised board; what was sent before is forgotten.

    Args:
        parts: of the electronics, besides :data:`PARTS`.
        geometry: what the board says of itself, where it differs.
        changes: of the bench file.
    """

    def __init__(
        self,
        parts: dict[str, Any] | None = None,
        geometry: dict[str, Any] | None = None,
        energise: bool = True,
        **changes: Any,
    ) -> None:
        self.config = bench(**changes)
        network = self.config.network
        order = Order(SIZES[0], SIZES[2], (True, False), 1.0, "float64", 1, rng())
        self.inner: Any = LayeredConfig.model_validate(
            {
                "hidden": [SIZES[1]],
                "neurons": {"kind": "linear"},
                "initial": {"kind": "uniform", "low_siemens": 2e-5, "high_siemens": 1e-4},
                "g_min_siemens": network.g_min_siemens,
                "g_max_siemens": network.g_max_siemens,
                "pulse_siemens": 1e-7,
                "max_input_volts": 1.0,
                "max_nudge_amps": 1e-4,
            }
        ).exact(order)
        board = BoardConfig.model_validate(PARTS | (parts or {}))
        core = SubstrateCore(self.inner)
        stated = replace(geometry_of(core, board), **(geometry or {}))
        drawn = board.draw(core.topology, rng())
        self.hardware = Electronics(core, board, drawn, rng(), stated)
        self.emulated = ShBoard(self.hardware, lambda: 0.0)
        self.line = Recorded(MemoryTransport(self.emulated, "/dev/board"))
        self.board = Board(self.line, lambda _: None, bytes_per_second=1e6)
        self.equipment = Equipment({}, {}, {}, self.board)
        self.phases = BoardPhases(self.config, self.equipment, lambda _: None)
        if energise:
            self.phases.energise()
        self.energising = list(self.line.sent)
        self.line.sent.clear()

    def runs(self) -> list[str]:
        """Modes and phases of the runs since this was last asked."""
        found = [text.split(",#")[0].removeprefix(":RUN? ") for text in self.line.sent]
        self.line.sent.clear()
        return found


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def inputs(batch: int = 8, seed: int = 1) -> Floats:
    """(batch, 6) volts, the last two of them bias lines."""
    signals = rng(seed).uniform(-0.5, 0.5, (batch, SIZES[0]))
    return np.hstack([signals, np.tile([0.4, -0.4], (batch, 1))])


def nudges(batch: int = 8, seed: int = 2) -> Floats:
    """(batch, 2) amps."""
    return rng(seed).uniform(-1e-5, 1e-5, (batch, SIZES[2]))
