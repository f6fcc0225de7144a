"""Lines of arrays and the crosspoints that join them to buses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from drivers.bench.config import BUSES, BenchConfig
from drivers.bench.roles import Switch
from hil.errors import InstrumentError, UsageError

__all__ = ["Lines", "LinesState", "crosspoints_of", "idle_state", "work_state"]

LinesState: TypeAlias = Mapping[str, str | None]
"""Bus of every line; None: it floats."""

_SHARED = frozenset({"high", "low", "third", "two_thirds"})
"""Buses of a source: lines on one are joined. On the others they are joined by design, or not."""

_IDLE_BUS = {"float": None, "soft_ground": "soft", "hard_ground": "ground"}


def work_state(config: BenchConfig) -> dict[str, str | None]:
    """Every line with what it works with in phases; a board is wired for good: nothing closed."""
    bus = None if config.phases.kind == "board" else "work"
    return dict.fromkeys(config.lines(), bus)


def idle_state(config: BenchConfig) -> dict[str, str | None]:
    """Every line as ``idle`` asks for."""
    return dict.fromkeys(config.lines(), _IDLE_BUS[config.idle])


def crosspoints_of(config: BenchConfig, state: LinesState) -> dict[str, frozenset[str]]:
    """What to close on each switching mainframe, and nothing else, for a state of the lines.

    Args:
        config: the bench file.
        state: bus of every line.

    Raises:
        UsageError: a line is missing or unknown, or has no crosspoint to its bus.
    """
    return {name: frozenset(points) for name, points in _Wiring(config).wanted(state).items()}


_Points: TypeAlias = dict[str, str]
"""Bus by crosspoint, of one mainframe."""


class _Wiring:
    """Crosspoints by line and bus."""

    def __init__(self, config: BenchConfig) -> None:
        self.mainframes = tuple(dict.fromkeys(block.instrument for block in config.matrix))
        self._lines = frozenset(config.lines())
        self._points = {bus: config.crosspoints(bus) for bus in BUSES}

    def wanted(self, state: LinesState) -> dict[str, _Points]:
        """What to close on each mainframe."""
        if state.keys() != self._lines:
            wrong = ", ".join(sorted(state.keys() ^ self._lines))
            raise UsageError(f"give the bus of every line and of no other: {wrong}")
        found: dict[str, _Points] = {name: {} for name in self.mainframes}
        for line, bus in state.items():
            if bus is None:
                continue
            place = self._points.get(bus, {}).get(line)
            if place is None:
                raise UsageError(
                    f"line {line} has no crosspoint to {bus!r}; wire it in [[matrix]] or choose "
                    "what does not need it"
                )
            found[place[0]][place[1]] = bus
        return found


class Lines:
    """Puts lines on buses, and remembers where they are.

    Relays move under whatever voltage there is: bring all sources to zero first.

    Args:
        config: the bench file.
        switches: its switching mainframes by name.
    """

    def __init__(self, config: BenchConfig, switches: Mapping[str, Switch]) -> None:
        self._wiring = _Wiring(config)
        self._switches = {name: switches[name] for name in self._wiring.mainframes}
        self._now: dict[str, _Points | None] = dict.fromkeys(self._wiring.mainframes)

    def forget(self) -> None:
        """Somebody else has moved relays: what is closed is not known any more."""
        self._now = dict.fromkeys(self._wiring.mainframes)

    def put(self, state: LinesState) -> None:
        """Close exactly what a state needs; one exchange for each mainframe that changes.

        A mainframe opens before it closes. Several move one after the other, those first that
        take lines off a source's bus before others put theirs on it; where each waits for the
        other, one opens first, in an exchange of its own, so that two lines never are joined by a
        bus that holds them neither before nor after.

        Args:
            state: bus of every line, None to let it float.

        Raises:
            UsageError: see :func:`crosspoints_of`; nothing was sent.
            InstrumentError: refused, or other crosspoints are closed.
        """
        wanted = self._wiring.wanted(state)
        pending = [name for name, points in wanted.items() if self._now[name] != points]
        if len(pending) > 1:
            for name in [name for name in pending if self._now[name] is None]:
                self._close(name, {})
        while pending:
            ready = next((name for name in pending if self._may_grow(name, wanted, pending)), None)
            if ready is not None:
                pending.remove(ready)
                if self._now[ready] != wanted[ready]:
                    self._close(ready, wanted[ready])
            else:
                blocking = next(name for name in pending if self._leaving(name, wanted))
                before = self._now[blocking] or {}
                self._close(blocking, {k: v for k, v in before.items() if k in wanted[blocking]})

    def _may_grow(self, name: str, wanted: Mapping[str, _Points], pending: Iterable[str]) -> bool:
        """Whether the buses that a mainframe joins lines to have been left by those that leave."""
        before = self._now[name] or {}
        joined = {bus for point, bus in wanted[name].items() if point not in before} & _SHARED
        return not any(joined & self._leaving(other, wanted) for other in pending if other != name)

    def _leaving(self, name: str, wanted: Mapping[str, _Points]) -> set[str]:
        """Source buses that lines of a mainframe are to be taken off."""
        before = self._now[name] or {}
        return {bus for point, bus in before.items() if point not in wanted[name]} & _SHARED

    def _close(self, name: str, points: _Points) -> None:
        self._now[name] = None
        try:
            self._switches[name].close_exactly(frozenset(points))
        except InstrumentError as error:
            buses = ", ".join(sorted(set(points.values()))) or "none"
            error.say(
                f"{error.message}. It was to close {len(points)} crosspoints (buses: {buses}): if "
                "one does not exist there, correct [[matrix]] of the bench file"
            )
            raise
        self._now[name] = dict(points)
