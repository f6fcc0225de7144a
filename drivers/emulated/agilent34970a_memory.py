"""Reading memory of an emulated Agilent 34970A: its readings as text, and their statistics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from drivers.emulated.agilent34970a_channels import signed
from drivers.emulated.scpi.commands import Command, Parameters, Reply
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Settings
from drivers.emulated.scpi.values import definite_block
from drivers.emulated.world import World

__all__ = ["Memory", "Reading"]

LARGEST_MEMORY = 50_000
POWER_ON = datetime(2026, 1, 1)
_FLAGS = ("ALARm", "CHANnel", "TIME", "UNIT")


class Reading(NamedTuple):
    """One reading; ``seconds`` is the world's time, ``alarm`` 1 below and 2 above a limit."""

    value: float
    unit: str
    channel: int
    seconds: float
    alarm: int


class Memory:
    """What scans leave; when it is full, the oldest readings give way.

    Args:
        world: whose time the readings are stamped with.
        channels: turns the text of a channel list into numbers.
        look: called before readings are looked at, for a scan that never ends.
    """

    def __init__(
        self, world: World, channels: Callable[[str], list[int]], look: Callable[[], None]
    ) -> None:
        self._world = world
        self._channels = channels
        self._look = look
        self._readings: deque[Reading] = deque(maxlen=LARGEST_MEMORY)
        self._start_seconds = 0.0
        self._format = Settings(_declared(), lambda _: None)

    def reset(self) -> None:
        """Forget all readings; only the reading itself is sent of each."""
        self.clear()
        self.reset_format()

    def reset_format(self) -> None:
        """No unit, time, channel or alarm with readings, as after ``CONFigure``."""
        self._format.reset()

    def clear(self) -> None:
        """Forget all readings."""
        self._readings.clear()

    def begin(self) -> None:
        """A scan starts: relative times count from here."""
        self._start_seconds = self._world.now_seconds

    def store(self, reading: Reading) -> None:
        """Keep a reading."""
        self._readings.append(reading)

    def spelled(self, readings: Iterable[Reading]) -> str:
        """Readings as a reply."""
        return ",".join(map(self._spelled, readings))

    def commands(self) -> Iterator[Command]:
        """``FETCh?``, ``R?``, ``DATA``, ``FORMat`` and ``CALCulate:AVERage``."""
        yield from self._format.commands()
        yield Command(":FETCh", query=lambda _: self._fetch())
        yield Command(":R", query=self._take, asks=(0, 1))
        yield Command(":DATA:POINts", query=lambda _: f"{self._count():+d}")
        yield Command(":DATA:REMove", query=self._remove, asks=(1, 1))
        yield Command(":DATA:LAST", query=self._last, asks=(0, 2))
        yield Command(":SYSTem:TIME:SCAN", query=lambda _: self._date(self._start_seconds))
        yield Command(":CALCulate:AVERage:CLEar", lambda _: None, takes=(0, 1))
        for word in ("AVERage", "MINimum", "MAXimum", "PTPeak", "COUNt"):
            yield Command(
                f":CALCulate:AVERage:{word}",
                query=partial(self._statistics, word),
                asks=(0, 1),
            )
        for word in ("MINimum", "MAXimum"):
            yield Command(
                f":CALCulate:AVERage:{word}:TIME",
                query=partial(self._extreme_times, word),
                asks=(0, 1),
            )
        yield Command(":SYSTem:DATE", lambda p: _three(p), lambda _: self._now("%Y,%m,%d"), (3, 3))
        yield Command(
            ":SYSTem:TIME", lambda p: _three(p), lambda _: self._now("%H,%M,%S.%f")[:-3], (3, 3)
        )

    def _count(self) -> int:
        self._look()
        return len(self._readings)

    def _fetch(self) -> str:
        if not self._count():
            raise ScpiError(-230)
        return self.spelled(self._readings)

    def _take(self, parameters: Parameters) -> Reply:
        """``R?``: read and erase, as a block; an empty one if there is nothing."""
        most = parameters.whole(1, LARGEST_MEMORY) if len(parameters) else LARGEST_MEMORY
        return definite_block(self.spelled(self._removed(min(most, self._count()))).encode())

    def _remove(self, parameters: Parameters) -> str:
        count = parameters.whole(1, LARGEST_MEMORY)
        if count > self._count():
            raise ScpiError(-222)
        return self.spelled(self._removed(count))

    def _removed(self, count: int) -> list[Reading]:
        return [self._readings.popleft() for _ in range(count)]

    def _last(self, parameters: Parameters) -> str:
        self._look()
        count, wanted = 1, None
        for text in parameters.rest():
            if text.startswith("("):
                wanted = self._channels(text)
            else:
                count = Parameters((text,)).whole(1, LARGEST_MEMORY)
        kept = [r for r in self._readings if wanted is None or r.channel in wanted]
        if count > len(kept):
            raise ScpiError(-230)
        return self.spelled(kept[-count:])

    def _extreme_times(self, word: str, parameters: Parameters) -> str:
        """When the lowest or highest reading was taken; the instrument's first day if never."""
        pick = min if word == "MINimum" else max
        times = []
        for number in self._measured(parameters):
            kept = [reading for reading in self._readings if reading.channel == number]
            found = pick(kept, key=lambda reading: reading.value, default=None)
            times.append(self._date(found.seconds if found else 0.0))
        return ",".join(times)

    def _measured(self, parameters: Parameters) -> list[int]:
        numbers = self._channels(parameters.text()) if len(parameters) else []
        return numbers or sorted({reading.channel for reading in self._readings})

    def _statistics(self, word: str, parameters: Parameters) -> str:
        numbers = self._measured(parameters)
        return ",".join(signed(self._statistic(word, number)) for number in numbers)

    def _statistic(self, word: str, number: int) -> float:
        values = [reading.value for reading in self._readings if reading.channel == number]
        if word == "COUNt" or not values:
            return float(len(values))
        low, high = min(values), max(values)
        mean = sum(values) / len(values)
        return {"AVERage": mean, "MINimum": low, "MAXimum": high}.get(word, high - low)

    def _spelled(self, reading: Reading) -> str:
        fields = [signed(reading.value)]
        if self._format.flag("UNIT"):
            fields[0] += f" {reading.unit}"
        if self._format.flag("TIME"):
            if self._format.word("TYPE") == "ABS":
                fields.append(self._date(reading.seconds))
            else:
                fields.append(f"{reading.seconds - self._start_seconds:013.3f}")
        if self._format.flag("CHANnel"):
            fields.append(str(reading.channel))
        if self._format.flag("ALARm"):
            fields.append(str(reading.alarm))
        return ",".join(fields)

    def _date(self, seconds: float) -> str:
        return f"{POWER_ON + timedelta(seconds=seconds):%Y,%m,%d,%H,%M,%S.%f}"[:-3]

    def _now(self, form: str) -> str:
        return (POWER_ON + timedelta(seconds=self._world.now_seconds)).strftime(form)


def _three(parameters: Parameters) -> None:
    """``SYSTem:DATE`` and ``TIME``: taken, but the clock goes on as it was."""
    for _ in range(3):
        parameters.number(0.0, 9999.0)


def _declared() -> tuple[Flag | Choice, ...]:
    flags = tuple(Flag(f":FORMat:READing:{word}", word, False) for word in _FLAGS)
    return (*flags, Choice(":FORMat:READing:TIME:TYPE", "TYPE", "REL", ("ABSolute", "RELative")))
