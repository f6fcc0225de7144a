"""Everything to its idle state: whatever happened before, every step by itself, writing only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

from drivers.bench.config import BenchConfig
from drivers.bench.equipment import Equipment
from drivers.bench.lines import crosspoints_of, idle_state
from drivers.bench.roles import Sleep
from hil.errors import HilError, TransportError
from hil.interruption import deferred_signals

__all__ = ["Watchdog", "make_safe_after", "shut_down"]

Step = tuple[str, Callable[[], object]]


def shut_down(config: BenchConfig, equipment: Equipment, sleep: Sleep) -> None:
    """Ramp all sources to zero, then outputs off, then switches to the idle mode.

    Nothing is asked and no step depends on another one: what fails is told at the end.

    Raises:
        TransportError: some steps failed; ``evidence["failures"]`` has the errors by step.
    """
    failures: dict[str, Exception] = {}
    for name, step in _steps(config, equipment, sleep):
        try:
            step()
        except Exception as error:  # whatever it is, the next step is still to be taken
            failures[name] = error
    if failures:
        told = "; ".join(f"{name}: {error}" for name, error in failures.items())
        raise TransportError(
            f"the bench may not be safe, {len(failures)} steps failed ({told}). Switch the outputs "
            "of these instruments off by hand, then run hil safe",
            failures=failures,
        ) from next(iter(failures.values()))


def make_safe_after(
    error: BaseException, config: BenchConfig, equipment: Equipment, sleep: Sleep
) -> None:
    """Shut down because of an error, which notes what fails meanwhile; stops requested wait."""
    with deferred_signals():
        try:
            shut_down(config, equipment, sleep)
        except HilError as further:
            error.add_note(further.message)


def _steps(config: BenchConfig, equipment: Equipment, sleep: Sleep) -> Iterator[Step]:
    """What to do, in order; the board does its part in an order of its own.

    A board that has handed its lines over drives nothing and is isolated; its safe state would
    join them again, so it comes when nothing else drives them.
    """
    board = equipment.board
    released = board is not None and board.lines_float
    if board is not None and not released:
        yield "safe state of the board", board.make_safe
    for name, source in equipment.sources.items():
        yield f"ramp {name} to zero", partial(source.ramp_to_zero, sleep)
    for name, source in equipment.sources.items():
        yield f"outputs of {name} off", source.make_safe
    idle = crosspoints_of(config, idle_state(config))
    for name, switch in equipment.switches.items():
        points = idle.get(name, frozenset())
        yield f"switches of {name}", partial(switch.leave, points)
    for name, voltmeter in equipment.voltmeters.items():
        yield f"channels of {name} open", voltmeter.make_safe
    if board is not None and released:
        yield "safe state of the board", board.make_safe


class Watchdog:
    """Makes an energised bench safe when nothing was asked of it for long.

    Args:
        seconds: how long.
        now: monotonic seconds.
        lock: held by whoever uses the bench, and by the watchdog while it acts.
        act: makes the bench safe.
    """

    def __init__(
        self,
        seconds: float,
        now: Callable[[], float],
        lock: threading.RLock,
        act: Callable[[], None],
    ) -> None:
        self._seconds = seconds
        self._now = now
        self._lock = lock
        self._act = act
        self._last = now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bench watchdog", daemon=True)
        self.tripped = False
        """Whether it acted."""
        self.failure: HilError | None = None
        """What kept it from making the bench safe."""

    def start(self) -> None:
        """Watch in a thread of its own until :meth:`stop`."""
        self._thread.start()

    def stop(self) -> None:
        """No longer watch; may be called from the watchdog's own thread."""
        self._ended.set()

    def feed(self) -> None:
        """Something was asked of the bench."""
        self._last = self._now()

    def look(self) -> float:
        """Act if it is time; seconds until the next look."""
        left = self._last + self._seconds - self._now()
        if left > 0.0:
            return left
        with self._lock:
            if self._last + self._seconds <= self._now() and not self._ended.is_set():
                self.tripped = True
                self._ended.set()
                try:
                    self._act()
                except HilError as error:
                    self.failure = error
        return self._seconds

    def _watch(self) -> None:
        left = self._seconds
        while not self._ended.wait(left):
            left = self.look()
