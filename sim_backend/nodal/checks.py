"""Circuits that have no solution or too many are refused before solving, by name."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from sim_backend.nodal.elements import (
    Amplifier,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    IdealDiode,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.parts import Parts, SingleElement, ends

__all__ = ["CircuitError", "check_conductances", "check_parts"]


class CircuitError(ValueError):
    """A circuit that cannot be solved; the message names the node or element."""


def check_parts(parts: Parts) -> None:
    """Refuse what cannot be solved.

    Raises:
        CircuitError: a name is used twice; a value is not finite; a conductance is negative; a
            controlling source does not exist; a voltage source is shorted or part of a loop of
            voltage sources; a node is not connected to ground.
    """
    _check_names(parts)
    for element in parts.others:
        _check_values(element)
    _check_voltage_loops(parts)
    check_conductances(parts, parts.resistor_siemens)


def check_conductances(parts: Parts, siemens: np.ndarray) -> None:
    """Refuse conductances, (n_resistors,), with which the circuit cannot be solved.

    Raises:
        CircuitError: one is negative or not finite, or a node floats; 0 S is an open circuit.
    """
    wrong = np.flatnonzero(~(np.isfinite(siemens) & (siemens >= 0.0)))
    if wrong.size:
        k = int(wrong[0])
        name = parts.resistor_name(k)
        if siemens[k] < 0.0:
            raise CircuitError(
                f"{name} has a negative conductance, {siemens[k]:.6g} S; make a negative "
                "resistance from a controlled source"
            )
        raise CircuitError(f"{name}: its conductance is {siemens[k]}")
    _check_connected(parts, siemens)


def _check_names(parts: Parts) -> None:
    seen: set[str] = set()
    for element in (*parts.resistors, *parts.groups, *parts.others):
        if element.name in seen:
            raise CircuitError(f"two elements are called {element.name}; give each its own name")
        seen.add(element.name)
    sources = {e.name for e in parts.voltage_sources}
    for other in parts.others:
        if isinstance(other, CurrentControlledCurrent | CurrentControlledVoltage):
            if other.source not in sources:
                raise CircuitError(
                    f"{other.name} is controlled by the current of {other.source}, which is "
                    "no voltage source of this circuit; add one of 0 V in that branch"
                )


def _numbers(element: SingleElement) -> Iterator[tuple[str, float]]:
    for name in element.__dataclass_fields__:
        value = getattr(element, name)
        if isinstance(value, float | int):
            yield name, float(value)
    if isinstance(element, Diode):
        for name in element.model.__dataclass_fields__:
            yield name, float(getattr(element.model, name))


def _check_values(element: SingleElement) -> None:
    for name, value in _numbers(element):
        if not math.isfinite(value):
            raise CircuitError(f"{element.name}: {name} is {value}")
    if isinstance(element, Diode):
        model = element.model
        positive = (model.saturation_amps, model.ideality, model.nominal_kelvin, element.area)
        if min(positive) <= 0.0 or model.series_ohms < 0.0:
            raise CircuitError(
                f"{element.name}: saturation current, ideality, temperature and area of a diode "
                "are positive, its series resistance is not negative"
            )


class _Groups:
    """Nodes that belong together (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, node: Hashable) -> Hashable:
        root = node
        while (above := self._parent.setdefault(root, root)) != root:
            root = above
        while (above := self._parent[node]) != root:
            self._parent[node], node = root, above
        return root

    def join(self, one: Hashable, other: Hashable) -> bool:
        """False if they belonged together already."""
        a, b = self.find(one), self.find(other)
        self._parent[a] = b
        return a != b


def _check_voltage_loops(parts: Parts) -> None:
    groups = _Groups()
    kinds = (VoltageSource, VoltageControlledVoltage, CurrentControlledVoltage, Amplifier)
    for element in parts.others:
        if not isinstance(element, kinds):
            continue
        plus, minus = ends(element)
        if plus == minus:
            raise CircuitError(f"{element.name} is shorted: both its ends are at node {plus}")
        if not groups.join(plus, minus):
            raise CircuitError(
                f"{element.name} closes a loop of voltage sources between nodes {plus} and "
                f"{minus}; put a resistance into the loop"
            )


def _check_connected(parts: Parts, siemens: np.ndarray) -> None:
    """Every node needs a path to ground on which a current can depend on its voltage."""
    closed = siemens > 0.0
    tails = [parts.resistor_plus[closed]]
    heads = [parts.resistor_minus[closed]]
    for element in parts.others:
        if _ties(element):
            plus, minus = ends(element)
            tails.append(np.array([parts.index[plus]]))
            heads.append(np.array([parts.index[minus]]))
    # Ground, which is -1, becomes the last node.
    n = parts.n_nodes + 1
    rows, columns = np.concatenate(tails) % n, np.concatenate(heads) % n
    graph = sparse.coo_matrix((np.ones(rows.size, np.int8), (rows, columns)), (n, n))
    _, label = csgraph.connected_components(graph, directed=False)
    inner = set(parts.inner.values())
    for k in np.flatnonzero(label[:-1] != label[-1]):
        if int(k) not in inner:
            raise CircuitError(
                f"node {parts.nodes[k]} floats: no resistor, diode or voltage source connects "
                "it with ground; add a path, or a large resistor to ground"
            )


def _ties(element: SingleElement) -> bool:
    """Whether the element's current depends on the voltage between its ends."""
    if isinstance(element, VoltageControlledCurrent):
        # A conductance made of a controlled source.
        return {element.control_plus, element.control_minus} == {element.plus, element.minus}
    return not isinstance(element, CurrentSource | CurrentControlledCurrent | IdealDiode)
