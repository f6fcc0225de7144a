"""An emulated Keithley 2450 or 2460 SourceMeter with its SCPI command set.

Not emulated: the TSP and SCPI 2400 command sets (``*LANG`` takes them, for a restart that never
comes), math and limit tests (CALCulate), configuration lists, digital lines, writable buffers,
the USB drive, stored set-ups, ``TRACe:STATistics:PK2Pk`` (it is ``SPAN``), and the event maps of
the status registers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from drivers.emulated.keithley2450_buffer import Buffers, Format
from drivers.emulated.keithley2450_events import EventLog
from drivers.emulated.keithley2450_models import MODEL_2450
from drivers.emulated.keithley2450_sense import MEASURED, Sense
from drivers.emulated.keithley2450_source import Source
from drivers.emulated.keithley2450_trigger import TriggerModel
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.source_measure import SourceMeasureModel
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedKeithley2450"]

FIRMWARE = "1.7.12b"
STATUS_BITS = {"QUEStionable": 3, "OPERation": 7}
MOST_PARAMETERS = 15  # a buffer and fourteen elements


class EmulatedKeithley2450:
    """One SourceMeter, wired by ``channel`` into a world.

    Args:
        world: what the terminals are wired to.
        model: 2450 or 2460.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        name: of the channel.
    """

    def __init__(
        self,
        world: World,
        model: SourceMeasureModel = MODEL_2450,
        serial: str = "04400001",
        random: np.random.Generator | None = None,
        name: str = "keithley2450",
    ) -> None:
        self.channel = Channel(name)
        self._events = EventLog(lambda: world.now_seconds)
        self._status = StatusSystem(self._events, STATUS_BITS)
        self._source = Source(model, self.channel, world, random, self._events)
        self._sense = Sense(self._source, world)
        self._buffers = Buffers(Format(), lambda buffer: self._triggers.measure(buffer))
        self._triggers = TriggerModel(self._source, self._sense, self._buffers, world)
        self._system = Settings(_declared(), lambda _: None)
        identity = f"KEITHLEY INSTRUMENTS,MODEL {model.name},{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def set_interlock(self, closed: bool) -> None:
        """The interlock line of the rear panel; open, it holds the output within 42 V."""
        self._source.set_interlock(closed)

    @property
    def output_on(self) -> bool:
        """Whether the output is on, as the front panel would show."""
        return self._source.terminals.output_on

    def _reset(self) -> None:
        """``*RST``: everything but the event log, status enables and the interlock setting."""
        self._system.reset()
        self._triggers.reset()
        self._buffers.reset()
        self._source.reset()
        self._sense.reset()

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, lambda: None)
        yield from self._status.commands()
        for part in (self._events, self._source, self._sense, self._buffers, self._triggers):
            yield from part.commands()
        yield from self._system.commands()
        yield Command(":STATus:CLEar", lambda _: self._clear_registers(), takes=(0, 0))
        yield Command("*LANG", self._write_language, lambda _: "SCPI")
        yield Command(":SYSTem:VERSion", query=lambda _: "1996.0")
        yield Command(":SYSTem:LFRequency", query=lambda _: "60")
        yield Command(":SYSTem:BEEPer[:IMMediate]", _beep, takes=(2, 2))
        yield Command(":DISPlay:CLEar", lambda _: None, takes=(0, 0))
        yield from self._measuring_commands()

    def _measuring_commands(self) -> Iterator[Command]:
        asks = (0, MOST_PARAMETERS)
        yield Command(":READ", query=partial(self._read, None), asks=asks)
        yield Command(":MEASure", query=partial(self._read, None), asks=asks)
        for function, header in MEASURED.items():
            yield Command(f":MEASure:{header}", query=partial(self._read, function), asks=asks)

    def _read(self, function: str | None, parameters: Parameters) -> Reply:
        """Measure into a buffer and answer the last reading; the output stays as it is."""
        buffer = self._buffers.named(parameters)
        if function is not None and function != self._sense.function:
            self._sense.set_function(function)
        self._triggers.measure(buffer)
        return self._buffers.latest(buffer, parameters)

    def _clear_registers(self) -> None:
        for register in self._status.registers.values():
            register.event = 0

    def _write_language(self, parameters: Parameters) -> None:
        parameters.word(("SCPI", "TSP", "SCPI2400"))


def _beep(parameters: Parameters) -> None:
    """``SYSTem:BEEPer``: a frequency and a duration, heard by nobody."""
    parameters.number(20.0, 8000.0)
    parameters.number(0.001, 100.0)


def _declared() -> Iterator[Number | Flag | Choice | Text]:
    yield Choice(":SYSTem:POSetup", "POS", "RST", ("RST", "PREV", "SAV0", "SAV1"), kept=True)
    access = ("FULL", "EXCLusive", "PROTected", "LOCKout")
    yield Choice(":SYSTem:ACCess", "ACCESS", "FULL", access, kept=True)
    yield Number(":SYSTem:GPIB:ADDRess", "GPIB", 18.0, 0.0, 30.0, whole=True, kept=True)
    for header in MEASURED.values():
        name = f"DIGITS {header}"
        yield Number(f":DISPlay:{header}:DIGits", name, 5.0, 3.0, 6.0, whole=True)
    for line in (1, 2):
        yield Text(f":DISPlay:USER{line}:TEXT[:DATA]", f"USER{line}", "")
    lights = ("ON100", "ON75", "ON50", "ON25", "OFF", "BLACKOUT")
    yield Choice(":DISPlay:LIGHt:STATe", "LIGHT", "ON50", lights)
    screens = (
        "HOME",
        "HOME_LARGe_reading",
        "READing_table",
        "GRAPh",
        "HISTogram",
        "SWIPE_SOURce",
        "SWIPE_SETTings",
        "SWIPE_STATistics",
        "SWIPE_USER",
        "SWIPE_GRAPh",
        "PROCessing",
    )
    yield Choice(":DISPlay:SCReen", "SCREEN", "HOME", screens)
    yield Choice(":TRIGger:CONTinuous", "CONTINUOUS", "AUTO", ("OFF", "AUTO", "RESTart"), kept=True)
    yield Choice(":DISPlay:READing:FORMat", "NOTATION", "PREF", ("PREFix", "EXPonent"))
