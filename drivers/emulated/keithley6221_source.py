"""The direct-current source of an emulated Keithley 6221: level, range, compliance, sweeps.

Source: Model 6220/6221 Reference Manual, 622x-901-01 Rev. C, sections 3, 4 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.world import Channel, CurrentForce, Open, World

__all__ = ["LARGEST_AMPS", "CurrentSource"]


def _range(nominal: float, percent: float, offset: float, noise: float) -> Range:
    return Range(nominal, 1.05 * nominal, percent / 100, offset, noise)


RANGES = (
    _range(2e-9, 0.4, 2e-12, 80e-15),
    _range(20e-9, 0.3, 10e-12, 800e-15),
    _range(200e-9, 0.3, 100e-12, 4e-12),
    _range(2e-6, 0.1, 1e-9, 40e-12),
    _range(20e-6, 0.05, 10e-9, 400e-12),
    _range(200e-6, 0.05, 100e-9, 4e-9),
    _range(2e-3, 0.05, 1e-6, 40e-9),
    _range(20e-3, 0.05, 10e-6, 400e-9),
    _range(100e-3, 0.1, 50e-6, 2e-6),
)
LARGEST_AMPS = RANGES[-1].largest
LARGEST_LIST = 65_535
_LIMITS = {
    "CURRent": (-LARGEST_AMPS, LARGEST_AMPS, "A"),
    "DELay": (1e-3, 999999.999, "S"),
    "COMPliance": (0.1, 105.0, "V"),
}


class CurrentSource:
    """Holds what was programmed and keeps the channel's stance in step with it.

    Args:
        channel: where the terminals are.
        world: what they are wired to.
        random: for errors and noise; None: ideal.
    """

    def __init__(self, channel: Channel, world: World, random: np.random.Generator | None) -> None:
        self._channel = channel
        self._world = world
        self._converter = Converter(RANGES, random)
        self.settings = Settings(_declared(), lambda _: self.apply())
        self.interlock_closed = True
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: 0 A on the 100 mA range, 10 V, output off."""
        self.settings.reset()
        self.output_on = False
        self.amps = 0.0
        self.range_index = len(RANGES) - 1
        self.auto_range = False
        self._span = (0.0, 0.0)
        self._lists: dict[str, list[float]] = {
            "CURRent": [0.0],
            "DELay": [1e-3],
            "COMPliance": [10.0],
        }
        self.apply()

    # -- what is at the terminals

    def apply(self) -> None:
        """Set the stance that level, compliance and output switch ask for."""
        self.force(self.amps, self.settings.number("COMP"))

    def force(self, amps: float, limit_volts: float) -> None:
        """Source a current if the output is on; on a fixed range, up to what it reaches."""
        if not self.output_on:
            self._channel.stance = Open()
            return
        index = fitting(RANGES, amps) if self.auto_range else self.range_index
        index = len(RANGES) - 1 if index is None else index
        reached = math.copysign(min(abs(amps), RANGES[index].largest), amps)
        self._channel.stance = CurrentForce(self._converter.measured(reached, index), limit_volts)

    def in_compliance(self) -> bool:
        """Whether the voltage limit, not the level, determines the output."""
        return self.output_on and self._world.reading(self._channel).limited

    def switch(self, on: bool) -> None:
        """Output on or off; +802 while the interlock is open."""
        if on and not self.interlock_closed:
            raise ScpiError(802, "Output blocked by interlock")
        self.output_on = on
        self.apply()

    def set_interlock(self, closed: bool) -> None:
        """The interlock connector; opening it switches the output off."""
        self.interlock_closed = closed
        if not closed:
            self.switch(False)

    def set_amps(self, amps: float) -> None:
        """Program the level; -222 beyond a fixed range."""
        if self.auto_range:
            self.range_index = fitting(RANGES, amps) or 0
        elif abs(amps) > RANGES[self.range_index].largest * (1 + 1e-9):
            raise ScpiError(-222)
        self.amps = amps
        self.apply()

    # -- sweeps

    def sweep(self) -> None:
        """Step through the sweep as set up, and stay at its last step."""
        amps, delays, limits = self._steps()
        if self.settings.word("SWE RANG") == "BEST":
            self.range_index = fitting(RANGES, max(map(abs, amps))) or 0
            self.auto_range = False
        elif self.settings.word("SWE RANG") == "AUTO":
            self.auto_range = True
        for level, delay, limit in zip(amps, delays, limits, strict=True):
            self.force(level, limit)
            self._world.elapse(delay)
            if self.settings.flag("SWE CAB") and self.in_compliance():
                break
        self.amps = level

    def n_steps(self) -> int:
        """Steps of one sweep as set up."""
        return len(self._steps()[0])

    def _steps(self) -> tuple[list[float], list[float], list[float]]:
        spacing = self.settings.word("SWE SPAC")
        if spacing == "LIST":
            amps = self._lists["CURRent"]
            return (
                amps,
                self._stretched("DELay", len(amps)),
                self._stretched("COMPliance", len(amps)),
            )
        start, stop = self._span
        points = self.settings.whole("SWE POIN")
        if spacing == "LOG" and start * stop <= 0:
            raise ScpiError(-221)
        space = np.geomspace if spacing == "LOG" else np.linspace
        levels: list[float] = space(start, stop, points).tolist()
        n_levels = len(levels)
        delay, limit = self.settings.number("DEL"), self.settings.number("COMP")
        return levels, [delay] * n_levels, [limit] * n_levels

    def _stretched(self, name: str, length: int) -> list[float]:
        """A list as long as the current list: its last value goes on."""
        listed = self._lists[name][:length]
        return listed + [listed[-1]] * (length - len(listed))

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Source, output and sweep commands."""
        yield from self.settings.commands()
        path = "[:SOURce[1]]:CURRent"
        yield Command(
            f"{path}[:LEVel][:IMMediate][:AMPLitude]",
            lambda p: self.set_amps(_amps(p)),
            lambda p: exponent(_amps(p) if len(p) else self.amps),
            asks=(0, 1),
        )
        yield Command(f"{path}:RANGe", self._write_range, self._range, asks=(0, 1))
        yield Command(f"{path}:RANGe:AUTO", self._write_auto, lambda _: on_off(self.auto_range))
        for name in ("STARt", "STOP", "STEP", "SPAN", "CENTer"):
            yield Command(
                f"{path}:{name}", partial(self._write_span, name), partial(self._answer_span, name)
            )
        yield Command(
            ":OUTPut[1][:STATe]",
            lambda p: self.switch(p.boolean()),
            lambda _: on_off(self.output_on),
        )
        interlock = ":OUTPut[1]:INTerlock"
        yield Command(f"{interlock}[:TRIPped]", query=lambda _: on_off(self.interlock_closed))
        yield Command("[:SOURce[1]]:CLEar[:IMMediate]", lambda _: self._clear(), takes=(0, 0))
        for name in self._lists:
            yield from self._list_commands(name)

    def _clear(self) -> None:
        """``CLEar``: level 0, output off."""
        self.amps = 0.0
        self.switch(False)

    def _write_range(self, parameters: Parameters) -> None:
        index = fitting(RANGES, _amps(parameters))
        if index is None or abs(self.amps) > RANGES[index].largest * (1 + 1e-9):
            raise ScpiError(-222)
        self.range_index, self.auto_range = index, False
        self.apply()

    def _range(self, parameters: Parameters) -> str:
        chosen = parameters.number(RANGES[0].nominal, RANGES[-1].nominal, 0.1) if parameters else 0
        return exponent(chosen or RANGES[self.range_index].nominal)

    def _write_auto(self, parameters: Parameters) -> None:
        self.auto_range = parameters.boolean()
        if self.auto_range:
            self.range_index = fitting(RANGES, self.amps) or 0
        self.apply()

    def _write_span(self, name: str, parameters: Parameters) -> None:
        """Start, stop, span and centre are coupled; the step sets the points (manual, 4-22)."""
        value = parameters.number(-2 * LARGEST_AMPS, 2 * LARGEST_AMPS, 0.0, "A")
        start, stop = self._span
        middle, span = (start + stop) / 2, stop - start
        if name == "STEP":
            points = round(abs(span / value)) + 1 if value else 0
            if not 1 <= points <= LARGEST_LIST:
                raise ScpiError(-222)
            self.settings.put("SWE POIN", float(points))
            return
        start, stop = {
            "STARt": (value, stop),
            "STOP": (start, value),
            "SPAN": (middle - value / 2, middle + value / 2),
            "CENTer": (value - span / 2, value + span / 2),
        }[name]
        if max(abs(start), abs(stop)) > LARGEST_AMPS * (1 + 1e-9):
            raise ScpiError(-222)
        self._span = (start, stop)

    def _answer_span(self, name: str, _: Parameters) -> str:
        start, stop = self._span
        step = (stop - start) / max(1.0, self.settings.number("SWE POIN") - 1)
        answers = {
            "STARt": start,
            "STOP": stop,
            "STEP": step,
            "SPAN": stop - start,
            "CENTer": (start + stop) / 2,
        }
        return exponent(answers[name])

    def _list_commands(self, name: str) -> Iterator[Command]:
        path = f"[:SOURce[1]]:LIST:{name}"
        write = partial(self._write_list, name, False)
        most = (1, LARGEST_LIST)
        yield Command(path, write, lambda _: ",".join(map(exponent, self._lists[name])), takes=most)
        yield Command(f"{path}:APPend", partial(self._write_list, name, True), takes=most)
        yield Command(f"{path}:POINts", query=lambda _: str(len(self._lists[name])))

    def _write_list(self, name: str, append: bool, parameters: Parameters) -> None:
        low, high, unit = _LIMITS[name]
        new = [Parameters((t,)).number(low, high, None, unit) for t in parameters.rest()]
        whole = self._lists[name] + new if append else new
        if len(whole) > LARGEST_LIST:
            raise ScpiError(-223)
        self._lists[name] = whole


def _amps(parameters: Parameters) -> float:
    return parameters.number(-LARGEST_AMPS, LARGEST_AMPS, 0.0, "A")


def _declared() -> Iterator[Number | Flag | Choice]:
    source = "[:SOURce[1]]"
    yield Number(f"{source}:CURRent:COMPliance", "COMP", 10.0, 0.1, 105.0, "V")
    yield Flag(f"{source}:CURRent:FILTer[:STATe]", "FILT", False)
    yield Number(f"{source}:DELay", "DEL", 1.0, 1e-3, 999999.999, "S")
    yield Choice(f"{source}:SWEep:SPACing", "SWE SPAC", "LIN", ("LINear", "LOGarithmic", "LIST"))
    yield Number(f"{source}:SWEep:POINts", "SWE POIN", 11.0, 1.0, LARGEST_LIST, whole=True)
    yield Choice(f"{source}:SWEep:RANGing", "SWE RANG", "BEST", ("AUTO", "BEST", "FIXed"))
    yield Number(f"{source}:SWEep:COUNt", "SWE COUN", 1.0, 1.0, math.inf, whole=True)
    yield Flag(f"{source}:SWEep:CABort", "SWE CAB", False)
    yield Flag(":OUTPut[1]:LTEarth", "LTE", False)
    yield Choice(":OUTPut[1]:ISHield", "ISH", "OLOW", ("OLOW", "GUARd"))
    yield Choice(":OUTPut[1]:RESPonse", "RESP", "FAST", ("FAST", "SLOW"))
