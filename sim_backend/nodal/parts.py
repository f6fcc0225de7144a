"""The elements of a circuit sorted by kind, with their nodes numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Curve,
    Diode,
    IdealDiode,
    Resistor,
    Resistors,
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

__all__ = ["Parts", "ends"]


def ends(element: SingleElement) -> tuple[str, str]:
    """The two nodes between which the element's own current flows."""
    if isinstance(element, Diode | IdealDiode):
        return element.anode, element.cathode
    if isinstance(element, Amplifier):
        return element.output, GROUND
    return element.plus, element.minus


class Parts:
    """Elements by kind.

    Attributes:
        index: number of each node in order of appearance; ground is -1.
        n_named: how many nodes the circuit names, without ground.
        inner: number of the inner node of each diode that has a series resistance.
        resistor_plus: (n_resistors,) nodes, groups included.
        resistor_minus: (n_resistors,) likewise.
        resistor_siemens: (n_resistors,) conductances.
        others: all elements but resistors, in their order.
    """

    def __init__(self, circuit: Circuit) -> None:
        kinds: dict[type, list[Any]] = {}
        for element in circuit.elements:
            kinds.setdefault(type(element), []).append(element)
        self.resistors: list[Resistor] = kinds.get(Resistor, [])
        self.groups: list[Resistors] = kinds.get(Resistors, [])
        self.voltage_sources: list[VoltageSource] = kinds.get(VoltageSource, [])
        self.current_sources: list[CurrentSource] = kinds.get(CurrentSource, [])
        self.junctions: list[Diode] = kinds.get(Diode, [])
        self.curves: list[Curve] = kinds.get(Curve, [])
        self.ideal: list[IdealDiode] = kinds.get(IdealDiode, [])
        self.others: list[SingleElement] = [
            e for e in circuit.elements if not isinstance(e, Resistor | Resistors)
        ]
        self.index: dict[str, int] = {GROUND: -1}
        self._number(circuit)
        self.n_named = len(self.index) - 1
        self.inner: dict[str, int] = {}
        for diode in self.junctions:
            if diode.model.series_ohms > 0.0:
                self.inner[diode.name] = self._at(f"{diode.name}#inner")
        self.n_nodes = len(self.index) - 1
        self._gather_resistors()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names by number."""
        return tuple(self.index)[1:]

    def resistor_name(self, k: int) -> str:
        """Name of a resistor by its place in the arrays."""
        if k < len(self.resistors):
            return self.resistors[k].name
        k -= len(self.resistors)
        for group in self.groups:
            if k < group.siemens.size:
                return f"{group.name}[{k}]"
            k -= group.siemens.size
        raise IndexError(k)

    def _at(self, node: str) -> int:
        return self.index.setdefault(node, len(self.index) - 1)

    def _number(self, circuit: Circuit) -> None:
        for element in circuit.elements:
            match element:
                case Resistors(nodes=nodes):
                    for node in nodes:
                        self._at(node)
                case VoltageControlledVoltage() | VoltageControlledCurrent():
                    for node in (*ends(element), element.control_plus, element.control_minus):
                        self._at(node)
                case Amplifier():
                    self._at(element.input)
                    self._at(element.output)
                case _:
                    for node in ends(element):
                        self._at(node)

    def _gather_resistors(self) -> None:
        index = self.index
        plus = [np.array([index[r.plus] for r in self.resistors], np.intp)]
        minus = [np.array([index[r.minus] for r in self.resistors], np.intp)]
        siemens = [np.array([r.siemens for r in self.resistors], float)]
        for group in self.groups:
            places = np.array([index[node] for node in group.nodes], np.intp)
            plus.append(places[group.plus])
            minus.append(places[group.minus])
            siemens.append(np.asarray(group.siemens, float))
        self.resistor_plus: NDArray[np.intp] = np.concatenate(plus)
        self.resistor_minus: NDArray[np.intp] = np.concatenate(minus)
        self.resistor_siemens: NDArray[np.float64] = np.concatenate(siemens)
