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
from typing import NamedTuple

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
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        result = np.array(siemens, np.float64)
        _pulse(result, counts.astype(np.int64), self._law(chip), share, rng)
        return result

    def disturb(
        self,
        chip: ExponentialStepChip,
        siemens: Floats,
        up: Counts,
        down: Counts,
        rng: np.random.Generator,
        share: float,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        result = np.array(siemens, np.float64)
        _disturb(result, up, down, self._law(chip), share, rng)
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

    def _law(self, chip: ExponentialStepChip) -> _Law:
        return _Law(
            chip.low_siemens,
            chip.high_siemens,
            chip.zero_siemens,
            chip.up_siemens,
            chip.down_siemens,
            chip.range_siemens,
            self.up_factor,
            self.down_factor,
            self.up_exponent,
            self.down_exponent,
            2.0 * self.slope,
            self.offset,
            self.steps.cycle_spread,
        )


class _Law(NamedTuple):
    """All that compiled code needs to know of devices; see :class:`ExponentialStep`."""

    low: Floats
    high: Floats
    zero: Floats
    up_siemens: Floats
    down_siemens: Floats
    range_siemens: Floats
    up_factor: float
    down_factor: float
    up_exponent: float
    down_exponent: float
    twice_slope: float
    offset: float
    spread: float


@njit(cache=True, error_model="numpy")
def _step(law: _Law, i: int, now: float, up: bool) -> float:
    """Size of a step; the same as :meth:`ExponentialStep.step_siemens`."""
    z = law.twice_slope * (now - law.zero[i]) / max(law.range_siemens[i], _TINY) + law.offset
    if up:
        y = 1.0 - law.up_factor * np.exp(law.up_exponent * z)
        return float(max(y, 0.0) * law.up_siemens[i])
    y = 1.0 - law.down_factor * np.exp(-law.down_exponent * z)
    return float(max(y, 0.0) * law.down_siemens[i])


@njit(cache=True, error_model="numpy")
def _pulse(
    siemens: Floats, counts: Counts, law: _Law, share: float, rng: np.random.Generator
) -> None:
    """Change ``siemens`` by all pulses, device by device."""
    for i in range(siemens.size):
        now, up = siemens[i], counts[i] > 0
        for _ in range(abs(counts[i])):
            step = share * _step(law, i, now, up)
            if law.spread > 0.0:
                step *= 1.0 + law.spread * rng.standard_normal()
            now = min(max(now + step if up else now - step, law.low[i]), law.high[i])
        siemens[i] = now


@njit(cache=True, error_model="numpy")
def _disturb(
    siemens: Floats, up: Counts, down: Counts, law: _Law, share: float, rng: np.random.Generator
) -> None:
    """Change ``siemens`` by small pulses, device by device."""
    for i in range(siemens.size):
        now, rise, fall = siemens[i], 0.0, 0.0
        parts = max(1, int(np.ceil(share * (up[i] + down[i]))))
        for _ in range(parts):
            if up[i] > 0:
                rise = _step(law, i, now, True)
            if down[i] > 0:
                fall = _step(law, i, now, False)
            move = (up[i] * rise - down[i] * fall) / parts
            if law.spread > 0.0:
                square = (up[i] * rise * rise + down[i] * fall * fall) / parts
                move += law.spread * np.sqrt(square) * rng.standard_normal()
            now = min(max(now + share * move, law.low[i]), law.high[i])
        siemens[i] = now
