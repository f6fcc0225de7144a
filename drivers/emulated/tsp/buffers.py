"""Reading buffers: what measurements are stored in, column by column.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, "Reading buffers" and bufferVar.*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable

__all__ = ["BufferEntry", "ReadingBuffer"]


class BufferEntry(NamedTuple):
    """One reading and what is kept with it."""

    reading: float
    source_value: float
    seconds: float
    status: int
    measure_function: str
    measure_range: float
    source_function: str
    source_range: float
    output_state: str


_COLUMNS = {
    "readings": "reading",
    "sourcevalues": "source_value",
    "timestamps": "seconds",
    "statuses": "status",
    "measurefunctions": "measure_function",
    "measureranges": "measure_range",
    "sourcefunctions": "source_function",
    "sourceranges": "source_range",
    "sourceoutputstates": "output_state",
}
_OPTIONAL = {"sourcevalues": "collectsourcevalues", "timestamps": "collecttimestamps"}


class ReadingBuffer:
    """A buffer of limited capacity.

    Args:
        capacity: readings it holds.

    Attributes:
        table: as scripts see it.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: list[BufferEntry] = []
        self._base_seconds = 0.0
        self.table = TspTable("reading_buffer")
        self.table.owner = self
        self.table.item = self._reading
        self.table.entries = lambda: self._column("readings")
        self.table.attribute("n", lambda: len(self._entries))
        self.table.attribute("capacity", lambda: self._capacity)
        self.table.attribute("basetimestamp", lambda: self._base_seconds)
        self.table.attribute("next", lambda: len(self._entries) + 1)
        for name, default in (("appendmode", 0.0), ("cachemode", 1.0), ("fillmode", 0.0)):
            self.table.choice(name, default, (0.0, 1.0))
        self.table.number("fillcount", 0.0, 0.0, 1e9)
        self.table.number("timestampresolution", 1e-6, 1e-6, 1e3)
        for name in ("collectsourcevalues", "collecttimestamps"):
            self.table.choice(name, 0.0, (0.0, 1.0))
        self.table.on_change = self._changed
        self.table.function("clear", self.clear)
        self.table.function("clearcache", lambda: None)
        for column in _COLUMNS:
            self.table.table(column, self._column_table(column))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def readings(self) -> list[float]:
        """The readings alone."""
        return [entry.reading for entry in self._entries]

    @property
    def appends(self) -> bool:
        """Whether a new measurement keeps what is there."""
        return bool(self.table["appendmode"])

    def clear(self) -> None:
        """Forget all readings."""
        self._entries.clear()

    def store(self, entry: BufferEntry) -> None:
        """Add a reading.

        Raises:
            TspError: 4915: it is full.
        """
        if len(self._entries) >= self._capacity:
            raise TspError(4915)
        if not self._entries:
            self._base_seconds = entry.seconds
        self._entries.append(entry._replace(seconds=entry.seconds - self._base_seconds))

    def _changed(self, name: str) -> None:
        if name.startswith("collect") and self._entries:
            raise TspError(-221, "Settings conflict: clear the reading buffer first")

    def _column(self, column: str) -> Sequence[float | str]:
        if column in _OPTIONAL and not self.table[_OPTIONAL[column]]:
            return []
        field = _COLUMNS[column]
        return [getattr(entry, field) for entry in self._entries]

    def _reading(self, index: int) -> float | None:
        return self._at("readings", index)  # type: ignore[return-value]

    def _at(self, column: str, index: int) -> float | str | None:
        place = int(index) - 1
        if not 0 <= place < len(self._entries):
            return None
        if column in _OPTIONAL and not self.table[_OPTIONAL[column]]:
            return None
        return getattr(self._entries[place], _COLUMNS[column])  # type: ignore[no-any-return]

    def _column_table(self, column: str) -> TspTable:
        table = TspTable("synchronous_table")

        def item(index: int) -> float | str | None:
            return self._at(column, index)

        table.item = item
        table.entries = lambda: self._column(column)
        table.function("getreading", item)
        return table
