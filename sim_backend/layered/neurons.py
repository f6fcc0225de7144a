r"""Neuron nonlinearities: what hangs between a node and ground (thesis 4.4.1).

Each model answers one question exactly: a node is fed by conductances that sum to ``D``
siemens and would push the current ``c`` amps into it if it were held at 0 V; at which
voltage does it rest?  Kirchhoff's current law there reads

.. math::  c = D v + i_{\mathrm{diode}}(v),                       \qquad (1)

whose left side does not depend on ``v`` and whose right side rises strictly with ``v``, so
there is exactly one answer, the neuron's *response*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOLTZMANN_OVER_CHARGE", "IdealDiodes", "Linear", "Neurons", "ShockleyPairs"]

Floats = NDArray[np.floating]

BOLTZMANN_OVER_CHARGE = 1.380649e-23 / 1.602176634e-19
"""k/q in volts per kelvin; both constants are exact since the 2019 SI."""


@dataclass(frozen=True, slots=True)
class Linear:
    """No diode: the node rests at ``c / D``."""


@dataclass(frozen=True, slots=True)
class IdealDiodes:
    """Ideal diodes with series sources: the node voltage is confined to a window.

    Attributes:
        lower_volts: shape ``(n,)``; ``-inf`` where no diode conducts below.
        upper_volts: shape ``(n,)``; ``+inf`` where no diode conducts above.

    An excitatory node has the window ``[0, inf)``, an inhibitory one ``(-inf, 0]``
    (Scellier 2024, "A fast algorithm to simulate nonlinear resistive networks").
    """

    lower_volts: Floats
    upper_volts: Floats

    def __post_init__(self) -> None:
        """Refuse empty windows.

        Raises:
            ValueError: a lower bound lies above its upper bound, or is NaN.
        """
        if not np.all(self.lower_volts <= self.upper_volts):
            raise ValueError("every lower_volts must be at most its upper_volts")


@dataclass(frozen=True, slots=True)
class ShockleyPairs:
    r"""Antiparallel Shockley diodes, each in series with a voltage source (thesis 4.4.1).

    .. math::  i(v) = I_s (e^{(v - V_+)/nV_T} - 1) - I_s (e^{(V_- - v)/nV_T} - 1)

    Attributes:
        saturation_amps: ``I_s``, shape ``(n,)``, positive.
        thermal_volts: ``n V_T = n k T / q``, shape ``(n,)``, positive.
        upper_volts: ``V_+``, the source in series with the diode that conducts upwards.
        lower_volts: ``V_-``, the other one; not above ``V_+``.
    """

    saturation_amps: Floats
    thermal_volts: Floats
    lower_volts: Floats
    upper_volts: Floats

    def __post_init__(self) -> None:
        """Refuse parameters without a unique steady state.

        Raises:
            ValueError: a saturation current or thermal voltage is not positive, or the
                sources are crossed.
        """
        if not (np.all(self.saturation_amps > 0) and np.all(self.thermal_volts > 0)):
            raise ValueError("saturation_amps and thermal_volts must be positive")
        if not np.all(self.lower_volts <= self.upper_volts):
            raise ValueError("every lower_volts must be at most its upper_volts")


Neurons = Linear | IdealDiodes | ShockleyPairs
