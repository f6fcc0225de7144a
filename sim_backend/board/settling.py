"""Charging of node capacitances, to first order."""

from __future__ import annotations

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray
from hil.topology import Crossbar, Topology

__all__ = ["Charging", "node_siemens", "rows_of"]


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


class Charging:
    r"""Nodes on their way to a steady state.

    :math:`V(t) = V_\infty + (V_0 - V_\infty) e^{-t/\tau}` with :math:`\tau` the capacitance over
    the sum of the conductances at the node: as if its neighbours were there already, and diodes
    and amplifiers did not help.  The output of an amplifier counts as a node like any other.

    Args:
        farads: capacitance of a node; 0 settles at once.
        wait_seconds: time it has.
        nodes: (n,) nodes that charge.
    """

    def __init__(self, farads: float, wait_seconds: float, nodes: IntArray) -> None:
        self._rate = wait_seconds / farads if farads else 0.0
        self._nodes = nodes
        self._left: Floats | None = None
        self.siemens: AnyArray | None = None
        """(n_nodes,) sums of conductances; None once they have changed."""

    @property
    def is_on(self) -> bool:
        """Whether it takes time."""
        return self._rate > 0.0

    def program(self, siemens: AnyArray) -> None:
        """Take (n_nodes,) sums of conductances."""
        self.siemens = siemens
        self._left = np.exp(-self._rate * siemens[self._nodes])

    def moved(self, start: Floats | None, steady: Floats) -> Floats:
        """Where nodes are after the wait, from ``start`` or 0 V (batch, n)."""
        if self._left is None:
            return steady
        way = steady if start is None else steady - start
        return np.asarray(steady - way * self._left.astype(steady.dtype))


def rows_of(part: Floats, whole: Floats) -> IntArray | None:
    """Where the rows of ``part`` lie in ``whole``, in the same order; None if they do not."""
    if len(part) == len(whole):
        return np.arange(len(whole)) if part is whole or np.array_equal(part, whole) else None
    found = []
    at = 0
    for row in part:
        while at < len(whole) and not np.array_equal(row, whole[at]):
            at += 1
        if at == len(whole):
            return None
        found.append(at)
        at += 1
    return np.array(found)
