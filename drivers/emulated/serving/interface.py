"""What a server is, whatever clients reach it by."""

from __future__ import annotations

import os
import select
from typing import Protocol

__all__ = ["Server", "Wake"]


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


class Wake:
    """Ends a wait for input from another thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.stopped = False

    def stop(self) -> None:
        """Let every wait, present and future, return False."""
        if not self.stopped:
            self.stopped = True
            os.write(self._write, b"x")

    def wait_for(self, descriptor: int) -> bool:
        """Wait until there is input; False: stopped."""
        ready, _, _ = select.select([descriptor, self._read], [], [])
        return not self.stopped and descriptor in ready

    def wait_to_write(self, descriptor: int) -> bool:
        """Wait until there is room for output; False: stopped."""
        _, ready, _ = select.select([self._read], [descriptor], [])
        return not self.stopped and descriptor in ready

    def close(self) -> None:
        """Release the pipe."""
        os.close(self._read)
        os.close(self._write)
