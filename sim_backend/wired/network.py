"""A programmed stack of crossbars with wires, and its steady states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.ports import CrossbarPorts
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.nodal.blas import one_thread
from sim_backend.wired import kernels
from sim_backend.wired.equations import Equations, Plan, join
from sim_backend.wired.ports import MakesPorts, Ports

__all__ = ["Drops", "WiredNetwork"]

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Bools = NDArray[np.bool_]

_MOST_AT_ONCE = 2_000_000
"""Voltages of one side of all devices held at once: 16 MB."""


class Drops(NamedTuple):
    """Voltage drops, each (examples, rows, columns).

    Attributes:
        own: across the devices themselves.
        line: between the ends of their lines, as sample-and-holds say.
    """

    own: Floats
    line: Floats


class WiredNetwork:
    """Devices, wires and neurons.

    What depends on conductances is found anew before the first use after a change.  All in float64.

    Attributes:
        circuit: what is soldered.
        wires: (word_ohms, bit_ohms) of a segment of each crossbar.
        options: convergence; the tolerance is the distance of every node from where it would rest
            with the others held, relative to the largest voltage its layer would take without
            diodes.

    Args:
        circuit: see above.
        wires: see above.
        conductance_siemens: (n_devices,), crossbar after crossbar, row by row.
        options: see above.
        make_ports: solver of one crossbar.
    """

    def __init__(
        self,
        circuit: LayeredCircuit,
        wires: Sequence[tuple[float, float]],
        conductance_siemens: AnyFloats,
        options: SolverOptions,
        make_ports: MakesPorts = CrossbarPorts,
    ) -> None:
        self.circuit = circuit
        self.wires = tuple(wires)
        self.options = options
        self._make_ports = make_ports
        self._plan = Plan(circuit)
        self._ports: tuple[Ports, ...] = ()
        self.program(conductance_siemens)

    def program(self, conductance_siemens: AnyFloats) -> None:
        """Take over conductances, (n_devices,)."""
        self._siemens = np.array(conductance_siemens, np.float64)
        self._equations: Equations | None = None

    @property
    def blocks(self) -> tuple[Floats, ...]:
        """Conductances of each crossbar, (rows, columns)."""
        shapes = self.circuit.block_shapes
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        parts = np.split(self._siemens, ends[:-1])
        return tuple(p.reshape(shape) for p, shape in zip(parts, shapes, strict=True))

    @property
    def n_nodes(self) -> int:
        """Neuron nodes, layer after layer."""
        return self._plan.n_nodes

    @property
    def floating(self) -> tuple[int, int] | None:
        """(layer, node), counted from 0, of a node that no conductance reaches, if any."""
        for index, (layer, block) in enumerate(zip(self.circuit.layers, self.blocks, strict=True)):
            total = block.sum(axis=0)
            if index + 1 < len(self.circuit.layers):
                total += self.blocks[index + 1][: layer.size].sum(axis=1)
            bad = np.flatnonzero(~(total > 0.0))
            if bad.size:
                return index, int(bad[0])
        return None

    @property
    def equations(self) -> Equations:
        """Of the present conductances."""
        if self._equations is None:
            if self._ports:
                for ports, block in zip(self._ports, self.blocks, strict=True):
                    ports.update(block)
            else:
                both = zip(self.blocks, self.wires, strict=True)
                self._ports = tuple(self._make_ports(block, *ohms) for block, ohms in both)
            with one_thread():
                self._equations = join(self._plan, self._ports)
        return self._equations

    def settle(
        self,
        input_volts: AnyFloats,
        nudges_amps: Sequence[AnyFloats | None],
        start: AnyFloats | None,
    ) -> tuple[Floats, Bools]:
        """Steady states of one batch of inputs with each of some nudges.

        Args:
            input_volts: (batch, n_inputs).
            nudges_amps: each (batch, n_outputs), or None for none.
            start: (batch, n_nodes) voltages near the answers, or None; what is not finite counts
                as 0 V.

        Returns:
            (phases, batch, n_nodes) volts, and (phases, batch) whether they are settled.
        """
        lines = np.asarray(input_volts, np.float64)
        equations = self.equations
        with one_thread():  # sums by several threads may end in other bits
            own = lines @ equations.inject + equations.constant
        push = np.repeat(own[None], len(nudges_amps), axis=0)
        for phase, amps in enumerate(nudges_amps):
            if amps is not None:
                push[phase, :, self._plan.nodes(len(self.circuit.layers) - 1)] += amps
        push = push.reshape(-1, self.n_nodes)
        volts, ok = np.zeros_like(push), np.zeros(len(push), np.bool_)
        if start is not None:
            volts[:] = np.tile(np.where(np.isfinite(start), start, 0.0), (len(nudges_amps), 1))
        self._solve(push, volts, ok)
        if start is not None and not ok.all():
            # A far-off start must cost time only.
            again = np.flatnonzero(~ok)
            found, worked = np.zeros((again.size, self.n_nodes)), np.zeros(again.size, np.bool_)
            self._solve(push[again], found, worked)
            volts[again], ok[again] = found, worked
        shape = (len(nudges_amps), len(lines))
        return volts.reshape(*shape, -1), ok.reshape(shape)

    def driven_volts(self, index: int, volts: Floats) -> Floats:
        """(batch, n_layer) volts behind the amplifiers of a layer, from (batch, n_nodes)."""
        return self._plan.driven_volts(index, volts)

    def drops(
        self, index: int, input_volts: Floats, volts: Floats, change: Floats
    ) -> Iterator[tuple[Drops, Drops]]:
        """Voltage drops across the devices of a crossbar, some examples at a time.

        Args:
            index: of the crossbar.
            input_volts: (batch, n_inputs).
            volts: (batch, n_nodes).
            change: (batch, n_nodes) to another state with the same inputs.

        Yields:
            Drops in the state, and their change.
        """
        _ = self.equations
        rows, columns = self.circuit.block_shapes[index]
        many = max(1, _MOST_AT_ONCE // (rows * columns))
        for first in range(0, len(volts), many):
            some = slice(first, first + many)
            state = self._plan.port_volts(index, input_volts[some], volts[some])
            move = self._plan.port_volts(index, None, change[some])
            yield self._drops(index, state), self._drops(index, move)

    def _drops(self, index: int, ends: Floats) -> Drops:
        rows = self.circuit.block_shapes[index][0]
        words, bits = self._ports[index].interior(ends)
        return Drops(words - bits, ends[:, :rows, None] - ends[:, None, rows:])

    def _solve(self, push: Floats, volts: Floats, ok: Bools) -> None:
        plan = self._plan
        equations = self.equations
        # An overflow is the matter of its example alone, which will not settle.
        with np.errstate(over="ignore", invalid="ignore"):
            kernels.settle(
                equations,
                plan.neurons,
                plan.scale,
                plan.is_symmetric,
                push,
                self.options.tolerance,
                self.options.max_iterations,
                volts,
                ok,
            )
        ok &= np.isfinite(volts).all(axis=1)
