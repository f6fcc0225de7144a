"""A 6221, which sources current and measures nothing, in the role of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from drivers.bench.roles import Aim, Sleep
from drivers.bench.sources.aim import refuse_aim
from drivers.instruments.base import Identity
from drivers.instruments.keithley6221 import CurrentSourceSetup, Keithley6221
from drivers.instruments.smu import SmuLimits, SmuReading
from drivers.transport.interface import Transport
from hil.errors import UsageError

__all__ = ["CurrentSource"]


class CurrentSource:
    """A source with the channel ``""``; see :class:`drivers.bench.roles.Source`.

    Args:
        transport: the session, owned from now on.
        driver: speaks over it.
        limits: of its levels and compliances.
    """

    def __init__(self, transport: Transport, driver: Keithley6221, limits: SmuLimits) -> None:
        self._transport = transport
        self._driver = driver
        self._limits = limits
        self._aimed = False

    @property
    def address(self) -> str:
        """Where the instrument is."""
        return self._transport.address

    def prepare(self) -> Identity:
        """See the role."""
        self._aimed = False
        return self._driver.prepare(CurrentSourceSetup())

    def aim(self, channel: str, aim: Aim) -> None:
        """See the role; amps only."""
        self._check_channels([channel])
        if aim.quantity != "amps":
            raise UsageError(f"{self.address} sources amps only: use a source-measure unit there")
        refuse_aim(self.address, aim, self._limits)
        self._driver.source_amps(0.0, aim.limit, aim.largest)
        self._aimed = True

    def switch(self, on: bool) -> None:
        """See the role."""
        if self._aimed:
            self._driver.switch(on)

    def step(self, levels: Mapping[str, float]) -> Mapping[str, bool]:
        """See the role."""
        self._check_channels(list(levels))
        return {x: self._driver.step_level(level) for x, level in levels.items()}

    def measure(self, channels: Sequence[str]) -> Mapping[str, SmuReading]:
        """It cannot; see the role."""
        self._refuse("measure")

    def sweep(
        self, levels: Mapping[str, Sequence[float]], dwell_seconds: float
    ) -> Mapping[str, Sequence[SmuReading]]:
        """It cannot; see the role."""
        self._refuse("measure at every step of a sweep")

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

    def _check_channels(self, channels: Sequence[str]) -> None:
        if any(channels):
            raise UsageError(f"{self.address} has one channel, without a name; not {channels}")

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(
            f"{self.address} is a current source and cannot {what}: use a source-measure unit there"
        )
