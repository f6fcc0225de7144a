r"""Curves that a crossbar can be solved with by matrix products, because they are separable.

The current from rows at voltages ``x_i`` into a column at ``h`` is a function of ``h`` with a few
coefficients, each a product of the conductances with a *feature* of the rows' voltages:

.. math::

   \text{cubic:}\quad & F_0 - (G + F_1) h + F_2 h^2 - a G h^3, \qquad
   \varphi = (x + a x^3,\ 3 a x^2,\ 3 a x) \\
   \text{sinh:}\quad & [F_0 \cosh bh - (G + F_1) \sinh bh] / b, \qquad
   \varphi = (\sinh bx,\ \cosh bx - 1)

with ``F_k = sum_i g_i phi_k(x_i)`` and ``G = sum_i g_i``.  All features vanish at 0 V, so that rows
at 0 V can be passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh

__all__ = ["CUBIC", "SINH", "Law"]

Floats = NDArray[np.floating]

CUBIC = 0
"""``f(V) = V + a V^3``; linear with ``a = 0``."""
SINH = 1
"""``f(V) = sinh(b V) / b``."""

_FARTHEST = 300.0
"""``b V`` beyond which features stay, so that nothing overflows on the way to a solution."""


@dataclass(frozen=True, slots=True)
class Law:
    """A curve as kernels take it.

    Attributes:
        kind: ``CUBIC`` or ``SINH``.
        parameter: a, 1/V^2, or b, 1/V.
    """

    kind: int
    parameter: float

    @classmethod
    def of(cls, conduction: Conduction) -> Law:
        """The law of a curve.

        Raises:
            ValueError: the curve is not separable.
        """
        match conduction:
            case Linear():
                return cls(CUBIC, 0.0)
            case Cubic(per_volt2=a):
                return cls(CUBIC, a)
            case Sinh(per_volt=b):
                return cls(SINH, b)
        raise ValueError(
            f"{conduction} is no curve that crossbars can be solved with: "
            "take Linear, Cubic or Sinh"
        )

    @property
    def n_features(self) -> int:
        """Matrix products a crossbar."""
        return 3 if self.kind == CUBIC else 2

    @property
    def length_volts(self) -> float:
        """Voltage at which the curve bends; infinite if it does not."""
        if self.kind == SINH:
            return 1.0 / self.parameter
        return self.parameter**-0.5 if self.parameter > 0.0 else np.inf

    def features(self, volts: Floats) -> Floats:
        """(batch, n_features, n) of voltages (batch, n)."""
        found: Floats = np.empty((len(volts), self.n_features, volts.shape[1]))
        _fill_features(self.kind, self.parameter, volts, found)
        return found


@njit(cache=True, forceinline=True, error_model="numpy")
def sinh_cosh(x: float) -> tuple[float, float]:
    """``sinh x`` and ``cosh x - 1``, without cancellation and, beyond some 300, overflow."""
    # In this order NaN passes.
    x = -_FARTHEST if x < -_FARTHEST else x
    x = _FARTHEST if x > _FARTHEST else x
    half = np.sinh(0.5 * x)
    return 2.0 * half * np.sqrt(1.0 + half * half), 2.0 * half * half


@njit(cache=True, error_model="numpy")
def _fill_features(kind: int, parameter: float, volts: Floats, features: Floats) -> None:
    # By one thread: waking others takes longer.
    for b in range(volts.shape[0]):
        if kind == CUBIC:
            for i in range(volts.shape[1]):
                x = volts[b, i]
                features[b, 0, i] = x * (1.0 + parameter * x * x)
                features[b, 1, i] = 3.0 * parameter * x * x
                features[b, 2, i] = 3.0 * parameter * x
        else:
            for i in range(volts.shape[1]):
                x = volts[b, i]
                s, c = x, x  # NaN stays NaN
                if x != 0.0:
                    s, c = sinh_cosh(parameter * x)
                features[b, 0, i], features[b, 1, i] = s, c
