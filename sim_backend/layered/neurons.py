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

_MOST_CROSSED = 40.0
"""Thermal voltages; the current between the sources is some 1e8 times the saturation current."""


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

    .. math::  i(v) = I_+ (e^{(v - V_+)/nV_T} - 1) - I_- (e^{(V_- - v)/nV_T} - 1)

    The diodes of a pair share ``n V_T``, because they lie side by side at one temperature.

    Attributes:
        saturation_amps: ``I_+``, shape ``(n,)``, positive.
        thermal_volts: ``n V_T = n k T / q``, shape ``(n,)``, positive.
        lower_volts: ``V_-``, the source in series with the diode that conducts downwards.
        upper_volts: ``V_+``, the other one.  Sources may cross a little, which a pair of diodes
            with offsets does: both conduct at rest then.
        lower_saturation_amps: ``I_-``, shape ``(n,)``, positive; None where it is ``I_+``.
    """

    saturation_amps: Floats
    thermal_volts: Floats
    lower_volts: Floats
    upper_volts: Floats
    lower_saturation_amps: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse parameters without a unique steady state.

        Raises:
            ValueError: a saturation current or thermal voltage is not positive, or the
                sources are crossed by more than 40 thermal voltages.
        """
        if not (np.all(self.saturation_amps > 0) and np.all(self.thermal_volts > 0)):
            raise ValueError("saturation_amps and thermal_volts must be positive")
        if self.lower_saturation_amps is not None and not np.all(self.lower_saturation_amps > 0):
            raise ValueError("lower_saturation_amps must be positive")
        crossed = (self.lower_volts - self.upper_volts) / self.thermal_volts
        if not np.all(crossed <= _MOST_CROSSED):
            raise ValueError(
                f"a lower_volts lies more than {_MOST_CROSSED:g} thermal voltages above its "
                "upper_volts, where diodes would short the sources"
            )

    def symmetric(self) -> tuple[ShockleyPairs, Floats | None]:
        r"""The same law as pairs of equal diodes and a constant current.

        With ``I = sqrt(I_+ I_-)`` and both sources shifted by ``-n V_T log(I_+/I_-) / 2`` the
        exponentials are the same, and what is left is the constant ``I_+ - I_-`` that flows into
        the node.  Sources that are crossed by ``2 x`` are moved to their middle and ``I``
        becomes ``I e^{x / n V_T}``.  Pairs that are in order as they are stay as they are.

        Returns:
            The pairs, and (n,) amps pushed into the node, or None for nothing anywhere.
        """
        up = self.saturation_amps
        low = up if self.lower_saturation_amps is None else self.lower_saturation_amps
        differ = up != low
        # The first choice only where needed, so that equal pairs keep their bits.
        amps = np.where(differ, np.sqrt(up * low), up)
        shift = np.where(differ, -0.5 * self.thermal_volts * np.log(up / low), 0.0)
        lower, upper = self.lower_volts + shift, self.upper_volts + shift
        beyond = np.maximum(0.5 * (lower - upper), 0.0)
        crossed = beyond > 0
        amps = np.where(crossed, amps * np.exp(beyond / self.thermal_volts), amps)
        middle = 0.5 * (lower + upper)
        lower, upper = np.where(crossed, middle, lower), np.where(crossed, middle, upper)
        pairs = ShockleyPairs(amps, self.thermal_volts, lower, upper)
        return pairs, up - low if differ.any() else None


Neurons = Linear | IdealDiodes | ShockleyPairs
