"""The meters of one channel of an emulated Keithley 2600B: ranges, aperture, filter, buffers.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, smuX.measure.*. Voltage and current
are measured at once, by two converters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.keithley2600b_models import Smu2600Model
from drivers.emulated.keithley2600b_source import AMPS, VOLTS, Source
from drivers.emulated.tsp.buffers import BufferEntry, ReadingBuffer
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number
from drivers.emulated.world import World

__all__ = ["OVERFLOW", "Meter", "Reading2600"]

OVERFLOW = 9.91e37
OHMS, WATTS = "r", "p"
FUNCTIONS = (VOLTS, AMPS, OHMS, WATTS)
_NAMES = {VOLTS: "Voltage", AMPS: "Current", OHMS: "Ohms", WATTS: "Watts"}
_AUTO_DELAY_SECONDS = 1e-3
_AUTOZERO_AUTO = 2.0
_STATUS_AUTO_METER, _STATUS_AUTO_SOURCE, _STATUS_4_WIRE = 4, 8, 16
_STATUS_REL, _STATUS_COMPLIANCE, _STATUS_FILTER = 32, 64, 128


class Reading2600(NamedTuple):
    """One reading of every function, and its status byte."""

    v: float
    i: float
    r: float
    p: float
    status: int

    def of(self, function: str) -> float:
        """The value of a function."""
        return float(getattr(self, function))


class Meter:
    """Measures at the terminals of a source.

    Args:
        model: ranges and figures.
        source: what it shares its terminals with.
        world: whose time passes while it integrates.
        random: for errors and noise; None: ideal.

    Attributes:
        table: ``smuX.measure``.
        four_wire: whether remote sense is on.
        line_hertz: power line frequency.
        overflowed: whether the last reading was beyond its range.
    """

    def __init__(
        self,
        model: Smu2600Model,
        source: Source,
        world: World,
        random: np.random.Generator | None,
    ) -> None:
        self._model = model
        self._source = source
        self._world = world
        self._ranges: dict[str, tuple[Range, ...]] = {
            VOLTS: model.sense_volts,
            AMPS: model.sense_amps,
        }
        self._converters = {name: Converter(r, random) for name, r in self._ranges.items()}
        self._range_index = {VOLTS: 0, AMPS: 0}
        self.four_wire = False
        self.line_hertz = 60.0
        self.overflowed = False
        self.table = TspTable()
        self._filter = self.table.table("filter")
        self._rel = self.table.table("rel")
        self._declare()
        self.table.on_change = lambda name: self._changed(name)

    def reset(self) -> None:
        """``smuX.reset()``."""
        self.table.reset()
        self._range_index = {VOLTS: 0, AMPS: 0}
        self.overflowed = False
        self.follow_ranges()

    @property
    def aperture_seconds(self) -> float:
        """How long one reading takes, filter included."""
        n_zeros = 3 if self.table["autozero"] == _AUTOZERO_AUTO else 1
        n_readings = self._filter["count"] if self._filter["enable"] else 1
        return float(self.table["nplc"] / self.line_hertz * n_zeros * n_readings)

    @property
    def delay_seconds(self) -> float:
        """The wait before a reading."""
        delay = self.table["delay"]
        return float(_AUTO_DELAY_SECONDS * self.table["delayfactor"] if delay < 0 else delay)

    @property
    def n_readings(self) -> int:
        """Readings of one measurement."""
        return int(self.table["count"])

    def follow_ranges(self) -> None:
        """Tell the source where a fixed measuring range limits below the compliance."""
        for name, ranges in self._ranges.items():
            fixed = not self.table[f"autorange{name}"]
            largest = ranges[self._range_index[name]].largest
            self._source.ceilings[name] = largest if fixed else math.inf
        self._source.apply()

    def sample(self) -> Reading2600:
        """What the meters say now, without waiting."""
        true = self._source.reading()
        volts, amps = self._measured(VOLTS, true.volts), self._measured(AMPS, true.amps)
        over = OVERFLOW in (abs(volts), abs(amps))
        self.overflowed = over
        ohms = OVERFLOW if over or amps == 0.0 else volts / amps
        watts = OVERFLOW if over else volts * amps
        values = dict(zip(FUNCTIONS, (volts, amps, ohms, watts), strict=True))
        for name in FUNCTIONS:
            if self._rel[f"enable{name}"] and abs(values[name]) != OVERFLOW:
                values[name] -= self._rel[f"level{name}"]
        status = self._status(self._source.output_on and true.limited)
        return Reading2600(values[VOLTS], values[AMPS], values[OHMS], values[WATTS], status)

    def waits(self) -> Iterator[float]:
        """The waits of one measurement: before each of its readings, in seconds."""
        interval = self.table["interval"]
        for index in range(self.n_readings):
            seconds = self.delay_seconds + self.aperture_seconds
            yield max(seconds, interval) if index else seconds

    def begin(self, buffers: list[ReadingBuffer]) -> None:
        """A measurement begins: buffers that do not append start empty."""
        for buffer in buffers:
            if not buffer.appends:
                buffer.clear()

    def store(self, function: str, reading: Reading2600, buffer: ReadingBuffer) -> None:
        """Put a reading into a buffer."""
        source = self._source.function
        used = self._range_used(function)
        buffer.store(
            BufferEntry(
                reading=reading.of(function),
                source_value=self._source.level,
                seconds=self._world.now_seconds,
                status=reading.status,
                measure_function=_NAMES[function],
                measure_range=used,
                source_function=_NAMES[source],
                source_range=self._source.range_of(source).nominal,
                output_state="On" if self._source.output_on else "Off",
            )
        )

    def measure(self, functions: str, buffers: list[ReadingBuffer]) -> tuple[float, ...]:
        """Measure as often as ``count`` says, and return the last reading of each function."""
        self.begin(buffers)
        reading = None
        for seconds in self.waits():
            self._world.elapse(seconds)
            reading = self.sample()
            for function, buffer in zip(functions, buffers, strict=False):
                self.store(function, reading, buffer)
        if reading is None:
            return ()
        return tuple(reading.of(function) for function in functions)

    # -- inside

    def _measured(self, name: str, true: float) -> float:
        ranges = self._ranges[name]
        if name == self._source.function and self._source.output_on:
            nominal = self._source.range_of(name).nominal
            index = next(i for i, r in enumerate(ranges) if r.nominal >= nominal * (1 - 1e-9))
        elif self.table[f"autorange{name}"]:
            wanted = max(abs(true), self.table[f"lowrange{name}"])
            found = fitting(ranges, wanted)
            index = self._range_index[name] = len(ranges) - 1 if found is None else found
        else:
            index = self._range_index[name]
        if abs(true) > ranges[index].largest * (1 + 1e-6):
            return math.copysign(OVERFLOW, true)
        cycles = self.table["nplc"]
        if self._filter["enable"]:
            cycles *= self._filter["count"]
        return self._converters[name].measured(true, index, cycles)

    def _status(self, limited: bool) -> int:
        """The status byte of a reading (manual, bufferVar.statuses)."""
        source = self._source
        other = AMPS if source.function == VOLTS else VOLTS
        bits = {
            _STATUS_AUTO_METER: self.table[f"autorange{other}"],
            _STATUS_AUTO_SOURCE: source.table[f"autorange{source.function}"],
            _STATUS_4_WIRE: self.four_wire,
            _STATUS_REL: any(self._rel[f"enable{name}"] for name in FUNCTIONS),
            _STATUS_COMPLIANCE: limited,
            _STATUS_FILTER: self._filter["enable"],
        }
        return sum(bit for bit, value in bits.items() if value)

    def _range_used(self, function: str) -> float:
        name = function if function in self._ranges else AMPS
        return self._range(name)

    def _range(self, name: str) -> float:
        if name == self._source.function and self._source.output_on:
            return self._source.range_of(name).nominal
        return self._ranges[name][self._range_index[name]].nominal

    def _write_range(self, name: str, value: Any) -> None:
        index = fitting(self._ranges[name], number(value))
        if index is None:
            raise TspError(1101)
        self._range_index[name] = index
        self.table[f"autorange{name}"] = 0.0
        self.follow_ranges()

    def _changed(self, name: str) -> None:
        if name.startswith("autorange"):
            self.follow_ranges()

    def _declare(self) -> None:
        table = self.table
        table.number("nplc", 1.0, 0.001, 25.0)
        table.choice("autozero", _AUTOZERO_AUTO, (0.0, 1.0, _AUTOZERO_AUTO))
        table.number("count", 1.0, 1.0, 100e3)
        table.number("delay", -1.0 if self._model.auto_delay else 0.0, -1.0, 1e6)
        table.number("delayfactor", 1.0, 0.0, 1e6)
        table.number("highcrangedelayfactor", 10.0, 1.0, 99.0)
        table.number("interval", 0.0, 0.0, 1.0)
        table.choice("analogfilter", 1.0, (0.0, 1.0))
        for name, ranges in self._ranges.items():
            table.choice(f"autorange{name}", 1.0, (0.0, 1.0, 2.0))
            table.number(f"lowrange{name}", ranges[0].nominal, 0.0, ranges[-1].largest)
            self._declare_range(name)
        self._filter.number("count", 1.0, 1.0, 100.0)
        self._filter.choice("enable", 0.0, (0.0, 1.0))
        self._filter.choice("type", 1.0, (0.0, 1.0, 2.0))
        for name in FUNCTIONS:
            self._rel.choice(f"enable{name}", 0.0, (0.0, 1.0))
            self._rel.number(f"level{name}", 0.0, -1e9, 1e9)

    def _declare_range(self, name: str) -> None:
        self.table.attribute(
            f"range{name}", lambda: self._range(name), lambda v: self._write_range(name, v)
        )
