"""SOURce and OUTPut of an emulated Keithley 2450.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B, sections 2 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from drivers.emulated.accuracy import fitting
from drivers.emulated.keithley2450_events import EventLog
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.source_measure import (
    FUNCTIONS,
    UNITS,
    SourceMeasureModel,
    Terminals,
    other,
)
from drivers.emulated.world import Channel, CurrentForce, Open, Stance, VoltageForce, World

__all__ = ["Source"]

DEFAULT_LIMIT_AMPS = 1.05e-4
OFF_FRACTION = 0.1  # of full scale: the limit while the output is off
SMALLEST_OF_RANGE = 1e-3  # a limit is more than this part of a fixed measuring range
INTERLOCKED_VOLTS, INTERLOCK_WARNS_VOLTS = 42.0, 21.0
AUTO_DELAY_SECONDS = 1e-3
LIMIT_LOWERED = (1931, "Source limit changed to suit the source level")  # number from memory
PROTECTIONS = (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)
_HEADERS = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]"}


class Source:
    """Levels, ranges, limits, the output and its off states, as a client programs them.

    Args:
        model: ranges and power.
        channel, world: where the terminals are, and what they are wired to.
        random: for the data sheet's errors; None: ideal.
        events: the log.
    """

    def __init__(
        self,
        model: SourceMeasureModel,
        channel: Channel,
        world: World,
        random: np.random.Generator | None,
        events: EventLog,
    ) -> None:
        self.model = model
        self._events = events
        self._world = world
        self.settings = Settings(_declared(), self._changed)
        self.interlock_closed = True
        self.terminals = Terminals(model, channel, world, random, self._off)
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: 0 V with 105 uA, output off, ranges automatic (manual, 6-71)."""
        self.settings.reset()
        self._settle = False
        volts = 21.0 if self.model.largest("VOLT") > 200 else 7.35
        volt_range = fitting(self.model.sense["VOLT"], 20.0)
        amp_range = fitting(self.model.sense["CURR"], 1e-4)
        self.terminals.reset(
            {"VOLT": volts, "CURR": DEFAULT_LIMIT_AMPS},
            {"VOLT": volt_range or 0, "CURR": amp_range or 0},
        )
        self._apply_ceiling()

    # -- the output

    def switch(self, on: bool) -> None:
        """Output on or off; the interlock may forbid it (manual, 6-33)."""
        if on and self.settings.flag("INTERLOCK") and not self.interlock_closed:
            raise ScpiError(-221, "Settings conflict; the interlock is open")
        level = self.terminals.levels["VOLT"]
        too_high = self.terminals.function == "VOLT" and abs(level) > INTERLOCK_WARNS_VOLTS
        if on and too_high and not self.interlock_closed:
            self._events.warn(5074, "Output voltage limited by interlock")
        self._settle = on
        self.terminals.switch(on)

    def set_interlock(self, closed: bool) -> None:
        """The interlock line; while its setting is on, any change switches the output off."""
        changed, self.interlock_closed = closed != self.interlock_closed, closed
        if changed and self.settings.flag("INTERLOCK"):
            self.terminals.output_on = False
        self._apply_ceiling()

    def settle(self) -> None:
        """Let the source delay pass if the source has changed."""
        if self._settle:
            self._settle = False
            self._world.elapse(self.delay_seconds())

    def force(self, level: float) -> None:
        """Source a step of a sweep and let the source delay pass."""
        self.terminals.force(level)
        self._settle = False
        self._world.elapse(self.delay_seconds())

    def delay_seconds(self) -> float:
        """From a change of the source to the measurement."""
        function = self.terminals.function
        if self.settings.flag(f"{function} DELAY AUTO"):
            return AUTO_DELAY_SECONDS
        return self.settings.number(f"{function} DELAY")

    def set_function(self, function: str) -> None:
        """Source the other quantity; the output goes off, the limits stay."""
        self.terminals.set_function(function)

    def set_level(self, function: str, level: float) -> None:
        """Program a level; a limit the model has no power for is lowered with a warning."""
        terminals = self.terminals
        terminals.set_level(function, level)
        limited = other(function)
        if not terminals.powerful_enough(function, level, terminals.limits[limited]):
            most = self.model.amps_at(level) if limited == "CURR" else self.model.volts_at(level)
            terminals.limits[limited] = most
            self._events.warn(*LIMIT_LOWERED)
            terminals.apply()
        self._settle = True

    def overprotected(self) -> bool:
        """Whether the overvoltage protection holds the source."""
        if not self.terminals.output_on or math.isinf(self._protection_volts()):
            return False
        return abs(self.terminals.reading().volts) >= self._protection_volts() * (1 - 1e-9)

    def _off(self, terminals: Terminals) -> Stance:
        """Output-off states (manual, 6-31 and 6-32)."""
        mode = self.settings.word(f"{terminals.function} SMOD")
        interlocked = self.settings.flag("INTERLOCK") and not self.interlock_closed
        if mode == "HIMP" or interlocked:
            return Open()
        if mode == "GUAR":
            return CurrentForce(0.0, OFF_FRACTION * self._full_scale("VOLT"))
        part = 1.0 if mode == "ZERO" else OFF_FRACTION
        return VoltageForce(0.0, part * self._full_scale("CURR"))

    def _full_scale(self, function: str) -> float:
        """Nominal value of the present range: the source's own, the meter's, or the limit's."""
        terminals = self.terminals
        ranges = self.model.source[function]
        if function == terminals.function:
            return ranges[terminals.source_index[function]].nominal
        if not terminals.sense_auto[function]:
            return ranges[terminals.sense_index[function]].nominal
        index = fitting(ranges, terminals.limits[function])
        return ranges[-1 if index is None else index].nominal

    def _protection_volts(self) -> float:
        word = self.settings.word("PROT")
        return math.inf if word == "NONE" else float(word.removeprefix("PROT"))

    def _apply_ceiling(self) -> None:
        interlock = math.inf if self.interlock_closed else INTERLOCKED_VOLTS
        self.terminals.ceiling_volts = min(self._protection_volts(), interlock)
        self.terminals.apply()

    def _changed(self, name: str) -> None:
        for function in FUNCTIONS:
            if name == f"{function} DELAY":
                self.settings.put(f"{function} DELAY AUTO", False)
        self._apply_ceiling()

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Source and output commands."""
        yield from self.settings.commands()
        yield Command(
            ":OUTPut[1][:STATe]",
            lambda p: self.switch(p.boolean()),
            lambda _: on_off(self.terminals.output_on),
        )
        yield Command(":OUTPut[1]:INTerlock:TRIPped", query=lambda _: on_off(self.interlock_closed))
        yield Command(
            ":OUTPut[1]:SMODe",
            self._write_off_modes,
            lambda _: self.settings.word(f"{self.terminals.function} SMOD"),
        )
        yield Command(
            ":SOURce[1]:FUNCtion[:MODE]",
            lambda p: self.set_function(p.word(("VOLTage", "CURRent"))),
            lambda _: self.terminals.function,
        )
        for function in FUNCTIONS:
            yield from self._level_commands(function)
            yield from self._range_commands(function)

    def _level_commands(self, function: str) -> Iterator[Command]:
        path = f":SOURce[1]:{_HEADERS[function]}"
        largest, unit = self.model.largest(function), UNITS[function]
        terminals = self.terminals

        def level(parameters: Parameters) -> float:
            return parameters.number(-largest, largest, 0.0, unit)

        yield Command(
            f"{path}[:LEVel][:IMMediate][:AMPLitude]",
            lambda p: self.set_level(function, level(p)),
            lambda p: exponent(level(p) if len(p) else terminals.levels[function]),
            asks=(0, 1),
        )
        limited = other(function)
        limit = f"{path}:{'ILIMit' if limited == 'CURR' else 'VLIMit'}[:LEVel]"
        yield Command(
            limit, partial(self._write_limit, limited), partial(self._limit, limited), asks=(0, 1)
        )
        yield Command(
            f"{limit}:TRIPped",
            query=lambda _: on_off(terminals.function == function and terminals.tripped(limited)),
        )
        yield Command(
            f"{path}:PROTection[:LEVel]:TRIPped", query=lambda _: on_off(self.overprotected())
        )

    def _range_commands(self, function: str) -> Iterator[Command]:
        path = f":SOURce[1]:{_HEADERS[function]}:RANGe"
        ranges, terminals = self.model.source[function], self.terminals
        largest, unit = self.model.largest(function), UNITS[function]

        def asked(parameters: Parameters) -> str:
            if len(parameters):
                low, high = ranges[0].nominal, ranges[-1].nominal
                return exponent(parameters.number(low, high, low))
            return exponent(ranges[terminals.source_index[function]].nominal)

        def write(parameters: Parameters) -> None:
            value = parameters.number(-largest, largest, ranges[0].nominal, unit)
            terminals.set_source_range(function, value)

        yield Command(path, write, asked, asks=(0, 1))
        yield Command(
            f"{path}:AUTO",
            lambda p: terminals.set_source_auto(function, p.boolean()),
            lambda _: on_off(terminals.source_auto[function]),
        )

    def _write_limit(self, limited: str, parameters: Parameters) -> None:
        """A limit: absolute value, within the power, above a thousandth of a fixed range."""
        terminals, ranges = self.terminals, self.model.sense[limited]
        largest = self.model.largest(limited)
        value = abs(parameters.number(-largest, largest, self._default(limited), UNITS[limited]))
        lowest = 0.1 * ranges[0].nominal
        if not terminals.sense_auto[limited] and limited in terminals.watched:
            lowest = max(lowest, SMALLEST_OF_RANGE * ranges[terminals.sense_index[limited]].nominal)
        if value < lowest * (1 - 1e-9):
            raise ScpiError(-222)
        sourced = other(limited)
        level = terminals.levels[sourced]
        if terminals.function == sourced and not terminals.powerful_enough(sourced, level, value):
            raise ScpiError(-222)
        terminals.limits[limited] = value
        terminals.apply()

    def _limit(self, limited: str, parameters: Parameters) -> str:
        if len(parameters):
            low, high = 0.1 * self.model.sense[limited][0].nominal, self.model.largest(limited)
            return exponent(parameters.number(low, high, self._default(limited)))
        return exponent(self.terminals.limits[limited])

    def _default(self, limited: str) -> float:
        if limited == "CURR":
            return DEFAULT_LIMIT_AMPS
        return 21.0 if self.model.largest("VOLT") > 200 else 7.35

    def _write_off_modes(self, parameters: Parameters) -> None:
        mode = parameters.word(_OFF_MODES)
        for function in FUNCTIONS:
            self.settings.put(f"{function} SMOD", mode)
        self.terminals.apply()


_OFF_MODES = ("NORMal", "HIMPedance", "ZERO", "GUARd")


def _declared() -> Iterator[Number | Flag | Choice]:
    protections = tuple(f"PROT{volts}" for volts in PROTECTIONS)
    both = " ".join(f":SOURce[1]:{header}:PROTection[:LEVel]" for header in _HEADERS.values())
    yield Choice(both, "PROT", "NONE", (*protections, "NONE"))
    yield Flag(":OUTPut[1]:INTerlock:STATe", "INTERLOCK", False, kept=True)
    for function, header in _HEADERS.items():
        path = f":SOURce[1]:{header}"
        yield Choice(f":OUTPut[1]:{header}:SMODe", f"{function} SMOD", "NORM", _OFF_MODES)
        yield Number(f"{path}:DELay", f"{function} DELAY", 0.0, 0.0, 1e4, "S")
        yield Flag(f"{path}:DELay:AUTO", f"{function} DELAY AUTO", True)
        yield Flag(f"{path}:READ:BACK", f"{function} READBACK", True)
        yield Flag(f"{path}:HIGH:CAPacitance", f"{function} HIGHC", False)
        for place in range(1, 6):
            name = f"{function} USER{place}"
            yield Number(f"{path}:DELay:USER{place}", name, 0.0, 0.0, 1e4, "S")
