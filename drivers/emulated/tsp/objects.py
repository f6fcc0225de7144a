"""The tables a TSP instrument shows to scripts: attributes, functions, constants, sub-tables.

An instrument's table has no fields of its own; a metatable with ``Getters``, ``Setters`` and
``Objects`` answers for it, as on the real instruments, whose clients read those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drivers.emulated.tsp.errors import TspError

__all__ = ["Reader", "TspTable", "number"]

Reader = Callable[[], Any]
Writer = Callable[[Any], None]
Check = Callable[[Any], Any]
_TOLERANCE = 1 + 1e-9


def number(value: Any) -> float:
    """A Lua number.

    Raises:
        TspError: -104 if it is something else; -109 if it is nothing.
    """
    if value is None:
        raise TspError(-109)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TspError(-104)
    if math.isnan(value):
        raise TspError(-224)
    return float(value)


class TspTable:
    """One table of the instrument.

    Args:
        luatype: what its metatable says it is.

    Attributes:
        item: answers ``table[i]`` for a number ``i``.
        put_item: takes ``table[i] = value``.
        call: answers ``table(...)``, a Lua function.
        entries: what ``printbuffer`` prints of it.
        owner: what a function that is given the table wants instead.
        on_change: told the name of every stored attribute that was written; it may refuse.
    """

    def __init__(self, luatype: str = "table") -> None:
        self.luatype = luatype
        self.item: Callable[[int], Any] | None = None
        self.put_item: Callable[[int, Any], None] | None = None
        self.call: Any = None
        self.owner: object = None
        self.entries: Callable[[], Sequence[float | str]] | None = None
        self.getters: dict[str, Reader] = {}
        self.setters: dict[str, Writer] = {}
        self.objects: dict[str, Any] = {}
        self.on_change: Callable[[str], None] | None = None
        self._values: dict[str, Any] = {}
        self._defaults: dict[str, Any] = {}

    # -- as Python uses it

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def tables(self) -> Iterator[TspTable]:
        """Sub-tables."""
        return (value for value in self.objects.values() if isinstance(value, TspTable))

    def reset(self) -> None:
        """Stored attributes to their defaults, here and in sub-tables; tells nobody."""
        self._values.update(self._defaults)
        for table in self.tables():
            table.reset()

    # -- as it is put together

    def attribute(self, name: str, get: Reader, put: Writer | None = None) -> None:
        """An attribute with code behind it; without ``put`` it is read-only."""
        self.getters[name] = get
        if put is not None:
            self.setters[name] = put

    def function(self, name: str, function: Callable[..., Any]) -> None:
        """A function; what it returns goes to Lua, a tuple as several values."""
        self.objects[name] = function

    def constants(self, values: Mapping[str, float]) -> None:
        """Named numbers."""
        self.objects.update(values)

    def table(self, name: str, table: TspTable | None = None) -> TspTable:
        """A sub-table; returns it."""
        self.objects[name] = TspTable() if table is None else table
        return self.objects[name]  # type: ignore[no-any-return]

    def stored(self, name: str, default: Any, check: Check) -> None:
        """An attribute that keeps what is written, as ``check`` returns it."""
        self._values[name] = self._defaults[name] = default

        def write(value: Any) -> None:
            checked = check(value)
            before, self._values[name] = self._values[name], checked
            try:
                if self.on_change is not None:
                    self.on_change(name)
            except TspError:
                self._values[name] = before
                raise

        self.attribute(name, lambda: self._values[name], write)

    def number(self, name: str, default: float, low: float, high: float) -> None:
        """A number within limits; 1101 or 1102 otherwise."""

        def check(value: Any) -> float:
            wanted = number(value)
            if wanted > high + (_TOLERANCE - 1) * abs(high):
                raise TspError(1101)
            if wanted < low - (_TOLERANCE - 1) * abs(low):
                raise TspError(1102)
            return wanted

        self.stored(name, default, check)

    def choice(self, name: str, default: float, allowed: Iterable[float]) -> None:
        """One of a few numbers; booleans count as 1 and 0."""
        values = tuple(allowed)

        def check(value: Any) -> float:
            wanted = float(value) if isinstance(value, bool) else number(value)
            if wanted not in values:
                raise TspError(1102 if wanted < min(values) else 1101)
            return wanted

        self.stored(name, default, check)

    def flag(self, name: str, default: bool) -> None:
        """A Lua boolean; 1 and 0 are taken for it."""

        def check(value: Any) -> bool:
            if isinstance(value, bool):
                return value
            return bool(number(value))

        self.stored(name, default, check)

    def text(self, name: str, default: str) -> None:
        """A string."""

        def check(value: Any) -> str:
            if not isinstance(value, str):
                raise TspError(-104)
            return value

        self.stored(name, default, check)
