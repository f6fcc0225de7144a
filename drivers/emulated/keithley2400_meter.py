"""The measuring side of an emulated Keithley 2400: functions, ranges, readings and their status.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, section 18.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from drivers.emulated.accuracy import Converter, fitting
from drivers.emulated.keithley2400_models import OHMS_RANGES
from drivers.emulated.keithley2400_senses import Senses
from drivers.emulated.keithley2400_supply import FUNCTIONS, Supply
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.settings import exponent, on_off
from drivers.emulated.world import Reading, World

__all__ = ["NOT_A_NUMBER", "OVERFLOW", "Meter", "Sample"]

NOT_A_NUMBER = 9.91e37
OVERFLOW = 9.9e37
LINE_HERTZ = 60.0
AUTO_DELAY_SECONDS = 1e-3


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
        senses: what is to be measured, and on which ranges.
        supply: the source it shares its terminals with.
        world: whose time passes while it integrates.
        random: for errors and noise; None: ideal.
    """

    def __init__(
        self, senses: Senses, supply: Supply, world: World, random: np.random.Generator | None
    ) -> None:
        self._senses = senses
        self._supply = supply
        self._world = world
        self._converters = {name: Converter(r, random) for name, r in senses.ranges.items()}
        self._epoch_seconds = world.now_seconds

    def reset_time(self) -> None:
        """Time stamps begin at 0 again."""
        self._epoch_seconds = self._world.now_seconds

    def _seconds(self) -> float:
        """The time stamp."""
        return self._world.now_seconds - self._epoch_seconds

    def measure(self, level: float, delay_seconds: float = 0.0) -> Sample:
        """Source a level, wait, and measure every function that is on.

        Args:
            level: of the present source function, in volts or amps.
            delay_seconds: of the trigger model, before the source's own delay.
        """
        if self._senses.auto_ohms:
            level = self._set_test_current()
            function = "CURR"
        else:
            function = self._supply.function
            self._supply.force(function, level)
        self._wait(delay_seconds)
        true = self._supply.reading()
        volts = self._element("VOLT", function, level, true.volts)
        amps = self._element("CURR", function, level, true.amps)
        ohms = self._ohms(true)
        over = OVERFLOW in (abs(volts), abs(amps), abs(ohms))
        sample = Sample(volts, amps, ohms, self._seconds(), self._status(function, true, over))
        if self._senses.auto_ohms:
            self._supply.apply()
        return sample

    def in_compliance(self, function: str, true: Reading | None = None) -> bool:
        """Whether the source is at its limit of ``function``, a range's limit not counted."""
        if function == self._supply.function or not self._supply.output_on:
            return False
        limited = (true or self._supply.reading()).limited
        return limited and not self._supply.range_limited(function)

    def _wait(self, delay_seconds: float) -> None:
        settings = self._senses.settings
        automatic = settings.flag("DELAY AUTO")
        delay_seconds += AUTO_DELAY_SECONDS if automatic else settings.number("DELAY")
        count = settings.whole("AVER COUN") if settings.flag("AVER") else 1
        aperture = len(self._senses.functions) * settings.number("NPLC") / LINE_HERTZ
        self._world.elapse(delay_seconds + aperture * (3 if self._senses.auto_zero else 1) * count)

    def _element(self, name: str, sourced: str, level: float, true: float) -> float:
        """A measured value, the programmed one, or +9.91E37 for neither."""
        if name not in self._senses.functions and not (self._senses.auto_ohms and name != sourced):
            return level if name == sourced else NOT_A_NUMBER
        return self._measured(name, sourced, true)

    def _measured(self, name: str, sourced: str, true: float) -> float:
        ranges = self._senses.ranges[name]
        if name == sourced:
            index = self._supply.range_for(name, true)
        elif self._senses.auto_range[name]:
            found = fitting(ranges, true)
            index = len(ranges) - 1 if found is None else found
            self._senses.range_index[name] = index
        else:
            index = self._senses.range_index[name]
        if abs(true) > ranges[index].largest * 1.0001:
            return OVERFLOW if true > 0 else -OVERFLOW
        cycles = self._senses.settings.number("NPLC")
        if self._senses.settings.flag("AVER"):
            cycles *= self._senses.settings.number("AVER COUN")
        return self._converters[name].measured(true, index, cycles)

    def _ohms(self, true: Reading) -> float:
        if "RES" not in self._senses.functions:
            return NOT_A_NUMBER
        cycles = self._senses.settings.number("NPLC")
        pair = []
        for name, value in (("VOLT", true.volts), ("CURR", true.amps)):
            index = fitting(self._senses.ranges[name], value)
            index = len(self._senses.ranges[name]) - 1 if index is None else index
            pair.append(self._converters[name].measured(value, index, cycles))
        if true.limited or pair[1] == 0.0:
            return OVERFLOW
        return pair[0] / pair[1]

    def _set_test_current(self) -> float:
        """Choose the range of automatic ohms from the highest down, and force its current."""
        index = len(OHMS_RANGES) - 1
        if not self._senses.settings.flag("RES RANG AUTO"):
            wanted = self._senses.settings.number("RES RANG")
            index = next((i for i, r in enumerate(OHMS_RANGES) if wanted <= r.largest), index)
            self._supply.force("CURR", OHMS_RANGES[index].test_amps)
            return OHMS_RANGES[index].test_amps
        self._supply.force("CURR", OHMS_RANGES[index].test_amps)
        true = self._supply.reading()
        ohms = float("inf") if true.limited or true.amps == 0 else abs(true.volts / true.amps)
        index = next((i for i, r in enumerate(OHMS_RANGES) if ohms <= r.largest), index)
        self._senses.settings.put("RES RANG", OHMS_RANGES[index].largest)
        self._supply.force("CURR", OHMS_RANGES[index].test_amps)
        return OHMS_RANGES[index].test_amps

    def _status(self, sourced: str, true: Reading, over: bool) -> int:
        """The status word of a reading (manual, FORMat:ELEMents)."""
        other = "CURR" if sourced == "VOLT" else "VOLT"
        by_range = true.limited and self._supply.range_limited(other)
        bits = {
            0: over,
            1: self._senses.settings.flag("AVER"),
            2: self._senses.settings.word("TERM") == "FRON",
            3: true.limited and not by_range,
            4: self._supply.ovp_tripped(),
            10: self._senses.auto_ohms,
            11: "VOLT" in self._senses.functions,
            12: "CURR" in self._senses.functions,
            13: "RES" in self._senses.functions,
            14: sourced == "VOLT",
            15: sourced == "CURR",
            16: by_range,
            17: self._senses.settings.flag("RES OCOM"),
            22: self._senses.settings.flag("RSEN"),
        }
        return sum(1 << bit for bit, value in bits.items() if value)

    def commands(self) -> Iterator[Command]:
        """Whether it is in compliance, and the time stamp."""
        yield Command(":SYSTem:TIME", query=lambda _: exponent(self._seconds()))
        yield Command(":SYSTem:TIME:RESet", lambda _: self.reset_time(), takes=(0, 0))
        for name, word in FUNCTIONS.items():
            yield Command(
                f"[:SENSe[1]]:{word}[:DC]:PROTection:TRIPped",
                query=partial(self._tripped, name),
            )

    def _tripped(self, name: str, _: Parameters) -> str:
        return on_off(self.in_compliance(name))
