"""A layered network drawn as a circuit of single elements.

Node ``k`` of the topology is ``n<k>``.  Elements are called ``vin<k>`` and ``inudge<k>`` after the
place of an input or output, ``r<c>[<d>]`` after the crossbar and the place of a device in it, and
``dup<k>``, ``dlow<k>``, ``vheld<k>``, ``eamp<k>`` and ``voffset<k>`` (an amplifier's offset, in
series with its input, the node ``offset<k>``) after the node they hang on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from hil.substrate import Drive, SubstrateSpec
from hil.topology import Crossbar, Edges, Topology
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.diodes import KELVIN, NeuronDiodes
from sim_backend.layered.network import LayeredNetwork
from sim_backend.layered.neurons import Floats
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Element,
    Resistors,
    VoltageSource,
)

__all__ = ["DrawsStack", "draw", "draw_around", "ends", "node_names"]


class _Drawable(Protocol):
    spec: SubstrateSpec

    def _check_open(self) -> None: ...

    def _check_drive(self, drive: Drive) -> None: ...

    def _draw(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The network under a drive that was checked."""
        ...


class DrawsStack:
    """Mixin: a stack of crossbars draws itself; see :class:`sim_backend.drawing.DrawsCircuit`."""

    def circuit(self: _Drawable, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The network under one drive, (n_inputs,) and (n_outputs,) or None, as single elements.

        Raises:
            UsageError: wrong shape, or not floating-point.
            SafetyError: a level is outside the limits or not finite.
        """
        self._check_open()
        nudge = None if nudge_amps is None else np.asarray(nudge_amps)[None]
        self._check_drive(Drive(np.asarray(input_volts)[None], nudge))
        return self._draw(input_volts, nudge_amps)

    def node_names(self: _Drawable) -> tuple[str, ...]:
        """(n_nodes,) names of the topology's nodes in :meth:`circuit`."""
        return node_names(self.spec.topology)


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
    crossbars: list[Element] = []
    for c, (group, block) in enumerate(zip(topology.groups, network.blocks, strict=True)):
        rows, columns = ends(names, group)
        crossbars.append(Resistors.crossbar(f"r{c}", rows, columns, block.astype(float)))
    return draw_around(crossbars, network.circuit, topology, input_volts, nudge_amps)


def ends(names: Sequence[str], group: Crossbar | Edges) -> tuple[list[str], list[str]]:
    """Names of the nodes of a crossbar's rows and columns."""
    return [names[node] for node in group.tails], [names[node] for node in group.heads]


def draw_around(
    crossbars: Iterable[Element],
    circuit: LayeredCircuit,
    topology: Topology,
    input_volts: Floats,
    nudge_amps: Floats | None,
    title: str = "layered network",
) -> Circuit:
    """Sources, neurons and amplifiers around crossbars whose elements are given.

    Args:
        crossbars: elements between the nodes of the topology.
        circuit: neurons and amplifiers.
        topology: see :func:`draw`.
        input_volts: (n_inputs,).
        nudge_amps: (n_outputs,) or None.
        title: of the circuit.
    """
    names = node_names(topology)
    elements: list[Element] = [
        VoltageSource(f"vin{k}", names[node], GROUND, float(volts))
        for k, (node, volts) in enumerate(zip(topology.inputs, input_volts, strict=True))
    ]
    elements += crossbars
    diodes = NeuronDiodes()
    for layer, group in zip(circuit.layers, topology.groups, strict=True):
        diodes.add(layer.neurons, [names[node] for node in group.heads])
    elements += diodes.elements
    elements += _amplifiers(circuit, topology, names)
    if nudge_amps is not None:
        elements += [
            CurrentSource(f"inudge{k}", GROUND, names[node], float(amps))
            for k, (node, amps) in enumerate(zip(topology.outputs, nudge_amps, strict=True))
        ]
    return Circuit(elements, title, KELVIN, gmin_siemens=0.0)


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
            name, entry = f"eamp{near[k]}", names[near[k]]
            if offsets is not None and offsets[k] != 0:
                entry = f"offset{near[k]}"
                yield VoltageSource(f"v{entry}", entry, names[near[k]], float(offsets[k]))
            yield Amplifier(name, entry, names[far[k]], forward, backward)
