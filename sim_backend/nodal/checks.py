"""Circuits that have no solution or too many are refused before solving, by name."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
from sim_backend.nodal.parts import Parts, ends

__all__ = ["CircuitError", "check_conductances", "check_parts"]

Places = NDArray[np.intp]

_ROUNDS = 8
"""Steps from ground taken edge by edge; most networks are that shallow."""


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
    _check_values(parts)
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
    names = [e.name for e in parts.resistors]
    names += [e.name for e in (*parts.groups, *parts.others)]
    if len(set(names)) < len(names):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise CircuitError(f"two elements are called {name}; give each its own name")
            seen.add(name)
    sensing = parts.sensing
    sources = {e.name for e in parts.voltage_sources} if sensing else set()
    for other in sensing:
        if other.source not in sources:
            raise CircuitError(
                f"{other.name} is controlled by the current of {other.source}, which is "
                "no voltage source of this circuit; add one of 0 V in that branch"
            )


_VALUES: dict[type[Any], tuple[str, ...]] = {
    VoltageSource: ("volts",),
    CurrentSource: ("amps",),
    VoltageControlledVoltage: ("gain",),
    VoltageControlledCurrent: ("siemens",),
    CurrentControlledCurrent: ("gain",),
    CurrentControlledVoltage: ("ohms",),
    IdealDiode: ("volts",),
    Amplifier: ("forward_gain", "backward_gain"),
}


def _check_values(parts: Parts) -> None:
    for kind, names in _VALUES.items():
        for name in names:
            elements = parts.of(kind)
            values = [getattr(element, name) for element in elements]
            for k in np.flatnonzero(~np.isfinite(np.array(values, np.float64)))[:1]:
                raise CircuitError(f"{elements[k].name}: its {name} is {values[k]}")
    different = {(id(diode.model), diode.area): diode for diode in reversed(parts.junctions)}
    for diode in reversed(different.values()):
        _check_diode(diode)


def _check_diode(diode: Diode) -> None:
    model = diode.model
    positive = (model.saturation_amps, model.ideality, model.nominal_kelvin, diode.area)
    others = (model.series_ohms, model.gap_electronvolts, model.temperature_exponent)
    if not all(map(math.isfinite, (*positive, *others))):
        raise CircuitError(f"{diode.name}: a parameter of its model is not finite")
    if min(positive) <= 0.0 or model.series_ohms < 0.0:
        raise CircuitError(
            f"{diode.name}: saturation current, ideality, temperature and area of a diode "
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
    kinds = (VoltageSource, VoltageControlledVoltage, CurrentControlledVoltage, Amplifier)
    elements: list[Any] = [element for kind in kinds for element in parts.of(kind)]
    pairs = [ends(element) for element in elements]
    if _is_forest(parts, pairs):
        return
    groups = _Groups()
    for element, (plus, minus) in zip(elements, pairs, strict=True):
        if plus == minus:
            raise CircuitError(f"{element.name} is shorted: both its ends are at node {plus}")
        if not groups.join(plus, minus):
            raise CircuitError(
                f"{element.name} closes a loop of voltage sources between nodes {plus} and "
                f"{minus}; put a resistance into the loop"
            )


def _is_forest(parts: Parts, pairs: list[tuple[str, str]]) -> bool:
    n = parts.n_nodes + 1
    at = parts.index
    tails = np.fromiter((at[plus] for plus, _ in pairs), np.intp, len(pairs))
    heads = np.fromiter((at[minus] for _, minus in pairs), np.intp, len(pairs))
    if not heads.size or ((heads == -1).all() and np.bincount(tails + 1).max() == 1):
        # All against ground, each at a node of its own.
        return not (tails == -1).any()
    graph = sparse.coo_matrix((np.ones(tails.size), (tails % n, heads % n)), (n, n))
    return bool(n - csgraph.connected_components(graph, directed=False)[0] == tails.size)


def _check_connected(parts: Parts, siemens: np.ndarray) -> None:
    """Every node needs a path to ground on which a current can depend on its voltage."""
    closed = siemens > 0.0
    tails, heads = parts.tied
    if closed.all():
        tails = np.concatenate([tails, parts.resistor_plus])
        heads = np.concatenate([heads, parts.resistor_minus])
    else:
        tails = np.concatenate([tails, parts.resistor_plus[closed]])
        heads = np.concatenate([heads, parts.resistor_minus[closed]])
    inner = set(parts.inner.values())
    for k in np.flatnonzero(~_reached(parts.n_nodes, tails, heads)):
        if int(k) not in inner:
            raise CircuitError(
                f"node {parts.nodes[k]} floats: no resistor, diode or voltage source connects "
                "it with ground; add a path, or a large resistor to ground"
            )


def _reached(n_nodes: int, tails: Places, heads: Places) -> NDArray[np.bool_]:
    """(n_nodes,) whether edges connect a node with ground, which is node -1."""
    reached = np.zeros(n_nodes + 1, np.bool_)
    reached[-1] = True
    for _ in range(_ROUNDS):
        ends_meet = reached[tails] != reached[heads]
        if not ends_meet.any():
            return reached[:-1]
        reached[tails[ends_meet]] = reached[heads[ends_meet]] = True
    n = n_nodes + 1
    graph = sparse.coo_matrix((np.ones(tails.size, np.int8), (tails % n, heads % n)), (n, n))
    _, label = csgraph.connected_components(graph, directed=False)
    connected: NDArray[np.bool_] = label[:-1] == label[-1]
    return connected
