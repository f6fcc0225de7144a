"""What stands between terms of an estimate and a pass over the devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hil.arrays import Floats
from hil.energy import Term, is_balanced
from hil.topology import Topology
from sim_backend.layered import programming
from sim_backend.layered.network import LayeredNetwork

__all__ = ["Devices", "Phases", "differences"]


class Phases(NamedTuple):
    """Phases of a batch as differences from one of them; see ``programming.program``."""

    first: Floats
    others: Floats
    weights: Floats
    share_inputs: bool


class Devices:
    """What device passes need to know of the crossbars and leave behind.

    The network's sums are views of those kept here, so that every pass renews them.

    Args:
        network: whose devices they are.
        topology: of the same crossbars.
    """

    def __init__(self, network: LayeredNetwork, topology: Topology) -> None:
        blocks: list[programming.Block] = []
        start = top = left = 0
        for index, (group, block) in enumerate(zip(topology.groups, network.blocks, strict=True)):
            rows, columns = block.shape
            follow = bool(np.all(np.diff(group.tails) == 1))
            sourced = int(index == 0 and follow)
            head = int(group.heads[0])
            blocks.append(programming.Block(start, rows, columns, head, top, left, sourced))
            start, top, left = start + block.size, top + rows, left + columns
        self.blocks = np.array(blocks, np.int64)
        self.tails = np.concatenate([group.tails for group in topology.groups]).astype(np.int64)
        self.changed = np.zeros(start, np.uint8)
        self.row_sums = np.zeros(top, network.dtype)
        self.column_sums = np.zeros((network.options.threads, left), network.dtype)
        for index, at in enumerate(blocks):
            network.keep_sums_in(
                index,
                self.row_sums[at.top : at.top + at.rows],
                self.column_sums[0, at.left : at.left + at.columns],
            )


def _plain(volts: Floats, dtype: np.dtype[np.floating]) -> Floats:
    """The same numbers in the one kind of array that kernels are compiled for."""
    flags = volts.flags
    if volts.dtype == dtype and flags.c_contiguous and flags.writeable:
        return volts
    return np.array(volts, dtype)


def differences(terms: Sequence[Term], dtype: np.dtype[np.floating]) -> Phases:
    """Terms as differences from the first, or from 0 V if their weights do not cancel."""
    volts = [_plain(term.node_volts, dtype) for term in terms]
    weights = [term.coefficient for term in terms]
    balanced = is_balanced(terms)
    if balanced:
        first, volts, weights = volts[0], volts[1:], weights[1:]
    else:
        first = np.zeros_like(volts[0])
    others = volts[0][None] if len(volts) == 1 else np.stack(volts)
    return Phases(first, others, np.array(weights, dtype), balanced)
