"""Layered networks that are hard to settle: they settle, or say that they did not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.substrate import Drive, Settled
from tests.property.layered_networks import (
    Build,
    Network,
    drives,
    make,
    networks,
    settle,
)

HARD = {
    "weakly driven chain with amplifiers": (
        Network((1, 1, 1), 1, 1, "linear", (4.0, 0.25), (False,) * 4, 0.02, 0.0, 316),
        1.0,
    ),
    "gain above one with one diode switching": (
        Network(
            (3, 1, 1), 1, 1, "ideal_diodes", (3.0, 1.0), (True, False, False, False), 0.02, 0.0, 1
        ),
        1.0,
    ),
    "four nodes that cycle": (
        Network(
            (1, 1, 2), 3, 1, "ideal_diodes", None, (False, False, False, True), 0.02, 0.5, 35187
        ),
        100.0,
    ),
    "a layer whose diodes are all off": (
        Network(
            (1, 3, 2), 4, 1, "ideal_diodes", None, (False, True, False, False), 0.02, 0.0, 118802
        ),
        1.0,
    ),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_networks_settle(build: Build, dense: Any, case: str) -> None:
    n, factor = HARD[case]
    scale = 10.0 if "off" in case else 1.0
    built = make(build, n, scale=scale)
    inputs, nudges = drives(built, n, batch=2 if n.hidden[0] == 3 else 3)
    inputs, nudges = factor * inputs, factor * nudges
    settled = built.substrate.settle(Drive(inputs, nudges))
    circuit = dense(built)
    assert settled.ok.all()
    for nodes, given_inputs, nudge in zip(settled.node_volts, inputs, nudges, strict=True):
        expected = circuit.place(circuit.solve(given_inputs, nudge), given_inputs)
        np.testing.assert_allclose(nodes, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_random_networks_settle(build: Build, kind: str, depth: int) -> None:
    rng = np.random.default_rng(depth)
    for _ in range(40):
        n = Network(
            tuple(int(size) for size in rng.integers(1, 9, depth)),
            int(rng.integers(1, 9)),
            int(rng.integers(1, 5)),
            kind,
            [None, (4.0, 0.25), (3.0, 1.0)][int(rng.integers(3))],
            tuple(bool(b) for b in rng.integers(0, 2, depth + 1)),
            1.0,
            0.05,
            int(rng.integers(2**31)),
        )
        built = make(build, n)
        assert built.substrate.settle(Drive(*drives(built, n, 4))).ok.all(), n


# --- examples that fail -------------------------------------------------------------------


@settings(max_examples=80)
@given(n=networks(min_depth=1), iterations=st.integers(1, 5))
def test_what_is_reported_as_settled_is_settled(build: Build, n: Network, iterations: int) -> None:
    """An impatient solver never raises, and is right where it says so."""
    hasty = make(build, n, max_iterations=iterations)
    inputs, nudges = drives(hasty, n)
    answer = settle(make(build, n), inputs, nudges)
    settled = hasty.substrate.settle(Drive(inputs, nudges))
    assert np.isfinite(settled.node_volts).all()
    scale = np.abs(answer).max()
    gaps = np.abs(settled.node_volts - answer).max(axis=1)
    assert np.all(gaps[settled.ok] <= 1e-9 * scale)


@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize(
    ("hidden", "n_outputs"), [((4,), 2), ((4, 3), 2), ((4, 3, 2), 2), ((4,), 66)]
)
def test_examples_that_do_not_converge_are_reported_one_by_one(
    build: Build, hidden: tuple[int, ...], n_outputs: int, kind: str
) -> None:
    substrate = build(hidden, kind, n_outputs=n_outputs, max_iterations=1).substrate
    inputs = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 3))
    inputs[1] = 0.0  # where the circuit rests by itself
    settled = substrate.settle(Drive(inputs))
    np.testing.assert_array_equal(settled.ok, [False, True, False])
    patient = build(hidden, kind, n_outputs=n_outputs).substrate.settle(Drive(inputs))
    assert patient.ok.all()
    assert np.abs(patient.node_volts[:, -n_outputs:]).max(axis=1)[[0, 2]].min() > 1e-3


@pytest.mark.parametrize("hidden", [(3,), (3, 2), ()])
@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("spoiled", ["input", "nudge", "both", "sum"])
def test_an_example_that_overflows_cannot_spoil_the_others(
    build: Build, hidden: tuple[int, ...], kind: str, spoiled: str
) -> None:
    """float32 with levels near its largest number: allowed by the limits, hopeless to settle."""
    substrate = build(
        hidden,
        kind,
        precision="float32",
        start_siemens=(1.0, 10.0),
        max_input_volts=3e38,
    ).substrate
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1.0, 1.0, (4, 3)).astype(np.float32)
    nudges = rng.uniform(-1.0, 1.0, (4, 2)).astype(np.float32)
    rest = np.array([0, 1, 3])
    clean = substrate.settle(Drive(inputs[rest], nudges[rest]))
    assert clean.ok.all()
    if spoiled != "nudge":
        inputs[2] = 1e37 if spoiled == "sum" else 2e38
    if spoiled != "input":
        nudges[2] = 3e38
    settled = substrate.settle(Drive(inputs, nudges))
    assert settled.ok[rest].all()
    assert np.isfinite(settled.node_volts[2]).all() or not settled.ok[2]
    np.testing.assert_allclose(settled.node_volts[rest], clean.node_volts, rtol=1e-4, atol=1e-5)
    # Nor do they through what is remembered for the next phase.
    again = substrate.settle(Drive(inputs, -nudges), settled)
    cold = substrate.settle(Drive(inputs[rest], -nudges[rest]))
    assert again.ok[rest].all()
    np.testing.assert_allclose(again.node_volts[rest], cold.node_volts, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [(3,), (3, 2), ()])
@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
def test_a_near_state_that_is_not_finite_does_no_harm(
    build: Build, hidden: tuple[int, ...], kind: str
) -> None:
    substrate = build(hidden, kind).substrate
    rng = np.random.default_rng(0)
    drive = Drive(rng.uniform(-1.0, 1.0, (4, 3)), rng.uniform(-1e-4, 1e-4, (4, 2)))
    cold = substrate.settle(drive)
    volts = cold.node_volts.copy()
    volts[2] = np.nan
    volts[3] = np.inf
    warm = substrate.settle(drive, Settled(volts, np.array([True, True, False, False])))
    assert warm.ok.all()
    np.testing.assert_allclose(warm.node_volts, cold.node_volts, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("hidden", [(3,), (3, 2), ()])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_nodes_that_programming_left_floating_fail(
    build: Build, hidden: tuple[int, ...], precision: str
) -> None:
    substrate = build(hidden, "ideal_diodes", precision=precision, g_min_siemens=0.0).substrate
    substrate.pulse(np.full(substrate.spec.topology.n_devices, -10_000))
    assert not substrate.read_conductance().any()
    settled = substrate.settle(Drive(np.full((2, 3), 0.5)))
    assert not settled.ok.any()
