"""Ranges and figures of the Keithley 2450 and 2460.

Accuracy is the one-year figure and noise the RMS figure below 10 Hz at one line cycle.
Sources: SPEC-2450 Rev. A; the 2460's figures follow its data sheet's structure and are to be
checked against it before anyone leans on them.
"""

from __future__ import annotations

from drivers.emulated.source_measure import SourceMeasureModel, scaled

__all__ = ["MODEL_2450", "MODEL_2460"]

_SOURCE_LOW_VOLTS = (scaled(0.2, 0.015, 200e-6, 1e-6), scaled(2.0, 0.02, 300e-6, 10e-6))
_SENSE_LOW_VOLTS = (scaled(0.2, 0.012, 200e-6, 1e-6), scaled(2.0, 0.012, 300e-6, 10e-6))
_SOURCE_AMPS = (
    scaled(1e-5, 0.025, 1.5e-9, 40e-12),
    scaled(1e-4, 0.02, 15e-9, 400e-12),
    scaled(1e-3, 0.02, 150e-9, 5e-9),
    scaled(1e-2, 0.02, 1.5e-6, 40e-9),
    scaled(0.1, 0.025, 15e-6, 100e-9),
    scaled(1.0, 0.067, 900e-6, 3e-6),
)
_SENSE_AMPS = (
    scaled(1e-6, 0.025, 300e-12, 5e-12),
    scaled(1e-5, 0.025, 700e-12, 40e-12),
    scaled(1e-4, 0.02, 6e-9, 400e-12),
    scaled(1e-3, 0.02, 60e-9, 5e-9),
    scaled(1e-2, 0.02, 600e-9, 40e-9),
    scaled(0.1, 0.025, 6e-6, 100e-9),
    scaled(1.0, 0.03, 500e-6, 3e-6),
)
_HIGH_AMPS = (
    scaled(4.0, 0.1, 3e-3, 20e-6),
    scaled(5.0, 0.1, 3e-3, 20e-6),
    scaled(7.0, 0.15, 5e-3, 30e-6),
)

MODEL_2450 = SourceMeasureModel(
    name="2450",
    source={
        "VOLT": (
            scaled(0.02, 0.1, 200e-6, 1e-6),
            *_SOURCE_LOW_VOLTS,
            scaled(20.0, 0.015, 2.4e-3, 100e-6),
            scaled(200.0, 0.015, 24e-3, 1e-3),
        ),
        "CURR": (
            scaled(1e-8, 0.1, 100e-12, 500e-15),
            scaled(1e-7, 0.06, 150e-12, 500e-15),
            scaled(1e-6, 0.025, 400e-12, 5e-12),
            *_SOURCE_AMPS,
        ),
    },
    sense={
        "VOLT": (
            scaled(0.02, 0.1, 150e-6, 1e-6),
            *_SENSE_LOW_VOLTS,
            scaled(20.0, 0.015, 1e-3, 100e-6),
            scaled(200.0, 0.015, 10e-3, 1e-3),
        ),
        "CURR": (
            scaled(1e-8, 0.1, 50e-12, 500e-15),
            scaled(1e-7, 0.06, 100e-12, 500e-15),
            *_SENSE_AMPS,
        ),
    },
    envelope=((21.0, 1.05), (210.0, 0.105)),
)

MODEL_2460 = SourceMeasureModel(
    name="2460",
    source={
        "VOLT": (
            *_SOURCE_LOW_VOLTS,
            scaled(7.0, 0.015, 2.4e-3, 100e-6),
            scaled(10.0, 0.015, 2.4e-3, 100e-6),
            scaled(20.0, 0.015, 2.4e-3, 100e-6),
            scaled(100.0, 0.015, 15e-3, 1e-3),
        ),
        "CURR": (scaled(1e-6, 0.025, 700e-12, 5e-12), *_SOURCE_AMPS, *_HIGH_AMPS),
    },
    sense={
        "VOLT": (
            *_SENSE_LOW_VOLTS,
            scaled(7.0, 0.015, 1e-3, 100e-6),
            scaled(10.0, 0.015, 1e-3, 100e-6),
            scaled(20.0, 0.015, 1e-3, 100e-6),
            scaled(100.0, 0.015, 5e-3, 1e-3),
        ),
        "CURR": (*_SENSE_AMPS, *_HIGH_AMPS),
    },
    envelope=((7.35, 7.35), (10.5, 5.25), (21.0, 4.2), (105.0, 1.05)),
)
