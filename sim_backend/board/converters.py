"""Converters between numbers and levels, channel by channel.

Levels may be volts or amps.  Codes are two's complement without the lowest one, so that 0 and
both ends of the range are levels: with ``n`` bits a least step is ``range / (2^(n-1) - 1)``.
"""

from __future__ import annotations

import numpy as np

from hil.arrays import BoolArray, Floats

__all__ = [
    "SHAPE_MEAN_SQUARES",
    "Converter",
    "Reader",
    "Sources",
    "least_step",
    "nonlinearity",
    "with_noise",
]

SHAPE_MEAN_SQUARES = (8 / 15, 8 / 105, 32 / 2205)
"""Mean over the range of the squares of bow, S and W; the three are orthogonal."""


def least_step(bits: int | None, span: float | None) -> float:
    """Level between neighbouring codes; 0 without rounding."""
    return 0.0 if bits is None or span is None else span / (2 ** (bits - 1) - 1)


def nonlinearity(levels: Floats, span: float, weights: Floats) -> Floats:
    """Smooth curves that are 0 at both ends: a bow, an S and a W.

    ``(1 - x^2) (a + b x + c (x^2 - 1/7))`` with ``x`` the level in units of the range.

    Args:
        levels: (batch, channels).
        span: the range.
        weights: (channels, 3) in the unit of the result.

    Returns:
        (batch, channels).
    """
    x = np.clip(levels / levels.dtype.type(span), -1.0, 1.0)
    bow, ess, double = (column.astype(levels.dtype) for column in weights.T)
    square = x * x
    curve = double * (square - x.dtype.type(1 / 7)) + ess * x + bow
    return np.asarray((1 - square) * curve)


class Converter:
    """Constants of some channels; exact ones are left out of every calculation.

    Args:
        bits: resolution, or None.
        span: largest absolute level, or None.
        gain: (channels,), or (1,) for all.
        offset: as ``gain``.
        inl_lsb: (channels, 3) or (1, 3), least steps.
    """

    def __init__(
        self,
        bits: int | None,
        span: float | None,
        gain: Floats,
        offset: Floats,
        inl_lsb: Floats,
    ) -> None:
        self.step = least_step(bits, span)
        self.span = span
        self._gain = None if np.all(gain == 1.0) else gain
        self._offset = offset if np.any(offset) else None
        self._curve = inl_lsb * self.step if self.step and np.any(inl_lsb) else None

    @property
    def is_exact(self) -> bool:
        """Whether levels pass as they are, noise aside."""
        return not self.step and all(
            part is None for part in (self._gain, self._offset, self._curve)
        )

    def scaled(self, levels: Floats) -> Floats:
        """Gain and offset."""
        if self._gain is not None:
            levels = levels * self._gain.astype(levels.dtype)
        return levels if self._offset is None else levels + self._offset.astype(levels.dtype)

    def rounded(self, levels: Floats) -> Floats:
        """To the nearest code."""
        if not self.step:
            return levels
        step = levels.dtype.type(self.step)
        return np.asarray(np.rint(levels / step) * step)

    def bent(self, levels: Floats) -> Floats:
        """With the integral nonlinearity."""
        if self._curve is None or self.span is None:
            return levels
        return levels + nonlinearity(levels, self.span, self._curve)


class Sources(Converter):
    """Sources of levels, cut off at what the network bears.

    Args:
        limit: largest absolute level that leaves the sources.
        noise: rms of white noise.
    """

    def __init__(
        self,
        bits: int | None,
        span: float | None,
        gain: Floats,
        offset: Floats,
        inl_lsb: Floats,
        limit: float,
        noise: float,
    ) -> None:
        super().__init__(bits, span, gain, offset, inl_lsb)
        self._limit = limit
        self.noise = noise

    def nominal(self, levels: Floats) -> Floats:
        """What the codes for these levels stand for, as whoever sent them knows."""
        return self.rounded(levels)

    def constant(self, nominal: Floats) -> Floats:
        """What leaves the sources for :meth:`nominal` levels, in their dtype, without noise."""
        if self.is_exact:
            return nominal
        return self._cut(self.scaled(self.bent(nominal)))

    def noisy(self, constant: Floats, rng: np.random.Generator) -> Floats:
        """:meth:`constant` levels with their noise."""
        if not self.noise:
            return constant
        return self._cut(with_noise(constant, np.array(self.noise), rng))

    def _cut(self, levels: Floats) -> Floats:
        kind = levels.dtype.type
        limit = kind(min(self._limit, float(np.finfo(kind).max)))
        if float(limit) > self._limit:
            limit = np.nextafter(limit, kind(0.0))
        return np.clip(levels, -limit, limit)


class Reader(Converter):
    """Converters of voltages to numbers.

    Args:
        noise: (channels,) or () rms of the white noise of a reading.
    """

    def __init__(
        self,
        bits: int | None,
        span: float | None,
        gain: Floats,
        offset: Floats,
        inl_lsb: Floats,
        noise: Floats,
    ) -> None:
        super().__init__(bits, span, gain, offset, inl_lsb)
        self._noise = noise if np.any(noise) else None

    @property
    def is_exact(self) -> bool:
        """Whether voltages are read as they are, whatever they are."""
        return super().is_exact and self._noise is None and self.span is None

    def read(self, volts: Floats, rng: np.random.Generator) -> tuple[Floats, BoolArray | None]:
        """Numbers for held voltages (batch, channels), and which examples were within the range.

        Where there is no range the latter is None.
        """
        seen = self.scaled(volts)
        if self._noise is not None:
            seen = with_noise(seen, self._noise, rng)
        seen = self.bent(seen)
        if self.span is None:
            return seen, None
        span = seen.dtype.type(self.span)
        # The last code stands for half a step beyond its level.
        top = span + seen.dtype.type(0.5 * self.step)
        within = np.all(np.abs(seen) <= top, axis=1)
        return np.clip(self.rounded(seen), -span, span), within


def with_noise(levels: Floats, rms: Floats, rng: np.random.Generator) -> Floats:
    """Levels (batch, channels) plus white noise of ``rms``, (channels,) or ()."""
    kind = np.float32 if levels.dtype == np.float32 else np.float64
    noise: Floats = rng.standard_normal(levels.shape, dtype=kind)
    noise *= rms.astype(kind)
    noise += levels
    return noise
