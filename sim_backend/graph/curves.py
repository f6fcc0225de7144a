"""Resistors of a circuit replaced by devices with a current-voltage curve."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.conduction import Conduction, Sinh, element
from sim_backend.nodal.elements import Circuit, Curve, Element, Resistor, Resistors

__all__ = ["bend", "keep"]

Floats = NDArray[np.floating]
Values = NDArray[np.float64]

_FARTHEST = 100.0
"""``b V`` from which a sinh goes on as its tangent, so that nothing overflows on the way to a
solution, which lies where currents are."""


def bend(
    circuit: Circuit,
    devices: Sequence[str],
    conduction: Conduction,
    siemens: Values,
) -> Circuit:
    """The circuit with some of its resistors replaced by curves ``g f(V)`` of the same names.

    Args:
        circuit: with the devices as resistors; names in it that are none stay away.
        devices: (n_devices,) names of resistors, those of groups as ``name[k]``.
        conduction: the curve f.
        siemens: (n_devices,) conductances g; curves look them up whenever they are evaluated, so
            that writing into this array programs the devices.
    """
    place = {name: k for k, name in enumerate(devices)}
    elements: list[Element] = []
    for part in circuit.elements:
        if not isinstance(part, Resistor | Resistors):
            elements.append(part)
            continue
        singles = [part] if isinstance(part, Resistor) else part.singly()
        if not any(single.name in place for single in singles):
            elements.append(part)
            continue
        for single in singles:
            k = place.get(single.name)
            if k is None:
                elements.append(single)
            else:
                elements.append(_live(conduction, single, siemens[k : k + 1].reshape(())))
    return dataclasses.replace(circuit, elements=tuple(elements))


def keep(
    circuit: Circuit, devices: Sequence[str], conduction: Conduction, siemens: Floats
) -> Circuit:
    """A circuit from :func:`bend` with curves that keep the conductances (n_devices,) given."""
    place = {name: k for k, name in enumerate(devices)}
    elements = [
        element(conduction, part.name, part.plus, part.minus, float(siemens[place[part.name]]))
        if isinstance(part, Curve) and part.name in place
        else part
        for part in circuit.elements
    ]
    return dataclasses.replace(circuit, elements=tuple(elements))


def _live(conduction: Conduction, of: Resistor, siemens: Values) -> Curve:
    """A curve at the conductance that ``siemens`` (), a view, has at the time."""
    farthest = _FARTHEST / conduction.per_volt if isinstance(conduction, Sinh) else np.inf

    def amps(volts: Values) -> Values:
        inside = np.clip(volts, -farthest, farthest)
        beyond = volts - inside
        through = conduction.amps(inside, siemens)
        if beyond.any():
            through = through + conduction.slope_siemens(inside, siemens) * beyond
        return through

    def slope(volts: Values) -> Values:
        return conduction.slope_siemens(np.clip(volts, -farthest, farthest), siemens)

    return Curve(of.name, of.plus, of.minus, amps, slope)
