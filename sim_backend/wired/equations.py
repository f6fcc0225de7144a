r"""Kirchhoff's laws in the neuron nodes of a stack of crossbars with wires.

Crossbar ``l`` draws the currents ``Y_l (u, v)`` from its ports, ``u`` being the voltages that drive
its word lines and ``v`` those of the nodes its bit lines end in.  The rows of the next one are
driven by ``u = A v`` and load the neurons with ``B`` times what they draw (thesis 4.4.2), so that

.. math::  M v + i_{\mathrm{diode}}(v) = J^T V_{\mathrm{in}} + i_0 + i_{\mathrm{nudge}}

with a matrix of one block a layer and its neighbours.  ``i_0`` is what offsets of amplifiers
(``u = A v + A o``) and pairs of unequal diodes push into the nodes at all times.  Within a layer
the nodes are joined by what their lines share: through wires every column of a crossbar sees every
other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_backend.layered.circuit import LayeredCircuit, diode_amps, neuron_arrays
from sim_backend.layered.neurons import ShockleyPairs
from sim_backend.layered.responses import SHOCKLEY, WINDOW
from sim_backend.wired.ports import Ports

__all__ = ["Equations", "NeuronArrays", "Plan", "join"]

Floats = NDArray[np.float64]

_SAME_RATIO = 1e-12
"""Spread of B/A within a layer that counts as rounding."""


class NeuronArrays(NamedTuple):
    """Neurons as kernels take them.

    Attributes:
        edges: (n_layers + 1,) where each layer's nodes start.
        kinds: (n_layers,) of response.
        parameters: (4 n,) layer by layer (4, n_layer), see ``circuit.neuron_arrays``.
    """

    edges: NDArray[np.int64]
    kinds: NDArray[np.int64]
    parameters: Floats


class Equations(NamedTuple):
    """One programming of the network.

    Attributes:
        matrix: (n, n) M in siemens, by neuron nodes in layer order.
        inject: (n_inputs, n) J in siemens.
        constant: (n,) i_0 in amps.
        total: (n,) conductance that each node sees with the others held.
        reach: (n,) the vector with ``M reach = total``, positive: in units of it the response of
            all nodes to one another contracts.
    """

    matrix: Floats
    inject: Floats
    constant: Floats
    total: Floats
    reach: Floats


class Plan:
    """What does not change by programming.

    Attributes:
        circuit: the circuit.
        neurons: of all layers.
        scale: (n,) factors of the rows that make every matrix symmetric, all 1 if none do.
        is_symmetric: whether they do: B/A is the same for all amplifiers of a layer.

    Args:
        circuit: the circuit.
    """

    def __init__(self, circuit: LayeredCircuit) -> None:
        self.circuit = circuit
        edges = np.cumsum([0, *(layer.size for layer in circuit.layers)]).astype(np.int64)
        kinds = [
            SHOCKLEY if isinstance(layer.neurons, ShockleyPairs) else WINDOW
            for layer in circuit.layers
        ]
        parameters = [neuron_arrays(layer).astype(float).ravel() for layer in circuit.layers]
        self.neurons = NeuronArrays(edges, np.array(kinds, np.int64), np.concatenate(parameters))
        ratios = [layer.backward_gain / layer.forward_gain for layer in circuit.layers[:-1]]
        self.is_symmetric = all(np.ptp(ratio) <= _SAME_RATIO * ratio.max() for ratio in ratios)
        self.scale: Floats = np.ones(int(edges[-1]))
        if self.is_symmetric:
            weight = 1.0
            for index in range(len(ratios) - 1, -1, -1):
                weight /= float(ratios[index][0])
                self.scale[edges[index] : edges[index + 1]] = weight

    @property
    def n_nodes(self) -> int:
        """Neuron nodes."""
        return self.scale.size

    def nodes(self, index: int) -> slice:
        """Where the nodes of a layer are."""
        return slice(int(self.neurons.edges[index]), int(self.neurons.edges[index + 1]))

    def driven_volts(self, index: int, volts: Floats, is_change: bool = False) -> Floats:
        """(batch, n_layer) at what a layer drives the next one with, from those of all neurons.

        Of a change, such as a difference of phases, offsets are no part.
        """
        layer = self.circuit.layers[index]
        found: Floats = layer.forward_gain * volts[:, self.nodes(index)]
        if layer.shift_volts is not None and not is_change:
            found += layer.shift_volts
        return found

    def port_volts(self, index: int, input_volts: Floats | None, volts: Floats) -> Floats:
        """(batch, rows + columns) at the ports of a crossbar, from those of lines and neurons.

        Args:
            index: of the crossbar.
            input_volts: (batch, n_inputs); None for a change at constant inputs.
            volts: (batch, n).
        """
        layer = self.circuit.layers[index]
        first, stop = layer.clamped
        lines = np.zeros((len(volts), stop - first))
        if input_volts is not None:
            lines += input_volts[:, first:stop]
        parts = [lines, volts[:, self.nodes(index)]]
        if index > 0:
            parts.insert(0, self.driven_volts(index - 1, volts, input_volts is None))
        return np.concatenate(parts, axis=1)


def join(plan: Plan, ports: Sequence[Ports]) -> Equations:
    """Equations of a stack from its crossbars."""
    n, layers = plan.n_nodes, plan.circuit.layers
    matrix, inject = np.zeros((n, n)), np.zeros((plan.circuit.n_inputs, n))
    constant = np.zeros(n)
    for index, layer in enumerate(layers):
        admittance = ports[index].admittance()
        here, sourced = plan.nodes(index), slice(*layer.clamped)
        drives = 0 if index == 0 else layers[index - 1].size
        lines = slice(drives, drives + sourced.stop - sourced.start)
        own = admittance[lines.stop :]
        matrix[here, here] += own[:, lines.stop :]
        inject[sourced, here] -= own[:, lines].T
        amps = diode_amps(layer)
        if amps is not None:
            constant[here] += amps
        if index == 0:
            continue
        before = layers[index - 1]
        there = plan.nodes(index - 1)
        # What the rows take out of their amplifiers, as the nodes before these feel it.
        loads = before.backward_gain[:, None] * admittance[:drives]
        matrix[there, there] += loads[:, :drives] * before.forward_gain
        matrix[there, here] += loads[:, lines.stop :]
        matrix[here, there] += own[:, :drives] * before.forward_gain
        inject[sourced, there] -= loads[:, lines].T
        if before.shift_volts is not None:
            constant[there] -= loads[:, :drives] @ before.shift_volts
            constant[here] -= own[:, :drives] @ before.shift_volts
    total: Floats = np.diagonal(matrix).copy()
    return Equations(matrix, inject, constant, total, _reach(matrix, total))


def _reach(matrix: Floats, total: Floats) -> Floats:
    try:
        found = np.linalg.solve(matrix, total)
    except np.linalg.LinAlgError:  # a node floats; no example will settle
        return np.ones_like(total)
    return np.where(found > 0.0, found, 1.0)
