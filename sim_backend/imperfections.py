"""What all simulated substrates can be given besides their circuit; all of it off by default."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import cast

import numpy as np
from pydantic import Field, model_validator

from hil.arrays import Floats
from hil.errors import ConfigurationError
from hil.model import Model
from hil.substrate import Substrate
from sim_backend.board.abilities import board_around
from sim_backend.board.config import BoardConfig
from sim_backend.chip.config import DevicesConfig, as_table, window_of
from sim_backend.chip.making import chip_around, seen_window
from sim_backend.chip.wrapper import Inner
from sim_backend.memristors.interface import Window
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.order import Order
from sim_backend.wired.config import WiresConfig

__all__ = ["ImperfectConfig", "Made"]


@dataclass(frozen=True, eq=False)
class Made:
    """A simulated substrate.

    Attributes:
        substrate: what is trained.
        circuit: the circuit in it, which imperfect devices and electronics stand around.
    """

    substrate: Substrate
    circuit: Inner


class ImperfectConfig(Model):
    """Imperfections of a simulated substrate, and which chip it is."""

    devices: DevicesConfig | None = Field(
        default=None, description="Programmable devices: a name of `hil devices list`, a .toml "
        "file, or a table; ideal ones if omitted.",
    )  # fmt: skip
    wires: WiresConfig = Field(default=WiresConfig(), description="Resistance of lines.")
    mismatch: MismatchConfig = Field(
        default=MismatchConfig(), description="Spread of amplifiers, diodes and conductances."
    )
    board: BoardConfig = Field(default=BoardConfig(), description="Electronics around it.")
    chip_seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="Of what differs from part to part; the "
        "experiment's seed if omitted.",
    )  # fmt: skip
    chip: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="SHA-256 of a chip that was kept, "
        "see: hil chip new; it is drawn from chip_seed if omitted.",
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _name_of_devices(cls, values: object) -> object:
        if isinstance(values, dict) and "devices" in values:
            return values | {"devices": as_table(values["devices"])}
        return values

    @property
    @abstractmethod
    def window_siemens(self) -> Window:
        """(g_min, g_max) that the circuit is meant for."""

    @abstractmethod
    def exact(self, order: Order) -> Inner:
        """The circuit with its mismatch and wires, its devices and electronics being ideal.

        Raises:
            ConfigurationError: the circuit does not fit the data or itself.
        """

    def make(self, order: Order) -> Made:
        """The substrate with all imperfections.

        Raises:
            ConfigurationError: the parts do not fit the data or each other.
        """
        exact = self.exact(order)
        # An exact circuit is a substrate besides; no protocol can say so of a class.
        made = cast(Substrate, exact)
        if self._has_chip:
            made = chip_around(
                exact,
                self.devices,
                self.mismatch.conductance_spread,
                order.lot,
                order.noise("devices"),
                self.devices_window_siemens,
            )
        if not self.board.is_off:
            topology = made.spec.topology
            drawn = order.lot.draw("board", lambda rng: self.board.draw(topology, rng))
            made = board_around(made, self.board, drawn, order.noise("board"))
        return Made(made, exact)

    @property
    def devices_window_siemens(self) -> Window:
        """(g_min, g_max) that the devices can be programmed in."""
        return window_of(self.devices, *self.window_siemens)

    @property
    def seen_window_siemens(self) -> Window:
        """(g_min, g_max) that the circuit can come to see."""
        spread = self.mismatch.conductance_spread
        return seen_window(self.devices, spread, self.devices_window_siemens)

    @property
    def _has_chip(self) -> bool:
        return self.devices is not None or self.mismatch.conductance_spread > 0.0

    def reached(self, start_siemens: Floats) -> Floats:
        """Start conductances, those within the window but below the devices' reach raised to it."""
        low, lowest = self.window_siemens[0], self.devices_window_siemens[0]
        return np.where((start_siemens >= low) & (start_siemens < lowest), lowest, start_siemens)

    def inner_limits(self, max_input_volts: float, max_nudge_amps: float) -> tuple[float, float]:
        """Limits of the circuit, with room for errors of the sources around it."""
        return self.board.inner_limits(max_input_volts, max_nudge_amps)

    def refuse_wires(self, why: str) -> None:
        """Refuse resistance of lines.

        Raises:
            ConfigurationError: they have some.
        """
        if not self.wires.is_ideal:
            raise ConfigurationError(f"substrate.wires: {why}")
