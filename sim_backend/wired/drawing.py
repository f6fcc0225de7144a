"""A stack of crossbars with wires, drawn as a circuit of single elements.

Nodes and elements are called as those of a layered network without wires (``layered.drawing``).
Besides, device (i, j) of crossbar c lies between ``w<c>_<i>_<j>`` on its word line and
``b<c>_<i>_<j>`` on its bit line, and the segments are ``rword<c>[...]`` and ``rbit<c>[...]``.
Lines without resistance are the node that they begin or end in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hil.topology import Topology
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.diodes import KELVIN, NeuronDiodes
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Element,
    Resistors,
    VoltageSource,
)
from sim_backend.wired.network import WiredNetwork

__all__ = ["draw", "node_names"]

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Places = NDArray[np.intp]


def node_names(topology: Topology) -> tuple[str, ...]:
    """(n_nodes,) names."""
    return tuple(f"n{k}" for k in range(topology.n_nodes))


def draw(
    network: WiredNetwork,
    topology: Topology,
    input_volts: AnyFloats,
    nudge_amps: AnyFloats | None,
) -> Circuit:
    """The network as it is programmed now; nothing but its own elements conducts (gmin is 0).

    Args:
        network: conductances, wires and neurons.
        topology: as made by :func:`hil.topology.layered` for this network.
        input_volts: (n_inputs,).
        nudge_amps: (n_outputs,) or None.
    """
    names = node_names(topology)
    elements: list[Element] = [
        VoltageSource(f"vin{k}", names[node], GROUND, float(volts))
        for k, (node, volts) in enumerate(zip(topology.inputs, input_volts, strict=True))
    ]
    for c, (group, block) in enumerate(zip(topology.groups, network.blocks, strict=True)):
        rows, columns = ([names[node] for node in ends] for ends in (group.tails, group.heads))
        elements += _crossbar(c, rows, columns, block, *network.wires[c])
    diodes = NeuronDiodes()
    for layer, group in zip(network.circuit.layers, topology.groups, strict=True):
        diodes.add(layer.neurons, [names[node] for node in group.heads])
    elements += diodes.elements
    elements += _amplifiers(network.circuit, topology, names)
    if nudge_amps is not None:
        elements += [
            CurrentSource(f"inudge{k}", GROUND, names[node], float(amps))
            for k, (node, amps) in enumerate(zip(topology.outputs, nudge_amps, strict=True))
        ]
    return Circuit(elements, "layered network with wires", KELVIN, gmin_siemens=0.0)


def _crossbar(
    c: int,
    rows: Sequence[str],
    columns: Sequence[str],
    siemens: Floats,
    word_ohms: float,
    bit_ohms: float,
) -> Iterator[Element]:
    """Devices, then segments from the driver on along words, and along bits to their end."""
    n, m = siemens.shape
    names = [*rows, *columns]
    words = np.repeat(np.arange(n)[:, None], m, axis=1)
    bits = np.repeat(n + np.arange(m)[None], n, axis=0)
    if word_ohms > 0.0:
        words = len(names) + np.arange(n * m).reshape(n, m)
        names += [f"w{c}_{i}_{j}" for i in range(n) for j in range(m)]
    if bit_ohms > 0.0:
        bits = len(names) + np.arange(n * m).reshape(n, m)
        names += [f"b{c}_{i}_{j}" for i in range(n) for j in range(m)]
    nodes = tuple(names)
    yield Resistors(f"r{c}", nodes, words.ravel(), bits.ravel(), siemens.ravel().copy())
    if word_ohms > 0.0:
        along = np.concatenate([np.arange(n)[:, None], words], axis=1)
        yield _segments(f"rword{c}", nodes, along, word_ohms)
    if bit_ohms > 0.0:
        along = np.concatenate([bits, n + np.arange(m)[None]]).T
        yield _segments(f"rbit{c}", nodes, along, bit_ohms)


def _segments(name: str, nodes: tuple[str, ...], lines: Places, ohms: float) -> Resistors:
    """Resistors between neighbours along lines, (n_lines, n_places)."""
    plus, minus = lines[:, :-1].ravel(), lines[:, 1:].ravel()
    return Resistors(name, nodes, plus, minus, np.full(plus.size, 1.0 / ohms))


def _amplifiers(
    circuit: LayeredCircuit, topology: Topology, names: Sequence[str]
) -> Iterator[Element]:
    for c, layer in enumerate(circuit.layers[:-1]):
        near, far = topology.groups[c].heads, topology.groups[c + 1].tails[: layer.size]
        if np.array_equal(near, far):
            continue
        offsets = layer.forward_offset_volts
        for k in range(layer.size):
            forward, backward = float(layer.forward_gain[k]), float(layer.backward_gain[k])
            entry = names[near[k]]
            if offsets is not None and offsets[k] != 0.0:
                entry = f"offset{near[k]}"
                yield VoltageSource(f"v{entry}", entry, names[near[k]], float(offsets[k]))
            yield Amplifier(f"eamp{near[k]}", entry, names[far[k]], forward, backward)
