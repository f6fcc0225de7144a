"""Graphs of devices: lattices, random graphs, fully connected ones.

Inputs come first in the order of nodes and outputs last, unless nodes are named for them.
Between two inputs there is no device: both its ends are sourced, so it would only load the
sources.
"""

from __future__ import annotations

import itertools

import numpy as np

from hil.arrays import IntArray
from hil.errors import ConfigurationError
from hil.topology import Edges, Topology

__all__ = ["full", "lattice", "place", "random_graph"]


def lattice(rows: int, columns: int, *, periodic: bool = False) -> IntArray:
    """Nearest neighbours of a square lattice, (n_edges, 2).

    Nodes are numbered column by column, so that inputs lie at the left side and outputs at the
    right one.  With ``periodic`` the top row is joined to the bottom one (a cylinder).
    """
    node = np.arange(rows * columns).reshape(columns, rows)
    pairs = [
        np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1),
        np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1),
    ]
    if periodic and rows > 2:
        pairs.append(np.stack([node[:, -1], node[:, 0]], axis=1))
    return np.concatenate(pairs)


def random_graph(n_nodes: int, degree: float, rng: np.random.Generator) -> IntArray:
    """A connected random graph with a mean degree, (n_edges, 2).

    A random tree first, which makes it connected, then edges drawn evenly among the pairs left.

    Raises:
        ConfigurationError: too few or too many edges for so many nodes.
    """
    n_edges = round(0.5 * degree * n_nodes)
    most = n_nodes * (n_nodes - 1) // 2
    if not n_nodes - 1 <= n_edges <= most:
        raise ConfigurationError(
            f"a connected graph of {n_nodes} nodes has {n_nodes - 1} to {most} edges, a mean "
            f"degree of {degree:g} asks for {n_edges}; change substrate.graph.degree"
        )
    order = rng.permutation(n_nodes)
    before = [int(rng.integers(k)) for k in range(1, n_nodes)]
    tree = np.stack([order[before], order[1:]], axis=1)
    chosen = {_number(int(a), int(b)) for a, b in tree}
    while len(chosen) < n_edges:
        draws = rng.integers(n_nodes, size=(n_edges, 2))
        for a, b in draws[draws[:, 0] != draws[:, 1]]:
            if len(chosen) < n_edges:
                chosen.add(_number(int(a), int(b)))
    high, low = np.transpose([_pair(k) for k in sorted(chosen)])
    return np.stack([low, high], axis=1)


def full(n_nodes: int) -> IntArray:
    """Every pair of nodes, (n_edges, 2)."""
    return np.array(list(itertools.combinations(range(n_nodes), 2)), np.intp).reshape(-1, 2)


def place(
    edges: IntArray,
    n_nodes: int,
    n_inputs: int,
    n_outputs: int,
    input_nodes: tuple[int, ...] | None = None,
    output_nodes: tuple[int, ...] | None = None,
) -> Topology:
    """Give nodes their roles.

    Args:
        edges: (n_edges, 2) from one of the functions above.
        n_nodes: of the graph.
        n_inputs: lines that are sourced.
        n_outputs: nodes that are read.
        input_nodes: which; the first ones if None.
        output_nodes: which; the last ones if None.

    Raises:
        ConfigurationError: too few nodes, or lists of another length.
    """
    if n_inputs + n_outputs > n_nodes:
        raise ConfigurationError(
            f"{n_inputs} input lines and {n_outputs} outputs do not fit on {n_nodes} nodes; "
            "make the graph larger"
        )
    given = {"input_nodes": (input_nodes, n_inputs), "output_nodes": (output_nodes, n_outputs)}
    for name, (nodes, wanted) in given.items():
        if nodes is not None and len(nodes) != wanted:
            raise ConfigurationError(
                f"substrate.graph.{name} names {len(nodes)} nodes, but the data and the encoding "
                f"need {wanted}"
            )
    inputs = np.arange(n_inputs) if input_nodes is None else np.array(input_nodes, np.intp)
    last = np.arange(n_nodes - n_outputs, n_nodes)
    outputs = last if output_nodes is None else np.array(output_nodes, np.intp)
    kept = edges[~np.isin(edges, inputs).all(axis=1)]
    return Topology(n_nodes, inputs, outputs, (Edges(kept[:, 0], kept[:, 1]),))


def _number(a: int, b: int) -> int:
    """Of a pair of nodes, whichever comes first."""
    low, high = min(a, b), max(a, b)
    return high * (high - 1) // 2 + low


def _pair(number: int) -> tuple[int, int]:
    """The larger and the smaller node of a pair."""
    high = int((1 + np.sqrt(1 + 8 * number)) // 2)
    while high * (high - 1) // 2 > number:
        high -= 1
    return high, number - high * (high - 1) // 2
