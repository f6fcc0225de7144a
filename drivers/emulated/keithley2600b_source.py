"""The source of one channel of an emulated Keithley 2600B: levels, ranges, limits, output.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, smuX.source.* and "Output-off
states".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.keithley2600b_models import Smu2600Model
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number
from drivers.emulated.world import Channel, CurrentForce, Open, Reading, VoltageForce, World

__all__ = ["Source"]

AMPS, VOLTS = "i", "v"
_OFF_NORMAL, _OFF_ZERO, _OFF_HIGH_Z = 0.0, 1.0, 2.0
_ON, _RELAY_OPEN = 1.0, 2.0
_CLOSE = 1 + 1e-9
_BLOCKED = 802
_UNSAFE = 5007
_TOO_BIG_FOR_RANGE = 5005


class Source:
    """Holds what was programmed and keeps the channel's stance in step with it.

    Args:
        model: ranges and limits.
        channel: where the terminals are.
        world: what they are wired to.
        random: for source errors; None: ideal.

    Attributes:
        table: ``smuX.source``.
        ceilings: limits of the meter's fixed ranges, by function.
        interlock_closed: whether the interlock line is asserted.
    """

    def __init__(
        self,
        model: Smu2600Model,
        channel: Channel,
        world: World,
        random: np.random.Generator | None,
    ) -> None:
        self._model = model
        self._channel = channel
        self._world = world
        self._ranges: dict[str, tuple[Range, ...]] = {
            VOLTS: model.source_volts,
            AMPS: model.source_amps,
        }
        self._converters = {name: Converter(r, random) for name, r in self._ranges.items()}
        self.interlock_closed = True
        self.ceilings = {VOLTS: math.inf, AMPS: math.inf}
        self._forced: float | None = None
        self._forced_limit: float | None = None
        self._range_index = {VOLTS: 0, AMPS: 0}
        self.table = TspTable()
        self._declare()
        self.table.on_change = self._changed
        self.apply()

    # -- for the rest of the instrument

    @property
    def function(self) -> str:
        """What is sourced: ``v`` or ``i``."""
        return VOLTS if self.table["func"] else AMPS

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return bool(self.table["output"] == _ON)

    @property
    def level(self) -> float:
        """What is being sourced: the programmed level or a sweep's step."""
        return self.table[f"level{self.function}"] if self._forced is None else self._forced

    def range_of(self, function: str) -> Range:
        """The range a function is sourced on, or would be."""
        return self._ranges[function][self._index(function)]

    def force(self, level: float | None, limit: float | None = None) -> None:
        """Source a sweep's step; None: the programmed level again.

        Args:
            level: of the present source function, in volts or amps.
            limit: in place of the programmed one.

        Raises:
            TspError: 5005 or 5007: the range or the power does not allow it.
        """
        before = self._forced, self._forced_limit
        self._forced, self._forced_limit = level, limit
        try:
            self._check()
        except TspError:
            self._forced, self._forced_limit = before
            raise
        self.apply()

    def reading(self) -> Reading:
        """What is at the terminals now."""
        return self._world.reading(self._channel)

    def limited(self) -> bool:
        """Whether the source is at its limit, or at that of a fixed measuring range."""
        return self.output_on and self.reading().limited

    def compliant(self) -> str | None:
        """The function whose programmed limit holds the source, if one does."""
        other = AMPS if self.function == VOLTS else VOLTS
        return other if self.limited() else None

    def reset(self) -> None:
        """``smuX.reset()``: 0 V, output off."""
        self.table.reset()
        self._forced = self._forced_limit = None
        self._range_index = {VOLTS: 0, AMPS: 0}
        self.apply()

    def set_interlock(self, closed: bool) -> None:
        """The interlock line; opening it ends output on the highest range."""
        self.interlock_closed = closed
        if self.output_on and self._blocked():
            self.table["output"] = 0.0
        self.apply()

    def apply(self) -> None:
        """Set the stance that the programmed values and the output switch ask for."""
        self._channel.stance = self._on() if self.output_on else self._off()

    # -- stances

    def _on(self) -> VoltageForce | CurrentForce:
        function = self.function
        actual = self._converters[function].sourced(self.level, self._index(function))
        if function == VOLTS:
            return VoltageForce(actual, min(self._limit(AMPS), self.ceilings[AMPS]))
        return CurrentForce(actual, min(self._limit(VOLTS), self.ceilings[VOLTS]))

    def _limit(self, function: str) -> float:
        forced = self._forced_limit
        return self.table[f"limit{function}"] if forced is None else forced

    def _off(self) -> Open | VoltageForce | CurrentForce:
        mode = self.table["offmode"]
        if mode == _OFF_HIGH_Z or self.table["output"] == _RELAY_OPEN:
            return Open()
        if mode == _OFF_ZERO:
            return VoltageForce(0.0, self.table["limiti"])
        if self.table["offfunc"]:
            return VoltageForce(0.0, self.table["offlimiti"])
        return CurrentForce(0.0, self.table["offlimitv"])

    # -- ranges and permissions

    def _index(self, function: str) -> int:
        if not self.table[f"autorange{function}"]:
            return self._range_index[function]
        level = self.level if function == self.function else self.table[f"level{function}"]
        found = fitting(self._ranges[function], max(abs(level), self._lowest(function)))
        return len(self._ranges[function]) - 1 if found is None else found

    def _lowest(self, function: str) -> float:
        return float(self.table[f"lowrange{function}"])

    def _check(self) -> None:
        """Whether range, power and interlock allow what is programmed."""
        function = self.function
        used = self.range_of(function)
        if abs(self.level) > used.largest * _CLOSE:
            raise TspError(_TOO_BIG_FOR_RANGE)
        if function == VOLTS:
            volts, amps = used.nominal, self._limit(AMPS)
        else:
            volts, amps = self._limit(VOLTS), abs(self.level)
        if volts > self._model.strong_volts * 1.01 and amps > self._model.weak_amps * _CLOSE:
            raise TspError(_UNSAFE)

    def _blocked(self) -> bool:
        """Whether the interlock forbids the output."""
        if self.interlock_closed or not self._model.interlocked:
            return False
        if self.function == VOLTS:
            volts = self.range_of(VOLTS).nominal
        else:
            volts = self.table["limitv"]
        return bool(volts > self._model.strong_volts * 1.01)

    def _changed(self, name: str) -> None:
        if name.startswith("autorange"):
            self._keep_range(name[-1])
        if name[:5] in ("level", "limit") or name in ("func", "output"):
            self._forced = self._forced_limit = None
            self._check()
        if self.output_on and self._blocked():
            if name != "output":
                self.table["output"] = 0.0
                self.apply()
            raise TspError(_BLOCKED)
        self.apply()

    def _keep_range(self, function: str) -> None:
        """Automatic ranging was switched: the range found last is the fixed one."""
        level = max(abs(self.table[f"level{function}"]), self._lowest(function))
        found = fitting(self._ranges[function], level)
        self._range_index[function] = 0 if found is None else found

    def _write_range(self, function: str, value: Any) -> None:
        ranges = self._ranges[function]
        index = fitting(ranges, number(value))
        if index is None:
            raise TspError(1101)
        before = self._range_index[function], self.table[f"autorange{function}"]
        self._range_index[function] = index
        self.table[f"autorange{function}"] = 0.0
        try:
            self._changed(f"level{function}")
        except TspError:
            self._range_index[function], self.table[f"autorange{function}"] = before
            self.apply()
            raise

    # -- what scripts see

    def _declare(self) -> None:
        table, model = self.table, self._model
        table.choice("func", 1.0, (0.0, 1.0))
        table.choice("output", 0.0, (0.0, 1.0, 2.0))
        for name in (VOLTS, AMPS):
            ranges = self._ranges[name]
            highest = ranges[-1].largest
            table.number(f"level{name}", 0.0, -highest, highest)
            table.choice(f"autorange{name}", 1.0, (0.0, 1.0))
            table.number(f"lowrange{name}", ranges[0].nominal, 0.0, highest)
            self._declare_range(name)
        highest_volts, highest_amps = model.source_volts[-1], model.source_amps[-1]
        smallest_volts, smallest_amps = model.smallest_limit_volts, model.smallest_limit_amps
        table.number("limitv", model.limit_volts, smallest_volts, highest_volts.largest)
        table.number("limiti", model.limit_amps, smallest_amps, highest_amps.largest)
        table.number("limitp", 0.0, 0.0, 1e3)
        table.number("offlimitv", model.limit_volts, smallest_volts, highest_volts.largest)
        table.number("offlimiti", 1e-3, smallest_amps, highest_amps.largest)
        table.choice("offmode", _OFF_NORMAL, (_OFF_NORMAL, _OFF_ZERO, _OFF_HIGH_Z))
        table.choice("offfunc", 1.0, (0.0, 1.0))
        table.number("delay", 0.0, -1.0, 1e6)
        table.choice("settling", 0.0, (0.0, 1.0, 2.0, 3.0, 128.0))
        for name in ("sink", "highc"):
            table.choice(name, 0.0, (0.0, 1.0))
        table.choice("outputenableaction", 0.0, (0.0, 1.0))
        table.attribute("compliance", self.limited)

    def _declare_range(self, name: str) -> None:
        self.table.attribute(
            f"range{name}",
            lambda: self.range_of(name).nominal,
            lambda value: self._write_range(name, value),
        )
