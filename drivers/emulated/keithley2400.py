"""An emulated Keithley 2400 or 2410 SourceMeter.

Not emulated: the calibration and digital-port subsystems, math and limit tests (CALCulate1,
CALCulate2), stored set-ups and the source memory, and external trigger lines, which nobody pulls.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from drivers.emulated.keithley2400_buffer import Buffer, Format
from drivers.emulated.keithley2400_meter import Meter
from drivers.emulated.keithley2400_models import MODEL_2400, SmuModel
from drivers.emulated.keithley2400_senses import Senses
from drivers.emulated.keithley2400_supply import FUNCTIONS, Supply
from drivers.emulated.keithley2400_sweep import MEASUREMENT_COMPLIANCE, Sweeper
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedKeithley2400"]

FIRMWARE = "C32   Mar  4 2011 14:23:45/A02  /K/J"
ERROR_PLACES = 10
STATUS_BITS = {"MEASurement": 0, "QUEStionable": 3, "OPERation": 7}
_MEASURED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}


class EmulatedKeithley2400:
    """One SourceMeter, wired by ``channel`` into a world.

    Args:
        world: what the terminals are wired to.
        model: 2400 or 2410.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        name: of the channel.
    """

    def __init__(
        self,
        world: World,
        model: SmuModel = MODEL_2400,
        serial: str = "1000001",
        random: np.random.Generator | None = None,
        name: str = "keithley2400",
    ) -> None:
        self.channel = Channel(name)
        self._format = Format()
        self._status = StatusSystem(
            ErrorQueue(ERROR_PLACES), STATUS_BITS, self._format.register, self._refresh
        )
        measurement = self._status.registers["MEASurement"]
        self._supply = Supply(model, self.channel, world, random)
        self._senses = Senses(model, self._supply)
        self._meter = Meter(self._senses, self._supply, world, random)
        self._buffer = Buffer(measurement, self._format.spelled)
        operation = self._status.registers["OPERation"]
        self._sweeper = Sweeper(
            self._supply, self._meter, self._buffer.store, operation, measurement
        )
        self._system = Settings(_declared(), lambda _: None)
        identity = f"KEITHLEY INSTRUMENTS INC.,MODEL {model.name},{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def set_output_enable(self, closed: bool) -> None:
        """The output enable line of the rear connector; it counts while ``OUTP:ENAB`` is on."""
        self._supply.set_output_enable(closed)

    @property
    def output_on(self) -> bool:
        """Whether the output is on, as the front panel would show."""
        return self._supply.output_on

    def _refresh(self) -> None:
        """The condition that needs a look at the terminals: compliance."""
        limited = any(self._meter.in_compliance(function) for function in FUNCTIONS)
        self._status.registers["MEASurement"].set_condition(MEASUREMENT_COMPLIANCE, limited)

    def _reset(self) -> None:
        """``*RST`` and ``SYSTem:PRESet``: everything but buffer, status and errors."""
        self._format.reset()
        self._system.reset()
        self._sweeper.reset()
        self._supply.reset()
        self._senses.reset()

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, self._sweeper.trigger)
        yield from self._status.commands()
        # Manual, tables 18-6 and 18-7: SENSe and SOURce may both be left out. Where that leaves a
        # choice, as in :FUNC "CURR" and :VOLT:PROT, clients mean SENSe: the first in the tree.
        measuring = (self._senses, self._supply, self._meter, self._sweeper)
        for part in (*measuring, self._buffer, self._format, self._system):
            yield from part.commands()
        yield from self._measuring_commands()
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock"):
            yield Command(header, lambda _: None, takes=(0, 0))
        yield Command(":SYSTem:PRESet", lambda _: self._reset(), takes=(0, 0))
        yield Command(":SYSTem:VERSion", query=lambda _: "1996.0")
        yield Command(":DISPlay:CNDisplay", lambda _: None, takes=(0, 0))
        yield Command(":SYSTem:BEEPer[:IMMediate]", _beep, takes=(0, 2))
        yield Command("*OPT", query=lambda _: "0")

    def _measuring_commands(self) -> Iterator[Command]:
        spelled = self._format.spelled
        yield Command(":READ", query=lambda _: spelled(self._sweeper.read()))
        yield Command(":FETCh", query=lambda _: spelled(self._sweeper.fetch()))
        yield Command(
            "[:SENSe[1]]:DATA[:LATest]", query=lambda _: spelled(self._sweeper.fetch()[-1:])
        )
        yield Command(":MEASure", query=partial(self._measure, None))
        for function, word in _MEASURED.items():
            yield Command(f":MEASure:{word}", query=partial(self._measure, function))
            yield Command(f":CONFigure:{word}", partial(self._configure, function), takes=(0, 0))

    def _configure(self, function: str, _: Parameters) -> None:
        """``CONFigure``: the function with its defaults, and the output on (manual, 17-2)."""
        self._sweeper.reset_triggers()
        self._senses.reset_function(function)
        self._supply.switch(True)

    def _measure(self, function: str | None, parameters: Parameters) -> Reply:
        """``MEASure?``: configure and read; without a function, as it is configured."""
        if function is None:
            self._sweeper.reset_triggers()
            self._supply.switch(True)
        else:
            self._configure(function, parameters)
        return self._format.spelled(self._sweeper.read())


def _beep(parameters: Parameters) -> None:
    """``SYSTem:BEEPer``: a frequency and a duration, heard by nobody."""
    for low, high in ((65.0, 2e6), (0.0, 7.9)):
        if len(parameters):
            parameters.number(low, high)


def _declared() -> Iterator[Number | Flag | Choice | Text]:
    yield Number(":SYSTem:LFRequency", "LFR", 60.0, 50.0, 60.0, whole=True, kept=True)
    yield Flag(":SYSTem:LFRequency:AUTO", "LFR AUTO", True, kept=True)
    yield Flag(":SYSTem:AZERo:CACHe[:STATe]", "CACHE", True)
    yield Flag(":SYSTem:BEEPer:STATe", "BEEP", True, kept=True)
    yield Flag(":SYSTem:CCHeck", "CCHECK", False)
    yield Choice(":SYSTem:RCMode", "RCM", "SING", ("SINGle", "MULTiple"))
    places = ("RST", "PRESet", *(f"SAV{place}" for place in range(5)))
    yield Choice(":SYSTem:POSetup", "POS", "RST", places, kept=True)
    yield Flag(":DISPlay:ENABle", "DISPLAY", True)
    yield Number(":DISPlay:DIGits", "DIGITS", 6.0, 4.0, 7.0, whole=True)
    for window in ("[:WINDow[1]]", ":WINDow2"):
        yield Text(f":DISPlay{window}:TEXT[:DATA]", f"TEXT{window}", "")
        yield Flag(f":DISPlay{window}:TEXT:STATe", f"TEXT STATE{window}", False)
