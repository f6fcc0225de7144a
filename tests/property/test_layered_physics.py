"""Circuit laws that every layered network must obey, checked on random small ones.

The laws are evaluated by ``DenseCircuit`` (see ``conftest``) from the device list, or follow
from symmetry; neither uses the simulator's equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hil.substrate import Drive, Settled

Array = NDArray[np.float64]
Build = Callable[..., Any]
WINDOW = (1e-6, 1e-2)
PAIRS = {
    "kind": "shockley_pairs",
    "saturation_amps": 1e-9,
    "lower_volts": -0.15,
    "upper_volts": 0.25,
}


FACTORS = st.integers(-300, 300).map(lambda hundredths: hundredths / 100)


@dataclass(frozen=True)
class Network:
    """What is drawn; arrays follow from the seed."""

    hidden: tuple[int, ...]
    n_signals: int
    n_outputs: int
    kind: str
    gains: tuple[float, float] | None
    biased: tuple[bool, ...]
    input_volts: float
    nudge_volts: float
    seed: int


def networks(
    kinds: tuple[str, ...] = ("linear", "ideal_diodes", "shockley_pairs"),
    *,
    gains: bool = True,
    min_depth: int = 0,
) -> st.SearchStrategy[Network]:
    """Depth 0 to 3, conductances over three decades, up to 1 V."""

    @st.composite
    def draw(pick: Any) -> Network:
        hidden = tuple(pick(st.lists(st.integers(1, 4), min_size=min_depth, max_size=3)))
        amplify = st.none()
        if gains:
            pairs = st.sampled_from([(4.0, 0.25), (2.0, 0.5), (3.0, 1.0), (1.5, 0.25)])
            amplify = amplify | pairs
        return Network(
            hidden,
            pick(st.integers(1, 4)),
            pick(st.integers(1, 3)),
            pick(st.sampled_from(kinds)),
            pick(amplify) if hidden else None,
            tuple(pick(st.booleans()) for _ in range(len(hidden) + 1)),
            pick(st.sampled_from([0.02, 0.3, 1.0])),
            pick(st.sampled_from([0.0, 0.05, 0.5])),
            pick(st.integers(0, 2**32 - 1)),
        )

    return draw()


def make(build: Build, n: Network, scale: float = 1.0, **more: Any) -> Any:
    """The network with conductances (and saturation currents) times ``scale``."""
    pairs = PAIRS | {"saturation_amps": scale * 1e-9}
    built = build(
        n.hidden,
        pairs if n.kind == "shockley_pairs" else n.kind,
        n_signals=n.n_signals,
        n_outputs=n.n_outputs,
        gains=n.gains,
        biased=n.biased,
        start_siemens=(scale * 1e-5, scale * 1e-3),
        max_input_volts=1e6,
        g_min_siemens=scale * WINDOW[0],
        g_max_siemens=scale * WINDOW[1],
        **more,
    )
    rng = np.random.default_rng(n.seed)
    exponents = rng.uniform(-5.0, -2.5, built.topology.n_devices)
    built.substrate.load_conductance(scale * 10.0**exponents)
    return built


def drives(built: Any, n: Network, batch: int = 3) -> tuple[Array, Array]:
    """Inputs, and nudges that would move an output alone by about ``nudge_volts``."""
    rng = np.random.default_rng(n.seed + 1)
    topology = built.topology
    inputs = n.input_volts * rng.uniform(-1.0, 1.0, (batch, topology.inputs.size))
    g = built.substrate.read_conductance()
    seen = np.bincount(topology.heads, g, topology.n_nodes)[topology.outputs]
    nudges = n.nudge_volts * seen * rng.uniform(-1.0, 1.0, (batch, topology.outputs.size))
    return inputs, nudges


def settle(built: Any, inputs: Array, nudges: Array | None = None) -> Array:
    settled = built.substrate.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    volts: Array = settled.node_volts
    return volts


# --- Kirchhoff's laws ---------------------------------------------------------------------


@settings(max_examples=80)
@given(n=networks())
def test_kirchhoffs_current_law(build: Build, dense: Any, n: Network) -> None:
    """Every floating node: what flows in flows out, or an ideal diode at its window takes it."""
    built = make(build, n)
    inputs, nudges = drives(built, n)
    circuit = dense(built)
    for nodes, given_inputs, nudge in zip(
        settle(built, inputs, nudges), inputs, nudges, strict=True
    ):
        np.testing.assert_array_equal(nodes[built.topology.inputs], given_inputs)
        volts = nodes[circuit.neurons]
        surplus = circuit.surplus(nodes, nudge)
        scale = circuit.traffic(nodes) + np.abs(circuit.laplacian).max() * np.abs(nodes).max()
        slack = 1e-11 * np.abs(nodes).max()  # the solver's tolerance, with a margin
        assert np.all(volts >= circuit.lower - slack)
        assert np.all(volts <= circuit.upper + slack)
        at_lower, at_upper = volts <= circuit.lower + slack, volts >= circuit.upper - slack
        tiny = 1e-10 * scale
        assert np.all(np.abs(surplus[~at_lower & ~at_upper]) <= tiny[~at_lower & ~at_upper])
        # A diode only pushes a node up from its lower end and down from its upper end.
        assert np.all(surplus[at_lower] <= tiny[at_lower])
        assert np.all(surplus[at_upper] >= -tiny[at_upper])


@settings(max_examples=40)
@given(n=networks(min_depth=1).filter(lambda n: n.gains is not None))
def test_amplifiers_multiply_voltages(build: Build, dense: Any, n: Network) -> None:
    built = make(build, n)
    inputs, nudges = drives(built, n)
    nodes = settle(built, inputs, nudges)
    circuit = dense(built)
    assert n.gains is not None
    for index, group in enumerate(built.topology.groups[:-1]):
        behind = built.topology.groups[index + 1].tails[: group.heads.size]
        np.testing.assert_allclose(nodes[:, behind], n.gains[0] * nodes[:, group.heads], rtol=1e-15)
    # Placing the neurons' voltages by the circuit's own matrices gives the same nodes.
    for b, row in enumerate(nodes):
        np.testing.assert_allclose(circuit.place(row[circuit.neurons], inputs[b]), row, rtol=1e-14)


@settings(max_examples=60)
@given(n=networks())
def test_the_solver_finds_the_minimum_of_the_co_content(
    build: Build, dense: Any, n: Network
) -> None:
    """Lemma 4.1, with the weights (B/A)^l that amplifiers bring."""
    built = make(build, n)
    inputs, nudges = drives(built, n, batch=2)
    circuit = dense(built)
    for nodes, given_inputs, nudge in zip(
        settle(built, inputs, nudges), inputs, nudges, strict=True
    ):
        expected = circuit.place(circuit.solve(given_inputs, nudge), given_inputs)
        np.testing.assert_allclose(nodes, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


# --- passivity ----------------------------------------------------------------------------


@settings(max_examples=60)
@given(n=networks(gains=False))
def test_sources_deliver_what_is_dissipated(build: Build, dense: Any, n: Network) -> None:
    """Tellegen's theorem; all together the sources never deliver negative power."""
    built = make(build, n)
    inputs, nudges = drives(built, n)
    circuit = dense(built)
    for nodes, nudge in zip(settle(built, inputs, nudges), nudges, strict=True):
        topology = built.topology
        into = circuit.laplacian @ nodes  # amps each node sends into the resistors
        sourced = nodes[topology.inputs] @ into[topology.inputs] + nodes[topology.outputs] @ nudge
        drops = circuit.incidence.T @ nodes
        dissipated = float(np.sum(circuit.g * drops**2))
        if n.kind == "shockley_pairs":
            volts = nodes[circuit.neurons][circuit.shockley]
            t = circuit.thermal
            up = 1e-9 * np.expm1((volts - PAIRS["upper_volts"]) / t)
            down = 1e-9 * np.expm1((PAIRS["lower_volts"] - volts) / t)
            # The series sources take in (or give) what their diode current carries.
            sourced -= PAIRS["upper_volts"] * up.sum() - PAIRS["lower_volts"] * down.sum()
            parts = [
                up * (volts - PAIRS["upper_volts"]),
                down * (PAIRS["lower_volts"] - volts),
            ]
            assert all(np.all(part >= 0.0) for part in parts)
            dissipated += float(sum(part.sum() for part in parts))
        # Ideal diodes with sources at 0 V neither give nor take power.
        rounding = 1e-11 * float(np.abs(circuit.laplacian).max() * np.max(nodes**2))
        assert sourced >= -1e-12 * dissipated - rounding
        assert sourced == pytest.approx(dissipated, rel=1e-7, abs=rounding)


@settings(max_examples=80)
@given(n=networks(gains=False))
def test_voltages_stay_between_what_drives_them(build: Build, n: Network) -> None:
    """Without nudge and amplifiers no node leaves the range of the inputs and the diodes' rest."""
    built = make(build, n)
    inputs, _ = drives(built, n)
    # An antiparallel pair carries no current halfway between its sources.
    rest = {"ideal_diodes": 0.0, "shockley_pairs": 0.05}.get(n.kind)
    for nodes, given_inputs in zip(settle(built, inputs), inputs, strict=True):
        ends = [*given_inputs] if rest is None or not n.hidden else [*given_inputs, rest]
        slack = 1e-11 * np.abs(ends).max()
        assert nodes.min() >= min(ends) - slack
        assert nodes.max() <= max(ends) + slack


# --- symmetries ---------------------------------------------------------------------------


@settings(max_examples=50)
@given(n=networks(("linear", "ideal_diodes")), exponent=st.floats(-3.0, 3.0))
def test_voltage_scale_invariance(build: Build, n: Network, exponent: float) -> None:
    """Ideal diodes at 0 V know no scale: k times the drive gives k times the voltages."""
    built = make(build, n)
    inputs, nudges = drives(built, n)
    k = 10.0**exponent
    volts = settle(built, inputs, nudges)
    scaled = settle(built, k * inputs, k * nudges)
    np.testing.assert_allclose(scaled, k * volts, rtol=1e-9, atol=1e-10 * k * np.abs(volts).max())


@settings(max_examples=50)
@given(n=networks(), exponent=st.floats(-2.0, 2.0))
def test_conductance_scale_invariance(build: Build, n: Network, exponent: float) -> None:
    """k times all conductances and currents (saturation included) leaves the voltages alone."""
    k = 10.0**exponent
    built, other = make(build, n), make(build, n, scale=k)
    inputs, nudges = drives(built, n)
    volts = settle(built, inputs, nudges)
    scaled = settle(other, inputs, k * nudges)
    np.testing.assert_allclose(scaled, volts, rtol=1e-9, atol=1e-10 * np.abs(volts).max())


@settings(max_examples=50)
@given(n=networks(("linear",)))
def test_reciprocity(build: Build, n: Network) -> None:
    """A current into output i moves output j as the same current into j moves i."""
    built = make(build, n)
    m = built.topology.outputs.size
    inputs = np.zeros((m, built.topology.inputs.size))
    volts = settle(built, inputs, 1e-4 * np.eye(m))
    moved = volts[:, built.topology.outputs]
    np.testing.assert_allclose(moved, moved.T, rtol=1e-9, atol=1e-11 * np.abs(moved).max())
    assert np.all(np.diag(moved) > 0.0)
    assert np.all(moved >= 0.0)


@settings(max_examples=50)
@given(n=networks(("linear",)), factors=st.tuples(FACTORS, FACTORS))
def test_superposition(build: Build, n: Network, factors: tuple[float, float]) -> None:
    built = make(build, n)
    inputs, nudges = drives(built, n, batch=2)
    a, b = factors
    volts = settle(built, inputs, nudges)
    joint = settle(
        built, (a * inputs[0] + b * inputs[1])[None], (a * nudges[0] + b * nudges[1])[None]
    )
    scale = (abs(a) + abs(b)) * np.abs(volts).max()
    np.testing.assert_allclose(joint[0], a * volts[0] + b * volts[1], rtol=0, atol=1e-10 * scale)


@settings(max_examples=30)
@given(n=networks())
def test_single_precision_agrees_with_double(build: Build, n: Network) -> None:
    built, single = make(build, n), make(build, n, precision="float32")
    inputs, nudges = drives(built, n)
    volts = settle(built, inputs, nudges)
    coarse = settle(single, inputs.astype(np.float32), nudges.astype(np.float32))
    assert coarse.dtype == np.float32
    np.testing.assert_allclose(coarse, volts, rtol=1e-3, atol=1e-4 * np.abs(volts).max())


# --- convergence --------------------------------------------------------------------------

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
