"""Errors a TSP instrument reports, and the queue it keeps them in.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, "Error queue" and "Error summary
list". Texts of the instrument-specific codes not printed there are ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["ErrorEntry", "ErrorQueue", "TspError"]

_NODE = 1
_PLACES = 100
_NO_SEVERITY = 0
_RECOVERABLE = 20
_SERIOUS = 30

_TEXTS = {
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -211: "Trigger ignored",
    -221: "Settings conflict",
    -222: "Parameter data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -225: "Out of memory or TSP memory allocation error",
    -285: "Program syntax",
    -286: "TSP runtime error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    802: "OUTPUT blocked by interlock",
    1101: "Parameter too big",
    1102: "Parameter too small",
    4900: "Reading buffer index is invalid",
    4915: "Attempting to store past capacity of reading buffer",
    5005: "Value too big for range",
    5007: "Operation would exceed safe operating area of the instrument",
    5041: "Cannot perform requested action while an overlapped operation is in progress",
}


class TspError(Exception):
    """An error for the queue; the script that met it goes on, as on the instrument.

    Args:
        code: as ``errorqueue.next()`` gives it.
        text: what it says; None: the usual text of the code.
    """

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = _TEXTS.get(code, "Unknown error") if text is None else text
        super().__init__(f"{code}, {self.text}")


class ErrorEntry(NamedTuple):
    """What ``errorqueue.next()`` returns."""

    code: int
    text: str
    severity: int
    node: int


class ErrorQueue:
    """First in, first out; when it is full the newest entry becomes "Queue overflow".

    Args:
        on_error: called with the code of every error, full queue or not.
    """

    def __init__(self, on_error: Callable[[int], None] = lambda _: None) -> None:
        self._entries: deque[ErrorEntry] = deque()
        self._on_error = on_error

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, error: TspError) -> None:
        """Add an error."""
        self._on_error(error.code)
        if len(self._entries) < _PLACES:
            self._entries.append(ErrorEntry(error.code, error.text, _RECOVERABLE, _NODE))
        else:
            self._entries[-1] = ErrorEntry(-350, _TEXTS[-350], _SERIOUS, _NODE)

    def take(self) -> ErrorEntry:
        """The oldest entry, removed; code 0 if there is none."""
        if self._entries:
            return self._entries.popleft()
        return ErrorEntry(0, "Queue Is Empty", _NO_SEVERITY, _NODE)

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
