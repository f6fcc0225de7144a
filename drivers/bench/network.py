"""The network on a bench, as its file describes it."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from drivers.bench.tables import Table
from hil.arrays import Floats, IntArray
from hil.energy import ResistorEnergy
from hil.model import NotNegative, Positive
from hil.topology import Crossbar, Topology, layered

__all__ = ["AmplifiersConfig", "NetworkConfig", "node_siemens"]

Size = Annotated[int, Field(ge=1, le=10_000)]


class AmplifiersConfig(Table):
    """Bidirectional amplifiers of the hidden nodes (thesis 4.4.2)."""

    forward_gain: Positive = Field(description="Voltage gain A.")
    backward_gain: Positive = Field(description="Current gain B.")


class NetworkConfig(Table):
    """A stack of crossbars, its devices and its nodes."""

    kind: Literal["layered"] = "layered"
    n_signals: Size = Field(description="Input lines that carry data.")
    hidden: tuple[Size, ...] = Field(description="Hidden layer sizes.")
    n_outputs: Size = Field(description="Output nodes.")
    biased: tuple[bool, ...] = Field(
        default=(), description="For each crossbar, whether it has a pair of bias lines."
    )
    amplifiers: AmplifiersConfig | None = Field(
        default=None, description="After each hidden layer."
    )
    neuron_volts: NotNegative = Field(
        default=0.0, description="Largest voltage that a diode's series source brings to a node."
    )
    g_min_siemens: NotNegative = Field(description="Lower end of the window of the devices.")
    g_max_siemens: Positive = Field(description="Upper end.")
    pulse_siemens: Positive = Field(description="Nominal change by one pulse.")
    pulse_spread: NotNegative = Field(
        default=0.0, description="Rms deviation from that, relative; see SubstrateSpec."
    )
    node_farads: NotNegative = Field(
        default=0.0, description="Capacitance of a node with its lines, cables and switches."
    )

    @model_validator(mode="after")
    def _consistent(self) -> NetworkConfig:
        if not self.g_min_siemens < self.g_max_siemens:
            raise ValueError("g_min_siemens must be below g_max_siemens")
        window = self.g_max_siemens - self.g_min_siemens
        if self.pulse_siemens > window * (1.0 + 1e-9):
            raise ValueError(
                f"pulse_siemens of {self.pulse_siemens:.6g} S is more than the whole window, "
                f"g_max_siemens - g_min_siemens = {window:.6g} S: a single pulse would cross it. "
                "Probably a slip in one of the three (uS for S?); correct it"
            )
        if len(self.biased) not in (0, len(self.hidden) + 1):
            raise ValueError(
                f"biased has {len(self.biased)} values for {len(self.hidden) + 1} crossbars"
            )
        return self

    @cached_property
    def topology(self) -> Topology:
        """Device graph."""
        return layered(
            self.n_signals,
            self.hidden,
            self.n_outputs,
            biased=self.biased,
            amplified=self.amplifiers is not None,
        )

    @cached_property
    def energy(self) -> ResistorEnergy:
        """Local energies; see :class:`hil.energy.ResistorEnergy` for the weights."""
        ratio = 1.0
        if self.amplifiers is not None:
            ratio = self.amplifiers.backward_gain / self.amplifiers.forward_gain
        last = len(self.hidden)
        weights = tuple(ratio ** (index - last) for index in range(last + 1))
        return ResistorEnergy(self.topology, weights)

    @property
    def read_nodes(self) -> IntArray:
        """Nodes whose voltage is measured, all but the inputs, ascending."""
        return np.setdiff1d(np.arange(self.topology.n_nodes), self.topology.inputs)


def node_siemens(topology: Topology, conductance_siemens: Floats) -> Floats:
    """(n_nodes,) sum of the conductances of all devices at a node."""
    total = np.zeros(topology.n_nodes)
    for group, part in zip(topology.groups, topology.slices, strict=True):
        values = conductance_siemens[part]
        if isinstance(group, Crossbar):
            block = values.reshape(group.tails.size, group.heads.size)
            np.add.at(total, group.tails, block.sum(axis=1, dtype=np.float64))
            np.add.at(total, group.heads, block.sum(axis=0, dtype=np.float64))
        else:
            for ends in (group.tails, group.heads):
                total += np.bincount(ends, values, topology.n_nodes)
    return total
