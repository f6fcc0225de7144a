"""An emulated Agilent (HP, Keysight) 34970A data acquisition and switch unit with three cards.

Not emulated: measurements other than of volts, external instruments, the alarm queue and outputs
(readings do tell whether they are beyond limits), digital and DAC modules, calibration and stored
states.
Source: 34970A Data Acquisition/Switch Unit User's Guide, 34970-90003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from drivers.emulated.agilent34970a_channels import ChannelTable
from drivers.emulated.agilent34970a_memory import Memory
from drivers.emulated.agilent34970a_scan import EMPTY_SCAN_LIST, Scanner
from drivers.emulated.scanner_cards import CARD_34901A, Card, Multiplexer, expanded
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError
from drivers.emulated.scpi.settings import Flag, Setting, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.scpi.values import quoted
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedAgilent34970A"]

FIRMWARE, CARD_FIRMWARE = "13-2-2", "2.3"
ERROR_PLACES = 10
N_SLOTS = 3
_TEXTS = {-222: "Data out of range", -230: "Data stale"}
STATUS_BITS = {"ALARm": 1, "QUEStionable": 3, "OPERation": 7}
_DEFAULT_CARDS = dict.fromkeys(range(1, N_SLOTS + 1), CARD_34901A)


class _Errors(ErrorQueue):
    """Errors in this instrument's words where they differ from SCPI's."""

    def put(self, code: int, text: str) -> None:
        """Append an error."""
        super().put(code, _TEXTS.get(code, text))


class EmulatedAgilent34970A:
    """One data acquisition unit, wired by ``channels`` into a world.

    Args:
        world: what the channels are wired to.
        serial: serial number in ``*IDN?``; the real one says 0.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        prefix: of the channels' names.
        cards: by slot; default 34901A in all.
        on_switch: called with all closed relays, ``{"101"}``, whenever relays have moved.
    """

    def __init__(
        self,
        world: World,
        serial: str = "0",
        random: np.random.Generator | None = None,
        prefix: str = "",
        cards: Mapping[int, Card] = _DEFAULT_CARDS,
        on_switch: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self._mux = Multiplexer(cards, world, prefix, on_switch)
        errors = _Errors(ERROR_PLACES, "Too many errors")
        self._status = StatusSystem(errors, STATUS_BITS, "{:+d}".format)
        self._memory = Memory(world, self._channels, lambda: self._scanner.look())
        self._table = ChannelTable(
            self._mux,
            world,
            random,
            self._channels,
            self._scanned,
            self._memory.clear,
        )
        operation = self._status.registers["OPERation"]
        self._scanner = Scanner(
            self._mux, world, self._table, self._memory, operation, self._channels
        )
        self._system = Settings(_declared(), lambda _: None)
        self._labels: dict[int, str] = {}
        identity = f"HEWLETT-PACKARD,34970A,{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    @property
    def channels(self) -> Mapping[int, Channel]:
        """The measurement channels by number."""
        return self._mux.channels

    def measures_volts(self, number: int) -> bool:
        """Whether a channel is one for voltages; the others are for currents."""
        return self._mux.measures_volts(number)

    @property
    def closed(self) -> list[int]:
        """Numbers of all closed relays."""
        return self._mux.closed

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def _channels(self, text: str) -> list[int]:
        return expanded(text, self._mux, self._unknown)

    def _scanned(self) -> list[int]:
        """The channels a command without a channel list means."""
        if not self._scanner.scan_list:
            raise ScpiError(*EMPTY_SCAN_LIST)
        return self._scanner.scan_list

    def _unknown(self, number: int) -> ScpiError:
        if number // 100 not in self._mux.cards:
            return ScpiError(111, "Channel list: slot number out of range")
        return ScpiError(112, "Channel list: channel number out of range")

    def _reset(self) -> None:
        self._system.reset()
        self._table.reset()
        self._scanner.reset()
        self._memory.reset()

    def _preset(self) -> None:
        """``SYSTem:PRESet``: the scan list and the relays stay."""
        self._scanner.abort()
        self._memory.clear()

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, self._scanner.trigger)
        yield from self._status.commands()
        yield from self._table.commands()
        yield from self._memory.commands()
        yield from self._scanner.commands()
        yield from self._system.commands()
        yield Command(":SYSTem:ERRor", query=lambda _: self._next_error())
        yield Command(":SYSTem:CTYPe", query=self._card_type, asks=(1, 1))
        yield Command(":SYSTem:PRESet", lambda _: self._preset(), takes=(0, 0))
        yield Command(":SYSTem:VERSion", query=lambda _: "1994.0")
        yield Command(":SYSTem:ALARm", query=lambda _: "+0.00000000E+00,0,0,0,0,0,0,0,0,0")
        yield Command(":SYSTem:BEEPer[:IMMediate]", lambda _: None, takes=(0, 0))
        yield Command(":DISPlay:TEXT:CLEar", lambda _: None, takes=(0, 0))
        yield Command(":DIAGnostic:POKE:SLOT:DATA", self._write_label, takes=(2, 2))
        yield Command(":DIAGnostic:PEEK:SLOT:DATA", query=self._label, asks=(1, 1))
        yield Command(":INSTrument:DMM:INSTalled", query=lambda _: "1")
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock"):
            yield Command(header, lambda _: None, takes=(0, 0))

    def _next_error(self) -> str:
        code, text = self._status.errors.take()
        return f'{code:+d},"{text}"'

    def _card_type(self, parameters: Parameters) -> str:
        card = self._mux.cards.get(_slot(parameters))
        return (
            f"HEWLETT-PACKARD,{card.model},0,{CARD_FIRMWARE}" if card else "HEWLETT-PACKARD,0,0,0"
        )

    def _write_label(self, parameters: Parameters) -> None:
        slot = _slot(parameters)
        self._labels[slot] = parameters.string()[:10]

    def _label(self, parameters: Parameters) -> str:
        return quoted(self._labels.get(_slot(parameters), ""))


def _slot(parameters: Parameters) -> int:
    """A slot sent as 100, 200 or 300."""
    slot, rest = divmod(parameters.whole(100, 100 * N_SLOTS), 100)
    if rest:
        raise ScpiError(-222)
    return slot


def _declared() -> Iterator[Setting]:
    yield Flag("*PSC", "PSC", True, kept=True)
    yield Flag(":DISPlay[:STATe]", "DISPLAY", True)
    yield Text(":DISPlay:TEXT[:DATA]", "TEXT", "")
    yield Flag(":INSTrument:DMM[:STATe]", "DMM", True)
    yield Flag(":SYSTem:BEEPer:STATe", "BEEP", True, kept=True)
