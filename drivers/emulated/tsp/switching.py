"""A switching mainframe's relays: what is closed, in which order relays move, how long it takes.

Sources: Models 707B and 708B Reference Manual, 707B-901-01; Series 3700A Reference Manual,
3700AS-901-01, "Connection methods for close operations".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.switch_cards import SwitchCard

__all__ = ["BREAK_FIRST", "MAKE_FIRST", "TOGETHER", "Operation", "Relays"]

TOGETHER, BREAK_FIRST, MAKE_FIRST = 0.0, 1.0, 2.0


class Operation(NamedTuple):
    """Relays that moved at one time: first those that opened, then those that closed."""

    seconds: float
    opened: tuple[str, ...]
    closed: tuple[str, ...]


class Relays:
    """The relays of all slots.

    Args:
        cards: by slot number.
        clock: the world's time, which moves on while relays settle.
        on_change: called with everything that is closed whenever relays have moved, so also
            between the break and the make.
        is_live: whether there is voltage or current at a channel; None: nobody knows.

    Attributes:
        names: every channel and backplane relay, in the order replies have.
        log: what moved, and when.
        n_hot: relays that moved while their channel was live.
        counts: closures of each relay.
        delays: user delay of each channel in seconds.
        rule: ``TOGETHER``, ``BREAK_FIRST`` or ``MAKE_FIRST``.
        sequential: whether relays move one at a time.
    """

    def __init__(
        self,
        cards: Mapping[int, SwitchCard],
        clock: Clock,
        on_change: Callable[[frozenset[str]], None],
        is_live: Callable[[str], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._is_live = is_live
        self._seconds = {
            name: card.relay_seconds
            for slot, card in cards.items()
            for name in (*card.channels(slot), *card.backplane_relays(slot))
        }
        self.names = tuple(self._seconds)
        self._place = {name: index for index, name in enumerate(self.names)}
        self._closed: frozenset[str] = frozenset()
        self.log: list[Operation] = []
        self.n_hot = 0
        self.counts = dict.fromkeys(self.names, 0)
        self.delays = dict.fromkeys(self.names, 0.0)
        self.rule = BREAK_FIRST
        self.sequential = False

    @property
    def closed(self) -> frozenset[str]:
        """Names of all closed relays."""
        return self._closed

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Names in the order replies have: by slot, channels before backplane relays."""
        return sorted(set(names), key=self._place.__getitem__)

    def change(self, opening: Iterable[str], closing: Iterable[str]) -> None:
        """Open and close relays in the order the connection rule asks for."""
        to_open = self.ordered(name for name in opening if name in self._closed)
        to_close = self.ordered(name for name in closing if name not in self._closed)
        if self.rule == TOGETHER and not self.sequential:
            self._move(to_open, to_close)
            return
        phases = [(to_open, []), ([], to_close)]
        for opened, made in reversed(phases) if self.rule == MAKE_FIRST else phases:
            if not self.sequential:
                self._move(opened, made)
                continue
            for name in opened:
                self._move([name], [])
            for name in made:
                self._move([], [name])

    def _move(self, opened: list[str], made: list[str]) -> None:
        moved = (*opened, *made)
        if not moved:
            return
        if self._is_live is not None:
            self.n_hot += sum(map(self._is_live, opened))
        self._closed = (self._closed - frozenset(opened)) | frozenset(made)
        self.log.append(Operation(self._clock.now_seconds, tuple(opened), tuple(made)))
        for name in made:
            self.counts[name] += 1
        self._on_change(self._closed)
        if self._is_live is not None:
            self.n_hot += sum(map(self._is_live, made))
        settling = max(self._seconds[name] for name in moved)
        self._clock.elapse(settling + max((self.delays[name] for name in made), default=0.0))
