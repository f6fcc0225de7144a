"""What a source-measure unit puts on its terminals, whatever language programs it.

Shared by the emulated Keithley 2450 and Keysight B2900. Errors are of SCPI's kind, as in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.world import Channel, CurrentForce, Reading, Stance, VoltageForce, World

__all__ = [
    "FUNCTIONS",
    "NOT_A_NUMBER",
    "OVERFLOW",
    "UNITS",
    "SourceMeasureModel",
    "Terminals",
    "other",
    "scaled",
]

FUNCTIONS = {"VOLT": "VOLTage", "CURR": "CURRent"}
UNITS = {"VOLT": "V", "CURR": "A"}
OVERFLOW = 9.9e37
NOT_A_NUMBER = 9.91e37
CLOSE = 1 + 1e-9  # numbers arrive as decimal text


def other(function: str) -> str:
    """The quantity that is limited while ``function`` is sourced."""
    return "CURR" if function == "VOLT" else "VOLT"


def scaled(
    nominal: float, percent: float, offset: float, noise: float, over: float = 1.05
) -> Range:
    """A range from a data sheet's row; ``noise`` is a standard deviation at one line cycle."""
    return Range(nominal, over * nominal, percent / 100, offset, noise)


@dataclass(frozen=True, slots=True)
class SourceMeasureModel:
    """What differs between models.

    Attributes:
        name: as ``*IDN?`` says it.
        source, sense: ranges by function; both have the same nominal values.
        envelope: (volts, amps) pairs in order of volts: up to so many volts, so many amps.
    """

    name: str
    source: Mapping[str, tuple[Range, ...]]
    sense: Mapping[str, tuple[Range, ...]]
    envelope: tuple[tuple[float, float], ...]

    def largest(self, function: str) -> float:
        """The largest level."""
        return self.source[function][-1].largest

    def amps_at(self, volts: float) -> float:
        """The most current it sources at a voltage."""
        return next((amps for most, amps in self.envelope if abs(volts) <= most * CLOSE), 0.0)

    def volts_at(self, amps: float) -> float:
        """The most voltage it reaches at a current."""
        fitting_volts = [volts for volts, most in self.envelope if abs(amps) <= most * CLOSE]
        return max(fitting_volts, default=0.0)


class Terminals:
    """The programmed source and its limits, and the stance of the channel that follows from them.

    Args:
        model: ranges and power.
        channel: where the terminals are.
        world: what they are wired to.
        random: for the errors and the noise of the data sheet; None: ideal.
        off: the stance while the output is off.

    Attributes:
        watched: functions being measured; a fixed range of the limited one limits, too.
        ceiling_volts: no more than this, whatever is programmed: a protection, an open interlock.
    """

    def __init__(
        self,
        model: SourceMeasureModel,
        channel: Channel,
        world: World,
        random: np.random.Generator | None,
        off: Callable[[Terminals], Stance],
    ) -> None:
        self.model = model
        self.channel = channel
        self.world = world
        self._off = off
        self._sources = {name: Converter(model.source[name], random) for name in FUNCTIONS}
        self._meters = {name: Converter(model.sense[name], random) for name in FUNCTIONS}
        self.limits: dict[str, float] = {}
        self.output_on = False
        self.reset({"VOLT": 0.0, "CURR": 0.0}, {"VOLT": 0, "CURR": 0})

    def reset(self, limits: Mapping[str, float], sense_index: Mapping[str, int]) -> None:
        """0 V, output off, all ranges automatic.

        Args:
            limits: of both functions.
            sense_index: ranges the meter is on until it chooses others.
        """
        self.output_on = False
        self.function = "VOLT"
        self.levels = dict.fromkeys(FUNCTIONS, 0.0)
        self.limits = dict(limits)
        self.source_index = dict.fromkeys(FUNCTIONS, 0)
        self.source_auto = dict.fromkeys(FUNCTIONS, True)
        self.sense_index = dict(sense_index)
        self.sense_auto = dict.fromkeys(FUNCTIONS, True)
        self.sense_floor = dict.fromkeys(FUNCTIONS, 0)
        self.watched: set[str] = {"CURR"}
        self.ceiling_volts = math.inf

    # -- the stance

    def apply(self) -> None:
        """Put what is programmed on the terminals."""
        if self.output_on:
            self.channel.stance = self._stance(self.levels[self.function])
        else:
            self.channel.stance = self._off(self)

    def force(self, level: float) -> None:
        """Source another level than the programmed one; nothing while the output is off."""
        if self.output_on:
            self.channel.stance = self._stance(level)

    def limit(self, function: str) -> float:
        """The limit in effect: the programmed one, a fixed measuring range, the ceiling."""
        limit = min(self.limits[function], self._range_limit(function))
        return min(limit, self.ceiling_volts) if function == "VOLT" else limit

    def range_limited(self, function: str) -> bool:
        """Whether a fixed measuring range limits before the programmed limit does."""
        return self._range_limit(function) < self.limits[function]

    def _range_limit(self, function: str) -> float:
        if self.sense_auto[function] or function not in self.watched:
            return math.inf
        return self.model.sense[function][self.sense_index[function]].largest

    def _stance(self, level: float) -> VoltageForce | CurrentForce:
        function = self.function
        index = self.source_range(function, level)
        largest = self.model.source[function][index].largest
        actual = self._sources[function].sourced(_clipped(level, largest), index)
        limit = self.limit(other(function))
        if function == "CURR":
            return CurrentForce(actual, min(limit, self.model.volts_at(level)))
        return VoltageForce(
            _clipped(actual, self.ceiling_volts), min(limit, self.model.amps_at(level))
        )

    # -- what is there

    def reading(self) -> Reading:
        """What is true at the terminals now."""
        return self.world.reading(self.channel)

    def tripped(self, function: str, true: Reading | None = None) -> bool:
        """Whether the source is held by the programmed limit of ``function``."""
        if not self.output_on or function == self.function:
            return False
        return (true or self.reading()).limited and not self.range_limited(function)

    def measured(self, function: str, true: Reading, line_cycles: float) -> float:
        """What the meter says of volts or amps; ``OVERFLOW`` beyond a fixed range."""
        value = true.volts if function == "VOLT" else true.amps
        ranges = self.model.sense[function]
        held = true.limited and function != self.function and self.range_limited(function)
        if self.output_on and function == self.function:
            index = self.source_range(function, value)
        elif self.sense_auto[function]:
            found = fitting(ranges, value)
            index = len(ranges) - 1 if found is None else max(found, self.sense_floor[function])
            self.sense_index[function] = index
        else:
            index = self.sense_index[function]
        if held or abs(value) > ranges[index].largest * 1.001:
            return math.copysign(OVERFLOW, value)
        return self._meters[function].measured(value, index, line_cycles)

    def source_range(self, function: str, level: float) -> int:
        """Index of the range a level is sourced on."""
        if not self.source_auto[function]:
            return self.source_index[function]
        index = fitting(self.model.source[function], level)
        return len(self.model.source[function]) - 1 if index is None else index

    # -- programming

    def switch(self, on: bool) -> None:
        """Output on or off."""
        self.output_on = on
        self.apply()

    def set_function(self, function: str) -> None:
        """Source the other quantity, which switches the output off."""
        if function != self.function:
            self.output_on = False
            self.function = function
        self.apply()

    def set_level(self, function: str, level: float) -> None:
        """Program a level; -222 beyond a fixed range."""
        if not self.source_auto[function]:
            ranges = self.model.source[function]
            if abs(level) > ranges[self.source_index[function]].largest * CLOSE:
                raise ScpiError(-222)
        self.levels[function] = level
        self.source_index[function] = self.source_range(function, level)
        self.apply()

    def set_source_range(self, function: str, value: float) -> None:
        """The lowest range that reaches a value; -222 if none does, or not the level."""
        index = fitting(self.model.source[function], value)
        if index is None:
            raise ScpiError(-222)
        if abs(self.levels[function]) > self.model.source[function][index].largest * CLOSE:
            raise ScpiError(-222)
        self.source_index[function] = index
        self.source_auto[function] = False
        self.apply()

    def set_source_auto(self, function: str, automatic: bool) -> None:
        """Let the level choose the range."""
        self.source_auto[function] = automatic
        self.source_index[function] = self.source_range(function, self.levels[function])
        self.apply()

    def set_sense_range(self, function: str, value: float) -> None:
        """A fixed measuring range; -222 if none reaches the value."""
        index = fitting(self.model.sense[function], value)
        if index is None:
            raise ScpiError(-222)
        self.sense_index[function] = index
        self.sense_auto[function] = False
        self.apply()

    def set_sense_auto(self, function: str, automatic: bool) -> None:
        """Let the reading choose the measuring range."""
        self.sense_auto[function] = automatic
        self.apply()

    def powerful_enough(self, function: str, level: float, limit: float) -> bool:
        """Whether the model has the power for a level together with the limit of the other."""
        volts, amps = (level, limit) if function == "VOLT" else (limit, level)
        return abs(amps) <= self.model.amps_at(volts) * CLOSE


def _clipped(value: float, largest: float) -> float:
    return math.copysign(min(abs(value), largest), value)
