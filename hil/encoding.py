"""From numbers in a data set to volts on lines, and back (thesis 4.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats, IntArray

__all__ = ["InputEncoder", "TargetEncoder"]


@dataclass(frozen=True, slots=True)
class InputEncoder:
    """Features become line voltages.

    Attributes:
        input_volts: volts for a feature value of 1.
        feature_offset: subtracted from every feature first, so that lines at rest need not
            be at 0 V.
        doubled: follow the lines by their negatives, so that a pair of conductances acts as
            one signed weight (thesis 4.4.3).
        bias_volts: for each crossbar the level of its pair of constant lines at plus and
            minus that voltage; 0 for none.
        dtype: float32 or float64.
    """

    input_volts: float
    feature_offset: float
    doubled: bool
    bias_volts: tuple[float, ...]
    dtype: DTypeLike = np.float64

    def n_signals(self, n_features: int) -> int:
        """Data lines for so many features."""
        return n_features * (2 if self.doubled else 1)

    @property
    def biased(self) -> tuple[bool, ...]:
        """For each crossbar, whether it has bias lines."""
        return tuple(v != 0.0 for v in self.bias_volts)

    def encode(self, features: Floats) -> Floats:
        """Line voltages (n, n_inputs) of features (n, n_features)."""
        lines = self.n_signals(features.shape[1])
        levels = [sign * v for v in self.bias_volts if v != 0.0 for sign in (1.0, -1.0)]
        volts = np.empty((len(features), lines + len(levels)), self.dtype)
        width = features.shape[1]
        signals = volts[:, :width]
        np.subtract(features, self.feature_offset, out=signals, casting="same_kind")
        signals *= signals.dtype.type(self.input_volts)
        if self.doubled:
            np.negative(signals, out=volts[:, width:lines])
        volts[:, lines:] = levels
        return volts


@dataclass(frozen=True, slots=True)
class TargetEncoder:
    """Labels or values become target voltages, or class probabilities.

    Attributes:
        on: target of the true class, volts (1.0 for probabilities), or volts for a
            regression value of 1.
        off: target of the other classes, volts (0.0 for probabilities).
        n_classes: None for regression.
        dtype: float32 or float64.
    """

    on: float
    off: float
    n_classes: int | None
    dtype: DTypeLike = np.float64

    def encode(self, targets: Floats | IntArray) -> Floats:
        """(n, n_targets) from labels (n,) or values (n, n_targets)."""
        if self.n_classes is None:
            return np.asarray(targets * self.on, self.dtype)
        code = np.full((self.n_classes, self.n_classes), self.off, self.dtype)
        np.fill_diagonal(code, self.on)
        rows: Floats = code[targets.astype(np.intp)]
        return rows

    def wrong(self, scores: Floats, targets: Floats | IntArray) -> float:
        """Sum over examples of what the error percentage averages.

        For classification the number of wrong predictions (eq. 4.14); for regression the
        squared error in units of the data, summed over targets.
        """
        if self.n_classes is None:
            return float(np.sum((scores / self.on - targets) ** 2))
        return float(np.count_nonzero(scores.argmax(axis=1) != targets))

    def error_percent(self, wrong: float, targets: Floats | IntArray) -> float:
        """Percentage of wrong predictions; for regression the unexplained variance in percent."""
        if self.n_classes is not None:
            return 100.0 * wrong / len(targets)
        spread = float(np.sum((targets - np.mean(targets, axis=0)) ** 2))
        return 100.0 * wrong / spread if spread > 0.0 else float("inf") if wrong else 0.0
