"""The event log of an emulated Keithley 2450: errors with severity and time, and warnings.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B, section 6, SYSTem subsystem.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError

__all__ = ["EventLog", "moment"]

CAPACITY = 1000
ERROR, WARNING, INFORMATION = 1, 2, 4
_SEVERITIES = {"ERRor": ERROR, "WARNing": WARNING, "INFormation": INFORMATION, "ALL": 7}
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """What the instrument's clock shows at a time of the emulated world."""
    return _EPOCH + timedelta(seconds=seconds)


class _Event(NamedTuple):
    code: int
    text: str
    severity: int


class EventLog(ErrorQueue):
    """Everything that happened, oldest first; the error queue is the part that are errors.

    Args:
        now: time of the emulated world, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(CAPACITY)
        self._events: deque[_Event] = deque(maxlen=CAPACITY)
        self._now = now

    def __len__(self) -> int:
        return self.count(ERROR)

    def put(self, code: int, text: str) -> None:
        """Log an error."""
        self.log(code, text, ERROR)

    def warn(self, code: int, text: str) -> None:
        """Log a warning, which no error query shows."""
        self.log(code, text, WARNING)

    def log(self, code: int, text: str, severity: int) -> None:
        """Log an event with its severity and the time, as the manual's examples are written."""
        at = moment(self._now())
        stamp = f"{at:%Y/%m/%d %H:%M:%S}.{at.microsecond // 1000:03d}"
        self._events.append(_Event(code, f"{text};{severity};{stamp}", severity))

    def take(self) -> tuple[int, str]:
        """The oldest error."""
        return self._take(ERROR)

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()

    def count(self, severities: int) -> int:
        """How many events of some severities there are."""
        return sum(bool(event.severity & severities) for event in self._events)

    def commands(self) -> Iterator[Command]:
        """``SYSTem:ERRor`` and ``SYSTem:EVENtlog``; these replace those of the status system."""
        yield Command(":SYSTem:ERRor[:NEXT]", query=lambda _: _spelled(self.take()))
        yield Command(":SYSTem:EVENtlog:NEXT", query=self._next, asks=(0, 1))
        yield Command(
            ":SYSTem:EVENtlog:COUNt", query=lambda p: str(self.count(_severity(p))), asks=(0, 1)
        )
        yield Command(":SYSTem:EVENtlog:POST", self._post, takes=(1, 2))

    def _take(self, severities: int) -> tuple[int, str]:
        for index, event in enumerate(self._events):
            if event.severity & severities:
                del self._events[index]
                return event.code, event.text
        return 0, "No error;0;0 0"

    def _next(self, parameters: Parameters) -> str:
        return _spelled(self._take(_severity(parameters)))

    def _post(self, parameters: Parameters) -> None:
        text = parameters.string()
        severity = _severity(parameters) if len(parameters) else INFORMATION
        self.log({ERROR: 1005, WARNING: 1004}.get(severity, 1003), text, severity)


def _severity(parameters: Parameters) -> int:
    if not len(parameters):
        return _SEVERITIES["ALL"]
    text = parameters.text()
    if text.isdigit():
        return int(text)
    word = Parameters((text,)).word(tuple(_SEVERITIES))
    for name, severity in _SEVERITIES.items():
        if name.startswith(word):
            return severity
    raise ScpiError(-224)


def _spelled(event: tuple[int, str]) -> str:
    code, text = event
    return f'{code},"{text}"'
