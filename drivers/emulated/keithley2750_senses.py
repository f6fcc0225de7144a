"""The measuring side of an emulated Keithley 2750: DC volts with settings of each scan channel.

Source: Model 2750 Multimeter/Switch System User's Manual, 2750-900-01 Rev. F.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from drivers.emulated.scanner_cards import Multiplexer
from drivers.emulated.scanner_meter import OVERFLOW, Voltmeter, volts_range
from drivers.emulated.scanner_settings import ChannelSettings
from drivers.emulated.scanner_switching import connected_volts
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting, Settings
from drivers.emulated.scpi.values import quoted
from drivers.emulated.world import World

__all__ = ["NO_CHANNEL", "Senses"]

LINE_HERTZ = 60.0
NO_CHANNEL = 0
AUTO_DELAY_SECONDS = 1e-3
LARGEST_VOLTS = 1010.0
VOLTS_RANGES = (
    volts_range(0.1, 0.0030, 0.0035, 0.3e-6),
    volts_range(1.0, 0.0030, 0.0007, 1e-6),
    volts_range(10.0, 0.0030, 0.0005, 4e-6),
    volts_range(100.0, 0.0045, 0.0009, 80e-6),
    volts_range(1000.0, 0.0045, 0.0009, 800e-6, largest=LARGEST_VOLTS),
)
_FUNCTIONS = {"VOLT": "VOLT:DC", "VOLT:DC": "VOLT:DC", "VOLT:AC": "VOLT:AC"}
_UNITS = {"VOLT:DC": "VDC", "VOLT:AC": "VAC"}


class Senses:
    """``SENSe`` and what it leads to.

    Args:
        mux: the relays.
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
        self._settings = ChannelSettings(_declared(), channels, lambda: [NO_CHANNEL], self._changed)
        self.common = Settings(_declared_common(), lambda _: None)
        self.reset()

    def reset(self) -> None:
        """DC volts, automatic range, five power line cycles."""
        self._settings.reset()
        self.common.reset()
        self._functions: dict[int, str] = {}

    def unit(self, scanned: int) -> str:
        """The unit of a channel's readings."""
        return _UNITS[self._functions.get(scanned, "VOLT:DC")]

    def connected(self) -> int:
        """The voltage channel the meter is connected to; 0: none."""
        numbers = connected_volts(self._mux)
        return numbers[0] if numbers else NO_CHANNEL

    def attach(self, scanned: int = NO_CHANNEL) -> None:
        """Put the meter's input on what is connected to it."""
        numbers = connected_volts(self._mux)
        settings = self._settings[scanned]
        index = self._meter.range_for(settings.number("RANG"))
        highest = len(VOLTS_RANGES) - 1
        stance = self._meter.stance(highest if index is None else index, settings.flag("IDIV"))
        self._mux.attach(numbers, stance)

    def measure(self, scanned: int = NO_CHANNEL) -> float:
        """One reading of what the meter is connected to.

        Args:
            scanned: the scan channel whose settings count; 0: those without a channel list.
        """
        settings = self._settings[scanned]
        cycles = settings.number("NPLC")
        count = settings.whole("AVER COUN") if settings.flag("AVER") else 1
        automatic = self.common.flag("DEL AUTO")
        delay_seconds = AUTO_DELAY_SECONDS if automatic else self.common.number("DEL")
        apertures = (2 if self.common.flag("AZER") else 1) * count
        self._world.elapse(delay_seconds + apertures * cycles / LINE_HERTZ)
        if self._functions.get(scanned, "VOLT:DC") != "VOLT:DC":
            return 0.0  # nothing alternates in this world
        highest = len(VOLTS_RANGES) - 1
        fixed = self._meter.range_for(settings.number("RANG"))
        index = None if settings.flag("RANG AUTO") else highest if fixed is None else fixed
        channel = self._mux.channels.get(self.connected())
        value, used = self._meter.measure(channel, index, settings.flag("IDIV"), cycles * count)
        if index is None:
            settings.put("RANG", VOLTS_RANGES[used].nominal)
        if settings.flag("REF STAT") and abs(value) < OVERFLOW:
            value -= settings.number("REF")
        return value

    def commands(self) -> Iterator[Command]:
        """``SENSe``, the delay and autozero."""
        yield from self._settings.commands()
        yield from self.common.commands()
        yield Command(
            "[:SENSe[1]]:FUNCtion[:ON]",
            self._write_function,
            self._function,
            takes=(1, 2),
            asks=(0, 1),
        )
        yield Command("[:SENSe[1]]:VOLTage[:DC]:REFerence:ACQuire", self._acquire, takes=(0, 1))

    def select(self, function: str) -> None:
        """``CONFigure``: a function with its defaults, for what no channel list names."""
        self._settings.reset_channel(NO_CHANNEL)
        self._functions[NO_CHANNEL] = function

    def configured(self) -> str:
        """``CONFigure?``: the function of what no channel list names."""
        return quoted(self._functions.get(NO_CHANNEL, "VOLT:DC"))

    def _write_function(self, parameters: Parameters) -> None:
        text = parameters.string().upper().replace("VOLTAGE", "VOLT")
        if text not in _FUNCTIONS:
            raise ScpiError(-224)
        numbers = self._channels(parameters.text()) if len(parameters) else [NO_CHANNEL]
        for number in numbers:
            self._functions[number] = _FUNCTIONS[text]

    def _function(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text()) if len(parameters) else [NO_CHANNEL]
        return ",".join(quoted(self._functions.get(number, "VOLT:DC")) for number in numbers)

    def _acquire(self, parameters: Parameters) -> None:
        numbers = self._channels(parameters.text()) if len(parameters) else [NO_CHANNEL]
        value = self.measure()
        for number in numbers:
            self._settings[number].put("REF", value)

    def _changed(self, number: int, name: str) -> None:
        settings = self._settings[number]
        if name == "RANG":
            index = self._meter.range_for(settings.number(name))
            highest = len(VOLTS_RANGES) - 1
            settings.put(name, VOLTS_RANGES[highest if index is None else index].nominal)
            settings.put("RANG AUTO", False)
        elif name == "NPLC":
            settings.put("APER", settings.number(name) / LINE_HERTZ)
        elif name == "APER":
            settings.put("NPLC", settings.number(name) * LINE_HERTZ)


def _declared() -> Iterator[Setting]:
    root = "[:SENSe[1]]:VOLTage[:DC]"
    yield Number(f"{root}:RANGe[:UPPer]", "RANG", 1000.0, 0.0, LARGEST_VOLTS)
    yield Flag(f"{root}:RANGe:AUTO", "RANG AUTO", True)
    yield Number(f"{root}:NPLCycles", "NPLC", 5.0, 0.01, 60.0)
    yield Number(f"{root}:APERture", "APER", 5 / LINE_HERTZ, 0.01 / LINE_HERTZ, 1.0)
    yield Number(f"{root}:DIGits", "DIG", 7.0, 4.0, 7.0, whole=True)
    yield Flag(f"{root}:IDIVider", "IDIV", False)
    yield Flag(f"{root}:AVERage[:STATe]", "AVER", False)
    yield Number(f"{root}:AVERage:COUNt", "AVER COUN", 10.0, 1.0, 100.0, whole=True)
    yield Choice(f"{root}:AVERage:TCONtrol", "AVER TCON", "MOV", ("REPeat", "MOVing"))
    yield Number(f"{root}:AVERage:WINDow", "AVER WIND", 0.1, 0.0, 10.0)
    yield Number(f"{root}:REFerence", "REF", 0.0, -LARGEST_VOLTS, LARGEST_VOLTS)
    yield Flag(f"{root}:REFerence:STATe", "REF STAT", False)


def _declared_common() -> Iterator[Setting]:
    yield Flag(":SYSTem:AZERo[:STATe]", "AZER", True)
    yield Number(":TRIGger[:SEQuence[1]]:DELay", "DEL", 0.0, 0.0, 999999.999, "S")
    yield Flag(":TRIGger[:SEQuence[1]]:DELay:AUTO", "DEL AUTO", True)
