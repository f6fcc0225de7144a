r"""Cutting a stream of bytes into program messages.

A message ends at ``\n``, except inside a definite-length block, whose bytes may be anything.
How the stream is split into chunks makes no difference.
"""

from __future__ import annotations

__all__ = ["Framer", "block_span"]

LONGEST_MESSAGE = 1 << 20


def block_span(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Payload limits of the definite-length block whose ``#`` is at ``start``.

    Returns:
        Start and end of the payload; the end may lie beyond ``data``. None: not such a block,
        or its header is not complete.
    """
    n_digits = data[start + 1 : start + 2]
    if not n_digits or n_digits not in b"123456789":
        return None
    begin = start + 2 + int(n_digits)
    digits = data[start + 2 : begin]
    if len(digits) < int(n_digits) or not digits.isdigit():
        return None
    return begin, begin + int(digits)


class Framer:
    """Collects bytes until messages are complete.

    A message longer than ``longest`` is dropped up to its end; :meth:`feed` then returns None
    in its place.
    """

    def __init__(self, longest: int = LONGEST_MESSAGE) -> None:
        self._longest = longest
        self.reset()

    def reset(self) -> None:
        """Forget a message that is not complete."""
        self._data = bytearray()
        self._scanned = 0
        self._quote = 0
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        r"""Add bytes; return the messages they completed, without ``\n``."""
        self._data += data
        messages: list[bytes | None] = []
        while (end := self._end()) is not None:
            messages.append(None if self._dropping else bytes(self._data[:end]))
            del self._data[: end + 1]
            self._scanned = 0
            self._quote = 0
            self._dropping = False
        return messages

    def _end(self) -> int | None:
        """Index of the next message end; continues where the last call stopped."""
        data = self._data
        if self._scanned == 0 and not self._dropping:
            end = data.find(0x0A)
            if 0 <= end <= self._longest and data.find(0x23, 0, end) < 0:
                return end  # no block: nothing can hide this end
        while self._scanned < len(data):
            byte = data[self._scanned]
            if byte == 0x0A:
                return self._scanned
            if self._dropping or self._scanned >= self._longest:
                return self._dropped()
            if self._quote:
                self._quote = 0 if byte == self._quote else self._quote
            elif byte in b"\"'":
                self._quote = byte
            elif byte == 0x23 and self._starts_parameter(self._scanned):
                if self._undecided(self._scanned):
                    return None
                span = block_span(data, self._scanned)
                if span is not None and span[1] <= self._longest:
                    if span[1] > len(data):
                        return None
                    self._scanned = span[1]
                    continue
            self._scanned += 1
        return None

    def _dropped(self) -> int | None:
        """Forget a message that is too long; the index of its end, if that has come."""
        self._dropping = True
        end = self._data.find(0x0A, self._scanned)
        if end < 0:
            self._data.clear()
            self._scanned = 0
            return None
        return end

    def _starts_parameter(self, index: int) -> bool:
        return index > 0 and self._data[index - 1] in b" \t,"

    def _undecided(self, index: int) -> bool:
        """Whether more bytes may still make a block header of what follows ``#``."""
        head = self._data[index + 1 :][:11]
        if not head:
            return True
        if head[0] not in b"123456789":
            return False
        wanted = head[0] - 0x30
        digits = bytes(head[1 : 1 + wanted])
        return len(digits) < wanted and (not digits or digits.isdigit())
