"""Words of TSP instruments: settings with their check in one exchange, the error queue.

A message is one line of Lua. Whatever a message does, its last ``print`` also says how many
errors the queue holds, so that an error belongs to the message that made it.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from drivers.instruments.base import (
    MOST_ERRORS,
    Fault,
    ask,
    confirm,
    parsed_integer,
    parsed_numbers,
)
from drivers.transport.interface import Expect, Transport
from hil.errors import InstrumentError, ProtocolError, TransportTimeoutError

__all__ = ["Setting", "apply", "check_errors", "drain_errors", "number", "run", "run_numbers"]

ERROR_COUNT = "errorqueue.count"
NEXT_ERROR = "print(errorqueue.next())"


class Setting(NamedTuple):
    """An attribute and the value it gets.

    Attributes:
        name: as scripts write it, such as ``smua.source.levelv``.
        value: the number.
        confirmed: whether it must read back as it was sent; ranges do not.
    """

    name: str
    value: float
    confirmed: bool = True


def number(value: float) -> str:
    """A number as it is sent."""
    return f"{value:.9g}"


def apply(transport: Transport, doing: str, settings: Sequence[Setting]) -> None:
    """Set attributes in their order, read them back and check the error queue, in one exchange.

    Raises:
        InstrumentError: the instrument refused one, or kept another value.
        TransportTimeoutError, ProtocolError: it did not answer, or not as it should.
    """
    read_back = [setting for setting in settings if setting.confirmed]
    commands = " ".join(f"{name}={number(value)}" for name, value, _ in settings)
    replies = run(transport, doing, commands, [setting.name for setting in read_back])
    for setting, reply in zip(read_back, replies, strict=True):
        confirm(transport, setting.name, setting.value, reply)


def run(
    transport: Transport,
    doing: str,
    commands: str,
    expressions: Sequence[str],
    expect: Expect = Expect.LINE,
) -> list[str]:
    """Carry out Lua statements, then print expressions; errors are checked in the same exchange.

    Args:
        transport: the session.
        doing: what is being done, for messages.
        commands: statements on one line; may be empty.
        expressions: each with one value.
        expect: how long the reply may take.

    Returns:
        The values as text.

    Raises:
        InstrumentError: the error queue was not empty afterwards.
        TransportTimeoutError, ProtocolError: it did not answer, or not as it should.
    """
    message = f"{commands} print({','.join([*expressions, ERROR_COUNT])})".strip()
    try:
        reply = ask(transport, message, expect)
    except TransportTimeoutError:
        # A runtime error ends the message: no reply comes, and the queue says why.
        transport.clear()
        check_errors(transport, doing)
        raise
    *values, n_errors = reply.split("\t")
    if len(values) != len(expressions):
        raise _miscounted(transport, message, reply, len(expressions) + 1)
    if parsed_numbers(transport, message, n_errors, 1) != [0.0]:
        check_errors(transport, doing)
    return values


def run_numbers(
    transport: Transport,
    doing: str,
    commands: str,
    expressions: Sequence[str],
    expect: Expect = Expect.LINE,
) -> list[float]:
    """As :func:`run`, for expressions that are numbers."""
    values = run(transport, doing, commands, expressions, expect)
    return parsed_numbers(transport, commands, ",".join(values), len(expressions))


def drain_errors(transport: Transport) -> list[Fault]:
    """Empty the error queue, oldest first; stops after 32 in case it never empties."""
    faults: list[Fault] = []
    for _ in range(MOST_ERRORS):
        reply = ask(transport, NEXT_ERROR)
        told, _, rest = reply.partition("\t")
        (value,) = parsed_numbers(transport, NEXT_ERROR, told, 1)
        code = parsed_integer(transport, NEXT_ERROR, reply, value)
        if code == 0:
            break
        faults.append(Fault(code, rest.split("\t")[0]))
    return faults


def check_errors(transport: Transport, doing: str) -> None:
    """Raise if the instrument has errors to report.

    Raises:
        InstrumentError: with all entries in ``evidence["faults"]``.
    """
    faults = drain_errors(transport)
    if faults:
        listed = "; ".join(f"{fault.code} {fault.text}" for fault in faults)
        raise InstrumentError(
            f"{transport.address} reported while {doing}: {listed}. The setting was refused or "
            "the instrument is in another state than assumed; reset it and set it up again",
            address=transport.address,
            faults=faults,
        )


def _miscounted(transport: Transport, sent: str, received: str, count: int) -> ProtocolError:
    return ProtocolError(
        f"{transport.address} answered {received!r} to {sent!r} where {count} values were "
        "expected. Probably a late reply to an earlier message: clear the session",
        address=transport.address,
        sent=sent,
        received=received,
    )
