"""Readings of an emulated Keithley 2750 as text and as bytes, and the buffer that keeps them.

Source: Model 2750 User's Manual, 2750-900-01 Rev. F, sections 6 and 14.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings
from drivers.emulated.scpi.status import Register
from drivers.emulated.scpi.values import matches, short_form

__all__ = ["Buffer", "Format", "Reading"]

ELEMENTS = ("READing", "UNITs", "TSTamp", "RNUMber", "CHANnel", "LIMits")
_DEFAULT = frozenset(("READing", "UNITs", "TSTamp", "RNUMber"))
LARGEST_BUFFER = 110_000
READING_AVAILABLE, BUFFER_AVAILABLE, BUFFER_FULL = 5, 8, 9  # bits, manual, figure 11-7


class Reading(NamedTuple):
    """One reading; ``channel`` is 0 for none, ``seconds`` counts from the timestamp's reset."""

    value: float
    unit: str
    seconds: float
    number: int
    channel: int


class Format:
    """``FORMat``: what is sent of a reading, and how."""

    def __init__(self) -> None:
        registers = ("ASCii", "HEXadecimal", "OCTal", "BINary")
        self.settings = Settings(
            (
                Choice(":FORMat:BORDer", "BORD", "NORM", ("NORMal", "SWAPped")),
                Choice(":FORMat:SREGister", "SREG", "ASC", registers),
            ),
            lambda _: None,
        )
        self.reset()

    def reset(self) -> None:
        """ASCII: reading with unit, timestamp and number."""
        self.settings.reset()
        self._kind = "ASC"
        self._elements = _DEFAULT

    def spelled(self, readings: Sequence[Reading]) -> Reply:
        """Readings as a reply."""
        if self._kind == "ASC":
            return ",".join(field for reading in readings for field in self._fields(reading))
        numbers = [number for reading in readings for number in self._numbers(reading)]
        order = ">" if self.settings.word("BORD") == "NORM" else "<"
        letter = "d" if self._kind == "DRE" else "f"
        return b"#0" + struct.pack(f"{order}{len(numbers)}{letter}", *numbers)

    def register(self, value: int) -> str:
        """A status register as a reply."""
        kind = self.settings.word("SREG")
        return {"HEX": f"#H{value:X}", "OCT": f"#Q{value:o}", "BIN": f"#B{value:b}"}.get(
            kind, str(value)
        )

    def commands(self) -> Iterator[Command]:
        """``FORMat``."""
        yield from self.settings.commands()
        yield Command(":FORMat[:DATA]", self._write_kind, lambda _: self._kind, takes=(1, 2))
        yield Command(
            ":FORMat:ELEMents",
            self._write_elements,
            lambda _: self._chosen(),
            takes=(1, len(ELEMENTS)),
        )

    def _fields(self, reading: Reading) -> Iterator[str]:
        """The elements in the order of figure 14-1, however they were listed."""
        if "READing" in self._elements:
            unit = reading.unit if "UNITs" in self._elements else ""
            yield f"{reading.value:+.8E}{unit}"
        if "TSTamp" in self._elements:
            yield f"{reading.seconds:+.3f}SECS"
        if "RNUMber" in self._elements:
            yield f"+{reading.number:05d}RDNG#"
        if "CHANnel" in self._elements:
            yield f"{reading.channel:03d}"
        if "LIMits" in self._elements:
            yield "0000LIMITS"

    def _numbers(self, reading: Reading) -> Iterator[float]:
        values = {
            "READing": reading.value,
            "UNITs": 0.0,
            "TSTamp": reading.seconds,
            "RNUMber": float(reading.number),
            "CHANnel": float(reading.channel),
            "LIMits": 0.0,
        }
        for element in ELEMENTS:
            if element in self._elements:
                yield values[element]

    def _write_kind(self, parameters: Parameters) -> None:
        kind = parameters.word(("ASCii", "REAL", "SREal", "DREal"))
        if len(parameters) and kind == "REAL":
            kind = "DRE" if parameters.whole(32, 64) == 64 else "SRE"
        self._kind = "SRE" if kind == "REAL" else kind

    def _write_elements(self, parameters: Parameters) -> None:
        chosen = set()
        for text in parameters.rest():
            element = next((word for word in ELEMENTS if matches(text, word)), None)
            if element is None:
                raise ScpiError(-224)
            chosen.add(element)
        self._elements = frozenset(chosen)

    def _chosen(self) -> str:
        """Manual, section 6: places not used stay empty, ``READ,,,,,``."""
        chosen = [short_form(element) for element in ELEMENTS if element in self._elements]
        return ",".join(chosen + [""] * (len(ELEMENTS) - len(chosen)))


class Buffer:
    """``TRACe``, also known as ``DATA``; ``*RST`` leaves it alone.

    Args:
        form: turns readings into replies.
        measurement: the register that tells of readings and of a full buffer.
    """

    def __init__(self, form: Format, measurement: Register) -> None:
        self._form = form
        self._measurement = measurement
        self._readings: list[Reading] = []
        self._filling = False
        self.settings = Settings(_declared(), lambda _: None)

    def keep(self, readings: Sequence[Reading]) -> None:
        """What a run of more than one sample leaves, or what a filling buffer takes."""
        self._measurement.signal(READING_AVAILABLE)
        full = len(readings) > 1
        if full:
            self._readings = list(readings[-LARGEST_BUFFER:])
        elif self._filling:
            self._readings += readings
            full = len(self._readings) >= self.settings.whole("POIN")
        self._filling = self._filling and not full
        if len(self._readings) >= 2:
            self._measurement.set_condition(BUFFER_AVAILABLE, True)
        if full:
            self._measurement.set_condition(BUFFER_FULL, True)

    def commands(self) -> Iterator[Command]:
        """``TRACe`` and ``DATA``."""
        for root in (":TRACe", ":DATA"):
            yield Command(f"{root}:CLEar", lambda _: self._clear(), takes=(0, 0))
            yield Command(f"{root}:DATA", query=lambda _: self._data())
            yield Command(f"{root}:POINts:ACTual", query=lambda _: str(len(self._readings)))
            yield Command(f"{root}:FREE", query=lambda _: self._free())
            yield Command(
                f"{root}:FEED:CONTrol",
                self._write_control,
                lambda _: "NEXT" if self._filling else "NEV",
            )
        yield from self.settings.commands()

    def _data(self) -> Reply:
        if not self._readings:
            raise ScpiError(-230)
        return self._form.spelled(self._readings)

    def _free(self) -> str:
        used = len(self._readings)
        return f"{24 * (LARGEST_BUFFER - used)},{24 * used}"

    def _write_control(self, parameters: Parameters) -> None:
        self._filling = parameters.word(("NEVer", "NEXT", "ALWays")) != "NEV"
        if self._filling:
            self._clear()

    def _clear(self) -> None:
        self._readings = []
        for bit in (BUFFER_AVAILABLE, BUFFER_FULL):
            self._measurement.set_condition(bit, False)


def _declared() -> tuple[Number | Choice | Flag, ...]:
    feeds = ("SENSe", "SENSe1", "CALCulate", "CALCulate1", "NONE")
    forms = ("ABSolute", "DELTa")
    return (
        Number(":TRACe:POINts", "POIN", 100.0, 2.0, LARGEST_BUFFER, whole=True, kept=True),
        Choice(":TRACe:FEED", "FEED", "CALC", feeds, kept=True),
        Flag(":TRACe:CLEar:AUTO", "AUTO", True, kept=True),
        Choice(":TRACe:TSTamp:FORMat", "TST", "ABS", forms, kept=True),
    )
