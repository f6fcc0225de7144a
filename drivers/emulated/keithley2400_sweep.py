"""Trigger model and sweeps of an emulated Keithley 2400.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, sections 10, 11, 17 and 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from drivers.emulated.keithley2400_meter import Meter, Sample
from drivers.emulated.keithley2400_supply import FUNCTIONS, UNITS, Supply
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent
from drivers.emulated.scpi.status import Register

__all__ = ["Sweeper"]

LARGEST_COUNT = 2500
LARGEST_WRITE = 100  # values in one LIST command; APPend adds more
NOT_WHEN_OFF = (803, "Not permitted with OUTPUT off")
OPERATION_SWEEPING, OPERATION_TRIGGER, OPERATION_ARM, OPERATION_IDLE = 3, 5, 6, 10
MEASUREMENT_READING, MEASUREMENT_COMPLIANCE = 6, 14


class Sweeper:
    """Runs source-delay-measure cycles: single readings, staircases and lists.

    Args:
        supply, meter: what a cycle uses.
        store: keeps each reading in the buffer.
        operation, measurement: registers told of what happens.
    """

    def __init__(
        self,
        supply: Supply,
        meter: Meter,
        store: Callable[[Sample], None],
        operation: Register,
        measurement: Register,
    ) -> None:
        self._supply = supply
        self._meter = meter
        self._store = store
        self._operation = operation
        self._measurement = measurement
        self.settings = Settings(_declared(), self._changed)
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: one reading a trigger, no sweep."""
        self.settings.reset()
        self.arm_count = 1.0
        self.trigger_count = 1
        self._lists: dict[str, list[float]] = {name: [0.0] for name in FUNCTIONS}
        self._spans = {name: (0.0, 0.0) for name in FUNCTIONS}
        self.samples: list[Sample] = []
        self.abort()

    # -- running

    def abort(self) -> None:
        """Back to idle."""
        self._waiting = False
        for bit in (OPERATION_SWEEPING, OPERATION_TRIGGER, OPERATION_ARM):
            self._operation.set_condition(bit, False)
        self._operation.set_condition(OPERATION_IDLE, True)

    def initiate(self) -> None:
        """``INITiate``: run, or wait for the event that is to start it.

        Raises:
            ScpiError: -213 while waiting, +803 with the output off.
        """
        if self._waiting:
            raise ScpiError(-213)
        if not self._may_source():
            raise ScpiError(*NOT_WHEN_OFF)
        self._operation.set_condition(OPERATION_IDLE, False)
        if self.settings.word("ARM SOUR") in ("IMM", "TIM") and self._triggers_itself():
            self._run()
        else:
            self._waiting = True
            self._operation.set_condition(OPERATION_ARM, True)

    def trigger(self) -> None:
        """``*TRG``: -211 unless it is waited for, which ends when the output goes off."""
        if not self._may_source():
            self.abort()
        if not (self._waiting and self.settings.word("ARM SOUR") == "BUS"):
            raise ScpiError(-211)
        self._waiting = False
        self._operation.set_condition(OPERATION_ARM, False)
        self._run()

    def read(self) -> list[Sample]:
        """``READ?``: initiate and give the readings.

        Raises:
            ScpiError: -214 if nothing would ever trigger it, +830 for endless readings.
        """
        if math.isinf(self.arm_count):
            raise ScpiError(830, "Invalid with INF ARM:COUNT")
        if self.settings.word("ARM SOUR") not in ("IMM", "TIM") or not self._triggers_itself():
            raise ScpiError(-214)
        self.abort()
        self.initiate()
        return self.samples

    def fetch(self) -> list[Sample]:
        """``FETCh?``: the readings of the last run; -230 if there was none."""
        if not self.samples:
            raise ScpiError(-230)
        return self.samples

    def reset_triggers(self) -> None:
        """``CONFigure``: one immediate reading."""
        self.abort()
        self.arm_count, self.trigger_count = 1.0, 1
        for name in ("ARM SOUR", "TRIG SOUR"):
            self.settings.put(name, "IMM")
        self.settings.put("TRIG DEL", 0.0)

    def _triggers_itself(self) -> bool:
        return self.settings.word("TRIG SOUR") == "IMM"

    def _may_source(self) -> bool:
        return self._supply.output_on or self._supply.settings.flag("AUTO OFF")

    def _run(self) -> None:
        """All cycles of all arm and trigger counts, then idle at the programmed level.

        An endless arm count is run once.
        """
        if self.settings.flag("TIME AUTO"):
            self._meter.reset_time()
        self.samples = []
        try:
            levels = self._levels()
            self._operation.set_condition(OPERATION_SWEEPING, levels is not None)
            rounds = 1 if math.isinf(self.arm_count) else int(self.arm_count)
            for index in range(rounds * self.trigger_count):
                level = self._fixed_level() if levels is None else levels[index % len(levels)]
                if self._aborts(self._cycle(level)):
                    break
        finally:
            self.abort()
            self._supply.apply()

    def _cycle(self, level: float) -> Sample:
        """Source, delay, measure."""
        automatic = self._supply.settings.flag("AUTO OFF")
        if automatic:
            self._supply.switch(True)
        sample = self._meter.measure(level, self.settings.number("TRIG DEL"))
        if automatic:
            self._supply.switch(False)
        self.samples.append(sample)
        self._store(sample)
        self._measurement.signal(MEASUREMENT_READING)
        if sample.status & 1 << 3:
            self._measurement.signal(MEASUREMENT_COMPLIANCE)
        return sample

    def _aborts(self, sample: Sample) -> bool:
        return self.settings.word("SWE CAB") != "NEV" and bool(sample.status & 1 << 3)

    def _fixed_level(self) -> float:
        """The triggered level becomes the level."""
        function = self._supply.function
        self._supply.levels[function] = self._supply.triggered[function]
        return self._supply.levels[function]

    def _levels(self) -> list[float] | None:
        """Levels of the sweep that is set up; None: no sweep."""
        function = self._supply.function
        mode = self.settings.word(f"{function} MODE")
        if mode == "FIX":
            return None
        if mode == "LIST":
            first = self.settings.whole(f"LIST {function} START") - 1
            listed = self._lists[function]
            return listed[first:] + listed[:first]
        start, stop = self._spans[function]
        points = self.settings.whole("SWE POIN")
        if self.settings.word("SWE SPAC") == "LOG":
            if start * stop <= 0:
                raise ScpiError(-221)
            levels = np.geomspace(start, stop, points)
        else:
            levels = np.linspace(start, stop, points)
        ordered: list[float] = levels.tolist()
        return ordered[::-1] if self.settings.word("SWE DIR") == "DOWN" else ordered

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Trigger model and sweep commands."""
        yield from self.settings.commands()
        yield Command(":INITiate[:IMMediate]", lambda _: self.initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: self._abort_command(), takes=(0, 0))
        yield Command(":TRIGger:CLEar", lambda _: None, takes=(0, 0))
        yield Command(
            ":TRIGger[:SEQuence[1]]:COUNt",
            self._write_trigger_count,
            lambda p: str(p.whole(1, LARGEST_COUNT, 1) if len(p) else self.trigger_count),
            asks=(0, 1),
        )
        yield Command(
            ":ARM[:SEQuence[1]][:LAYer[1]]:COUNt",
            self._write_arm_count,
            lambda p: self._arm_count(p),
            asks=(0, 1),
        )
        for function in FUNCTIONS:
            yield from self._sweep_commands(function)

    def _abort_command(self) -> None:
        self.abort()
        self._supply.apply()

    def _write_trigger_count(self, parameters: Parameters) -> None:
        count = parameters.whole(1, LARGEST_COUNT, 1)
        if math.isfinite(self.arm_count) and count * self.arm_count > LARGEST_COUNT:
            raise ScpiError(-222)
        self.trigger_count = count

    def _write_arm_count(self, parameters: Parameters) -> None:
        count = parameters.number(1, math.inf, 1)
        if math.isinf(count):
            self.arm_count = count
        elif round(count) * self.trigger_count > LARGEST_COUNT:
            raise ScpiError(-222)
        else:
            self.arm_count = round(count)

    def _arm_count(self, parameters: Parameters) -> str:
        count = parameters.number(1, LARGEST_COUNT, 1) if len(parameters) else self.arm_count
        return f"{count:.0f}" if math.isfinite(count) else exponent(count)

    def _sweep_commands(self, function: str) -> Iterator[Command]:
        path = f"[:SOURce[1]]:{FUNCTIONS[function]}"
        for name in ("STARt", "STOP", "STEP", "SPAN", "CENTer"):
            yield Command(
                f"{path}:{name}",
                partial(self._write_span, function, name),
                partial(self._span, function, name),
            )
        path = f"[:SOURce[1]]:LIST:{FUNCTIONS[function]}"
        most = (1, LARGEST_WRITE)
        yield Command(
            path,
            partial(self._write_list, function, False),
            lambda _: ",".join(f"{level:+.6E}" for level in self._lists[function]),
            takes=most,
        )
        yield Command(f"{path}:APPend", partial(self._write_list, function, True), takes=most)
        yield Command(f"{path}:POINts", query=lambda _: str(len(self._lists[function])))

    def _write_list(self, function: str, append: bool, parameters: Parameters) -> None:
        most = self._supply.largest(function)
        unit = UNITS[function]
        levels = [Parameters((text,)).number(-most, most, 0.0, unit) for text in parameters.rest()]
        whole = self._lists[function] + levels if append else levels
        if len(whole) > LARGEST_COUNT:
            raise ScpiError(-223)
        self._lists[function] = whole

    def _write_span(self, function: str, name: str, parameters: Parameters) -> None:
        """Start, stop, span and centre are coupled; the step follows, or sets the points."""
        most = self._supply.largest(function)
        value = parameters.number(-2 * most, 2 * most, 0.0, UNITS[function])
        start, stop = self._spans[function]
        middle, span = (start + stop) / 2, stop - start
        if name == "STEP":
            if value == 0.0:
                raise ScpiError(-222)
            points = round(abs(span / value)) + 1
            if span != 0.0 and not 2 <= points <= LARGEST_COUNT:
                raise ScpiError(-222)
            self.settings.put("SWE POIN", float(max(2, points)))
            return
        start, stop = {
            "STARt": (value, stop),
            "STOP": (start, value),
            "SPAN": (middle - value / 2, middle + value / 2),
            "CENTer": (value - span / 2, value + span / 2),
        }[name]
        if max(abs(start), abs(stop)) > most * (1 + 1e-9):
            raise ScpiError(-222)
        self._spans[function] = (start, stop)

    def _span(self, function: str, name: str, _: Parameters) -> str:
        start, stop = self._spans[function]
        step = (stop - start) / (self.settings.number("SWE POIN") - 1)
        return exponent(
            {
                "STARt": start,
                "STOP": stop,
                "STEP": step,
                "SPAN": stop - start,
                "CENTer": (start + stop) / 2,
            }[name]
        )

    def _changed(self, name: str) -> None:
        """A start place beyond the list is pulled back to its end."""
        for function, listed in self._lists.items():
            if name == f"LIST {function} START":
                self.settings.put(name, float(min(self.settings.whole(name), len(listed))))


def _declared() -> Iterator[Number | Flag | Choice]:
    modes = ("FIXed", "SWEep", "LIST")
    for name, word in FUNCTIONS.items():
        yield Choice(f"[:SOURce[1]]:{word}:MODE", f"{name} MODE", "FIX", modes)
        header = f"[:SOURce[1]]:LIST:{word}:STARt"
        yield Number(header, f"LIST {name} START", 1.0, 1.0, LARGEST_COUNT, whole=True)
    sweep = "[:SOURce[1]]:SWEep"
    yield Choice(f"{sweep}:SPACing", "SWE SPAC", "LIN", ("LINear", "LOGarithmic"))
    yield Number(f"{sweep}:POINts", "SWE POIN", LARGEST_COUNT, 2.0, LARGEST_COUNT, whole=True)
    yield Choice(f"{sweep}:DIRection", "SWE DIR", "UP", ("UP", "DOWN"))
    yield Choice(f"{sweep}:RANGing", "SWE RANG", "BEST", ("BEST", "AUTO", "FIXed"))
    yield Choice(f"{sweep}:CABort", "SWE CAB", "NEV", ("NEVer", "EARLy", "LATE"))
    arm, trigger = ":ARM[:SEQuence[1]][:LAYer[1]]", ":TRIGger[:SEQuence[1]]"
    events = ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")
    yield Choice(f"{arm}:SOURce", "ARM SOUR", "IMM", events)
    yield Number(f"{arm}:TIMer", "ARM TIM", 0.1, 0.001, 99999.99, "S")
    yield Choice(f"{trigger}:SOURce", "TRIG SOUR", "IMM", ("IMMediate", "TLINk"))
    yield Number(f"{trigger}:DELay", "TRIG DEL", 0.0, 0.0, 999.9999, "S")
    for path, name in ((arm, "ARM"), (trigger, "TRIG")):
        wiring = f"{path}[:TCONfigure]"
        yield Choice(f"{wiring}:DIRection", f"{name} DIR", "ACC", ("SOURce", "ACCeptor"))
        yield Number(f"{wiring}[:ASYNchronous]:ILINe", f"{name} ILIN", 1.0, 1.0, 4.0, whole=True)
        yield Number(f"{wiring}[:ASYNchronous]:OLINe", f"{name} OLIN", 2.0, 1.0, 4.0, whole=True)
    yield Choice(f"{arm}[:TCONfigure]:OUTPut", "ARM OUTP", "NONE", ("TENTer", "TEXit", "NONE"))
    outputs = ("SOURce", "DELay", "SENSe", "NONE")
    yield Choice(f"{trigger}[:TCONfigure][:ASYNchronous]:OUTPut", "TRIG OUTP", "NONE", outputs)
    yield Choice(f"{trigger}[:TCONfigure][:ASYNchronous]:INPut", "TRIG INP", "NONE", outputs)
    yield Flag(":SYSTem:TIME:RESet:AUTO", "TIME AUTO", False)
