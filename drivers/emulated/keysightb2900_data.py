"""Measurement data of an emulated Keysight B2900: FORMat, FETCh, and the trace buffers.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2, chapters 1 and 4.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from drivers.emulated.keysightb2900_channel import Sample
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Number, Settings
from drivers.emulated.scpi.values import definite_block, matches
from drivers.emulated.source_measure import NOT_A_NUMBER, OVERFLOW

__all__ = ["ELEMENTS", "Format", "Trace"]

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus", "SOURce")
_SHORT = ("VOLT", "CURR", "RES", "TIME", "STAT", "SOUR")
LARGEST_TRACE = 100_000


class Format:
    """``FORMat``: which elements of a measurement are sent, and how."""

    def __init__(self) -> None:
        orders = ("NORMal", "SWAPped")
        registers = ("ASCii", "BINary", "HEXadecimal", "OCTal")
        self.settings = Settings(
            (
                Choice(":FORMat:BORDer", "BORD", "NORM", orders),
                Choice(":FORMat:SREGister", "SREG", "ASC", registers),
            ),
            lambda _: None,
        )
        self.reset()

    def reset(self) -> None:
        """Text, all elements."""
        self.settings.reset()
        self._bits = 0
        self.elements: tuple[int, ...] = tuple(range(len(ELEMENTS)))

    def register(self, value: int) -> str:
        """A status register as a reply."""
        kind = self.settings.word("SREG")
        return {"ASC": f"{value}", "HEX": f"#H{value:X}", "OCT": f"#Q{value:o}"}.get(
            kind, f"#B{value:b}"
        )

    def spelled(self, numbers: Sequence[float]) -> Reply:
        """Numbers as a reply."""
        if not self._bits:
            return ",".join(f"{number:+.6E}" for number in numbers)
        order = ">" if self.settings.word("BORD") == "NORM" else "<"
        code = "d" if self._bits == 64 else "f"
        return definite_block(struct.pack(f"{order}{len(numbers)}{code}", *map(_ieee, numbers)))

    def interleaved(
        self, columns: Sequence[Sequence[Sample]], elements: Sequence[int] | None = None
    ) -> Reply:
        """Measurements of one or two channels, side by side.

        Args:
            columns: by channel; where one has fewer, +9.91E37 stands.
            elements: indices into :data:`ELEMENTS`; None: those that are set.
        """
        chosen = self.elements if elements is None else elements
        numbers: list[float] = []
        for row in range(max(1, *map(len, columns))):
            for column in columns:
                if row < len(column):
                    numbers += [float(column[row][i]) for i in chosen]
                else:
                    numbers += [NOT_A_NUMBER] * len(chosen)
        return self.spelled(numbers)

    def commands(self) -> Iterator[Command]:
        """``FORMat`` commands."""
        yield from self.settings.commands()
        yield Command(
            ":FORMat[:DATA]",
            self._write_data,
            lambda _: f"REAL,{self._bits}" if self._bits else "ASC",
            takes=(1, 2),
        )
        yield Command(
            ":FORMat:ELEMents:SENSe",
            self._write_elements,
            lambda _: ",".join(_SHORT[i] for i in self.elements),
            takes=(1, len(ELEMENTS)),
        )

    def _write_data(self, parameters: Parameters) -> None:
        kind = parameters.word(("ASCii", "REAL"))
        bits = parameters.whole(0, 64) if len(parameters) else 64
        if kind == "REAL" and bits not in (32, 64):
            raise ScpiError(-222)
        self._bits = bits if kind == "REAL" else 0

    def _write_elements(self, parameters: Parameters) -> None:
        chosen = set()
        for text in parameters.rest():
            index = next((i for i, word in enumerate(ELEMENTS) if matches(text, word)), None)
            if index is None:
                raise ScpiError(-224)
            chosen.add(index)
        self.elements = tuple(sorted(chosen))  # sent in this order, however they were listed


class Trace:
    """``TRACe`` of one channel: keeps measurements while it is told to.

    Args:
        number: 1 or 2.
        format: how measurements are sent.
    """

    def __init__(self, number: int, format: Format) -> None:
        self._root = ":TRACe[1]" if number == 1 else f":TRACe{number}"
        self._format = format
        self.settings = Settings(_declared(self._root), lambda _: None)
        self.reset()

    def reset(self) -> None:
        """Empty, not filling."""
        self.settings.reset()
        self._size = LARGEST_TRACE
        self._samples: list[Sample] = []
        self._filling = False

    def store(self, sample: Sample) -> None:
        """Keep a measurement if the buffer is filling; the last one that fits stops it."""
        if self._filling:
            self._samples.append(sample)
            self._filling = len(self._samples) < self._size

    def commands(self) -> Iterator[Command]:
        """``TRACe`` commands."""
        root = self._root
        yield from self.settings.commands()
        yield Command(f"{root}:CLEar", lambda _: self._clear(), takes=(0, 0))
        yield Command(f"{root}:DATA", query=self._data, asks=(0, 2))
        yield Command(
            f"{root}:FREE", query=lambda _: f"{self._size - len(self._samples)},{self._size}"
        )
        yield Command(
            f"{root}:POINts", self._write_size, lambda p: self._asked_size(p), asks=(0, 1)
        )
        yield Command(f"{root}:POINts:ACTual", query=lambda _: str(len(self._samples)))
        yield Command(
            f"{root}:FEED:CONTrol",
            self._write_control,
            lambda _: "NEXT" if self._filling else "NEV",
        )
        yield Command(f"{root}:STATistic:DATA", query=lambda _: self._statistics())

    def _check_idle(self) -> None:
        if self._filling:
            raise ScpiError(-221)

    def _clear(self) -> None:
        self._check_idle()
        self._samples.clear()

    def _write_size(self, parameters: Parameters) -> None:
        self._check_idle()
        self._size = parameters.whole(1, LARGEST_TRACE, LARGEST_TRACE)
        self._samples.clear()

    def _asked_size(self, parameters: Parameters) -> str:
        if len(parameters):
            return str(parameters.whole(1, LARGEST_TRACE, LARGEST_TRACE))
        return str(self._size)

    def _write_control(self, parameters: Parameters) -> None:
        self._filling = parameters.word(("NEVer", "NEXT")) == "NEXT"

    def _data(self, parameters: Parameters) -> Reply:
        return self._format.interleaved([section(self._samples, parameters)])

    def _statistics(self) -> Reply:
        """The chosen statistic of every measured element that is sent."""
        kind = self.settings.word("STAT")
        columns = np.array(self._samples, dtype=float).reshape(-1, len(ELEMENTS)).T
        chosen = [i for i in self._format.elements if i in (0, 1, 2)]
        return self._format.spelled([_statistic(kind, columns[i]) for i in chosen])


def section(samples: Sequence[Sample], parameters: Parameters) -> Sequence[Sample]:
    """Part of the data: ``[offset[,size]]``, where the offset may be ``STARt`` or ``CURRent``."""
    start, size = 0, len(samples)
    if len(parameters):
        text = parameters.text()
        if matches(text, "CURRent"):
            start = max(0, len(samples) - 1)
        elif not matches(text, "STARt"):
            start = Parameters((text,)).whole(0, LARGEST_TRACE)
    if len(parameters):
        size = parameters.whole(1, LARGEST_TRACE)
    return samples[start : start + size]


def _statistic(kind: str, column: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    if not len(column) or (np.abs(column) >= OVERFLOW).any():
        return NOT_A_NUMBER
    if kind == "SDEV":
        return float(column.std(ddof=1)) if len(column) > 1 else 0.0
    low, high = float(column.min()), float(column.max())
    return {"MEAN": float(column.mean()), "MAX": high, "MIN": low, "PKPK": high - low}[kind]


def _ieee(number: float) -> float:
    """In binary, what is no number and what is too large are IEEE 754's own."""
    kinds: Mapping[float, float] = {
        NOT_A_NUMBER: math.nan,
        OVERFLOW: math.inf,
        -OVERFLOW: -math.inf,
    }
    return kinds.get(number, number)


def _declared(root: str) -> tuple[Number | Choice, ...]:
    return (
        Choice(f"{root}:FEED", "FEED", "SENS", ("SENSe", "MATH", "LIMit")),
        Choice(f"{root}:TSTamp:FORMat", "TST", "ABS", ("ABSolute", "DELTa")),
        Choice(
            f"{root}:STATistic:FORMat",
            "STAT",
            "MEAN",
            ("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"),
        ),
    )
