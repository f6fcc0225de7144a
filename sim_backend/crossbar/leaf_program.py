"""The order in which the inner nodes of a leaf are eliminated, as a list of operations.

A leaf is a small sparse network.  Which conductances arise when a node is eliminated depends on
the leaf's shape only, so it is worked out once a shape; the arithmetic then runs through the list
for several leaves at a time.

Numbers of nodes: ports first (L, R, T, B as in ``layout``), then inner nodes in the order of their
elimination.  A *slot* is a place for the conductance between two nodes; the first slots are those
of pairs of ports ``p > q``, at ``p (p - 1) / 2 + q``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LeafProgram", "leaf_program"]

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]


class LeafProgram(NamedTuple):
    """What to do for a leaf of one shape.

    Attributes:
        n_ports: ports.
        n_inner: inner nodes.
        n_slots: slots.
        word: (h, w) node of every word-line node.
        bit: (h, w) node of every bit-line node.
        device: (h, w) slots of the devices.
        before: (h, w) slots of the word segments.
        after: (h, w) slots of the bit segments.
        first: (n_inner + 1,) where the neighbours of an inner node start in the next two.
        slots: slot between the node and a neighbour that is eliminated later, or a port.
        neighbours: that neighbour.
        targets: slots between pairs of neighbours (a, b < a), for every inner node in turn.
    """

    n_ports: int
    n_inner: int
    n_slots: int
    word: Ints
    bit: Ints
    device: Ints
    before: Ints
    after: Ints
    first: Ints
    slots: Words
    neighbours: Words
    targets: Words


@lru_cache(maxsize=256)
def leaf_program(h: int, w: int, has_right: bool, has_top: bool) -> LeafProgram:
    """The program for leaves of a shape, with or without a block to the right and above."""
    left = list(range(h))
    right = list(range(h, 2 * h)) if has_right else []
    top_start = h + len(right)
    top = list(range(top_start, top_start + w)) if has_top else []
    bottom = list(range(top_start + len(top), top_start + len(top) + w))
    word, bit = np.full((h, w), -1), np.full((h, w), -1)
    if has_right:
        word[:, -1] = right
    if has_top:
        bit[0] = top
    n_ports = bottom[-1] + 1
    n_nodes = _number(word, bit, (0, h, 0, w), n_ports)
    slot = np.full((n_nodes, n_nodes), -1, np.int64)
    pairs = np.arange(n_ports * (n_ports - 1) // 2)
    above, under = np.tril_indices(n_ports, -1)
    slot[above, under] = slot[under, above] = pairs
    count = pairs.size

    def edges(one: Ints, two: Ints) -> Ints:
        nonlocal count
        found = slot[one, two]
        new = np.flatnonzero(found.ravel() < 0)
        places = found.ravel()
        places[new] = count + np.arange(new.size)
        count += new.size
        slot[one, two] = slot[two, one] = places.reshape(one.shape)
        return slot[one, two]

    before = edges(np.concatenate([np.array(left)[:, None], word[:, :-1]], axis=1), word)
    after = edges(bit, np.concatenate([bit[1:], np.array(bottom)[None]], axis=0))
    device = edges(word, bit)
    first, slots, neighbours, targets, n_slots = _eliminate(slot, n_ports, count)
    n_inner = n_nodes - n_ports
    return LeafProgram(
        n_ports, n_inner, n_slots, word, bit, device, before, after, first, slots, neighbours,
        targets,
    )  # fmt: skip


def _number(word: Ints, bit: Ints, block: tuple[int, int, int, int], count: int) -> int:
    """Number the inner nodes of a block, those on the cut between its halves last."""
    r0, r1, c0, c1 = block
    if r1 - r0 == 1 and c1 - c0 == 1:
        # At the edges of the array lines end without a port.
        for plane in ((word,) if c1 == word.shape[1] else ()) + ((bit,) if r0 == 0 else ()):
            if plane[r0, c0] < 0:
                plane[r0, c0] = count
                count += 1
        return count
    if c1 - c0 >= r1 - r0:
        middle = (c0 + c1) // 2
        count = _number(word, bit, (r0, r1, c0, middle), count)
        count = _number(word, bit, (r0, r1, middle, c1), count)
        word[r0:r1, middle - 1] = count + np.arange(r1 - r0)
        return count + r1 - r0
    middle = (r0 + r1) // 2
    count = _number(word, bit, (r0, middle, c0, c1), count)
    count = _number(word, bit, (middle, r1, c0, c1), count)
    bit[middle, c0:c1] = count + np.arange(c1 - c0)
    return count + c1 - c0


@njit(cache=True)
def _eliminate(slot: Ints, n_ports: int, count: int) -> tuple[Ints, Words, Words, Words, int]:
    n = len(slot)
    first = np.zeros(n - n_ports + 1, np.int64)
    slots, neighbours = np.empty(n * n, np.uint32), np.empty(n * n, np.uint32)
    targets = np.empty(n * n * 16, np.uint32)
    used, n_targets = 0, 0
    for k in range(n_ports, n):
        start = used
        for m in range(n):
            if (m < n_ports or m > k) and slot[k, m] >= 0:
                slots[used], neighbours[used] = slot[k, m], m
                used += 1
        for i in range(start, used):
            for j in range(start, i):
                a, b = neighbours[i], neighbours[j]
                if slot[a, b] < 0:
                    slot[a, b] = slot[b, a] = count
                    count += 1
                targets[n_targets] = slot[a, b]
                n_targets += 1
        first[k - n_ports + 1] = used
    return first, slots[:used].copy(), neighbours[:used].copy(), targets[:n_targets].copy(), count
