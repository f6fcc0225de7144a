"""Reading buffers of an emulated Keithley 2450: TRACe, FORMat, and the elements of a reading.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B, sections 3 and 6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from drivers.emulated.keithley2450_events import moment
from drivers.emulated.keithley2450_sense import Sample
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Number, Settings
from drivers.emulated.scpi.values import matches
from drivers.emulated.source_measure import OVERFLOW

__all__ = ["Buffer", "Buffers", "Format"]

DEFAULT_SIZE = 100_000
LARGEST_SIZE = 6_875_000
MOST_ELEMENTS = 14
DEFAULTS = ("defbuffer1", "defbuffer2")
STYLES = ("COMPact", "STANdard", "FULL", "WRITable", "FULLWRITable")
_ELEMENTS = (
    "DATE FORMatted FRACtional READing RELative SEConds SOURce SOURFORMatted SOURSTATus SOURUNIT "
    "STATus TIME TSTamp UNIT EXTRa"
).split()
_IN_BINARY = ("READing", "RELative", "SOURce", "EXTRa")
_STATISTICS: dict[str, Callable[[np.ndarray[tuple[int], np.dtype[np.float64]]], float]] = {
    "AVERage": lambda column: float(column.mean()),
    "MAXimum": lambda column: float(column.max()),
    "MINimum": lambda column: float(column.min()),
    "STDDev": lambda column: float(column.std(ddof=1)) if len(column) > 1 else 0.0,
    "SPAN": lambda column: float(column.max() - column.min()),
}


class Buffer:
    """Some readings; a continuous buffer forgets its oldest ones, the other kind stops.

    Args:
        size: how many it holds.
        continuous: whether it goes on when it is full.
    """

    def __init__(self, size: int, continuous: bool) -> None:
        self.size = size
        self.continuous = continuous
        self.samples: list[Sample] = []

    def store(self, sample: Sample) -> None:
        """Keep a reading, if there is room or the buffer is continuous."""
        if len(self.samples) < self.size:
            self.samples.append(sample)
        elif self.continuous:
            del self.samples[0]
            self.samples.append(sample)

    def resize(self, size: int) -> None:
        """Another size, which empties it."""
        self.size = size
        self.samples.clear()


class Format:
    """``FORMat``: how readings are sent."""

    def __init__(self) -> None:
        self.settings = Settings(
            (
                Choice(":FORMat[:DATA]", "DATA", "ASC", ("ASCii", "REAL", "SREal")),
                Choice(":FORMat:BORDer", "BORD", "SWAP", ("NORMal", "SWAPped")),
                Number(":FORMat:ASCii:PRECision", "PREC", 0.0, 0.0, 16.0, whole=True),
            ),
            lambda _: None,
        )

    def number(self, value: float) -> str:
        """A reading in text; precision 0 is the instrument's choice of digits."""
        return f"{value:.{max(0, (self.settings.whole('PREC') or 7) - 1)}E}"

    def spelled(
        self, samples: Sequence[Sample], elements: Sequence[str], first_seconds: float
    ) -> Reply:
        """Readings as a reply.

        Args:
            samples: the readings.
            elements: what is sent of each, as named in the manual.
            first_seconds: when the buffer's first reading was made.

        Raises:
            ScpiError: 1133, an element that cannot be sent in binary.
        """
        kind = self.settings.word("DATA")
        if kind == "ASC":
            fields = [
                self._text(s, element, first_seconds) for s in samples for element in elements
            ]
            return ",".join(fields)
        if any(element not in _IN_BINARY for element in elements):
            raise ScpiError(1133, "Parameter 4, Syntax error, expected valid name parameters")
        numbers = [_number(s, element, first_seconds) for s in samples for element in elements]
        order = "<" if self.settings.word("BORD") == "SWAP" else ">"
        code = "d" if kind == "REAL" else "f"
        return b"#0" + struct.pack(f"{order}{len(numbers)}{code}", *numbers)

    def _text(self, sample: Sample, element: str, first_seconds: float) -> str:
        if element in _IN_BINARY:
            return self.number(_number(sample, element, first_seconds))
        at = moment(sample.seconds)
        return {
            "DATE": f"{at:%m/%d/%Y}",
            "TIME": f"{at:%H:%M:%S}",
            "TSTamp": f"{at:%m/%d/%Y %H:%M:%S}.{at.microsecond:06d}",
            "SEConds": f"{at.timestamp():.0f}",
            "FRACtional": f"{at.microsecond / 1e6:.6E}",
            "FORMatted": f"{sample.reading:+.6e} {sample.unit}",
            "SOURFORMatted": f"{sample.source:+.6e} {sample.source_unit}",
            "UNIT": sample.unit,
            "SOURUNIT": sample.source_unit,
            "STATus": str(sample.status),
            "SOURSTATus": str(sample.source_status),
        }[element]


class Buffers:
    """``TRACe``, and what the reading queries have in common.

    Args:
        format: how readings are sent.
        trigger: measures as often as is set, into a buffer.
    """

    def __init__(self, format: Format, trigger: Callable[[Buffer], object]) -> None:
        self._format = format
        self._trigger = trigger
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: the two default buffers, empty, and readings sent as text."""
        self._format.settings.reset()
        self._buffers = {name: Buffer(DEFAULT_SIZE, continuous=True) for name in DEFAULTS}

    def named(self, parameters: Parameters) -> Buffer:
        """The buffer the next parameter names, ``defbuffer1`` if there is none."""
        if not len(parameters):
            return self._buffers[DEFAULTS[0]]
        return self.get(parameters.string())

    def get(self, name: str) -> Buffer:
        """A buffer by its name; -224 if there is none."""
        if name not in self._buffers:
            raise ScpiError(-224, f"Illegal parameter value; no reading buffer {name}")
        return self._buffers[name]

    def latest(self, buffer: Buffer, parameters: Parameters) -> Reply:
        """The last reading, in the elements the parameters name; -230 if there is none."""
        if not buffer.samples:
            raise ScpiError(-230)
        first_seconds = buffer.samples[0].seconds
        return self._format.spelled(buffer.samples[-1:], _elements(parameters), first_seconds)

    def commands(self) -> Iterator[Command]:
        """``TRACe`` and ``FORMat`` commands."""
        yield from self._format.settings.commands()
        yield Command(":TRACe:MAKE", self._make, takes=(2, 3))
        yield Command(":TRACe:DELete", self._delete)
        yield Command(":TRACe:CLEar", lambda p: self.named(p).samples.clear(), takes=(0, 1))
        yield Command(
            ":TRACe:POINts",
            self._resize,
            lambda p: str(self.named(p).size),
            takes=(1, 2),
            asks=(0, 1),
        )
        yield Command(":TRACe:ACTual", query=lambda p: self._actual(p), asks=(0, 1))
        yield Command(
            ":TRACe:ACTual:STARt",
            query=lambda p: str(int(bool(self.named(p).samples))),
            asks=(0, 1),
        )
        yield Command(":TRACe:ACTual:END", query=lambda p: self._actual(p), asks=(0, 1))
        yield Command(":TRACe:DATA", query=self._data, asks=(2, 3 + MOST_ELEMENTS))
        yield Command(":FETCh", query=self._fetch, asks=(0, 1 + MOST_ELEMENTS))
        yield Command(
            ":TRACe:FILL:MODE",
            self._write_fill,
            lambda p: "CONT" if self.named(p).continuous else "ONCE",
            takes=(1, 2),
            asks=(0, 1),
        )
        yield Command(":TRACe:TRIGger", self._trigger_into, takes=(0, 1))
        for name in _STATISTICS:
            yield Command(
                f":TRACe:STATistics:{name}", query=partial(self._statistic, name), asks=(0, 1)
            )
        yield Command(":TRACe:STATistics:CLEar", lambda p: self._check(p), takes=(0, 1))

    def _trigger_into(self, parameters: Parameters) -> None:
        self._trigger(self.named(parameters))

    def _check(self, parameters: Parameters) -> None:
        self.named(parameters)

    def _actual(self, parameters: Parameters) -> str:
        return str(len(self.named(parameters).samples))

    def _make(self, parameters: Parameters) -> None:
        name = parameters.string()
        size = parameters.whole(10, LARGEST_SIZE)
        style = parameters.text() if len(parameters) else ""
        if style and not any(matches(style, word) for word in STYLES):
            raise ScpiError(-224)
        if name in self._buffers or not name.isidentifier():
            raise ScpiError(-224, f"Illegal parameter value; cannot make a buffer named {name}")
        self._buffers[name] = Buffer(size, continuous=False)

    def _delete(self, parameters: Parameters) -> None:
        name = parameters.string()
        if name in DEFAULTS or name not in self._buffers:
            raise ScpiError(-224, f"Illegal parameter value; cannot delete {name}")
        del self._buffers[name]

    def _resize(self, parameters: Parameters) -> None:
        size = parameters.whole(10, LARGEST_SIZE, DEFAULT_SIZE)
        self.named(parameters).resize(size)

    def _write_fill(self, parameters: Parameters) -> None:
        continuous = parameters.word(("CONTinuous", "ONCE")) == "CONT"
        self.named(parameters).continuous = continuous

    def _data(self, parameters: Parameters) -> Reply:
        start = parameters.whole(1, LARGEST_SIZE)
        end = parameters.whole(1, LARGEST_SIZE)
        samples = self.named(parameters).samples
        if not samples:
            raise ScpiError(-230)
        if not start <= end <= len(samples):
            raise ScpiError(-222)
        chosen = samples[start - 1 : end]
        return self._format.spelled(chosen, _elements(parameters), samples[0].seconds)

    def _fetch(self, parameters: Parameters) -> Reply:
        return self.latest(self.named(parameters), parameters)

    def _statistic(self, name: str, parameters: Parameters) -> str:
        readings = [sample.reading for sample in self.named(parameters).samples]
        if not readings:
            raise ScpiError(-230)
        valid = np.array([value for value in readings if abs(value) < OVERFLOW])
        return self._format.number(_STATISTICS[name](valid) if len(valid) else OVERFLOW)


def _elements(parameters: Parameters) -> list[str]:
    """The elements that are asked for; the reading alone if none are named."""
    chosen = []
    for text in parameters.rest():
        element = next((word for word in _ELEMENTS if matches(text, word)), None)
        if element is None:
            raise ScpiError(1133, "Parameter 4, Syntax error, expected valid name parameters")
        chosen.append(element)
    return chosen or ["READing"]


def _number(sample: Sample, element: str, first_seconds: float) -> float:
    return {
        "READing": sample.reading,
        "RELative": sample.seconds - first_seconds,
        "SOURce": sample.source,
        "EXTRa": 0.0,
    }[element]
