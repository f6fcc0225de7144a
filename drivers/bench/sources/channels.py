"""A driver of an instrument with source-measure channels, in the role of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from drivers.bench.roles import Aim, Sleep
from drivers.bench.sources.aim import refuse_aim
from drivers.instruments.base import Identity
from drivers.instruments.smu import SmuLimits, SmuReading
from drivers.transport.interface import Transport
from hil.errors import UsageError

__all__ = ["ChannelDriver", "ChannelSource"]

Key = TypeVar("Key")


class ChannelDriver(Protocol[Key]):
    """What a driver of one or several channels offers; ``Key`` names a channel."""

    def source_volts(
        self,
        channel: Key,
        /,
        volts: float,
        limit_amps: float,
        amps_range: float | None,
        largest_volts: float | None,
    ) -> None:
        """Source a voltage."""
        ...

    def source_amps(
        self,
        channel: Key,
        /,
        amps: float,
        limit_volts: float,
        volts_range: float | None,
        largest_amps: float | None,
    ) -> None:
        """Source a current."""
        ...

    def switch(self, on: bool, channels: Sequence[Key], /) -> None:
        """Outputs on or off, checked."""
        ...

    def step_levels(self, levels: Mapping[Key, float]) -> Mapping[Key, bool]:
        """Set levels; whether channels were in compliance before."""
        ...

    def measure(self, channels: Sequence[Key], /) -> Mapping[Key, SmuReading]:
        """Read channels."""
        ...

    def sweep_held(
        self, levels: Mapping[Key, Sequence[float]], dwell_seconds: float
    ) -> Mapping[Key, Sequence[SmuReading]]:
        """Step through levels, each held for a time."""
        ...

    def ramp_to_zero(self, sleep: Sleep) -> None:
        """All channels to 0 in steps."""
        ...

    def make_safe(self) -> None:
        """Levels 0, outputs off."""
        ...

    def check(self) -> None:
        """Raise if there are errors."""
        ...


class ChannelSource(Generic[Key]):
    """A source; see :class:`drivers.bench.roles.Source`.

    Args:
        transport: the session, owned from now on.
        driver: speaks over it.
        prepare: the driver's own, with its setup.
        keys: the driver's channels by the names of the bench file; the channels in use.
        limits: of every channel.
    """

    def __init__(
        self,
        transport: Transport,
        driver: ChannelDriver[Key],
        prepare: Callable[[], Identity],
        keys: Mapping[str, Key],
        limits: SmuLimits,
    ) -> None:
        self._transport = transport
        self._driver = driver
        self._prepare = prepare
        self._keys = dict(keys)
        self._limits = limits
        self._aimed: dict[str, Key] = {}

    @property
    def address(self) -> str:
        """Where the instrument is."""
        return self._transport.address

    def prepare(self) -> Identity:
        """See the role."""
        self._aimed = {}
        return self._prepare()

    def aim(self, channel: str, aim: Aim) -> None:
        """See the role."""
        key = self._key(channel)
        refuse_aim(self.address, aim, self._limits)
        if aim.quantity == "volts":
            self._driver.source_volts(key, 0.0, aim.limit, None, aim.largest)
        else:
            self._driver.source_amps(key, 0.0, aim.limit, None, aim.largest)
        self._aimed[channel] = key

    def switch(self, on: bool) -> None:
        """See the role."""
        if self._aimed:
            self._driver.switch(on, list(self._aimed.values()))

    def step(self, levels: Mapping[str, float]) -> Mapping[str, bool]:
        """See the role."""
        before = self._driver.step_levels({self._key(x): level for x, level in levels.items()})
        return {x: before[self._key(x)] for x in levels}

    def measure(self, channels: Sequence[str]) -> Mapping[str, SmuReading]:
        """See the role."""
        readings = self._driver.measure([self._key(x) for x in channels])
        return {x: readings[self._key(x)] for x in channels}

    def sweep(
        self, levels: Mapping[str, Sequence[float]], dwell_seconds: float
    ) -> Mapping[str, Sequence[SmuReading]]:
        """See the role."""
        listed = {self._key(x): values for x, values in levels.items()}
        if missing := sorted(levels.keys() - self._aimed.keys()):
            raise UsageError(
                f"{self.address}: channels {missing} sweep before they were aimed: what they "
                "source, and within which limits, is not known"
            )
        readings = self._driver.sweep_held(listed, dwell_seconds)
        return {x: readings[self._key(x)] for x in levels}

    def ramp_to_zero(self, sleep: Sleep) -> None:
        """See the role."""
        self._driver.ramp_to_zero(sleep)

    def make_safe(self) -> None:
        """See the role."""
        self._driver.make_safe()

    def check(self) -> None:
        """See the role."""
        self._driver.check()

    def close(self) -> None:
        """See the role."""
        self._transport.close()

    def _key(self, channel: str) -> Key:
        if channel not in self._keys:
            known = ", ".join(map(repr, self._keys))
            raise UsageError(
                f"{self.address} has no channel {channel!r} that the bench file uses, only: {known}"
            )
        return self._keys[channel]
