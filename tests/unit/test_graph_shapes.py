"""Graphs: counts, connectedness, roles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import csgraph

from hil.errors import ConfigurationError
from sim_backend.graph import shapes


def n_parts(edges: np.ndarray, n_nodes: int) -> int:
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), (n_nodes, n_nodes))
    return int(csgraph.connected_components(graph, directed=False)[0])


def distinct(edges: np.ndarray) -> int:
    return len({tuple(sorted(edge)) for edge in edges.tolist()})


@given(st.integers(1, 7), st.integers(1, 7))
def test_a_lattice_joins_nearest_neighbours(rows: int, columns: int) -> None:
    edges = shapes.lattice(rows, columns)
    assert len(edges) == distinct(edges) == rows * (columns - 1) + columns * (rows - 1)
    place = np.stack([edges % rows, edges // rows])
    np.testing.assert_array_equal(np.abs(place[:, :, 0] - place[:, :, 1]).sum(axis=0), 1)


@given(st.integers(3, 7), st.integers(1, 7))
def test_a_cylinder_has_four_neighbours_inside(rows: int, columns: int) -> None:
    edges = shapes.lattice(rows, columns, periodic=True)
    assert len(edges) == distinct(edges) == rows * (columns - 1) + columns * rows


@given(st.integers(2, 40), st.floats(0.0, 1.0), st.integers(0, 99))
def test_a_random_graph_is_connected_and_as_dense_as_asked(
    n_nodes: int, density: float, seed: int
) -> None:
    most = n_nodes * (n_nodes - 1) // 2
    wanted = n_nodes - 1 + int(density * (most - n_nodes + 1))
    edges = shapes.random_graph(n_nodes, 2.0 * wanted / n_nodes, np.random.default_rng(seed))
    assert len(edges) == distinct(edges) == wanted
    assert (edges[:, 0] < edges[:, 1]).all()
    assert n_parts(edges, n_nodes) == 1


@pytest.mark.parametrize("degree", [0.5, 9.5])
def test_a_degree_that_no_connected_graph_has_is_refused(degree: float) -> None:
    with pytest.raises(ConfigurationError, match="mean degree"):
        shapes.random_graph(10, degree, np.random.default_rng(0))


def test_a_full_graph_has_every_pair() -> None:
    assert len(shapes.full(9)) == distinct(shapes.full(9)) == 36


def test_inputs_come_first_and_have_no_devices_between_them() -> None:
    topology = shapes.place(shapes.full(6), 6, 3, 2)
    np.testing.assert_array_equal(topology.inputs, [0, 1, 2])
    np.testing.assert_array_equal(topology.outputs, [4, 5])
    assert topology.n_devices == 15 - 3
    sourced = np.isin([topology.tails, topology.heads], topology.inputs)
    assert not sourced.all(axis=0).any()


def test_roles_can_be_named() -> None:
    topology = shapes.place(shapes.full(5), 5, 2, 1, (4, 2), (0,))
    np.testing.assert_array_equal(topology.inputs, [4, 2])
    np.testing.assert_array_equal(topology.outputs, [0])


def test_roles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="do not fit on 4 nodes"):
        shapes.place(shapes.full(4), 4, 3, 2)
    with pytest.raises(ConfigurationError, match="input_nodes names 1"):
        shapes.place(shapes.full(4), 4, 2, 1, (0,))
    with pytest.raises(ConfigurationError, match="output_nodes names 2"):
        shapes.place(shapes.full(4), 4, 2, 1, None, (2, 3))
