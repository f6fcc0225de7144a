"""The source side of an emulated Keithley 2400: levels, ranges, limits, output, off states.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, sections 13 and 18.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.keithley2400_models import SmuModel
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.world import Channel, CurrentForce, Open, Reading, VoltageForce, World

__all__ = ["FUNCTIONS", "Supply"]

FUNCTIONS = {"VOLT": "VOLTage", "CURR": "CURRent"}
UNITS = {"VOLT": "V", "CURR": "A"}
DEFAULT_LIMITS = {"VOLT": 21.0, "CURR": 1.05e-4}
OFF_FRACTION = 0.005  # of the range: the limit while the output is off
NOT_PERMITTED = (826, "Attempt to exceed power limit")


class Supply:
    """Holds what was programmed and keeps the channel's stance in step with it.

    Args:
        model: ranges and limits.
        channel: where the terminals are.
        world: what they are wired to.
        random: for source errors; None: ideal.
    """

    def __init__(
        self, model: SmuModel, channel: Channel, world: World, random: np.random.Generator | None
    ) -> None:
        self._model = model
        self._channel = channel
        self._world = world
        self._ranges: dict[str, tuple[Range, ...]] = {
            "VOLT": model.source_volts,
            "CURR": model.source_amps,
        }
        self._converters = {name: Converter(r, random) for name, r in self._ranges.items()}
        self.output_enable_closed = True
        self.settings = Settings(_declared(model), lambda _: self.apply())
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: 0 V with 105 uA and 21 V as limits, output off, ranges automatic."""
        self.settings.reset()
        self.output_on = False
        self.function = "VOLT"
        self.levels = dict.fromkeys(FUNCTIONS, 0.0)
        self.triggered = dict.fromkeys(FUNCTIONS, 0.0)
        self.range_index = {"VOLT": 2, "CURR": 2}
        self.auto_range = dict.fromkeys(FUNCTIONS, True)
        self.limits = dict(DEFAULT_LIMITS)
        self.ceilings = dict.fromkeys(FUNCTIONS, math.inf)
        self.apply()

    # -- what is at the terminals

    def apply(self) -> None:
        """Set the stance that the programmed values and the output switch ask for."""
        self._channel.stance = self._on() if self.output_on else self._off()

    def reading(self) -> Reading:
        """What is at the terminals now."""
        return self._world.reading(self._channel)

    def force(self, function: str, level: float) -> None:
        """Source a level other than the programmed one: a sweep's step, a test current.

        With the output off nothing is sourced.
        """
        if self.output_on:
            self._channel.stance = self._stance(function, level, self.limit(_other(function)))

    def limit(self, function: str) -> float:
        """The limit in effect: compliance, or the measuring range below it."""
        limit = min(self.limits[function], self.ceilings[function])
        return min(limit, self.settings.number("OVP")) if function == "VOLT" else limit

    def range_limited(self, function: str) -> bool:
        """Whether the measuring range, not the compliance, limits."""
        return self.ceilings[function] < self.limits[function]

    def _on(self) -> VoltageForce | CurrentForce:
        level = self.levels[self.function]
        return self._stance(self.function, level, self.limit(_other(self.function)))

    def _stance(self, function: str, level: float, limit: float) -> VoltageForce | CurrentForce:
        index = self.range_for(function, level)
        largest = self._ranges[function][index].largest
        actual = self._converters[function].sourced(
            math.copysign(min(abs(level), largest), level), index
        )
        if function == "CURR":
            return CurrentForce(actual, limit)
        ceiling = self.settings.number("OVP")
        return VoltageForce(math.copysign(min(abs(actual), ceiling), actual), limit)

    def _off(self) -> Open | VoltageForce | CurrentForce:
        """Output-off states (manual, page 13-9)."""
        mode = self.settings.word("SMOD")
        if mode == "HIMP" or not self._enabled():
            return Open()
        if mode == "GUAR":
            return CurrentForce(0.0, OFF_FRACTION * self._full_scale("VOLT"))
        small = OFF_FRACTION * self._full_scale("CURR")
        if mode == "NORM":
            return VoltageForce(0.0, small)
        limit = self.limits["CURR"] if self.function == "VOLT" else abs(self.levels["CURR"])
        return VoltageForce(0.0, max(limit, small))

    def _full_scale(self, function: str) -> float:
        """Nominal value of the present range: the source's own, or that of the limit."""
        if function == self.function:
            return self._ranges[function][self.range_index[function]].nominal
        index = fitting(self._ranges[function], self.limits[function])
        return self._ranges[function][-1 if index is None else index].nominal

    def largest(self, function: str) -> float:
        """The largest level of a function."""
        return self._ranges[function][-1].largest

    def range_for(self, function: str, level: float) -> int:
        """Index of the range a level is sourced on."""
        if not self.auto_range[function]:
            return self.range_index[function]
        index = fitting(self._ranges[function], level)
        return len(self._ranges[function]) - 1 if index is None else index

    # -- what a client programs

    def set_level(self, function: str, level: float) -> None:
        """Program a level; -222 outside the range, +826 outside the power the model has."""
        if not self.auto_range[function]:
            index = self.range_index[function]
            if abs(level) > self._ranges[function][index].largest * (1 + 1e-9):
                raise ScpiError(-222)
        self._check_power(function, level, self.limits[_other(function)])
        self.levels[function] = self.triggered[function] = level
        if self.auto_range[function]:
            self.range_index[function] = self.range_for(function, level)
        self.apply()

    def set_limit(self, function: str, limit: float) -> None:
        """Program a compliance, which limits while the other quantity is sourced."""
        self._check_power(_other(function), self.levels[_other(function)], limit)
        self.limits[function] = limit
        self.apply()

    def set_function(self, function: str) -> None:
        """Source volts or amps; the output goes off when that changes."""
        if function != self.function:
            self.switch(False)
            self.function = function
        self.apply()

    def switch(self, on: bool) -> None:
        """Output on or off; +802 while the output enable line is open."""
        if on and not self._enabled():
            raise ScpiError(802, "OUTPUT blocked by output enable")
        self.output_on = on
        self.apply()

    def _enabled(self) -> bool:
        return self.output_enable_closed or not self.settings.flag("ENABLE")

    def set_output_enable(self, closed: bool) -> None:
        """The output enable line of the digital port; opening it switches the output off."""
        self.output_enable_closed = closed
        if not self._enabled():
            self.output_on = False
        self.apply()

    def _check_power(self, function: str, level: float, limit: float) -> None:
        if function != self.function:
            return
        volts, amps = (level, limit) if function == "VOLT" else (limit, level)
        strong = self._model.strong_volts * (1 + 1e-9)
        if abs(volts) > strong and abs(amps) > self._model.weak_amps * (1 + 1e-9):
            raise ScpiError(*NOT_PERMITTED)

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Source and output commands."""
        yield from self.settings.commands()
        yield Command(
            "[:SOURce[1]]:FUNCtion[:MODE]",
            lambda p: self.set_function(p.word(("VOLTage", "CURRent"))),
            lambda _: self.function,
        )
        output = Command(
            ":OUTPut[1][:STATe]",
            lambda p: self.switch(p.boolean()),
            lambda _: on_off(self.output_on),
        )
        yield output
        tripped = ":OUTPut[1]:ENABle:TRIPped :OUTPut[1]:INTerlock:TRIPped"
        yield Command(tripped, query=lambda _: on_off(self.output_enable_closed))
        yield Command("[:SOURce[1]]:CLEar[:IMMediate]", lambda _: self.switch(False), takes=(0, 0))
        for function in FUNCTIONS:
            yield from self._function_commands(function)

    def _function_commands(self, function: str) -> Iterator[Command]:
        path = f"[:SOURce[1]]:{FUNCTIONS[function]}"
        highest = self._ranges[function][-1].largest
        unit = UNITS[function]

        def level(parameters: Parameters) -> float:
            return parameters.number(-highest, highest, 0.0, unit)

        def write_trigger(parameters: Parameters) -> None:
            self.triggered[function] = level(parameters)

        yield Command(
            f"{path}[:LEVel][:IMMediate][:AMPLitude]",
            lambda p: self.set_level(function, level(p)),
            lambda p: exponent(level(p) if len(p) else self.levels[function]),
            asks=(0, 1),
        )
        yield Command(
            f"{path}[:LEVel]:TRIGgered[:AMPLitude]",
            write_trigger,
            lambda p: exponent(level(p) if len(p) else self.triggered[function]),
            asks=(0, 1),
        )
        yield Command(
            f"{path}:RANGe",
            lambda p: self._write_range(function, p),
            lambda p: self._range(function, p),
            asks=(0, 1),
        )
        yield Command(
            f"{path}:RANGe:AUTO",
            lambda p: self._write_auto(function, p),
            lambda _: on_off(self.auto_range[function]),
        )
        if function == "VOLT":
            yield Command(f"{path}:PROTection:TRIPped", query=lambda _: on_off(self.ovp_tripped()))

    def ovp_tripped(self) -> bool:
        """Whether the voltage protection limits the source."""
        ceiling = self.settings.number("OVP")
        return self.output_on and abs(self.reading().volts) >= ceiling

    def _write_range(self, function: str, parameters: Parameters) -> None:
        ranges = self._ranges[function]
        text = parameters.text()
        index: int | None = self.range_index[function]
        if text.upper() in ("UP", "DOWN"):
            step = 1 if text.upper() == "UP" else -1
            index = max(0, min(len(ranges) - 1, self.range_index[function] + step))
        else:
            highest = ranges[-1].largest
            index = fitting(
                ranges, Parameters((text,)).number(-highest, highest, ranges[2].largest)
            )
        if index is None or abs(self.levels[function]) > ranges[index].largest * (1 + 1e-9):
            raise ScpiError(-222)
        self.range_index[function] = index
        self.auto_range[function] = False
        self.apply()

    def _range(self, function: str, parameters: Parameters) -> str:
        ranges = self._ranges[function]
        if len(parameters):
            low, high = ranges[0].largest, ranges[-1].largest
            return exponent(parameters.number(low, high, ranges[2].largest))
        return exponent(ranges[self.range_index[function]].largest)

    def _write_auto(self, function: str, parameters: Parameters) -> None:
        self.auto_range[function] = parameters.boolean()
        if self.auto_range[function]:
            self.range_index[function] = self.range_for(function, self.levels[function])
        self.apply()


def _other(function: str) -> str:
    return "CURR" if function == "VOLT" else "VOLT"


def _declared(model: SmuModel) -> Iterator[Number | Flag | Choice]:
    modes = ("HIMPedance", "NORMal", "ZERO", "GUARd")
    highest = model.largest_volts
    yield Choice(":OUTPut[1]:SMODe", "SMOD", model.off_mode, modes)
    # Other editions of the manual call the output enable line an interlock.
    enable = ":OUTPut[1]:ENABle[:STATe] :OUTPut[1]:INTerlock:STATe"
    yield Flag(enable, "ENABLE", False)
    yield Number("[:SOURce[1]]:VOLTage:PROTection[:LEVel]", "OVP", highest, 20.0, highest, "V")
    yield Flag("[:SOURce[1]]:CLEar:AUTO", "AUTO OFF", False)
    yield Choice("[:SOURce[1]]:CLEar:AUTO:MODE", "AUTO OFF MODE", "ALW", ("ALWays", "TCOunt"))
