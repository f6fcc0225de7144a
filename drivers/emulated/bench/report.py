"""What an emulated bench tells of itself: states of instruments, and what happened in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["BenchReport", "BoardState", "Event", "Events", "SourceState", "SwitchState"]

What: TypeAlias = Literal["output", "level", "opened", "closed", "board", "violation"]

_KEPT = 20_000


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        seconds: time of the emulated world.
        where: source channel, such as ``in1.a``, switching mainframe or board.
        what: ``output`` on (1) or off (0), a ``level`` in volts or amps, crosspoints ``opened``
            or ``closed``, a state of the ``board``, or a ``violation`` of what may be connected.
        value: of outputs and levels.
        names: crosspoints, or words.
    """

    seconds: float
    where: str
    what: What
    value: float = 0.0
    names: tuple[str, ...] = ()


class Events:
    """The newest events, some 20 000.

    Args:
        now: time of the emulated world.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self.n_violations = 0

    def add(self, where: str, what: What, value: float = 0.0, names: tuple[str, ...] = ()) -> None:
        """Take note of something that happens now."""
        self.n_violations += what == "violation"
        self._kept.append(Event(self._now(), where, what, value, names))

    @property
    def all(self) -> tuple[Event, ...]:
        """Those that are kept, in the order they happened."""
        return tuple(self._kept)


@dataclass(frozen=True)
class SourceState:
    """A source channel.

    Attributes:
        output_on: as its front panel shows.
        quantity: what it sources; None: its terminals are open.
        level: volts or amps that leave it, errors of the source among them; of an output that is
            off what its off mode leaves.
        limited: whether it is in compliance.
    """

    output_on: bool
    quantity: Literal["volts", "amps"] | None
    level: float
    limited: bool


@dataclass(frozen=True)
class SwitchState:
    """A switching mainframe.

    Attributes:
        closed: channels that are closed.
        n_hot: relays that have moved while there was voltage at them; None: it does not count.
    """

    closed: frozenset[str]
    n_hot: int | None


@dataclass(frozen=True)
class BoardState:
    """A board.

    Attributes:
        armed: whether it may energise anything.
        isolated: whether every node is cut off from the arrays.
        floating: whether the input lines are cut off.
        energised: whether an input is away from 0 V or the nudge sources are connected.
        input_volts: steady levels.
        nudge_amps: likewise; None: open.
    """

    armed: bool
    isolated: bool
    floating: bool
    energised: bool
    input_volts: tuple[float, ...]
    nudge_amps: tuple[float, ...] | None


@dataclass(frozen=True)
class BenchReport:
    """All instruments now, and the newest events.

    Attributes:
        seconds: time of the emulated world.
        sources: by channel, such as ``in1.a``.
        switches: by instrument.
        board: None without one.
        events: in the order they happened.
        n_violations: of all times.
    """

    seconds: float
    sources: dict[str, SourceState]
    switches: dict[str, SwitchState]
    board: BoardState | None
    events: tuple[Event, ...]
    n_violations: int

    @property
    def is_safe(self) -> bool:
        """Whether all outputs are off and nothing is energised by a board."""
        board = self.board
        quiet = board is None or not (board.armed or board.energised)
        return quiet and not any(source.output_on for source in self.sources.values())
