"""Emulated instruments behind sessions that note what is said."""

from __future__ import annotations

from drivers.bench.config import InstrumentConfig
from drivers.emulated.interface import EmulatedInstrument
from drivers.transport.interface import Expect, Transport
from drivers.transport.memory import MemoryTransport


class Recorded:
    """A session that notes messages, and whether it was closed."""

    def __init__(self, inside: Transport) -> None:
        self.inside = inside
        self.sent: list[str] = []
        self.queries = 0
        self.closed = False

    @property
    def address(self) -> str:
        return self.inside.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self.sent.append(request.decode("ascii", "replace"))
        self.queries += expect != Expect.NOTHING
        return self.inside.exchange(request, expect)

    def clear(self) -> None:
        self.inside.clear()

    def close(self) -> None:
        self.closed = True
        self.inside.close()


def session(instrument: EmulatedInstrument, address: str = "memory") -> Recorded:
    return Recorded(MemoryTransport(instrument, address))


def entry(model: str, **values: object) -> InstrumentConfig:
    """An entry of the bench file."""
    table = {"model": model, "address": "memory"} | values
    return InstrumentConfig.model_validate(table)
