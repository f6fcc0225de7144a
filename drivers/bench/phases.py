"""Running the phases of a batch, whatever the wiring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.arrays import BoolArray, Floats
from hil.substrate import Comparisons, Drive, Settled
from hil.topology import Topology

__all__ = ["Phases", "compared"]


class Phases(Protocol):
    """What brings a network to steady states and measures them.

    The caller has checked the drives: their shapes, one batch size, levels within the limits.
    """

    def energise(self) -> None:
        """Limits, levels of 0, then outputs on; after ``Equipment.prepare``."""
        ...

    def settle_each(self, drives: Sequence[Drive]) -> list[Settled]:
        """One state a drive; all drives of an example follow each other.

        An example whose ``ok`` is False was measured while a source was in compliance, or is
        beyond a range (its voltages may be NaN there).

        Raises:
            HilError: an instrument failed; nothing is retried.
        """
        ...

    def compare(self, first: Drive, second: Drive, dead_zone_volts: float) -> Comparisons:
        """Compare ``|drop|`` of ``second`` with that of ``first``, example by example."""
        ...

    def rest(self) -> None:
        """All levels to 0, with outputs on; afterwards relays may move."""
        ...

    def know(self, conductance_siemens: Floats) -> None:
        """Wait longer from now on if these (n_devices,) conductances need it."""
        ...


def compared(
    topology: Topology, first: Settled, second: Settled, dead_zone_volts: float
) -> Comparisons:
    """Comparisons in software of what was measured, for benches without comparators."""
    ok: BoolArray = first.ok & second.ok
    rise = _drops(topology, second.node_volts[ok])
    rise -= _drops(topology, first.node_volts[ok])
    votes = np.count_nonzero(rise > dead_zone_volts, axis=0)
    votes -= np.count_nonzero(rise < -dead_zone_volts, axis=0)
    return Comparisons(votes.astype(np.int32), ok)


def _drops(topology: Topology, volts: Floats) -> Floats:
    """(batch, n_devices) absolute drops."""
    return np.abs(volts[:, topology.tails] - volts[:, topology.heads])
