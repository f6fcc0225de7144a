r"""Steps that are constant or fall linearly with the conductance.

With ``w`` the weight (:mod:`.spread`), ``w_d`` the bound in direction ``d`` and ``xi`` a standard
normal variate, one pulse in direction ``d = +-1`` does

.. math:: w \leftarrow w + d\,s_d (1 - \gamma_d w / w_d)(1 + \sigma\xi),

or, with additive noise, :math:`w + d\,s_d (1 - \gamma_d w / w_d + \sigma\xi)`.  ``gamma = 0`` is
the ideal, constant step, ``gamma = 1`` with the device's own bound is soft bounds: the step is
proportional to the distance from the bound (aihwkit: ConstantStep, LinearStep, SoftBounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from sim_backend.memristors.interface import Bools, Counts, Floats, Window, take
from sim_backend.memristors.repeating import pulse_by_pulse
from sim_backend.memristors.spread import Steps, limits_siemens

__all__ = ["LinearStep", "LinearStepChip", "soft_bounds"]

_SAFE = 8.0
"""So many standard deviations from a limit, pulses are added up at once: what would have met the
limit has a probability below 1e-14."""

_FEW = 16
"""Up to so many pulses, they are applied one after the other."""

_WHOLE = 1.0 - np.finfo(float).epsneg
"""A pulse that falls by its whole distance, as nearly as its logarithm can say."""


@dataclass(frozen=True, slots=True)
class LinearStepChip:
    """Parameters of n devices; every array is (n,).

    Attributes:
        low_siemens: lower limit.
        high_siemens: upper limit.
        zero_siemens: conductance at weight 0.
        up_siemens: up step at weight 0.
        down_siemens: down step at weight 0, positive.
        up_fall: relative decrease of up steps by siemens above weight 0, 1/S.
        down_fall: likewise of down steps; negative, for they decrease downwards.
    """

    low_siemens: Floats
    high_siemens: Floats
    zero_siemens: Floats
    up_siemens: Floats
    down_siemens: Floats
    up_fall: Floats
    down_fall: Floats


@dataclass(frozen=True, slots=True)
class LinearStep:
    """Steps that fall linearly; see the module.

    Attributes:
        steps: steps, bounds and their spread.
        up_fall: gamma of up pulses, the share a step has lost at the bound (gamma_up).
        down_fall: likewise of down pulses (gamma_down).
        up_fall_spread: from device to device, absolute (gamma_up_dtod).
        down_fall_spread: likewise (gamma_down_dtod).
        own_bounds: gamma refers to each device's own bounds instead of the mean ones (not
            mean_bound_reference).
        additive_noise: the spread from pulse to pulse does not fall with the step (not mult_noise).
    """

    steps: Steps
    up_fall: float = 0.0
    down_fall: float = 0.0
    up_fall_spread: float = 0.0
    down_fall_spread: float = 0.0
    own_bounds: bool = False
    additive_noise: bool = False

    def draw(self, n: int, window_siemens: Window, rng: np.random.Generator) -> LinearStepChip:
        """Parameters of ``n`` devices."""
        steps = self.steps
        drawn = steps.draw(n, rng)
        up_fall = np.abs(self.up_fall + self.up_fall_spread * rng.standard_normal(n))
        down_fall = np.abs(self.down_fall + self.down_fall_spread * rng.standard_normal(n))
        high = drawn.high_weight if self.own_bounds else np.full(n, steps.high_weight)
        low = drawn.low_weight if self.own_bounds else np.full(n, steps.low_weight)
        scale = steps.scale(window_siemens)
        unit = scale.siemens_per_weight
        low_siemens, high_siemens = limits_siemens(drawn, scale, window_siemens)
        return LinearStepChip(
            low_siemens=low_siemens,
            high_siemens=high_siemens,
            zero_siemens=np.full(n, scale.zero_siemens),
            up_siemens=unit * drawn.up_weight,
            down_siemens=unit * drawn.down_weight,
            up_fall=_over(up_fall, unit * high),
            down_fall=_over(down_fall, unit * low),
        )

    def pulse(
        self,
        chip: LinearStepChip,
        siemens: Floats,
        counts: Counts,
        rng: np.random.Generator,
        share: float = 1.0,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        result = np.array(siemens, np.float64)
        many = np.abs(counts) > _FEW
        one_by_one = np.where(many, 0, counts).astype(np.int64)
        _pulse(result, one_by_one, self._law(chip), share, rng)
        at = np.flatnonzero(many)
        if at.size == 0:
            return result
        part, before, pulses = take(chip, at), result[at], counts[at]

        def step(some: LinearStepChip, now: Floats, up: Bools) -> Floats:
            return self._one(some, now, up, share, rng)

        end, done = self._at_once(part, before, pulses, share, rng)
        rest = np.flatnonzero(~done)
        end[rest] = pulse_by_pulse(step, take(part, rest), before[rest], pulses[rest])
        result[at] = end
        return result

    def disturb(
        self,
        chip: LinearStepChip,
        siemens: Floats,
        up: Counts,
        down: Counts,
        rng: np.random.Generator,
        share: float,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`."""
        now = np.array(siemens, np.float64)
        _disturb(now, up, down, self._law(chip), share, rng)
        return now

    def _law(self, chip: LinearStepChip) -> _Law:
        return _Law(
            chip.low_siemens,
            chip.high_siemens,
            chip.zero_siemens,
            chip.up_siemens,
            chip.down_siemens,
            chip.up_fall,
            chip.down_fall,
            self.steps.cycle_spread,
            self.additive_noise,
        )

    def _at_once(
        self, chip: LinearStepChip, before: Floats, pulses: Counts, share: float,
        rng: np.random.Generator,
    ) -> tuple[Floats, Bools]:  # fmt: skip
        """Conductances after all pulses, and of which devices that is exact."""
        moves = _Moves.of(chip, before, pulses, share)
        end = np.clip(moves.mean_end(), chip.low_siemens, chip.high_siemens)
        # Steps short of the fixed point never turn round, so that a limit once met is kept to.
        done = moves.rate <= 1.0
        noise = self.steps.cycle_spread
        if noise > 0.0:
            done &= (moves.fall == 0.0) | self.additive_noise
            rms = noise * moves.noise_of_sum()
            margin = _SAFE * rms
            done &= np.minimum(before, end) - margin >= chip.low_siemens
            done &= np.maximum(before, end) + margin <= chip.high_siemens
            end[done] += rms[done] * rng.standard_normal(np.count_nonzero(done))
        return end, done

    def nominal_siemens(self, window_siemens: Window) -> float:
        """Mean of the up and the down step at weight 0, without spread."""
        return self.steps.nominal_siemens(window_siemens)

    def _one(
        self, chip: LinearStepChip, siemens: Floats, up: Bools, share: float,
        rng: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """After one pulse, limits aside."""
        step = share * np.where(up, chip.up_siemens, -chip.down_siemens)
        fall = np.where(up, chip.up_fall, chip.down_fall)
        relative = 1.0 - fall * (siemens - chip.zero_siemens)
        if self.steps.cycle_spread > 0.0:
            noise = self.steps.cycle_spread * rng.standard_normal(siemens.size)
            relative = relative + noise if self.additive_noise else relative * (1.0 + noise)
        return siemens + step * relative


def soft_bounds(steps: Steps, additive_noise: bool = False) -> LinearStep:
    """Steps proportional to the distance from each device's own bound (aihwkit: SoftBounds)."""
    return LinearStep(
        steps, up_fall=1.0, down_fall=1.0, own_bounds=True, additive_noise=additive_noise
    )


@dataclass(frozen=True, slots=True)
class _Moves:
    """Pulses without noise: ``x <- (1 - r) x + s``, with x counted from weight 0.

    Attributes:
        zero: (n,) siemens at x = 0.
        x: (n,) siemens before.
        pulses: (n,) number, as floats.
        step: (n,) s, signed.
        fall: (n,) relative decrease of the step, 1/S.
        rate: (n,) r = s fall.
    """

    zero: Floats
    x: Floats
    pulses: Floats
    step: Floats
    fall: Floats
    rate: Floats

    @classmethod
    def of(cls, chip: LinearStepChip, siemens: Floats, counts: Counts, share: float) -> _Moves:
        up = counts > 0
        step = share * np.where(up, chip.up_siemens, -chip.down_siemens)
        fall = np.where(up, chip.up_fall, chip.down_fall)
        pulses = np.abs(counts).astype(np.float64)
        return cls(chip.zero_siemens, siemens - chip.zero_siemens, pulses, step, fall, step * fall)

    def mean_end(self) -> Floats:
        """After all pulses, for rates up to 1: steps that do not jump beyond the fixed point."""
        rate = np.minimum(self.rate, _WHOLE)
        log_kept = self.pulses * np.log1p(-rate)
        summed = _geometric(log_kept, rate, self.pulses)
        return self.zero + self.x * np.exp(log_kept) + self.step * summed

    def noise_of_sum(self) -> Floats:
        """Rms after all pulses of additive noise as large as the step at weight 0."""
        rate = np.minimum(self.rate, _WHOLE)
        log_kept = 2.0 * self.pulses * np.log1p(-rate)
        squares = _geometric(log_kept, rate * (2.0 - rate), self.pulses)
        return np.asarray(np.abs(self.step) * np.sqrt(squares))


def _geometric(log_kept: Floats, rate: Floats, pulses: Floats) -> Floats:
    """``sum_k (1 - r)^k`` over the pulses, without cancellation for small r."""
    return np.divide(-np.expm1(log_kept), rate, out=pulses.copy(), where=rate != 0.0)


def _over(fall: Floats, bound: Floats) -> Floats:
    """``fall / bound``, and 0 where a bound is no distance to fall over (as in aihwkit)."""
    return np.divide(fall, bound, out=np.zeros_like(fall), where=bound != 0.0)


class _Law(NamedTuple):
    """All that compiled code needs to know of devices; see :class:`LinearStep`."""

    low: Floats
    high: Floats
    zero: Floats
    up_siemens: Floats
    down_siemens: Floats
    up_fall: Floats
    down_fall: Floats
    spread: float
    additive: bool


@njit(cache=True, error_model="numpy")
def _pulse(
    siemens: Floats, counts: Counts, law: _Law, share: float, rng: np.random.Generator
) -> None:
    """Change ``siemens`` by all pulses, device by device."""
    for i in range(siemens.size):
        if counts[i] == 0:
            continue
        up = counts[i] > 0
        step = share * (law.up_siemens[i] if up else -law.down_siemens[i])
        fall = law.up_fall[i] if up else law.down_fall[i]
        now = siemens[i]
        for _ in range(abs(counts[i])):
            relative = 1.0 - fall * (now - law.zero[i])
            if law.spread > 0.0:
                noise = law.spread * rng.standard_normal()
                relative = relative + noise if law.additive else relative * (1.0 + noise)
            now = min(max(now + step * relative, law.low[i]), law.high[i])
        siemens[i] = now


@njit(cache=True, error_model="numpy")
def _disturb(
    siemens: Floats, up: Counts, down: Counts, law: _Law, share: float, rng: np.random.Generator
) -> None:
    """Change ``siemens`` by small pulses, device by device."""
    for i in range(siemens.size):
        now, n_up, n_down = siemens[i], float(up[i]), float(down[i])
        parts = max(1, int(np.ceil(share * (n_up + n_down))))
        for _ in range(parts):
            x = now - law.zero[i]
            rise = law.up_siemens[i] * (1.0 - law.up_fall[i] * x)
            drop = law.down_siemens[i] * (1.0 - law.down_fall[i] * x)
            move = (n_up * rise - n_down * drop) / parts
            if law.spread > 0.0:
                if law.additive:
                    rise, drop = law.up_siemens[i], law.down_siemens[i]
                square = (n_up * rise * rise + n_down * drop * drop) / parts
                move += law.spread * np.sqrt(square) * rng.standard_normal()
            now = min(max(now + share * move, law.low[i]), law.high[i])
        siemens[i] = now
