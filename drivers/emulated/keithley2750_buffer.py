"""Readings of an emulated Keithley 2750 as text and as bytes, and the buffer that keeps them.

Source: Model 2750 User's Manual, 2750-900-01 Rev. F, sections 6 and 14.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings
from drivers.emulated.scpi.status import Register
from drivers.emulated.scpi.values import matches, short_form, spelled_register

__all__ = ["Buffer", "Format", "Reading"]

ELEMENTS = ("READing", "UNITs", "TSTamp", "RNUMber", "CHANnel", "LIMits")
_DEFAULT = frozenset(("READing", "UNITs", "TSTamp", "RNUMber"))
LARGEST_BUFFER = 110_000
# Bits of the measurement register, manual, 11-14; those of a part by the part of the buffer.
READING_AVAILABLE, BUFFER_NOTIFY, BUFFER_AVAILABLE = 5, 6, 7
PARTS_FULL = {12: 0.25, 8: 0.5, 13: 0.75, 9: 1.0}


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
        return spelled_register(value, self.settings.word("SREG"))

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
        """The elements in the order of figure 14-1, however they were listed.

        Letters stand behind numbers only among ``UNITs``: clients that do not ask for them read
        time stamps as plain numbers.
        """
        units = "UNITs" in self._elements
        if "READing" in self._elements:
            yield f"{reading.value:+.8E}{reading.unit if units else ''}"
        if "TSTamp" in self._elements:
            yield f"{reading.seconds:+.3f}{'SECS' if units else ''}"
        if "RNUMber" in self._elements:
            yield f"+{reading.number:05d}{'RDNG#' if units else ''}"
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
        look: called before a client looks at the buffer, for measuring that never ends.
    """

    def __init__(
        self, form: Format, measurement: Register, look: Callable[[], None] = lambda: None
    ) -> None:
        self._form = form
        self._measurement = measurement
        self._look = look
        self._readings: list[Reading] = []
        self._control = "NEV"
        self._next = 0
        self._notify = 0
        self.settings = Settings(_declared(), lambda _: None)

    def keep(self, readings: Sequence[Reading]) -> None:
        """What a filling buffer takes, or else what a run of more than one sample leaves."""
        self._measurement.signal(READING_AVAILABLE)
        if self._control == "NEV" and len(readings) > 1:
            self._clear()
            self._readings = list(readings[-LARGEST_BUFFER:])
            self._tell(len(self._readings))
        for reading in readings if self._control != "NEV" else ():
            self._take(reading)

    def _take(self, reading: Reading) -> None:
        size = self.settings.whole("POIN")
        if self._control == "NEV":
            return
        if len(self._readings) < size:
            self._readings.append(reading)
        else:
            self._readings[self._next] = reading
        self._next = (self._next + 1) % size
        self._tell(size)
        if self._control == "NEXT" and len(self._readings) >= size:
            self._control = "NEV"

    def _tell(self, size: int) -> None:
        """The conditions that follow from how full the buffer is."""
        count = len(self._readings)
        self._measurement.set_condition(BUFFER_AVAILABLE, count >= 2)
        self._measurement.set_condition(BUFFER_NOTIFY, 0 < self._notify <= count)
        for bit, part in PARTS_FULL.items():
            self._measurement.set_condition(bit, count >= part * size)

    def commands(self) -> Iterator[Command]:
        """``TRACe`` and ``DATA``."""
        for root in (":TRACe", ":DATA"):
            yield Command(f"{root}:CLEar", lambda _: self._clear(), takes=(0, 0))
            yield Command(f"{root}:DATA", query=lambda _: self._data())
            yield Command(f"{root}:DATA:SELected", query=self._selected, asks=(2, 2))
            yield Command(f"{root}:NEXT", query=lambda _: str(self._place()))
            yield Command(f"{root}:NOTify", self._write_notify, lambda _: str(self._notify))
            yield Command(f"{root}:POINts:ACTual", query=lambda _: str(self._count()))
            yield Command(f"{root}:FREE", query=lambda _: self._free())
            yield Command(
                f"{root}:FEED:CONTrol",
                self._write_control,
                lambda _: self._control,
            )
        yield from self.settings.commands()

    def _count(self) -> int:
        self._look()
        return len(self._readings)

    def _place(self) -> int:
        self._look()
        return self._next

    def _data(self) -> Reply:
        if not self._count():
            raise ScpiError(-230)
        return self._form.spelled(self._readings)

    def _selected(self, parameters: Parameters) -> Reply:
        """``TRACe:DATA:SELected?``: so many from a place on, the first place being 0."""
        n_readings = self._count()
        if not n_readings:
            raise ScpiError(-230)
        start = parameters.whole(0, n_readings - 1)
        return self._form.spelled(
            self._readings[start : start + parameters.whole(1, n_readings - start)]
        )

    def _write_notify(self, parameters: Parameters) -> None:
        """``TRACe:NOTify``: manual, 6-12; one less than the buffer holds, at most."""
        self._notify = parameters.whole(2, self.settings.whole("POIN") - 1)

    def _free(self) -> str:
        used = len(self._readings)
        return f"{24 * (LARGEST_BUFFER - used)},{24 * used}"

    def _write_control(self, parameters: Parameters) -> None:
        self._control = parameters.word(("NEVer", "NEXT", "ALWays"))
        if self._control != "NEV":
            self._clear()

    def _clear(self) -> None:
        self._readings = []
        self._next = 0
        for bit in (BUFFER_AVAILABLE, BUFFER_NOTIFY, *PARTS_FULL):
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
