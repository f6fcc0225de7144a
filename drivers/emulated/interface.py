"""What a server or an in-memory transport needs of an emulated instrument: bytes in, bytes out."""

from __future__ import annotations

from typing import Protocol

__all__ = ["EmulatedInstrument"]


class EmulatedInstrument(Protocol):
    """One instrument, serving one session at a time; its state outlives sessions."""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the session, split anywhere, and return what the instrument answers.

        Never raises for anything a client can send: errors go to the instrument's error queue.
        """
        ...

    def reset_session(self) -> None:
        """A client went and another came: forget half messages, keep every setting."""
        ...
