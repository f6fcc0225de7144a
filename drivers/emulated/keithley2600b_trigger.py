"""The trigger model of one channel of an emulated Keithley 2600B: sweeps.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, "Using the remote trigger model"
and smuX.trigger.*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from drivers.emulated.keithley2600b_meter import FUNCTIONS, Meter
from drivers.emulated.keithley2600b_source import AMPS, VOLTS, Source
from drivers.emulated.tsp.buffers import ReadingBuffer
from drivers.emulated.tsp.errors import ErrorQueue, TspError
from drivers.emulated.tsp.events import EventBus, Process
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["TriggerModel"]

_ENDLESS = 1_000_000  # what a count of 0 comes to
_LONGEST_LIST = 1_000_000
_IDLE, _HOLD = 0.0, 1.0
_LAYERS = ("arm", "source", "measure", "endpulse")
_EVENTS = (
    "SWEEPING",
    "ARMED",
    "SOURCE_COMPLETE",
    "MEASURE_COMPLETE",
    "PULSE_COMPLETE",
    "SWEEP_COMPLETE",
    "IDLE",
)


class TriggerModel:
    """Arm, source, measure and end-of-pulse layers, and the sweep they carry out.

    Args:
        source: what it steps.
        meter: what it reads.
        bus: events.
        errors: takes those of a sweep that is under way.
        buffer_of: the buffer behind a table that a script gave.

    Attributes:
        table: ``smuX.trigger``.
    """

    def __init__(
        self,
        source: Source,
        meter: Meter,
        bus: EventBus,
        errors: ErrorQueue,
        buffer_of: Callable[[Any], ReadingBuffer],
    ) -> None:
        self._source = source
        self._meter = meter
        self._bus = bus
        self._errors = errors
        self._buffer_of = buffer_of
        self._process: Process | None = None
        self._unseen = False
        self._detectors = {layer: bus.detector() for layer in _LAYERS}
        self._events = {name: bus.new_event() for name in _EVENTS}
        self.table = TspTable()
        self._layers = {layer: self.table.table(layer) for layer in _LAYERS}
        self._endsweep = self.table.table("endsweep")
        self._declare()
        self._forget()

    def reset(self) -> None:
        """``smuX.reset()``: no sweep under way, none configured."""
        self.abort()
        self.table.reset()
        for detector in self._detectors.values():
            detector.stimulus = 0
            detector.clear()
        self._forget()

    def _forget(self) -> None:
        self._levels: list[float] = []
        self._functions = ""
        self._buffers: list[ReadingBuffer] = []

    # -- a sweep

    @property
    def sweeping(self) -> bool:
        """Whether a sweep is under way."""
        return self._process is not None

    def sweeping_seen(self) -> bool:
        """As the status model shows it: a sweep that has just ended is seen once.

        Emulated sweeps take no time of the client's; one that polls would miss them.
        """
        seen, self._unseen = self._unseen, False
        return self.sweeping or seen

    def waited(self) -> None:
        """A client waited for the end; nothing is left to be seen."""
        self._unseen = False

    def initiate(self) -> None:
        """``smuX.trigger.initiate()``."""
        if self.sweeping:
            raise TspError(5041)
        for detector in self._detectors.values():
            detector.clear()
        self._meter.begin(self._buffers)
        self._process = self._sweep()
        self._unseen = True
        self._bus.start(self._process)

    def abort(self) -> None:
        """``smuX.abort()``: the sweep ends, the output goes back to its level."""
        process, self._process = self._process, None
        self._unseen = False
        if process is not None:
            self._bus.stop(process)
            self._source.force(None)

    def _sweep(self) -> Process:
        self._post("SWEEPING")
        for _ in range(int(self._layers["arm"]["count"]) or _ENDLESS):
            yield self._detectors["arm"]
            self._post("ARMED")
            for index in range(int(self.table["count"]) or _ENDLESS):
                yield from self._point(index)
            if self._endsweep["action"] == _IDLE:
                self._source.force(None)
            self._post("SWEEP_COMPLETE")
        self._process = None
        self._post("IDLE")

    def _point(self, index: int) -> Process:
        yield self._detectors["source"]
        if self._levels and self._layers["source"]["action"]:
            self._step(self._levels[index % len(self._levels)])
            yield max(0.0, self._source.table["delay"])
        self._post("SOURCE_COMPLETE")
        yield self._detectors["measure"]
        if self._functions and self._layers["measure"]["action"]:
            yield from self._read()
        self._post("MEASURE_COMPLETE")
        yield self._detectors["endpulse"]
        if self._layers["endpulse"]["action"] == _IDLE:
            self._source.force(None)
        self._post("PULSE_COMPLETE")

    def _step(self, level: float) -> None:
        limit = self._layers["source"][f"limit{AMPS if self._source.function == VOLTS else VOLTS}"]
        try:
            self._source.force(level, limit or None)
        except TspError as error:
            self._errors.put(error)

    def _read(self) -> Process:
        for seconds in self._meter.waits():
            yield seconds
            reading = self._meter.sample()
            for function, buffer in zip(self._functions, self._buffers, strict=True):
                try:
                    self._meter.store(function, reading, buffer)
                except TspError as error:
                    self._errors.put(error)

    def _post(self, event: str) -> None:
        self._bus.post(self._events[event])

    # -- what scripts see

    def _declare(self) -> None:
        table = self.table
        table.constants({f"{name}_EVENT_ID": event for name, event in self._events.items()})
        table.number("count", 1.0, 0.0, 1e9)
        table.choice("autoclear", 0.0, (0.0, 1.0))
        table.function("initiate", self.initiate)
        for name, layer in self._layers.items():
            self._declare_detector(name, layer)
        self._layers["arm"].number("count", 1.0, 0.0, 1e9)
        self._layers["source"].choice("action", 0.0, (0.0, 1.0))
        self._layers["measure"].choice("action", 0.0, (0.0, 1.0, 2.0))
        self._layers["endpulse"].choice("action", _IDLE, (_IDLE, _HOLD))
        self._endsweep.choice("action", _IDLE, (_IDLE, _HOLD))
        self._declare_source(self._layers["source"])
        measure = self._layers["measure"]
        for name in (*FUNCTIONS, "iv"):
            measure.function(name, partial(self._set_measure, name))

    def _declare_detector(self, name: str, layer: TspTable) -> None:
        detector = self._detectors[name]

        def write(value: Any) -> None:
            detector.stimulus = int(number(value))

        layer.attribute("stimulus", lambda: detector.stimulus, write)
        layer.function("set", detector.set)
        layer.attribute("overrun", lambda: False)

    def _declare_source(self, source: TspTable) -> None:
        for name in (VOLTS, AMPS):
            source.number(f"limit{name}", 0.0, 0.0, 1e3)  # 0: that of the source (LIMIT_AUTO)
            source.function(f"list{name}", self._set_list)
            source.function(f"linear{name}", self._set_linear)
            source.function(f"log{name}", self._set_log)

    def _set_list(self, levels: Any) -> None:
        if not isinstance(levels, list):
            raise TspError(-104)
        if not levels:
            raise TspError(-109)
        self._levels = [number(level) for level in levels]

    def _set_linear(self, start: Any, stop: Any, points: Any) -> None:
        self._levels = np.linspace(number(start), number(stop), _points(points)).tolist()

    def _set_log(self, start: Any, stop: Any, points: Any, asymptote: Any = 0.0) -> None:
        base = number(asymptote)
        first, last = number(start) - base, number(stop) - base
        if first * last <= 0:
            raise TspError(-224)
        self._levels = (np.geomspace(first, last, _points(points)) + base).tolist()

    def _set_measure(self, functions: str, *buffers: Any) -> None:
        if len(buffers) < len(functions):
            raise TspError(-109)
        self._functions = functions
        self._buffers = [self._buffer_of(buffer) for buffer in buffers[: len(functions)]]


def _points(value: Any) -> int:
    n_points = number(value)
    if not 1 <= n_points <= _LONGEST_LIST:
        raise TspError(1102 if n_points < 1 else 1101)
    return int(n_points)
