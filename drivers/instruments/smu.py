"""What drivers of source-measure units have in common: envelope, setup, reading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from drivers.instruments.base import ask, check_errors, parsed_fault
from drivers.transport.interface import Expect, Transport
from hil.errors import ProtocolError, TransportTimeoutError, UsageError

__all__ = [
    "LINE_SECONDS",
    "Held",
    "HeldTiming",
    "OffMode",
    "SmuLimits",
    "SmuReading",
    "SmuSetup",
    "checked",
    "known_limit",
]

LINE_SECONDS, SHORT_LINE_SECONDS = 0.02, 1.0 / 60.0  # at 50 and at 60 Hz
RANGING_SECONDS = 0.05  # that automatic ranging may take

OffMode: TypeAlias = Literal["HIMP", "NORM", "ZERO", "GUAR"]


@dataclass(frozen=True, slots=True)
class SmuLimits:
    """The envelope: nothing beyond it is ever sent, as level or as compliance."""

    volts: float
    amps: float


@dataclass(frozen=True, slots=True)
class SmuSetup:
    """What stays the same for a run.

    Attributes:
        line_cycles: integration time in power line cycles, 0.01 to 10.
        four_wire: sense at the device, not at the terminals.
        off_mode: what the terminals do while the output is off; ``HIMP`` wears a relay.
    """

    line_cycles: float = 1.0
    four_wire: bool = False
    off_mode: OffMode = "NORM"


class SmuReading(NamedTuple):
    """One measurement of both quantities; ``seconds`` counts from the instrument's reset."""

    volts: float
    amps: float
    seconds: float
    in_compliance: bool
    overflow: bool


@dataclass(frozen=True, slots=True)
class HeldTiming:
    """What it takes an instrument to hold a level and read it meanwhile.

    Attributes:
        shortest_seconds: for which it can do both.
        shortest_cycles: least integration time in power line cycles.
        n_integrations: of a reading without automatic zero.
        n_zeroed: of one with it.
        point_seconds: besides waits and integrations; with a timer this is set aside, without
            one it comes on top.
        timed: whether a timer of the instrument keeps the dwell.
    """

    shortest_seconds: float
    shortest_cycles: float
    n_integrations: int
    n_zeroed: int
    point_seconds: float
    timed: bool


@dataclass(frozen=True, slots=True)
class Held:
    """How a level that is held is read.

    Attributes:
        dwell_seconds: how long each level is held.
        line_cycles: integration time.
        wait_seconds: from the level to the reading.
        quick: without automatic zero and range, for which there is no time.
    """

    dwell_seconds: float
    line_cycles: float
    wait_seconds: float
    quick: bool

    @staticmethod
    def fitting(address: str, dwell_seconds: float, line_cycles: float, timing: HeldTiming) -> Held:
        """The reading that fits into a dwell, as late in it as possible.

        Args:
            address: the instrument, for messages.
            dwell_seconds: how long each level is to be held.
            line_cycles: integration time wanted; less if half of the dwell is less.
            timing: what the instrument takes.

        Raises:
            UsageError: none fits.
        """
        if not dwell_seconds >= timing.shortest_seconds:
            raise UsageError(
                f"{address} cannot hold a level for {dwell_seconds:g} s and read it; the shortest "
                f"is {timing.shortest_seconds:g} s"
            )
        full_seconds = RANGING_SECONDS + timing.n_zeroed * line_cycles * LINE_SECONDS
        quick = dwell_seconds < full_seconds
        n = timing.n_integrations if quick else timing.n_zeroed
        if quick:
            fitting = 0.5 * dwell_seconds / (n * LINE_SECONDS)
            line_cycles = max(min(line_cycles, fitting), timing.shortest_cycles)
        if timing.timed:
            spared = timing.point_seconds if quick else RANGING_SECONDS
            wait = dwell_seconds - n * line_cycles * LINE_SECONDS - spared
        else:
            # Never less than the dwell, whatever the line frequency.
            wait = dwell_seconds - n * line_cycles * SHORT_LINE_SECONDS
        return Held(dwell_seconds, line_cycles, max(0.0, wait), quick)


def known_limit(address: str, limit: float | None) -> float:
    """The compliance whose range a quick sweep reads on.

    Raises:
        UsageError: there is none, nothing has been sourced since the reset.
    """
    if limit is None:
        raise UsageError(f"{address}: source a quantity, with its limit, before a sweep")
    return limit


def checked(
    transport: Transport,
    message: str,
    doing: str,
    expect: Expect = Expect.LINE,
    n_replies: int = 1,
) -> list[str]:
    """Exchange a message whose last query is the one for errors, in SCPI.

    Args:
        transport: the session.
        message: with ``n_replies`` queries before the one for errors.
        doing: what is being done, for messages.
        expect: how long the reply may take.
        n_replies: how many replies come before the error.

    Returns:
        The replies but the error.

    Raises:
        InstrumentError: the instrument reported errors.
        ProtocolError: another number of replies.
        TransportTimeoutError: no reply came, and it reports none.
    """
    try:
        reply = ask(transport, message, expect)
    except TransportTimeoutError:
        transport.clear()
        check_errors(transport, doing)
        raise
    # Without data the reply is the error alone, and its text may have semicolons, too.
    alone = re.match(r'[+-]?\d+,"', reply) is not None
    *data, fault = [reply] if alone else reply.split(";", n_replies)
    check_errors(transport, doing, parsed_fault(transport, fault))
    if len(data) != n_replies:
        raise _miscounted(transport, message, reply, n_replies)
    return data


def _miscounted(transport: Transport, sent: str, received: str, count: int) -> ProtocolError:
    return ProtocolError(
        f"{transport.address} answered {received!r} to {sent!r} where {count} replies and an "
        "error were expected. Probably a late reply to an earlier message: clear the session",
        address=transport.address,
        sent=sent,
        received=received,
    )
