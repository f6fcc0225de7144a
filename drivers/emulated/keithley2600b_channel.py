"""One channel of an emulated Keithley 2600B as scripts see it: ``smua`` or ``smub``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from drivers.emulated.keithley2600b_meter import FUNCTIONS, Meter
from drivers.emulated.keithley2600b_models import Smu2600Model
from drivers.emulated.keithley2600b_source import AMPS, VOLTS, Source
from drivers.emulated.keithley2600b_trigger import TriggerModel
from drivers.emulated.tsp.buffers import ReadingBuffer
from drivers.emulated.tsp.errors import ErrorQueue, TspError
from drivers.emulated.tsp.events import EventBus
from drivers.emulated.tsp.objects import TspTable, number
from drivers.emulated.world import Channel, World

__all__ = ["SmuChannel"]

_NV_CAPACITY = 140_000
_LARGEST_BUFFER = 1_000_000
_CONTACT_OHMS = 0.5
_CONSTANTS = {
    "OUTPUT_OFF": 0,
    "OUTPUT_ON": 1,
    "OUTPUT_HIGH_Z": 2,
    "OUTPUT_NORMAL": 0,
    "OUTPUT_ZERO": 1,
    "OUTPUT_DCAMPS": 0,
    "OUTPUT_DCVOLTS": 1,
    "SENSE_LOCAL": 0,
    "SENSE_REMOTE": 1,
    "SENSE_CALA": 3,
    "AUTORANGE_OFF": 0,
    "AUTORANGE_ON": 1,
    "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0,
    "AUTOZERO_ONCE": 1,
    "AUTOZERO_AUTO": 2,
    "DISABLE": 0,
    "ENABLE": 1,
    "ASYNC": 2,
    "DELAY_OFF": 0,
    "DELAY_AUTO": -1,
    "FILTER_OFF": 0,
    "FILTER_ON": 1,
    "FILTER_MOVING_AVG": 0,
    "FILTER_REPEAT_AVG": 1,
    "FILTER_MEDIAN": 2,
    "REL_OFF": 0,
    "REL_ON": 1,
    "SETTLE_SMOOTH": 0,
    "SETTLE_FAST_RANGE": 1,
    "SETTLE_FAST_POLARITY": 2,
    "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_FAST_ALL": 128,
    "SOURCE_IDLE": 0,
    "SOURCE_HOLD": 1,
    "LIMIT_AUTO": 0,
    "OE_NONE": 0,
    "OE_OUTPUT_OFF": 1,
    "FILL_ONCE": 0,
    "FILL_WINDOW": 1,
    "CONTACT_FAST": 0,
    "CONTACT_MEDIUM": 1,
    "CONTACT_SLOW": 2,
}


class SmuChannel:
    """Source, meters, trigger model and buffers of a channel.

    Args:
        name: ``smua`` or ``smub``.
        model: ranges and figures.
        channel: its terminals.
        world: what they are wired to.
        bus: trigger events of the instrument.
        errors: the instrument's error queue.
        random: for errors and noise; None: ideal.

    Attributes:
        table: what scripts see.
    """

    def __init__(
        self,
        name: str,
        model: Smu2600Model,
        channel: Channel,
        world: World,
        bus: EventBus,
        errors: ErrorQueue,
        random: np.random.Generator | None,
    ) -> None:
        self.name = name
        self.source = Source(model, channel, world, random)
        self.meter = Meter(model, self.source, world, random)
        self._buffers: dict[int, ReadingBuffer] = {}
        self._nv_buffers = [ReadingBuffer(_NV_CAPACITY) for _ in range(2)]
        self.trigger = TriggerModel(self.source, self.meter, bus, errors, _buffer_of)
        self.table = TspTable()
        self._declare()

    def reset(self) -> None:
        """``smuX.reset()``: as after power on; the nonvolatile buffers keep their readings."""
        self.trigger.reset()
        self.table["sense"] = 0.0
        self.meter.four_wire = False
        self.source.reset()
        self.meter.reset()

    def condition(self) -> int:
        """The measurement conditions: voltage limit, current limit, overflow, readings."""
        compliant = self.source.compliant()
        return (
            1 * (compliant == VOLTS)
            | 2 * (compliant == AMPS)
            | 0x80 * self.meter.overflowed
            | 0x100 * any(len(buffer) for buffer in self._nv_buffers)
        )

    # -- what scripts see

    def _declare(self) -> None:
        table = self.table
        table.constants(_CONSTANTS)
        table.table("source", self.source.table)
        table.table("measure", self.meter.table)
        table.table("trigger", self.trigger.table)
        for index, buffer in enumerate(self._nv_buffers, start=1):
            table.table(f"nvbuffer{index}", buffer.table)
        table.choice("sense", 0.0, (0.0, 1.0, 3.0))
        table.on_change = self._changed
        table.function("reset", self.reset)
        table.function("abort", self.trigger.abort)
        table.function("makebuffer", _make_buffer)
        table.function("savebuffer", lambda _: None)
        table.table("buffer").function("getstats", _statistics)
        contact = table.table("contact")
        contact.number("threshold", 50.0, 0.0, 1e6)
        contact.choice("speed", 0.0, (0.0, 1.0, 2.0))
        contact.function("check", lambda: True)
        contact.function("r", lambda: (_CONTACT_OHMS, _CONTACT_OHMS))
        for functions in (*FUNCTIONS, "iv"):
            measure = partial(self._measure, functions)
            self.meter.table.function(functions, measure)
            self.meter.table.function(f"overlapped{functions}", partial(self._overlap, measure))
            table.function(f"measure{functions}andstep", partial(self._step, functions))

    def _changed(self, name: str) -> None:
        self.meter.four_wire = self.table["sense"] == 1.0

    def _measure(self, functions: str, *buffers: Any) -> tuple[float, ...]:
        self._refuse_while_sweeping()
        return self.meter.measure(functions, [_buffer_of(buffer) for buffer in buffers])

    def _overlap(self, measure: Callable[..., Any], *buffers: Any) -> None:
        """In the background: here at once, as nobody can see the difference."""
        measure(*buffers)

    def _step(self, functions: str, level: Any) -> tuple[float, ...]:
        """Measure, then set the next level."""
        readings = self._measure(functions)
        self.source.table.setters[f"level{self.source.function}"](number(level))
        return readings

    def _refuse_while_sweeping(self) -> None:
        if self.trigger.sweeping:
            raise TspError(5041)


def _make_buffer(capacity: Any) -> TspTable:
    wanted = number(capacity)
    if not 1 <= wanted <= _LARGEST_BUFFER:
        raise TspError(-225 if wanted > 1 else 1102)
    return ReadingBuffer(int(wanted)).table


def _buffer_of(table: Any) -> ReadingBuffer:
    buffer = getattr(table, "owner", None)
    if not isinstance(buffer, ReadingBuffer):
        raise TspError(-104)
    return buffer


def _statistics(table: Any) -> TspTable:
    """``smuX.buffer.getstats``: a table with mean, standard deviation, minimum, maximum."""
    readings = np.array(_buffer_of(table).readings)
    stats = TspTable()
    values = {"n": float(readings.size)}
    if readings.size:
        deviation = float(readings.std(ddof=1)) if readings.size > 1 else 0.0
        values |= {"mean": float(readings.mean()), "stddev": deviation}
    stats.constants(values)
    for name, extreme in (("min", min), ("max", max)):
        entry = stats.table(name)
        if readings.size:
            entry.constants({"reading": float(extreme(readings))})
    return stats
