"""Phases of one batch: settled together, and their held drops compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.arrays import Floats, IntArray
from hil.substrate import Comparisons, Drive, Settled, SettlesEach, SubstrateSpec
from hil.topology import Crossbar, Topology
from sim_backend.layered.programming import vote

__all__ = ["ComparesHeld", "SettlesPhases", "SettlesTogether", "compare_held", "held_votes"]


class SettlesPhases(Protocol):
    """What a substrate must have for :class:`SettlesTogether`."""

    def _check_open(self) -> None: ...

    def _check_drive(self, drive: Drive) -> None: ...

    def _check_near(self, near: Settled, batch: int) -> None: ...

    def _settle(self, drive: Drive, near: Settled | None) -> Settled: ...

    def _settle_phases(
        self, inputs: Floats, nudges_amps: Sequence[Floats | None], near: Settled | None
    ) -> list[Settled]:
        """Settle one batch of inputs, which were checked, with several nudges."""
        ...


class SettlesTogether:
    """Mixin: phases with the same inputs are settled at once; to stand before Substrate."""

    def _settle(self: SettlesPhases, drive: Drive, near: Settled | None) -> Settled:
        return self._settle_phases(drive.input_volts, [drive.nudge_amps], near)[0]

    def settle_each(
        self: SettlesPhases, drives: Sequence[Drive], near: Settled | None = None
    ) -> list[Settled]:
        """Settle several drives; together where they have their inputs in common.

        Raises:
            UsageError: wrong shape or dtype.
            SafetyError: an input or nudge of any drive is outside the limits or not finite.
        """
        self._check_open()
        for drive in drives:
            self._check_drive(drive)
            if near is not None:
                self._check_near(near, len(drive.input_volts))
        if not drives:
            return []
        inputs = drives[0].input_volts
        for drive in drives:
            if drive.input_volts is not inputs:
                return [self._settle(drive, near) for drive in drives]
        return self._settle_phases(inputs, [drive.nudge_amps for drive in drives], near)


class _Compared(SettlesEach, Protocol):
    spec: SubstrateSpec


class ComparesHeld:
    """Mixin: compares what sample-and-holds keep of two drives settled together."""

    def accumulate_comparisons(
        self: _Compared,
        first: Drive,
        second: Drive,
        dead_zone_volts: float,
        near: Settled | None = None,
    ) -> Comparisons:
        """Settle both drives and compare every device's absolute drops; see the protocol.

        Drops are those between the nodes that are held.
        """
        before, after = self.settle_each([first, second], near)
        return compare_held(self.spec.topology, before, after, dead_zone_volts)


def compare_held(
    topology: Topology, first: Settled, second: Settled, dead_zone_volts: float
) -> Comparisons:
    """Compare drops of the examples that settled in both phases.

    Args:
        topology: where the devices are.
        first: states of a batch.
        second: states of the same examples.
        dead_zone_volts: absolute drops that differ by no more give no vote.
    """
    ok = first.ok & second.ok
    low, high = first.node_volts[ok], second.node_volts[ok]
    return Comparisons(held_votes(topology, low, high, dead_zone_volts), ok)


def held_votes(
    topology: Topology, first: Floats, second: Floats, dead_zone_volts: float
) -> IntArray:
    """(n_devices,) batch-summed votes; see :class:`hil.substrate.Comparisons`.

    Args:
        topology: where the devices are.
        first: (batch, n_nodes) volts.
        second: (batch, n_nodes) volts of the same examples.
        dead_zone_volts: see :func:`compare_held`.
    """
    votes = np.zeros(topology.n_devices, np.int32)
    for group, part in zip(topology.groups, topology.slices, strict=True):
        tails, heads, found = group.tails, group.heads, votes[part]
        if isinstance(group, Crossbar):
            lines = first[:, tails], first[:, heads], second[:, tails], second[:, heads]
            vote(*lines, dead_zone_volts, found.reshape(tails.size, heads.size))
            continue
        # Example by example, so that memory stays at the number of devices.
        for low, high in zip(first, second, strict=True):
            rise = np.abs(high[tails] - high[heads]) - np.abs(low[tails] - low[heads])
            found += rise > dead_zone_volts
            found -= rise < -dead_zone_volts
    return votes
