"""A driver of an instrument with one channel, as one of channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from drivers.instruments.smu import SmuReading
from hil.errors import UsageError

__all__ = ["OnlyChannel", "SingleDriver"]


class SingleDriver(Protocol):
    """What the drivers of single source-measure units offer."""

    def source_volts(
        self,
        volts: float,
        limit_amps: float,
        amps_range: float | None,
        largest_volts: float | None,
    ) -> None:
        """Source a voltage."""
        ...

    def source_amps(
        self,
        amps: float,
        limit_volts: float,
        volts_range: float | None,
        largest_amps: float | None,
    ) -> None:
        """Source a current."""
        ...

    def switch(self, on: bool) -> None:
        """Output on or off, checked."""
        ...

    def step_level(self, level: float) -> bool:
        """Set the level; whether it was in compliance before."""
        ...

    def measure(self) -> SmuReading:
        """Read."""
        ...

    def sweep_held(self, levels: Sequence[float], dwell_seconds: float) -> list[SmuReading]:
        """Step through levels, each held for a time."""
        ...

    def ramp_to_zero(self, sleep: Callable[[float], None]) -> None:
        """To 0 in steps."""
        ...

    def make_safe(self) -> None:
        """Level 0, output off."""
        ...

    def check(self) -> None:
        """Raise if there are errors."""
        ...


class OnlyChannel:
    """The channel ``""`` of an instrument that has one.

    Args:
        driver: of the instrument.
    """

    def __init__(self, driver: SingleDriver) -> None:
        self._driver = driver
        self.ramp_to_zero = driver.ramp_to_zero
        self.make_safe = driver.make_safe
        self.check = driver.check

    def source_volts(
        self,
        channel: str,
        /,
        volts: float,
        limit_amps: float,
        amps_range: float | None,
        largest_volts: float | None,
    ) -> None:
        """Source a voltage."""
        self._driver.source_volts(volts, limit_amps, amps_range, largest_volts)

    def source_amps(
        self,
        channel: str,
        /,
        amps: float,
        limit_volts: float,
        volts_range: float | None,
        largest_amps: float | None,
    ) -> None:
        """Source a current."""
        self._driver.source_amps(amps, limit_volts, volts_range, largest_amps)

    def switch(self, on: bool, channels: Sequence[str], /) -> None:
        """Output on or off, checked."""
        self._driver.switch(on)

    def step_levels(self, levels: Mapping[str, float]) -> dict[str, bool]:
        """Set the level; whether it was in compliance before."""
        return {x: self._driver.step_level(level) for x, level in levels.items()}

    def measure(self, channels: Sequence[str], /) -> dict[str, SmuReading]:
        """Read."""
        return {x: self._driver.measure() for x in channels}

    def sweep_held(
        self, levels: Mapping[str, Sequence[float]], dwell_seconds: float
    ) -> dict[str, list[SmuReading]]:
        """Step through levels, each held for a time."""
        if not levels:
            raise UsageError("a sweep needs levels")
        return {x: self._driver.sweep_held(v, dwell_seconds) for x, v in levels.items()}
