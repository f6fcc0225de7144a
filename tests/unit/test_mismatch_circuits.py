"""Mismatch in circuits of single elements, by the general solver."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import ConfigurationError
from sim_backend.memristors.interface import as_arrays
from sim_backend.mismatch.circuits import draw_circuit, mismatched_circuit
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.drawn import CircuitMismatch
from sim_backend.mismatch.layered import draw_layers, mismatched_layers
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentSource,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    Resistor,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from tests.unit.mismatch_networks import ALL, everything, nominal, substrate

Array = NDArray[np.float64]

SILICON = DiodeModel(1e-12, 1.5, series_ohms=10.0, nominal_kelvin=290.0)


def volts(circuit: Circuit) -> dict[str, float]:
    solver = Solver(circuit)
    solution = solver.solve({})
    assert solution.ok.all()
    return dict(zip(solver.nodes, solution.node_volts[0].tolist(), strict=True))


def drawn(circuit: Circuit, **values: list[float]) -> CircuitMismatch:
    """Without mismatch but for these."""
    plain = draw_circuit(MismatchConfig(), circuit, np.random.default_rng(0))
    return dataclasses.replace(plain, **{name: np.array(given) for name, given in values.items()})


def one_diode(model: DiodeModel = SILICON, kelvin: float = 300.15, area: float = 2.0) -> Circuit:
    """Fed through a resistor."""
    elements: list[Element] = [
        VoltageSource("v1", "in", GROUND, 1.0),
        Resistor("r1", "in", "a", 1e-3),
        Diode("d1", "a", GROUND, model, area),
    ]
    return Circuit(elements, kelvin=kelvin)


TRIO: list[Element] = [
    VoltageSource("v1", "in", GROUND, 0.3),
    Resistor("r1", "in", "a", 1e-3),
    VoltageControlledVoltage("e1", "s", GROUND, "a", GROUND, 4.0),
    VoltageSource("vs", "s", "b", 0.0),
    CurrentControlledCurrent("f1", "a", GROUND, "vs", 0.25),
    Resistor("r2", "b", "c", 2e-3),
    Resistor("r3", "c", GROUND, 1e-3),
]
ONE: list[Element] = [*TRIO[:2], Amplifier("e1", "a", "b", 4.0, 0.25), *TRIO[5:]]


# --- diodes ------------------------------------------------------------------------------------


def test_saturation_current_and_ideality() -> None:
    circuit = one_diode()
    built = mismatched_circuit(
        circuit, drawn(circuit, saturation_factor=[3.0], ideality_factor=[0.9])
    )
    by_hand = one_diode(dataclasses.replace(SILICON, saturation_amps=3e-12, ideality=1.35))
    assert volts(built) == volts(by_hand)
    assert abs(volts(built)["a"] - volts(circuit)["a"]) > 0.01


@pytest.mark.parametrize("shift", [-30.0, 12.0])
@pytest.mark.parametrize("cubic", [False, True])
def test_a_warm_diode_is_one_in_a_warm_circuit(shift: float, cubic: bool) -> None:
    model = dataclasses.replace(SILICON, reverse_cubic=cubic)
    circuit = one_diode(model)
    built = mismatched_circuit(circuit, drawn(circuit, kelvin_shift=[shift]))
    warm = one_diode(model, kelvin=300.15 + shift)
    assert volts(built)["a"] == pytest.approx(volts(warm)["a"], rel=1e-12)
    assert abs(volts(built)["a"] - volts(circuit)["a"]) > 0.01
    reverse = [CurrentSource("i1", "a", GROUND, 2e-3)]
    cold, hot = (
        dataclasses.replace(c, elements=(*c.elements, *reverse), gmin_siemens=0.0)
        for c in (built, warm)
    )
    assert volts(cold)["a"] == pytest.approx(volts(hot)["a"], rel=1e-12)


def test_parameters_stated_for_another_temperature() -> None:
    """A circuit at 300.15 K that stands for one at 350 K, its idealities scaled."""
    base = dataclasses.replace(SILICON, nominal_kelvin=350.0)
    scaled = dataclasses.replace(
        SILICON, ideality=SILICON.ideality * 350.0 / 300.15, nominal_kelvin=300.15
    )
    circuit = one_diode(scaled)
    assert volts(circuit)["a"] == pytest.approx(volts(one_diode(base, 350.0))["a"], rel=1e-12)
    built = mismatched_circuit(circuit, drawn(circuit, kelvin_shift=[8.0]), kelvin=350.0)
    assert volts(built)["a"] == pytest.approx(volts(one_diode(base, 358.0))["a"], rel=1e-12)


def test_an_offset_is_a_source_in_series() -> None:
    circuit = one_diode()
    built = mismatched_circuit(circuit, drawn(circuit, diode_offset_volts=[0.05]))
    shifted = volts(built)
    assert shifted["a"] - shifted["offset_d1"] == pytest.approx(0.05, rel=1e-12)
    # The same diode, whose cathode is held 50 mV higher.
    elements = [*circuit.elements[:2], Diode("d1", "a", "k", SILICON, 2.0)]
    held = Circuit([*elements, VoltageSource("vk", "k", GROUND, 0.05)])
    assert shifted["a"] == pytest.approx(volts(held)["a"], rel=1e-12)


@pytest.mark.parametrize("offset", [-0.1, 0.1])
def test_ideal_diodes_begin_elsewhere(offset: float) -> None:
    circuit = Circuit([*one_diode().elements[:2], IdealDiode("d1", "a", GROUND, 0.2)])
    built = mismatched_circuit(circuit, drawn(circuit, ideal_offset_volts=[offset]))
    assert volts(built)["a"] == pytest.approx(0.2 + offset, rel=1e-12)


# --- amplifiers --------------------------------------------------------------------------------


@pytest.mark.parametrize("elements", [ONE, TRIO], ids=["element", "trio"])
def test_gains_and_offset_of_an_amplifier(elements: list[Element]) -> None:
    circuit = Circuit(elements)
    given = drawn(circuit, gain_factor=[1.2], ratio_factor=[0.8], amplifier_offset_volts=[0.02])
    found = volts(mismatched_circuit(circuit, given))
    a, b, c = found["a"], found["b"], found["c"]
    assert b == pytest.approx(4.8 * (a + 0.02), rel=1e-12)
    delivered = 2e-3 * (b - c)
    assert c * 1e-3 == pytest.approx(delivered, rel=1e-12)
    # B/A is 0.8 of nominal: B = 0.25 * 1.2 * 0.8.
    assert 1e-3 * (0.3 - a) == pytest.approx(0.24 * delivered, rel=1e-9)


def test_a_trio_of_nominal_gain_stays_a_trio() -> None:
    circuit = Circuit([*TRIO, Diode("d1", "c", GROUND, SILICON)])
    built = mismatched_circuit(circuit, drawn(circuit, saturation_factor=[2.0]))
    assert tuple(built.elements[:-1]) == tuple(TRIO)
    assert built.elements[-1] != circuit.elements[-1]


# --- circuits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ideal_diodes", "ideal_pairs", "shockley_pairs"])
def test_drawn_networks_change_as_the_layered_ones_do(kind: str) -> None:
    """The layered network with mismatch, and the same mismatch put into its nominal drawing."""
    circuit = nominal((5, 3), kind)
    config = everything(kind, True)
    real = draw_layers(config, circuit, True, np.random.default_rng(3))
    rng = np.random.default_rng(4)
    inputs = rng.uniform(-1.0, 1.0, 3)
    drawing = substrate(circuit).circuit(inputs, None)
    plain = draw_circuit(MismatchConfig(), drawing, rng)
    is_up, neuron = _places([e for e in drawing.elements if isinstance(e, Diode | IdealDiode)])
    offsets = real.diode_offset_volts[is_up, neuron]
    same = dataclasses.replace(
        plain,
        gain_factor=real.gain_factor,
        ratio_factor=real.ratio_factor,
        amplifier_offset_volts=real.amplifier_offset_volts,
    )
    if kind == "shockley_pairs":
        same = dataclasses.replace(
            same,
            saturation_factor=real.saturation_factor[is_up, neuron],
            ideality_factor=real.ideality_factor[neuron],
            kelvin_shift=real.kelvin_shift[neuron],
            diode_offset_volts=offsets,
        )
    else:
        same = dataclasses.replace(same, ideal_offset_volts=offsets)
    ours = volts(mismatched_circuit(drawing, same))
    theirs = volts(substrate(mismatched_layers(circuit, real)).circuit(inputs, None))
    largest = max(abs(value) for value in theirs.values())
    for node in substrate(circuit).node_names():
        assert ours[node] == pytest.approx(theirs[node], abs=1e-10 * largest)


def _places(diodes: list[Diode | IdealDiode]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Whether each diode conducts upwards, and the place of its neuron among the hidden ones."""
    nodes = [int("".join(c for c in diode.name if c.isdigit())) for diode in diodes]
    is_up = [int(diode.name.startswith("dup")) for diode in diodes]
    neuron = {node: k for k, node in enumerate(sorted(set(nodes)))}
    return np.array(is_up), np.array([neuron[node] for node in nodes])


def test_none_leaves_every_element_as_it_is() -> None:
    for circuit in (one_diode(), Circuit(TRIO), Circuit(ONE), Circuit([IdealDiode("d", "a", "b")])):
        built = mismatched_circuit(circuit, drawn(circuit))
        assert tuple(built.elements) == tuple(circuit.elements)
        assert dataclasses.replace(built, elements=()) == dataclasses.replace(circuit, elements=())


def test_names_that_are_taken_are_left_alone() -> None:
    circuit = one_diode()
    more = [
        Resistor("voffset_d1", "offset_d1", GROUND, 1.0),
        Resistor("r9", "offset_d1", "in", 1.0),
    ]
    circuit = dataclasses.replace(circuit, elements=(*circuit.elements, *more))
    found = volts(mismatched_circuit(circuit, drawn(circuit, diode_offset_volts=[0.05])))
    assert found["offset_d1"] == pytest.approx(0.5, rel=1e-12)
    assert found["a"] - found["offset_d1_"] == pytest.approx(0.05, rel=1e-12)


def test_two_chips_differ() -> None:
    circuit = Circuit([*ONE, Diode("d1", "c", GROUND, SILICON)])
    config = MismatchConfig(**ALL)
    one, other = (
        volts(
            mismatched_circuit(circuit, draw_circuit(config, circuit, np.random.default_rng(seed)))
        )
        for seed in (1, 2)
    )
    assert abs(one["c"] - other["c"]) > 1e-4


def test_a_record_of_another_circuit_is_refused() -> None:
    one = drawn(one_diode())
    with pytest.raises(
        ValueError, match=r"drawn for 0 elements of kind Amplifier, the circuit has 1"
    ):
        mismatched_circuit(Circuit(ONE), one)
    with pytest.raises(ValueError, match=r"drawn for 1 elements of kind Diode, the circuit has 0"):
        mismatched_circuit(Circuit(ONE[:2]), one)
    with pytest.raises(ValueError, match=r"drawn for 0 elements of kind Amplifier"):
        mismatched_circuit(Circuit(TRIO), one)
    assert as_arrays(one)["gain_factor"].size == 0


def test_temperatures_must_be_possible() -> None:
    circuit = one_diode()
    with pytest.raises(ConfigurationError, match=r"would be at -99\.85 K"):
        mismatched_circuit(circuit, drawn(circuit, kelvin_shift=[-400.0]))
