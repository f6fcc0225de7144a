"""SENSe of an emulated Keithley 2450, and the readings it makes.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B, sections 2 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from drivers.emulated.accuracy import fitting
from drivers.emulated.keithley2400_models import OHMS_RANGES
from drivers.emulated.keithley2450_source import Source
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.scpi.values import matches, string
from drivers.emulated.source_measure import FUNCTIONS, OVERFLOW, UNITS
from drivers.emulated.world import Reading, World

__all__ = ["MEASURED", "Sample", "Sense"]

MEASURED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
LINE_HERTZ = 60.0
LARGEST_COUNT = 300_000
OHMS_LIMIT = 2e8
_NAMES = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
_UNITS = {"VOLT": "Volt DC", "CURR": "Amp DC", "OHM": "Ohm", "WATT": "Watt"}
_OWN_UNIT = {"VOLT": "VOLT", "CURR": "AMP", "RES": "OHM"}
# Bits of SOURSTATus and STATus (manual, 3-12 and TRACe:DATA?).
PROTECTED, READ_BACK, LIMITED, FOUR_WIRE, OUTPUT_ON = 4, 8, 32, 64, 128
FRONT_TERMINALS = 8


class Sample(NamedTuple):
    """One reading with what the buffer keeps of its circumstances."""

    reading: float
    unit: str
    source: float
    source_unit: str
    seconds: float
    status: int
    source_status: int


class Sense:
    """What is measured and how; one function at a time, the source being read back beside it.

    Args:
        source: whose terminals are measured.
        world: whose time passes meanwhile.
    """

    def __init__(self, source: Source, world: World) -> None:
        self._source = source
        self._world = world
        self.settings = Settings(_declared(), self._changed)
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: amps, one line cycle, automatic range."""
        self.settings.reset()
        self.function = "CURR"
        self._wired = self._wiring()
        self._watch()

    def _wiring(self) -> tuple[object, ...]:
        """Which terminals, and where they are sensed."""
        sensing = [self.settings.flag(f"{name} RSEN") for name in MEASURED]
        return self.settings.word("TERM"), *sensing

    # -- measuring

    def measure(self) -> Sample:
        """Wait for the source if it has just changed, integrate, and read."""
        self._source.settle()
        if self.function == "RES":
            self._set_test_current()
        terminals = self._source.terminals
        self._integrate()
        true = terminals.reading()
        sourced = terminals.function
        source = self._source_value(sourced, true)
        value = self._value(true)
        unit = self.settings.word(f"{self.function} UNIT")
        if self.function != "RES" and unit != _OWN_UNIT[self.function]:
            value = self._converted(unit, value, source)
        value -= self._offset()
        return Sample(
            value,
            _UNITS["CURR" if unit == "AMP" else unit],
            source,
            _UNITS[sourced],
            self._world.now_seconds,
            FRONT_TERMINALS * (self.settings.word("TERM") == "FRON"),
            self._source_status(true),
        )

    def _integrate(self) -> None:
        name = self.function
        sourced = self._source.terminals.function
        both = 1 + self._source.settings.flag(f"{sourced} READBACK")
        aperture = both * self.settings.number(f"{name} NPLC") / LINE_HERTZ
        aperture *= 3 if self.settings.flag(f"{name} AZER") else 1
        self._world.elapse(aperture * self._averaged())

    def _averaged(self) -> int:
        if not self.settings.flag(f"{self.function} AVER"):
            return 1
        return self.settings.whole(f"{self.function} AVER COUN")

    def _line_cycles(self) -> float:
        return self.settings.number(f"{self.function} NPLC") * self._averaged()

    def _value(self, true: Reading) -> float:
        terminals = self._source.terminals
        if self.function != "RES":
            return terminals.measured(self.function, true, self._line_cycles())
        volts = terminals.measured("VOLT", true, self._line_cycles())
        amps = terminals.measured("CURR", true, self._line_cycles())
        if true.limited or amps == 0.0 or abs(volts) >= OVERFLOW:
            return OVERFLOW
        return volts / amps

    def _source_value(self, sourced: str, true: Reading) -> float:
        terminals = self._source.terminals
        if not self._source.settings.flag(f"{sourced} READBACK"):
            return terminals.levels[sourced]
        return terminals.measured(sourced, true, self._line_cycles())

    def _converted(self, unit: str, value: float, source: float) -> float:
        """Ohms or watts from the value measured and the value sourced."""
        if OVERFLOW in (abs(value), abs(source)):
            return OVERFLOW
        if unit == "WATT":
            return value * source
        volts, amps = (value, source) if self.function == "VOLT" else (source, value)
        return OVERFLOW if amps == 0.0 else volts / amps

    def _offset(self) -> float:
        name = self.function
        if not self.settings.flag(f"{name} REL STAT"):
            return 0.0
        return self.settings.number(f"{name} REL")

    def _source_status(self, true: Reading) -> int:
        terminals = self._source.terminals
        bits = {
            PROTECTED: self._source.overprotected(),
            READ_BACK: self._source.settings.flag(f"{terminals.function} READBACK"),
            LIMITED: terminals.output_on and true.limited,
            FOUR_WIRE: self.settings.flag(f"{self.function} RSEN"),
            OUTPUT_ON: terminals.output_on,
        }
        return sum(bit for bit, value in bits.items() if value)

    def _set_test_current(self) -> None:
        """The current of the ohms range: of the fixed one, or chosen from the highest down."""
        index = len(OHMS_RANGES) - 1
        if self.settings.flag("RES RANG AUTO"):
            self._force_test_current(index)
            true = self._source.terminals.reading()
            open_ends = true.limited or true.amps == 0
            ohms = math.inf if open_ends else abs(true.volts / true.amps)
            index = next((i for i, r in enumerate(OHMS_RANGES) if ohms <= r.largest), index)
            self.settings.put("RES RANG", OHMS_RANGES[index].largest / 1.05)
        else:
            index = _ohms_index(self.settings.number("RES RANG"))
        self._force_test_current(index)

    def _force_test_current(self, index: int) -> None:
        self._source.terminals.set_level("CURR", OHMS_RANGES[index].test_amps)

    # -- programming

    def set_function(self, function: str) -> None:
        """Measure this; ohms need the current source."""
        self.function = function
        if function == "RES":
            self._source.set_function("CURR")
            self._source.terminals.set_source_auto("CURR", True)
        self._watch()

    def _watch(self) -> None:
        self._source.terminals.watched = {self.function}
        self._source.terminals.apply()

    def _changed(self, name: str) -> None:
        wiring = self._wiring()
        if wiring != self._wired:
            self._wired = wiring
            self._source.switch(False)  # as both changes do (manual, 6-36 and 6-58)
        if name == "RES RANG":
            self.settings.put("RES RANG AUTO", False)
            nominal = OHMS_RANGES[_ohms_index(self.settings.number(name))].largest / 1.05
            self.settings.put(name, nominal)

    def commands(self) -> Iterator[Command]:
        """What is measured, ranges, and the settings that go with them."""
        yield from self.settings.commands()
        sense = "[:SENSe[1]]"
        yield Command(
            f"{sense}:FUNCtion[:ON]",
            lambda p: self.set_function(_function_name(p.text())),
            lambda _: _NAMES[self.function],
        )
        yield Command(f"{sense}:AZERo:ONCE", lambda _: None, takes=(0, 0))
        for name, header in MEASURED.items():
            acquire = f"{sense}:{header}:RELative:ACQuire"
            yield Command(acquire, partial(self._acquire, name), takes=(0, 0))
        for name in FUNCTIONS:
            yield from self._range_commands(name)

    def _acquire(self, name: str, _: Parameters) -> None:
        """Measure, and keep the value as the relative offset."""
        if name != self.function:
            raise ScpiError(-221)
        self.settings.put(f"{name} REL STAT", False)
        self.settings.put(f"{name} REL", self.measure().reading)
        self.settings.put(f"{name} REL STAT", True)

    def _range_commands(self, name: str) -> Iterator[Command]:
        path = f"[:SENSe[1]]:{MEASURED[name]}:RANGe"
        terminals, ranges = self._source.terminals, self._source.model.sense[name]
        low, high = ranges[0].nominal, ranges[-1].nominal
        default = 20.0 if name == "VOLT" else 1e-4

        def asked(parameters: Parameters) -> str:
            if len(parameters):
                return exponent(parameters.number(low, high, default))
            if name == terminals.function == self.function:  # then the source's range is used
                return exponent(ranges[terminals.source_index[name]].nominal)
            return exponent(ranges[terminals.sense_index[name]].nominal)

        def write(parameters: Parameters) -> None:
            most = ranges[-1].largest
            terminals.set_sense_range(name, parameters.number(-most, most, default, UNITS[name]))

        def write_floor(parameters: Parameters) -> None:
            found = fitting(ranges, parameters.number(low, high, low, UNITS[name]))
            terminals.sense_floor[name] = found or 0

        yield Command(f"{path}[:UPPer]", write, asked, asks=(0, 1))
        yield Command(
            f"{path}:AUTO",
            lambda p: terminals.set_sense_auto(name, p.boolean()),
            lambda _: on_off(terminals.sense_auto[name]),
        )
        yield Command(
            f"{path}:AUTO:LLIMit",
            write_floor,
            lambda _: exponent(ranges[terminals.sense_floor[name]].nominal),
        )
        yield Command(f"{path}:AUTO:ULIMit", query=lambda _: exponent(high))


def _ohms_index(value: float) -> int:
    return next(i for i, r in enumerate(OHMS_RANGES) if value <= r.largest)


def _function_name(text: str) -> str:
    """``"CURR:DC"`` in any spelling, quoted, as a name."""
    head, _, tail = string(text).upper().removeprefix(":").partition(":")
    for name, word in (*FUNCTIONS.items(), ("RES", "RESistance")):
        if matches(head, word) and tail in ("", "DC") and not (name == "RES" and tail):
            return name
    raise ScpiError(-224)


def _declared() -> Iterator[Number | Flag | Choice]:
    sense = "[:SENSe[1]]"
    for name, header in MEASURED.items():
        path = f"{sense}:{header}"
        yield Number(f"{path}:NPLCycles", f"{name} NPLC", 1.0, 0.01, 10.0)
        yield Flag(f"{path}:AZERo[:STATe]", f"{name} AZER", True)
        yield Flag(f"{path}:RSENse", f"{name} RSEN", False)
        yield Flag(f"{path}:OCOMpensated", f"{name} OCOM", False)
        yield Flag(f"{path}:AVERage[:STATe]", f"{name} AVER", False)
        yield Number(f"{path}:AVERage:COUNt", f"{name} AVER COUN", 10.0, 1.0, 100.0, whole=True)
        kinds = ("REPeat", "MOVing")
        yield Choice(f"{path}:AVERage:TCONtrol", f"{name} AVER TCON", "REP", kinds)
        yield Number(f"{path}:RELative", f"{name} REL", 0.0, -1e9, 1e9)
        yield Flag(f"{path}:RELative:STATe", f"{name} REL STAT", False)
        own = _OWN_UNIT[name]
        units = ("OHM",) if name == "RES" else (own, "OHM", "WATT")
        yield Choice(f"{path}:UNIT", f"{name} UNIT", own, units)
        for place in range(1, 6):
            yield Number(f"{path}:DELay:USER{place}", f"{name} USER{place}", 0.0, 0.0, 1e4, "S")
    yield Number(f"{sense}:RESistance:RANGe[:UPPer]", "RES RANG", 2e5, 0.0, 2.1e8, "OHM")
    yield Flag(f"{sense}:RESistance:RANGe:AUTO", "RES RANG AUTO", True)
    yield Number(f"{sense}:RESistance:RANGe:AUTO:LLIMit", "R LLIM", 20.0, 2.0, OHMS_LIMIT)
    yield Number(f"{sense}:RESistance:RANGe:AUTO:ULIMit", "R ULIM", OHMS_LIMIT, 2.0, OHMS_LIMIT)
    yield Number(f"{sense}:COUNt", "COUNT", 1.0, 1.0, LARGEST_COUNT, whole=True)
    yield Choice(":ROUTe:TERMinals", "TERM", "FRON", ("FRONt", "REAR"))
