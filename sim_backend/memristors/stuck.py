"""Devices that no pulse moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Bools, Floats, Window

__all__ = ["Stuck", "StuckChip"]


@dataclass(frozen=True, slots=True)
class StuckChip:
    """Which devices of a chip are stuck, and where; every array is (n,).

    Attributes:
        stuck: whether the device is.
        at_siemens: its conductance if it is, else 0.
    """

    stuck: Bools
    at_siemens: Floats


@dataclass(frozen=True, slots=True)
class Stuck:
    """Shares of devices that are stuck; each device is so by itself.

    Attributes:
        high: share stuck at g_max (low resistance).
        low: share stuck at g_min (high resistance).
        between: share stuck anywhere in ``between_range``.
        between_range: part of the window, 0 being g_min and 1 g_max.
    """

    high: float = 0.0
    low: float = 0.0
    between: float = 0.0
    between_range: tuple[float, float] = (0.0, 1.0)

    @property
    def none(self) -> bool:
        """Whether no device is."""
        return self.high + self.low + self.between == 0.0

    def draw(self, n: int, window_siemens: Window, rng: np.random.Generator) -> StuckChip:
        """Which of ``n`` devices are stuck."""
        lot, place = rng.random(n), rng.random(n)
        low, high = window_siemens
        first, last = self.between_range
        between = low + (high - low) * (first + (last - first) * place)
        stuck = lot < self.high + self.low + self.between
        at = np.where(lot < self.high, high, np.where(lot < self.high + self.low, low, between))
        return StuckChip(stuck, np.where(stuck, at, 0.0))
