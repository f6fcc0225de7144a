"""Ranges and figures of the Keithley 2600B family.

Source: Series 2600B data sheet and specifications (SPEC-2602B, SPEC-2636B, one year, 23 C).
Noise is a sixth of the peak-to-peak figure of the source (0.1 to 10 Hz), as for a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.emulated.accuracy import Range
from drivers.emulated.source_measure import scaled

__all__ = ["MODELS", "Smu2600Model"]

_OVERRANGE = 1.01


@dataclass(frozen=True, slots=True)
class Smu2600Model:
    """What differs between the models.

    Attributes:
        name: as ``localnode.model`` says it.
        n_channels: 1 or 2.
        source_volts, source_amps: ranges of the sources.
        sense_volts, sense_amps: ranges of the meters.
        strong_volts: up to this range the full current is to be had.
        weak_amps: the most above it.
        limit_volts, limit_amps: limits after a reset.
        smallest_limit_volts, smallest_limit_amps: the least that can be set.
        interlocked: whether the highest voltage range needs the interlock.
        auto_delay: whether the measure delay is automatic after a reset.
    """

    name: str
    n_channels: int
    source_volts: tuple[Range, ...]
    source_amps: tuple[Range, ...]
    sense_volts: tuple[Range, ...]
    sense_amps: tuple[Range, ...]
    strong_volts: float
    weak_amps: float
    limit_volts: float
    limit_amps: float
    smallest_limit_volts: float
    smallest_limit_amps: float
    interlocked: bool
    auto_delay: bool


def _range(nominal: float, percent: float, offset: float, peak_to_peak: float) -> Range:
    return scaled(nominal, percent, offset, peak_to_peak / 6, _OVERRANGE)


_SOURCE_40_VOLTS = (
    _range(0.1, 0.02, 250e-6, 20e-6),
    _range(1.0, 0.02, 400e-6, 50e-6),
    _range(6.0, 0.02, 1.8e-3, 100e-6),
    _range(40.0, 0.02, 12e-3, 500e-6),
)
_SENSE_40_VOLTS = (
    _range(0.1, 0.015, 150e-6, 20e-6),
    _range(1.0, 0.015, 200e-6, 50e-6),
    _range(6.0, 0.015, 1e-3, 100e-6),
    _range(40.0, 0.015, 8e-3, 500e-6),
)
_SOURCE_200_VOLTS = (
    _range(0.2, 0.02, 375e-6, 20e-6),
    _range(2.0, 0.02, 600e-6, 50e-6),
    _range(20.0, 0.02, 5e-3, 300e-6),
    _range(200.0, 0.02, 50e-3, 2e-3),
)
_SENSE_200_VOLTS = (
    _range(0.2, 0.015, 225e-6, 20e-6),
    _range(2.0, 0.02, 350e-6, 50e-6),
    _range(20.0, 0.015, 5e-3, 300e-6),
    _range(200.0, 0.015, 50e-3, 2e-3),
)
_SOURCE_MIDDLE_AMPS = (
    _range(10e-6, 0.03, 5e-9, 60e-12),
    _range(100e-6, 0.03, 60e-9, 3e-9),
    _range(1e-3, 0.03, 300e-9, 6e-9),
    _range(10e-3, 0.03, 6e-6, 200e-9),
    _range(100e-3, 0.03, 30e-6, 600e-9),
    _range(1.0, 0.05, 1.8e-3, 70e-6),
)
_SENSE_MIDDLE_AMPS = (
    _range(10e-6, 0.025, 1.5e-9, 60e-12),
    _range(100e-6, 0.02, 25e-9, 3e-9),
    _range(1e-3, 0.02, 200e-9, 6e-9),
    _range(10e-3, 0.02, 2.5e-6, 200e-9),
    _range(100e-3, 0.02, 20e-6, 600e-9),
    _range(1.0, 0.03, 1.5e-3, 70e-6),
)
_SOURCE_AMPS = (_range(100e-9, 0.06, 100e-12, 5e-12), _range(1e-6, 0.03, 800e-12, 25e-12))
_SENSE_AMPS = (_range(100e-9, 0.05, 100e-12, 5e-12), _range(1e-6, 0.025, 500e-12, 25e-12))
_SOURCE_LOW_AMPS = (
    _range(1e-9, 0.15, 2e-12, 800e-15),
    _range(10e-9, 0.15, 5e-12, 2e-12),
    _range(100e-9, 0.06, 50e-12, 5e-12),
    _range(1e-6, 0.03, 700e-12, 25e-12),
)
_SENSE_LOW_AMPS = (
    _range(1e-9, 0.15, 240e-15, 240e-15),
    _range(10e-9, 0.15, 3e-12, 2e-12),
    _range(100e-9, 0.06, 40e-12, 5e-12),
    _range(1e-6, 0.025, 400e-12, 25e-12),
)
_SENSE_LOWEST_AMPS = (_range(100e-12, 0.15, 120e-15, 60e-15),)


def _forty(name: str, n_channels: int) -> Smu2600Model:
    """2601B, 2602B, 2604B: 40 V, 3 A."""
    return Smu2600Model(
        name=name,
        n_channels=n_channels,
        source_volts=_SOURCE_40_VOLTS,
        source_amps=(*_SOURCE_AMPS, *_SOURCE_MIDDLE_AMPS, _range(3.0, 0.06, 4e-3, 150e-6)),
        sense_volts=_SENSE_40_VOLTS,
        sense_amps=(*_SENSE_AMPS, *_SENSE_MIDDLE_AMPS, _range(3.0, 0.05, 3.5e-3, 150e-6)),
        strong_volts=6.0,
        weak_amps=1.01,
        limit_volts=40.0,
        limit_amps=1.0,
        smallest_limit_volts=10e-3,
        smallest_limit_amps=10e-9,
        interlocked=False,
        auto_delay=False,
    )


def _two_hundred(name: str, n_channels: int, low: bool = False) -> Smu2600Model:
    """2611B to 2636B: 200 V, 1.5 A; the 263x reach down to nanoamps."""
    source = _SOURCE_LOW_AMPS if low else _SOURCE_AMPS
    sense = _SENSE_LOW_AMPS if low else _SENSE_AMPS
    if low and name != "2634B":
        sense = (*_SENSE_LOWEST_AMPS, *sense)
    return Smu2600Model(
        name=name,
        n_channels=n_channels,
        source_volts=_SOURCE_200_VOLTS,
        source_amps=(*source, *_SOURCE_MIDDLE_AMPS, _range(1.5, 0.06, 4e-3, 150e-6)),
        sense_volts=_SENSE_200_VOLTS,
        sense_amps=(*sense, *_SENSE_MIDDLE_AMPS, _range(1.5, 0.05, 3.5e-3, 150e-6)),
        strong_volts=20.0,
        weak_amps=0.101,
        limit_volts=20.0,
        limit_amps=0.1,
        smallest_limit_volts=20e-3,
        smallest_limit_amps=100e-12 if low else 10e-9,
        interlocked=True,
        auto_delay=low,
    )


MODELS = {
    model.name: model
    for model in (
        _forty("2601B", 1),
        _forty("2602B", 2),
        _forty("2604B", 2),
        _two_hundred("2611B", 1),
        _two_hundred("2612B", 2),
        _two_hundred("2614B", 2),
        _two_hundred("2634B", 2, low=True),
        _two_hundred("2635B", 1, low=True),
        _two_hundred("2636B", 2, low=True),
    )
}
