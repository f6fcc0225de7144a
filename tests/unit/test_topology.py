"""Device graphs."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import ConfigurationError
from hil.topology import Crossbar, Edges, Topology, layered


def nodes(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_crossbar_devices_are_row_major() -> None:
    crossbar = Crossbar(nodes(0, 1), nodes(5, 6, 7))
    tails, heads = crossbar.ends()
    assert crossbar.n_devices == 6
    np.testing.assert_array_equal(tails, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(heads, [5, 6, 7, 5, 6, 7])


def test_groups_follow_each_other_on_the_device_axis() -> None:
    graph = Topology(
        6,
        nodes(0, 1),
        nodes(4, 5),
        (Crossbar(nodes(0, 1), nodes(2, 3)), Edges(nodes(2, 3, 0), nodes(4, 5, 5))),
    )
    assert graph.n_devices == 7
    assert graph.slices == (slice(0, 4), slice(4, 7))
    np.testing.assert_array_equal(graph.tails, [0, 0, 1, 1, 2, 3, 0])
    np.testing.assert_array_equal(graph.heads, [2, 3, 2, 3, 4, 5, 5])
    np.testing.assert_array_equal(graph.hidden, [2, 3])


def test_layered_without_hidden_layers() -> None:
    graph = layered(3, (), 2)
    assert graph.n_nodes == 5
    np.testing.assert_array_equal(graph.inputs, [0, 1, 2])
    np.testing.assert_array_equal(graph.outputs, [3, 4])
    assert graph.hidden.size == 0
    (crossbar,) = graph.groups
    np.testing.assert_array_equal(crossbar.tails, [0, 1, 2])
    np.testing.assert_array_equal(crossbar.heads, [3, 4])


def test_layered_joins_each_layer_to_the_next() -> None:
    graph = layered(2, (3, 2), 1)
    np.testing.assert_array_equal(graph.hidden, [2, 3, 4, 5, 6])
    ends = [(list(g.tails), list(g.heads)) for g in graph.groups]
    assert ends == [([0, 1], [2, 3, 4]), ([2, 3, 4], [5, 6]), ([5, 6], [7])]
    assert graph.n_devices == 6 + 6 + 2


def test_bias_lines_are_inputs_and_rows_of_their_crossbar() -> None:
    graph = layered(2, (2,), 1, biased=(True, True))
    np.testing.assert_array_equal(graph.inputs, np.arange(6))
    first, second = graph.groups
    np.testing.assert_array_equal(first.tails, [0, 1, 2, 3])
    np.testing.assert_array_equal(first.heads, [6, 7])
    np.testing.assert_array_equal(second.tails, [6, 7, 4, 5])
    np.testing.assert_array_equal(second.heads, [8])


def test_bias_of_the_last_crossbar_only() -> None:
    graph = layered(2, (2,), 1, biased=(False, True))
    np.testing.assert_array_equal(graph.groups[0].tails, [0, 1])
    np.testing.assert_array_equal(graph.groups[1].tails, [4, 5, 2, 3])


def test_amplifier_outputs_are_nodes_that_drive_the_next_crossbar() -> None:
    graph = layered(1, (2, 1), 1, amplified=True)
    assert graph.n_nodes == 1 + 4 + 2 + 1
    ends = [(list(g.tails), list(g.heads)) for g in graph.groups]
    assert ends == [([0], [1, 2]), ([3, 4], [5]), ([6], [7])]
    np.testing.assert_array_equal(graph.outputs, [7])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((0, (2,), 1), "at least one node"),
        ((1, (0,), 1), "at least one node"),
        ((1, (2,), 0), "at least one node"),
    ],
)
def test_layers_need_nodes(arguments: tuple[int, tuple[int, ...], int], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        layered(*arguments)


def test_bias_settings_must_match_the_crossbars() -> None:
    with pytest.raises(ConfigurationError, match="2 crossbars need 2 bias settings"):
        layered(1, (2,), 1, biased=(True,))


GOOD = {
    "n_nodes": 4,
    "inputs": nodes(0),
    "outputs": nodes(3),
    "groups": (Edges(nodes(0, 1), nodes(1, 3)),),
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"inputs": nodes()}, "no input nodes"),
        ({"outputs": nodes()}, "no output nodes"),
        ({"inputs": nodes(0, 0)}, "listed twice"),
        ({"groups": ()}, "no devices"),
        ({"groups": (Edges(nodes(), nodes()),)}, "no devices"),
        ({"outputs": nodes(4)}, "outside 0..3"),
        ({"inputs": nodes(-1)}, "outside 0..3"),
        ({"groups": (Edges(nodes(0), nodes(9)),)}, "outside 0..3"),
        ({"inputs": nodes(0, 3)}, "both input and output"),
        ({"groups": (Edges(nodes(1), nodes(1)),)}, "joins a node to itself"),
        ({"groups": (Edges(nodes(0, 1), nodes(1)),)}, "itself"),
        ({"groups": (Crossbar(nodes(0, 1), nodes(1, 2)),)}, "joins a node to itself"),
    ],
)
def test_graphs_that_make_no_sense(change: dict[str, object], word: str) -> None:
    Topology(**GOOD)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=word):
        Topology(**(GOOD | change))  # type: ignore[arg-type]
