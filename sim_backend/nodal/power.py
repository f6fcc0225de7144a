r"""Total pseudo-power, also called co-content: what a reciprocal network minimises.

.. math::  P(V) = \sum_{\text{branches}} \int_0^{\Delta V} i(v)\, dv          \qquad \text{(4.7)}

(Scellier 2020).  Its derivative by a node's voltage is the current left over there, so that it is
stationary where Kirchhoff's current law holds.  A bidirectional amplifier with gains A and B
passes a change dV of its input on as A dV and the currents behind it back B-fold: with every
branch weighted by the product of B/A of the amplifiers before it the sum is stationary again,
provided that all ways to a part of the network give the same product.  Other controlled sources
have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    IdealDiode,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, Junctions
from sim_backend.nodal.parts import Parts, ends

__all__ = ["NoPseudoPowerError", "PseudoPower"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_CONTROLLED = (
    VoltageControlledVoltage,
    VoltageControlledCurrent,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
)
_QUADRATURE = np.polynomial.legendre.leggauss(64)


class NoPseudoPowerError(ValueError):
    """The circuit has no pseudo-power; the message names the element that spoils it."""


class PseudoPower:
    """Pseudo-power of a circuit at any node voltages.

    Args:
        circuit: the circuit.
        volts_per_kelvin: see :class:`sim_backend.nodal.solver.Solver`.

    Raises:
        NoPseudoPowerError: a controlled source, an amplifier with a gain of 0, or amplifiers
            whose factors contradict each other.
    """

    def __init__(self, circuit: Circuit, volts_per_kelvin: float = BOLTZMANN_OVER_CHARGE) -> None:
        self._parts = parts = Parts(circuit)
        for element in parts.others:
            if isinstance(element, _CONTROLLED):
                raise NoPseudoPowerError(
                    f"{element.name} is a controlled source: the circuit has no pseudo-power"
                )
            if isinstance(element, Amplifier) and element.forward_gain * element.backward_gain == 0:
                raise NoPseudoPowerError(
                    f"{element.name} passes nothing one way: the circuit has no pseudo-power"
                )
        self._node_weight = _weights(parts)
        self._gmin = circuit.gmin_siemens
        self._junctions = Junctions(
            parts.junctions, circuit.kelvin, circuit.gmin_siemens, volts_per_kelvin
        )
        self._series = [d for d in parts.junctions if d.model.series_ohms > 0.0]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, inner nodes of diodes last; ground left out."""
        return self._parts.nodes

    @property
    def node_weights(self) -> Floats:
        """(n_nodes,) factor B/A of the branches at each node that no source holds."""
        return self._node_weight[:-1].copy()

    def value(self, node_volts: Floats, source_amps: Floats) -> Floats:
        """Pseudo-power, watts, (batch,).

        Args:
            node_volts: (batch, n_nodes), inner nodes of diodes included.
            source_amps: (batch, n_current_sources) levels of the current sources.
        """
        parts = self._parts
        volts = np.concatenate([node_volts, np.zeros((len(node_volts), 1))], axis=1)
        total = self._resistive(volts)
        for d in self._series:
            ends_ = np.array([parts.index[d.anode]]), np.array([parts.inner[d.name]])
            total += self._quadratic(volts, *ends_, np.array([d.area / d.model.series_ohms]))
        plus, minus = self._ends(parts.junctions)
        total += self._sum(plus, minus, self._junctions.integral(volts[:, plus] - volts[:, minus]))
        for k, source in enumerate(parts.current_sources):
            plus, minus = self._ends([source])
            drop = volts[:, plus] - volts[:, minus]
            total += self._sum(plus, minus, source_amps[:, k : k + 1] * drop)
        for curve in parts.curves:
            plus, minus = self._ends([curve])
            total += self._sum(plus, minus, _integral(curve, volts[:, plus] - volts[:, minus]))
        return total

    def _resistive(self, volts: Floats) -> Floats:
        parts = self._parts
        return self._quadratic(
            volts, parts.resistor_plus, parts.resistor_minus, parts.resistor_siemens
        )

    def _quadratic(self, volts: Floats, plus: Places, minus: Places, siemens: Floats) -> Floats:
        drop = volts[:, plus] - volts[:, minus]
        return self._sum(plus, minus, 0.5 * siemens * drop**2)

    def _sum(self, plus: Places, minus: Places, content: Floats) -> Floats:
        weight = np.fmax(self._node_weight[plus], self._node_weight[minus])
        total: Floats = content @ np.nan_to_num(weight, nan=1.0)
        return total

    def _ends(self, elements: Sequence[Diode | CurrentSource | Curve]) -> tuple[Places, Places]:
        pairs = [ends(element) for element in elements]
        index, inner = self._parts.index, self._parts.inner
        plus = [inner.get(e.name, index[p]) for e, (p, _) in zip(elements, pairs, strict=True)]
        return np.array(plus, np.intp), np.array([index[m] for _, m in pairs], np.intp)


def _integral(curve: Curve, drop: Floats) -> Floats:
    """Gauss-Legendre from 0 V to ``drop``."""
    places, weights = _QUADRATURE
    at = 0.5 * drop[..., None] * (places + 1.0)
    found: Floats = 0.5 * drop * (curve.amps(at) @ weights)
    return found


def _weights(parts: Parts) -> Floats:
    """(n_nodes + 1,) factor of every node; NaN where sources hold it, and for ground."""
    held = _held_nodes(parts)
    neighbours = _neighbours(parts, held)
    weight = np.full(parts.n_nodes + 1, np.nan)
    for first in range(parts.n_nodes):
        if first in held or np.isfinite(weight[first]):
            continue
        weight[first] = 1.0
        members, waiting = [first], [first]
        while waiting:
            node = waiting.pop()
            for other, ratio, name in neighbours.get(node, ()):
                wanted = weight[node] * ratio
                if np.isnan(weight[other]):
                    weight[other] = wanted
                    members.append(other)
                    waiting.append(other)
                elif not np.isclose(weight[other], wanted, rtol=1e-9):
                    raise NoPseudoPowerError(
                        f"{name} and other amplifiers weigh node {parts.nodes[other]} by "
                        f"{wanted:.6g} and {weight[other]:.6g}: the circuit has no pseudo-power"
                    )
        weight[members] /= weight[members].max()
    return weight


def _held_nodes(parts: Parts) -> set[int]:
    held, grew = {-1}, True
    while grew:
        grew = False
        for source in parts.voltage_sources:
            pair = {parts.index[source.plus], parts.index[source.minus]}
            if len(pair & held) == 1:
                held |= pair
                grew = True
    return held


def _neighbours(parts: Parts, held: set[int]) -> dict[int, list[tuple[int, float, str]]]:
    """For each free node: nodes tied to it, the ratio of their factors, and by what."""
    found: dict[int, list[tuple[int, float, str]]] = {}

    def tie(one: int, other: int, ratio: float, name: str) -> None:
        if one not in held and other not in held:
            found.setdefault(one, []).append((other, ratio, name))
            found.setdefault(other, []).append((one, 1.0 / ratio, name))

    for k in np.flatnonzero(parts.resistor_siemens > 0.0):
        name = parts.resistor_name(int(k))
        tie(int(parts.resistor_plus[k]), int(parts.resistor_minus[k]), 1.0, name)
    for element in parts.others:
        if isinstance(element, Amplifier):
            ratio = element.backward_gain / element.forward_gain
            if parts.index[element.input] not in held:
                tie(parts.index[element.input], parts.index[element.output], ratio, element.name)
        elif isinstance(element, Diode | Curve | IdealDiode | VoltageSource | CurrentSource):
            plus, minus = (parts.index[node] for node in ends(element))
            if plus != minus and GROUND not in ends(element):
                tie(plus, minus, 1.0, element.name)
            if element.name in parts.inner:
                tie(plus, parts.inner[element.name], 1.0, element.name)
    return found
