"""Messages of text to a board and back, its errors, and the way back from a disturbed line."""

from __future__ import annotations

from collections.abc import Callable

from drivers.board.faults import refused
from drivers.transport.interface import Expect, Transport
from hil.errors import ProtocolError

__all__ = ["MESSAGE_ROOM", "Session"]

QUIET_SECONDS = 0.15
"""Longer than the pause that ends a damaged message (SPECIFICATION.md, 3)."""

MESSAGE_ROOM = 96
"""Bytes of a bulk message besides the data in its block, at most."""

_MOST_ERRORS = 16


class Session:
    """A board at the other end of a transport.

    Args:
        transport: owned from now on.
        sleep: waits so many seconds.
        bytes_per_second: speed of the line.
    """

    def __init__(
        self, transport: Transport, sleep: Callable[[float], None], bytes_per_second: float
    ) -> None:
        self.transport = transport
        self.bytes_per_second = bytes_per_second
        self._sleep = sleep

    @property
    def address(self) -> str:
        """Of the transport."""
        return self.transport.address

    def send(self, text: str) -> None:
        """A message without a reply."""
        self.transport.exchange(text.encode("ascii"), Expect.NOTHING)

    def ask(self, text: str) -> str:
        r"""A message and its reply.

        A command that may be refused stands in a line of its own (``\n``) before the query: a
        refusal ends its message, and what comes behind it there is not answered.
        """
        return self.transport.exchange(text.encode("ascii"), Expect.LINE).decode("ascii", "replace")

    def numbers(self, query: str, count: int) -> list[int]:
        """The integers of a reply.

        Raises:
            ProtocolError: it has others.
        """
        reply = self.ask(query)
        try:
            found = [int(part) for part in reply.split(",")]
        except ValueError:
            found = []
        if len(found) != count:
            raise ProtocolError(
                f"{self.address}: the reply to {query} is {reply!r}, not {count} integers. "
                "Probably a late reply to an earlier message: recover the session and ask again",
                address=self.address,
                sent=query,
                received=reply,
            )
        return found

    def tell(self, command: str) -> None:
        """A command, and whether it was carried out, in one exchange.

        Raises:
            InstrumentError: it was refused, or an error was queued before it.
        """
        self.check(self.ask(f"{command}\n:SYST:ERR?"), command)

    def check(self, first_error: str, command: str) -> None:
        """Raise an error that a board told, together with those queued behind it.

        Raises:
            InstrumentError: it was one.
        """
        entry = _entry(first_error)
        if entry[0]:
            raise refused(self.address, command, [entry, *self.errors()])

    def errors(self) -> list[tuple[int, str]]:
        """Take all errors off the queue."""
        found: list[tuple[int, str]] = []
        while len(found) < _MOST_ERRORS and (entry := _entry(self.ask(":SYST:ERR?")))[0]:
            found.append(entry)
        return found

    def recover(self) -> None:
        """Find back to the beginning of a message after something was lost on the line."""
        self._sleep(QUIET_SECONDS)
        self.send("")
        self._sleep(QUIET_SECONDS)
        self.transport.clear()

    def allowed_seconds(self, sent: int, received: int) -> float:
        """Time for so many bytes in both directions, with a margin."""
        return 2.0 + 1.5 * (sent + received) / self.bytes_per_second


def _entry(reply: str) -> tuple[int, str]:
    code, _, text = reply.partition(",")
    try:
        return int(code), text.strip('"')
    except ValueError:
        return -1, reply
