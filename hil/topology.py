"""Which devices join which nodes, and what each node is for.

Devices have one flat axis, the order in which their groups are listed.  A group is either a
dense :class:`Crossbar` (every row to every column, row-major) or a list of single
:class:`Edges`; knowing that a group is dense is what lets a substrate replace work per device
by matrix products.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hil.arrays import IntArray
from hil.errors import ConfigurationError

__all__ = ["Crossbar", "Edges", "Topology", "layered"]


@dataclass(frozen=True, eq=False)
class Crossbar:
    """A device at every crossing of rows and columns.

    Attributes:
        tails: node of each row, shape (n_rows,).
        heads: node of each column, shape (n_columns,).
    """

    tails: IntArray
    heads: IntArray

    @property
    def n_devices(self) -> int:
        """Rows times columns."""
        return self.tails.size * self.heads.size

    def ends(self) -> tuple[IntArray, IntArray]:
        """Tail and head of each device, row-major, each (n_devices,)."""
        return np.repeat(self.tails, self.heads.size), np.tile(self.heads, self.tails.size)


@dataclass(frozen=True, eq=False)
class Edges:
    """Single devices.

    Attributes:
        tails: shape (n_devices,).
        heads: shape (n_devices,).
    """

    tails: IntArray
    heads: IntArray

    @property
    def n_devices(self) -> int:
        """Number of edges."""
        return self.tails.size

    def ends(self) -> tuple[IntArray, IntArray]:
        """Tail and head of each device."""
        return self.tails, self.heads


@dataclass(frozen=True, eq=False)
class Topology:
    """A graph of programmable devices.

    Attributes:
        n_nodes: nodes are numbered from 0; ground is not a node.
        inputs: nodes whose voltage is sourced, in the order of ``Drive.input_volts``.
        outputs: nodes that are read and nudged, in the order of ``Drive.nudge_amps``.
        groups: the devices.

    Raises:
        ConfigurationError: a node number is out of range, an input is also an output, a
            device joins a node to itself, or there is nothing to train.
    """

    n_nodes: int
    inputs: IntArray
    outputs: IntArray
    groups: tuple[Crossbar | Edges, ...]

    def __post_init__(self) -> None:
        """Check that the graph makes sense."""
        ends = [e for g in self.groups for e in (g.tails, g.heads)]
        for name, nodes in (("input", self.inputs), ("output", self.outputs)):
            if nodes.size == 0:
                raise ConfigurationError(f"the network has no {name} nodes; name at least one")
            found, counts = np.unique(nodes, return_counts=True)
            if found.size != nodes.size:
                twice = int(found[counts > 1][0])
                raise ConfigurationError(
                    f"an {name} node, number {twice}, is listed twice; name each node once"
                )
        if sum(g.n_devices for g in self.groups) == 0:
            raise ConfigurationError("the network has no devices to train; add at least one")
        for nodes in (self.inputs, self.outputs, *ends):
            if nodes.size and not (nodes.min() >= 0 and nodes.max() < self.n_nodes):
                raise ConfigurationError(
                    f"a node number lies outside 0..{self.n_nodes - 1}; check the device list"
                )
        both = np.intersect1d(self.inputs, self.outputs)
        if both.size:
            raise ConfigurationError(
                f"a node, number {both[0]}, is both input and output; a sourced node cannot be "
                "nudged: choose another output"
            )
        for group in self.groups:
            if isinstance(group, Edges):
                looped = bool(group.tails.shape != group.heads.shape) or bool(
                    np.any(group.tails == group.heads)
                )
            else:
                looped = bool(np.intersect1d(group.tails, group.heads).size)
            if looped:
                raise ConfigurationError("a device joins a node to itself; remove it")

    @property
    def n_devices(self) -> int:
        """Length of the device axis."""
        return sum(group.n_devices for group in self.groups)

    @cached_property
    def hidden(self) -> IntArray:
        """Nodes that are neither input nor output, ascending."""
        return np.setdiff1d(np.arange(self.n_nodes), np.union1d(self.inputs, self.outputs))

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each group lies on the device axis."""
        edges = np.cumsum([0, *(group.n_devices for group in self.groups)])
        return tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(edges))

    @cached_property
    def tails(self) -> IntArray:
        """Tail node of every device, (n_devices,); ``drop = V[tail] - V[head]``."""
        return np.concatenate([group.ends()[0] for group in self.groups])

    @cached_property
    def heads(self) -> IntArray:
        """Head node of every device, (n_devices,)."""
        return np.concatenate([group.ends()[1] for group in self.groups])


def layered(
    n_signals: int,
    hidden: Sequence[int],
    n_outputs: int,
    *,
    biased: Sequence[bool] = (),
    amplified: bool = False,
) -> Topology:
    """Stack of crossbars: inputs, hidden layers, outputs, each fully joined to the next.

    Input nodes are the signals, then a pair of constant-voltage lines for each biased
    crossbar.  The other nodes follow layer by layer: a hidden layer's neurons and, if
    ``amplified``, the outputs of their bidirectional amplifiers; the outputs come last.  Rows
    of a crossbar are what the layer before drives, then its own bias lines.

    Args:
        n_signals: sourced lines that carry data.
        hidden: sizes of the hidden layers; may be empty.
        n_outputs: output nodes.
        biased: for each crossbar, whether it has a pair of bias lines; empty for none.
        amplified: each hidden neuron drives the next crossbar through an amplifier, whose
            output is a node of its own (thesis Fig. 7).

    Raises:
        ConfigurationError: a size is not positive, or ``biased`` has the wrong length.
    """
    if min([n_signals, n_outputs, *hidden]) < 1:
        raise ConfigurationError("every layer needs at least one node; check the layer sizes")
    sizes = [*hidden, n_outputs]
    if len(biased) not in (0, len(sizes)):
        raise ConfigurationError(
            f"{len(sizes)} crossbars need {len(sizes)} bias settings, one each; got {len(biased)}"
        )
    next_line = n_signals
    n_inputs = next_node = n_signals + 2 * sum(biased)
    driving = np.arange(n_signals)
    groups = []
    for index, size in enumerate(sizes):
        bias = np.arange(next_line, next_line + (2 if biased and biased[index] else 0))
        next_line += bias.size
        heads = np.arange(next_node, next_node + size)
        groups.append(Crossbar(np.concatenate([driving, bias]), heads))
        next_node += size
        driving = heads
        if amplified and index < len(hidden):
            driving = np.arange(next_node, next_node + size)
            next_node += size
    outputs = np.arange(next_node - n_outputs, next_node)
    return Topology(next_node, np.arange(n_inputs), outputs, tuple(groups))
