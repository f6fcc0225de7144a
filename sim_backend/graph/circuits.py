"""A topology with neurons, drawn as a circuit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.topology import Topology
from sim_backend.graph.adapter import Wiring
from sim_backend.layered.diodes import KELVIN, NeuronDiodes
from sim_backend.layered.neurons import Neurons
from sim_backend.nodal.elements import GROUND, Circuit, Element, Resistors, VoltageSource

__all__ = ["draw"]


def draw(
    topology: Topology, neurons: Sequence[tuple[Neurons, Sequence[int]]]
) -> tuple[Circuit, Wiring]:
    """Inputs at 0 V, devices of 1 S and neurons, and what they are called.

    Node ``k`` is ``n<k>``, an input source ``vin<k>``, a device ``r<group>[<k>]``.  Nothing but
    these elements conducts: gmin is 0.

    Args:
        topology: the graph.
        neurons: models, each with the nodes it stands at.
    """
    names = tuple(f"n{k}" for k in range(topology.n_nodes))
    sources = tuple(f"vin{k}" for k in range(topology.inputs.size))
    elements: list[Element] = [
        VoltageSource(source, names[node], GROUND, 0.0)
        for source, node in zip(sources, topology.inputs, strict=True)
    ]
    devices: list[str] = []
    for k, group in enumerate(topology.groups):
        tails, heads = group.ends()
        nodes, places = np.unique(np.concatenate([tails, heads]), return_inverse=True)
        elements.append(
            Resistors(
                f"r{k}",
                tuple(names[node] for node in nodes),
                places[: tails.size],
                places[tails.size :],
                np.ones(tails.size),
            )
        )
        devices += [f"r{k}[{device}]" for device in range(tails.size)]
    diodes = NeuronDiodes()
    for model, at in neurons:
        diodes.add(model, [names[node] for node in at])
    circuit = Circuit((*elements, *diodes.elements), "network", KELVIN, gmin_siemens=0.0)
    return circuit, Wiring(names, sources, tuple(devices))
