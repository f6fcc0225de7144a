"""What an emulated Keithley 2400 measures, and on which ranges; limits, too.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, section 18.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from drivers.emulated.accuracy import Range, fitting
from drivers.emulated.keithley2400_models import OHMS_RANGES, SmuModel
from drivers.emulated.keithley2400_supply import FUNCTIONS, UNITS, Supply
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.scpi.values import boolean, matches, string

__all__ = ["Senses"]

_ORDER = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
_DEFAULT_RANGE = {"VOLT": 21.0, "CURR": 1.05e-4}
_CLOSE = 1 + 1e-9


class Senses:
    """Functions, ranges, integration and limits, as a client programs them.

    Args:
        model: the ranges.
        supply: whose limits are programmed here, with the measuring commands.
    """

    def __init__(self, model: SmuModel, supply: Supply) -> None:
        self._supply = supply
        self.ranges: dict[str, tuple[Range, ...]] = {
            "VOLT": model.sense_volts,
            "CURR": model.sense_amps,
        }
        self.settings = Settings(_declared(), self._changed)
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: amps, one power line cycle, ranges automatic."""
        self.settings.reset()
        self.functions = {"CURR"}
        self.auto_zero = True
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

    @property
    def auto_ohms(self) -> bool:
        """Whether ohms are measured with a test current of the instrument's choice."""
        return "RES" in self.functions and self.settings.word("RES MODE") == "AUTO"

    # -- ranges

    def _follow_ranges(self) -> None:
        """Tell the supply where a fixed measuring range limits below the compliance."""
        for name, ranges in self.ranges.items():
            fixed = not self.auto_range[name] and name in self.functions
            largest = ranges[self.range_index[name]].largest
            self._supply.ceilings[name] = largest if fixed else float("inf")
        self._supply.apply()

    def _compliance_index(self, name: str) -> int:
        index = fitting(self.ranges[name], self._supply.limits[name])
        return len(self.ranges[name]) - 1 if index is None else index

    def _write_range(self, name: str, parameters: Parameters) -> None:
        ranges = self.ranges[name]
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
        ranges = self.ranges[name]
        if len(parameters):
            low, high = ranges[0].largest, ranges[-1].largest
            return exponent(parameters.number(low, high, _DEFAULT_RANGE[name]))
        return exponent(ranges[self.range_index[name]].largest)

    def _write_auto_range(self, name: str, parameters: Parameters) -> None:
        self.auto_range[name] = parameters.boolean()
        self._follow_ranges()

    def _write_limit(self, name: str, parameters: Parameters) -> None:
        ranges = self.ranges[name]
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
        ranges = self.ranges[name]
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

    def _set_functions(self, names: set[str], _: Parameters) -> None:
        if len(names) > 1 and not self.settings.flag("CONC"):
            raise ScpiError(-221)
        self.functions = set(names)
        self._follow_ranges()

    def _write_auto_zero(self, parameters: Parameters) -> None:
        text = parameters.text()
        self.auto_zero = text.upper() != "ONCE" and boolean(text)

    def _names(self, wanted: bool) -> str:
        names = [text for name, text in _ORDER.items() if (name in self.functions) is wanted]
        return ",".join(names) or '""'

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Functions, ranges, limits, and the settings that go with them."""
        yield from self.settings.commands()
        sense = "[:SENSe[1]]:FUNCtion"
        everything = set(_ORDER)
        yield Command(f"{sense}[:ON]", self._switch_on, lambda _: self._names(True), takes=(1, 3))
        yield Command(f"{sense}:OFF", self._switch_off, lambda _: self._names(False), takes=(1, 3))
        for path, names in (("ALL", everything), ("ON:ALL", everything), ("OFF:ALL", set[str]())):
            yield Command(f"{sense}:{path}", partial(self._set_functions, names), takes=(0, 0))
        yield Command(
            f"{sense}:STATe",
            query=lambda p: on_off(_function_name(p.text()) in self.functions),
            asks=(1, 1),
        )
        yield Command(f"{sense}[:ON]:COUNt", query=lambda _: str(len(self.functions)))
        yield Command(f"{sense}:OFF:COUNt", query=lambda _: str(3 - len(self.functions)))
        yield Command(":CONFigure", query=lambda _: self._names(True))
        yield Command(
            ":SYSTem:AZERo[:STATe]", self._write_auto_zero, lambda _: on_off(self.auto_zero)
        )
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
            query=lambda _: exponent(self.ranges[name][self._compliance_index(name)].largest),
        )
        yield Command(
            f"{path}:PROTection[:LEVel]",
            lambda p: self._write_limit(name, p),
            lambda p: self._limit(name, p),
            asks=(0, 1),
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
    aperture = " ".join(
        f"{sense}:{f}:NPLCycles" for f in ("CURRent[:DC]", "VOLTage[:DC]", "RESistance")
    )
    yield Flag(f"{sense}:FUNCtion:CONCurrent", "CONC", True)
    # One integration time for all functions: setting any of the three sets the others.
    yield Number(aperture, "NPLC", 1.0, 0.01, 10.0)
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
