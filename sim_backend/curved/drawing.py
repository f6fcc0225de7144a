"""A layered network of curved devices drawn as a circuit of single elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.topology import Topology
from sim_backend.curved.network import CurvedNetwork
from sim_backend.layered import drawing
from sim_backend.memristors.conduction import Conduction, element
from sim_backend.nodal.elements import Circuit, Element, Resistors

__all__ = ["draw"]

Floats = NDArray[np.floating]


def draw(
    network: CurvedNetwork,
    conduction: Conduction,
    topology: Topology,
    input_volts: Floats,
    nudge_amps: Floats | None,
) -> Circuit:
    """The network as it is programmed now, a curve for every device.

    Names are those of :func:`sim_backend.layered.drawing.draw`.

    Args:
        network: conductances and neurons.
        conduction: curve of its devices.
        topology: as made by :func:`hil.topology.layered` for this network.
        input_volts: (n_inputs,).
        nudge_amps: (n_outputs,) or None.
    """
    names = drawing.node_names(topology)
    crossbars: list[Element] = []
    for c, (group, block) in enumerate(zip(topology.groups, network.blocks, strict=True)):
        straight = Resistors.crossbar(f"r{c}", *drawing.ends(names, group), block.astype(float))
        crossbars += [
            element(conduction, r.name, r.plus, r.minus, r.siemens) for r in straight.singly()
        ]
    return drawing.draw_around(crossbars, network.circuit, topology, input_volts, nudge_amps)
