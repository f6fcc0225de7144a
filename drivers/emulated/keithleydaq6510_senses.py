"""The measuring side of an emulated Keithley DAQ6510: functions and settings of each channel.

A channel that was never set up measures as is set up without a channel list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from drivers.emulated.keithleydaq6510_models import (
    FUNCTIONS,
    TEST_AMPS,
    TEST_VOLTS,
    VOLTS_RANGES,
    Function,
    function_named,
)
from drivers.emulated.scanner_cards import Multiplexer
from drivers.emulated.scanner_meter import OVERFLOW, Voltmeter
from drivers.emulated.scanner_settings import ChannelSettings
from drivers.emulated.scanner_switching import connected_volts
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting
from drivers.emulated.world import Channel, CurrentForce, World

__all__ = ["Senses"]

LINE_HERTZ = 60.0
NO_CHANNEL = 0
AUTO_DELAY_SECONDS = 1e-3


class Senses:
    """Everything below ``SENSe`` and the readings it leads to.

    Args:
        mux: what the meter is connected through.
        world: what is measured.
        random: for errors and noise; None: an ideal meter.
        channels: turns the text of a channel list into numbers.
    """

    def __init__(
        self,
        mux: Multiplexer,
        world: World,
        random: np.random.Generator | None,
        channels: Callable[[str], list[int]],
    ) -> None:
        self._mux = mux
        self._world = world
        self._channels = channels
        self._meter = Voltmeter(VOLTS_RANGES, world, random)
        self._settings = ChannelSettings(_declared(), channels, self._targets, self._changed)
        self.reset()

    def reset(self) -> None:
        """DC volts on automatic range, for every channel."""
        self._settings.reset()
        self._functions: dict[int, Function] = {NO_CHANNEL: FUNCTIONS[0]}
        self._configured: set[int] = set()
        self.count = 1

    def function(self, number: int = NO_CHANNEL) -> Function:
        """What a channel measures."""
        return self._functions.get(self._source(number), FUNCTIONS[0])

    def attach(self) -> None:
        """Put the meter's input on what is connected to it."""
        numbers = connected_volts(self._mux)
        first = numbers[0] if numbers else NO_CHANNEL
        settings = self._settings[self._source(first)]
        index = self._meter.range_for(settings.number("VOLT:DC RANG")) or 0
        divider = settings.word("VOLT:DC INP") == "MOHM10"
        self._mux.attach(numbers, self._meter.stance(index, divider))

    def measure(self) -> tuple[float, int]:
        """One reading of what the meter is connected to, and the channel it came from."""
        numbers = connected_volts(self._mux)
        number = numbers[0] if numbers else NO_CHANNEL
        source = self._source(number)
        function = self.function(number)
        self._wait(source, function)
        value = self._value(source, function, self._mux.channels.get(number))
        settings = self._settings[source]
        if settings.flag(f"{function.short} REL STAT") and abs(value) < OVERFLOW:
            value -= settings.number(f"{function.short} REL")
        return value, number

    def commands(self) -> Iterator[Command]:
        """``SENSe`` and the function settings of ``DISPlay``."""
        yield from self._settings.commands()
        yield Command(
            "[:SENSe[1]]:FUNCtion[:ON]",
            self._write_function,
            self._query_function,
            takes=(1, 2),
            asks=(0, 1),
        )
        yield Command("[:SENSe[1]]:COUNt", self._write_count, lambda _: str(self.count))
        yield Command("[:SENSe[1]]:AZERo:ONCE", lambda _: None, takes=(0, 0))
        for function in FUNCTIONS:
            yield Command(
                f"[:SENSe[1]]:{function.header}:RELative:ACQuire",
                partial(self._acquire, function),
                takes=(0, 1),
            )

    def select(self, function: Function) -> None:
        """Choose a function for what no channel list names."""
        for number in self._targets():
            self._functions[number] = function

    def _source(self, number: int) -> int:
        """The channel whose settings a channel uses."""
        return number if number in self._configured else NO_CHANNEL

    def _targets(self) -> list[int]:
        """Whose settings a command without a channel list means."""
        closed = self._mux.to_meter()
        return [self._source(closed[0]) if closed else NO_CHANNEL]

    def _named(self, text: str) -> list[int]:
        numbers = self._channels(text)
        self._configured.update(numbers)
        return numbers

    def _write_function(self, parameters: Parameters) -> None:
        function = function_named(parameters.string())
        numbers = self._named(parameters.text()) if len(parameters) else self._targets()
        for number in numbers:
            self._functions[number] = function

    def _query_function(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text()) if len(parameters) else self._targets()
        return ",".join(self.function(number).short for number in numbers)

    def _write_count(self, parameters: Parameters) -> None:
        self.count = parameters.whole(1, 300_000, 1)

    def _changed(self, number: int, name: str) -> None:
        if number != NO_CHANNEL:
            self._configured.add(number)
            self._functions.setdefault(number, FUNCTIONS[0])
        settings = self._settings[number]
        short, _, what = name.rpartition(" ")
        if what == "RANG":
            ranges = next(f.ranges for f in FUNCTIONS if f.short == short)
            wanted = settings.number(name) * (1 - 1e-9)
            settings.put(name, next(nominal for nominal in ranges if wanted <= nominal))
            settings.put(f"{short} RANG AUTO", False)
        elif what == "NPLC":
            settings.put(f"{short} APER", settings.number(name) / LINE_HERTZ)
        elif what == "APER":
            settings.put(f"{short} NPLC", settings.number(name) * LINE_HERTZ)

    def _wait(self, source: int, function: Function) -> None:
        settings = self._settings[source]
        seconds = AUTO_DELAY_SECONDS if settings.flag(f"{function.short} DEL AUTO") else 0.0
        if function.integrates:
            apertures = 2 if settings.flag(f"{function.short} AZER") else 1
            seconds += apertures * settings.number(f"{function.short} NPLC") / LINE_HERTZ
        if settings.flag(f"{function.short} AVER"):
            seconds *= settings.number(f"{function.short} AVER COUN")
        self._world.elapse(seconds)

    def _value(self, source: int, function: Function, channel: Channel | None) -> float:
        if function.short == "VOLT:DC":
            return self._volts(source, channel)
        if function.short in ("RES", "FRES"):
            return self._ohms(source, function, channel)
        return 0.0  # nothing alternates, and no current channel is wired, in this world

    def _volts(self, source: int, channel: Channel | None) -> float:
        settings = self._settings[source]
        fixed = self._meter.range_for(settings.number("VOLT:DC RANG"))
        cycles = settings.number("VOLT:DC NPLC")
        if settings.flag("VOLT:DC AVER"):
            cycles *= settings.number("VOLT:DC AVER COUN")
        automatic = settings.flag("VOLT:DC RANG AUTO")
        divider = settings.word("VOLT:DC INP") == "MOHM10"
        value, used = self._meter.measure(channel, None if automatic else fixed, divider, cycles)
        settings.put("VOLT:DC RANG", VOLTS_RANGES[used].nominal)
        return value

    def _ohms(self, source: int, function: Function, channel: Channel | None) -> float:
        settings = self._settings[source]
        ranges = function.ranges
        if not settings.flag(f"{function.short} RANG AUTO"):
            ranges = (settings.number(f"{function.short} RANG"),)
        if channel is None:
            return OVERFLOW
        for nominal in ranges:
            amps = TEST_AMPS[nominal]
            channel.stance = CurrentForce(amps, TEST_VOLTS)
            true = self._world.reading(channel)
            ohms = math.inf if true.limited else true.volts / amps
            if abs(ohms) <= 1.2 * nominal:
                settings.put(f"{function.short} RANG", nominal)
                return ohms
        return OVERFLOW

    def _acquire(self, function: Function, parameters: Parameters) -> None:
        numbers = self._named(parameters.text()) if len(parameters) else self._targets()
        value, _ = self.measure()
        for number in numbers:
            self._settings[number].put(f"{function.short} REL", value)


def _declared() -> Iterator[Setting]:
    for function in FUNCTIONS:
        yield from _common(function)
        short, root = function.short, f"[:SENSe[1]]:{function.header}"
        if function.integrates:
            yield Number(f"{root}:NPLCycles", f"{short} NPLC", 1.0, 0.0005, 15.0)
            low, high = 0.0005 / LINE_HERTZ, 15 / LINE_HERTZ
            yield Number(f"{root}:APERture", f"{short} APER", 1 / LINE_HERTZ, low, high, "S")
            yield Flag(f"{root}:AZERo[:STATe]", f"{short} AZER", True)
            yield Flag(f"{root}:LINE:SYNC", f"{short} SYNC", False)
        else:
            bands = ("3", "30", "300")
            yield Choice(f"{root}:DETector:BANDwidth", f"{short} BAND", "3", bands)
        if short == "VOLT:DC":
            inputs = ("AUTO", "MOHM10")
            yield Choice(f"{root}:INPutimpedance", "VOLT:DC INP", "MOHM10", inputs)
        if short in ("RES", "FRES"):
            states = ("OFF", "ON", "AUTO")
            yield Choice(f"{root}:OCOMpensated", f"{short} OCOM", "OFF", states)


def _common(function: Function) -> Iterator[Setting]:
    """What every function has."""
    short, root = function.short, f"[:SENSe[1]]:{function.header}"
    largest = function.ranges[-1]
    default = largest if short.endswith("DC") else function.ranges[1]
    yield Number(f"{root}:RANGe[:UPPer]", f"{short} RANG", default, 0.0, largest)
    yield Flag(f"{root}:RANGe:AUTO", f"{short} RANG AUTO", True)
    yield Flag(f"{root}:AVERage[:STATe]", f"{short} AVER", False)
    yield Number(f"{root}:AVERage:COUNt", f"{short} AVER COUN", 10.0, 1.0, 100.0, whole=True)
    words = ("REPeat", "MOVing", "HYBRid")
    yield Choice(f"{root}:AVERage:TCONtrol", f"{short} TCON", "REP", words)
    yield Number(f"{root}:AVERage:WINDow", f"{short} WIND", 0.0, 0.0, 10.0)
    yield Flag(f"{root}:DELay:AUTO", f"{short} DEL AUTO", True)
    yield Number(f"{root}:RELative", f"{short} REL", 0.0, -1e9, 1e9)
    yield Flag(f"{root}:RELative:STATe", f"{short} REL STAT", False)
    header = f":DISPlay:{function.header}:DIGits"
    yield Number(header, f"{short} DIG", 6.0, 3.0, 6.0, whole=True)
