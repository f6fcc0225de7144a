"""Step schedules: a factor on the step as training goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Constant", "Cosine", "Exponential", "Schedule", "Staircase"]


class Schedule(Protocol):
    """Maps progress to a factor."""

    def factor(self, epoch: float, epochs: int) -> float:
        """Factor on the step after ``epoch`` (fractional) of ``epochs``."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always 1."""

    def factor(self, epoch: float, epochs: int) -> float:
        """See :class:`Schedule`."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Exponential:
    """``decay`` to the power of the epoch, continuously."""

    decay: float

    def factor(self, epoch: float, epochs: int) -> float:
        """See :class:`Schedule`."""
        return float(self.decay**epoch)


@dataclass(frozen=True, slots=True)
class Staircase:
    """``decay`` to the power of the number of ``milestones`` (epochs) that have passed."""

    decay: float
    milestones: tuple[float, ...]

    def factor(self, epoch: float, epochs: int) -> float:
        """See :class:`Schedule`."""
        return float(self.decay ** sum(epoch >= m for m in self.milestones))


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine from 1 down to ``floor`` at the last epoch."""

    floor: float

    def factor(self, epoch: float, epochs: int) -> float:
        """See :class:`Schedule`."""
        progress = min(1.0, epoch / max(1, epochs))
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
