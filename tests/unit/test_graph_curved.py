"""Networks of any shape whose devices have a curve, and circuits that came out otherwise."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.contract import check_substrate
from hil.costs import SquaredError
from hil.energy import ResistorEnergy
from hil.errors import ConfigurationError
from hil.estimators import Centred
from hil.scheduler import Scheduler
from hil.substrate import Drive
from hil.topology import Edges, Topology, layered
from sim_backend.curved.energy import CurvedEnergy
from sim_backend.graph import shapes
from sim_backend.graph.adapter import Limits, NodalSubstrate, Wiring
from sim_backend.graph.circuits import draw
from sim_backend.layered.neurons import Floats, IdealDiodes, Linear, Neurons, ShockleyPairs
from sim_backend.memristors.conduction import Conduction, Cubic, Sinh
from sim_backend.memristors.conduction import Linear as Straight
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    Curve,
    Diode,
    DiodeModel,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from tests.unit.curved_stacks import circuit as stack
from tests.unit.curved_stacks import neurons as hidden_neurons
from tests.unit.curved_stacks import substrate as curved

Array = NDArray[np.float64]

LIMITS = Limits((1e-6, 1e-2), 1e-5, 1.0, 1e-2, 1e-11)
CURVES = [Cubic(3.0), Sinh(4.0)]
LATTICE = shapes.place(shapes.lattice(3, 4), 12, 3, 2, None, None)


def soft(n: int) -> ShockleyPairs:
    one = np.ones(n)
    return ShockleyPairs(3e-6 * one, 0.026 * one, -0.02 * one, 0.05 * one)


def clipped(n: int) -> IdealDiodes:
    # Not all at one voltage, where no current would flow between clipped nodes: a kink.
    return IdealDiodes(np.linspace(-0.09, -0.04, n), np.full(n, 0.08))


def network(
    topology: Topology, neurons: Any = soft, conduction: Conduction | None = None, **more: Any
) -> NodalSubstrate:
    hidden = topology.hidden
    model: Neurons = neurons(hidden.size)
    circuit, wiring = draw(topology, [(model, hidden.tolist())])
    start = np.random.default_rng(5).uniform(1e-4, 1e-3, topology.n_devices)
    return NodalSubstrate(
        "nodal", circuit, topology, wiring, start, LIMITS, conduction=conduction, **more
    )


def some_drives(topology: Topology) -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    return (
        rng.uniform(-0.5, 0.5, (3, topology.inputs.size)),
        rng.uniform(-5e-4, 5e-4, (3, topology.outputs.size)),
    )


def surplus(of: NodalSubstrate, curve: Conduction, volts: Floats, nudges: Array) -> Array:
    """Currents left over at the outputs, where no neuron is, (batch, n_outputs)."""
    topology = of.spec.topology
    drop = volts[:, topology.tails] - volts[:, topology.heads]
    amps = curve.amps(drop, of.read_conductance())
    left = np.zeros((len(volts), topology.n_nodes))
    for b in range(len(volts)):
        np.subtract.at(left[b], topology.tails, amps[b])
        np.add.at(left[b], topology.heads, amps[b])
    return left[:, topology.outputs] + nudges


@pytest.mark.parametrize("curve", CURVES, ids=str)
@pytest.mark.parametrize("kind", ["pairs", "ideal_pairs"])
def test_stacks_agree_with_their_own_path(kind: str, curve: Conduction) -> None:
    fast = curved(stack((4,), kind, biased=(True, True)), curve)
    slow = network(
        layered(3, (4,), 2, biased=(True, True)), functools.partial(hidden_neurons, kind), curve
    )
    slow.load_conductance(fast.read_conductance())
    drive = Drive(*some_drives(slow.spec.topology))
    one, other = slow.settle(drive), fast.settle(drive)
    assert one.ok.all()
    assert other.ok.all()
    np.testing.assert_allclose(one.node_volts, other.node_volts, rtol=0, atol=1e-9)


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_a_lattice_obeys_kirchhoff_before_and_after_programming(curve: Conduction) -> None:
    of = network(LATTICE, conduction=curve)
    inputs, nudges = some_drives(LATTICE)
    before = of.settle(Drive(inputs, nudges))
    assert before.ok.all()
    assert np.abs(surplus(of, curve, before.node_volts, nudges)).max() < 1e-11
    of.adjust(np.random.default_rng(0).uniform(-2e-4, 2e-4, LATTICE.n_devices))
    after = of.settle(Drive(inputs, nudges), before)
    assert np.abs(after.node_volts - before.node_volts).max() > 1e-3
    assert np.abs(surplus(of, curve, after.node_volts, nudges)).max() < 1e-11


@pytest.mark.parametrize("curve", CURVES, ids=str)
@pytest.mark.parametrize("neurons", [soft, clipped])
@pytest.mark.parametrize("shape", ["lattice", "crossbars"])
def test_the_estimate_is_the_gradient_of_the_loss(
    shape: str, neurons: Any, curve: Conduction
) -> None:
    topology = LATTICE if shape == "lattice" else layered(3, (3,), 2)
    of = network(topology, neurons, curve)
    inputs, _ = some_drives(topology)
    targets = np.random.default_rng(6).uniform(-0.1, 0.1, (3, 2))
    cost = SquaredError()
    scheduler = Scheduler(cost, Centred(), 1e-6)

    def loss(conductance: Array) -> float:
        of.load_conductance(conductance)
        free = scheduler.free(of, inputs, targets)
        assert free.settled.ok.all()
        return float(cost.value(free.output_volts, targets).mean())

    start = of.read_conductance()
    exact = np.zeros(start.size)
    for k in range(start.size):
        step = 1e-4 * start[k] * (np.arange(start.size) == k)
        exact[k] = (loss(start + step) - loss(start - step)) / (2e-4 * start[k])
    of.load_conductance(start)
    free = scheduler.free(of, inputs, targets)
    terms, ok = scheduler.terms(of, inputs, free, np.random.default_rng(0))
    assert ok.all()
    found = of.spec.energy.contrast(terms)
    assert np.linalg.norm(exact) > 0.0
    assert np.linalg.norm(found - exact) < 1e-5 * np.linalg.norm(exact)
    straight = ResistorEnergy(topology, (1.0,) * len(topology.groups)).contrast(terms)
    assert np.linalg.norm(straight - exact) > 1e-2 * np.linalg.norm(exact)


@pytest.mark.parametrize("curve", CURVES, ids=str)
@pytest.mark.parametrize("shape", ["lattice", "crossbars"])
def test_curved_graphs_honour_the_contract(shape: str, curve: Conduction) -> None:
    topology = LATTICE if shape == "lattice" else layered(3, (3,), 2, biased=(True, False))
    check_substrate(lambda: network(topology, clipped, curve))


def test_a_straight_curve_is_a_resistor() -> None:
    plain, straight = network(LATTICE), network(LATTICE, conduction=Straight())
    drive = Drive(*some_drives(LATTICE))
    assert isinstance(straight.spec.energy, ResistorEnergy)
    found, expected = straight.settle(drive), plain.settle(drive)
    np.testing.assert_array_equal(found.node_volts, expected.node_volts)
    bent = network(LATTICE, conduction=Cubic(0.0))
    assert isinstance(bent.spec.energy, CurvedEnergy)
    np.testing.assert_allclose(bent.settle(drive).node_volts, expected.node_volts, atol=1e-10)


def test_a_drawing_keeps_its_conductances() -> None:
    of = network(LATTICE, conduction=Sinh(4.0))
    inputs, nudges = some_drives(LATTICE)
    before = of.settle(Drive(inputs[:1], nudges[:1])).node_volts[0]
    drawn = of.circuit(inputs[0], nudges[0])
    of.adjust(np.full(LATTICE.n_devices, 1e-3))
    assert sum(isinstance(e, Curve) for e in drawn.elements) == LATTICE.n_devices
    solver = Solver(drawn)
    found = dict(zip(solver.nodes, solver.solve().node_volts[0], strict=True))
    volts = np.array([found[name] for name in of.node_names()])
    np.testing.assert_allclose(volts, before, rtol=0, atol=1e-9)


# --- circuits of one's own -------------------------------------------------------------------


def hand_made(saturation_amps: float = 1e-9) -> tuple[Circuit, Topology, Wiring]:
    """Two trainable devices of a group of three, one single, a load, and a diode."""
    group = Resistors(
        "rg", ("a", "b", "h"), np.array([0, 1, 2]), np.array([2, 2, 1]), np.full(3, 1e-3)
    )
    elements = (
        VoltageSource("va", "a", GROUND, 0.0),
        VoltageSource("vb", "b", GROUND, 0.0),
        group,
        Resistor("ro", "h", "out", 1e-3),
        Resistor("rload", "out", GROUND, 2e-3),
        Diode("d", "h", GROUND, DiodeModel(saturation_amps)),
    )
    topology = Topology(
        4, np.array([0, 1]), np.array([3]), (Edges(np.array([0, 1, 2]), np.array([2, 2, 3])),)
    )
    wiring = Wiring(("a", "b", "h", "out"), ("va", "vb"), ("rg[0]", "rg[1]", "ro"))
    return Circuit(elements, gmin_siemens=0.0), topology, wiring


def test_only_trainable_resistors_get_a_curve() -> None:
    circuit, topology, wiring = hand_made()
    start = np.array([4e-4, 5e-4, 6e-4])
    of = NodalSubstrate("own", circuit, topology, wiring, start, LIMITS, conduction=Cubic(5.0))
    drawn = of.circuit(np.array([0.5, 0.2]), None)
    kinds = {e.name: type(e) for e in drawn.elements}
    assert [kinds[name] for name in wiring.devices] == [Curve] * 3
    assert kinds["rg[2]"] is Resistor
    assert kinds["rload"] is Resistor
    volts = of.settle(Drive(np.array([[0.5, 0.2]]))).node_volts[0]
    into_load = Cubic(5.0).amps(np.array(volts[2] - volts[3]), np.array(start[2]))
    assert into_load == pytest.approx(2e-3 * volts[3], rel=1e-9)


@pytest.mark.parametrize("conduction", [None, Cubic(5.0)])
def test_what_was_built_is_solved_and_what_was_meant_is_known(
    conduction: Conduction | None,
) -> None:
    nominal, topology, wiring = hand_made()
    built = hand_made(1e-7)[0]
    start = np.array([4e-4, 5e-4, 6e-4])
    given = (topology, wiring, start, LIMITS)
    drive = Drive(np.array([[0.8, 0.6]]), np.array([[1e-4]]))
    meant = NodalSubstrate("own", nominal, *given, conduction=conduction)
    alone = NodalSubstrate("own", built, *given, conduction=conduction)
    both = NodalSubstrate("own", nominal, *given, built=built, conduction=conduction)
    found = both.settle(drive)
    assert found.ok.all()
    np.testing.assert_array_equal(found.node_volts, alone.settle(drive).node_volts)
    assert np.abs(found.node_volts - meant.settle(drive).node_volts).max() > 1e-2
    drawn = both.circuit(drive.input_volts[0], None)
    models = [e.model.saturation_amps for e in drawn.elements if isinstance(e, Diode)]
    assert models == [1e-7]


def test_weights_are_those_of_what_was_meant() -> None:
    topology = layered(2, (2,), 1, amplified=True)
    circuit, wiring = draw(topology, [(Linear(), [])])

    def amplified(gains: tuple[float, float]) -> Circuit:
        amplifiers = [Amplifier(f"e{k}", f"n{2 + k}", f"n{4 + k}", g, 0.5 / 4.0) for k, g in
                      enumerate(gains)]  # fmt: skip
        return dataclasses.replace(circuit, elements=(*circuit.elements, *amplifiers))

    start = np.full(topology.n_devices, 1e-3)
    built = amplified((4.1, 3.9))
    of = NodalSubstrate("own", amplified((4.0, 4.0)), topology, wiring, start, LIMITS, built=built)
    assert isinstance(of.spec.energy, ResistorEnergy)
    assert of.spec.energy.weights == pytest.approx((32.0, 1.0))
    volts = of.settle(Drive(np.array([[0.5, 0.2]]))).node_volts[0]
    assert volts[4] / volts[2] == pytest.approx(4.1)
    assert volts[5] / volts[3] == pytest.approx(3.9)


@pytest.mark.parametrize(
    ("dropped", "match"), [("va", "input source va"), ("ro", "trainable resistor ro")]
)
def test_a_circuit_that_lacks_a_part_is_refused(dropped: str, match: str) -> None:
    nominal, topology, wiring = hand_made()
    kept = tuple(e for e in nominal.elements if e.name != dropped)
    built = dataclasses.replace(nominal, elements=kept)
    with pytest.raises(ConfigurationError, match=match):
        NodalSubstrate("own", nominal, topology, wiring, np.full(3, 1e-3), LIMITS, built=built)
