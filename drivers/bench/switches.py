"""Switching mainframes in the role of :class:`drivers.bench.roles.Switch`."""

from __future__ import annotations

import re
from collections.abc import Collection

from drivers.bench.config import InstrumentConfig
from drivers.bench.identities import pattern_of
from drivers.bench.roles import Switch
from drivers.instruments.base import Identity
from drivers.instruments.keithley707b import Keithley707B
from drivers.instruments.keithley2750 import Keithley2750
from drivers.instruments.keithley3706a import Keithley3706A
from drivers.instruments.tsp_switch import TspSwitch
from drivers.transport.interface import Transport
from hil.errors import UsageError

__all__ = ["ScpiMatrix", "TspMatrix", "make_switch"]

_NUMBER = re.compile(r"[1-5]\d\d")


class TspMatrix:
    """A 707B, 708B or 3700A; crosspoints are named as the instrument does.

    Args:
        transport: the session, owned from now on.
        driver: speaks over it.
    """

    def __init__(self, transport: Transport, driver: TspSwitch) -> None:
        self._transport = transport
        self._driver = driver

    @property
    def address(self) -> str:
        """Where the instrument is."""
        return self._transport.address

    def prepare(self) -> Identity:
        """See the role."""
        return self._driver.prepare()

    def close_exactly(self, names: Collection[str]) -> None:
        """See the role."""
        self._driver.close_exactly(names)

    def closed(self) -> frozenset[str]:
        """See the role."""
        return self._driver.closed()

    def leave(self, names: Collection[str]) -> None:
        """See the role."""
        self._driver.leave(names)

    def check(self) -> None:
        """See the role."""
        self._driver.check()

    def close(self) -> None:
        """See the role."""
        self._transport.close()


class ScpiMatrix:
    """A 2750 that only switches; crosspoints are numbers such as ``101``.

    Args:
        transport: the session, owned from now on.
        driver: speaks over it.
    """

    def __init__(self, transport: Transport, driver: Keithley2750) -> None:
        self._transport = transport
        self._driver = driver

    @property
    def address(self) -> str:
        """Where the instrument is."""
        return self._transport.address

    def prepare(self) -> Identity:
        """See the role."""
        return self._driver.prepare()

    def close_exactly(self, names: Collection[str]) -> None:
        """See the role; everything is opened first."""
        self._driver.close_exactly(self._numbers(names))

    def closed(self) -> frozenset[str]:
        """See the role."""
        return frozenset(map(str, self._driver.closed()))

    def leave(self, names: Collection[str]) -> None:
        """See the role."""
        try:
            numbers = self._numbers(names)
        except UsageError:
            self._driver.leave(())
            raise
        self._driver.leave(numbers)

    def check(self) -> None:
        """See the role."""
        self._driver.check()

    def close(self) -> None:
        """See the role."""
        self._transport.close()

    def _numbers(self, names: Collection[str]) -> list[int]:
        for name in names:
            if not _NUMBER.fullmatch(name):
                raise UsageError(
                    f"{self.address}: {name!r} is no channel; names look like 101, card and "
                    "channel. Nothing was closed: correct the wiring"
                )
        return [int(name) for name in names]


def make_switch(config: InstrumentConfig, transport: Transport) -> Switch:
    """The switch that an entry of the bench file describes; nothing is sent.

    Args:
        config: the entry.
        transport: a session, which the switch owns from now on.
    """
    pattern = pattern_of(config)
    if config.model == "keithley2750":
        return ScpiMatrix(transport, Keithley2750(transport, pattern, config.serial))
    driver = Keithley707B if config.model == "keithley707b" else Keithley3706A
    return TspMatrix(transport, driver(transport, config.serial, pattern))
