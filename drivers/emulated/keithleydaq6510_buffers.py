"""Reading buffers of an emulated Keithley DAQ6510, and readings as bytes.

Source: Model DAQ6510 Reference Manual, DAQ6510-901-01, "TRACe" and "FORMat subsystem".
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from drivers.emulated.keithleydaq6510_events import Calendar
from drivers.emulated.scanner_meter import OVERFLOW
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Number, Settings
from drivers.emulated.scpi.values import matches

__all__ = ["Buffers", "Reading", "ReadingBuffer"]

DEFAULT_BUFFERS = ("defbuffer1", "defbuffer2")
DEFAULT_SIZE, LARGEST_SIZE = 100_000, 7_000_000
AUTOMATIC_DIGITS = 10
OVERFLOW_STATUS = 8
_STATISTICS: dict[str, Callable[[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], float]] = {
    "AVERage": lambda values: float(values.mean()),
    "MAXimum": lambda values: float(values.max()),
    "MINimum": lambda values: float(values.min()),
    "PK2Pk": lambda values: float(np.ptp(values)),
    "STDDev": lambda values: float(values.std(ddof=1)) if len(values) > 1 else 0.0,
}
_ELEMENTS = (
    "READing",
    "RELative",
    "CHANnel",
    "UNIT",
    "FORMatted",
    "STATus",
    "DATE",
    "TIME",
    "TSTamp",
    "SEConds",
    "FRACtional",
    "EXTRa",
)
_BINARY_ELEMENTS = ("READing", "RELative", "EXTRa")  # manual, TRACe:DATA?, Details


class Reading(NamedTuple):
    """One reading; ``seconds`` is the world's time, ``channel`` 0 for none."""

    value: float
    unit: str
    channel: int
    seconds: float


class ReadingBuffer:
    """Readings in their order; a continuous one drops its oldest when it is full."""

    def __init__(self, size: int) -> None:
        self.continuous = True
        self.resize(size)

    def resize(self, size: int) -> None:
        """Another capacity; forgets all readings."""
        self.size = size
        self.readings: deque[Reading] = deque()
        self._first_seconds = 0.0

    def store(self, reading: Reading) -> None:
        """Append a reading.

        Raises:
            ScpiError: 4915, the buffer is full and not continuous.
        """
        if not self.readings:
            self._first_seconds = reading.seconds
        if len(self.readings) >= self.size:
            if not self.continuous:
                raise ScpiError(4915, "Attempting to store past the capacity of reading buffer")
            self.readings.popleft()
        self.readings.append(reading)

    def age(self, reading: Reading) -> float:
        """Seconds since the first reading that was stored."""
        return reading.seconds - self._first_seconds


class Buffers:
    """All buffers by name, ``TRACe`` and ``FORMat``.

    Args:
        calendar: dates of readings.
        look: called before the readings are looked at, for a scan that never ends.
    """

    def __init__(self, calendar: Calendar, look: Callable[[], None]) -> None:
        self._calendar = calendar
        self._look = look
        self.settings = Settings(_declared(), lambda _: None)
        self.reset()

    def reset(self) -> None:
        """The two default buffers, empty; ASCII."""
        self.settings.reset()
        self._named = {name: ReadingBuffer(DEFAULT_SIZE) for name in DEFAULT_BUFFERS}

    def __getitem__(self, name: str) -> ReadingBuffer:
        """A buffer.

        Raises:
            ScpiError: 1133, there is none of that name.
        """
        try:
            return self._named[name.lower()]
        except KeyError:
            raise ScpiError(1133, "Parameter error, reading buffer not found") from None

    def named(self, parameters: Parameters) -> ReadingBuffer:
        """The buffer of an optional quoted name."""
        return self[parameters.string()] if len(parameters) else self[DEFAULT_BUFFERS[0]]

    def last(self, buffer: ReadingBuffer, parameters: Parameters) -> Reply:
        """The newest reading with the elements asked for.

        Raises:
            ScpiError: -230 if there is none.
        """
        if not buffer.readings:
            raise ScpiError(-230)
        return self._spelled(buffer, [buffer.readings[-1]], parameters)

    def commands(self) -> Iterator[Command]:
        """``TRACe`` and ``FORMat``."""
        yield from self.settings.commands()
        yield Command(":TRACe:MAKE", self._make, takes=(2, 3))
        yield Command(":TRACe:DELete", self._delete)
        yield Command(":TRACe:CLEar", self._clear, takes=(0, 1))
        yield Command(":TRACe:POINts", self._resize, self._size, takes=(1, 2), asks=(0, 1))
        yield Command(":TRACe:DATA", query=self._data, asks=(2, 16))
        yield Command(":TRACe:ACTual", query=lambda p: str(self._count(p)), asks=(0, 1))
        yield Command(
            ":TRACe:ACTual:STARt", query=lambda p: str(min(1, self._count(p))), asks=(0, 1)
        )
        yield Command(":TRACe:ACTual:END", query=lambda p: str(self._count(p)), asks=(0, 1))
        yield Command(":TRACe:FILL:MODE", self._fill, self._filling, takes=(1, 2), asks=(0, 1))
        yield Command(":TRACe:STATistics:CLEar", lambda _: None, takes=(0, 1))
        for word, statistic in _STATISTICS.items():
            yield Command(
                f":TRACe:STATistics:{word}",
                query=lambda p, s=statistic: self._statistic(s, p),  # type: ignore[misc]
                asks=(0, 1),
            )

    def _make(self, parameters: Parameters) -> None:
        name, size = parameters.string(), parameters.whole(10, LARGEST_SIZE)
        if len(parameters):
            parameters.word(("COMPact", "STANdard", "FULL", "WRITable", "FULLWRITable"))
        if not name.isidentifier():
            raise ScpiError(-151)
        if name.lower() in self._named:
            raise ScpiError(1115, "Parameter error, reading buffer name already in use")
        self._named[name.lower()] = ReadingBuffer(size)

    def _delete(self, parameters: Parameters) -> None:
        name = parameters.string()
        self[name]
        if name.lower() in DEFAULT_BUFFERS:
            raise ScpiError(-221)
        del self._named[name.lower()]

    def _clear(self, parameters: Parameters) -> None:
        self.named(parameters).readings.clear()

    def _resize(self, parameters: Parameters) -> None:
        size = parameters.whole(0, LARGEST_SIZE)
        self.named(parameters).resize(size if size >= 10 else DEFAULT_SIZE if size == 0 else 10)

    def _size(self, parameters: Parameters) -> str:
        return str(self.named(parameters).size)

    def _count(self, parameters: Parameters) -> int:
        self._look()
        return len(self.named(parameters).readings)

    def _fill(self, parameters: Parameters) -> None:
        continuous = parameters.word(("CONTinuous", "ONCE")) == "CONT"
        self.named(parameters).continuous = continuous

    def _filling(self, parameters: Parameters) -> str:
        return "CONT" if self.named(parameters).continuous else "ONCE"

    def _data(self, parameters: Parameters) -> Reply:
        self._look()
        first, last = parameters.whole(1, LARGEST_SIZE), parameters.whole(1, LARGEST_SIZE)
        buffer = self.named(parameters)
        if not first <= last <= len(buffer.readings):
            raise ScpiError(-222)
        # Slicing a list: a deque is slow in its middle.
        return self._spelled(buffer, list(buffer.readings)[first - 1 : last], parameters)

    def _statistic(
        self,
        statistic: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], float],
        parameters: Parameters,
    ) -> str:
        values = [reading.value for reading in self.named(parameters).readings]
        if not values:
            raise ScpiError(-230)
        return f"{statistic(np.array(values)):.9E}"

    def _spelled(
        self, buffer: ReadingBuffer, readings: Sequence[Reading], parameters: Parameters
    ) -> Reply:
        """Readings in the present format, each with the elements that are left to be read."""
        kind = self.settings.word("FORM")
        allowed = _ELEMENTS if kind == "ASC" else _BINARY_ELEMENTS
        elements = []
        for text in parameters.rest():
            element = next((word for word in allowed if matches(text, word)), None)
            if element is None:
                raise ScpiError(1133, "Parameter 4, Syntax error, expected valid name parameters")
            elements.append(element)
        elements = elements or ["READing"]
        if kind == "ASC":
            fields = (self._field(e, buffer, r) for r in readings for e in elements)
            return ",".join(fields)
        numbers = [
            {"READing": r.value, "RELative": buffer.age(r)}.get(e, 0.0)
            for r in readings
            for e in elements
        ]
        order = "<" if self.settings.word("BORD") == "SWAP" else ">"
        letter = "d" if kind == "REAL" else "f"
        limit = OVERFLOW if kind == "REAL" else 3.0e38
        clipped = [max(-limit, min(limit, number)) for number in numbers]
        return b"#0" + struct.pack(f"{order}{len(clipped)}{letter}", *clipped)

    def _field(self, element: str, buffer: ReadingBuffer, reading: Reading) -> str:
        if element == "READing":
            digits = self.settings.whole("PREC") or AUTOMATIC_DIGITS
            return f"{reading.value:.{digits - 1}E}"
        if element == "RELative":
            return f"{buffer.age(reading):.9f}"
        if element == "CHANnel":
            return str(reading.channel) if reading.channel else "Rear"
        moment = self._calendar.at(reading.seconds)
        time = f"{moment:%H:%M:%S.%f}000"
        return {
            "UNIT": reading.unit,
            "FORMatted": f"{reading.value:+.6g} {reading.unit}",
            "STATus": str(OVERFLOW_STATUS if abs(reading.value) >= OVERFLOW else 0),
            "DATE": f"{moment:%m/%d/%Y}",
            "TIME": time,
            "TSTamp": f"{moment:%m/%d/%Y} {time}",
            "SEConds": str(int(reading.seconds)),
            "FRACtional": f"{reading.seconds % 1:.9f}",
            "EXTRa": "0",
        }[element]


def _declared() -> tuple[Choice | Number, ...]:
    return (
        Choice(":FORMat[:DATA]", "FORM", "ASC", ("ASCii", "REAL", "SREal")),
        Choice(":FORMat:BORDer", "BORD", "SWAP", ("NORMal", "SWAPped")),
        Number(":FORMat:ASCii:PRECision", "PREC", 0.0, 0.0, 16.0, whole=True),
        Choice(":TRACe:LOG:STATe", "LOG", "OFF", ("OFF", "ON")),
    )
