r"""Steps that depend exponentially on the conductance (aihwkit: ExpStep).

With ``w`` the weight (:mod:`.spread`) and ``b_max - b_min`` the device's own range,

.. math::
    z = 2 a w / (b_{max} - b_{min}) + b, \quad
    y_{up} = \max(1 - A_{up} e^{\gamma_{up} z}, 0), \quad
    y_{down} = \max(1 - A_{down} e^{-\gamma_{down} z}, 0),

and one pulse changes ``w`` by ``s_up y_up (1 + sigma xi)`` upwards or ``s_down y_down (1 + sigma
xi)`` downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from sim_backend.memristors.interface import Bools, Counts, Floats, Window
from sim_backend.memristors.spread import Steps, limits_siemens

__all__ = ["ExponentialStep", "ExponentialStepChip"]

_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, slots=True)
class ExponentialStepChip:
    """Parameters of n devices; every array is (n,).

    Attributes:
        low_siemens: lower limit.
        high_siemens: upper limit.
        zero_siemens: conductance at weight 0.
        up_siemens: up step where y is 1.
        down_siemens: down step where y is 1, positive.
        range_siemens: own range of the device, which may exceed the window.
    """

    low_siemens: Floats
    high_siemens: Floats
    zero_siemens: Floats
    up_siemens: Floats
    down_siemens: Floats
    range_siemens: Floats


@dataclass(frozen=True, slots=True)
class ExponentialStep:
    """Exponential steps; see the module.

    Attributes:
        steps: steps, bounds and their spread.
        up_factor: A_up.
        down_factor: A_down.
        up_exponent: gamma_up.
        down_exponent: gamma_down.
        slope: a.
        offset: b.
    """

    steps: Steps
    up_factor: float
    down_factor: float
    up_exponent: float
    down_exponent: float
    slope: float
    offset: float

    def draw(self, n: int, window_siemens: Window, rng: np.random.Generator) -> ExponentialStepChip:
        """Parameters of ``n`` devices."""
        drawn = self.steps.draw(n, rng)
        scale = self.steps.scale(window_siemens)
        unit = scale.siemens_per_weight
        low_siemens, high_siemens = limits_siemens(drawn, scale, window_siemens)
        return ExponentialStepChip(
            low_siemens=low_siemens,
            high_siemens=high_siemens,
            zero_siemens=np.full(n, scale.zero_siemens),
            up_siemens=unit * drawn.up_weight,
            down_siemens=unit * drawn.down_weight,
            range_siemens=unit * (drawn.high_weight - drawn.low_weight),
        )

    def pulse(
        self,
        chip: ExponentialStepChip,
        siemens: Floats,
        counts: Counts,
        rng: np.random.Generator,
        share: float = 1.0,
        merged: float | Floats = 1.0,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        result = np.array(siemens, np.float64)
        _apply(
            result,
            counts.astype(np.int64),
            chip.low_siemens,
            chip.high_siemens,
            chip.zero_siemens,
            chip.up_siemens,
            chip.down_siemens,
            chip.range_siemens,
            (self.up_factor, self.up_exponent),
            (self.down_factor, -self.down_exponent),
            2.0 * self.slope,
            self.offset,
            self.steps.cycle_spread,
            share,
            np.full(result.shape, merged),
            rng,
        )
        return result

    def step_siemens(self, chip: ExponentialStepChip, siemens: Floats, up: Bools) -> Floats:
        """(n,) signed change by one pulse, limits and spread from cycle to cycle aside."""
        width = np.maximum(chip.range_siemens, _TINY)
        z = 2.0 * self.slope * (siemens - chip.zero_siemens) / width + self.offset
        exponent = np.where(up, self.up_exponent, -self.down_exponent) * z
        factor = np.where(up, self.up_factor, self.down_factor)
        y = np.maximum(1.0 - factor * np.exp(exponent), 0.0)
        return y * np.where(up, chip.up_siemens, -chip.down_siemens)

    def nominal_siemens(self, window_siemens: Window) -> float:
        """Mean of the up and the down step at weight 0, without spread."""
        unit = self.steps.scale(window_siemens).siemens_per_weight * self.steps.step_weight
        up = unit * (1.0 + min(self.steps.asymmetry, 0.0))
        down = unit * (1.0 - max(self.steps.asymmetry, 0.0))
        y_up = max(1.0 - self.up_factor * np.exp(self.up_exponent * self.offset), 0.0)
        y_down = max(1.0 - self.down_factor * np.exp(-self.down_exponent * self.offset), 0.0)
        return float(0.5 * (up * y_up + down * y_down))


@njit(cache=True, error_model="numpy")
def _apply(
    siemens: Floats, counts: Counts, low: Floats, high: Floats, zero: Floats, up_siemens: Floats,
    down_siemens: Floats, range_siemens: Floats, up: tuple[float, float],
    down: tuple[float, float], slope: float, offset: float, spread: float, share: float,
    merged: Floats, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Change ``siemens`` by all pulses, device by device; the step is :meth:`step_siemens`."""
    for i in range(siemens.size):
        if counts[i] == 0:
            continue
        factor, exponent = up if counts[i] > 0 else down
        full = (up_siemens[i] if counts[i] > 0 else -down_siemens[i]) * share * merged[i]
        rms = spread / np.sqrt(merged[i])
        per_siemens = slope / max(range_siemens[i], _TINY)
        now = siemens[i]
        for _ in range(abs(counts[i])):
            z = per_siemens * (now - zero[i]) + offset
            step = max(1.0 - factor * np.exp(exponent * z), 0.0) * full
            if rms > 0.0:
                step *= 1.0 + rms * rng.standard_normal()
            now = min(max(now + step, low[i]), high[i])
        siemens[i] = now
