"""What the drivers of scanning voltmeters share: the setup of a scan, and its readings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from drivers.instruments.base import (
    ERROR_QUERY,
    Identity,
    ask,
    check_errors,
    confirm,
    parsed_fault,
    parsed_numbers,
)
from drivers.transport.interface import Expect, Transport
from hil.arrays import Floats
from hil.errors import InstrumentError, ProtocolError, TransportTimeoutError, UsageError

__all__ = [
    "OVER_RANGE_VOLTS",
    "ScanSetup",
    "ScanningVoltmeter",
    "channel_list",
    "check_count",
    "confirm_each",
    "confirm_text",
    "read_back",
    "read_reply",
    "scan_seconds",
    "scanned",
    "shaped",
]

OVER_RANGE_VOLTS = 9.8e37  # instruments send 9.9E37, some of them in single precision
LINE_SECONDS = 0.02
RELAY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ScanSetup:
    """What stays the same for a run.

    Attributes:
        channels: numbers as in messages, in the order of the readings.
        volts_range: one of the instrument's ranges, for all channels; None: automatic, which
            costs time and lets the input resistance change between readings.
        line_cycles: integration time in power line cycles.
        high_impedance: more than 10 GOhm where the range allows it, rather than 10 MOhm: less
            load on the nodes, and some pA of bias current.
        auto_zero: measure the meter's own zero with each reading, which takes twice the time.
        settle_seconds: from the closing of a channel to its reading; None: as the instrument
            chooses, which is for low source resistances.
    """

    channels: tuple[int, ...]
    volts_range: float | None = 10.0
    line_cycles: float = 1.0
    high_impedance: bool = True
    auto_zero: bool = True
    settle_seconds: float | None = None

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise UsageError("a scan needs at least one channel, and each channel once")


class ScanningVoltmeter(Protocol):
    """What a bench needs of one."""

    def prepare(self, setup: ScanSetup) -> Identity:
        """Check the identity, open all channels and set up the scan."""
        ...

    def scan(self, n_scans: int = 1) -> Floats:
        """Volts, ``(n_scans, n_channels)``, in one exchange; infinite beyond the range."""
        ...

    def measure(self, channel: int) -> float:
        """Volts of one channel, in one exchange."""
        ...

    def make_safe(self) -> None:
        """Open all channels, writing only."""
        ...

    def check(self) -> None:
        """Raise if the instrument has errors to report."""
        ...


def channel_list(channels: Sequence[int]) -> str:
    """Numbers as ``(@101,103)``."""
    return f"(@{','.join(map(str, channels))})"


def check_count(n_scans: int, n_channels: int, largest: int) -> int:
    """The number of readings of some scans.

    Raises:
        UsageError: none, or more than the instrument keeps.
    """
    if n_scans < 1 or n_scans * n_channels > largest:
        raise UsageError(
            f"{n_scans} scans of {n_channels} channels are not between 1 and {largest} readings, "
            "what the instrument keeps: scan several times"
        )
    return n_scans * n_channels


def scan_seconds(setup: ScanSetup, n_readings: int) -> float:
    """Time to allow for a scan: relays, settling, twice the aperture, and some overhead."""
    each = RELAY_SECONDS + (setup.settle_seconds or 0.0) + 3 * setup.line_cycles * LINE_SECONDS
    return max(5.0, 1.0 + 2 * n_readings * each)


def confirm_each(transport: Transport, what: str, wanted: float, reply: str) -> None:
    """Compare one setting of several channels with what was sent.

    Raises:
        InstrumentError: a channel took another value.
    """
    for field in reply.split(","):
        confirm(transport, what, wanted, field)


def confirm_text(transport: Transport, what: str, wanted: str, reply: str) -> None:
    """Compare a setting read back as text.

    Raises:
        InstrumentError: the instrument took another value.
    """
    if reply.replace(" ", "") != wanted:
        raise InstrumentError(
            f"{transport.address}: {what} was set to {wanted} and reads back as {reply}. Not all "
            "channels may exist in this mainframe: compare its cards with the bench file",
            address=transport.address,
            wanted=wanted,
            kept=reply,
        )


def read_reply(transport: Transport, message: str, expect: Expect, doing: str) -> bytes:
    """Exchange; if no reply comes in time, say what the instrument's error queue says.

    Raises:
        InstrumentError: it reports errors.
        TransportTimeoutError: it does not, and yet no reply came.
    """
    try:
        return transport.exchange(message.encode("ascii"), expect)
    except TransportTimeoutError:
        transport.clear()
        check_errors(transport, doing)
        raise


def read_back(transport: Transport, queries: Sequence[str]) -> list[str]:
    """The replies to some queries sent as one message.

    Raises:
        ProtocolError: another number of replies.
    """
    message = ";".join(queries)
    reply = ask(transport, message)
    replies = reply.split(";")
    if len(replies) != len(queries):
        raise ProtocolError(
            f"{transport.address} answered {reply!r} to {message!r} where {len(queries)} replies "
            "were expected. Probably a late reply to an earlier message: clear the session",
            address=transport.address,
            sent=message,
            received=reply,
        )
    return replies


def scanned(transport: Transport, message: str, count: int, seconds: float) -> list[float]:
    """Readings as text, and the error queue's newest word, from one message.

    Args:
        transport: the session.
        message: scans and asks for ``count`` readings in one reply.
        count: how many.
        seconds: time to allow.

    Raises:
        InstrumentError: the instrument reports errors, with or without readings.
        ProtocolError: another number of readings.
    """
    request = f"{message};{ERROR_QUERY}"
    reply = ask(transport, request, Expect.LINE.within(seconds))
    readings, _, fault = reply.rpartition(";")
    check_errors(transport, "it was scanning", parsed_fault(transport, fault))
    return parsed_numbers(transport, request, readings, count)


def shaped(readings: Sequence[float] | Floats, n_channels: int) -> Floats:
    """Readings as ``(n_scans, n_channels)`` volts; over-range is plus or minus infinity."""
    volts = np.array(readings, dtype=np.float64).reshape(-1, n_channels)
    over = np.abs(volts) >= OVER_RANGE_VOLTS
    volts[over] = np.copysign(math.inf, volts[over])
    return volts
