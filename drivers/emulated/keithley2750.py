"""An emulated Keithley 2750 multimeter and switch system with five 20-channel cards.

Not emulated: measurements other than of volts, math, limits and ratio, the monitor channel,
digital lines, calibration and stored set-ups. As after ``*RST``, continuous initiation is off; on,
it measures once whenever a client looks.
Source: Model 2750 Multimeter/Switch System User's Manual, 2750-900-01 Rev. F.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from drivers.emulated.keithley2750_buffer import Buffer, Format
from drivers.emulated.keithley2750_scan import Scanner
from drivers.emulated.keithley2750_senses import Senses
from drivers.emulated.scanner_cards import CARD_7700, Card, Multiplexer
from drivers.emulated.scanner_frame import ScannerFrame
from drivers.emulated.scanner_switching import card_commands
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue
from drivers.emulated.scpi.settings import Choice, Flag, Setting, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.world import World

__all__ = ["EmulatedKeithley2750"]

FIRMWARE = "A11  /A02"
ERROR_PLACES = 10
N_SLOTS = 5
STATUS_BITS = {"MEASurement": 0, "QUEStionable": 3, "OPERation": 7}
_DEFAULT_CARDS = dict.fromkeys(range(1, N_SLOTS + 1), CARD_7700)


class EmulatedKeithley2750(ScannerFrame):
    """One switch system, wired by ``channels`` into a world.

    Args:
        world: what the channels are wired to.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        prefix: of the channels' names.
        cards: by slot; default 7700 in all.
        on_switch: called with all closed relays, ``{"101"}``, whenever relays have moved.
    """

    def __init__(
        self,
        world: World,
        serial: str = "0750001",
        random: np.random.Generator | None = None,
        prefix: str = "",
        cards: Mapping[int, Card] = _DEFAULT_CARDS,
        on_switch: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        super().__init__(Multiplexer(cards, world, prefix, on_switch))
        self._format = Format()
        self._status = StatusSystem(ErrorQueue(ERROR_PLACES), STATUS_BITS, self._format.register)
        self._senses = Senses(self._mux, world, random, self._channels)
        measurement = self._status.registers["MEASurement"]
        self._buffer = Buffer(self._format, measurement, lambda: self._scanner.look())
        self._scanner = Scanner(
            self._mux, world, self._senses, self._format, self._buffer, self._channels
        )
        self._system = Settings(_declared(), lambda _: None)
        identity = f"KEITHLEY INSTRUMENTS INC.,MODEL 2750,{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def _reset(self) -> None:
        self._format.reset()
        self._system.reset()
        self._senses.reset()
        self._scanner.reset()

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, self._scanner.trigger)
        yield from self._status.commands()
        for part in (self._format, self._senses, self._buffer, self._scanner, self._system):
            yield from part.commands()
        yield from _card_commands(self._mux.cards)
        yield Command("*OPT", query=lambda _: self._options())
        yield Command(":SYSTem:PRESet", lambda _: self._reset(), takes=(0, 0))
        yield Command(":SYSTem:VERSion", query=lambda _: "1996.0")
        yield Command(":SYSTem:LFRequency", query=lambda _: "60")
        yield Command(":SYSTem:FRSWitch", query=lambda _: "0")
        yield Command(":SYSTem:BEEPer[:IMMediate]", _beep, takes=(0, 2))
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock"):
            yield Command(header, lambda _: None, takes=(0, 0))

    def _options(self) -> str:
        cards = (self._mux.cards.get(slot) for slot in range(1, N_SLOTS + 1))
        return ",".join("NONE" if card is None else card.model for card in cards)


def _card_commands(cards: Mapping[int, Card]) -> Iterator[Command]:
    """``SYSTem:CARD<n>``; of an empty slot nothing is known."""
    for slot, card in cards.items():
        own = {"SNUMber": f"{1_000_000 + slot}", "SWRevision": "A02"}
        yield from card_commands(slot, card, 0, own)


def _beep(parameters: Parameters) -> None:
    for low, high in ((65.0, 2e6), (0.0, 7.9)):
        if len(parameters):
            parameters.number(low, high)


def _declared() -> Iterator[Setting]:
    yield Flag(":SYSTem:BEEPer:STATe", "BEEP", True, kept=True)
    yield Choice(":SYSTem:TSTamp:TYPE", "TST", "REL", ("RELative", "RTCLock"), kept=True)
    yield Flag(":DISPlay:ENABle", "DISPLAY", True)
    yield Text(":DISPlay[:WINDow[1]]:TEXT[:DATA]", "TEXT", "")
    yield Flag(":DISPlay[:WINDow[1]]:TEXT:STATe", "TEXT STATE", False)
