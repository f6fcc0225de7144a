"""Cutting a stream of bytes into messages of the board (SPECIFICATION.md, 3)."""

from __future__ import annotations

from enum import Enum

__all__ = ["QUIET_MS", "Framer"]

QUIET_MS = 100
"""So long a line must rest before the board listens again after a damaged block."""

_LF, _HASH = 0x0A, 0x23
_BLANKS = b" \t\r"
_OVERRUN, _BAD_BLOCK = -363, -161


class _Inside(Enum):
    """What the next byte belongs to."""

    TEXT = 0
    COUNT = 1  # the digit behind "#"
    LENGTH = 2  # that many digits
    BLOCK = 3  # the bytes of a block
    NOISE = 4  # nothing: waiting for a quiet line


class Framer:
    r"""Collects bytes until a message is complete.

    Args:
        longest: bytes of a message, its ``\n`` not counted.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._last_ms = 0
        self.reset()

    def reset(self) -> None:
        """Forget a message that is not complete."""
        self._data = bytearray()
        self._begin(_Inside.TEXT)
        self._digits = self._left = 0

    def feed(self, data: bytes, now_ms: int) -> tuple[list[bytes | int], bytes]:
        """Take bytes up to the end of the first message, or of the data.

        Returns:
            What was found: errors, then at most one message; and the bytes behind it.
        """
        found: list[bytes | int] = []
        if data:
            self._note_pause(now_ms, found)
        index = 0
        while index < len(data):
            if self._inside is _Inside.NOISE:
                return found, b""
            if self._inside is _Inside.BLOCK:
                index += self._take_block(data[index : index + self._left])
                continue
            outcome = self._take(data[index])
            index += 1
            if outcome is not None:
                found.append(outcome)
            if isinstance(outcome, bytes):
                return found, data[index:]
        return found, b""

    def _note_pause(self, now_ms: int, found: list[bytes | int]) -> None:
        """A pause ends noise, and gives up a block that stopped in the middle."""
        if now_ms - self._last_ms >= QUIET_MS:
            if self._inside is _Inside.NOISE:
                self.reset()
            elif self._inside is not _Inside.TEXT:
                self.reset()
                found.append(_BAD_BLOCK)
        self._last_ms = now_ms

    def _begin(self, inside: _Inside) -> None:
        self._inside = inside

    def _take_block(self, part: bytes) -> int:
        self._data += part
        self._left -= len(part)
        if self._left == 0:
            self._begin(_Inside.TEXT)
        return len(part)

    def _take(self, byte: int) -> bytes | int | None:
        """One byte of text or of a block's header; a message or an error that it completes."""
        if self._inside is _Inside.TEXT and byte == _LF:
            message = bytes(self._data)
            self._data.clear()
            return message
        if len(self._data) >= self._longest:
            return self._fault(_OVERRUN)
        previous = self._data[-1] if self._data else 0
        self._data.append(byte)
        if self._inside is _Inside.TEXT:
            if byte == _HASH and previous in b" \t\r,":
                self._begin(_Inside.COUNT)
        elif self._inside is _Inside.COUNT:
            if byte not in b"123456789":
                return self._fault(_BAD_BLOCK)
            self._digits, self._left = byte - 0x30, 0
            self._begin(_Inside.LENGTH)
        else:
            return self._take_length(byte)
        return None

    def _take_length(self, byte: int) -> int | None:
        if byte not in b"0123456789":
            return self._fault(_BAD_BLOCK)
        self._left = 10 * self._left + byte - 0x30
        self._digits -= 1
        if self._digits == 0:
            if len(self._data) + self._left > self._longest:
                return self._fault(_OVERRUN)
            self._begin(_Inside.BLOCK if self._left else _Inside.TEXT)
        return None

    def _fault(self, code: int) -> int:
        self.reset()
        self._begin(_Inside.NOISE)
        return code
