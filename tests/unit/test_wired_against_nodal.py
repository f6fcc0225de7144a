"""Stacks with wires against the general solver, which gets every device and segment drawn out,
and against ngspice, which reads the exported netlist.

The general solver and this one share the description of the network and the response of a neuron;
the ports of crossbars are eliminated by one and not known to the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import SafetyError, UsageError
from hil.substrate import Drive
from hil.topology import layered
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.neurons import IdealDiodes, Linear, Neurons, ShockleyPairs
from sim_backend.nodal.elements import Resistors
from sim_backend.nodal.solver import Solver
from sim_backend.spice.writer import write_netlist
from sim_backend.wired.building import build_wired
from sim_backend.wired.config import WiresConfig
from tests.golden.ngspice_runs import NGSPICE, operating_point
from tests.property.layered_networks import Network, drives, make
from tests.unit.wired_networks import wire

Array = NDArray[np.float64]
Build = Callable[..., Any]

CLOSE = 1e-10
"""Largest difference, relative to the largest voltage."""


def assert_agree(substrate: Any, inputs: Array, nudges: Array | None) -> None:
    settled = substrate.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    circuit = substrate.circuit(inputs[0], None if nudges is None else nudges[0])
    solver = Solver(circuit)
    levels = {f"vin{k}": inputs[:, k] for k in range(inputs.shape[1])}
    if nudges is not None:
        levels |= {f"inudge{k}": nudges[:, k] for k in range(nudges.shape[1])}
    solution = solver.solve(levels)
    assert solution.ok.all()
    volts = dict(zip(solver.nodes, solution.node_volts.T, strict=True))
    theirs = np.stack([volts[name] for name in substrate.node_names()], axis=1)
    ours = settled.node_volts
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=CLOSE * np.abs(ours).max())


@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_random_networks(build: Build, kind: str, depth: int) -> None:
    rng = np.random.default_rng([depth, len(kind)])
    for ohms in ((2.0, 5.0), (300.0, 100.0), (0.0, 50.0), (50.0, 0.0)):
        n = Network(
            hidden=tuple(int(size) for size in rng.integers(1, 7, depth)),
            n_signals=int(rng.integers(1, 6)),
            n_outputs=int(rng.integers(1, 4)),
            kind=kind,
            gains=[None, (4.0, 0.25), (3.0, 1.0)][int(rng.integers(3))] if depth else None,
            biased=tuple(bool(b) for b in rng.integers(0, 2, depth + 1)),
            input_volts=float(rng.choice([0.3, 1.0])),
            nudge_volts=0.3,
            seed=int(rng.integers(2**31)),
        )
        built = make(build, n)
        inputs, nudges = drives(built, n)
        substrate = wire(built, *ohms)
        assert_agree(substrate, inputs, None)
        assert_agree(substrate, inputs, nudges)


def of_neurons(
    neurons: Neurons, forward: Array, backward: Array, offsets: Array | None = None
) -> Any:
    """Three signals, two hidden layers of these neurons and amplifiers, two outputs."""
    n, one = forward.size, np.ones(2)
    layers = (
        Layer(n, neurons, (0, 3), forward, backward, offsets),
        Layer(n, neurons, (3, 5), forward[::-1], backward),
        Layer(2, Linear(), (5, 5), one, one),
    )
    circuit = LayeredCircuit(5, layers)
    return build_wired(
        circuit,
        WiresConfig(word_ohms=(10.0, 0.0, 30.0), bit_ohms=(10.0, 20.0, 0.0)),
        np.random.default_rng(2).uniform(1e-4, 1e-3, circuit.n_devices),
        SolverOptions(1e-12),
        layered(3, (n, n), 2, biased=(False, True, False), amplified=True),
        amplified=True,
        energy_weights=(1.0, 1.0, 1.0),
        window_siemens=(1e-6, 1e-2),
        pulse_siemens=1e-5,
        max_input_volts=2.0,
        max_nudge_amps=1e-3,
    )


NEURONS: dict[str, Neurons] = {
    "windows": IdealDiodes(
        np.array([-0.1, -np.inf, 0.05, -np.inf, 0.02]),
        np.array([0.08, -0.05, np.inf, np.inf, 0.02]),
    ),
    "pairs": ShockleyPairs(
        np.array([1e-9, 1e-6, 1e-12, 1e-9, 1e-8]),
        np.array([0.026, 0.05, 0.03, 0.026, 0.03]),
        np.array([-0.2, -0.1, 0.0, -0.2, -0.1]),
        np.array([0.1, 0.1, 0.3, -0.2, 0.2]),
    ),
}


@pytest.mark.parametrize("neurons", NEURONS)
@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_neurons_and_amplifiers_that_differ(neurons: str, spread: float) -> None:
    """With B/A that differs within a layer no weights make the equations symmetric."""
    rng = np.random.default_rng(5)
    forward = 3.0 * np.exp(rng.uniform(-spread, spread, 5))
    backward = 0.4 * np.exp(rng.uniform(-spread, spread, 5))
    substrate = of_neurons(NEURONS[neurons], forward, backward)
    assert substrate._network._plan.is_symmetric == (spread == 0.0)
    inputs, nudges = rng.uniform(-1.0, 1.0, (6, 5)), rng.uniform(-5e-4, 5e-4, (6, 2))
    assert_agree(substrate, inputs, nudges)


@pytest.mark.parametrize("neurons", NEURONS)
def test_offsets_of_amplifiers_and_unequal_diodes(neurons: str) -> None:
    chosen = NEURONS[neurons]
    if isinstance(chosen, ShockleyPairs):
        chosen = dataclasses.replace(
            chosen, lower_saturation_amps=np.array([2e-9, 1e-7, 5e-12, 1e-9, 3e-8])
        )
    rng = np.random.default_rng(6)
    offsets = rng.uniform(-0.05, 0.05, 5)
    offsets[2] = 0.0
    substrate = of_neurons(chosen, np.full(5, 3.0), np.full(5, 0.4), offsets)
    inputs, nudges = rng.uniform(-1.0, 1.0, (6, 5)), rng.uniform(-5e-4, 5e-4, (6, 2))
    assert_agree(substrate, inputs, nudges)
    bias = substrate.wire_bias(Drive(inputs), Drive(inputs, 1e-3 * nudges))
    assert all(0.0 < group.drop_error < 0.5 for group in bias.groups)


def test_a_wide_network(build: Build) -> None:
    n = Network((40,), 25, 6, "ideal_diodes", (4.0, 0.25), (True, True), 1.0, 0.5, 3)
    built = make(build, n)
    inputs, nudges = drives(built, n, batch=4)
    assert_agree(wire(built, 0.5, 0.5), inputs, nudges)


# --- the drawing ------------------------------------------------------------------------------


def test_every_device_and_segment_is_drawn(build: Build) -> None:
    substrate = wire(build((4,), n_signals=3, n_outputs=2), (2.0, 0.0), (0.0, 5.0))
    circuit = substrate.circuit(np.zeros(3), None)
    groups = {e.name: e.siemens for e in circuit.elements if isinstance(e, Resistors)}
    assert {name: g.size for name, g in groups.items()} == {
        "r0": 12, "rword0": 12, "r1": 8, "rbit1": 8,
    }  # fmt: skip
    np.testing.assert_array_equal(groups["rword0"], 0.5)
    np.testing.assert_array_equal(groups["rbit1"], 0.2)
    drawn = np.concatenate([groups["r0"], groups["r1"]])
    np.testing.assert_array_equal(drawn, substrate.read_conductance())
    assert set(substrate.node_names()) < set(Solver(circuit).nodes)


def test_drawing_checks_drives_and_follows_the_programming(build: Build) -> None:
    n = Network((4,), 3, 2, "ideal_diodes", None, (True, False), 1.0, 0.5, 8)
    built = make(build, n)
    inputs, nudges = drives(built, n)
    substrate = wire(built, 3.0, 3.0)
    before = substrate.settle(Drive(inputs, nudges)).node_volts
    substrate.pulse(np.random.default_rng(1).integers(-20, 20, built.topology.n_devices))
    assert_agree(substrate, inputs, nudges)
    assert np.abs(substrate.settle(Drive(inputs, nudges)).node_volts - before).max() > 1e-4
    with pytest.raises(UsageError, match="shape"):
        substrate.circuit(np.zeros(9), None)
    with pytest.raises(SafetyError, match="limit"):
        substrate.circuit(inputs[0] + 1e6, None)


@pytest.mark.skipif(NGSPICE is None, reason="needs the package ngspice")
def test_the_exported_netlist_settles_alike_in_ngspice(build: Build, tmp_path: Path) -> None:
    n = Network((5, 4), 4, 3, "shockley_pairs", (4.0, 0.25), (True, True, True), 1.0, 0.3, 11)
    built = make(build, n)
    inputs, nudges = drives(built, n, batch=1)
    substrate = wire(built, 20.0, 30.0)
    circuit = substrate.circuit(inputs[0], nudges[0])
    path = tmp_path / "wired.cir"
    path.write_text(write_netlist(circuit))
    point = operating_point(path, circuit)
    assert point is not None
    theirs = np.array([point.volts[name] for name in substrate.node_names()])
    ours = substrate.settle(Drive(inputs, nudges)).node_volts[0]
    assert np.abs(ours - built.substrate.settle(Drive(inputs, nudges)).node_volts[0]).max() > 1e-3
    # What is left: the constant k/q of ngspice and its law of reverse-biased diodes.
    np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=2e-6)
