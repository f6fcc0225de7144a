"""Trigger events of a TSP instrument: detectors, blenders, timers, and processes that wait.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F, "Triggering".
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate, count
from typing import Any

from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["Detector", "EventBus", "trigger_tables"]

_STEPS_OF_A_MESSAGE = 20_000
_N_BLENDERS, _N_BLENDER_INPUTS = 6, 4
_N_TIMERS = 8
_N_GENERATORS = 2


class Detector:
    """Remembers that its stimulus came until somebody has waited for it.

    Attributes:
        stimulus: the event it looks for; 0: none, whoever waits goes on at once.
    """

    def __init__(self) -> None:
        self.stimulus = 0
        self._detected = False

    def notice(self, event: int) -> None:
        """An event came."""
        if event == self.stimulus:
            self._detected = True

    def set(self) -> None:
        """As if the stimulus had come."""
        self._detected = True

    def clear(self) -> None:
        """Forget it."""
        self._detected = False

    def take(self) -> bool:
        """Whether to go on; takes the detection away."""
        detected, self._detected = self._detected, False
        return detected or self.stimulus == 0


Process = Iterator["Detector | float"]


class EventBus:
    """Delivers events and runs processes, generators that yield what they wait for.

    A process yields a detector, or seconds to wait. World time moves on only when nothing can
    go on at once.

    Args:
        clock: the world's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = count(1)
        self._order = count()
        self._posted: deque[int] = deque()
        self._listeners: list[Callable[[int], None]] = []
        self._waiting: dict[Process, Detector] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def new_event(self) -> int:
        """An event's number, which scripts use as a stimulus."""
        return next(self._numbers)

    def listen(self, listener: Callable[[int], None]) -> None:
        """Call ``listener`` with every event."""
        self._listeners.append(listener)

    def detector(self) -> Detector:
        """A detector on this bus."""
        detector = Detector()
        self.listen(detector.notice)
        return detector

    def post(self, event: int) -> None:
        """Something happened."""
        self._posted.append(event)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something at a later time."""
        heapq.heappush(self._due, (self._clock.now_seconds + seconds, next(self._order), action))

    def start(self, process: Process) -> None:
        """Let a process begin."""
        self._advance(process)

    def stop(self, process: Process) -> None:
        """Make a process never go on; a wait of its own is forgotten when it is over."""
        self._waiting.pop(process, None)
        process.close()  # type: ignore[attr-defined]

    @property
    def busy(self) -> bool:
        """Whether a process has not ended."""
        return bool(self._waiting or self._due)

    def settle(self, n_steps: int = _STEPS_OF_A_MESSAGE) -> None:
        """Let everything go on until all that is left waits for an event nobody sends.

        Args:
            n_steps: the most that may happen; an endless sweep goes on at the next call.
        """
        for _ in range(n_steps):
            if self._posted:
                event = self._posted.popleft()
                for listener in self._listeners:
                    listener(event)
            elif not self._wake() and not self._wait():
                return

    def _wake(self) -> bool:
        """Let one process whose detector has seen its stimulus go on."""
        for process, detector in self._waiting.items():
            if detector.take():
                del self._waiting[process]
                self._advance(process)
                return True
        return False

    def _wait(self) -> bool:
        """Let time pass up to the next thing due."""
        if not self._due:
            return False
        due, _, action = heapq.heappop(self._due)
        self._clock.elapse(max(0.0, due - self._clock.now_seconds))
        action()
        return True

    def _advance(self, process: Process) -> None:
        wanted = next(process, None)
        if wanted is None:
            return
        if isinstance(wanted, Detector):
            self._waiting[process] = wanted
        else:
            self.after(wanted, lambda: self._advance(process))


def trigger_tables(bus: EventBus) -> tuple[TspTable, int]:
    """The ``trigger`` table: blenders, timers, generators, and the event of ``*TRG``.

    Returns:
        The table and the number of the command interface's event.
    """
    trigger = TspTable()
    command_event = bus.new_event()
    trigger.constants({"EVENT_ID": command_event})
    trigger.function("clear", lambda: None)
    trigger.function("wait", lambda _: False)
    trigger.objects["blender"] = [_blender(bus) for _ in range(_N_BLENDERS)]
    trigger.objects["timer"] = [_timer(bus) for _ in range(_N_TIMERS)]
    trigger.objects["generator"] = [_generator(bus) for _ in range(_N_GENERATORS)]
    return trigger, command_event


def _event_table(bus: EventBus) -> tuple[TspTable, int]:
    table = TspTable()
    event = bus.new_event()
    table.constants({"EVENT_ID": event})
    table.attribute("overrun", lambda: False)
    table.function("clear", lambda: None)
    table.function("wait", lambda _: False)
    return table, event


def _generator(bus: EventBus) -> TspTable:
    table, event = _event_table(bus)
    table.function("assert", lambda: bus.post(event))
    return table


def _blender(bus: EventBus) -> TspTable:
    """An event when one (``orenable``) or each of its stimuli came."""
    table, event = _event_table(bus)
    table.flag("orenable", False)
    inputs = [bus.detector() for _ in range(_N_BLENDER_INPUTS)]
    seen: set[int] = set()

    def notice(posted: int) -> None:
        wanted = {d.stimulus for d in inputs if d.stimulus}
        if posted not in wanted:
            return
        seen.add(posted)
        if table["orenable"] or wanted <= seen:
            seen.clear()
            bus.post(event)

    bus.listen(notice)
    stimulus = table.table("stimulus")
    stimulus.item = lambda index: inputs[int(index) - 1].stimulus

    def put(index: Any, value: Any) -> None:
        inputs[int(number(index)) - 1].stimulus = int(number(value))

    stimulus.put_item = put
    table.function("clear", seen.clear)

    def reset() -> None:
        table.reset()
        seen.clear()
        for detector in inputs:
            detector.stimulus = 0

    table.function("reset", reset)
    return table


def _timer(bus: EventBus) -> TspTable:
    """Events a delay after its stimulus came, once or several times."""
    table, event = _event_table(bus)
    table.number("delay", 10e-6, 8e-6, 100e3)
    table.number("count", 1.0, 0.0, 1048575.0)
    table.flag("passthrough", False)
    table.stored("stimulus", 0, lambda value: int(number(value)))
    delays: list[float] = []

    def set_delays(values: Any) -> None:
        if not isinstance(values, list):
            raise TspError(-104)
        delays[:] = [number(value) for value in values]

    table.attribute("delaylist", lambda: list(delays) or [table["delay"]], set_delays)
    running: list[int] = [0]  # events still to come

    def fire() -> None:
        running[0] -= 1
        bus.post(event)

    def notice(posted: int) -> None:
        if posted != table["stimulus"] or running[0]:
            return
        if table["passthrough"]:
            bus.post(event)
        cycle = delays or [table["delay"]]
        n_events = int(table["count"])
        running[0] = n_events
        for due in accumulate(cycle[i % len(cycle)] for i in range(n_events)):
            bus.after(due, fire)

    bus.listen(notice)

    def reset() -> None:
        table.reset()
        delays.clear()

    table.function("reset", reset)
    return table
