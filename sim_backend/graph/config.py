"""Configuration of simulated networks of any shape, and how they are built."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from hil.arrays import Floats
from hil.errors import ConfigurationError
from hil.model import Model, Positive
from hil.topology import Crossbar, Topology, layered
from sim_backend.graph import shapes
from sim_backend.graph.adapter import Limits, NodalSubstrate, Wiring
from sim_backend.graph.circuits import draw
from sim_backend.imperfections import ImperfectConfig
from sim_backend.layered.config import (
    IdealDiodesConfig,
    NeuronConfig,
    ShockleyPairsConfig,
    UniformConfig,
)
from sim_backend.layered.diodes import KELVIN
from sim_backend.layered.neurons import Linear, Neurons
from sim_backend.mismatch.circuits import draw_circuit, mismatched_circuit
from sim_backend.nodal.elements import Circuit
from sim_backend.order import Order

__all__ = ["NodalConfig", "WindowConfig"]

_MOST_DEVICES = 10**7
"""More than nodal analysis trains in reasonable time."""

Count = Annotated[int, Field(ge=1, le=10**5)]
Nodes = tuple[Annotated[int, Field(ge=0)], ...]


class _Placed(Model):
    """A graph whose nodes get their roles by number."""

    input_nodes: Nodes | None = Field(
        default=None, description="Nodes that are sourced: the signals, then the bias pair; "
        "the first nodes if omitted.",
    )  # fmt: skip
    output_nodes: Nodes | None = Field(
        default=None, description="Nodes that are read and nudged; the last nodes if omitted."
    )


class LatticeConfig(_Placed):
    """Square lattice, nodes numbered column by column."""

    kind: Literal["lattice"] = "lattice"
    rows: Count = Field(description="Nodes in a column.")
    columns: Count = Field(description="Nodes in a row.")
    periodic: bool = Field(default=False, description="Join the top row to the bottom one.")

    def topology(self, n_inputs: int, n_outputs: int) -> Topology:
        """Device graph for so many lines and outputs."""
        edges = shapes.lattice(self.rows, self.columns, periodic=self.periodic)
        return shapes.place(
            edges, self.rows * self.columns, n_inputs, n_outputs,
            self.input_nodes, self.output_nodes,
        )  # fmt: skip


class RandomGraphConfig(_Placed):
    """Connected random graph; inputs and outputs come on top of the hidden nodes."""

    kind: Literal["random"] = "random"
    hidden: Count = Field(description="Nodes besides inputs and outputs.")
    degree: Positive = Field(description="Mean number of edges at a node.")
    graph_seed: int = Field(default=0, ge=0, description="Of the graph, not of its conductances.")

    def topology(self, n_inputs: int, n_outputs: int) -> Topology:
        """Device graph for so many lines and outputs."""
        n_nodes = self.hidden + n_inputs + n_outputs
        edges = shapes.random_graph(n_nodes, self.degree, np.random.default_rng(self.graph_seed))
        return shapes.place(
            edges, n_nodes, n_inputs, n_outputs, self.input_nodes, self.output_nodes
        )  # fmt: skip


class FullConfig(_Placed):
    """Every node joined to every other; inputs and outputs come on top of the hidden nodes."""

    kind: Literal["full"] = "full"
    hidden: Annotated[int, Field(ge=0, le=5000)] = Field(
        description="Nodes besides inputs and outputs."
    )

    def topology(self, n_inputs: int, n_outputs: int) -> Topology:
        """Device graph for so many lines and outputs."""
        n_nodes = self.hidden + n_inputs + n_outputs
        return shapes.place(
            shapes.full(n_nodes), n_nodes, n_inputs, n_outputs, self.input_nodes, self.output_nodes
        )


class CrossbarsConfig(Model):
    """A crossbar, or a stack of them; what ``kind = "layered"`` simulates faster."""

    kind: Literal["crossbars"] = "crossbars"
    hidden: tuple[Count, ...] = Field(default=(), description="Hidden layer sizes.")


GraphConfig: TypeAlias = Annotated[
    LatticeConfig | RandomGraphConfig | FullConfig | CrossbarsConfig, Field(discriminator="kind")
]


class WindowConfig(ImperfectConfig):
    """What all these networks can be asked for."""

    kind: str

    g_min_siemens: Positive = Field(
        description="Lower end of the window; above 0, so that no node can come to float."
    )
    g_max_siemens: Positive = Field(description="Upper end of the window.")
    pulse_siemens: Positive | None = Field(
        default=None, description="Change by one pulse; 1/1000 of the window if omitted."
    )
    max_input_volts: Positive | None = Field(
        default=None, description="Input limit; the largest voltage of the encoding if omitted."
    )
    max_nudge_amps: Positive | None = Field(default=None, description="No limit if omitted.")
    tolerance: Annotated[float, Field(ge=1e-13, le=1e-3)] = Field(
        default=1e-9, description="Of node voltages, relative to the largest."
    )

    @model_validator(mode="after")
    def _window(self) -> WindowConfig:
        if not self.g_min_siemens < self.g_max_siemens:
            raise ValueError("g_min_siemens must be below g_max_siemens")
        return self

    @property
    def window_siemens(self) -> tuple[float, float]:
        """(g_min, g_max) that the circuit is meant for."""
        return self.g_min_siemens, self.g_max_siemens

    def limits(self, max_input_volts: float) -> Limits:
        """Limits, with an input limit where the configuration names none."""
        low, high = self.window_siemens
        volts, amps = self.inner_limits(
            self.max_input_volts or max_input_volts,
            self.max_nudge_amps or float(np.finfo(np.float32).max),
        )
        return Limits(
            self.seen_window_siemens,
            self.pulse_siemens or 1e-3 * (high - low),
            volts,
            amps,
            self.tolerance,
        )

    def place(
        self,
        circuit: Circuit,
        topology: Topology,
        wiring: Wiring,
        start_siemens: Floats,
        order: Order,
        kelvin: float = KELVIN,
    ) -> NodalSubstrate:
        """A circuit as a substrate, with the mismatch of its chip.

        Args:
            circuit: the nominal one.
            topology: its devices, inputs and outputs.
            wiring: what they are called.
            start_siemens: (n_devices,).
            order: what it is for.
            kelvin: temperature that the diodes are stated for.

        Raises:
            ConfigurationError: it cannot be trained, or has no such parts as should differ.
        """
        self.refuse_wires(
            "only stacks of crossbars (substrate.kind = layered) are given wires; draw those of "
            "other circuits as resistors of a netlist"
        )
        built = None
        if not self.mismatch.is_none:
            drawn = order.lot.draw(
                "mismatch", lambda rng: draw_circuit(self.mismatch, circuit, rng)
            )
            built = mismatched_circuit(circuit, drawn, kelvin)
        return NodalSubstrate(
            self.kind,
            circuit,
            topology,
            wiring,
            self.reached(start_siemens),
            self.limits(order.max_input_volts),
            built=built,
            conduction=None if self.devices is None else self.devices.conduction.build(),
        )

    def start(self, initial: UniformConfig, n_devices: int, rng: np.random.Generator) -> np.ndarray:
        """(n_devices,) start conductances.

        Raises:
            ConfigurationError: they would leave the window.
        """
        a, b = initial.low_siemens, initial.high_siemens
        if not self.g_min_siemens <= a <= b <= self.g_max_siemens:
            raise ConfigurationError(
                f"start conductances {a:.3g}..{b:.3g} S leave the window {self.g_min_siemens:.3g}.."
                f"{self.g_max_siemens:.3g} S; change substrate.initial or the window"
            )
        return rng.uniform(a, b, n_devices)


class NodalConfig(WindowConfig):
    """A graph of programmable resistors with a neuron at every hidden node."""

    kind: Literal["nodal"] = "nodal"
    graph: GraphConfig = Field(description="Which nodes devices join.")
    neurons: NeuronConfig = Field(
        default=IdealDiodesConfig(), description="Nonlinearity of the hidden nodes."
    )
    initial: UniformConfig = Field(description="Distribution of the start conductances.")

    @property
    def n_crossbars(self) -> int:
        """How many pairs of bias lines there can be."""
        return len(self.graph.hidden) + 1 if isinstance(self.graph, CrossbarsConfig) else 1

    @property
    def n_groups(self) -> int:
        """How many groups of devices have a rate of their own."""
        return self.n_crossbars

    def exact(self, order: Order) -> NodalSubstrate:
        """See :meth:`sim_backend.imperfections.ImperfectConfig.exact`.

        Voltages are always float64 and the solver chooses its own threads.

        Raises:
            ConfigurationError: the graph does not fit the data, or is too large.
        """
        n_signals, n_outputs, biased = order.n_signals, order.n_outputs, order.biased
        if isinstance(self.graph, CrossbarsConfig):
            topology = layered(n_signals, self.graph.hidden, n_outputs, biased=biased)
        else:
            topology = self.graph.topology(n_signals + 2 * sum(biased), n_outputs)
        if topology.n_devices > _MOST_DEVICES:
            raise ConfigurationError(
                f"{topology.n_devices:.3g} devices are more than nodal analysis is made for; "
                "choose a smaller graph, or substrate.kind = layered for stacks of crossbars"
            )
        circuit, wiring = draw(topology, self._neurons(topology))
        start = self.start(self.initial, topology.n_devices, order.rng)
        kelvin = KELVIN
        if isinstance(self.neurons, ShockleyPairsConfig):
            kelvin = self.neurons.temperature_kelvin
        return self.place(circuit, topology, wiring, start, order, kelvin)

    def _neurons(self, topology: Topology) -> list[tuple[Neurons, list[int]]]:
        """Layer by layer; in other graphs excitatory and inhibitory nodes take turns."""
        if isinstance(self.graph, CrossbarsConfig):
            layers = [g.heads for g in topology.groups[:-1] if isinstance(g, Crossbar)]
            return [(self.neurons.build(nodes.size), nodes.tolist()) for nodes in layers]
        hidden = topology.hidden
        if not hidden.size:
            return [(Linear(), [])]
        turns = np.concatenate([hidden[1::2], hidden[::2]])
        return [(self.neurons.build(hidden.size), turns.tolist())]
