"""Circuit laws that every layered network must obey, checked on random small ones.

The laws are evaluated by ``DenseCircuit`` (see ``conftest``) from the device list, or follow
from symmetry; neither uses the simulator's equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.layered_networks import (
    FACTORS,
    PAIRS,
    Build,
    Network,
    drives,
    make,
    networks,
    settle,
)

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
