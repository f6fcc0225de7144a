"""One channel of an emulated Keysight B2900: its output, its meter, and what is programmed.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from drivers.emulated.accuracy import fitting
from drivers.emulated.keysightb2900_commands import (
    DEFAULT_CYCLES,
    DEFAULT_LIMITS,
    MEASURED,
    channel_commands,
    declared,
)
from drivers.emulated.scpi.commands import Command
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Settings
from drivers.emulated.source_measure import (
    FUNCTIONS,
    NOT_A_NUMBER,
    OVERFLOW,
    SourceMeasureModel,
    Terminals,
    other,
)
from drivers.emulated.world import Channel, Open, Reading, Stance, VoltageForce, World

__all__ = ["Sample", "SmuChannel"]

OFF_LIMIT_AMPS = 1e-4  # of the ZERO off state
SAFE_VOLTS = 42.0  # the most with the interlock open
# Numbers of emergencies are from memory: the manual's list was not at hand.
INTERLOCK_OPEN = (505, "Emergency, Interlock open")
OVER_LIMIT = (506, "Emergency, Over voltage or current condition")
CURRENT_SOURCE, COMPLIANCE, RANGE_OVERFLOW, OFFSET_COMPENSATED = 1, 2, 1 << 13, 1 << 14


class Sample(NamedTuple):
    """One measurement, every element of ``FORMat:ELEMents:SENSe``, in its order."""

    volts: float
    amps: float
    ohms: float
    seconds: float
    status: int
    source: float


class SmuChannel:
    """A source and a meter at one pair of terminals.

    Args:
        number: 1 or 2, the suffix of its commands.
        model: ranges and power.
        channel, world: where the terminals are, and what they are wired to.
        random: for the data sheet's errors; None: ideal.
        report: takes an emergency, which no command is to blame for.
    """

    def __init__(
        self,
        number: int,
        model: SourceMeasureModel,
        channel: Channel,
        world: World,
        random: np.random.Generator | None,
        report: Callable[[ScpiError], None],
    ) -> None:
        self.number = number
        self.model = model
        self._report = report
        self._suffix = "[1]" if number == 1 else str(number)
        self.source_root = "[:SOURce[1]]" if number == 1 else f":SOURce{number}"
        self.sense_root = f":SENSe{self._suffix}"
        self.output_root = f":OUTPut{self._suffix}"
        self.interlock_closed = True
        self.line_hertz = 60.0
        self.settings = Settings(
            declared(self.source_root, self.sense_root, self.output_root), self._changed
        )
        self.terminals = Terminals(model, channel, world, random, self._off)
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: 0 V with 100 uA, output off, everything measured, ranges automatic."""
        self.settings.reset()
        index = {
            name: fitting(self.model.sense[name], limit) or 0
            for name, limit in DEFAULT_LIMITS.items()
        }
        self.terminals.reset(DEFAULT_LIMITS, index)
        self.triggered = dict.fromkeys(FUNCTIONS, 0.0)
        self.enabled = set(MEASURED)
        self.line_cycles = DEFAULT_CYCLES
        self.automatic_cycles = True
        self.in_effect = 0.0
        self._apply_ceiling()
        self._watch()

    # -- the output

    def switch(self, on: bool) -> None:
        """Output on or off; an open interlock forbids more than 42 V."""
        if on:
            self._check_interlock(self.terminals.levels["VOLT"])
        self.in_effect = self.terminals.levels[self.terminals.function]
        self.terminals.switch(on)
        self.guard()

    def set_interlock(self, closed: bool) -> None:
        """The interlock line; opening it above 42 V is an emergency."""
        self.interlock_closed = closed
        terminals = self.terminals
        dangerous = abs(terminals.levels["VOLT"]) > SAFE_VOLTS
        if not closed and terminals.output_on and dangerous:
            self._emergency(INTERLOCK_OPEN)
        self._apply_ceiling()

    def _apply_ceiling(self) -> None:
        """With the interlock open no sweep and no current source gets above 42 V either."""
        self.terminals.ceiling_volts = math.inf if self.interlock_closed else SAFE_VOLTS
        self.terminals.apply()

    def force(self, level: float) -> None:
        """Source a step of a sweep."""
        self.in_effect = level
        self.terminals.force(level)
        self.guard()

    def settle_at_level(self) -> None:
        """Back to the programmed level, after a sweep."""
        self.in_effect = self.terminals.levels[self.terminals.function]
        self.terminals.apply()

    def guard(self) -> None:
        """``OUTPut:PROTection``: off at once when the limit is reached."""
        terminals = self.terminals
        if self.settings.flag("PROT") and terminals.output_on and terminals.reading().limited:
            self._emergency(OVER_LIMIT)

    def _emergency(self, error: tuple[int, str]) -> None:
        terminals = self.terminals
        terminals.levels["VOLT"] = 0.0
        terminals.switch(False)
        self._report(ScpiError(*error))

    def _off(self, _: Terminals) -> Stance:
        """Output-off states: the relay opens except in ZERO."""
        if self.settings.word("OFF MODE") == "ZERO":
            return VoltageForce(0.0, OFF_LIMIT_AMPS)
        return Open()

    def _check_interlock(self, volts: float) -> None:
        if abs(volts) > SAFE_VOLTS and not self.interlock_closed:
            raise ScpiError(*INTERLOCK_OPEN)

    # -- measuring

    def sample(self, seconds: float) -> Sample:
        """What the meter says now.

        Args:
            seconds: the time stamp.
        """
        true = self.terminals.reading()
        values = {name: self.terminals.measured(name, true, self.line_cycles) for name in FUNCTIONS}
        ohms = NOT_A_NUMBER
        if "RES" in self.enabled:
            ohms = _ratio(values["VOLT"], values["CURR"])
        volts, amps = (values[n] if n in self.enabled else NOT_A_NUMBER for n in FUNCTIONS)
        over = any(abs(values[name]) >= OVERFLOW for name in self.enabled & set(FUNCTIONS))
        return Sample(volts, amps, ohms, seconds, self._status(true, over), self.in_effect)

    def _status(self, true: Reading, over: bool) -> int:
        """The status word of a reading (manual, table 1-2)."""
        bits = {
            CURRENT_SOURCE: self.terminals.function == "CURR",
            COMPLIANCE: self.terminals.output_on and true.limited,
            RANGE_OVERFLOW: over,
            OFFSET_COMPENSATED: self.settings.flag("OCOM"),
        }
        return sum(bit for bit, value in bits.items() if value)

    # -- programming

    def set_level(self, function: str, level: float) -> None:
        """Program the immediate level; the triggered one follows."""
        terminals = self.terminals
        if function == "VOLT" and terminals.output_on:
            self._check_interlock(level)
        limit = terminals.limits[other(function)]
        if function == terminals.function and not terminals.powerful_enough(function, level, limit):
            raise ScpiError(-221)
        terminals.set_level(function, level)
        self.triggered[function] = level
        self.in_effect = terminals.levels[terminals.function]
        self.guard()

    def set_limit(self, function: str, limit: float) -> None:
        """Program the compliance; -221 if the model has no power for it."""
        terminals, sourced = self.terminals, other(function)
        level = terminals.levels[sourced]
        if terminals.function == sourced and not terminals.powerful_enough(sourced, level, limit):
            raise ScpiError(-221)
        terminals.limits[function] = limit
        terminals.apply()
        self.guard()

    def set_function(self, function: str) -> None:
        """Source the other quantity; the output goes off."""
        self.terminals.set_function(function)
        self.in_effect = self.terminals.levels[function]

    def _watch(self) -> None:
        self.terminals.watched = self.enabled & set(FUNCTIONS)
        self.terminals.apply()

    def _changed(self, name: str) -> None:
        if not self.terminals.output_on:
            self.terminals.apply()  # the off state may be another one now
        elif name == "PROT":
            self.guard()

    def enable(self, names: set[str], on: bool) -> None:
        """Measure these functions, too, or not any more."""
        self.enabled = self.enabled | names if on else self.enabled - names
        self._watch()

    def commands(self) -> Iterator[Command]:
        """All commands that carry the channel's number."""
        return channel_commands(self)


def _ratio(volts: float, amps: float) -> float:
    if abs(volts) >= OVERFLOW or abs(amps) >= OVERFLOW or amps == 0.0:
        return OVERFLOW
    return volts / amps
