"""Noise of a conductance while it is read: white, 1/f and random telegraph.

Each is relative to the conductance.  1/f noise is a sum of Ornstein-Uhlenbeck processes with
relaxation times spread evenly over the logarithm, random telegraph noise a two-state Markov
process; both are advanced exactly from one sampling time to the next, however far apart, so that
they depend on the times of sampling alone and can be stored and resumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sim_backend.memristors.interface import Bools, Floats

__all__ = ["Flicker", "NoiseState", "ReadNoise", "Telegraph", "TelegraphChip"]

_PER_DECADE = 3
"""Relaxation times a decade; the ripple of the spectrum is then below 1 %."""


@dataclass(frozen=True, slots=True)
class Flicker:
    """1/f noise between two corner frequencies: flat below, 1/f^2 above.

    Attributes:
        relative_rms: over all frequencies.
        low_hertz: lower corner.
        high_hertz: upper corner.
    """

    relative_rms: float
    low_hertz: float
    high_hertz: float

    def times_seconds(self) -> Floats:
        """(k,) relaxation times, longest first."""
        decades = math.log10(self.high_hertz / self.low_hertz)
        corners = np.geomspace(self.low_hertz, self.high_hertz, 1 + math.ceil(
            _PER_DECADE * decades
        ))  # fmt: skip
        return np.asarray(1.0 / (2.0 * np.pi * corners))


@dataclass(frozen=True, slots=True)
class Telegraph:
    """Random telegraph noise of some of the devices.

    Attributes:
        share: of devices that have it.
        relative_step: by which the conductance is lower in the low state.
        high_seconds: mean dwell time in the high state.
        low_seconds: mean dwell time in the low state.
    """

    share: float
    relative_step: float
    high_seconds: float
    low_seconds: float


@dataclass(frozen=True, slots=True)
class TelegraphChip:
    """Which devices of a chip have telegraph noise.

    Attributes:
        noisy: (n,) whether the device has it.
    """

    noisy: Bools


@dataclass(frozen=True, slots=True)
class NoiseState:
    """Where the noise of every device stands; storable by name.

    Attributes:
        seconds: () time of the last sample.
        flicker: (k, n) processes of variance 1.
        telegraph_low: (n,) whether the device is in its low state.
    """

    seconds: Floats
    flicker: Floats
    telegraph_low: Bools


@dataclass(frozen=True, slots=True)
class ReadNoise:
    """All read noise.

    Attributes:
        white_relative_rms: of each sample.
        flicker: 1/f noise, if any.
        telegraph: random telegraph noise, if any.
    """

    white_relative_rms: float = 0.0
    flicker: Flicker | None = None
    telegraph: Telegraph | None = None

    @property
    def silent(self) -> bool:
        """Whether there is none."""
        return self.white_relative_rms == 0.0 and self.flicker is None and self.telegraph is None

    @property
    def relative_rms(self) -> float:
        """Of one sample, over all devices."""
        square = self.white_relative_rms**2
        if self.flicker is not None:
            square += self.flicker.relative_rms**2
        if self.telegraph is not None:
            t = self.telegraph
            low = t.low_seconds / (t.low_seconds + t.high_seconds)
            square += t.share * low * (1.0 - low) * t.relative_step**2
        return math.sqrt(square)

    def draw(self, n: int, rng: np.random.Generator) -> TelegraphChip:
        """Which of ``n`` devices have telegraph noise."""
        share = 0.0 if self.telegraph is None else self.telegraph.share
        return TelegraphChip(rng.random(n) < share)

    def start(
        self, chip: TelegraphChip, rng: np.random.Generator, at_seconds: float = 0.0
    ) -> NoiseState:
        """Noise of the devices of a chip in its stationary state."""
        n = chip.noisy.size
        k = 0 if self.flicker is None else self.flicker.times_seconds().size
        flicker = rng.standard_normal((k, n))
        low = np.zeros(n, np.bool_)
        if self.telegraph is not None:
            t = self.telegraph
            share = t.low_seconds / (t.low_seconds + t.high_seconds)
            low = chip.noisy & (rng.random(n) < share)
        return NoiseState(np.array(at_seconds, np.float64), flicker, low)

    def sample(
        self, chip: TelegraphChip, state: NoiseState, at_seconds: float, rng: np.random.Generator
    ) -> tuple[Floats, NoiseState]:
        """Relative deviations at a time not before the last sample.

        Args:
            chip: which devices have telegraph noise.
            state: as the last sample left it.
            at_seconds: time of this one.
            rng: source of the noise.

        Returns:
            (n,) factors on the conductances, never negative, and the state after.

        Raises:
            ValueError: time would run backwards.
        """
        passed = at_seconds - float(state.seconds)
        if passed < 0.0:
            raise ValueError(
                f"a sample at {at_seconds:g} s after one at {float(state.seconds):g} s; "
                "sampling times must not fall"
            )
        n = state.telegraph_low.size
        factor = np.ones(n)
        if self.white_relative_rms > 0.0:
            factor += self.white_relative_rms * rng.standard_normal(n)
        if self.flicker is not None:
            state = replace(state, flicker=self._relaxed(state.flicker, self.flicker, passed, rng))
            factor += self.flicker.relative_rms * state.flicker.sum(0) / math.sqrt(
                len(state.flicker)
            )  # fmt: skip
        if self.telegraph is not None:
            low = self._switched(chip, state, self.telegraph, passed, rng)
            state = replace(state, telegraph_low=low)
            factor -= self.telegraph.relative_step * state.telegraph_low
        return np.maximum(factor, 0.0), replace(state, seconds=np.array(at_seconds, np.float64))

    @staticmethod
    def _relaxed(
        before: Floats, flicker: Flicker, passed: float, rng: np.random.Generator
    ) -> Floats:
        decay = passed / flicker.times_seconds()[:, None]
        fresh = np.sqrt(-np.expm1(-2.0 * decay))
        return np.asarray(before * np.exp(-decay) + fresh * rng.standard_normal(before.shape))

    @staticmethod
    def _switched(
        chip: TelegraphChip, state: NoiseState, telegraph: Telegraph, passed: float,
        rng: np.random.Generator,
    ) -> Bools:  # fmt: skip
        """States after a time: the occupation relaxes with the sum of both rates."""
        total = telegraph.low_seconds + telegraph.high_seconds
        stationary = telegraph.low_seconds / total
        memory = math.exp(-passed * (1.0 / telegraph.low_seconds + 1.0 / telegraph.high_seconds))
        low = stationary + (state.telegraph_low - stationary) * memory
        switched: Bools = chip.noisy & (rng.random(low.size) < low)
        return switched
