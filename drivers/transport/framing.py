"""Finding the end of a reply in a stream of bytes; shared by every transport that has one."""

from __future__ import annotations

from typing import Protocol

from drivers.transport import failures
from drivers.transport.interface import Expect, Framing

__all__ = ["ByteSource", "read_reply"]

TERMINATOR = b"\n"


class ByteSource(Protocol):
    """A stream that gives up when the time is up, by returning less than was asked for."""

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes; fewer only if the time is up."""
        ...

    def take_line(self) -> bytes:
        r"""Bytes up to and with the next ``\n``; without it only if the time is up."""
        ...


def read_reply(
    source: ByteSource, expect: Expect, address: str, sent: bytes, seconds: float
) -> bytes:
    """Read one reply and take its frame off.

    Raises:
        TransportTimeoutError: the stream ended before the reply did.
        ProtocolError: a block was promised and something else came.
    """
    if expect.framing is Framing.NOTHING:
        return b""
    if expect.framing is Framing.LINE:
        line = source.take_line()
        if not line.endswith(TERMINATOR):
            raise failures.late(address, sent, line, seconds)
        return line.rstrip(b"\r\n")
    reader = _BlockReader(source, address, sent, seconds)
    return reader.sized(expect.n_bytes) if expect.framing is Framing.SIZED else reader.counted()


class _BlockReader:
    """Reads one block, keeping what came for the error that may have to be raised."""

    def __init__(self, source: ByteSource, address: str, sent: bytes, seconds: float) -> None:
        self._source = source
        self._address = address
        self._sent = sent
        self._seconds = seconds
        self._received = b""

    def counted(self) -> bytes:
        """``#`` n, n digits, that many bytes (IEEE 488.2, 8.7.9)."""
        head = self._exactly(2)
        if head[:1] != b"#" or head[1:2] not in b"123456789":
            raise self._malformed("is not a definite-length block")
        digits = self._exactly(int(head[1:2]))
        if not digits.isdigit():
            raise self._malformed("has no length after its block header")
        return self._payload(int(digits))

    def sized(self, n_bytes: int) -> bytes:
        """``#0`` and a payload whose length the caller knows."""
        if self._exactly(2) != b"#0":
            raise self._malformed("is not a '#0' block")
        return self._payload(n_bytes)

    def _payload(self, n_bytes: int) -> bytes:
        payload = self._exactly(n_bytes)
        end = self._exactly(1)
        if end == b"\r":
            end = self._exactly(1)
        if end != TERMINATOR:
            raise self._malformed(f"does not end after its {n_bytes} bytes")
        return payload

    def _exactly(self, count: int) -> bytes:
        taken = self._source.take(count)
        self._received += taken
        if len(taken) < count:
            raise failures.late(self._address, self._sent, self._received, self._seconds)
        return taken

    def _malformed(self, problem: str) -> Exception:
        return failures.malformed(self._address, self._sent, self._received, problem)
