"""Errors a SCPI instrument reports, and the queue it keeps them in (SCPI-99, volume 2, 21.8)."""

from __future__ import annotations

from collections import deque

__all__ = ["NO_ERROR", "ErrorQueue", "ScpiError", "event_bit"]

NO_ERROR = (0, "No error")
_OVERFLOW = -350

_TEXTS = {
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -103: "Invalid separator",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -110: "Command header error",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -120: "Numeric data error",
    -121: "Invalid character in number",
    -128: "Numeric data not allowed",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -140: "Character data error",
    -141: "Invalid character data",
    -148: "Character data not allowed",
    -150: "String data error",
    -151: "Invalid string data",
    -158: "String data not allowed",
    -160: "Block data error",
    -161: "Invalid block data",
    -170: "Expression error",
    -171: "Invalid expression",
    -178: "Expression data not allowed",
    -200: "Execution error",
    -211: "Trigger ignored",
    -213: "Init ignored",
    -214: "Trigger deadlock",
    -220: "Parameter error",
    -221: "Settings conflict",
    -222: "Parameter data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -225: "Out of memory",
    -230: "Data corrupt or stale",
    -241: "Hardware missing",
    -314: "Save/recall memory lost",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
    -440: "Query UNTERMINATED after indefinite response",
}


class ScpiError(Exception):
    """A command cannot be carried out; goes to the error queue, never to the caller.

    Args:
        code: negative for SCPI's own, positive for the instrument's.
        text: the instrument's wording; SCPI's if omitted.
    """

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = _TEXTS.get(code, "Device-specific error") if text is None else text
        super().__init__(f"{code}: {self.text}")


def event_bit(code: int) -> int:
    """The bit of the standard event register an error sets (IEEE 488.2, 11.5.1)."""
    if -199 <= code <= -100:
        return 5  # command error
    if -299 <= code <= -200:
        return 4  # execution error
    if -499 <= code <= -400:
        return 2  # query error
    return 3  # device-dependent error


class ErrorQueue:
    """First in, first out; when it is full, its newest place says so and later errors are lost.

    Args:
        capacity: places, the one for the overflow included.
        overflow: text of the overflow entry.
    """

    def __init__(self, capacity: int, overflow: str = _TEXTS[_OVERFLOW]) -> None:
        self._entries: deque[tuple[int, str]] = deque()
        self._capacity = capacity
        self._overflow = (_OVERFLOW, overflow)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, code: int, text: str) -> None:
        """Append, or mark the overflow."""
        if len(self._entries) < self._capacity:
            self._entries.append((code, text))
        else:
            self._entries[-1] = self._overflow

    def take(self) -> tuple[int, str]:
        """The oldest entry, or :data:`NO_ERROR`."""
        return self._entries.popleft() if self._entries else NO_ERROR

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
