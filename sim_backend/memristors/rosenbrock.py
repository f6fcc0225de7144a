r"""Stiff scalar differential equations, many at once, each with its own steps.

RODAS3 of Sandu et al., Atmospheric Environment 31 (1997) 3459: four stages, third order, L-stable
and stiffly accurate, with an embedded solution of second order to choose the step by.  The
derivative of the right-hand side is a difference; its error costs step size, not accuracy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["StepsError", "integrate"]

Floats = NDArray[np.float64]
Rate = Callable[[Floats, NDArray[np.intp]], Floats]

_NEAR = 1e-6
"""Half the distance over which the derivative is taken, of a range of 1."""


class StepsError(ArithmeticError):
    """An equation needed more steps than allowed."""


def integrate(
    rate: Rate, x: Floats, seconds: Floats, tolerance: float = 1e-8, most_steps: int = 100_000
) -> Floats:
    """Solve ``dx/dt = rate(x)`` within 0..1, where solutions stop at the ends.

    Args:
        rate: derivatives at (m,) values of the equations numbered by the (m,) second argument;
            only called within 0..1.
        x: (n,) values at the start.
        seconds: (n,) durations, not negative.
        tolerance: largest estimated error of one step.
        most_steps: give up after so many.

    Returns:
        (n,) values at the end.

    Raises:
        StepsError: too many steps.
    """
    x = np.clip(x, 0.0, 1.0)
    left = np.array(seconds, np.float64)
    rows = np.flatnonzero(left > 0.0)
    steps = _first_steps(rate, x, left, rows)
    for _ in range(most_steps):
        if not rows.size:
            return x
        h = np.minimum(steps[rows], left[rows])
        after, error = _step(rate, x[rows], h, rows)
        good = error <= tolerance
        x[rows] = np.where(good, after, x[rows])
        left[rows] = np.where(good, left[rows] - h, left[rows])
        left[_stopped(rate, x, rows)] = 0.0
        growth = 0.9 * np.cbrt(tolerance / np.maximum(error, 1e-3 * tolerance))
        steps[rows] = h * np.clip(growth, 0.2, 5.0)
        rows = rows[left[rows] > 0.0]
    raise StepsError(
        f"{rows.size} device states are still moving after {most_steps} steps; the pulse is far "
        "longer than the device needs to switch: shorten it or lower its voltage"
    )


def _stopped(rate: Rate, x: Floats, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of the equations ``rows`` have met an end that they would cross."""
    at_end = rows[(x[rows] <= 0.0) | (x[rows] >= 1.0)]
    return at_end[rate(x[at_end], at_end) * (x[at_end] - 0.5) > 0.0]


def _first_steps(rate: Rate, x: Floats, left: Floats, rows: NDArray[np.intp]) -> Floats:
    steps = left.copy()
    speed = np.abs(rate(x[rows], rows))
    steps[rows] = np.minimum(left[rows], 0.01 / np.maximum(speed, 1e-300))
    return steps


def _step(rate: Rate, x: Floats, h: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Values after one step, and its estimated error."""

    def f(at: Floats) -> Floats:
        return rate(np.clip(at, 0.0, 1.0), rows)

    middle = np.clip(x, _NEAR, 1.0 - _NEAR)
    slope = (f(middle + _NEAR) - f(middle - _NEAR)) / (2.0 * _NEAR)
    pivot = 2.0 / h - slope
    first = f(x)
    k1 = first / pivot
    k2 = (first + 4.0 * k1 / h) / pivot
    third = x + 2.0 * k1
    k3 = (f(third) + (k1 - k2) / h) / pivot
    fourth = third + k3
    k4 = (f(fourth) + (k1 - k2 - 8.0 / 3.0 * k3) / h) / pivot
    # Where solutions diverge, the stages have no solution for steps above 2 / slope.
    error = np.where(h * slope < 1.0, np.abs(k4), np.inf)
    return np.clip(fourth + k4, 0.0, 1.0), error
