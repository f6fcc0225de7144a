"""Readings of an emulated Keithley 2400 as bytes, the buffer they are kept in, its statistics.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, sections 9 and 18.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from drivers.emulated.keithley2400_meter import NOT_A_NUMBER, OVERFLOW, Sample
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Number, Settings
from drivers.emulated.scpi.status import Register
from drivers.emulated.scpi.values import matches

__all__ = ["Buffer", "Format"]

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_SHORT = ("VOLT", "CURR", "RES", "TIME", "STAT")
LARGEST_BUFFER = 2500
MEASUREMENT_AVAILABLE = 8
MEASUREMENT_FULL = 9


class Format:
    """``FORMat``: which elements of a reading are sent, and how."""

    def __init__(self) -> None:
        formats = ("NORMal", "SWAPped")
        registers = ("ASCii", "HEXadecimal", "OCTal", "BINary")
        self.settings = Settings(
            (
                Choice(":FORMat:BORDer", "BORD", "NORM", formats),
                Choice(":FORMat:SREGister", "SREG", "ASC", registers),
            ),
            lambda _: None,
        )
        self.reset()

    def reset(self) -> None:
        """ASCII, all elements."""
        self.settings.reset()
        self._binary = False
        self._elements: tuple[int, ...] = tuple(range(len(ELEMENTS)))

    def spelled(self, samples: Sequence[Sample]) -> Reply:
        """Some readings as a reply."""
        numbers = [float(sample[i]) for sample in samples for i in self._elements]
        if not self._binary:
            return ",".join(f"{number:+.6E}" for number in numbers)
        order = ">" if self.settings.word("BORD") == "NORM" else "<"
        return b"#0" + struct.pack(f"{order}{len(numbers)}f", *numbers)

    def register(self, value: int) -> str:
        """A status register as a reply."""
        kind = self.settings.word("SREG")
        return {"ASC": f"{value}", "HEX": f"#H{value:X}", "OCT": f"#Q{value:o}"}.get(
            kind, f"#B{value:b}"
        )

    def commands(self) -> Iterator[Command]:
        """``FORMat`` commands."""
        yield from self.settings.commands()
        yield Command(
            ":FORMat[:DATA]",
            self._write_data,
            lambda _: "REAL,32" if self._binary else "ASC",
            takes=(1, 2),
        )
        yield Command(
            ":FORMat:ELEMents[:SENSe[1]]",
            self._write_elements,
            lambda _: ",".join(_SHORT[i] for i in self._elements),
            takes=(1, len(ELEMENTS)),
        )

    def _write_data(self, parameters: Parameters) -> None:
        kind = parameters.word(("ASCii", "REAL", "SREal"))
        if len(parameters) and kind == "REAL":
            parameters.whole(32, 32)
        self._binary = kind != "ASC"

    def _write_elements(self, parameters: Parameters) -> None:
        chosen = set()
        for text in parameters.rest():
            index = next((i for i, word in enumerate(ELEMENTS) if matches(text, word)), None)
            if index is None:
                raise ScpiError(-224)
            chosen.add(index)
        self._elements = tuple(sorted(chosen))  # sent in this order, however they were listed


class Buffer:
    """``TRACe`` and ``CALCulate3``; untouched by ``*RST``.

    Args:
        measurement: the register that tells of a buffer that fills.
        spell: turns readings into a reply.
    """

    def __init__(self, measurement: Register, spell: Callable[[Sequence[Sample]], Reply]) -> None:
        self._measurement = measurement
        self._spell = spell
        self._samples: list[Sample] = []
        self._filling = False
        self.settings = Settings(_declared(), lambda _: None)

    def store(self, sample: Sample) -> None:
        """Keep a reading if the buffer is filling; the last one that fits stops it."""
        if not self._filling:
            return
        self._samples.append(sample)
        full = len(self._samples) >= self.settings.whole("POIN")
        self._measurement.set_condition(MEASUREMENT_AVAILABLE, len(self._samples) >= 2)
        self._measurement.set_condition(MEASUREMENT_FULL, full)
        self._filling = not full

    def commands(self) -> Iterator[Command]:
        """``TRACe``, also known as ``DATA``, and the statistics."""
        for root in (":TRACe", ":DATA"):
            yield Command(f"{root}:CLEar", lambda _: self.clear(), takes=(0, 0))
            yield Command(f"{root}:DATA", query=lambda _: self._data())
            yield Command(f"{root}:FREE", query=lambda _: self._free())
            yield Command(f"{root}:POINts:ACTual", query=lambda _: str(len(self._samples)))
            yield Command(
                f"{root}:FEED:CONTrol",
                self._write_control,
                lambda _: "NEXT" if self._filling else "NEV",
            )
        yield Command(":DATA", query=lambda _: self._data())
        yield Command(":CALCulate3:DATA", query=lambda _: self._statistics())
        for command in self.settings.commands():
            yield command
            if command.header.startswith(":TRACe"):
                alias = ":DATA" + command.header.removeprefix(":TRACe")
                yield Command(alias, command.write, command.query, asks=command.asks)

    def clear(self) -> None:
        """Forget all readings."""
        self._samples.clear()
        for bit in (MEASUREMENT_AVAILABLE, MEASUREMENT_FULL):
            self._measurement.set_condition(bit, False)

    def _write_control(self, parameters: Parameters) -> None:
        self._filling = parameters.word(("NEVer", "NEXT")) == "NEXT"
        if self._filling:
            self.clear()

    def _data(self) -> Reply:
        if not self._samples:
            raise ScpiError(-230)
        return self._spell(self._samples)

    def _free(self) -> str:
        size, used = self.settings.whole("POIN"), len(self._samples)
        return f"{max(0, size - used) * 24},{used * 24}"

    def _statistics(self) -> str:
        """The chosen statistic of volts, amps and ohms over the buffer."""
        if not self._samples:
            raise ScpiError(-230)
        columns = np.array(self._samples, dtype=float)[:, :3].T
        return ",".join(f"{_statistic(self.settings.word('STAT'), c):+.6E}" for c in columns)


def _statistic(kind: str, column: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    if (np.abs(column) >= OVERFLOW).any():
        return NOT_A_NUMBER
    if kind == "SDEV":
        return float(column.std(ddof=1)) if len(column) > 1 else 0.0
    low, high = float(column.min()), float(column.max())
    return {"MEAN": float(column.mean()), "MAX": high, "MIN": low, "PKPK": high - low}[kind]


def _declared() -> tuple[Number | Choice, ...]:
    feeds = ("SENSe", "SENSe1", "CALCulate", "CALCulate1", "CALCulate2")
    statistics = ("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK")
    return (
        Number(":TRACe:POINts", "POIN", 100.0, 1.0, LARGEST_BUFFER, whole=True),
        Choice(":TRACe:FEED", "FEED", "SENS", feeds),
        Choice(":TRACe:TSTamp:FORMat", "TST", "ABS", ("ABSolute", "DELTa")),
        Choice(":CALCulate3:FORMat", "STAT", "MEAN", statistics),
    )
