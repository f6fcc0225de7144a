"""Ranges and figures of the Keithley 2400 and 2410.

Accuracy is the one-year figure of the Series 2400 specifications; noise is a sixth of the
peak-to-peak figure (0.1 to 10 Hz), as for a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.emulated.accuracy import Range
from drivers.emulated.source_measure import scaled

__all__ = ["MODEL_2400", "MODEL_2410", "OHMS_RANGES", "OhmsRange", "SmuModel"]


@dataclass(frozen=True, slots=True)
class OhmsRange:
    """A range of automatic ohms: what it reaches, and the current it is measured with."""

    largest: float
    test_amps: float


@dataclass(frozen=True, slots=True)
class SmuModel:
    """What differs between the models.

    Attributes:
        name: as ``*IDN?`` says it.
        source_volts, source_amps: ranges of the sources.
        sense_volts, sense_amps: ranges of the meters, the same nominal values.
        strong_volts: up to here the full current is to be had.
        weak_amps: the most above that.
        off_mode: output-off state after a reset.
    """

    name: str
    source_volts: tuple[Range, ...]
    source_amps: tuple[Range, ...]
    sense_volts: tuple[Range, ...]
    sense_amps: tuple[Range, ...]
    strong_volts: float
    weak_amps: float
    off_mode: str

    @property
    def largest_volts(self) -> float:
        """The most it sources and measures."""
        return self.source_volts[-1].largest

    @property
    def largest_amps(self) -> float:
        """The most it sources and measures."""
        return self.source_amps[-1].largest


def _range(nominal: float, percent: float, offset: float, peak_to_peak: float) -> Range:
    return scaled(nominal, percent, offset, peak_to_peak / 6)


_SOURCE_VOLTS = (
    _range(0.2, 0.02, 600e-6, 5e-6),
    _range(2.0, 0.02, 600e-6, 50e-6),
    _range(20.0, 0.02, 2.4e-3, 500e-6),
)
_SENSE_VOLTS = (
    _range(0.2, 0.012, 300e-6, 5e-6),
    _range(2.0, 0.012, 300e-6, 50e-6),
    _range(20.0, 0.015, 1.5e-3, 500e-6),
)
_SOURCE_AMPS = (
    _range(1e-6, 0.035, 600e-12, 5e-12),
    _range(1e-5, 0.033, 2e-9, 50e-12),
    _range(1e-4, 0.031, 20e-9, 500e-12),
    _range(1e-3, 0.034, 200e-9, 5e-9),
)
_SENSE_AMPS = (
    _range(1e-6, 0.029, 300e-12, 5e-12),
    _range(1e-5, 0.027, 700e-12, 50e-12),
    _range(1e-4, 0.025, 6e-9, 500e-12),
    _range(1e-3, 0.027, 60e-9, 5e-9),
)
_SOURCE_HIGH_AMPS = (_range(0.1, 0.066, 20e-6, 500e-9), _range(1.0, 0.27, 900e-6, 5e-6))
_SENSE_HIGH_AMPS = (_range(0.1, 0.055, 6e-6, 500e-9), _range(1.0, 0.22, 570e-6, 5e-6))

MODEL_2400 = SmuModel(
    name="2400",
    source_volts=(*_SOURCE_VOLTS, _range(200.0, 0.02, 24e-3, 5e-3)),
    source_amps=(*_SOURCE_AMPS, _range(0.01, 0.045, 2e-6, 50e-9), *_SOURCE_HIGH_AMPS),
    sense_volts=(*_SENSE_VOLTS, _range(200.0, 0.015, 10e-3, 5e-3)),
    sense_amps=(*_SENSE_AMPS, _range(0.01, 0.035, 600e-9, 50e-9), *_SENSE_HIGH_AMPS),
    strong_volts=21.0,
    weak_amps=0.105,
    off_mode="NORM",
)

MODEL_2410 = SmuModel(
    name="2410",
    source_volts=(*_SOURCE_VOLTS, Range(1000.0, 1100.0, 2e-4, 100e-3, 20e-3 / 6)),
    source_amps=(*_SOURCE_AMPS, _range(0.02, 0.045, 4e-6, 100e-9), *_SOURCE_HIGH_AMPS),
    sense_volts=(*_SENSE_VOLTS, Range(1000.0, 1100.0, 1.5e-4, 50e-3, 20e-3 / 6)),
    sense_amps=(*_SENSE_AMPS, _range(0.02, 0.035, 1.2e-6, 100e-9), *_SENSE_HIGH_AMPS),
    strong_volts=21.0,
    weak_amps=0.021,
    off_mode="GUAR",
)

OHMS_RANGES = (
    OhmsRange(21.0, 0.1),
    OhmsRange(210.0, 0.01),
    OhmsRange(2.1e3, 1e-3),
    OhmsRange(2.1e4, 1e-4),
    OhmsRange(2.1e5, 1e-5),
    OhmsRange(2.1e6, 1e-6),
    OhmsRange(2.1e7, 1e-6),
    OhmsRange(2.1e8, 1e-7),
)
