"""Who is disturbed: by the pulses of other devices, and by being read."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from hil.arrays import Floats, IntArray
from hil.topology import Crossbar, Topology
from sim_backend.layered.programming import vote
from sim_backend.memristors.disturb import Disturb

__all__ = ["compared", "read_directions", "selected_with"]


def selected_with(
    topology: Topology, counts: IntArray, disturb: Disturb
) -> tuple[IntArray, IntArray]:
    """Disturbances of all devices by pulses on others, crossbar by crossbar.

    Devices that are no crossbar share no lines and are left alone.

    Args:
        topology: where the devices are.
        counts: (n_devices,) signed pulses, each given to one device at a time.
        disturb: scheme of selection.

    Returns:
        Disturbances up and down, each (n_devices,) and not negative.
    """
    up, down = np.zeros(counts.size, np.int64), np.zeros(counts.size, np.int64)
    for group, part in zip(topology.groups, topology.slices, strict=True):
        if isinstance(group, Crossbar) and counts[part].any():
            pulses = counts[part].reshape(group.tails.size, group.heads.size).astype(np.int64)
            more, less = disturb.others(pulses)
            up[part], down[part] = more.ravel(), less.ravel()
    return up, down


def read_directions(topology: Topology, node_volts: Floats) -> tuple[IntArray, IntArray]:
    """How many examples put a positive and a negative drop on every device.

    Args:
        topology: where the devices are.
        node_volts: (batch, n_nodes) settled voltages.

    Returns:
        Examples with the tail above the head and with it below, each (n_devices,).
    """
    up = np.zeros(topology.n_devices, np.int32)
    down = np.zeros_like(up)
    for group, part in zip(topology.groups, topology.slices, strict=True):
        tails, heads = node_volts[:, group.tails], node_volts[:, group.heads]
        if isinstance(group, Crossbar):
            shape = group.tails.size, group.heads.size
            _count(tails, heads, up[part].reshape(shape), down[part].reshape(shape))
        else:
            up[part] = np.count_nonzero(tails > heads, axis=0)
            down[part] = np.count_nonzero(tails < heads, axis=0)
    return up, down


def compared(topology: Topology, first: Floats, second: Floats, dead_zone_volts: float) -> IntArray:
    """(n_devices,) batch-summed votes on held drops; see :class:`hil.substrate.Comparisons`.

    Args:
        topology: where the devices are.
        first: (batch, n_nodes) volts.
        second: (batch, n_nodes) volts of the same examples.
        dead_zone_volts: absolute drops closer than this give no vote.
    """
    votes = np.zeros(topology.n_devices, np.int32)
    for group, part in zip(topology.groups, topology.slices, strict=True):
        before = first[:, group.tails], first[:, group.heads]
        after = second[:, group.tails], second[:, group.heads]
        if isinstance(group, Crossbar):
            shape = group.tails.size, group.heads.size
            vote(*before, *after, dead_zone_volts, votes[part].reshape(shape))
        else:
            rise = np.abs(after[0] - after[1]) - np.abs(before[0] - before[1])
            votes[part] = np.count_nonzero(rise > dead_zone_volts, axis=0)
            votes[part] -= np.count_nonzero(rise < -dead_zone_volts, axis=0)
    return votes


@njit(cache=True, parallel=True)
def _count(
    tails: Floats, heads: Floats, up: NDArray[np.int32], down: NDArray[np.int32]
) -> None:  # fmt: skip
    """Add to ``up`` and ``down`` (n, m) the signs of drops from (batch, n) to (batch, m)."""
    batch, columns = heads.shape
    for i in prange(tails.shape[1]):
        for b in range(batch):
            level = tails[b, i]
            for j in range(columns):
                up[i, j] += level > heads[b, j]
                down[i, j] += level < heads[b, j]
