"""An emulated Keithley DAQ6510 data acquisition system with two 20-channel cards.

Not emulated: TSP and the older command sets, digitizing, temperature, frequency, capacitance and
the other functions that need more than a DC circuit, trigger models other than a scan and the
simple loop, limits and math, digital lines, saved set-ups and files.
Source: Model DAQ6510 Reference Manual, DAQ6510-901-01.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from drivers.emulated.keithleydaq6510_buffers import Buffers, Reading
from drivers.emulated.keithleydaq6510_events import Calendar, EventLog
from drivers.emulated.keithleydaq6510_models import FUNCTIONS, Function
from drivers.emulated.keithleydaq6510_scan import Scanner
from drivers.emulated.keithleydaq6510_senses import Senses
from drivers.emulated.scanner_cards import CARD_7700, Card, Multiplexer
from drivers.emulated.scanner_frame import ScannerFrame
from drivers.emulated.scanner_switching import card_commands
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.world import World

__all__ = ["EmulatedKeithleyDaq6510"]

FIRMWARE = "1.7.12b"
N_SLOTS = 2
STATUS_BITS = {"QUEStionable": 3, "OPERation": 7}
_DEFAULT_CARDS = dict.fromkeys(range(1, N_SLOTS + 1), CARD_7700)


class EmulatedKeithleyDaq6510(ScannerFrame):
    """One scanning multimeter, wired by ``channels`` into a world.

    Args:
        world: what the channels are wired to.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        prefix: of the channels' names.
        cards: by slot; default 7700 in both.
        on_switch: called with all closed relays, ``{"101"}``, whenever relays have moved.
    """

    def __init__(
        self,
        world: World,
        serial: str = "04500001",
        random: np.random.Generator | None = None,
        prefix: str = "",
        cards: Mapping[int, Card] = _DEFAULT_CARDS,
        on_switch: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        super().__init__(Multiplexer(cards, world, prefix, on_switch))
        self._world = world
        self._calendar = Calendar(world)
        self._log = EventLog(self._calendar)
        self._status = StatusSystem(self._log, STATUS_BITS)
        self._senses = Senses(self._mux, world, random, self._channels)
        self._scanner = Scanner(self._mux, world, self._channels, self._senses.attach, self._take)
        self._buffers = Buffers(self._calendar, self._scanner.look)
        self._system = Settings(_declared(), lambda _: None)
        self._loop = (0, 0.0, "defbuffer1")
        identity = f"KEITHLEY INSTRUMENTS,MODEL DAQ6510,{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def _reset(self) -> None:
        self._system.reset()
        self._scanner.reset()
        self._senses.reset()
        self._buffers.reset()
        self._loop = (0, 0.0, "defbuffer1")

    def _take(self, buffer: str) -> None:
        """A reading into a buffer."""
        value, number = self._senses.measure()
        unit = self._senses.function(number).unit
        reading = Reading(value, unit, number, self._world.now_seconds)
        self._buffers[buffer].store(reading)

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, self._scanner.trigger)
        yield from self._status.commands()
        for part in (self._senses, self._scanner, self._buffers, self._calendar, self._log):
            yield from part.commands()
        yield from self._system.commands()
        yield from self._measuring_commands()
        yield from _card_commands(self._mux.cards)
        yield Command("*LANG", _choose_language, lambda _: "SCPI")
        yield Command(":SYSTem:VERSion", query=lambda _: "1999.0")
        yield Command(":SYSTem:BEEPer[:IMMediate]", _beep, takes=(2, 2))
        yield Command(":SYSTem:LFRequency", query=lambda _: "60")
        yield Command(":DISPlay:CLEar", lambda _: None, takes=(0, 0))
        yield Command(":DISPlay:SCReen", lambda p: _ignored(p), takes=(1, 1))
        yield Command(":DISPlay:WATCh:CHANnels", lambda p: _ignored(p), takes=(1, 1))

    def _measuring_commands(self) -> Iterator[Command]:
        yield Command(":READ", query=self._read, asks=(0, 15))
        yield Command(":FETCh", query=self._fetch, asks=(0, 15))
        yield Command(":MEASure", query=self._read, asks=(0, 15))
        for function in FUNCTIONS:
            header = f":MEASure:{function.header}"
            yield Command(header, query=partial(self._measure, function), asks=(0, 15))
        yield Command(":TRACe:TRIGger", self._trigger, takes=(0, 1))
        yield Command(":INITiate[:IMMediate]", lambda _: self._initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: self._scanner.abort(), takes=(0, 0))
        yield Command(":TRIGger:LOAD", self._load, takes=(1, 5))
        yield Command(":TRIGger:STATe", query=lambda _: "IDLE;IDLE;0")

    def _initiate(self) -> None:
        count, delay_seconds, buffer = self._loop
        if self._scanner.scans or not count:
            self._scanner.initiate()
            return
        for _ in range(count):
            self._world.elapse(delay_seconds)
            self._take(buffer)

    def _load(self, parameters: Parameters) -> None:
        """``TRIGger:LOAD``: an empty model or the simple loop."""
        model = parameters.string().lower()
        if model == "empty":
            self._loop = (0, 0.0, "defbuffer1")
        elif model == "simpleloop":
            count = parameters.whole(1, 100_000)
            delay_seconds = parameters.number(0.0, 1e4) if len(parameters) else 0.0
            buffer = parameters.string() if len(parameters) else "defbuffer1"
            self._loop = (count, delay_seconds, buffer)
        else:
            raise ScpiError(-224)

    def _read(self, parameters: Parameters) -> Reply:
        """``READ?``: readings as the count says; the newest is answered."""
        buffer = self._buffers[self._trigger_into(parameters)]
        return self._buffers.last(buffer, parameters)

    def _trigger(self, parameters: Parameters) -> None:
        self._trigger_into(parameters)

    def _trigger_into(self, parameters: Parameters) -> str:
        """``TRACe:TRIGger``: readings as the count says; the name of the buffer they went to."""
        name = parameters.string() if len(parameters) else "defbuffer1"
        self._buffers[name]  # none of this name is an error before anything is measured
        for _ in range(self._senses.count):
            self._take(name)
        return name

    def _measure(self, function: Function, parameters: Parameters) -> Reply:
        self._senses.select(function)
        return self._read(parameters)

    def _fetch(self, parameters: Parameters) -> Reply:
        self._scanner.look()
        return self._buffers.last(self._buffers.named(parameters), parameters)


def _card_commands(cards: Mapping[int, Card]) -> Iterator[Command]:
    for slot in range(1, N_SLOTS + 1):
        card = cards.get(slot)
        if card is None:
            yield Command(f":SYSTem:CARD{slot}:IDN", query=lambda _: "Empty Slot")
            continue
        own = {"IDN": f"{card.model},{card.title},0.0.0a,{1_000_000 + slot}"}
        yield from card_commands(slot, card, 100 * slot, own)


def _choose_language(parameters: Parameters) -> None:
    """``*LANG``: another command set would take effect after a restart, which never comes."""
    parameters.word(("SCPI", "TSP", "SCPI2000", "SCPI34401"))


def _beep(parameters: Parameters) -> None:
    parameters.number(20.0, 8000.0)
    parameters.number(0.001, 100.0)


def _ignored(parameters: Parameters) -> None:
    """Nobody looks at the display."""
    parameters.text()


def _declared() -> Iterator[Setting]:
    for line in (1, 2):
        yield Text(f":DISPlay:USER{line}:TEXT[:DATA]", f"USER{line}", "")
    lights = ("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout")
    yield Choice(":DISPlay:LIGHt:STATe", "LIGHT", "ON50", lights)
    yield Choice(":DISPlay:READing:FORMat", "READING", "PREF", ("PREFix", "EXPonent"))
    yield Text(":DISPlay:BUFFer:ACTive", "BUFFER", "defbuffer1")
    yield Choice(":SYSTem:ACCess", "ACCESS", "FULL", ("FULL", "EXCLusive", "PROTected", "LOCKout"))
    yield Choice(":TRIGger:CONTinuous", "CONT", "OFF", ("OFF", "AUTO", "RESTart"), kept=True)
    events = ("NONE", "DISPlay", "COMMand", "EXTernal", "NOTify1", "NOTify2", "NOTify3", "NOTify4")
    timers = tuple(f"TIMer{n}" for n in range(1, 5))
    for timer in range(1, 5):
        root = f":TRIGger:TIMer{timer}"
        yield Number(f"{root}:DELay", f"TIM{timer} DEL", 10e-6, 8e-6, 1e5, "S")
        yield Choice(f"{root}:STARt:STIMulus", f"TIM{timer} STIM", "NONE", (*events, *timers))
        yield Flag(f"{root}:STATe", f"TIM{timer} STAT", False)
