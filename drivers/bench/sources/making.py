"""From an entry of the bench file to a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from drivers.bench.config import InstrumentConfig
from drivers.bench.identities import pattern_of
from drivers.bench.roles import Source
from drivers.bench.sources.channels import ChannelSource
from drivers.bench.sources.current import CurrentSource
from drivers.bench.sources.single import OnlyChannel
from drivers.instruments.keithley2400 import Keithley2400
from drivers.instruments.keithley2450 import Keithley2450
from drivers.instruments.keithley2600b import Keithley2600B, OffMode, Smu2600Setup
from drivers.instruments.keithley2600b_sweeps import Letter
from drivers.instruments.keithley6221 import CurrentSourceLimits, Keithley6221
from drivers.instruments.keysightb2900 import KeysightB2900, SmuB2900Setup
from drivers.instruments.keysightb2900 import OffMode as B2900OffMode
from drivers.instruments.smu import OffMode as SmuOffMode
from drivers.instruments.smu import SmuLimits, SmuSetup
from drivers.transport.interface import Transport
from hil.errors import ConfigurationError

__all__ = ["SOURCES", "make_source"]

Maker: TypeAlias = Callable[[InstrumentConfig, Transport, Sequence[str]], Source]


def make_source(config: InstrumentConfig, transport: Transport, channels: Sequence[str]) -> Source:
    """The source that an entry of the bench file describes; nothing is sent.

    Args:
        config: the entry.
        transport: a session, which the source owns from now on.
        channels: names of the channels in use, without the instrument; none: its first.

    Raises:
        ConfigurationError: the instrument cannot do what the entry says.
    """
    return SOURCES[config.model](config, transport, channels)


def _keithley2600b(
    config: InstrumentConfig, transport: Transport, channels: Sequence[str]
) -> Source:
    letters: dict[str, Letter] = {x: "b" if x == "b" else "a" for x in channels or ("a",)}
    limits = _limits(config)
    off_modes: dict[str, OffMode] = {"normal": "NORMAL", "zero": "ZERO", "high_z": "HIGH_Z"}
    setup = Smu2600Setup(config.line_cycles, config.four_wire, off_modes[config.off_mode])
    driver = Keithley2600B(
        transport, dict.fromkeys(letters.values(), limits), pattern_of(config), config.serial
    )
    return ChannelSource(transport, driver, lambda: driver.prepare(setup), letters, limits)


def _keithley2400(
    config: InstrumentConfig, transport: Transport, channels: Sequence[str]
) -> Source:
    limits = _limits(config)
    driver = Keithley2400(transport, limits, pattern_of(config), config.serial)
    return _single(config, transport, driver)


def _keithley2450(
    config: InstrumentConfig, transport: Transport, channels: Sequence[str]
) -> Source:
    limits = _limits(config)
    driver = Keithley2450(transport, limits, pattern_of(config), config.serial)
    return _single(config, transport, driver)


def _single(
    config: InstrumentConfig, transport: Transport, driver: Keithley2400 | Keithley2450
) -> Source:
    off_modes: dict[str, SmuOffMode] = {"normal": "NORM", "zero": "ZERO", "high_z": "HIMP"}
    setup = SmuSetup(config.line_cycles, config.four_wire, off_modes[config.off_mode])
    return ChannelSource(
        transport, OnlyChannel(driver), lambda: driver.prepare(setup), {"": ""}, _limits(config)
    )


def _keysightb2900(
    config: InstrumentConfig, transport: Transport, channels: Sequence[str]
) -> Source:
    numbers = {x: int(x) for x in channels or ("1",)}
    limits = _limits(config)
    off_modes: dict[str, B2900OffMode] = {"normal": "NORM", "zero": "ZERO", "high_z": "HIZ"}
    setup = SmuB2900Setup(config.line_cycles, config.four_wire, off_modes[config.off_mode])
    driver = KeysightB2900(
        transport, dict.fromkeys(numbers.values(), limits), pattern_of(config), config.serial
    )
    return ChannelSource(transport, driver, lambda: driver.prepare(setup), numbers, limits)


def _keithley6221(
    config: InstrumentConfig, transport: Transport, channels: Sequence[str]
) -> Source:
    if config.off_mode != "normal" or config.four_wire:
        raise ConfigurationError(
            f"a 6221 at {config.address} has no off_mode = {config.off_mode!r} and no four_wire: "
            "leave both out"
        )
    limits = CurrentSourceLimits(config.amps_limit, config.volts_limit)
    driver = Keithley6221(transport, limits, pattern_of(config), config.serial)
    return CurrentSource(transport, driver, _limits(config))


def _limits(config: InstrumentConfig) -> SmuLimits:
    return SmuLimits(config.volts_limit, config.amps_limit)


SOURCES: Mapping[str, Maker] = {
    "keithley2400": _keithley2400,
    "keithley2450": _keithley2450,
    "keithley2600b": _keithley2600b,
    "keysightb2900": _keysightb2900,
    "keithley6221": _keithley6221,
}
"""By model."""
