"""What the tests of scanning voltmeters share: text in and out, and a source worth loading."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.world import Channel, Meter, Reading, ScannerWorld, World

SOURCE_OHMS = 10e6


def asked(instrument: EmulatedInstrument, message: str) -> str:
    """The reply to a message, or nothing."""
    return instrument.receive(message.encode() + b"\n").decode("latin-1").rstrip("\n")


class DividerWorld(ScannerWorld):
    """1 V behind 10 MOhm at every channel: a meter of 10 MOhm halves it."""

    def __init__(self) -> None:
        super().__init__({})

    def reading(self, channel: Channel) -> Reading:
        stance = channel.stance
        assert isinstance(stance, Meter), "measured without being connected"
        return Reading(stance.input_ohms / (stance.input_ohms + SOURCE_OHMS), 0.0)


class Later:
    """A world that is made after the instrument whose channels it needs.

    Args:
        made: will hold it.
    """

    def __init__(self, made: Sequence[World]) -> None:
        self._made = made

    @property
    def now_seconds(self) -> float:
        return self._made[0].now_seconds

    def elapse(self, seconds: float) -> None:
        self._made[0].elapse(seconds)

    def reading(self, channel: Channel) -> Reading:
        return self._made[0].reading(channel)
