"""The laws of ``laws.Junctions`` for one junction, to be inlined in compiled loops."""

from __future__ import annotations

import math

from numba import njit

__all__ = ["evaluate", "limit"]

_LARGEST_AMPS, _LARGEST_EXPONENT = 1e80, 700.0
"""As in ``laws``."""


@njit(cache=True, error_model="numpy")
def evaluate(
    volts: float, saturation_amps: float, thermal_volts: float, cubic: bool
) -> tuple[float, float]:
    """Current and slope of a junction; see :meth:`sim_backend.nodal.laws.Junctions.evaluate`."""
    x = volts / thermal_volts
    if cubic and x < -3.0:
        cube = (3.0 / (math.e * x)) ** 3
        return -saturation_amps * (1.0 + cube), 3.0 * saturation_amps * cube / volts
    inside = x
    if x > 100.0:
        reach = math.log(_LARGEST_AMPS / saturation_amps) if saturation_amps > 0.0 else x
        inside = min(x, min(max(reach, 100.0), _LARGEST_EXPONENT))
    # Of the two functions the faster one, where it is exact.
    if abs(inside) < 0.5:
        less = math.expm1(inside)
        growth = less + 1.0
    else:
        growth = math.exp(inside)
        less = growth - 1.0
    amps = saturation_amps * (less + growth * (x - inside))
    return amps, saturation_amps / thermal_volts * growth


@njit(cache=True, error_model="numpy")
def limit(wanted: float, present: float, thermal_volts: float, critical_volts: float) -> float:
    """A shortened step; see :meth:`sim_backend.nodal.laws.Junctions.limit`."""
    step = (wanted - present) / thermal_volts
    if wanted <= critical_volts or abs(step) <= 2.0:
        return wanted
    if present <= 0.0:
        return thermal_volts * math.log(wanted / thermal_volts)
    if step > -1.0:
        return present + thermal_volts * math.log1p(step)
    return critical_volts
