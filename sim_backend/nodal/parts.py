"""The elements of a circuit sorted by kind, with their nodes numbered."""

from __future__ import annotations

import functools
import itertools
from typing import Any, TypeVar

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
    Resistor,
    Resistors,
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

__all__ = ["Parts", "ends"]

_Kind = TypeVar("_Kind")


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
        self._kinds: dict[type, list[Any]] = {}
        kinds = self._kinds
        order: dict[str, None] = {GROUND: None}
        self.others: list[SingleElement] = []
        plus_names: list[str] = []
        minus_names: list[str] = []
        # There may be very many resistors: they are taken in runs, not one by one.
        for kind, run in itertools.groupby(circuit.elements, type):
            members: list[Any] = list(run)
            kinds.setdefault(kind, []).extend(members)
            if kind is Resistor:
                plus, minus = [e.plus for e in members], [e.minus for e in members]
                plus_names += plus
                minus_names += minus
                pairs = zip(plus, minus, strict=True)
                order.update(dict.fromkeys(itertools.chain.from_iterable(pairs)))
                continue
            if kind is not Resistors:
                self.others += members
            for element in members:
                order.update(dict.fromkeys(_named(element)))
        self.resistors = self.of(Resistor)
        self.groups = self.of(Resistors)
        self.voltage_sources = self.of(VoltageSource)
        self.current_sources = self.of(CurrentSource)
        self.junctions = self.of(Diode)
        self.curves = self.of(Curve)
        self.ideal = self.of(IdealDiode)
        self.index: dict[str, int] = dict(zip(order, range(-1, len(order)), strict=False))
        self.n_named = len(self.index) - 1
        self.inner: dict[str, int] = {}
        for diode in self.junctions:
            if diode.model.series_ohms > 0.0:
                self.inner[diode.name] = self._at(f"{diode.name}#inner")
        self.n_nodes = len(self.index) - 1
        self._gather_resistors(plus_names, minus_names)

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

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Elements of a kind, in their order."""
        return self._kinds.get(kind, [])

    @property
    def sensing(self) -> list[CurrentControlledCurrent | CurrentControlledVoltage]:
        """Elements that are controlled by the current of a voltage source."""
        return [*self.of(CurrentControlledCurrent), *self.of(CurrentControlledVoltage)]

    @functools.cached_property
    def tied(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Both ends of the elements but resistors whose current depends on the voltage between."""
        pairs = [ends(element) for element in self.others if _ties(element)]
        tails = np.array([self.index[plus] for plus, _ in pairs], np.intp)
        return tails, np.array([self.index[minus] for _, minus in pairs], np.intp)

    def _at(self, node: str) -> int:
        return self.index.setdefault(node, len(self.index) - 1)

    def _gather_resistors(self, plus_names: list[str], minus_names: list[str]) -> None:
        index, n = self.index, len(self.resistors)
        plus = [np.fromiter(map(index.__getitem__, plus_names), np.intp, n)]
        minus = [np.fromiter(map(index.__getitem__, minus_names), np.intp, n)]
        siemens = [np.array([r.siemens for r in self.resistors], float)]
        for group in self.groups:
            places = np.array([index[node] for node in group.nodes], np.intp)
            plus.append(places[group.plus])
            minus.append(places[group.minus])
            siemens.append(np.asarray(group.siemens, float))
        self.resistor_plus: NDArray[np.intp] = np.concatenate(plus)
        self.resistor_minus: NDArray[np.intp] = np.concatenate(minus)
        self.resistor_siemens: NDArray[np.float64] = np.concatenate(siemens)


def _named(element: SingleElement | Resistors) -> tuple[str, ...]:
    """Nodes that an element names."""
    match element:
        case Resistors(nodes=nodes):
            return nodes
        case VoltageControlledVoltage() | VoltageControlledCurrent():
            return (*ends(element), element.control_plus, element.control_minus)
        case Amplifier():
            return (element.input, element.output)
    return ends(element)


def _ties(element: SingleElement) -> bool:
    """Whether the element's current depends on the voltage between its ends."""
    if isinstance(element, VoltageControlledCurrent):
        # A conductance made of a controlled source.
        return {element.control_plus, element.control_minus} == {element.plus, element.minus}
    return not isinstance(element, CurrentSource | CurrentControlledCurrent | IdealDiode)
