"""What a server or an in-memory transport needs of an emulated instrument: bytes in, bytes out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["EmulatedInstrument", "Polls"]


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


@runtime_checkable
class Polls(Protocol):
    """An instrument that also does something of its own accord, such as a dead-man timer."""

    def poll(self) -> None:
        """Do what is due by now.

        Servers call it about every 10 ms while no bytes come, between clients too, and while a
        client does not take its reply. Bytes that come are told to ``receive`` only.
        """
        ...
