"""The solver of stacks with wires: starts, failures, laziness and size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import ConfigurationError
from hil.substrate import Drive, Settled
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.neurons import IdealDiodes, Linear
from sim_backend.wired.network import WiredNetwork
from tests.unit.wired_networks import DensePorts, wire

Array = NDArray[np.float64]
Build = Callable[..., Any]


def windows(n_inputs: int, hidden: int, n_outputs: int) -> LayeredCircuit:
    """Half of the hidden nodes excitatory, half inhibitory."""
    up = np.arange(hidden) < hidden // 2
    neurons = IdealDiodes(np.where(up, 0.0, -np.inf), np.where(up, np.inf, 0.0))
    layers = (
        Layer(hidden, neurons, (0, n_inputs), np.ones(hidden), np.ones(hidden)),
        Layer(n_outputs, Linear(), (0, 0), np.ones(n_outputs), np.ones(n_outputs)),
    )
    return LayeredCircuit(n_inputs, layers)


class Counting(DensePorts):
    """Notes how often devices are taken over."""

    updates = 0

    def update(self, conductance_siemens: Array) -> None:
        type(self).updates += 1
        super().update(conductance_siemens)


def test_crossbars_are_solved_once_a_programming_and_only_when_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counting, "updates", 0)
    circuit = windows(4, 6, 2)
    rng = np.random.default_rng(0)
    siemens = rng.uniform(1e-4, 1e-3, circuit.n_devices)
    network = WiredNetwork(circuit, [(1.0, 1.0)] * 2, siemens, SolverOptions(1e-12), Counting)
    assert Counting.updates == 0
    inputs = rng.uniform(-1.0, 1.0, (3, 4))
    for _ in range(3):
        network.settle(inputs, [None], None)
    assert Counting.updates == 2
    for _ in range(5):
        network.program(siemens * 1.1)
    assert Counting.updates == 2
    network.settle(inputs, [None, np.zeros((3, 2))], None)
    assert Counting.updates == 4


@pytest.mark.parametrize("ohms", [(20.0, 30.0), (20.0, 0.0), (0.0, 30.0), (0.0, 0.0)])
def test_another_solver_of_crossbars_gives_the_same_states_and_drops(
    ohms: tuple[float, float],
) -> None:
    circuit = windows(5, 6, 3)
    rng = np.random.default_rng(1)
    siemens = rng.uniform(1e-4, 1e-3, circuit.n_devices)
    inputs, nudge = rng.uniform(-1.0, 1.0, (4, 5)), rng.uniform(-1e-4, 1e-4, (4, 3))
    networks = [
        WiredNetwork(circuit, [ohms] * 2, 0.5 * siemens, SolverOptions(1e-13)),
        WiredNetwork(circuit, [ohms] * 2, 0.5 * siemens, SolverOptions(1e-13), DensePorts),
    ]
    for factor in (0.5, 1.0):
        states, drops = [], []
        for network in networks:
            network.program(factor * siemens)
            volts, ok = network.settle(inputs, [None, nudge], None)
            assert ok.all()
            states.append(volts)
            (both,) = network.drops(0, inputs, volts[0], volts[1] - volts[0])
            drops.append(np.array(both))
        np.testing.assert_allclose(*states, rtol=0.0, atol=1e-11)
        np.testing.assert_allclose(*drops, rtol=0.0, atol=1e-11)
        own, line = drops[0][0]
        assert (np.abs(own - line).max() > 1e-3) == any(ohms)


@pytest.mark.parametrize("case", ["ideal_diodes", "shockley_pairs"])
def test_any_start_leads_to_the_same_state(build: Build, case: str) -> None:
    built = build((7, 6), case, n_signals=8, gains=(4.0, 0.25), biased=(True, True, True))
    substrate = wire(built, 20.0, 20.0)
    rng = np.random.default_rng(2)
    inputs = rng.uniform(-1.0, 1.0, (5, substrate.spec.topology.inputs.size))
    cold = substrate.settle(Drive(inputs))
    for scale in (1e-3, 1.0, 1e6, 1e30, np.nan):
        volts = scale * rng.normal(size=cold.node_volts.shape)
        warm = substrate.settle(Drive(inputs), Settled(volts, cold.ok))
        assert warm.ok.all()
        np.testing.assert_allclose(warm.node_volts, cold.node_volts, rtol=0.0, atol=1e-10)


def test_what_does_not_settle_is_said_so_example_by_example(build: Build) -> None:
    substrate = wire(
        build((7, 6), "shockley_pairs", n_signals=8), 5.0, 5.0, SolverOptions(1e-12, 1)
    )
    inputs = np.random.default_rng(3).uniform(-1.0, 1.0, (3, 8))
    inputs[1] = 0.0  # settled from the start
    np.testing.assert_array_equal(substrate.settle(Drive(inputs)).ok, [False, True, False])


def test_many_hidden_nodes_settle_exactly() -> None:
    """Against Kirchhoff's law at every node, with what a window takes up on its own side."""
    circuit = windows(60, 260, 10)
    rng = np.random.default_rng(4)
    siemens = rng.uniform(1e-6, 1e-4, circuit.n_devices)
    network = WiredNetwork(circuit, [(0.0, 3.0), (0.0, 3.0)], siemens, SolverOptions(1e-12))
    inputs, nudge = rng.uniform(-1.0, 1.0, (5, 60)), rng.uniform(-1e-5, 1e-5, (5, 10))
    (volts,), (ok,) = network.settle(inputs, [nudge], None)
    assert ok.all()
    e = network.equations
    left = inputs @ e.inject - volts @ e.matrix.T
    left[:, 260:] += nudge
    scale = np.abs(e.matrix).max() * np.abs(volts).max()
    hidden, excitatory = volts[:, :260], np.arange(260) < 130
    sign = np.where(excitatory, 1.0, -1.0)
    assert (sign * hidden >= 0.0).all()
    held = hidden == 0.0
    assert 0.2 < held.mean() < 0.8
    taken = sign * left[:, :260]
    assert (taken[held] <= 0.0).all()
    assert np.abs(left[:, :260][~held]).max() < 1e-13 * scale * 260
    assert np.abs(left[:, 260:]).max() < 1e-13 * scale * 260


def test_examples_do_not_depend_on_their_companions(build: Build) -> None:
    substrate = wire(build((7, 6), n_signals=8), 5.0, 5.0)
    inputs = np.random.default_rng(5).uniform(-1.0, 1.0, (40, 8))
    together = substrate.settle(Drive(inputs)).node_volts
    for b in (0, 17, 39):
        alone = substrate.settle(Drive(inputs[b : b + 1])).node_volts
        np.testing.assert_allclose(together[b], alone[0], rtol=0.0, atol=1e-14)


def test_a_run_that_goes_on_and_one_resumed_have_equal_bits(build: Build) -> None:
    """Whatever they were programmed to before, and on as many threads as there are."""
    built = build((17, 9), n_signals=40, n_outputs=5)
    rng = np.random.default_rng(6)
    siemens = built.substrate.read_conductance()
    other = siemens * rng.uniform(0.9, 1.1, siemens.size)
    inputs = rng.uniform(-1.0, 1.0, (20, 40))
    states = []
    before = numba.get_num_threads()
    for threads, history in ((1, [other, siemens]), (2, [other, siemens]), (1, [siemens])):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            substrate = wire(built, 5.0, 5.0)
            for programmed in history:
                substrate.load_conductance(programmed)
                settled = substrate.settle(Drive(inputs))
        finally:
            numba.set_num_threads(before)
        states.append(settled.node_volts)
    np.testing.assert_array_equal(states[1], states[0])
    np.testing.assert_array_equal(states[2], states[0])


def test_a_node_that_would_float_is_refused(build: Build) -> None:
    built = build((4,), g_min_siemens=0.0)
    siemens = built.substrate.read_conductance()
    siemens.reshape(-1)[: 3 * 4 : 4] = 0.0
    siemens[12:14] = 0.0
    with pytest.raises(ConfigurationError, match="node 0 of layer 1"):
        _rebuild(built, siemens)


def test_a_start_outside_the_window_is_refused(build: Build) -> None:
    built = build((4,))
    with pytest.raises(ConfigurationError, match="window"):
        _rebuild(built, 10.0 * built.substrate.read_conductance())


def _rebuild(built: Any, siemens: Array) -> None:
    built.substrate.read_conductance = lambda: siemens
    wire(built, 1.0, 1.0)
