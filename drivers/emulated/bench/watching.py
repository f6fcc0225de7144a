"""Listening to channels and relays, and to the bytes of instruments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from drivers.emulated.bench.report import Events, SourceState, SwitchState, What
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.world import Channel, CurrentForce, VoltageForce, World
from hil.interruption import deferred_signals

__all__ = ["Heard", "RelayWatch", "SourceWatch"]

_KEPT_OPERATIONS = 100


class SourceWatch:
    """Tells of a source channel's levels and output; to be made when the channel is wired.

    Args:
        where: the channel, such as ``in1.a``.
        channel: its terminals.
        output_on: whether the output is on.
        events: where to tell.
        then: called after each change.
    """

    def __init__(
        self,
        where: str,
        channel: Channel,
        output_on: Callable[[], bool],
        events: Events,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self._where, self._channel = where, channel
        self._output_on, self._events, self._then = output_on, events, then
        self._was_on, self._was_at = output_on(), 0.0
        world = channel.on_change
        assert world is not None
        self._world = world
        channel.on_change = self._changed

    def look(self) -> None:
        """Tell what has changed."""
        on = self._output_on()
        if on != self._was_on:
            self._was_on, self._was_at = on, 0.0
            self._events.add(self._where, "output", float(on))
            self._then()
        if on and (level := self._level()) != self._was_at:
            self._was_at = level
            self._events.add(self._where, "level", level)

    def state(self, world: World) -> SourceState:
        """As it is now."""
        stance = self._channel.stance
        quantity: Literal["volts", "amps"] | None = None
        if self.is_forcing():
            quantity = "volts" if isinstance(stance, VoltageForce) else "amps"
        limited = quantity is not None and world.reading(self._channel).limited
        return SourceState(self._output_on(), quantity, self._level(), limited)

    def is_forcing(self) -> bool:
        """Whether it forces anything on its terminals."""
        return isinstance(self._channel.stance, VoltageForce | CurrentForce)

    def _changed(self, channel: Channel) -> None:
        self._world(channel)
        self.look()

    def _level(self) -> float:
        match self._channel.stance:
            case VoltageForce(volts=volts):
                return volts
            case CurrentForce(amps=amps):
                return amps
        return 0.0


class RelayWatch:
    """Tells of a mainframe's relays, and moves them in a world.

    Args:
        where: the mainframe.
        world: in which there are switches of that name.
        events: where to tell.
        then: called after each change.

    Attributes:
        relays: of the mainframe, if they count hot switching.
        closed: those that are closed.
    """

    def __init__(
        self,
        where: str,
        world: CircuitWorld,
        events: Events,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self._where, self._events, self._then = where, events, then
        self._move = world.relays(where)
        self.relays: Any = None
        self.closed: frozenset[str] = frozenset()

    def moved(self, closed: frozenset[str]) -> None:
        """All relays that are closed from now on."""
        before, self.closed = self.closed, closed
        self._move(closed)
        changes: dict[What, frozenset[str]] = {"opened": before - closed, "closed": closed - before}
        for what, names in changes.items():
            if names:
                self._events.add(self._where, what, names=tuple(sorted(names)))
        if self.relays is not None:
            # The mainframe's own record would grow as long as the bench is used.
            del self.relays.log[:-_KEPT_OPERATIONS]
        self._then()

    def state(self) -> SwitchState:
        """As it is now."""
        n_hot = None if self.relays is None else int(self.relays.n_hot)
        return SwitchState(self.closed, n_hot)


class Heard:
    """An instrument, and whoever wants to look after each of its messages.

    Args:
        instrument: takes the bytes.
        before: called before bytes are taken, and when a server polls.
        after: called after that.
    """

    def __init__(
        self,
        instrument: EmulatedInstrument,
        before: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        self._instrument, self._before, self._after = instrument, before, after

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`.

        A real instrument hears nothing of the signals that its host gets: they wait.
        """
        with deferred_signals():
            self._before()
            reply = self._instrument.receive(data)
            self._after()
        return reply

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._instrument.reset_session()

    def poll(self) -> None:
        """See :class:`~drivers.emulated.interface.Polls`."""
        self._before()
        self._after()
