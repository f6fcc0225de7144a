"""Emulated instruments on loopback TCP, for drivers that other people wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.serving.running import running
from drivers.emulated.serving.tcp import TcpServer


@contextmanager
def served(instrument: EmulatedInstrument) -> Iterator[str]:
    """The VISA address of an instrument for the time of a ``with`` block."""
    server = TcpServer(instrument)
    with running(server):
        yield server.address
