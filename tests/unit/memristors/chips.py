"""What the tests of programmable devices share."""

from __future__ import annotations

import numpy as np
from scipy import stats

WINDOW = (1e-6, 1e-4)
N = 10_000

SIGMAS = 5.0
"""Means and spreads are accepted within so many of their standard errors: a correct program fails
one in two million comparisons, and seeds are fixed, so that one that passes always does."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_mean(samples: np.ndarray, expected: float, sigmas: float = SIGMAS) -> None:
    error = samples.std(ddof=1) / np.sqrt(samples.size)
    assert abs(samples.mean() - expected) <= sigmas * error + 1e-12 * abs(expected)


def assert_std(samples: np.ndarray, expected: float, sigmas: float = SIGMAS) -> None:
    """The standard error of a variance comes from the samples' own fourth moment."""
    squares = (samples - samples.mean()) ** 2
    error = squares.std(ddof=1) / np.sqrt(samples.size)
    assert abs(squares.mean() - expected**2) <= sigmas * error + 1e-12 * expected**2


def assert_same_distribution(one: np.ndarray, other: np.ndarray) -> None:
    """Kolmogorov-Smirnov, refused at the level of five standard deviations."""
    assert stats.ks_2samp(one, other).pvalue > 2.0 * stats.norm.sf(SIGMAS)


def folded_normal(mean: float, std: float) -> tuple[float, float]:
    """Mean and standard deviation of ``|mean + std xi|``."""
    if std == 0.0:
        return abs(mean), 0.0
    first = std * np.sqrt(2 / np.pi) * np.exp(-(mean**2) / (2 * std**2))
    first += mean * (1 - 2 * stats.norm.cdf(-mean / std))
    return first, float(np.sqrt(mean**2 + std**2 - first**2))
