"""What every way of reaching an instrument offers: one verb in, one value out.

A transport frames messages; it knows no command of any instrument. The terminator is the
transport's business on both sides: requests come without it, lines are returned without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Protocol

__all__ = ["Expect", "Framing", "Transport"]


class Framing(Enum):
    """How the end of a reply is recognised."""

    NOTHING = "nothing"  # no reply comes
    LINE = "line"  # up to the terminator
    BLOCK = "block"  # IEEE 488.2 definite-length block, then the terminator
    SIZED = "sized"  # "#0", a payload of known length, then the terminator (TSP printbuffer)


@dataclass(frozen=True, slots=True)
class Expect:
    """The reply a request will bring; use the constants and :meth:`block`.

    Attributes:
        framing: how the end of the reply is recognised.
        n_bytes: payload length of a ``SIZED`` reply.
        timeout_seconds: time allowed for the whole reply; None: as the transport was opened.
    """

    framing: Framing
    n_bytes: int = 0
    timeout_seconds: float | None = None

    NOTHING: ClassVar[Expect]
    LINE: ClassVar[Expect]
    BLOCK: ClassVar[Expect]

    @staticmethod
    def block(n_bytes: int) -> Expect:
        """A ``#0`` block of a length known beforehand, as TSP instruments send."""
        return Expect(Framing.SIZED, n_bytes)

    def within(self, timeout_seconds: float) -> Expect:
        """The same reply with its own time allowed, for a sweep or a self-test."""
        return replace(self, timeout_seconds=timeout_seconds)


Expect.NOTHING = Expect(Framing.NOTHING)
Expect.LINE = Expect(Framing.LINE)
Expect.BLOCK = Expect(Framing.BLOCK)


class Transport(Protocol):
    """A session with one instrument.

    After a failed exchange the session may hold a late reply; call :meth:`clear` before the
    next query. Nothing is ever sent twice: whoever knows that a request is idempotent retries.
    """

    @property
    def address(self) -> str:
        """Where the instrument is, as errors and logs name it."""
        ...

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """Send one message and return its reply.

        Args:
            request: the message without its terminator.
            expect: the reply to wait for.

        Returns:
            The line without its terminator, the payload of the block, or ``b""``.

        Raises:
            TransportTimeoutError: no reply, or a part of one, within the time allowed.
            ProtocolError: the reply is not framed as expected.
            TransportError: the message could not be sent; the session is closed or lost.
        """
        ...

    def clear(self) -> None:
        """Forget replies not yet read; never raises for there being none."""
        ...

    def close(self) -> None:
        """Release the session; may be called again."""
        ...
