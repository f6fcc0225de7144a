r"""Current-voltage laws of nonlinear branches, for many branches and examples at once.

A Shockley junction carries :math:`I_s (e^{V / n V_T} - 1) + g_{min} V` with
:math:`V_T = k T / q`.  SPICE's law of temperature (Vladimirescu, *The SPICE Book*, section
3.3) moves the saturation current,

.. math:: I_s(T) = I_s \left(\frac{T}{T_{nom}}\right)^{X_{TI}/n}
          \exp\left[\left(\frac{T}{T_{nom}} - 1\right) \frac{E_G}{n V_T}\right].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import Curve, Diode, IdealDiode

__all__ = ["BOLTZMANN_OVER_CHARGE", "Branches", "Curves", "Junctions", "saturation_amps"]

Floats = NDArray[np.float64]

BOLTZMANN_OVER_CHARGE = 1.380649e-23 / 1.602176634e-19
"""Volts per kelvin, exact SI values."""

LARGEST_AMPS = 1e80
"""Where the law goes on as its tangent, so that nothing overflows on the way to a solution."""
LARGEST_EXPONENT = 700.0
"""The same, for saturation currents too small for a double."""

_CURVE_ROUNDINGS = 8.0
"""Units in the last place that a curve's own arithmetic may cost."""


def saturation_amps(diode: Diode, kelvin: float, volts_per_kelvin: float) -> float:
    """Saturation current at ``kelvin``, area included."""
    model = diode.model
    ratio = kelvin / model.nominal_kelvin
    thermal = model.ideality * volts_per_kelvin * kelvin
    power = ratio ** (model.temperature_exponent / model.ideality)
    growth = np.exp((ratio - 1.0) * model.gap_electronvolts / thermal)
    return float(diode.area * model.saturation_amps * power * growth)


class Junctions:
    """Shockley junctions side by side.

    Args:
        diodes: the diodes; series resistances are not part of a junction.
        kelvin: temperature.
        gmin_siemens: conductance across each.
        volts_per_kelvin: ``k / q``; simulators differ in the sixth digit.
    """

    def __init__(
        self,
        diodes: Sequence[Diode],
        kelvin: float,
        gmin_siemens: float,
        volts_per_kelvin: float = BOLTZMANN_OVER_CHARGE,
    ) -> None:
        self.saturation_amps: Floats = np.array(
            [saturation_amps(d, kelvin, volts_per_kelvin) for d in diodes], float
        )
        ideality = np.array([d.model.ideality for d in diodes], float)
        self.thermal_volts: Floats = ideality * volts_per_kelvin * kelvin
        self.gmin_siemens = gmin_siemens
        self._cubic = np.array([d.model.reverse_cubic for d in diodes], bool)
        with np.errstate(divide="ignore"):
            ratio = self.thermal_volts / (np.sqrt(2.0) * self.saturation_amps)
        with np.errstate(divide="ignore", over="ignore"):
            reach = np.log(LARGEST_AMPS / self.saturation_amps)
        #: Volts over thermal volts above which the law is its tangent, (n_junctions,).
        self.largest_exponent: Floats = np.clip(reach, 100.0, LARGEST_EXPONENT)
        # Where the curvature of the law is largest: below it a Newton step is harmless.
        self.critical_volts: Floats = self.thermal_volts * np.log(ratio)

    def evaluate(self, volts: Floats) -> tuple[Floats, Floats]:
        """Currents and slopes at ``volts`` (batch, n_junctions)."""
        x = volts / self.thermal_volts
        inside = np.minimum(x, self.largest_exponent)
        growth = np.exp(inside)
        amps = self.saturation_amps * (np.expm1(inside) + growth * (x - inside))
        siemens = self.saturation_amps / self.thermal_volts * growth
        deep = self._cubic & (x < -3.0)
        if deep.any():
            safe = np.where(deep, x, -3.0)
            cube = (3.0 / (np.e * safe)) ** 3
            amps = np.where(deep, -self.saturation_amps * (1.0 + cube), amps)
            slope = 3.0 * self.saturation_amps * cube / (safe * self.thermal_volts)
            siemens = np.where(deep, slope, siemens)
        return amps + self.gmin_siemens * volts, siemens + self.gmin_siemens

    def integral(self, volts: Floats) -> Floats:
        """Integral of the current from 0 V, watts; ``volts`` (batch, n_junctions)."""
        x = volts / self.thermal_volts
        inside = np.minimum(x, self.largest_exponent)
        beyond = x - inside
        growth = np.exp(inside)
        exponential = np.expm1(inside) + growth * beyond * (1.0 + 0.5 * beyond) - x
        deep = self._cubic & (x < -3.0)
        if deep.any():
            safe = np.where(deep, x, -3.0)
            # The cubic's own integral from -3 thermal volts down, after the exponential's.
            tail = -(safe + 3.0) + 0.5 * (3.0 / np.e) ** 3 * (1.0 / safe**2 - 1.0 / 9.0)
            exponential = np.where(deep, np.expm1(-3.0) + 3.0 + tail, exponential)
        content = self.saturation_amps * self.thermal_volts * exponential
        found: Floats = content + 0.5 * self.gmin_siemens * volts**2
        return found

    def limit(self, wanted: Floats, present: Floats) -> Floats:
        """Junction limiting: shorten steps up the exponential (Nagel 1975, section 4.1.4)."""
        thermal = self.thermal_volts
        step = (wanted - present) / thermal
        with np.errstate(divide="ignore", invalid="ignore"):
            from_on = np.where(step > -1.0, present + thermal * np.log1p(step), self.critical_volts)
            from_off = thermal * np.log(wanted / thermal)
        limited = np.where(present > 0.0, from_on, from_off)
        far = (wanted > self.critical_volts) & (np.abs(step) > 2.0)
        return np.where(far, limited, wanted)


class Curves:
    """Branches given by curves, side by side; see :class:`sim_backend.nodal.elements.Curve`."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        self._curves = tuple(curves)

    def evaluate(self, volts: Floats) -> tuple[Floats, Floats]:
        """Currents and slopes at ``volts`` (batch, n_curves)."""
        amps, siemens = np.empty_like(volts), np.empty_like(volts)
        for k, curve in enumerate(self._curves):
            amps[:, k] = curve.amps(volts[:, k])
            siemens[:, k] = curve.siemens(volts[:, k])
        return amps, siemens


class Branches:
    """All nonlinear branches of a circuit: junctions, then curves (both smooth), then ideal diodes.

    Args:
        junctions: see :class:`Junctions`.
        curves: see :class:`Curves`.
        ideal: ideal diodes.
    """

    def __init__(
        self, junctions: Junctions, curves: Sequence[Curve], ideal: Sequence[IdealDiode]
    ) -> None:
        self._junctions = junctions
        self._curves = Curves(curves)
        self.n_junctions = junctions.saturation_amps.size
        self.n_smooth = self.n_junctions + len(curves)
        self.ideal_volts: Floats = np.array([diode.volts for diode in ideal], float)

    def evaluate(self, volts: Floats, gmin_siemens: float = 0.0) -> tuple[Floats, Floats]:
        """Currents and slopes of the smooth branches at ``volts`` (batch, n_smooth or more).

        Args:
            volts: see above.
            gmin_siemens: a further conductance across each.
        """
        n = self.n_junctions
        smooth = volts[:, : self.n_smooth]
        through, slopes = self._junctions.evaluate(smooth[:, :n])
        through_curves, slopes_curves = self._curves.evaluate(smooth[:, n:])
        amps = np.concatenate([through, through_curves], axis=1) + gmin_siemens * smooth
        return amps, np.concatenate([slopes, slopes_curves], axis=1) + gmin_siemens

    @property
    def junction_volts(self) -> tuple[Floats, Floats]:
        """Thermal and critical voltages of the junctions, (n_junctions,) each."""
        return self._junctions.thermal_volts, self._junctions.critical_volts

    def is_beyond(self, volts: Floats) -> NDArray[np.bool_]:
        """(batch,) whether a junction is where its law is not followed any more.

        Args:
            volts: (batch, n_junctions or more).
        """
        x = volts[:, : self.n_junctions] / self._junctions.thermal_volts
        return np.asarray((x > self._junctions.largest_exponent).any(1))

    def rounding_amps(self, volts: Floats, amps: Floats) -> Floats:
        """Rounding errors of the currents of the smooth branches, (batch, n_smooth).

        Args:
            volts: (batch, n_smooth or more) at which they were evaluated.
            amps: (batch, n_smooth) what :meth:`evaluate` gave.
        """
        n = self.n_junctions
        grown = np.abs(amps)
        grown[:, :n] += self._junctions.saturation_amps
        # The exponent is as exact as its voltage, and so much worse is the exponential.
        exponent = np.minimum(
            np.abs(volts[:, :n]) / self._junctions.thermal_volts, self._junctions.largest_exponent
        )
        grown[:, :n] *= 2.0 + np.where(volts[:, :n] > 0.0, exponent, 0.0)
        grown[:, n:] *= _CURVE_ROUNDINGS
        rounding: Floats = np.finfo(float).eps * grown
        return rounding

    def limit(self, wanted: Floats, present: Floats) -> Floats:
        """Junction limiting on all branch voltages (batch, n_nonlinear)."""
        n = self.n_junctions
        limited = wanted.copy()
        limited[:, :n] = self._junctions.limit(wanted[:, :n], present[:, :n])
        return limited
