"""What a server is, whatever clients reach it by."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Protocol

from drivers.emulated.interface import EmulatedInstrument, Polls

__all__ = ["POLL_SECONDS", "Server", "Wake", "polling"]

POLL_SECONDS = 0.01
"""Boards must notice the silence of their host within 20 ms (SPECIFICATION.md, 6)."""


class Server(Protocol):
    """Serves one instrument to one client at a time."""

    @property
    def address(self) -> str:
        """What a client opens: a VISA resource or the name of a port."""
        ...

    def serve(self) -> None:
        """Serve until :meth:`stop`; clients one after another, the instrument's state kept."""
        ...

    def stop(self) -> None:
        """End :meth:`serve` from any thread or a signal handler, and release the address."""
        ...


def polling(instrument: EmulatedInstrument, lock: threading.Lock) -> Callable[[], None] | None:
    """What a server does for its instrument while it waits; None: nothing.

    Args:
        instrument: polled if it is one that :class:`Polls`.
        lock: held meanwhile.
    """
    if not isinstance(instrument, Polls):
        return None
    poll = instrument.poll

    def locked() -> None:
        with lock:
            poll()

    return locked


class Wake:
    """Ends a wait for input or for room from another thread.

    Args:
        meanwhile: called every :data:`POLL_SECONDS` of a wait; None: waits are left alone.
    """

    def __init__(self, meanwhile: Callable[[], None] | None = None) -> None:
        self._read, self._write = os.pipe()
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._closed = False
        self.stopped = False

    def stop(self) -> None:
        """Let every wait, present and future, return False."""
        # The flag comes first, for whoever wakes up by the byte; the lock, because whoever sees
        # the flag before the byte is written closes the pipe.
        with self._lock:
            if not self.stopped and not self._closed:
                self.stopped = True
                os.write(self._write, b"x")
            self.stopped = True

    def wait_for(self, descriptor: int) -> bool:
        """Wait until there is input; False: stopped."""
        return self._wait([descriptor], [])

    def wait_to_write(self, descriptor: int) -> bool:
        """Wait until there is room for output; False: stopped."""
        return self._wait([], [descriptor])

    def _wait(self, inputs: list[int], outputs: list[int]) -> bool:
        timeout = None if self._meanwhile is None else POLL_SECONDS
        while not self.stopped:
            found, room, _ = select.select([self._read, *inputs], outputs, [], timeout)
            if found or room:
                break
            if self._meanwhile is not None:
                self._meanwhile()
        return not self.stopped

    def close(self) -> None:
        """Release the pipe."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._read)
                os.close(self._write)
