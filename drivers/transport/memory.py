"""A transport around an emulated instrument in this process: no sockets, no time, no threads."""

from __future__ import annotations

from typing import Protocol

from drivers.transport import failures
from drivers.transport.framing import read_reply
from drivers.transport.interface import Expect

__all__ = ["MemoryTransport"]


class _Instrument(Protocol):
    """The part of an emulated instrument a session needs."""

    def receive(self, data: bytes) -> bytes: ...

    def reset_session(self) -> None: ...


class _Queue:
    """Replies not yet read; whatever is missing will never come."""

    def __init__(self) -> None:
        self.data = b""

    def take(self, count: int) -> bytes:
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def take_line(self) -> bytes:
        end = self.data.find(b"\n")
        return self.take(len(self.data) if end < 0 else end + 1)


class MemoryTransport:
    """One session with an instrument that answers at once.

    Args:
        instrument: what answers; its state outlives this session.
        address: how errors and logs name it.
    """

    def __init__(self, instrument: _Instrument, address: str = "memory") -> None:
        self._instrument = instrument
        self._address = address
        self._replies = _Queue()
        self._closed = False
        instrument.reset_session()

    @property
    def address(self) -> str:
        """The name given at construction."""
        return self._address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """See :class:`~drivers.transport.interface.Transport`; a missing reply never comes."""
        if self._closed:
            raise failures.closed(self._address, request)
        self._replies.data += self._instrument.receive(request + b"\n")
        return read_reply(self._replies, expect, self._address, request, 0.0)

    def clear(self) -> None:
        """Forget replies not yet read and half messages."""
        self._replies.data = b""
        self._instrument.reset_session()

    def close(self) -> None:
        """End the session; the instrument stays as it is."""
        if not self._closed:
            self._closed = True
            self.clear()
