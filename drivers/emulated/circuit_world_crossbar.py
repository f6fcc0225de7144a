"""A drawn network taken apart for a bench: arrays, neurons, and a switch between them per node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivers.emulated.circuit_world_switches import Switches
from hil.errors import ConfigurationError
from hil.topology import Crossbar, Topology
from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    Element,
    Resistors,
    VoltageSource,
)

__all__ = ["ISOLATION", "ArrayNets", "BenchNets", "take_apart"]

ISOLATION = "isolation"
"""Name of the switches between arrays and neurons."""


@dataclass(frozen=True, slots=True)
class ArrayNets:
    """Lines of one array: nets of its rows and columns, tails and heads of its devices."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BenchNets:
    """What a bench is wired to.

    Attributes:
        circuit: arrays, neurons and amplifiers; no inputs and no nudge currents.
        devices: its groups of programmable resistors, in the order of the topology.
        arrays: lines by array. Row i of array k is ``a<k>.r<i>``, column j ``a<k>.c<j>``; lines
            of a list of edges are ``a<k>.n<node>``.
        inputs: net of each input line, where sources go: a line of an array.
        nodes: net of each node of the topology on the side of the neuron, where diode, amplifier
            and nudge source are; of an input its line.
        isolation: a contact for each node, called like its net, that joins neuron and lines.
    """

    circuit: Circuit
    devices: tuple[str, ...]
    arrays: tuple[ArrayNets, ...]
    inputs: tuple[str, ...]
    nodes: tuple[str, ...]
    isolation: Switches

    @property
    def connected(self) -> frozenset[str]:
        """All contacts of the isolating switches, to train and settle with."""
        return frozenset(self.isolation.contacts)

    def device_nets(self, device: int) -> tuple[str, str]:
        """Nets of a device's row and column, tail and head.

        Raises:
            IndexError: there is no such device.
        """
        for group in self.circuit.elements:
            if isinstance(group, Resistors) and group.name in self.devices:
                if 0 <= device < group.siemens.size:
                    plus, minus = group.plus[device], group.minus[device]
                    return group.nodes[plus], group.nodes[minus]
                device -= group.siemens.size
        raise IndexError("there is no such device")


def take_apart(
    circuit: Circuit, topology: Topology, node_names: Sequence[str], on_ohms: float = 0.0
) -> BenchNets:
    """Cut a network at its nodes, so that each array can be driven and read by its lines alone.

    Args:
        circuit: as a simulated substrate draws it without nudge currents; the sources at its
            inputs are left out.
        topology: of the substrate.
        node_names: (n_nodes,) node of the circuit for each node of the topology.
        on_ohms: of a closed isolating switch.

    Raises:
        ConfigurationError: the devices of the topology are not resistor groups of the circuit.
    """
    inputs = {node_names[node] for node in topology.inputs}
    groups = _device_groups(circuit, topology)
    lines: dict[int, list[str]] = {}
    arrays, drawn = [], []
    for k, (group, resistors) in enumerate(zip(topology.groups, groups, strict=True)):
        ends, named = _lines(k, group.tails, group.heads, isinstance(group, Crossbar))
        for node, net in named.items():
            found = lines.setdefault(node, [])
            if node_names[node] in inputs and found:
                # One line, wherever it leads.
                named[node] = found[0]
            elif node_names[node] == GROUND:
                named[node] = GROUND
            else:
                found.append(net)
        arrays.append(ArrayNets(*(tuple(named[node] for node in end) for end in ends)))
        drawn.append(_redrawn(resistors, *group.ends(), named))
    nets = [
        lines[node][0] if name in inputs and node in lines else name
        for node, name in enumerate(node_names)
    ]
    kept = [e for e in circuit.elements if not _is_drive(e, inputs) and e not in groups]
    contacts = {
        node_names[node]: [(line, node_names[node]) for line in found]
        for node, found in sorted(lines.items())
        if node_names[node] not in inputs and found
    }
    return BenchNets(
        replace(circuit, elements=(*drawn, *kept)),
        tuple(group.name for group in drawn),
        tuple(arrays),
        tuple(nets[node] for node in topology.inputs),
        tuple(nets),
        Switches(ISOLATION, contacts, on_ohms),
    )


def _device_groups(circuit: Circuit, topology: Topology) -> list[Resistors]:
    """The groups ``r<k>`` that hold the devices of the topology."""
    named = {e.name: e for e in circuit.elements if isinstance(e, Resistors)}
    groups = []
    for k, group in enumerate(topology.groups):
        found = named.get(f"r{k}")
        if found is None or found.siemens.size != group.n_devices:
            raise ConfigurationError(
                f"devices of group {k} are not drawn as {group.n_devices} resistors called r{k}; "
                "an emulated bench takes networks whose devices are resistors"
            )
        groups.append(found)
    return groups


def _lines(
    k: int, tails: np.ndarray, heads: np.ndarray, is_crossbar: bool
) -> tuple[tuple[list[int], list[int]], dict[int, str]]:
    """Nodes of rows and columns of an array, and the net of each node's line in it."""
    if is_crossbar:
        rows, columns = tails.tolist(), heads.tolist()
        named = {node: f"a{k}.r{i}" for i, node in enumerate(rows)}
        named |= {node: f"a{k}.c{j}" for j, node in enumerate(columns)}
    else:
        rows, columns = np.unique(tails).tolist(), np.unique(heads).tolist()
        named = {node: f"a{k}.n{node}" for node in sorted({*rows, *columns})}
    return (rows, columns), named


def _redrawn(
    resistors: Resistors, tails: np.ndarray, heads: np.ndarray, named: dict[int, str]
) -> Resistors:
    """The same resistors between lines."""
    place = {node: i for i, node in enumerate(named)}
    return Resistors(
        resistors.name,
        tuple(named.values()),
        np.array([place[node] for node in tails.tolist()], np.intp),
        np.array([place[node] for node in heads.tolist()], np.intp),
        resistors.siemens,
    )


def _is_drive(element: Element, inputs: set[str]) -> bool:
    """Whether the element is what a bench puts in the place of."""
    if not isinstance(element, VoltageSource):
        return False
    return element.minus == GROUND and element.plus in inputs
