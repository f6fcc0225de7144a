"""Settle times against the true course of the voltages, and meters against the true divider."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bench.config import BenchConfig
from drivers.bench.settling import meter_loading, settle_seconds, slower_seconds
from hil.arrays import Floats
from hil.errors import ConfigurationError
from tests.protocol.bench.files import board_bench

FARADS = 2e-10
WIDE = {"read_volts": 100.0}


def bench(
    tolerance: float = 1e-4,
    layers: tuple[int, ...] = (2, 2, 1),
    biased: tuple[bool, ...] = (),
    phases: dict[str, Any] | None = None,
    **network: Any,
) -> BenchConfig:
    """Inputs, hidden layers and outputs; the window is 1e-5 to 1e-4 S."""
    text = board_bench(
        layers[0],
        layers[1:-1],
        layers[-1],
        biased,
        network={"node_farads": FARADS, "g_min_siemens": 1e-5} | network,
        phases={"settle_tolerance": tolerance} | (phases or {}),
        envelope=WIDE,
    )
    return BenchConfig.model_validate(tomllib.loads(text))


def node_equations(config: BenchConfig, siemens: Floats) -> tuple[Floats, Floats, Floats]:
    """Volts at nodes that are no amplifier's output: farads, conductances, what inputs feed.

    Amplifiers are put in as they are: an output is ``A`` times its node, whose current it
    takes ``B`` times.
    """
    network = config.network
    topology, amplifiers = network.topology, network.amplifiers
    n = topology.n_nodes
    siemens_matrix = np.zeros((n, n))
    tails, heads = topology.tails, topology.heads
    for tail, head, g in zip(tails, heads, siemens, strict=True):
        for one, other in ((tail, head), (head, tail)):
            siemens_matrix[one, one] += g
            siemens_matrix[one, other] -= g
    farads = np.zeros((n, n))
    read = network.read_nodes
    farads[read, read] = network.node_farads
    spread = np.eye(n)  # node volts from those that are free
    collect = np.eye(n)  # currents that a free node must balance
    outputs: list[int] = []
    if amplifiers is not None:
        for before, group in zip(topology.groups, topology.groups[1:], strict=False):
            driven = [x for x in group.tails if x not in topology.inputs]
            for near, far in zip(before.heads, driven, strict=True):
                spread[far] = 0.0
                spread[far, near] = amplifiers.forward_gain
                collect[near, far] = amplifiers.backward_gain
                outputs.append(int(far))
    free = np.setdiff1d(read, outputs)
    whole = (collect @ siemens_matrix @ spread)[free]
    return (collect @ farads @ spread)[np.ix_(free, free)], whole[:, free], whole


def left_of_a_step(config: BenchConfig, siemens: Floats, seconds: float) -> float:
    """Largest deviation after that time, relative to the range of its layer."""
    farads, conductances, _ = node_equations(config, siemens)
    rates, modes = np.linalg.eig(np.linalg.solve(farads, conductances))
    network = config.network
    gain = 1.0 if network.amplifiers is None else network.amplifiers.forward_gain
    layers = [*network.hidden, network.n_outputs]
    ranges = np.concatenate([np.full(size, gain**k) for k, size in enumerate(layers)])
    # From anywhere in the box: the worst corner has every sign as the row of the exponential.
    course = (modes * np.exp(-rates * seconds)) @ np.linalg.inv(modes)
    return float(((np.abs(course.real) @ ranges) / ranges).max())


def test_a_single_node_is_an_rc() -> None:
    config = bench(2.0**-14, layers=(3, 1))
    siemens = np.array([1e-5, 2e-5, 3e-5])
    tau = FARADS / siemens.sum()
    assert settle_seconds(config, siemens) == pytest.approx(9.704 * tau, rel=1e-4)
    assert settle_seconds(config) == pytest.approx(9.704 * FARADS / 3e-5, rel=1e-4)


NETWORKS: list[dict[str, Any]] = [
    {},
    {"layers": (2, 3)},
    {"layers": (2, 2, 10)},
    {"layers": (3, 4, 2, 2), "biased": (True, False, True)},
    {"layers": (2, 3, 1), "amplifiers": {"forward_gain": 4.0, "backward_gain": 0.25}},
    {
        "layers": (2, 3, 2, 1),
        "biased": (True, True, True),
        "amplifiers": {"forward_gain": 4.0, "backward_gain": 0.5},
    },
]


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([1e-2, 1e-4, 1e-6]))
def test_nodes_have_settled_by_then_and_not_long_before(
    network: dict[str, Any], seed: int, tolerance: float
) -> None:
    config = bench(tolerance, **network)
    n_devices = config.network.topology.n_devices
    siemens = 10.0 ** np.random.default_rng(seed).uniform(-5, -4, n_devices)
    seconds = settle_seconds(config, siemens)
    assert left_of_a_step(config, siemens, seconds) <= tolerance * (1 + 1e-6)
    assert left_of_a_step(config, siemens, 0.4 * seconds) > tolerance


@pytest.mark.parametrize("network", NETWORKS)
def test_the_window_is_slower_than_any_devices_in_it(network: dict[str, Any]) -> None:
    config = bench(**network)
    n_devices = config.network.topology.n_devices
    siemens = np.random.default_rng(1).uniform(1.2e-5, 1e-4, n_devices)
    assert settle_seconds(config) > settle_seconds(config, siemens)
    low = np.full(n_devices, 1e-5)
    assert settle_seconds(config) == settle_seconds(config, low)


def test_a_time_in_the_file_is_the_time() -> None:
    config = bench(phases={"settle_seconds": 3e-3})
    assert settle_seconds(config) == 3e-3
    assert settle_seconds(config, np.full(6, 1e-5)) == 3e-3


def test_without_capacitance_nothing_takes_time() -> None:
    assert settle_seconds(bench(node_farads=0.0)) == 0.0


def test_a_window_down_to_zero_needs_a_time() -> None:
    config = bench()
    network = config.network.model_copy(update={"g_min_siemens": 0.0})
    config = config.model_copy(update={"network": network})
    with pytest.raises(ConfigurationError, match=r"Give phases\.settle_seconds"):
        settle_seconds(config)
    assert settle_seconds(config, np.full(6, 1e-5)) > 0.0


@pytest.mark.parametrize("dead", [slice(0, 4), slice(4, 6), slice(0, 6)])
def test_a_floating_node_never_settles(dead: slice) -> None:
    config, siemens = bench(), np.full(6, 1e-5)
    siemens[dead] = 0.0
    assert settle_seconds(config, siemens) == math.inf
    assert meter_loading(config, siemens, 1e10) == 1.0


def test_readings_only_make_it_slower() -> None:
    config = bench()
    before = settle_seconds(config)
    assert slower_seconds(config, np.full(6, 1e-4), before) == before
    stuck = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-6, -1e-9])
    slower = slower_seconds(config, stuck, before)
    assert slower == settle_seconds(config, np.maximum(stuck, 0.0))
    assert slower > 5 * before
    assert slower_seconds(config, np.full(6, 1e-4), slower) == slower
    broken = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-12, 0.0])
    assert slower_seconds(config, broken, before) == before
    assert slower_seconds(config, np.zeros(6), before) == before


@pytest.mark.parametrize("network", NETWORKS)
def test_a_meter_loads_by_what_the_node_shows(network: dict[str, Any]) -> None:
    """The meter is put across every node in turn, and the change of its voltage worked out."""
    config = bench(**network)
    topology = config.network.topology
    siemens = np.random.default_rng(2).uniform(1e-5, 1e-4, topology.n_devices)
    ohms, errors = 1e6, []
    _, free_siemens, whole = node_equations(config, siemens)
    feed = whole[:, topology.inputs] @ np.linspace(0.1, 0.3, topology.inputs.size)
    clean = np.linalg.solve(free_siemens, -feed)
    for node in config.network.read_nodes:
        load = np.zeros_like(free_siemens)
        row, gain = place_of(config, int(node))
        load[row, row] = gain / ohms
        loaded = np.linalg.solve(free_siemens + load, -feed)
        errors.append(abs(loaded[row] - clean[row]) / abs(clean[row]))
    assert meter_loading(config, siemens, ohms) == pytest.approx(max(errors), rel=1e-6)


def place_of(config: BenchConfig, node: int) -> tuple[int, float]:
    """Row of a node's own, or its amplifier's, equation, and what a load at it counts there."""
    topology, amplifiers = config.network.topology, config.network.amplifiers
    rows: dict[int, tuple[int, float]] = {}
    count = 0
    for k, group in enumerate(topology.groups):
        for head in group.heads:
            rows[int(head)] = (count, 1.0)
            count += 1
        if amplifiers is not None and k + 1 < len(topology.groups):
            nodes = [x for x in topology.groups[k + 1].tails if x not in topology.inputs]
            for near, far in zip(group.heads, nodes, strict=True):
                gains = amplifiers.forward_gain * amplifiers.backward_gain
                rows[int(far)] = (rows[int(near)][0], gains)
    return rows[node]
