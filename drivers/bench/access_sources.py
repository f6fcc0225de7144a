"""The sources that reach single devices: aimed for reading or for programming, moved together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.bench.config import BenchConfig
from drivers.bench.consistency import split_channel
from drivers.bench.roles import Sleep, Source
from drivers.bench.sources import Aimed
from drivers.instruments.smu import SmuReading
from hil.errors import ConfigurationError, HilError

__all__ = ["AccessSources", "Mode", "Readings"]

SETTLE_SECONDS = 1e-3
"""From a level to its reading."""
_LINE_SECONDS = 0.02
"""Of the slower line frequency."""
_RANGING_SECONDS = 0.05
"""That automatic ranges may take."""
_INTEGRATIONS = 3
"""Of a reading with automatic zero: signal, zero, reference."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What access.high and access.low may do.

    Attributes:
        limit_amps: compliance.
        largest_volts: largest level to come.
    """

    limit_amps: float
    largest_volts: float


class Readings(NamedTuple):
    """Of both sources, one for each level."""

    high: Sequence[SmuReading]
    low: Sequence[SmuReading]


class AccessSources:
    """``high`` and ``low``, which carry the voltage of a device, and for V/3 the two others.

    Args:
        config: the bench file.
        sources: its source instruments by name.
        sleep: waits.

    Raises:
        ConfigurationError: the bench file describes no access.
    """

    def __init__(self, config: BenchConfig, sources: Mapping[str, Source], sleep: Sleep) -> None:
        access, programming = config.access, config.programming
        if access is None:
            raise ConfigurationError(
                "the bench file describes no access to single devices; add [access] and wire its "
                "sources to the matrix"
            )
        largest = max(programming.set_volts, programming.reset_volts)
        self.reading = Mode(access.read_amps, access.read_volts)
        self.programming = Mode(programming.limit_amps, largest / 2.0)
        self._sleep = sleep
        self._mode: Mode | None = None
        self._named = {"high": access.high, "low": access.low}
        third, two_thirds = access.third, access.two_thirds
        if programming.scheme == "third" and third is not None and two_thirds is not None:
            self._named |= {"third": third, "two_thirds": two_thirds}
        self._channels = {role: split_channel(name) for role, name in self._named.items()}
        self._holding: dict[str, Mode] = {}
        for role in list(self._channels)[2:]:
            # Held lines must stay where they are: as much current as a source may deliver at all.
            largest_amps = config.instruments[self._channels[role][0]].amps_limit
            limit_amps = min(config.envelope.program_amps, largest_amps)
            self._holding[role] = Mode(limit_amps, largest / 6.0)
        used = dict.fromkeys(name for name, _ in self._channels.values())
        self._sources = {name: sources[name] for name in used}
        self._is_pair = self._channels["high"][0] == self._channels["low"][0]
        cycles = max(
            config.instruments[self._channels[role][0]].line_cycles for role in ("high", "low")
        )
        self._read_seconds = (
            SETTLE_SECONDS + _RANGING_SECONDS + _INTEGRATIONS * cycles * _LINE_SECONDS
        )

    def channel(self, role: str) -> str:
        """Name of the channel of ``high``, ``low``, ``third`` or ``two_thirds``."""
        return self._named[role]

    @property
    def can_hold(self) -> bool:
        """Whether there are sources for the other lines of V/3."""
        return "third" in self._named

    def energise(self) -> None:
        """All at 0 V and on, ready to read.

        Raises:
            InstrumentError: refused, or set differently than asked.
        """
        self._mode = None
        self.use(self.reading)
        for role, mode in self._holding.items():
            self._aim(role, mode)
        for source in self._sources.values():
            source.switch(True)

    def use(self, mode: Mode) -> None:
        """Aim ``high`` and ``low`` for a mode, unless they are; they stay at 0 V."""
        if mode == self._mode:
            return
        self._mode = None
        for role in ("high", "low"):
            self._aim(role, mode)
        self._mode = mode

    def read(self, high_volts: Sequence[float]) -> Readings:
        """Readings at levels of ``high``, ``low`` staying at 0 V; then back at 0 V.

        Two channels of one instrument take one exchange; else each level is set and read.
        """
        levels = list(high_volts)
        if self._is_pair:
            return self._sweep(levels, [0.0] * len(levels), self._read_seconds)
        high, low = [], []
        for level in levels:
            self._step({"high": level})
            self._sleep(SETTLE_SECONDS)
            high.append(self._measure("high"))
            low.append(self._measure("low"))
        self._step({"high": 0.0})
        return Readings(high, low)

    def train(self, volts: float, count: int, width_seconds: float) -> list[str]:
        """Pulses of ``volts`` between ``high`` and ``low``, half of it on either; then at 0 V.

        Two channels of one instrument do it in one exchange. Else ``low`` has its half all the
        while and ``high`` pulses: devices in the columns then see that half between pulses, too.

        Returns:
            Channels that were in compliance, or read beyond their range.
        """
        half = volts / 2.0
        if self._is_pair:
            swept = self._sweep([half, 0.0] * count, [-half, 0.0] * count, width_seconds)
            return self._limited("high", swept.high) + self._limited("low", swept.low)
        self._step({"low": -half})
        name, channel = self._channels["high"]
        found = self._sources[name].sweep({channel: [half, 0.0] * count}, width_seconds)
        return self._limited("high", found[channel]) + self._step({"low": 0.0})

    def hold(self, third_volts: float, two_thirds_volts: float) -> list[str]:
        """Set the sources of V/3; channels of them that were in compliance just before."""
        return self._step({"third": third_volts, "two_thirds": two_thirds_volts})

    @contextlib.contextmanager
    def rest_on_failure(self) -> Iterator[None]:
        """After a failure bring all levels to 0 V, writing only, and let the failure out."""
        try:
            yield
        except BaseException:
            # Nobody knows what the last message that failed had set.
            self._mode = None
            for source in self._sources.values():
                with contextlib.suppress(HilError):
                    source.ramp_to_zero(self._sleep)
            raise

    def _aim(self, role: str, mode: Mode) -> None:
        name, channel = self._channels[role]
        self._sources[name].aim(channel, Aimed("volts", mode.limit_amps, mode.largest_volts))

    def _sweep(self, high: Sequence[float], low: Sequence[float], dwell_seconds: float) -> Readings:
        name, of_high = self._channels["high"]
        _, of_low = self._channels["low"]
        found = self._sources[name].sweep({of_high: high, of_low: low}, dwell_seconds)
        return Readings(found[of_high], found[of_low])

    def _step(self, levels: Mapping[str, float]) -> list[str]:
        """Set levels by role, in one exchange an instrument; channels in compliance before."""
        by_name: dict[str, dict[str, float]] = {}
        for role, level in levels.items():
            name, channel = self._channels[role]
            by_name.setdefault(name, {})[channel] = level
        limited: list[str] = []
        for name, here in by_name.items():
            before = self._sources[name].step(here)
            limited += [f"{name}.{x}".rstrip(".") for x in here if before[x]]
        return limited

    def _limited(self, role: str, readings: Sequence[SmuReading]) -> list[str]:
        """The channel of a role, if it did not source what it should at every level."""
        failed = any(reading.in_compliance or reading.overflow for reading in readings)
        return [self._named[role]] if failed else []

    def _measure(self, role: str) -> SmuReading:
        name, channel = self._channels[role]
        return self._sources[name].measure([channel])[channel]
