"""An emulated Keysight B2900 source-measure unit or B2962A source, one or two channels.

``INITiate`` and ``READ`` switch outputs on while ``OUTPut:ON:AUTO`` is on, which it is after a
reset; ``MEASure`` does not (manual, 4-67).

Not emulated: arbitrary waveforms, math and limit tests (CALCulate), ohms with a test current of
the instrument's choice, limits that differ by polarity, digital lines, LXI events, programs and
mass memory, the sum of currents both channels can have, and the command set of other makers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from drivers.emulated.keysightb2900_channel import SmuChannel
from drivers.emulated.keysightb2900_data import ELEMENTS, Format, Trace, section
from drivers.emulated.keysightb2900_models import B2962A, TWO_CHANNELS
from drivers.emulated.keysightb2900_runner import Runner
from drivers.emulated.keysightb2900_trigger import ACTIONS, ChannelTriggers
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, Text, on_off
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.source_measure import SourceMeasureModel
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedKeysightB2900"]

FIRMWARE = "3.4.2011.5100"
ERROR_PLACES = 30
STATUS_BITS = {"MEASurement": 0, "QUEStionable": 3, "OPERation": 7}


class EmulatedKeysightB2900:
    """One instrument, wired by ``channels`` into a world.

    Args:
        world: what the terminals are wired to.
        model: its name tells how many channels there are.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        name: channels are called ``name.1`` and ``name.2``.
    """

    def __init__(
        self,
        world: World,
        model: SourceMeasureModel = B2962A,
        serial: str = "MY00000001",
        random: np.random.Generator | None = None,
        name: str = "keysightb2900",
    ) -> None:
        numbers = (1, 2) if model.name in TWO_CHANNELS else (1,)
        self.channels = {number: Channel(f"{name}.{number}") for number in numbers}
        self._format = Format()
        self._status = StatusSystem(ErrorQueue(ERROR_PLACES), STATUS_BITS, self._format.register)
        self._smus = {
            number: SmuChannel(number, model, channel, world, random, self._status.report)
            for number, channel in self.channels.items()
        }
        self._triggers = {
            number: ChannelTriggers(smu, model.largest) for number, smu in self._smus.items()
        }
        self._traces = {number: Trace(number, self._format) for number in numbers}
        operation = self._status.registers["OPERation"]
        self._runner = Runner(self._triggers, self._traces, world, operation)
        self._system = Settings(_declared(), self._changed)
        identity = f"Keysight Technologies,{model.name},{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def set_interlock(self, closed: bool) -> None:
        """The interlock line of the rear panel; open, it forbids more than 42 V."""
        for smu in self._smus.values():
            smu.set_interlock(closed)

    def output_on(self, number: int) -> bool:
        """Whether a channel's output is on, as the front panel would show."""
        return self._smus[number].terminals.output_on

    def _reset(self) -> None:
        """``*RST``: everything but status, errors and what survives a restart."""
        self._runner.abort(list(self._smus))
        self._format.reset()
        self._system.reset()
        self._changed("")
        for number, smu in self._smus.items():
            self._triggers[number].reset()
            self._traces[number].reset()
            smu.reset()

    def _changed(self, _: str) -> None:
        self._runner.automatic_time_reset = self._system.flag("TIME AUTO")
        for smu in self._smus.values():
            smu.line_hertz = self._system.number("LFR")

    # -- commands

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, self._runner.trigger)
        yield from self._status.commands()
        yield Command(":SYSTem:ERRor[:NEXT]", query=lambda _: self._next_error())
        yield Command(":SYSTem:ERRor:ALL", query=lambda _: self._all_errors())
        for parts in (self._smus, self._triggers, self._traces):
            for part in parts.values():
                yield from part.commands()
        yield from self._format.commands()
        yield from self._system.commands()
        yield from self._data_commands()
        yield from self._trigger_commands()
        yield from self._system_commands()

    def _system_commands(self) -> Iterator[Command]:
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock"):
            yield Command(header, lambda _: None, takes=(0, 0))
        yield Command(":SYSTem:PRESet", lambda _: self._reset(), takes=(0, 0))
        yield Command(":SYSTem:VERSion", query=lambda _: "1999.0")
        yield Command(":SYSTem:BEEPer[:IMMediate]", _beep, takes=(2, 2))
        yield Command(
            ":SYSTem:INTerlock:TRIPped",
            query=lambda _: on_off(not self._smus[1].interlock_closed),
        )
        yield Command(
            ":SYSTem:TIME:TIMer:COUNt:RESet[:IMMediate]",
            lambda _: self._runner.reset_time(),
            takes=(0, 0),
        )
        yield Command(
            ":SYSTem:TIME:TIMer:COUNt", query=lambda _: f"{self._runner.elapsed_seconds():+.6E}"
        )
        yield Command(":SYSTem:CHANnel:COUNt", query=lambda _: str(len(self._smus)))
        yield Command("*OPT", query=lambda _: "0")
        yield Command("*CAL", query=lambda _: "0")

    def _data_commands(self) -> Iterator[Command]:
        """``FETCh``, ``READ`` and ``MEASure``, of all elements or of one."""
        for element, keyword in [(None, ""), *enumerate(f":{word}" for word in ELEMENTS)]:
            header = keyword.replace("VOLTage", "VOLTage[:DC]").replace("CURRent", "CURRent[:DC]")
            for shape, array in (("[:SCALar]", False), (":ARRay", True)):
                for verb, prepare in (("FETCh", None), ("READ", self._read)):
                    yield Command(
                        f":{verb}{shape}{header}",
                        query=partial(self._answer, prepare, element, array),
                        asks=(0, 1),
                    )
            yield Command(
                f":MEASure{header}",
                query=partial(self._answer, self._runner.measure, element, False),
                asks=(0, 1),
            )
        for number in self._smus:
            root = f":SENSe{'[1]' if number == 1 else number}:DATA"
            yield Command(root, query=partial(self._data, number), asks=(0, 2))
            yield Command(f"{root}:LATest", query=partial(self._latest, number))
            yield Command(f"{root}:CLEar", partial(self._clear, number), takes=(0, 0))

    def _trigger_commands(self) -> Iterator[Command]:
        for keyword, actions in (
            ("[:ALL]", tuple(ACTIONS)),
            *((f":{word}", (action,)) for action, word in ACTIONS.items()),
        ):
            yield Command(
                f":INITiate[:IMMediate]{keyword}",
                partial(self._initiate, actions),
                takes=(0, 1),
            )
            yield Command(f":ABORt{keyword}", self._abort, takes=(0, 1))
            yield Command(f":IDLE{keyword}", query=self._idle, asks=(0, 1))
            for layer in ("ARM", "TRIGger"):
                yield Command(f":{layer}[:IMMediate]{keyword}", self._force, takes=(0, 1))

    # -- what they do

    def _numbers(self, parameters: Parameters, default: tuple[int, ...] = (1,)) -> list[int]:
        """A channel list in the order of channels, as replies are."""
        numbers = sorted(set(parameters.channels())) if len(parameters) else list(default)
        if not numbers or any(number not in self._smus for number in numbers):
            raise ScpiError(-222)
        return numbers

    def _read(self, numbers: list[int]) -> None:
        self._runner.initiate(tuple(ACTIONS), numbers)

    def _answer(self, prepare: object, element: int | None, array: bool, p: Parameters) -> Reply:
        numbers = self._numbers(p)
        if callable(prepare):
            prepare(numbers)
        columns = [self._triggers[number].samples for number in numbers]
        if not array:
            columns = [column[-1:] for column in columns]
        return self._format.interleaved(columns, None if element is None else (element,))

    def _data(self, number: int, parameters: Parameters) -> Reply:
        return self._format.interleaved([section(self._triggers[number].samples, parameters)])

    def _latest(self, number: int, _: Parameters) -> Reply:
        return self._format.interleaved([self._triggers[number].samples[-1:]])

    def _clear(self, number: int, _: Parameters) -> None:
        self._triggers[number].samples = []

    def _initiate(self, actions: tuple[str, ...], parameters: Parameters) -> None:
        self._runner.initiate(actions, self._numbers(parameters))

    def _abort(self, parameters: Parameters) -> None:
        self._runner.abort(self._numbers(parameters, tuple(self._smus)))

    def _idle(self, parameters: Parameters) -> str:
        return on_off(all(self._runner.idle(number) for number in self._numbers(parameters)))

    def _force(self, parameters: Parameters) -> None:
        self._numbers(parameters)
        self._runner.trigger()

    def _next_error(self) -> str:
        code, text = self._status.errors.take()
        return f'{code:+d},"{text}"'

    def _all_errors(self) -> str:
        entries = [self._next_error()]
        while len(self._status.errors):
            entries.append(self._next_error())
        return ",".join(entries)


def _beep(parameters: Parameters) -> None:
    """``SYSTem:BEEPer``: a frequency and a duration, heard by nobody."""
    parameters.number(55.0, 6640.0)
    parameters.number(0.05, 12.75)


def _declared() -> Iterator[Number | Flag | Choice | Text]:
    yield Number(":SYSTem:LFRequency", "LFR", 60.0, 50.0, 60.0, whole=True, kept=True)
    yield Flag(":SYSTem:TIME:TIMer:COUNt:RESet:AUTO", "TIME AUTO", False)
    yield Flag(":SYSTem:BEEPer:STATe", "BEEP", True, kept=True)
    yield Choice(":SYSTem:PON", "PON", "RST", ("RST", *(f"RCL{n}" for n in range(5))), kept=True)
    yield Flag(":DISPlay:ENABle", "DISPLAY", True)
    views = ("SINGle1", "SINGle2", "DUAL", "GRAPh", "ROLL")
    yield Choice(":DISPlay:VIEW", "VIEW", "DUAL", views)
    yield Number(":DISPlay:DIGits", "DIGITS", 6.0, 4.0, 7.0, whole=True)
    yield Text(":DISPlay[:WINDow[1]]:TEXT[:DATA]", "TEXT", "")
    yield Flag(":DISPlay[:WINDow[1]]:TEXT:STATe", "TEXT STATE", False)
