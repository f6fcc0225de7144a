"""Steps and bounds that differ from device to device, in the terms of aihwkit.

Published step models count in weights of a nominal range of 2, such as -1 to 1.  Here the nominal
range is mapped onto the conductance window, so that every relative number keeps its meaning.
Definitions follow ``PulsedDevice`` of aihwkit (IBM, ``rpu_pulsed_device.cpp``), with
``enforce_consistency``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Floats, Window

__all__ = ["DrawnSteps", "Scale", "Steps", "limits_siemens"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Affine map between weights and siemens.

    Attributes:
        siemens_per_weight: change of conductance by a weight of 1.
        zero_siemens: conductance at weight 0.
    """

    siemens_per_weight: float
    zero_siemens: float


@dataclass(frozen=True, slots=True)
class DrawnSteps:
    """Bounds and steps of single devices.

    Attributes:
        low_weight: (n,) own lower bound, at most 0.
        high_weight: (n,) own upper bound, at least 0.
        up_weight: (n,) step of an up pulse at weight 0, not negative.
        down_weight: (n,) likewise down, not negative.
    """

    low_weight: Floats
    high_weight: Floats
    up_weight: Floats
    down_weight: Floats


@dataclass(frozen=True, slots=True)
class Steps:
    """What step models have in common; aihwkit's names in brackets.

    Attributes:
        step_weight: mean step at weight 0 (dw_min).
        step_spread: from device to device, relative (dw_min_dtod).
        log_normal: steps are spread log-normally, with ``step_weight`` the median.
        asymmetry: above 0 down steps are smaller by so much of a step, below 0 up steps (up_down).
        asymmetry_spread: up steps are larger and down steps smaller by a normal variate with this
            rms, relative to the step (up_down_dtod).
        own_asymmetry: asymmetry is relative to each device's own step instead of the mean one.
        low_weight: mean lower bound, at most 0 (w_min).
        high_weight: mean upper bound, at least 0 (w_max).
        low_spread: of lower bounds, relative (w_min_dtod).
        high_spread: of upper bounds, relative (w_max_dtod).
        cycle_spread: from pulse to pulse, relative to a step (dw_min_std).
        share_of_window: share of the conductance window, around its middle, that the nominal range
            from ``low_weight`` to ``high_weight`` covers.  Bounds that are spread beyond the
            window are cut off at it.
    """

    step_weight: float
    step_spread: float = 0.0
    log_normal: bool = False
    asymmetry: float = 0.0
    asymmetry_spread: float = 0.0
    own_asymmetry: bool = False
    low_weight: float = -1.0
    high_weight: float = 1.0
    low_spread: float = 0.0
    high_spread: float = 0.0
    cycle_spread: float = 0.0
    share_of_window: float = 1.0

    def scale(self, window_siemens: Window) -> Scale:
        """Where weights lie in the window."""
        low, high = window_siemens
        per_weight = self.share_of_window * (high - low) / (self.high_weight - self.low_weight)
        middle = 0.5 * (self.low_weight + self.high_weight)
        return Scale(per_weight, 0.5 * (low + high) - per_weight * middle)

    def draw(self, n: int, rng: np.random.Generator) -> DrawnSteps:
        """Bounds and steps of ``n`` devices."""
        high = self.high_weight * (1.0 + self.high_spread * rng.standard_normal(n))
        low = self.low_weight * (1.0 + self.low_spread * rng.standard_normal(n))
        deviation = self.step_spread * rng.standard_normal(n)
        gain = np.exp(deviation) if self.log_normal else 1.0 + deviation
        skew = self.asymmetry_spread * rng.standard_normal(n)
        own = gain if self.own_asymmetry else 1.0
        up = self.step_weight * np.abs(gain + own * (min(self.asymmetry, 0.0) + skew))
        down = self.step_weight * np.abs(gain - own * (max(self.asymmetry, 0.0) + skew))
        # A wide spread can turn bounds round; they are put right rather than left out.
        low, high = np.minimum(low, high), np.maximum(low, high)
        return DrawnSteps(-np.abs(low), np.abs(high), up, down)

    def nominal_siemens(self, window_siemens: Window) -> float:
        """Mean of the up and the down step at weight 0, without spread."""
        step = self.step_weight * (1.0 - 0.5 * abs(self.asymmetry))
        return step * self.scale(window_siemens).siemens_per_weight


def limits_siemens(
    drawn: DrawnSteps, scale: Scale, window_siemens: Window
) -> tuple[Floats, Floats]:
    """(n,) bounds of every device, cut off at the window."""
    low = scale.zero_siemens + scale.siemens_per_weight * drawn.low_weight
    high = scale.zero_siemens + scale.siemens_per_weight * drawn.high_weight
    return np.maximum(low, window_siemens[0]), np.minimum(high, window_siemens[1])
