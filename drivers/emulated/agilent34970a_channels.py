"""Channels of an emulated Agilent 34970A: what each measures and how, and its readings.

Source: 34970A Data Acquisition/Switch Unit User's Guide, 34970-90003, chapters 4, 5 and 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from drivers.emulated.scanner_cards import Multiplexer
from drivers.emulated.scanner_meter import OVERFLOW, Voltmeter, volts_range
from drivers.emulated.scanner_settings import ChannelSettings
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting, Text
from drivers.emulated.scpi.values import matches
from drivers.emulated.world import World

__all__ = ["FUNCTIONS", "ChannelTable", "signed", "with_signs"]

LINE_HERTZ = 60.0
FUNCTIONS = {"VOLT": "VOLTage[:DC]", "VOLT:AC": "VOLTage:AC"}
# Noise: the additional error at 1 PLC, 0.001 % of range, taken as three standard deviations.
VOLTS_RANGES = (
    volts_range(0.1, 0.0050, 0.0040, 0.33e-6),
    volts_range(1.0, 0.0040, 0.0007, 3.3e-6),
    volts_range(10.0, 0.0035, 0.0005, 33e-6),
    volts_range(100.0, 0.0045, 0.0006, 330e-6),
    volts_range(300.0, 0.0045, 0.0030, 1e-3, largest=300.0),
)
# Integration time in power line cycles, and the resolution it gives as a fraction of the range.
RESOLUTIONS = {
    0.02: 1e-4,
    0.2: 1e-5,
    1.0: 3e-6,
    2.0: 2.2e-6,
    10.0: 1e-6,
    20.0: 0.8e-6,
    100.0: 0.3e-6,
    200.0: 0.22e-6,
}
AUTO_DELAY_SECONDS = 1e-3  # DC volts, 34901A
NO_LIMIT = 1e15
_EXPONENT_DIGITS = 8


def signed(value: float) -> str:
    """A number as this instrument answers it: ``+2.61920000E+01``."""
    if math.isinf(value):
        value = math.copysign(OVERFLOW, value)
    return f"{value:+.{_EXPONENT_DIGITS}E}"


def with_signs(commands: Iterable[Command], declared: Iterable[Setting]) -> Iterator[Command]:
    """The commands of some settings, their numbers answered as :func:`signed` does."""
    for command, setting in zip(commands, declared, strict=True):
        asked = command.query
        if asked is None or not isinstance(setting, Number):
            yield command
            continue

        def query(parameters: Parameters, ask: Callable[[Parameters], Reply] = asked) -> str:
            fields = str(ask(parameters)).split(",")
            return ",".join(signed(float(field)) for field in fields)

        yield replace(command, query=query)


class ChannelTable:
    """Settings of every channel, and measuring with them.

    Args:
        mux: the relays.
        world: what is measured.
        random: for errors and noise; None: an ideal meter.
        channels: turns the text of a channel list into numbers.
        scan_list: channels meant by a command without a list.
        changed: called when a measurement is set up anew.
    """

    def __init__(
        self,
        mux: Multiplexer,
        world: World,
        random: np.random.Generator | None,
        channels: Callable[[str], list[int]],
        scan_list: Callable[[], list[int]],
        changed: Callable[[], None],
    ) -> None:
        self._mux = mux
        self._world = world
        self._channels = channels
        self._scan_list = scan_list
        self._reconfigured = changed
        self._meter = Voltmeter(VOLTS_RANGES, world, random)
        self._declared = tuple(_declared())
        self._settings = ChannelSettings(self._declared, channels, scan_list, self._changed)
        self.functions: dict[int, str] = {}

    def reset(self) -> None:
        """DC volts, automatic range, one power line cycle."""
        self._settings.reset()
        self.functions.clear()

    def configure(self, function: str, parameters: Parameters) -> list[int]:
        """``CONFigure``: defaults, then range and resolution if they are given; the channels."""
        texts = list(parameters.rest())
        if not texts or not texts[-1].startswith("("):
            raise ScpiError(-109)
        numbers = self._channels(texts.pop())
        if any(not self._mux.measures_volts(number) for number in numbers):
            raise ScpiError(308, "Channel not able to perform requested operation")
        index = self._range(texts[0]) if texts else None
        cycles = 1.0 if index is None else self._cycles(texts[1:], index)
        for number in numbers:
            self._settings.reset_channel(number)
            self.functions[number] = function
            settings = self._settings[number]
            settings.put(f"{function} NPLC", cycles)
            if index is not None:
                settings.put(f"{function} RANG", VOLTS_RANGES[index].nominal)
                settings.put(f"{function} RANG AUTO", False)
        return numbers

    def measure(self, number: int) -> float:
        """Wait as the channel is set up, and read it; it must be closed."""
        function = self.functions.get(number, "VOLT")
        settings = self._settings[number]
        automatic = settings.flag("DEL AUTO")
        delay_seconds = AUTO_DELAY_SECONDS if automatic else settings.number("DEL")
        cycles = settings.number(f"{function} NPLC")
        apertures = 2 if settings.flag("ZERO") else 1
        self._connect(number, function)
        self._world.elapse(delay_seconds + apertures * cycles / LINE_HERTZ)
        value = self._volts(number, cycles) if function == "VOLT" else 0.0
        if settings.flag("SCAL STAT") and abs(value) < OVERFLOW:
            value = settings.number("SCAL GAIN") * value + settings.number("SCAL OFFS")
        return value

    def unit(self, number: int) -> str:
        """The unit of a channel's readings."""
        settings = self._settings[number]
        if settings.flag("SCAL STAT"):
            return settings.word("SCAL UNIT")
        return "VAC" if self.functions.get(number) == "VOLT:AC" else "VDC"

    def alarm(self, number: int, value: float) -> int:
        """1 for a reading below its channel's lower limit, 2 above the upper one, else 0."""
        settings = self._settings[number]
        if settings.flag("LIM LOW STAT") and value < settings.number("LIM LOW"):
            return 1
        return 2 * (settings.flag("LIM UPP STAT") and value > settings.number("LIM UPP"))

    def commands(self) -> Iterator[Command]:
        """``SENSe``, ``INPut``, ``CALCulate``, temperature units and the channel delay."""
        yield from with_signs(self._settings.commands(), self._declared)
        yield Command(
            "[:SENSe]:FUNCtion", self._write_function, self._functions, takes=(1, 2), asks=(0, 1)
        )
        yield Command(":CONFigure", query=self._configurations, asks=(0, 1))

    def _connect(self, number: int, function: str) -> None:
        """The input as it is during the delay."""
        settings = self._settings[number]
        index = self._meter.range_for(settings.number(f"{function} RANG")) or 0
        self._mux.attach([number], self._meter.stance(index, not settings.flag("IMP AUTO")))

    def _volts(self, number: int, cycles: float) -> float:
        settings = self._settings[number]
        fixed = self._meter.range_for(settings.number("VOLT RANG"))
        index = None if settings.flag("VOLT RANG AUTO") else fixed
        divider = not settings.flag("IMP AUTO")
        value, used = self._meter.measure(self._mux.channels[number], index, divider, cycles)
        settings.put("VOLT RANG", VOLTS_RANGES[used].nominal)
        return value

    def _range(self, text: str) -> int | None:
        """Index of the range a client wants; None: automatic."""
        if text.upper() == "AUTO" or matches(text, "DEFault"):
            return None
        largest = VOLTS_RANGES[-1].nominal
        wanted = Parameters((text,)).number(0.0, largest, unit="V")
        return self._meter.range_for(wanted)

    def _cycles(self, texts: list[str], index: int) -> float:
        """The shortest integration that gives the resolution wanted."""
        if not texts or matches(texts[0], "DEFault"):
            return 1.0
        nominal = VOLTS_RANGES[index].nominal
        finest, coarsest = 0.22e-6 * nominal, 1e-4 * nominal
        wanted = max(Parameters((texts[0],)).number(unit="V", low=0.0, high=nominal), finest)
        if matches(texts[0], "MAXimum"):
            wanted = coarsest
        enough = (n for n, fraction in RESOLUTIONS.items() if fraction * nominal <= wanted * 1.001)
        return next(enough, 200.0)

    def _write_function(self, parameters: Parameters) -> None:
        text = parameters.string().upper().replace("VOLTAGE", "VOLT").removesuffix(":DC")
        if text not in FUNCTIONS:
            raise ScpiError(-224)
        numbers = self._channels(parameters.text()) if len(parameters) else self._scan_list()
        for number in numbers:
            self.functions[number] = text
        self._reconfigured()

    def _functions(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text()) if len(parameters) else self._scan_list()
        return ",".join(f'"{self.functions.get(number, "VOLT")}"' for number in numbers)

    def _configurations(self, parameters: Parameters) -> str:
        numbers = self._channels(parameters.text()) if len(parameters) else self._scan_list()
        return ",".join(self._configuration(number) for number in numbers)

    def _configuration(self, number: int) -> str:
        function = self.functions.get(number, "VOLT")
        settings = self._settings[number]
        nominal = settings.number(f"{function} RANG")
        fraction = RESOLUTIONS[settings.number(f"{function} NPLC")]
        return f'"{function} {nominal:+.6E},{nominal * fraction:+.6E}"'

    def _changed(self, number: int, name: str) -> None:
        settings = self._settings[number]
        if name == "DEL":
            settings.put("DEL AUTO", False)
        elif name.endswith(" RANG"):
            index = self._meter.range_for(settings.number(name))
            settings.put(name, VOLTS_RANGES[index or 0].nominal)
            settings.put(f"{name} AUTO", False)
        elif name.endswith(" NPLC"):
            wanted = settings.number(name) * (1 - 1e-9)
            settings.put(name, next(n for n in RESOLUTIONS if wanted <= n))
        elif name.endswith(" RES"):
            function = name.removesuffix(" RES")
            index = self._meter.range_for(settings.number(f"{function} RANG")) or 0
            cycles = self._cycles([str(settings.number(name))], index)
            settings.put(f"{function} NPLC", cycles)
        elif name == "SCAL UNIT":
            settings.put(name, settings.word(name)[:3])
        self._reconfigured()


def _declared() -> Iterator[Setting]:
    largest = VOLTS_RANGES[-1].nominal
    for function, header in FUNCTIONS.items():
        root = f"[:SENSe]:{header}"
        yield Number(f"{root}:RANGe[:UPPer]", f"{function} RANG", 10.0, 0.0, largest, "V")
        yield Flag(f"{root}:RANGe:AUTO", f"{function} RANG AUTO", True)
        yield Number(f"{root}:RESolution", f"{function} RES", 3e-5, 0.0, largest, "V")
        yield Number(f"{root}:NPLCycles", f"{function} NPLC", 1.0, 0.02, 200.0)
    yield Number("[:SENSe]:VOLTage:AC:BANDwidth", "VOLT:AC BAND", 20.0, 3.0, 200.0)
    headers = " ".join(f"[:SENSe]:{header}:ZERO:AUTO" for header in ("", *FUNCTIONS.values()))
    yield Flag(headers.replace("::", ":"), "ZERO", True)
    yield Flag(":INPut:IMPedance:AUTO", "IMP AUTO", False)
    yield Number(":ROUTe:CHANnel:DELay", "DEL", 0.0, 0.0, 60.0, "S")
    yield Flag(":ROUTe:CHANnel:DELay:AUTO", "DEL AUTO", True)
    yield Flag(":ROUTe:CHANnel:FWIRe", "FWIR", False)
    yield Flag(":CALCulate:SCALe:STATe", "SCAL STAT", False)
    yield Number(":CALCulate:SCALe:GAIN", "SCAL GAIN", 1.0, -1e15, 1e15)
    yield Number(":CALCulate:SCALe:OFFSet", "SCAL OFFS", 0.0, -1e15, 1e15)
    yield Text(":CALCulate:SCALe:UNIT", "SCAL UNIT", "VDC")
    for word in ("LOWer", "UPPer"):
        name, limit = f"LIM {word[:3].upper()}", -NO_LIMIT if word == "LOWer" else NO_LIMIT
        yield Number(f":CALCulate:LIMit:{word}", name, limit, -NO_LIMIT, NO_LIMIT)
        yield Flag(f":CALCulate:LIMit:{word}:STATe", f"{name} STAT", False)
    yield Choice(":UNIT:TEMPerature", "UNIT TEMP", "C", ("C", "F", "K"))
