"""The layered fast path against the general solver, which gets the network drawn as a circuit.

The two share the description of the network and nothing else: no equation, no matrix, no
iteration.  Node voltages agree to rounding errors, amplifier outputs and inputs included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import ClosedError, SafetyError, UsageError
from hil.substrate import Drive
from hil.topology import layered
from sim_backend.drawing import DrawsCircuit
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.network import LayeredNetwork, SolverOptions
from sim_backend.layered.neurons import IdealDiodes, Linear, Neurons, ShockleyPairs
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Diode,
    IdealDiode,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from tests.property.layered_networks import Network, drives, make, settle

Array = NDArray[np.float64]
Build = Callable[..., Any]

CLOSE = 1e-10
"""Largest difference, relative to the largest voltage."""


def solved(substrate: Any, circuit: Circuit, inputs: Array, nudges: Array | None) -> Array:
    """Voltages of the topology's nodes, (batch, n_nodes), by the general solver."""
    solver = Solver(circuit)
    levels = {f"vin{k}": inputs[:, k] for k in range(inputs.shape[1])}
    if nudges is not None:
        levels |= {f"inudge{k}": nudges[:, k] for k in range(nudges.shape[1])}
    solution = solver.solve(levels)
    assert solution.ok.all()
    volts = dict(zip(solver.nodes, solution.node_volts.T, strict=True))
    volts[GROUND] = np.zeros(len(inputs))
    return np.stack([volts[name] for name in substrate.node_names()], axis=1)


def drawn(substrate: Any, inputs: Array, nudges: Array | None) -> Circuit:
    circuit: Circuit = substrate.circuit(inputs[0], None if nudges is None else nudges[0])
    return circuit


def assert_agree(substrate: Any, inputs: Array, nudges: Array | None) -> None:
    settled = substrate.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    ours = settled.node_volts
    theirs = solved(substrate, drawn(substrate, inputs, nudges), inputs, nudges)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=CLOSE * np.abs(ours).max())


def random_network(rng: np.random.Generator, kind: str, depth: int) -> Network:
    return Network(
        hidden=tuple(int(size) for size in rng.integers(1, 9, depth)),
        n_signals=int(rng.integers(1, 7)),
        n_outputs=int(rng.integers(1, 5)),
        kind=kind,
        gains=[None, (4.0, 0.25), (3.0, 1.0)][int(rng.integers(3))] if depth else None,
        biased=tuple(bool(b) for b in rng.integers(0, 2, depth + 1)),
        input_volts=float(rng.choice([0.02, 0.3, 1.0])),
        nudge_volts=float(rng.choice([0.05, 0.5])),
        seed=int(rng.integers(2**31)),
    )


@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 5])
def test_random_networks(build: Build, kind: str, depth: int) -> None:
    rng = np.random.default_rng([depth, len(kind)])
    for _ in range(6):
        n = random_network(rng, kind, depth)
        built = make(build, n)
        inputs, nudges = drives(built, n)
        assert_agree(built.substrate, inputs, None)
        assert_agree(built.substrate, inputs, nudges)


def test_a_wide_network(build: Build) -> None:
    n = Network((60,), 50, 10, "ideal_diodes", (4.0, 0.25), (True, True), 1.0, 0.5, 3)
    built = make(build, n)
    inputs, nudges = drives(built, n, batch=8)
    assert_agree(built.substrate, inputs, nudges)


@pytest.mark.parametrize(
    "left_out", [IdealDiode, Diode, Amplifier, CurrentSource], ids=lambda kind: kind.__name__
)
def test_the_comparison_notices_what_is_missing(build: Build, left_out: type) -> None:
    kind = "ideal_diodes" if left_out is IdealDiode else "shockley_pairs"
    n = Network((5, 4), 3, 2, kind, (4.0, 0.25), (True, True, False), 1.0, 0.5, 5)
    built = make(build, n)
    inputs, nudges = drives(built, n)
    whole = drawn(built.substrate, inputs, nudges)
    kept: list[Any] = []
    for element in whole.elements:
        if not isinstance(element, left_out):
            kept.append(element)
        elif isinstance(element, Amplifier):
            kept.append(dataclasses.replace(element, backward_gain=0.5))
        elif isinstance(element, CurrentSource):
            kept.append(dataclasses.replace(element, plus=element.minus, minus=GROUND))
    assert kept != list(whole.elements)
    other = solved(built.substrate, dataclasses.replace(whole, elements=kept), inputs, nudges)
    gaps = np.abs(settle(built, inputs, nudges) - other)
    assert gaps.max() > 1e-3


# --- neurons that no configuration makes ---------------------------------------------------


def of_neurons(neurons: Neurons, n: int) -> LayeredSubstrate:
    """Three signals, one hidden layer of these neurons, two outputs."""
    one, pair = np.ones(n), np.ones(2)
    layers = (Layer(n, neurons, (0, 3), one, one), Layer(2, Linear(), (3, 3), pair, pair))
    circuit = LayeredCircuit(3, layers)
    conductance = np.random.default_rng(2).uniform(1e-4, 1e-3, circuit.n_devices)
    return LayeredSubstrate(
        LayeredNetwork(circuit, conductance, SolverOptions(1e-12)),
        layered(3, (n,), 2),
        amplified=False,
        energy_weights=(1.0, 1.0),
        window_siemens=(1e-6, 1e-2),
        pulse_siemens=1e-5,
        max_input_volts=2.0,
        max_nudge_amps=1e-3,
    )


def some_drives(batch: int = 6) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    return rng.uniform(-1.0, 1.0, (batch, 3)), rng.uniform(-5e-4, 5e-4, (batch, 2))


def test_windows_of_any_voltages() -> None:
    lower = np.array([-0.1, -np.inf, 0.05, -np.inf, 0.02])
    upper = np.array([0.08, -0.05, np.inf, np.inf, 0.02])
    substrate = of_neurons(IdealDiodes(lower, upper), 5)
    inputs, nudges = some_drives()
    assert_agree(substrate, inputs, nudges)
    elements = drawn(substrate, inputs, nudges).elements
    assert sum(isinstance(e, IdealDiode) for e in elements) == 4
    assert sum(isinstance(e, VoltageSource) for e in elements) == 3 + 1  # the last one is held


def test_pairs_that_differ_share_sources_of_equal_voltage() -> None:
    pairs = ShockleyPairs(
        np.array([1e-9, 1e-6, 1e-12, 1e-9]),
        np.array([0.026, 0.05, 0.03, 0.026]),
        np.array([-0.2, -0.1, 0.0, -0.2]),
        np.array([0.1, 0.1, 0.3, -0.2]),
    )
    substrate = of_neurons(pairs, 4)
    inputs, nudges = some_drives()
    assert_agree(substrate, inputs, nudges)
    elements = drawn(substrate, inputs, nudges).elements
    names = {e.name: e.volts for e in elements if isinstance(e, VoltageSource)}
    shared = sorted(volts for name, volts in names.items() if not name.startswith("vin"))
    assert shared == [-0.2, -0.1, 0.1, 0.3]  # 0 V is ground
    assert sum(isinstance(e, Diode) for e in elements) == 8


# --- the ability ----------------------------------------------------------------------------


def test_the_drawing_follows_the_programming(build: Build) -> None:
    n = Network((4,), 3, 2, "ideal_diodes", None, (True, False), 1.0, 0.5, 8)
    built = make(build, n)
    inputs, nudges = drives(built, n)
    before = settle(built, inputs, nudges)
    old = drawn(built.substrate, inputs, nudges)
    counts = np.random.default_rng(1).integers(-20, 20, built.topology.n_devices)
    built.substrate.pulse(counts)
    assert_agree(built.substrate, inputs, nudges)
    # A drawing is a snapshot, not a view of what is programmed later.
    again = solved(built.substrate, old, inputs, nudges)
    np.testing.assert_allclose(again, before, rtol=0.0, atol=CLOSE)
    assert np.abs(again - settle(built, inputs, nudges)).max() > 1e-4


def test_names_are_those_of_the_nodes(build: Build) -> None:
    substrate = build((4, 2), gains=(4.0, 0.25), biased=(True, False, True)).substrate
    assert isinstance(substrate, DrawsCircuit)
    names = substrate.node_names()
    assert names == tuple(f"n{k}" for k in range(substrate.spec.topology.n_nodes))
    inputs = np.full(substrate.spec.topology.inputs.size, 0.5)
    circuit = substrate.circuit(inputs, None)
    assert set(Solver(circuit).nodes) == set(names)
    assert not any(isinstance(e, CurrentSource) for e in circuit.elements)


def test_drives_are_checked_as_in_settling(build: Build) -> None:
    substrate = build(max_input_volts=1.0, max_nudge_amps=1e-3).substrate
    inputs, nudge = np.zeros(3), np.zeros(2)
    with pytest.raises(UsageError, match="shape"):
        substrate.circuit(np.zeros(4), None)
    with pytest.raises(UsageError, match="shape"):
        substrate.circuit(inputs, np.zeros(3))
    with pytest.raises(SafetyError, match="limit"):
        substrate.circuit(inputs + 2.0, None)
    with pytest.raises(SafetyError, match="limit"):
        substrate.circuit(inputs, nudge + 1.0)
    substrate.close()
    with pytest.raises(ClosedError):
        substrate.circuit(inputs, None)
