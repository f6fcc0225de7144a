"""Settings and their check in one exchange: a message that sets, reads back and asks for errors.

A write followed by a query costs a round trip more, and an error found later belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from drivers.instruments.base import ERROR_QUERY, ask, check_errors, confirm, parsed_fault
from drivers.transport.interface import Transport
from hil.errors import ProtocolError, TransportTimeoutError

__all__ = ["Setting", "apply", "number"]


class Setting(NamedTuple):
    """A header and the value it gets; text is sent as it is and not compared when read back."""

    header: str
    value: float | str


def number(value: float) -> str:
    """A number as it is sent."""
    return f"{value:.9g}"


def apply(transport: Transport, doing: str, settings: Sequence[Setting]) -> None:
    """Send settings in their order, read the numbers back, and check the error queue.

    Raises:
        InstrumentError: the instrument refused one, or kept another value.
        TransportTimeoutError, ProtocolError: it did not answer, or not as it should.
    """
    numeric = [setting for setting in settings if isinstance(setting.value, float | int)]
    message = ";".join(
        [f"{header} {_spelled(value)}" for header, value in settings]
        + [f"{setting.header}?" for setting in numeric]
        + [ERROR_QUERY]
    )
    try:
        replies = ask(transport, message).split(";", len(numeric))
    except TransportTimeoutError:
        # A command error ends the message: no reply comes, and the queue says why.
        transport.clear()
        check_errors(transport, doing)
        raise
    if len(replies) != len(numeric) + 1:
        raise ProtocolError(
            f"{transport.address}: {len(replies)} of {len(numeric) + 1} replies came to "
            f"{message!r}. Read the instrument's error queue, then reset it",
            address=transport.address,
            sent=message,
            received=replies,
        )
    check_errors(transport, doing, parsed_fault(transport, replies[-1]))
    for setting, reply in zip(numeric, replies, strict=False):
        confirm(transport, setting.header, float(setting.value), reply)


def _spelled(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)
