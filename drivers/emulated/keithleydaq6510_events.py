"""Clock and event log of an emulated Keithley DAQ6510.

Source: Model DAQ6510 Reference Manual, DAQ6510-901-01, "SYSTem subsystem".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError
from drivers.emulated.world import World

__all__ = ["Calendar", "EventLog"]

POWER_ON = datetime(2026, 1, 1)
ERROR_PLACES = 1000
NO_EVENT = (0, "No error;0;0 0")
ERROR_SEVERITY = 1


class Calendar:
    """The instrument's clock: the world's time behind a date that can be set."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._start = POWER_ON

    def at(self, seconds: float) -> datetime:
        """The date of a moment of the world's time."""
        return self._start + timedelta(seconds=seconds)

    @property
    def now(self) -> datetime:
        """The present date."""
        return self.at(self._world.now_seconds)

    def commands(self) -> Iterator[Command]:
        """``SYSTem:TIME``."""
        yield Command(":SYSTem:TIME", self._write, self._query, takes=(3, 6), asks=(0, 1))

    def _write(self, parameters: Parameters) -> None:
        today = [self.now.year, self.now.month, self.now.day]
        wanted = today if len(parameters) == 3 else []
        limits = ((1970, 2100), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
        wanted += [parameters.whole(*limit) for limit in limits[len(wanted) :]]
        year, month, day, hour, minute, second = wanted
        try:
            moment = datetime(year, month, day, hour, minute, second)
        except ValueError:  # such as 30 February
            raise ScpiError(-222) from None
        self._start = moment - timedelta(seconds=self._world.now_seconds)

    def _query(self, parameters: Parameters) -> str:
        if len(parameters) and parameters.whole(0, 1):
            return self.now.strftime("%a %b %d %H:%M:%S %Y")
        return f"{(self.now - datetime(1970, 1, 1)).total_seconds():.0f}"


class EventLog(ErrorQueue):
    """Errors with their severity and time: ``-113,"Undefined header;1;2026/01/01 00:00:00.000"``.

    Args:
        calendar: stamps each entry.
    """

    def __init__(self, calendar: Calendar) -> None:
        super().__init__(ERROR_PLACES)
        self._calendar = calendar

    def put(self, code: int, text: str) -> None:
        """Append an error as of now."""
        stamp = self._calendar.now.strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        super().put(code, f"{text};{ERROR_SEVERITY};{stamp}")

    def take(self) -> tuple[int, str]:
        """The oldest entry, or the one that says there is none."""
        return super().take() if len(self) else NO_EVENT

    def commands(self) -> Iterator[Command]:
        """``SYSTem:ERRor`` and ``SYSTem:EVENtlog``, which here hold the same entries."""
        for root in (":SYSTem:ERRor", ":SYSTem:EVENtlog"):
            yield Command(f"{root}[:NEXT]", query=lambda _: self._next())
            yield Command(f"{root}:COUNt", query=lambda _: str(len(self)), asks=(0, 1))
        yield Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda _: str(self.take()[0]))
        yield Command(":SYSTem:CLEar", lambda _: self.clear(), takes=(0, 0))

    def _next(self) -> str:
        code, text = self.take()
        return f'{code},"{text}"'
