"""Shares of the work on a level for the threads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.layout import PORTS, SHARED

__all__ = ["shared_nodes", "side_by_side", "strips", "tiles"]

Ints = NDArray[np.int64]

_SIDE_BY_SIDE = 8
"""Joins from which on a level is done join by join; the same for any number of threads, so that
results are."""

_ROWS = 16
"""Rows of weights that stay together when a product is shared by threads."""

_TILE = 192
"""Rows and columns of the tiles of a large matrix."""

_STRIP = 128
"""Ports whose weights are worked out in one task, at most."""


def side_by_side(n_joins: int) -> bool:
    """Whether there are enough joins for threads to do whole ones."""
    return n_joins >= _SIDE_BY_SIDE


def strips(table: Ints) -> Ints:
    """(n, 3) join and columns of ports from, to."""
    found = [
        (k, low, min(low + _STRIP, n))
        for k, n in enumerate(table[:, PORTS].tolist())
        for low in range(0, n, _STRIP)
    ]
    return np.array(found, np.int64)


def tiles(table: Ints, corner: int) -> Ints:
    """(n, 5) join and tile of its lower triangle, dear ones first.

    Args:
        table: of joins.
        corner: if above 0, only rows from there and columns up to there are wanted.
    """
    found = []
    for k, (n, shared) in enumerate(table[:, [PORTS, SHARED]].tolist()):
        bounds = sorted({*range(0, n, _TILE), n, corner})
        ranges = list(pairwise(bounds))
        for i0, i1 in ranges:
            for j0, j1 in ranges:
                if j0 <= i0 and (corner == 0 or (i0 >= corner and j1 <= corner)):
                    cost = (i1 - i0) * (j1 - j0) * shared // (1 + (i0 == j0))
                    found.append((cost, k, i0, i1, j0, j1))
    found.sort(reverse=True)
    return np.array([tile for _, *tile in found], np.int64)


def shared_nodes(table: Ints, threads: int) -> tuple[Ints, Ints]:
    """Joins cut so that every thread reads about as many weights as the others.

    Returns:
        (n, 3) join and shared nodes from, to; and (threads + 1,) the tasks of every thread.
    """
    n, shared = len(table), table[:, SHARED]
    if side_by_side(n):
        tasks = np.stack([np.arange(n), np.zeros(n, np.int64), shared], axis=1)
        sizes = np.concatenate([[0], np.cumsum(shared * table[:, PORTS])])
        cuts = sizes[-1] * np.arange(threads + 1) // threads
        return tasks, np.searchsorted(sizes, cuts).astype(np.int64)
    pieces = [
        (k, *(min(m, -(-m * cut // (threads * _ROWS)) * _ROWS) for cut in (t, t + 1)))
        for t in range(threads)
        for k, m in enumerate(shared.tolist())
    ]
    return np.array(pieces, np.int64), np.arange(threads + 1, dtype=np.int64) * n
