"""Running servers: beside a test, or until the process is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from drivers.emulated.serving.interface import Server
from hil.interruption import polite_signals

__all__ = ["running", "serve_until_signal"]


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Serve in threads of their own for the time of a ``with`` block."""
    threads = [threading.Thread(target=server.serve, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.stop()
        for thread in threads:
            thread.join()


def serve_until_signal(servers: Sequence[Server], ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then stop and return; for the main thread.

    Args:
        servers: all are served at once.
        ready: called when clients can connect.
    """
    told = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, end) for number in polite_signals()}
    try:
        with running(*servers):
            ready()
            told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
