"""All joins of a level: many small ones side by side, or few large ones cut into tasks."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.crossbar.blas import multiply_add, solve_triangular
from sim_backend.crossbar.join_kernels import (
    add_tile,
    factorise,
    gather,
    solve_weights,
    to_weights,
)
from sim_backend.crossbar.layout import (
    A_SHARED,
    A_VECTOR,
    B_SHARED,
    B_VECTOR,
    PIVOTS,
    PORTS,
    SEGMENTS,
    SHARED,
    SHARES,
    VECTOR,
    WEIGHTS,
)

__all__ = ["ascend", "descend", "join_in_tasks", "join_small"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, error_model="numpy", parallel=True)
def join_small(
    joins: Ints,
    matrices: tuple[Floats, Floats],
    kept: tuple[Floats, Floats],
    is_kept: bool,
    chunks: int,
) -> None:
    """Join blocks, each join in one go.

    Args:
        joins: (n, COLUMNS), see :class:`~sim_backend.crossbar.layout.Joins`.
        matrices: buffers of the matrices below and above.
        kept: buffers of weights and pivots to fill, or anything.
        is_kept: whether to fill them.
        chunks: shares of the work.
    """
    n, m = joins[:, PORTS].max(), joins[:, SHARED].max()
    for chunk in prange(chunks):
        one = np.empty(0 if is_kept else n * m)
        two = np.empty(0 if is_kept else m * m)
        for k in range(chunk * len(joins) // chunks, (chunk + 1) * len(joins) // chunks):
            join = joins[k]
            weights = kept[0][join[WEIGHTS] :] if is_kept else one
            pivots = kept[1][join[PIVOTS] :] if is_kept else two
            ports = join[PORTS]
            gather(join, matrices[0], weights, 0, ports)
            factorise(join, matrices[0], weights, pivots)
            solve_weights(join, pivots, weights, 0, ports)
            add_tile(join, matrices[0], weights, matrices[1], (0, ports, 0, ports))
            if is_kept:
                to_weights(join, pivots, weights, 0, ports)


@njit(cache=True, error_model="numpy", parallel=True)
def join_in_tasks(
    joins: Ints,
    matrices: tuple[Floats, Floats],
    kept: tuple[Floats, Floats],
    is_kept: bool,
    tasks: tuple[Ints, Ints],
    chunks: int,
) -> None:
    """Join blocks, each join shared by all threads.

    Args:
        joins: (n, COLUMNS).
        matrices: buffers of the matrices below and above.
        kept: buffers of weights and pivots to fill.
        is_kept: whether they are needed afterwards.
        tasks: (n, 3) join and columns of ports from, to; (n, 5) join and tile.
        chunks: shares of the work; tasks are dealt out in turn.
    """
    columns, tiles = tasks
    for chunk in prange(chunks):
        for t in range(chunk, len(columns), chunks):
            join = joins[columns[t, 0]]
            weights = kept[0][join[WEIGHTS] :]
            gather(join, matrices[0], weights, columns[t, 1], columns[t, 2])
    for chunk in prange(chunks):
        for t in range(chunk, len(joins), chunks):
            weights, pivots = kept[0][joins[t, WEIGHTS] :], kept[1][joins[t, PIVOTS] :]
            factorise(joins[t], matrices[0], weights, pivots)
    for chunk in prange(chunks):
        for t in range(chunk, len(columns), chunks):
            join = joins[columns[t, 0]]
            weights, pivots = kept[0][join[WEIGHTS] :], kept[1][join[PIVOTS] :]
            solve_weights(join, pivots, weights, columns[t, 1], columns[t, 2])
    for chunk in prange(chunks):
        for t in range(chunk, len(tiles), chunks):
            join = joins[tiles[t, 0]]
            tile = (tiles[t, 1], tiles[t, 2], tiles[t, 3], tiles[t, 4])
            add_tile(join, matrices[0], kept[0][join[WEIGHTS] :], matrices[1], tile)
    for chunk in prange(chunks if is_kept else 0):
        for t in range(chunk, len(columns), chunks):
            join = joins[columns[t, 0]]
            weights, pivots = kept[0][join[WEIGHTS] :], kept[1][join[PIVOTS] :]
            to_weights(join, pivots, weights, columns[t, 1], columns[t, 2])


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _mean_one(weights: Floats, n: int, m: int, volts: Floats, out: Floats) -> None:
    """``out = W volts`` for one example, four rows at a time."""
    fours = m - m % 4
    for k in range(0, fours, 4):
        w0, w1 = weights[k * n : (k + 1) * n], weights[(k + 1) * n : (k + 2) * n]
        w2, w3 = weights[(k + 2) * n : (k + 3) * n], weights[(k + 3) * n : (k + 4) * n]
        s0 = s1 = s2 = s3 = 0.0
        for p in range(n):
            v = volts[p]
            s0 += w0[p] * v
            s1 += w1[p] * v
            s2 += w2[p] * v
            s3 += w3[p] * v
        out[k], out[k + 1], out[k + 2], out[k + 3] = s0, s1, s2, s3
    for k in range(fours, m):
        row = weights[k * n : (k + 1) * n]
        s = 0.0
        for p in range(n):
            s += row[p] * volts[p]
        out[k] = s


@njit(cache=True, error_model="numpy")
def _share(join: Ints, low: int, m: int, shared: Floats, extra: Floats, below: Floats) -> None:
    """Give the voltages of shared nodes to both blocks."""
    batch = below.shape[1]
    one, two = join[A_VECTOR] + join[A_SHARED] + low, join[B_VECTOR] + join[B_SHARED] + low
    for k in range(m):
        for b in range(batch):
            volts = shared[k * batch + b]
            if extra.shape[1]:
                volts += extra[join[SHARES] + low + k, b]
            below[one + k, b] = below[two + k, b] = volts


@njit(cache=True, error_model="numpy", parallel=True)
def descend(
    joins: Ints,
    vectors: tuple[Floats, Floats],
    weights: Floats,
    extra: Floats,
    tasks: Ints,
    bounds: Ints,
) -> None:
    """Voltages of the ports of blocks from those of the blocks they were joined to.

    Args:
        joins: (n, COLUMNS).
        vectors: (n, batch) port voltages below, to fill, and above.
        weights: W of all joins.
        extra: (n_shares, batch) voltages that sources add at the shared nodes, or no examples.
        tasks: (n, 3) join and shared nodes from, to.
        bounds: (chunks + 1,) the tasks of each chunk.
    """
    below, above = vectors
    batch = above.shape[1]
    flat = above.reshape(above.size)
    for chunk in prange(len(bounds) - 1):
        most = 0
        for t in range(bounds[chunk], bounds[chunk + 1]):
            most = max(most, tasks[t, 2] - tasks[t, 1])
        shared = np.empty(most * batch)
        for t in range(bounds[chunk], bounds[chunk + 1]):
            join = joins[tasks[t, 0]]
            low, high = tasks[t, 1], tasks[t, 2]
            n, m = join[PORTS], high - low
            rows = weights[join[WEIGHTS] + low * n :]
            volts = flat[join[VECTOR] * batch :]
            if batch == 1:
                _mean_one(rows, n, m, volts, shared)
            else:
                shape = (batch, m, n)
                multiply_add((False, False), shape, volts, batch, rows, n, 0.0, shared, batch)
            _share(join, low, m, shared, extra, below)
            if low == 0:
                _to_children(join, below, above)


@njit(cache=True, error_model="numpy")
def _to_children(join: Ints, below: Floats, above: Floats) -> None:
    start = join[VECTOR]
    for part in range(6):
        which, first, count = join[SEGMENTS + 3 * part : SEGMENTS + 3 * part + 3]
        to = (join[A_VECTOR] if which == 0 else join[B_VECTOR]) + first
        for k in range(count):
            for b in range(above.shape[1]):
                below[to + k, b] = above[start + k, b]
        start += count


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _spread_one(weights: Floats, n: int, m: int, into: Floats, out: Floats) -> None:
    """``out += W^T into`` for one example."""
    for k in range(m):
        row, x = weights[k * n : (k + 1) * n], into[k]
        for p in range(n):
            out[p] += row[p] * x


@njit(cache=True, error_model="numpy")
def _from_children(join: Ints, below: Floats, above: Floats, shared: Floats) -> None:
    """Currents into shared nodes, and into the ports of the new block as far as they are its."""
    batch = above.shape[1]
    one, two = join[A_VECTOR] + join[A_SHARED], join[B_VECTOR] + join[B_SHARED]
    for k in range(join[SHARED]):
        for b in range(batch):
            shared[k * batch + b] = below[one + k, b] + below[two + k, b]
    start = join[VECTOR]
    for part in range(6):
        which, first, count = join[SEGMENTS + 3 * part : SEGMENTS + 3 * part + 3]
        origin = (join[A_VECTOR] if which == 0 else join[B_VECTOR]) + first
        for k in range(count):
            for b in range(batch):
                above[start + k, b] = below[origin + k, b]
        start += count


@njit(cache=True, error_model="numpy", parallel=True)
def ascend(
    joins: Ints,
    vectors: tuple[Floats, Floats],
    kept: tuple[Floats, Floats],
    extra: Floats,
    chunks: int,
) -> None:
    """Currents into the ports of blocks from those into the blocks they are made of.

    Args:
        joins: (n, COLUMNS).
        vectors: (n, batch) currents into ports below, and above, to fill.
        kept: weights and pivots of all joins.
        extra: (n_shares, batch) to fill with the voltages that the currents add.
        chunks: shares of the work.
    """
    below, above = vectors
    batch = above.shape[1]
    flat, shares = above.reshape(above.size), extra.reshape(extra.size)
    for chunk in prange(chunks):
        for t in range(chunk, len(joins), chunks):
            join = joins[t]
            n, m = join[PORTS], join[SHARED]
            mine = shares[join[SHARES] * batch : (join[SHARES] + m) * batch]
            _from_children(join, below, above, mine)
            weights, out = kept[0][join[WEIGHTS] :], flat[join[VECTOR] * batch :]
            if batch == 1:
                _spread_one(weights, n, m, mine, out)
            else:
                shape = (batch, n, m)
                multiply_add((False, True), shape, mine, batch, weights, n, 1.0, out, batch)
            pivots = kept[1][join[PIVOTS] :]
            solve_triangular((False, False), (batch, m), 1.0, pivots, m, mine, batch)
            solve_triangular((False, True), (batch, m), 1.0, pivots, m, mine, batch)
