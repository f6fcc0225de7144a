r"""Arithmetic on leaves: eight of one shape at a time, one in each lane of a vector register.

A node k with conductances :math:`c_{ka}` to its neighbours is eliminated by the star-mesh
transform :math:`c_{ab} \mathrel{+}= c_{ka} c_{kb} / d,\; d = \sum_a c_{ka}`.  All terms are
positive and d is a sum, never a difference, so every conductance keeps full *relative* accuracy,
however far wires and devices are apart (Grassmann, Taksar and Heyman 1985 for Markov chains).
What is kept are the weights :math:`c_{ka} / d`: the node's voltage is the weighted mean of its
neighbours'.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.crossbar.leaf_program import LeafProgram

__all__ = ["LANES", "ascend", "descend", "eliminate", "multiply_drops"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LANES = 8
_CONTRACT = {"contract"}

# Columns of the table of places of leaves.
ROW, COL, MATRIX, VECTOR = range(4)


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT, inline="never")
def _fill(
    program: LeafProgram, places: Ints, planes: tuple[Floats, Floats, Floats], slots: Floats
) -> None:
    """Put the conductances of eight leaves into their slots."""
    devices, words, bits = planes
    h, w = program.word.shape
    slots[: program.n_slots * LANES] = 0.0
    for lane in range(LANES):
        r0, c0 = places[lane, ROW], places[lane, COL]
        for i in range(h):
            for j in range(w):
                slots[program.device[i, j] * LANES + lane] = devices[r0 + i, c0 + j]
                slots[program.before[i, j] * LANES + lane] = words[r0 + i, c0 + j]
                slots[program.after[i, j] * LANES + lane] = bits[r0 + i, c0 + j]


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT)
def _add_pairs(
    n: int, program: LeafProgram, at: int, raw: Floats, weights: Floats, slots: Floats
) -> int:
    """``c_ab += w_a c_b`` for all pairs of n neighbours, eight lanes at once."""
    for a in range(1, n):
        p = a * LANES
        w0, w1, w2, w3 = weights[p], weights[p + 1], weights[p + 2], weights[p + 3]
        w4, w5, w6, w7 = weights[p + 4], weights[p + 5], weights[p + 6], weights[p + 7]
        for b in range(a):
            q = np.uint64(b * LANES)
            t = np.uint64(program.targets[at]) * np.uint64(LANES)
            at += 1
            x0 = slots[t] + w0 * raw[q]
            x1 = slots[t + np.uint64(1)] + w1 * raw[q + np.uint64(1)]
            x2 = slots[t + np.uint64(2)] + w2 * raw[q + np.uint64(2)]
            x3 = slots[t + np.uint64(3)] + w3 * raw[q + np.uint64(3)]
            x4 = slots[t + np.uint64(4)] + w4 * raw[q + np.uint64(4)]
            x5 = slots[t + np.uint64(5)] + w5 * raw[q + np.uint64(5)]
            x6 = slots[t + np.uint64(6)] + w6 * raw[q + np.uint64(6)]
            x7 = slots[t + np.uint64(7)] + w7 * raw[q + np.uint64(7)]
            slots[t] = x0
            slots[t + np.uint64(1)] = x1
            slots[t + np.uint64(2)] = x2
            slots[t + np.uint64(3)] = x3
            slots[t + np.uint64(4)] = x4
            slots[t + np.uint64(5)] = x5
            slots[t + np.uint64(6)] = x6
            slots[t + np.uint64(7)] = x7
    return at


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT)
def _eliminate_nodes(
    program: LeafProgram, slots: Floats, raw: Floats, weights: Floats, ohms: Floats
) -> None:
    """Eliminate the inner nodes; ``weights`` and ``ohms`` are those of one group."""
    total = np.empty(LANES)
    at = 0
    for k in range(program.n_inner):
        low, high = program.first[k], program.first[k + 1]
        n = high - low
        total[:] = 0.0
        for a in range(n):
            t = np.int64(program.slots[low + a]) * LANES
            for lane in range(LANES):
                raw[a * LANES + lane] = slots[t + lane]
                total[lane] += slots[t + lane]
        for lane in range(LANES):
            ohms[k * LANES + lane] = 1.0 / total[lane]
        mine = weights[low * LANES : high * LANES]
        for a in range(n):
            for lane in range(LANES):
                mine[a * LANES + lane] = raw[a * LANES + lane] / total[lane]
        at = _add_pairs(n, program, at, raw, mine, slots)


@njit(cache=True, error_model="numpy")
def _write_ports(n: int, places: Ints, slots: Floats, matrices: Floats) -> None:
    """Put the conductances between the ports of eight leaves into their matrices."""
    for lane in range(LANES):
        at = places[lane, MATRIX]
        pair = lane
        for p in range(n):
            for q in range(p):
                matrices[at + p * n + q] = slots[pair]
                pair += LANES
            matrices[at + p * n + p] = 0.0


@njit(cache=True, error_model="numpy", parallel=True)
def eliminate(
    program: LeafProgram,
    places: Ints,
    planes: tuple[Floats, Floats, Floats],
    weights: Floats,
    ohms: Floats,
    matrices: Floats,
    chunks: int,
) -> None:
    """Reduce leaves of one shape to their ports.

    Args:
        program: of the shape.
        places: (n_groups, LANES, 4) row, column, start of matrix and port vector of every leaf.
        planes: conductances (rows, cols) of devices, word segments and bit segments.
        weights: (n_groups or 1, n_weights * LANES) to fill; with one group they are not kept.
        ohms: (n_groups or 1, n_inner * LANES) to fill.
        matrices: buffer of the matrices of all leaves; lower triangles are filled.
        chunks: shares of the work.
    """
    n_groups, n = len(places), program.n_ports
    is_kept = len(weights) == n_groups
    for chunk in prange(chunks):
        slots = np.empty(program.n_slots * LANES)
        raw = np.empty((program.n_ports + program.n_inner) * LANES)
        one = np.empty(0 if is_kept else weights.shape[1])
        other = np.empty(0 if is_kept else ohms.shape[1])
        for group in range(chunk * n_groups // chunks, (chunk + 1) * n_groups // chunks):
            _fill(program, places[group], planes, slots)
            if is_kept:
                _eliminate_nodes(program, slots, raw, weights[group], ohms[group])
            else:
                _eliminate_nodes(program, slots, raw, one, other)
            _write_ports(n, places[group], slots, matrices)


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT)
def _voltages(
    program: LeafProgram,
    places: Ints,
    vectors: Floats,
    example: int,
    weights: Floats,
    extra: Floats,
    volts: Floats,
) -> None:
    """Fill the voltages of all nodes of eight leaves from those of their ports."""
    n = program.n_ports
    for lane in range(LANES):
        at = places[lane, VECTOR]
        for port in range(n):
            volts[port * LANES + lane] = vectors[at + port, example]
    for k in range(program.n_inner - 1, -1, -1):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for a in range(program.first[k], program.first[k + 1]):
            p = np.uint64(program.neighbours[a]) * np.uint64(LANES)
            q = np.uint64(a * LANES)
            s0 += weights[q] * volts[p]
            s1 += weights[q + np.uint64(1)] * volts[p + np.uint64(1)]
            s2 += weights[q + np.uint64(2)] * volts[p + np.uint64(2)]
            s3 += weights[q + np.uint64(3)] * volts[p + np.uint64(3)]
            s4 += weights[q + np.uint64(4)] * volts[p + np.uint64(4)]
            s5 += weights[q + np.uint64(5)] * volts[p + np.uint64(5)]
            s6 += weights[q + np.uint64(6)] * volts[p + np.uint64(6)]
            s7 += weights[q + np.uint64(7)] * volts[p + np.uint64(7)]
        to = np.uint64((n + k) * LANES)
        volts[to] = s0
        volts[to + np.uint64(1)] = s1
        volts[to + np.uint64(2)] = s2
        volts[to + np.uint64(3)] = s3
        volts[to + np.uint64(4)] = s4
        volts[to + np.uint64(5)] = s5
        volts[to + np.uint64(6)] = s6
        volts[to + np.uint64(7)] = s7
        if extra.size:
            for lane in range(LANES):
                volts[(n + k) * LANES + lane] += extra[k * LANES + lane]


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _touch(row: Floats) -> float:
    """Read every cache line of a row.

    The sums that use the row wait for one another and so for memory; reading it first, which
    waits for nothing, takes a third off the time of one example (27 MB of weights, Zen 4).
    """
    a = b = c = d = 0.0
    for q in range(0, row.size - 3 * LANES, 4 * LANES):
        a += row[q]
        b += row[q + LANES]
        c += row[q + 2 * LANES]
        d += row[q + 3 * LANES]
    return a + b + c + d


@njit(cache=True, error_model="numpy")
def _write(program: LeafProgram, places: Ints, volts: Floats, words: Floats, bits: Floats) -> None:
    """Put the voltages of eight leaves into the planes of one example."""
    h, w = program.word.shape
    for lane in range(LANES):
        r0, c0 = places[lane, ROW], places[lane, COL]
        mine = volts[lane:]
        for i in range(h):
            row, nodes = words[r0 + i, c0 : c0 + w], program.word[i]
            for j in range(w):
                row[j] = mine[nodes[j] * LANES]
            row, nodes = bits[r0 + i, c0 : c0 + w], program.bit[i]
            for j in range(w):
                row[j] = mine[nodes[j] * LANES]


@njit(cache=True, error_model="numpy", parallel=True)
def descend(
    program: LeafProgram,
    places: Ints,
    vectors: Floats,
    weights: Floats,
    extra: Floats,
    words: Floats,
    bits: Floats,
    chunks: int,
) -> None:
    """Voltages of all nodes of leaves of one shape from those of their ports.

    Args:
        program: of the shape.
        places: see :func:`eliminate`.
        vectors: (n, batch) port voltages of all leaves.
        weights: see :func:`eliminate`.
        extra: (n_groups, batch, n_inner * LANES) voltages that sources inside add, or no examples.
        words: (batch, rows, cols) to fill.
        bits: (batch, rows, cols) to fill.
        chunks: shares of the work.
    """
    n_groups, batch = len(places), vectors.shape[1]
    none = np.empty(0)
    for chunk in prange(chunks):
        volts = np.empty((program.n_ports + program.n_inner) * LANES + 1)
        for group in range(chunk * n_groups // chunks, (chunk + 1) * n_groups // chunks):
            volts[-1] = _touch(weights[group])
            for b in range(batch):
                more = extra[group, b] if extra.shape[1] else none
                _voltages(program, places[group], vectors, b, weights[group], more, volts)
                _write(program, places[group], volts, words[b], bits[b])


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT)
def _add_products(program: LeafProgram, one: Floats, two: Floats, total: Floats) -> None:
    """Add products of the drops of all devices of eight leaves."""
    h, w = program.word.shape
    for i in range(h):
        for j in range(w):
            p, q = program.word[i, j] * LANES, program.bit[i, j] * LANES
            for lane in range(LANES):
                drop = one[p + lane] - one[q + lane]
                total[i * w + j, lane] += drop * (two[p + lane] - two[q + lane])


@njit(cache=True, error_model="numpy", parallel=True)
def multiply_drops(
    program: LeafProgram,
    places: Ints,
    vectors: tuple[Floats, Floats],
    weights: Floats,
    products: Floats,
    chunks: int,
) -> None:
    """Add the sums over the batch of products of device drops at two sets of port voltages.

    Args:
        program: of the shape.
        places: see :func:`eliminate`.
        vectors: twice (n, batch) port voltages of all leaves.
        weights: see :func:`eliminate`.
        products: (rows, cols) to add to.
        chunks: shares of the work.
    """
    n_groups, batch = len(places), vectors[0].shape[1]
    h, w = program.word.shape
    none = np.empty(0)
    for chunk in prange(chunks):
        one = np.empty((program.n_ports + program.n_inner) * LANES)
        two = np.empty((program.n_ports + program.n_inner) * LANES)
        total = np.empty((h * w, LANES))
        for group in range(chunk * n_groups // chunks, (chunk + 1) * n_groups // chunks):
            total[:] = 0.0
            for b in range(batch):
                _voltages(program, places[group], vectors[0], b, weights[group], none, one)
                _voltages(program, places[group], vectors[1], b, weights[group], none, two)
                _add_products(program, one, two, total)
            for lane in range(LANES):
                r0, c0 = places[group, lane, ROW], places[group, lane, COL]
                # A group may be filled up with copies of its last leaf.
                is_copy = (
                    lane > 0 and places[group, lane - 1, MATRIX] == places[group, lane, MATRIX]
                )
                for i in range(0 if is_copy else h):
                    for j in range(w):
                        products[r0 + i, c0 + j] += total[i * w + j, lane]


@njit(cache=True, error_model="numpy")
def _read(program: LeafProgram, places: Ints, words: Floats, bits: Floats, into: Floats) -> None:
    """Take the currents into the nodes of eight leaves from the planes of one example."""
    h, w = program.word.shape
    into[:] = 0.0
    for lane in range(LANES):
        r0, c0 = places[lane, ROW], places[lane, COL]
        for i in range(h):
            for j in range(w):
                into[program.word[i, j] * LANES + lane] += words[r0 + i, c0 + j]
                into[program.bit[i, j] * LANES + lane] += bits[r0 + i, c0 + j]


@njit(cache=True, error_model="numpy", fastmath=_CONTRACT)
def _push_on(
    program: LeafProgram, weights: Floats, ohms: Floats, into: Floats, extra: Floats
) -> None:
    """Pass currents into inner nodes on to their neighbours, up to the ports."""
    for k in range(program.n_inner):
        p = (program.n_ports + k) * LANES
        for a in range(program.first[k], program.first[k + 1]):
            q = np.int64(program.neighbours[a]) * LANES
            for lane in range(LANES):
                into[q + lane] += weights[a * LANES + lane] * into[p + lane]
        for lane in range(LANES):
            extra[k * LANES + lane] = into[p + lane] * ohms[k * LANES + lane]


@njit(cache=True, error_model="numpy", parallel=True)
def ascend(
    program: LeafProgram,
    places: Ints,
    amps: tuple[Floats, Floats],
    weights: Floats,
    ohms: Floats,
    extra: Floats,
    vectors: Floats,
    chunks: int,
) -> None:
    """Move currents that sources push into nodes to the ports of leaves of one shape.

    Args:
        program: of the shape.
        places: see :func:`eliminate`.
        amps: (batch, rows, cols) into nodes of word lines, and into nodes of bit lines.
        weights: see :func:`eliminate`.
        ohms: see :func:`eliminate`.
        extra: (n_groups, batch, n_inner * LANES) to fill with the voltages they cause at once.
        vectors: (n, batch) to fill with currents into ports.
        chunks: shares of the work.
    """
    n_groups, batch, n = len(places), vectors.shape[1], program.n_ports
    for chunk in prange(chunks):
        into = np.empty((n + program.n_inner) * LANES)
        for group in range(chunk * n_groups // chunks, (chunk + 1) * n_groups // chunks):
            for b in range(batch):
                _read(program, places[group], amps[0][b], amps[1][b], into)
                _push_on(program, weights[group], ohms[group], into, extra[group, b])
                for lane in range(LANES):
                    at_vector = places[group, lane, VECTOR]
                    for p in range(n):
                        vectors[at_vector + p, b] = into[p * LANES + lane]
