"""A layered network drawn as a circuit of single elements.

Node ``k`` of the topology is ``n<k>``.  Elements are called ``vin<k>`` and ``inudge<k>`` after the
place of an input or output, ``r<c>[<d>]`` after the crossbar and the place of a device in it, and
``dup<k>``, ``dlow<k>``, ``vheld<k>``, ``eamp<k>`` and ``voffset<k>`` (an amplifier's offset, in
series with its input, the node ``offset<k>``) after the node they hang on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hil.topology import Topology
from sim_backend.layered.diodes import KELVIN, NeuronDiodes
from sim_backend.layered.network import LayeredNetwork
from sim_backend.layered.neurons import (
    Floats,
)
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Element,
    Resistors,
    VoltageSource,
)

__all__ = ["draw", "node_names"]


def node_names(topology: Topology) -> tuple[str, ...]:
    """(n_nodes,) names."""
    return tuple(f"n{k}" for k in range(topology.n_nodes))


def draw(
    network: LayeredNetwork,
    topology: Topology,
    input_volts: Floats,
    nudge_amps: Floats | None,
) -> Circuit:
    """The network as it is programmed now.

    Nothing but its own elements conducts: gmin is 0.

    Args:
        network: conductances and neurons.
        topology: as made by :func:`hil.topology.layered` for this network; where a hidden
            neuron drives the next crossbar from a node of its own, an amplifier lies between.
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
        elements.append(Resistors.crossbar(f"r{c}", rows, columns, block.astype(float)))
    diodes = NeuronDiodes()
    for layer, group in zip(network.circuit.layers, topology.groups, strict=True):
        diodes.add(layer.neurons, [names[node] for node in group.heads])
    elements += diodes.elements
    elements += _amplifiers(network, topology, names)
    if nudge_amps is not None:
        elements += [
            CurrentSource(f"inudge{k}", GROUND, names[node], float(amps))
            for k, (node, amps) in enumerate(zip(topology.outputs, nudge_amps, strict=True))
        ]
    return Circuit(elements, "layered network", KELVIN, gmin_siemens=0.0)


def _amplifiers(
    network: LayeredNetwork, topology: Topology, names: Sequence[str]
) -> Iterator[Element]:
    layers = network.circuit.layers
    for c, layer in enumerate(layers[:-1]):
        near, far = topology.groups[c].heads, topology.groups[c + 1].tails[: layer.size]
        if np.array_equal(near, far):
            continue
        offsets = layer.forward_offset_volts
        for k in range(layer.size):
            forward, backward = float(layer.forward_gain[k]), float(layer.backward_gain[k])
            name, entry = f"eamp{near[k]}", names[near[k]]
            if offsets is not None and offsets[k] != 0:
                entry = f"offset{near[k]}"
                yield VoltageSource(f"v{entry}", entry, names[near[k]], float(offsets[k]))
            yield Amplifier(name, entry, names[far[k]], forward, backward)
