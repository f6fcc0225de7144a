"""Scanning voltmeters in the role of :class:`drivers.bench.roles.Voltmeter`."""

from __future__ import annotations

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.identities import pattern_of
from drivers.bench.roles import Voltmeter
from drivers.instruments.agilent34970a import Agilent34970A
from drivers.instruments.keithley2750 import Keithley2750
from drivers.instruments.keithleydaq6510 import KeithleyDaq6510
from drivers.instruments.scanner import ScanSetup
from drivers.transport.interface import Transport
from hil.errors import ConfigurationError

__all__ = ["METERS", "make_voltmeter", "scan_setup"]

METERS = ("daq6510", "agilent34970a", "keithley2750")
"""Models that can be voltmeters."""


def make_voltmeter(config: InstrumentConfig, transport: Transport) -> Voltmeter:
    """The voltmeter that an entry of the bench file describes; nothing is sent.

    Args:
        config: the entry.
        transport: a session.
    """
    pattern = pattern_of(config)
    match config.model:
        case "agilent34970a":
            return Agilent34970A(transport, pattern, config.serial)
        case "keithley2750":
            return Keithley2750(transport, pattern, config.serial)
        case _:
            return KeithleyDaq6510(transport, pattern, config.serial)


def scan_setup(config: BenchConfig, settle_seconds: float | None = None) -> ScanSetup:
    """How the voltmeter of the phases scans all nodes that are no inputs.

    Args:
        config: the bench, whose phases are those of source-measure units.
        settle_seconds: from the closing of a channel to its reading; None: as it chooses.

    Raises:
        ConfigurationError: there is no voltmeter in these phases.
    """
    if config.phases.kind != "smu":
        raise ConfigurationError("the phases of a board are read by the board, not by a voltmeter")
    meter = config.instruments[config.phases.voltmeter]
    return ScanSetup(
        tuple(map(int, config.phases.voltmeter_channels)),
        meter.volts_range,
        meter.line_cycles,
        meter.high_impedance,
        settle_seconds=settle_seconds,
    )
