"""How a TSP instrument writes values: ``format.*``, ``print``, ``printnumber``, ``printbuffer``.

Sources: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, section 9 (format, printbuffer);
Models 707B and 708B Reference Manual, 707B-901-01 Rev. B, 7-89: ten digits there, not six.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["Printer"]

_ASCII, _REAL32, _REAL64 = 1, 2, 3
_LITTLE = 1
_MOST_DIGITS = 16


class Printer:
    """Writes replies in the format that scripts choose through its table.

    Args:
        write: takes the bytes of replies, and says whether there was room for them.
        digits: significant digits of a number until a script chooses others.
    """

    def __init__(self, write: Callable[[bytes], bool], digits: int = 6) -> None:
        self._write = write
        self.table = TspTable()
        self.table.constants({"ASCII": _ASCII, "REAL32": _REAL32, "SREAL": _REAL32})
        self.table.constants({"REAL": _REAL64, "REAL64": _REAL64, "DREAL": _REAL64})
        self.table.constants({"NORMAL": 0, "NETWORK": 0, "BIGENDIAN": 0})
        self.table.constants({"SWAPPED": _LITTLE, "LITTLEENDIAN": _LITTLE})
        self.table.choice("data", _ASCII, (_ASCII, _REAL32, _REAL64))
        self.table.choice("byteorder", _LITTLE, (0, _LITTLE))
        self.table.stored("asciiprecision", digits, partial(_precision, digits))

    def spelled(self, value: float | str) -> str:
        """One value as text."""
        if isinstance(value, str):
            return value
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return f"{value:.{int(self.table['asciiprecision']) - 1}e}"

    def print_values(self, values: Sequence[float | str]) -> bool:
        """``print``: tab separated, numbers always as text; whether there was room for it."""
        return self._write("\t".join(map(self.spelled, values)).encode("latin-1") + b"\n")

    def print_numbers(self, *values: Any) -> None:
        """``printnumber``: in the chosen format."""
        self._print_data([number(value) for value in values])

    def print_buffer(self, first: Any, last: Any, *columns: Any) -> None:
        """``printbuffer``: entries ``first`` to ``last`` of each, interleaved."""
        begin, end = int(number(first)), int(number(last))
        if not columns:
            raise TspError(-109)
        if begin < 1 or end < begin:
            raise TspError(4900)
        lists = [_entries(column) for column in columns]
        if any(end > len(entries) for entries in lists):
            raise TspError(4900)
        self._print_data([entries[i] for i in range(begin - 1, end) for entries in lists])

    def _print_data(self, values: Sequence[float | str]) -> None:
        kind = self.table["data"]
        if kind == _ASCII or any(isinstance(value, str) for value in values):
            self._put(", ".join(map(self.spelled, values)).encode("latin-1") + b"\n")
            return
        order = "<" if self.table["byteorder"] == _LITTLE else ">"
        letter = "f" if kind == _REAL32 else "d"
        self._put(b"#0" + struct.pack(f"{order}{len(values)}{letter}", *values) + b"\n")

    def _put(self, reply: bytes) -> None:
        if not self._write(reply):
            raise TspError(-225, "Out of memory: the output queue is full")


def _entries(column: Any) -> Sequence[float | str]:
    """What a buffer, a column of one, or a Lua list holds."""
    if isinstance(column, TspTable) and column.entries is not None:
        return column.entries()
    if isinstance(column, list):
        return column
    raise TspError(-104)


def _precision(default: int, value: Any) -> float:
    digits = number(value)
    if not 0 <= digits <= _MOST_DIGITS:
        raise TspError(1101 if digits > 0 else 1102)
    return digits or default
