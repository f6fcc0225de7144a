"""Stacks of crossbars with mismatch against the general solver, which gets them drawn out, and
equilibrium propagation in them against finite differences.

The general solver sees offsets as sources in series, and each diode with its own parameters.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.costs import SquaredError
from hil.errors import ConfigurationError
from hil.estimators import Centred
from hil.scheduler import Scheduler, output_volts
from hil.substrate import Drive
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.neurons import IdealDiodes, ShockleyPairs
from sim_backend.memristors.interface import as_arrays
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.drawn import LayeredMismatch, warm
from sim_backend.mismatch.layered import draw_layers, mismatched_layers
from sim_backend.nodal.elements import GROUND, Diode, DiodeModel, VoltageSource
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, saturation_amps
from sim_backend.nodal.solver import Solver
from tests.unit.mismatch_networks import everything, nominal, substrate

Array = NDArray[np.float64]

CLOSE = 1e-9
"""Largest difference from the general solver, relative to the largest voltage."""


def built(
    circuit: LayeredCircuit, config: MismatchConfig, amplified: bool = True, seed: int = 1
) -> LayeredCircuit:
    drawn = draw_layers(config, circuit, amplified, np.random.default_rng(seed))
    return mismatched_layers(circuit, drawn)


def some_drives(n_inputs: int = 3, n_outputs: int = 2, batch: int = 5) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    inputs = rng.uniform(-1.0, 1.0, (batch, n_inputs))
    return inputs, rng.uniform(-5e-4, 5e-4, (batch, n_outputs))


def by_nodal(network: LayeredSubstrate, inputs: Array, nudges: Array) -> Array:
    solver = Solver(network.circuit(inputs[0], nudges[0]))
    levels = {f"vin{k}": inputs[:, k] for k in range(inputs.shape[1])}
    levels |= {f"inudge{k}": nudges[:, k] for k in range(nudges.shape[1])}
    solution = solver.solve(levels)
    assert solution.ok.all()
    volts = dict(zip(solver.nodes, solution.node_volts.T, strict=True))
    volts[GROUND] = np.zeros(len(inputs))
    return np.stack([volts[name] for name in network.node_names()], axis=1)


def assert_agree(network: LayeredSubstrate, close: float = CLOSE) -> Array:
    inputs, nudges = some_drives(network.spec.topology.inputs.size)
    settled = network.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    theirs = by_nodal(network, inputs, nudges)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(settled.node_volts, theirs, rtol=0.0, atol=close * scale)
    return theirs


# --- physics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(5,), (4, 3), (3, 5, 4)])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    ("kind", "amplified"),
    [
        ("linear", True),
        ("ideal_diodes", True),
        ("ideal_diodes", False),
        ("ideal_pairs", True),
        ("shockley_pairs", True),
        ("shockley_pairs", False),
    ],
)
def test_everything_at_once(
    kind: str, amplified: bool, biased: bool, hidden: tuple[int, ...]
) -> None:
    circuit = nominal(hidden, kind, (4.0, 0.25) if amplified else None, biased=biased)
    real = built(circuit, everything(kind, amplified), amplified)
    theirs = assert_agree(substrate(real, amplified))
    drives = some_drives(circuit.n_inputs)
    without = substrate(circuit, amplified).settle(Drive(*drives)).node_volts
    assert np.abs(theirs - without).max() > 1e-3


@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
def test_constant_currents_follow_the_programming(hidden: tuple[int, ...]) -> None:
    network = substrate(
        built(nominal(hidden, "shockley_pairs"), everything("shockley_pairs", True))
    )
    rng = np.random.default_rng(0)
    before = assert_agree(network)
    for _ in range(3):
        network.pulse(rng.integers(-30, 30, network.spec.topology.n_devices))
        assert_agree(network)
    network.load_conductance(rng.uniform(1e-4, 1e-3, network.spec.topology.n_devices))
    after = assert_agree(network)
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("kind", ["ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
def test_single_precision(kind: str, hidden: tuple[int, ...]) -> None:
    real = built(nominal(hidden, kind), everything(kind, True))
    double, single = substrate(real), substrate(real, precision=np.float32)
    inputs, nudges = some_drives()
    wanted = double.settle(Drive(inputs, nudges)).node_volts
    found = single.settle(Drive(inputs.astype(np.float32), nudges.astype(np.float32)))
    assert found.ok.all()
    assert found.node_volts.dtype == np.float32
    np.testing.assert_allclose(found.node_volts, wanted, rtol=0.0, atol=3e-5)


def test_an_offset_alone_by_hand() -> None:
    """One hidden node and one output, inputs at 0 V: the offset drives the loop alone."""
    circuit = nominal((1,), "linear", (4.0, 0.25), n_signals=1, n_outputs=1)
    offset = np.array([0.01])
    first = dataclasses.replace(circuit.layers[0], forward_offset_volts=offset)
    network = substrate(LayeredCircuit(1, (first, circuit.layers[1])))
    g, h = network.read_conductance()
    settled = network.settle(Drive(np.zeros((1, 1)), np.zeros((1, 1)))).node_volts[0]
    _, hidden, behind, output = settled
    # Nothing draws current from the output node, so that none flows back either.
    assert g * h > 0
    np.testing.assert_allclose([hidden, behind, output], [0.0, 0.04, 0.04], atol=1e-15)
    nudge = 1e-5
    settled = network.settle(Drive(np.zeros((1, 1)), np.full((1, 1), nudge))).node_volts[0]
    _, hidden, behind, output = settled
    np.testing.assert_allclose(hidden * g, 0.25 * nudge, rtol=1e-12)
    np.testing.assert_allclose(behind, 4.0 * (hidden + 0.01), rtol=1e-12)
    np.testing.assert_allclose((output - behind) * h, nudge, rtol=1e-12)


def test_offsets_are_drawn_as_sources_only_where_they_are() -> None:
    circuit = nominal((3,), "linear")
    offsets = np.array([0.0, 0.02, 0.0])
    first = dataclasses.replace(circuit.layers[0], forward_offset_volts=offsets)
    drawing = substrate(LayeredCircuit(3, (first, circuit.layers[1]))).circuit(np.zeros(3), None)
    found = [e for e in drawing.elements if isinstance(e, VoltageSource) and "offset" in e.name]
    assert found == [VoltageSource("voffset4", "offset4", "n4", 0.02)]


def test_diodes_of_a_pair_have_their_own_currents() -> None:
    real = built(nominal((4,), "shockley_pairs"), MismatchConfig(saturation_spread=0.5))
    pairs = real.layers[0].neurons
    assert isinstance(pairs, ShockleyPairs)
    assert pairs.lower_saturation_amps is not None
    drawing = substrate(real).circuit(np.zeros(3), None)
    found = {e.name: e.model.saturation_amps for e in drawing.elements if isinstance(e, Diode)}
    ups = [amps for name, amps in found.items() if name.startswith("dup")]
    lows = [amps for name, amps in found.items() if name.startswith("dlow")]
    np.testing.assert_array_equal(ups, pairs.saturation_amps)
    np.testing.assert_array_equal(lows, pairs.lower_saturation_amps)
    assert not set(ups) & set(lows)


@pytest.mark.parametrize("crossed", [False, True])
def test_the_symmetric_form_is_the_same_law(crossed: bool) -> None:
    rng = np.random.default_rng(0)
    n = 50
    low = rng.uniform(-0.2, 0.0, n)
    high = low + (-1 if crossed else 1) * rng.uniform(0.0, 0.3, n)
    pairs = ShockleyPairs(
        10.0 ** rng.uniform(-12, -6, n),
        rng.uniform(0.02, 0.05, n),
        low,
        high,
        10.0 ** rng.uniform(-12, -6, n),
    )
    equal, push = pairs.symmetric()
    assert equal.lower_saturation_amps is None
    assert np.all(equal.lower_volts <= equal.upper_volts)
    assert push is not None
    volts = rng.uniform(-0.3, 0.3, (20, n))

    def amps(p: ShockleyPairs) -> Array:
        up, down = p.saturation_amps, p.lower_saturation_amps
        down = up if down is None else down
        rising = up * np.expm1((volts - p.upper_volts) / p.thermal_volts)
        falling = down * np.expm1((p.lower_volts - volts) / p.thermal_volts)
        return np.asarray(rising - falling)

    # Where sources cross, the difference of nearly equal currents loses digits.
    size = np.abs(amps(pairs)) + equal.saturation_amps
    assert np.all(np.abs(amps(equal) - push - amps(pairs)) <= 1e-11 * size)


def test_pairs_that_need_no_change_keep_their_bits() -> None:
    same = np.array([1e-9, 3e-7])
    pairs = ShockleyPairs(
        same, same * 1e7, np.array([-0.1, 0.3]), np.array([0.1, 0.3]), same.copy()
    )
    equal, push = pairs.symmetric()
    assert push is None
    for name in ("saturation_amps", "thermal_volts", "lower_volts", "upper_volts"):
        np.testing.assert_array_equal(getattr(equal, name), getattr(pairs, name))


def test_temperature_follows_spices_law() -> None:
    model = DiodeModel(2e-9, 1.3, nominal_kelvin=290.0)
    for shift in (-40.0, 0.0, 25.0):
        amps, ratio = warm(np.array([2e-9]), np.array([1.3]), 290.0, np.array([shift]))
        wanted = saturation_amps(Diode("d", "1", "0", model), 290.0 + shift, BOLTZMANN_OVER_CHARGE)
        np.testing.assert_allclose(amps, wanted, rtol=1e-12)
        np.testing.assert_allclose(ratio, (290.0 + shift) / 290.0, rtol=1e-15)
    hot = built(nominal((2,), "shockley_pairs"), MismatchConfig(temperature_kelvin_shift=10.0))
    pairs = hot.layers[0].neurons
    assert isinstance(pairs, ShockleyPairs)
    wanted = saturation_amps(Diode("d", "1", "0", DiodeModel(1e-7)), 310.15, BOLTZMANN_OVER_CHARGE)
    np.testing.assert_allclose(pairs.saturation_amps, wanted, rtol=1e-12)
    np.testing.assert_allclose(pairs.thermal_volts, 310.15 * BOLTZMANN_OVER_CHARGE, rtol=1e-12)


def test_gains_and_their_ratio() -> None:
    config = MismatchConfig(amplifier_gain_spread=0.3, reciprocity_spread=0.2)
    circuit = nominal((6, 4))
    drawn = draw_layers(config, circuit, True, np.random.default_rng(0))
    real = mismatched_layers(circuit, drawn)
    forward = np.concatenate([layer.forward_gain for layer in real.layers[:-1]])
    backward = np.concatenate([layer.backward_gain for layer in real.layers[:-1]])
    np.testing.assert_allclose(forward, 4.0 * drawn.gain_factor, rtol=1e-15)
    np.testing.assert_allclose(backward / forward, drawn.ratio_factor / 16.0, rtol=1e-14)
    assert real.layers[-1] is circuit.layers[-1]


def test_offsets_are_added_to_forward_voltages() -> None:
    circuit = nominal((4,), "ideal_pairs")
    drawn = draw_layers(
        MismatchConfig(diode_offset_volts=0.02), circuit, True, np.random.default_rng(0)
    )
    diodes = mismatched_layers(circuit, drawn).layers[0].neurons
    assert isinstance(diodes, IdealDiodes)
    np.testing.assert_array_equal(diodes.lower_volts, -0.1 - drawn.diode_offset_volts[0])
    np.testing.assert_array_equal(diodes.upper_volts, 0.1 + drawn.diode_offset_volts[1])


# --- without mismatch --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["linear", "ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_none_gives_the_same_bits(kind: str, hidden: tuple[int, ...], precision: type) -> None:
    circuit = nominal(hidden, kind)
    same = substrate(built(circuit, MismatchConfig()), precision=precision)
    plain = substrate(circuit, precision=precision)
    inputs, nudges = some_drives()
    inputs, nudges = inputs.astype(precision), nudges.astype(precision)
    targets: Array = np.zeros((len(inputs), 2), precision)
    scheduler = Scheduler(SquaredError(), Centred(), 1e-5)
    for _ in range(3):
        ours, theirs = (s.settle(Drive(inputs, nudges)).node_volts for s in (same, plain))
        assert ours.tobytes() == theirs.tobytes()
        for network in (same, plain):
            free = scheduler.free(network, inputs, targets)
            terms, _ = scheduler.terms(network, inputs, free, np.random.default_rng(0))
            network.descend(terms, [1e-5] * len(circuit.layers))
    assert same.read_conductance().tobytes() == plain.read_conductance().tobytes()


def test_two_chips_differ() -> None:
    circuit, config = nominal((5,)), MismatchConfig(amplifier_gain_spread=0.1)
    inputs, nudges = some_drives()
    one, other = (
        substrate(built(circuit, config, seed=seed)).settle(Drive(inputs, nudges)).node_volts
        for seed in (1, 2)
    )
    assert np.abs(one - other).max() > 1e-3


# --- gradients ---------------------------------------------------------------------------------


def gradient_error(real: LayeredCircuit, amplified: bool = True) -> float:
    """Of the centred estimate by the nominal energy, relative, against finite differences."""
    network = substrate(real, amplified)
    inputs, _ = some_drives()
    targets = np.random.default_rng(6).uniform(-0.2, 0.2, (len(inputs), 2))
    cost = SquaredError()
    scheduler = Scheduler(cost, Centred(), 1e-6)
    free = scheduler.free(network, inputs, targets)
    terms, ok = scheduler.terms(network, inputs, free, np.random.default_rng(0))
    assert ok.all()
    estimate = network.spec.energy.contrast(terms)
    conductance = network.read_conductance()

    def mean_cost(siemens: Array) -> float:
        network.load_conductance(siemens)
        settled = network.settle(Drive(inputs, None))
        volts = output_volts(network, settled)
        return float(cost.value(volts, targets).mean())

    exact = np.empty(conductance.size)
    for k in range(conductance.size):
        step = np.zeros(conductance.size)
        step[k] = 1e-4 * conductance[k]
        exact[k] = (mean_cost(conductance + step) - mean_cost(conductance - step)) / (2 * step[k])
    return float(np.linalg.norm(estimate - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_estimates_stay_exact_in_circuits_that_are_reciprocal(hidden: tuple[int, ...]) -> None:
    """Gains that keep B/A, offsets and diodes change the circuit, not the theorem."""
    config = everything("shockley_pairs", True).model_copy(update={"reciprocity_spread": 0.0})
    assert gradient_error(built(nominal(hidden, "shockley_pairs"), config)) < 1e-5


def test_estimates_are_biased_where_it_is_not() -> None:
    config = MismatchConfig(reciprocity_spread=0.2)
    error = gradient_error(built(nominal((4,), "shockley_pairs"), config))
    assert 0.01 < error < 0.5


# --- what cannot be built ----------------------------------------------------------------------


def test_ideal_diodes_that_would_short_each_other() -> None:
    circuit = nominal((40,), "ideal_pairs", volts=0.01)
    with pytest.raises(ConfigurationError, match=r"short each other; lower mismatch\.diode_offset"):
        built(circuit, MismatchConfig(diode_offset_volts=0.05))


def test_shockley_diodes_may_cross_a_little_only() -> None:
    circuit = nominal((40,), "shockley_pairs", volts=0.0)
    assert_agree(substrate(built(circuit, MismatchConfig(diode_offset_volts=0.05))), 1e-7)
    with pytest.raises(ConfigurationError, match="40 thermal voltages above"):
        built(circuit, MismatchConfig(diode_offset_volts=2.0))


def test_temperatures_must_be_possible() -> None:
    circuit = nominal((200,), "shockley_pairs")
    with pytest.raises(ConfigurationError, match=r"would be at -.* K; lower mismatch\.temp"):
        built(
            circuit,
            MismatchConfig(temperature_spread_kelvin=60.0, temperature_kelvin_shift=-200.0),
        )
    with pytest.raises(ConfigurationError, match="would have the saturation current"):
        built(circuit, MismatchConfig(temperature_kelvin_shift=-250.0))


def test_offsets_must_be_one_a_node_and_finite() -> None:
    circuit = nominal((3,), "linear")
    for offsets in (np.zeros(2), np.array([0.0, np.nan, 0.0])):
        first = dataclasses.replace(circuit.layers[0], forward_offset_volts=offsets)
        with pytest.raises(ValueError, match=r"layer 1: (parameters must have|amplifier offsets)"):
            LayeredCircuit(3, (first, circuit.layers[1]))


def test_a_record_of_another_circuit_is_refused() -> None:
    drawn = draw_layers(MismatchConfig(), nominal((5, 3)), True, np.random.default_rng(0))
    with pytest.raises(ValueError, match="drawn for 8 hidden neurons, the circuit has 9"):
        mismatched_layers(nominal((5, 4)), drawn)


def test_the_drawn_record_is_left_alone() -> None:
    circuit = nominal((5,), "shockley_pairs")
    config = everything("shockley_pairs", True)
    drawn = draw_layers(config, circuit, True, np.random.default_rng(0))
    before = {name: values.copy() for name, values in as_arrays(drawn).items()}
    assert_agree(substrate(mismatched_layers(circuit, drawn)))
    assert isinstance(drawn, LayeredMismatch)
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(drawn, name), values)
