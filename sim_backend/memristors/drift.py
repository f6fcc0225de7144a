r"""Retention: conductances that fall with the time since they were programmed.

.. math:: g(t) = g_0 \left(\frac{t + t_0}{t_0}\right)^{-\nu}

with t the time since the last pulse: for t well above t_0 the power law of phase change memory
(aihwkit: ``(t / 20 s)^-nu``), and g_0 at t = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Floats

__all__ = ["Drift", "DriftChip"]


@dataclass(frozen=True, slots=True)
class DriftChip:
    """Drift of single devices.

    Attributes:
        exponents: (n,) nu.
    """

    exponents: Floats


@dataclass(frozen=True, slots=True)
class Drift:
    """Power-law drift.

    Attributes:
        exponent: mean nu; negative for conductances that rise.
        exponent_spread: of nu from device to device, absolute.
        reference_seconds: t_0.
    """

    exponent: float = 0.0
    exponent_spread: float = 0.0
    reference_seconds: float = 20.0

    @property
    def none(self) -> bool:
        """Whether nothing drifts."""
        return self.exponent == 0.0 and self.exponent_spread == 0.0

    def draw(self, n: int, rng: np.random.Generator) -> DriftChip:
        """Drift of ``n`` devices."""
        return DriftChip(self.exponent + self.exponent_spread * rng.standard_normal(n))

    def factor(self, chip: DriftChip, seconds: Floats) -> Floats:
        """(n,) factor of conductances programmed ``seconds`` ago, (n,) and not negative."""
        return np.asarray(np.exp(-chip.exponents * np.log1p(seconds / self.reference_seconds)))
