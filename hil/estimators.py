r"""Gradient estimators: which phases, with which weights (thesis appendix A).

With :math:`f(\beta) = \partial E/\partial\theta` at the state nudged by beta, the loss gradient
is :math:`f'(0)` (eq. A.1).  An estimator is a finite-difference formula for it: a list of
multiples of beta and of weights in units of 1/beta, the multiple 0 being the free phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Centred", "Estimator", "FourPoint", "OneSided", "RandomSign"]

Stencil = tuple[tuple[float, float], ...]
"""(multiple of beta, weight times beta), in the order in which the phases run."""


class Estimator(Protocol):
    """A finite-difference formula in beta."""

    def stencil(self, rng: np.random.Generator) -> Stencil:
        """Phases of one batch."""
        ...


@dataclass(frozen=True, slots=True)
class OneSided:
    """Eq. (A.2), error O(beta)."""

    def stencil(self, rng: np.random.Generator) -> Stencil:
        """See :class:`Estimator`."""
        return ((1.0, 1.0), (0.0, -1.0))


@dataclass(frozen=True, slots=True)
class RandomSign:
    """One-sided with the sign of beta drawn for each batch (thesis 3.3.1).

    The O(beta) error cancels on average over batches.
    """

    def stencil(self, rng: np.random.Generator) -> Stencil:
        """See :class:`Estimator`."""
        sign = 1.0 if rng.random() < 0.5 else -1.0
        return ((sign, sign), (0.0, -sign))


@dataclass(frozen=True, slots=True)
class Centred:
    """Eq. (A.3), the symmetric estimator, error O(beta^2).

    Attributes:
        alternate: draw for each batch which of the two nudged phases runs first, so that a
            drift over time does not always have the same sign.
    """

    alternate: bool = False

    def stencil(self, rng: np.random.Generator) -> Stencil:
        """See :class:`Estimator`."""
        pair = ((1.0, 0.5), (-1.0, -0.5))
        if self.alternate and rng.random() < 0.5:
            return pair[::-1]
        return pair


@dataclass(frozen=True, slots=True)
class FourPoint:
    r"""Five-point stencil without its centre, error O(beta^4).

    :math:`f'(0) \approx [8(f(\beta) - f(-\beta)) - (f(2\beta) - f(-2\beta))] / 12\beta`.
    """

    def stencil(self, rng: np.random.Generator) -> Stencil:
        """See :class:`Estimator`."""
        return ((1.0, 8 / 12), (-1.0, -8 / 12), (2.0, -1 / 12), (-2.0, 1 / 12))
