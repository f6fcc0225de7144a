"""Ranges and figures of the Keysight B2900 family.

Accuracy is the one-year figure of the B2900A data sheet, given there for measuring; sources have
the same. Noise is a sixth of the peak-to-peak figure (0.1 to 10 Hz), as for a Gaussian. The
B2962A sources as the B2912A does; its coarser read-back is not modelled.
"""

from __future__ import annotations

from drivers.emulated.accuracy import Range
from drivers.emulated.source_measure import SourceMeasureModel, scaled

__all__ = ["B2901A", "B2902A", "B2912A", "B2962A", "MODELS", "TWO_CHANNELS"]

# nominal, percent, offset, peak-to-peak noise
_VOLTS = (
    (0.2, 0.015, 225e-6, 10e-6),
    (2.0, 0.02, 350e-6, 20e-6),
    (20.0, 0.015, 5e-3, 200e-6),
    (200.0, 0.015, 50e-3, 2e-3),
)
_TEN_NANOAMPS = (1e-8, 0.1, 50e-12, 1e-12)
_AMPS = (
    (1e-7, 0.06, 100e-12, 2e-12),
    (1e-6, 0.025, 500e-12, 25e-12),
    (1e-5, 0.025, 1.5e-9, 60e-12),
    (1e-4, 0.02, 25e-9, 2e-9),
    (1e-3, 0.02, 200e-9, 6e-9),
    (1e-2, 0.02, 2.5e-6, 200e-9),
    (0.1, 0.02, 20e-6, 600e-9),
    (1.0, 0.03, 1.5e-3, 20e-6),
    (1.5, 0.05, 3.5e-3, 60e-6),
    (3.0, 0.4, 7e-3, 80e-6),
)
_HIGH_AMPS = 1.2  # above: overrange of 1 % to source and 2 % to measure
_ENVELOPE = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))


def _ranges(
    rows: tuple[tuple[float, float, float, float], ...], over: float, high_over: float
) -> tuple[Range, ...]:
    volts = rows is _VOLTS
    return tuple(
        scaled(
            nominal,
            percent,
            offset,
            peak / 6,
            high_over if nominal > _HIGH_AMPS and not volts else over,
        )
        for nominal, percent, offset, peak in rows
    )


def _model(name: str, amps: tuple[tuple[float, float, float, float], ...]) -> SourceMeasureModel:
    return SourceMeasureModel(
        name=name,
        source={"VOLT": _ranges(_VOLTS, 1.05, 1.05), "CURR": _ranges(amps, 1.05, 1.01)},
        sense={"VOLT": _ranges(_VOLTS, 1.06, 1.06), "CURR": _ranges(amps, 1.06, 1.02)},
        envelope=_ENVELOPE,
    )


B2901A = _model("B2901A", _AMPS)
B2902A = _model("B2902A", _AMPS)
B2912A = _model("B2912A", (_TEN_NANOAMPS, *_AMPS))
B2962A = _model("B2962A", (_TEN_NANOAMPS, *_AMPS))
MODELS = {model.name: model for model in (B2901A, B2902A, B2912A, B2962A)}
TWO_CHANNELS = ("B2902A", "B2912A", "B2962A")
