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
from sim_backend.layered.drawing import draw_around, ends, node_names
from sim_backend.nodal.elements import Circuit, Element, Resistors
from sim_backend.wired.network import WiredNetwork

__all__ = ["draw"]

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Places = NDArray[np.intp]


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
    crossbars: list[Element] = []
    for c, (group, block) in enumerate(zip(topology.groups, network.blocks, strict=True)):
        crossbars += _crossbar(c, *ends(names, group), block, *network.wires[c])
    title = "layered network with wires"
    return draw_around(crossbars, network.circuit, topology, input_volts, nudge_amps, title)


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
