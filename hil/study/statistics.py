"""Means and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Interval", "t_interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the interval that holds the expectation with some confidence.

    Attributes:
        mean: NaN without values.
        low: lower end; NaN with fewer than two values.
        high: upper end; likewise.
        n: how many values.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Half the interval; NaN with fewer than two values."""
        return (self.high - self.low) / 2.0


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean, ``mean +- t(n - 1) s / sqrt(n)``.

    Args:
        values: independent draws.
        confidence: probability that such an interval holds the expectation, exact where the
            values are normal.
    """
    n = len(values)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(np.mean(values))
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    error = float(np.std(values, ddof=1)) / n**0.5
    half = float(stats.t.ppf(0.5 + 0.5 * confidence, n - 1)) * error
    return Interval(mean, mean - half, mean + half, n)
