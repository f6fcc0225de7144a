"""The measuring side of an emulated Keithley 2400: functions, ranges, readings and their status.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, section 18.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.keithley2400_models import OHMS_RANGES, SmuModel
from drivers.emulated.keithley2400_supply import FUNCTIONS, UNITS, Supply
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.scpi.values import matches, string
from drivers.emulated.world import Reading, World

__all__ = ["NOT_A_NUMBER", "OVERFLOW", "Meter", "Sample"]

NOT_A_NUMBER = 9.91e37
OVERFLOW = 9.9e37
LINE_HERTZ = 60.0
AUTO_DELAY_SECONDS = 1e-3
_ORDER = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
_DEFAULT_RANGE = {"VOLT": 21.0, "CURR": 1.05e-4}
_CLOSE = 1 + 1e-9


class Sample(NamedTuple):
    """One reading, every element of ``FORMat:ELEMents``."""

    volts: float
    amps: float
    ohms: float
    seconds: float
    status: int


class Meter:
    """Measures at the terminals of a supply.

    Args:
        model: ranges and figures.
        supply: the source it shares its terminals with.
        world: whose time passes while it integrates.
        random: for errors and noise; None: ideal.
    """

    def __init__(
        self, model: SmuModel, supply: Supply, world: World, random: np.random.Generator | None
    ) -> None:
        self._supply = supply
        self._world = world
        self._ranges: dict[str, tuple[Range, ...]] = {
            "VOLT": model.sense_volts,
            "CURR": model.sense_amps,
        }
        self._converters = {name: Converter(r, random) for name, r in self._ranges.items()}
        self.settings = Settings(_declared(), self._changed)
        self._epoch_seconds = world.now_seconds
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: amps, one power line cycle, ranges automatic."""
        self.settings.reset()
        self.functions = {"CURR"}
        self.auto_range = dict.fromkeys(FUNCTIONS, True)
        self.range_index = {"VOLT": 2, "CURR": 2}
        self._follow_ranges()

    def reset_function(self, function: str) -> None:
        """``CONFigure``: this function alone, its controls as after a reset."""
        self.functions = {function}
        self.settings.put("NPLC", 1.0)
        if function == "RES":
            self.settings.put("RES MODE", "AUTO")
            self.settings.put("RES RANG AUTO", True)
        else:
            self.auto_range[function] = True
            self.range_index[function] = 2
        self._follow_ranges()

    def reset_time(self) -> None:
        """Time stamps begin at 0 again."""
        self._epoch_seconds = self._world.now_seconds

    # -- measuring

    @property
    def auto_ohms(self) -> bool:
        """Whether ohms are measured with a test current of the instrument's choice."""
        return "RES" in self.functions and self.settings.word("RES MODE") == "AUTO"

    def measure(self, level: float) -> Sample:
        """Source a level, wait, and measure every function that is on.

        Args:
            level: of the present source function, in volts or amps.
        """
        if self.auto_ohms:
            level = self._set_test_current()
            function = "CURR"
        else:
            function = self._supply.function
            self._supply.force(function, level)
        self._wait()
        true = self._supply.reading()
        volts = self._element("VOLT", function, level, true.volts)
        amps = self._element("CURR", function, level, true.amps)
        ohms = self._ohms(true)
        over = OVERFLOW in (abs(volts), abs(amps), abs(ohms))
        seconds = self._world.now_seconds - self._epoch_seconds
        sample = Sample(volts, amps, ohms, seconds, self._status(function, true, over))
        if self.auto_ohms:
            self._supply.apply()
        return sample

    def in_compliance(self, function: str, true: Reading | None = None) -> bool:
        """Whether the source is at its limit of ``function``, a range's limit not counted."""
        if function == self._supply.function or not self._supply.output_on:
            return False
        limited = (true or self._supply.reading()).limited
        return limited and not self._supply.range_limited(function)

    def _wait(self) -> None:
        settings = self.settings
        automatic = settings.flag("DELAY AUTO")
        delay = AUTO_DELAY_SECONDS if automatic else settings.number("DELAY")
        count = settings.whole("AVER COUN") if settings.flag("AVER") else 1
        aperture = len(self.functions) * settings.number("NPLC") / LINE_HERTZ
        self._world.elapse(delay + aperture * (3 if settings.word("AZER") == "ON" else 1) * count)

    def _element(self, name: str, sourced: str, level: float, true: float) -> float:
        """A measured value, the programmed one, or +9.91E37 for neither."""
        if name not in self.functions and not (self.auto_ohms and name != sourced):
            return level if name == sourced else NOT_A_NUMBER
        return self._measured(name, sourced, true)

    def _measured(self, name: str, sourced: str, true: float) -> float:
        ranges = self._ranges[name]
        if name == sourced:
            index = self._supply.range_for(name, true)
        elif self.auto_range[name]:
            found = fitting(ranges, true)
            index = len(ranges) - 1 if found is None else found
            self.range_index[name] = index
        else:
            index = self.range_index[name]
        if abs(true) > ranges[index].largest * 1.0001:
            return OVERFLOW if true > 0 else -OVERFLOW
        cycles = self.settings.number("NPLC")
        if self.settings.flag("AVER"):
            cycles *= self.settings.number("AVER COUN")
        return self._converters[name].measured(true, index, cycles)

    def _ohms(self, true: Reading) -> float:
        if "RES" not in self.functions:
            return NOT_A_NUMBER
        cycles = self.settings.number("NPLC")
        pair = []
        for name, value in (("VOLT", true.volts), ("CURR", true.amps)):
            index = fitting(self._ranges[name], value)
            index = len(self._ranges[name]) - 1 if index is None else index
            pair.append(self._converters[name].measured(value, index, cycles))
        if true.limited or pair[1] == 0.0:
            return OVERFLOW
        return pair[0] / pair[1]

    def _set_test_current(self) -> float:
        """Choose the range of automatic ohms from the highest down, and force its current."""
        index = len(OHMS_RANGES) - 1
        if not self.settings.flag("RES RANG AUTO"):
            wanted = self.settings.number("RES RANG")
            index = next((i for i, r in enumerate(OHMS_RANGES) if wanted <= r.largest), index)
            self._supply.force("CURR", OHMS_RANGES[index].test_amps)
            return OHMS_RANGES[index].test_amps
        self._supply.force("CURR", OHMS_RANGES[index].test_amps)
        true = self._supply.reading()
        ohms = float("inf") if true.limited or true.amps == 0 else abs(true.volts / true.amps)
        index = next((i for i, r in enumerate(OHMS_RANGES) if ohms <= r.largest), index)
        self.settings.put("RES RANG", OHMS_RANGES[index].largest)
        self._supply.force("CURR", OHMS_RANGES[index].test_amps)
        return OHMS_RANGES[index].test_amps

    def _status(self, sourced: str, true: Reading, over: bool) -> int:
        """The status word of a reading (manual, FORMat:ELEMents)."""
        other = "CURR" if sourced == "VOLT" else "VOLT"
        by_range = true.limited and self._supply.range_limited(other)
        bits = {
            0: over,
            1: self.settings.flag("AVER"),
            2: self.settings.word("TERM") == "FRON",
            3: true.limited and not by_range,
            4: self._supply.ovp_tripped(),
            10: self.auto_ohms,
            11: "VOLT" in self.functions,
            12: "CURR" in self.functions,
            13: "RES" in self.functions,
            14: sourced == "VOLT",
            15: sourced == "CURR",
            16: by_range,
            17: self.settings.flag("RES OCOM"),
            22: self.settings.flag("RSEN"),
        }
        return sum(1 << bit for bit, value in bits.items() if value)

    # -- ranges

    def _follow_ranges(self) -> None:
        """Tell the supply where a fixed measuring range limits below the compliance."""
        for name, ranges in self._ranges.items():
            fixed = not self.auto_range[name] and name in self.functions
            largest = ranges[self.range_index[name]].largest
            self._supply.ceilings[name] = largest if fixed else float("inf")
        self._supply.apply()

    def _compliance_index(self, name: str) -> int:
        index = fitting(self._ranges[name], self._supply.limits[name])
        return len(self._ranges[name]) - 1 if index is None else index

    def _write_range(self, name: str, parameters: Parameters) -> None:
        ranges = self._ranges[name]
        text = parameters.text()
        index: int | None
        if text.upper() in ("UP", "DOWN"):
            step = 1 if text.upper() == "UP" else -1
            index = max(0, min(len(ranges) - 1, self.range_index[name] + step))
        else:
            highest = ranges[-1].largest
            value = Parameters((text,)).number(-highest, highest, _DEFAULT_RANGE[name], UNITS[name])
            index = fitting(ranges, value)
        if index is None:
            raise ScpiError(-222)
        if name != self._supply.function and index > self._compliance_index(name):
            raise ScpiError(824, "Cannot exceed compliance range")
        self.range_index[name] = index
        self.auto_range[name] = False
        self._follow_ranges()

    def _range(self, name: str, parameters: Parameters) -> str:
        ranges = self._ranges[name]
        if len(parameters):
            low, high = ranges[0].largest, ranges[-1].largest
            return exponent(parameters.number(low, high, _DEFAULT_RANGE[name]))
        return exponent(ranges[self.range_index[name]].largest)

    def _write_auto_range(self, name: str, parameters: Parameters) -> None:
        self.auto_range[name] = parameters.boolean()
        self._follow_ranges()

    def _write_limit(self, name: str, parameters: Parameters) -> None:
        ranges = self._ranges[name]
        highest = ranges[-1].largest
        default = 21.0 if name == "VOLT" else 1.05e-4
        limit = abs(parameters.number(-highest, highest, default, UNITS[name]))
        lowest = 1e-3 * ranges[0].nominal
        if limit < lowest / _CLOSE:
            raise ScpiError(-222)
        fixed = not self.auto_range[name] and name != self._supply.function
        if fixed and limit < 1e-3 * ranges[self.range_index[name]].nominal / _CLOSE:
            raise ScpiError(822, "Too small for sense range")
        self._supply.set_limit(name, limit)
        if fixed:
            self.range_index[name] = min(self.range_index[name], self._compliance_index(name))
            self._follow_ranges()

    def _limit(self, name: str, parameters: Parameters) -> str:
        ranges = self._ranges[name]
        low, high = 1e-3 * ranges[0].nominal, ranges[-1].largest
        default = 21.0 if name == "VOLT" else 1.05e-4
        limits = self._supply.limits
        return exponent(parameters.number(low, high, default) if len(parameters) else limits[name])

    # -- functions

    def _changed(self, name: str) -> None:
        if name == "DELAY":
            self.settings.put("DELAY AUTO", False)
        if name == "RES RANG":
            self.settings.put("RES RANG AUTO", False)
            self._snap_ohms_range()
        self._supply.apply()

    def _snap_ohms_range(self) -> None:
        wanted = self.settings.number("RES RANG")
        self.settings.put("RES RANG", next(r.largest for r in OHMS_RANGES if wanted <= r.largest))

    def _switch_on(self, parameters: Parameters) -> None:
        names = [_function_name(text) for text in parameters.rest()]
        if not self.settings.flag("CONC"):
            if len(names) > 1:
                raise ScpiError(-221)
            self.functions.clear()
        self.functions.update(names)
        self._follow_ranges()

    def _switch_off(self, parameters: Parameters) -> None:
        self.functions.difference_update([_function_name(text) for text in parameters.rest()])
        self._follow_ranges()

    def _set_functions(self, names: set[str]) -> None:
        if len(names) > 1 and not self.settings.flag("CONC"):
            raise ScpiError(-221)
        self.functions = names
        self._follow_ranges()

    def _names(self, wanted: bool) -> str:
        names = [text for name, text in _ORDER.items() if (name in self.functions) is wanted]
        return ",".join(names) or '""'

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Measuring commands and the settings that go with them."""
        yield from self.settings.commands()
        sense = "[:SENSe[1]]:FUNCtion"
        everything = set(_ORDER)
        yield Command(f"{sense}[:ON]", self._switch_on, lambda _: self._names(True), takes=(1, 3))
        yield Command(f"{sense}:OFF", self._switch_off, lambda _: self._names(False), takes=(1, 3))
        for path, names in (("ALL", everything), ("ON:ALL", everything), ("OFF:ALL", set[str]())):
            yield Command(
                f"{sense}:{path}", lambda _, n=names: self._set_functions(set(n)), takes=(0, 0)
            )
        yield Command(
            f"{sense}:STATe",
            query=lambda p: on_off(_function_name(p.text()) in self.functions),
            asks=(1, 1),
        )
        yield Command(f"{sense}[:ON]:COUNt", query=lambda _: str(len(self.functions)))
        yield Command(f"{sense}:OFF:COUNt", query=lambda _: str(3 - len(self.functions)))
        yield Command(":CONFigure", query=lambda _: self._names(True))
        yield Command(":SYSTem:TIME:RESet", lambda _: self.reset_time(), takes=(0, 0))
        for name in FUNCTIONS:
            yield from self._range_commands(name)

    def _range_commands(self, name: str) -> Iterator[Command]:
        path = f"[:SENSe[1]]:{FUNCTIONS[name]}[:DC]"
        yield Command(
            f"{path}:RANGe[:UPPer]",
            lambda p: self._write_range(name, p),
            lambda p: self._range(name, p),
            asks=(0, 1),
        )
        yield Command(
            f"{path}:RANGe:AUTO",
            lambda p: self._write_auto_range(name, p),
            lambda _: on_off(self.auto_range[name]),
        )
        yield Command(
            f"{path}:RANGe:AUTO:ULIMit",
            query=lambda _: exponent(self._ranges[name][self._compliance_index(name)].largest),
        )
        yield Command(
            f"{path}:PROTection[:LEVel]",
            lambda p: self._write_limit(name, p),
            lambda p: self._limit(name, p),
            asks=(0, 1),
        )
        yield Command(
            f"{path}:PROTection:TRIPped", query=lambda _: on_off(self.in_compliance(name))
        )


def _function_name(text: str) -> str:
    """``"CURR:DC"`` in any spelling, quoted, as a name."""
    content = string(text).upper().removeprefix(":")
    head, _, tail = content.partition(":")
    for name, word in (*FUNCTIONS.items(), ("RES", "RESistance")):
        if matches(head, word) and tail in ("", "DC") and not (name == "RES" and tail):
            return name
    raise ScpiError(-224)


def _declared() -> Iterator[Number | Flag | Choice]:
    sense = "[:SENSe[1]]"
    nplc = "|".join(("CURRent", "VOLTage"))
    yield Flag(f"{sense}:FUNCtion:CONCurrent", "CONC", True)
    # One integration time for all functions: setting any of the three sets the others.
    yield Number(f"{sense}:{nplc}[:DC]:NPLCycles", "NPLC", 1.0, 0.01, 10.0)
    yield Number(f"{sense}:CURRent[:DC]:RANGe:AUTO:LLIMit", "I LLIM", 1.05e-6, -1.05e-4, 1.05e-4)
    yield Number(f"{sense}:VOLTage[:DC]:RANGe:AUTO:LLIMit", "V LLIM", 0.21, -21.0, 21.0)
    yield Flag(f"{sense}:CURRent[:DC]:PROTection:RSYNchronize", "I RSYN", False)
    yield Flag(f"{sense}:VOLTage[:DC]:PROTection:RSYNchronize", "V RSYN", False)
    yield Choice(f"{sense}:RESistance:MODE", "RES MODE", "AUTO", ("MANual", "AUTO"))
    yield Flag(f"{sense}:RESistance:OCOMpensated", "RES OCOM", False)
    yield Number(f"{sense}:RESistance:RANGe[:UPPer]", "RES RANG", 2.1e5, 0.0, 2.1e8, "OHM")
    yield Flag(f"{sense}:RESistance:RANGe:AUTO", "RES RANG AUTO", True)
    yield Number(f"{sense}:RESistance:RANGe:AUTO:LLIMit", "R LLIM", 21.0, 0.0, 2.1e8)
    yield Number(f"{sense}:RESistance:RANGe:AUTO:ULIMit", "R ULIM", 2.1e8, 0.0, 2.1e8)
    yield Flag(f"{sense}:AVERage[:STATe]", "AVER", False)
    yield Choice(f"{sense}:AVERage:TCONtrol", "AVER TCON", "REP", ("REPeat", "MOVing"))
    yield Number(f"{sense}:AVERage:COUNt", "AVER COUN", 10.0, 1.0, 100.0, whole=True)
    yield Number("[:SOURce[1]]:DELay", "DELAY", 0.0, 0.0, 999.9999, "S")
    yield Flag("[:SOURce[1]]:DELay:AUTO", "DELAY AUTO", True)
    yield Flag(":SYSTem:RSENse", "RSEN", False)
    yield Choice(":SYSTem:GUARd", "GUAR", "CABL", ("OHMS", "CABLe"))
    yield Choice(":ROUTe:TERMinals", "TERM", "FRON", ("FRONt", "REAR"))
