"""Ways to the instruments of a bench: the real ones, emulated ones, and being told of messages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.transport.interface import Expect, Transport
from drivers.transport.wirelog import LoggedTransport, WireLog
from hil.errors import RunFolderError

__all__ = [
    "OpenTransport",
    "Reach",
    "Reached",
    "Tell",
    "emulated",
    "instruments",
    "told",
    "wire_logged",
]

OpenTransport: TypeAlias = Callable[[str, InstrumentConfig], Transport]
"""Opens a session with an instrument, by its name in the bench file."""

Tell: TypeAlias = Callable[[str, str, bytes], None]
"""Is told the name of an instrument, its address and a message to it, before it is sent."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The instruments of one bench.

    Attributes:
        open_transport: opens a session.
        sleep: lets seconds go by, for them and for whoever waits.
    """

    open_transport: OpenTransport
    sleep: Callable[[float], None]


Reach: TypeAlias = Callable[[BenchConfig, int], Reached]
"""From a bench and the seed of what is random in an emulated one to its instruments."""


def instruments(config: BenchConfig, seed: int) -> Reached:
    """The instruments at the addresses of the bench file."""
    return Reached(_session, time.sleep)


def emulated(config: BenchConfig, seed: int) -> Reached:
    """Emulated instruments in this process, around one simulated circuit."""
    from drivers.emulated.bench.bench import EmulatedBench

    bench = EmulatedBench(config, seed)
    return Reached(bench.transport, bench.sleep)


def told(reach: Reach, tell: Tell) -> Reach:
    """The same instruments; every message is told before it is sent."""

    def through(name: str, instrument: InstrumentConfig, inner: Transport) -> Transport:
        return _ToldTransport(name, instrument.address, inner, tell)

    return _wrapped(reach, through)


@contextlib.contextmanager
def wire_logged(reach: Reach, path: Path) -> Iterator[Reach]:
    """The same instruments; every message is written to a file that ends with the block.

    Args:
        reach: the instruments.
        path: see :class:`drivers.transport.wirelog.WireLog`; its seconds are those of Unix.

    Raises:
        RunFolderError: at the end, if messages could not be written; the run went on without.
    """
    log = WireLog(path, time.time)
    try:
        yield _wrapped(reach, lambda name, instrument, inner: LoggedTransport(inner, log, name))
    finally:
        log.close()
    if log.failure is not None:
        raise RunFolderError(
            f"the wire log {path} is not complete ({log.failure.strerror or log.failure}); "
            "everything else was done. Make room on the disk before the next run",
            path=str(path),
        ) from log.failure


def _wrapped(reach: Reach, wrap: Callable[[str, InstrumentConfig, Transport], Transport]) -> Reach:
    """The same instruments, every session with something around it."""

    def reach_wrapped(config: BenchConfig, seed: int) -> Reached:
        inner = reach(config, seed)

        def open_transport(name: str, instrument: InstrumentConfig) -> Transport:
            return wrap(name, instrument, inner.open_transport(name, instrument))

        return Reached(open_transport, inner.sleep)

    return reach_wrapped


def _session(name: str, instrument: InstrumentConfig) -> Transport:
    """A session over a serial port with a board, over VISA with everything else."""
    if instrument.model == "shboard":
        from drivers.transport.serial import SerialTransport

        return SerialTransport(instrument.address, instrument.baud_rate, instrument.timeout_seconds)
    from drivers.transport.visa import VisaTransport

    return VisaTransport(instrument.address, instrument.visa_library, instrument.timeout_seconds)


class _ToldTransport:
    """A transport whose messages are told to somebody."""

    def __init__(self, name: str, address: str, inner: Transport, tell: Tell) -> None:
        self._name = name
        self._address = address
        self._inner = inner
        self._tell = tell

    @property
    def address(self) -> str:
        return self._address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self._tell(self._name, self._address, request)
        return self._inner.exchange(request, expect)

    def clear(self) -> None:
        self._inner.clear()

    def close(self) -> None:
        self._inner.close()
