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

from sim_backend.memristors.interface import Bools, Counts, Floats, Window, take
from sim_backend.memristors.repeating import pulse_by_pulse
from sim_backend.memristors.spread import Steps, limits_siemens

__all__ = ["ExponentialStep", "ExponentialStepChip"]


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
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        result = np.array(siemens, np.float64)
        at = np.flatnonzero(counts)

        def step(some: ExponentialStepChip, now: Floats, up: Bools) -> Floats:
            size = self.step_siemens(some, now, up) * share
            if self.steps.cycle_spread > 0.0:
                size = size * (1.0 + self.steps.cycle_spread * rng.standard_normal(now.size))
            return now + size

        result[at] = pulse_by_pulse(step, take(chip, at), result[at], counts[at])
        return result

    def step_siemens(self, chip: ExponentialStepChip, siemens: Floats, up: Bools) -> Floats:
        """(n,) signed change by one pulse, limits and spread from cycle to cycle aside."""
        width = np.maximum(chip.range_siemens, np.finfo(float).tiny)
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
