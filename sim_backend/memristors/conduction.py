r"""Current-voltage curves ``I = g f(V)``, and the pseudo-power that learning rests on.

The pseudo-power of a device at a drop V is ``E = integral_0^V I dv`` (thesis eq. 4.7, Scellier
2020), so that its derivative by the conductance is ``dE/dg = integral_0^V f dv``: ``V^2 / 2`` for
a linear device.  Phases differ by far less than they measure, so the difference of two such terms
has a form of its own, without cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sim_backend.memristors.interface import Floats
from sim_backend.nodal.elements import Curve

__all__ = ["Conduction", "Cubic", "Linear", "Sinh", "element"]


class Conduction(Protocol):
    """A curve; all arguments are arrays that broadcast."""

    def amps(self, volts: Floats, siemens: Floats) -> Floats:
        """Current at drops ``volts``."""
        ...

    def slope_siemens(self, volts: Floats, siemens: Floats) -> Floats:
        """``dI/dV``."""
        ...

    def energy_watts(self, volts: Floats, siemens: Floats) -> Floats:
        """Pseudo-power ``E``."""
        ...

    def energy_gradient_volts2(self, volts: Floats, siemens: Floats) -> Floats:
        """``dE/dg``, volts squared."""
        ...

    def energy_gradient_rise_volts2(
        self, before_volts: Floats, after_volts: Floats, siemens: Floats
    ) -> Floats:
        """``dE/dg`` at ``after_volts`` less that at ``before_volts``."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """``I = g V``."""

    def amps(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens * volts

    def slope_siemens(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens + np.zeros_like(volts)

    def energy_watts(self, volts: Floats, siemens: Floats) -> Floats:
        """``g V^2 / 2``."""
        return siemens * self.energy_gradient_volts2(volts, siemens)

    def energy_gradient_volts2(self, volts: Floats, siemens: Floats) -> Floats:
        """``V^2 / 2``."""
        return 0.5 * volts * volts + np.zeros_like(siemens)

    def energy_gradient_rise_volts2(
        self, before_volts: Floats, after_volts: Floats, siemens: Floats
    ) -> Floats:
        """See :class:`Conduction`."""
        rise = 0.5 * (after_volts - before_volts) * (after_volts + before_volts)
        return rise + np.zeros_like(siemens)


@dataclass(frozen=True, slots=True)
class Cubic:
    """``I = g (V + a V^3)``.

    Attributes:
        per_volt2: a, not negative.

    Raises:
        ValueError: it is negative or not finite.
    """

    per_volt2: float

    def __post_init__(self) -> None:
        """Refuse curves that are not passive, or fall somewhere."""
        if not _is_number(self.per_volt2) or not 0.0 <= self.per_volt2 < np.inf:
            raise ValueError(
                f"Cubic takes a finite number from 0, a in g (V + a V^3); got {self.per_volt2!r}: "
                "with less than 0 the current falls again as the voltage rises"
            )

    def amps(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens * volts * (1.0 + self.per_volt2 * volts * volts)

    def slope_siemens(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens * (1.0 + 3.0 * self.per_volt2 * volts * volts)

    def energy_watts(self, volts: Floats, siemens: Floats) -> Floats:
        """``g (V^2 / 2 + a V^4 / 4)``."""
        return siemens * self.energy_gradient_volts2(volts, siemens)

    def energy_gradient_volts2(self, volts: Floats, siemens: Floats) -> Floats:
        """``V^2 / 2 + a V^4 / 4``."""
        square = volts * volts
        return square * (0.5 + 0.25 * self.per_volt2 * square) + np.zeros_like(siemens)

    def energy_gradient_rise_volts2(
        self, before_volts: Floats, after_volts: Floats, siemens: Floats
    ) -> Floats:
        """See :class:`Conduction`."""
        rise = (after_volts - before_volts) * (after_volts + before_volts)
        squares = before_volts * before_volts + after_volts * after_volts
        return rise * (0.5 + 0.25 * self.per_volt2 * squares) + np.zeros_like(siemens)


@dataclass(frozen=True, slots=True)
class Sinh:
    """``I = g sinh(b V) / b``; g is the conductance at 0 V.

    Attributes:
        per_volt: b, above 0.

    Raises:
        ValueError: it is not above 0 or not finite.
    """

    per_volt: float

    def __post_init__(self) -> None:
        """Refuse what is no such curve."""
        if not _is_number(self.per_volt) or not 0.0 < self.per_volt < np.inf:
            raise ValueError(
                f"Sinh takes a finite number above 0, b in g sinh(b V) / b; got {self.per_volt!r}: "
                "for a linear device take Linear()"
            )

    def amps(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens * np.sinh(self.per_volt * volts) / self.per_volt

    def slope_siemens(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`Conduction`."""
        return siemens * np.cosh(self.per_volt * volts)

    def energy_watts(self, volts: Floats, siemens: Floats) -> Floats:
        """``g (cosh(b V) - 1) / b^2``."""
        return siemens * self.energy_gradient_volts2(volts, siemens)

    def energy_gradient_volts2(self, volts: Floats, siemens: Floats) -> Floats:
        """``(cosh(b V) - 1) / b^2``, as ``2 sinh(b V / 2)^2 / b^2``."""
        half = np.sinh(0.5 * self.per_volt * volts) / self.per_volt
        return 2.0 * half * half + np.zeros_like(siemens)

    def energy_gradient_rise_volts2(
        self, before_volts: Floats, after_volts: Floats, siemens: Floats
    ) -> Floats:
        """See :class:`Conduction`; ``cosh x - cosh y = 2 sinh((x + y)/2) sinh((x - y)/2)``."""
        b = self.per_volt
        total = np.sinh(0.5 * b * (after_volts + before_volts))
        rise = np.sinh(0.5 * b * (after_volts - before_volts))
        return 2.0 * total * rise / (b * b) + np.zeros_like(siemens)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def element(conduction: Conduction, name: str, plus: str, minus: str, siemens: float) -> Curve:
    """One device as an element of nodal analysis."""
    g = np.asarray(siemens, np.float64)
    return Curve(
        name,
        plus,
        minus,
        amps=lambda volts: conduction.amps(volts, g),
        siemens=lambda volts: conduction.slope_siemens(volts, g),
    )
