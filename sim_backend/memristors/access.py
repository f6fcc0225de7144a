r"""A transistor in series with every device (1T1R), switched by a gate line.

The series connection is a device with a curve of its own.  Its pseudo-power is that of both parts
at the inner voltage ``u`` where their currents agree, ``E_device(u) + y (V - u)^2 / 2``; as that is
stationary in ``u``, its derivative by g is the device's own, ``dE/dg = integral_0^u f dv``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.conduction import Conduction
from sim_backend.memristors.interface import Bools, Floats

__all__ = ["Access", "InSeries"]

_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class Access:
    """The transistor, as a resistor that the gate line switches.

    Attributes:
        on_ohms: resistance with the gate line on, above 0.
        off_ohms: resistance with it off; infinite for none of the leakage.
    """

    on_ohms: float
    off_ohms: float = math.inf

    def siemens(self, gates: Bools) -> Floats:
        """Conductance in series, by whether the gate line is on."""
        return np.where(gates, 1.0 / self.on_ohms, 1.0 / self.off_ohms)

    def seen_siemens(self, siemens: Floats, gates: Bools) -> Floats:
        """What linear devices look like behind their transistors."""
        access = self.siemens(gates)
        return siemens * access / (siemens + access)

    def selected(self, counts: NDArray[np.integer], gates: Bools) -> NDArray[np.integer]:
        """The pulses that arrive: none where the gate line is off."""
        return np.where(gates, counts, 0)


@dataclass(frozen=True, eq=False)
class InSeries:
    """A device and its transistor as one curve; see the module.

    Attributes:
        device: curve of the device itself, odd, and convex above 0 V.
        access_siemens: conductance in series, broadcast against voltages and conductances.
    """

    device: Conduction
    access_siemens: Floats

    def inner_volts(self, volts: Floats, siemens: Floats) -> Floats:
        """Drop over the device itself, by Newton's method to rounding.

        Raises:
            ArithmeticError: not reached; an argument is not finite.
        """
        volts, siemens, access = np.broadcast_arrays(
            np.asarray(volts, np.float64), np.asarray(siemens, np.float64), self.access_siemens
        )
        # The excess current is convex on the side of V and not negative there, so that Newton's
        # steps from V approach the solution from one side.
        inner = volts.copy()
        scale = np.abs(volts) + np.finfo(float).tiny
        for _ in range(_MOST_STEPS):
            excess = self.device.amps(inner, siemens) - access * (volts - inner)
            move = excess / (self.device.slope_siemens(inner, siemens) + access)
            inner = inner - move
            if (np.abs(move) <= 4e-16 * scale).all():
                return np.asarray(inner)
        raise ArithmeticError(
            f"the drop behind an access transistor was not found in {_MOST_STEPS} steps; "
            f"voltages up to {np.max(np.abs(volts)):g} V"
        )

    def amps(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`sim_backend.memristors.conduction.Conduction`."""
        return self.device.amps(self.inner_volts(volts, siemens), siemens)

    def slope_siemens(self, volts: Floats, siemens: Floats) -> Floats:
        """See :class:`sim_backend.memristors.conduction.Conduction`."""
        slope = self.device.slope_siemens(self.inner_volts(volts, siemens), siemens)
        return np.asarray(slope * self.access_siemens / (slope + self.access_siemens))

    def energy_watts(self, volts: Floats, siemens: Floats) -> Floats:
        """Pseudo-power of both parts."""
        inner = self.inner_volts(volts, siemens)
        over_access = 0.5 * self.access_siemens * (volts - inner) ** 2
        return self.device.energy_watts(inner, siemens) + over_access

    def energy_gradient_volts2(self, volts: Floats, siemens: Floats) -> Floats:
        """``dE/dg`` of the device at its own drop."""
        return self.device.energy_gradient_volts2(self.inner_volts(volts, siemens), siemens)

    def energy_gradient_rise_volts2(
        self, before_volts: Floats, after_volts: Floats, siemens: Floats
    ) -> Floats:
        """See :class:`sim_backend.memristors.conduction.Conduction`."""
        return self.device.energy_gradient_rise_volts2(
            self.inner_volts(before_volts, siemens),
            self.inner_volts(after_volts, siemens),
            siemens,
        )
