"""Nodes that are read before they have settled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import ConfigurationError
from hil.substrate import Drive, Settled
from hil.topology import Crossbar, Edges, Topology
from sim_backend.board.abilities import board_around
from sim_backend.board.config import BoardConfig
from sim_backend.board.settling import node_siemens, rows_of
from tests.contract.wrappers import Bare
from tests.unit.board.rig import N_HIDDEN, N_INPUTS, N_OUTPUTS, Linear, Rig, inputs

FARADS, WAIT = 1e-9, 3e-7
BOARD = {"settling": {"node_farads": FARADS}, "timing": {"wait_seconds": WAIT}}
NUDGE = np.full((4, N_OUTPUTS), 1e-4)


def left(rig: Rig) -> np.ndarray:
    """Share of a step that is left, hidden nodes first; every device has one conductance."""
    devices = np.array([N_INPUTS + N_OUTPUTS] * N_HIDDEN + [N_HIDDEN] * N_OUTPUTS)
    return np.exp(-WAIT * devices * rig.inner.conductance[0] / FARADS)


def test_a_free_phase_starts_from_zero() -> None:
    rig = Rig(**BOARD)
    true = rig.inner.steady(Drive(inputs()))
    for _ in range(2):
        np.testing.assert_allclose(rig.read(inputs()), true * (1.0 - left(rig)), rtol=1e-12)


def test_a_nudged_phase_starts_where_the_free_one_ended() -> None:
    rig = Rig(**BOARD, adc={"offset_volts": 0.1})
    free = rig.board.settle(Drive(inputs()))
    before = rig.inner.steady(Drive(inputs())) * (1.0 - left(rig))
    offset = rig.drawn.adc_offset_volts
    for start in (before, None):
        near = free if start is not None else Settled(np.zeros_like(free.node_volts), free.ok)
        found = rig.board.settle(Drive(inputs(), NUDGE), near).node_volts[:, N_INPUTS:] - offset
        goal = rig.inner.steady(Drive(inputs(), NUDGE))
        expected = goal + ((0.0 if start is None else start) - goal) * left(rig)
        np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_phases_of_an_exchange_follow_each_other() -> None:
    rig = Rig(**BOARD)
    free = rig.board.settle(Drive(inputs()))
    at = rig.inner.steady(Drive(inputs())) * (1.0 - left(rig))
    drives = [Drive(inputs(), NUDGE), Drive(inputs(), -NUDGE), Drive(inputs())]
    for drive, state in zip(drives, rig.board.settle_each(drives, free), strict=True):
        goal = rig.inner.steady(drive)
        at = goal + (at - goal) * left(rig)
        np.testing.assert_allclose(state.node_volts[:, N_INPUTS:], at, rtol=1e-12)


def test_an_example_that_fails_in_one_phase_charges_from_zero_in_the_next() -> None:
    rig = Rig(**BOARD)
    failing = inputs()
    failing[1, 0] = 0.125
    states = rig.board.settle_each([Drive(failing), Drive(inputs())])
    np.testing.assert_array_equal(states[0].ok, [True, False, True, True])
    assert states[1].ok.all()
    goal = rig.inner.steady(Drive(inputs()))[1]
    np.testing.assert_allclose(states[1].node_volts[1, N_INPUTS:], goal * (1.0 - left(rig)))


def test_after_a_comparison_no_state_is_the_last_one() -> None:
    rig = Rig(**BOARD)
    free = rig.board.settle(Drive(inputs()))
    rig.board.accumulate_comparisons(Drive(inputs()), Drive(inputs(), NUDGE), 0.0, free)
    found = rig.board.settle(Drive(inputs()), free).node_volts[:, N_INPUTS:]
    expected = rig.inner.steady(Drive(inputs())) * (1.0 - left(rig))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_some_examples_of_the_last_phase_start_where_they_were() -> None:
    rig = Rig(**BOARD, adc={"noise_volts": 1e-9})
    free = rig.board.settle(Drive(inputs()))
    some = np.array([0, 2, 3])
    near = Settled(free.node_volts[some], free.ok[some])
    found = rig.board.settle(Drive(inputs()[some], NUDGE[some]), near).node_volts[:, N_INPUTS:]
    goal = rig.inner.steady(Drive(inputs()[some], NUDGE[some]))
    start = rig.inner.steady(Drive(inputs()[some])) * (1.0 - left(rig))
    np.testing.assert_allclose(found, goal + (start - goal) * left(rig), atol=1e-8)


def test_conductances_are_read_again_only_after_they_changed() -> None:
    rig = Rig(**BOARD)
    n = rig.board.spec.topology.n_devices
    rig.read(inputs())
    rig.read(inputs())
    assert rig.inner.reads == 1
    for change in (
        lambda: rig.board.adjust(np.full(n, 1e-3)),
        lambda: rig.board.pulse(np.ones(n, np.int64)),
    ):
        change()
        true = rig.inner.steady(Drive(inputs()))
        np.testing.assert_allclose(rig.read(inputs()), true * (1.0 - left(rig)), rtol=1e-12)
    assert rig.inner.reads == 3
    idle = Rig(adc={"noise_volts": 1e-3})
    idle.read(inputs())
    assert idle.inner.reads == 0


def test_a_network_that_does_not_tell_its_conductances_is_refused() -> None:
    config = BoardConfig.model_validate(BOARD)
    inner = Bare(Linear())
    drawn = config.draw(inner.spec.topology, np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match="does not tell its conductances"):
        board_around(inner, config, drawn, np.random.default_rng(0))


@given(seed=st.integers(0, 10_000))
def test_sums_of_conductances_are_those_of_the_device_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = rng.permutation(9)
    ends = rng.integers(0, 9, (2, 12))
    ends = ends[:, ends[0] != ends[1]]
    groups = (
        Crossbar(nodes[:3], nodes[3:7]),
        Edges(ends[0], ends[1]),
        Crossbar(nodes[3:5], nodes[8:]),
    )
    graph = Topology(9, nodes[:1], nodes[8:], groups)
    g = rng.uniform(0.0, 1.0, graph.n_devices)
    expected = np.bincount(graph.tails, g, 9) + np.bincount(graph.heads, g, 9)
    np.testing.assert_allclose(node_siemens(graph, g), expected, rtol=1e-12)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6))
def test_rows_are_found_in_order_or_not_at_all(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(n, 3))
    some = np.flatnonzero(rng.random(n) < 0.6)
    found = rows_of(whole[some], whole)
    assert found is not None
    np.testing.assert_array_equal(found, some)
    assert rows_of(whole + 1e-9, whole) is None
    assert rows_of(whole[:1] + 1e-9, np.concatenate([whole, whole])) is None
