"""Circuits that have no solution or too many are refused before solving, by name."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    Element,
    IdealDiode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

__all__ = ["CircuitError", "check_circuit", "ends"]


class CircuitError(ValueError):
    """A circuit that cannot be solved; the message names the node or element."""


def ends(element: Element) -> tuple[str, str]:
    """The two nodes whose voltages the element's own current depends on or flows between."""
    if isinstance(element, Diode | IdealDiode):
        return element.anode, element.cathode
    if isinstance(element, Amplifier):
        return element.output, GROUND
    return element.plus, element.minus


def check_circuit(circuit: Circuit) -> None:
    """Refuse what cannot be solved.

    Raises:
        CircuitError: a name is used twice; a value is not finite; a conductance is negative; a
            controlling source does not exist; a voltage source is shorted or part of a loop of
            voltage sources; a node is not connected to ground.
    """
    _check_names(circuit.elements)
    for element in circuit.elements:
        _check_values(element)
    _check_voltage_loops(circuit.elements)
    _check_connected(circuit.elements)


def _check_names(elements: Iterable[Element]) -> None:
    seen: set[str] = set()
    for element in elements:
        if element.name in seen:
            raise CircuitError(f"two elements are called {element.name}; give each its own name")
        seen.add(element.name)
    sources = {e.name for e in elements if isinstance(e, VoltageSource)}
    for element in elements:
        if isinstance(element, CurrentControlledCurrent | CurrentControlledVoltage):
            if element.source not in sources:
                raise CircuitError(
                    f"{element.name} is controlled by the current of {element.source}, which is "
                    "no voltage source of this circuit; add one of 0 V in that branch"
                )


def _numbers(element: Element) -> Iterator[tuple[str, float]]:
    for name in element.__dataclass_fields__:
        value = getattr(element, name)
        if isinstance(value, float | int):
            yield name, float(value)
    if isinstance(element, Diode):
        for name in element.model.__dataclass_fields__:
            yield name, float(getattr(element.model, name))


def _check_values(element: Element) -> None:
    for name, value in _numbers(element):
        if not math.isfinite(value):
            raise CircuitError(f"{element.name}: {name} is {value}")
    if isinstance(element, Resistor) and element.siemens < 0.0:
        raise CircuitError(
            f"{element.name} has a negative conductance, {element.siemens:.6g} S; "
            "make a negative resistance from a controlled source"
        )
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


def _check_voltage_loops(elements: Iterable[Element]) -> None:
    groups = _Groups()
    kinds = (VoltageSource, VoltageControlledVoltage, CurrentControlledVoltage, Amplifier)
    for element in elements:
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


def _check_connected(elements: Iterable[Element]) -> None:
    """Every node needs a path to ground on which a current can depend on its voltage."""
    groups = _Groups()
    nodes: dict[str, str] = {}
    for element in elements:
        plus, minus = ends(element)
        for node in (plus, minus, *_controls(element)):
            nodes.setdefault(node, element.name)
        open_ = isinstance(element, Resistor) and element.siemens == 0.0
        driven = isinstance(
            element, CurrentSource | VoltageControlledCurrent | CurrentControlledCurrent
        )
        if not open_ and not driven:
            groups.join(plus, minus)
        if isinstance(element, VoltageControlledCurrent):
            # It may well be what defines the node, as a resistor made of a G does.
            controls = {element.control_plus, element.control_minus}
            if controls == {plus, minus}:
                groups.join(plus, minus)
    ground = groups.find(GROUND)
    for node, name in nodes.items():
        if node != GROUND and groups.find(node) != ground:
            raise CircuitError(
                f"node {node} (at {name}) floats: no resistor, diode or voltage source connects "
                "it with ground; add a path, or a large resistor to ground"
            )


def _controls(element: Element) -> tuple[str, ...]:
    if isinstance(element, VoltageControlledCurrent | VoltageControlledVoltage):
        return element.control_plus, element.control_minus
    if isinstance(element, Amplifier):
        return (element.input,)
    return ()
