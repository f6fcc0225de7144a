"""Operating points of small circuits, against what can be worked out by hand or another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from sim_backend.nodal.checks import CircuitError
from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE
from sim_backend.nodal.solver import Solution, Solver

R, V = Resistor, VoltageSource
THERMAL = BOLTZMANN_OVER_CHARGE * 300.15


def solve(*elements: Element, gmin: float = 0.0) -> tuple[dict[str, float], Solution]:
    solver = Solver(Circuit(elements, gmin_siemens=gmin))
    solution = solver.solve()
    assert solution.ok.all()
    return dict(zip(solver.nodes, solution.node_volts[0], strict=True)), solution


def test_divider_and_current_of_its_source() -> None:
    volts, solution = solve(V("v", "a", "0", 3.0), R("r1", "a", "b", 1e-3), R("r2", "b", "0", 2e-3))
    assert volts["b"] == pytest.approx(1.0)
    assert solution.source_amps[0] == pytest.approx([-2e-3])


def test_stacked_and_floating_sources() -> None:
    volts, solution = solve(
        V("v1", "a", "0", 1.0), V("v2", "b", "a", 2.0), V("v3", "c", "b", -0.5),
        R("r1", "c", "0", 1e-3), R("r2", "b", "0", 1e-3),
        V("v4", "d", "e", 1.5), R("r3", "d", "0", 1e-3), R("r4", "e", "0", 2e-3),
    )  # fmt: skip
    assert [volts[n] for n in "abc"] == pytest.approx([1.0, 3.0, 2.5])
    assert volts["d"] == pytest.approx(1.0)
    assert volts["e"] == pytest.approx(-0.5)
    assert solution.source_amps[0] == pytest.approx([-5.5e-3, -5.5e-3, -2.5e-3, -1e-3])


def test_current_source_direction() -> None:
    volts, _ = solve(
        CurrentSource("i", "a", "b", 1e-3), R("r1", "a", "0", 1e-3), R("r2", "b", "0", 1e-3)
    )
    assert (volts["a"], volts["b"]) == pytest.approx((-1.0, 1.0))


def test_controlled_sources() -> None:
    volts, _ = solve(
        V("vin", "in", "0", 2.0), R("rin", "in", "x", 1e-3), V("sense", "x", "0", 0.0),
        VoltageControlledVoltage("e", "e", "0", "in", "0", 3.0), R("re", "e", "0", 1e-3),
        VoltageControlledCurrent("g", "0", "g", "in", "0", 2e-3), R("rg", "g", "0", 1e-3),
        CurrentControlledCurrent("f", "0", "f", "sense", 5.0), R("rf", "f", "0", 1e-3),
        CurrentControlledVoltage("h", "h", "0", "sense", 1e3), R("rh", "h", "0", 1e-3),
    )  # fmt: skip
    assert [volts[n] for n in "egfh"] == pytest.approx([6.0, 4.0, 10.0, 2.0])


@pytest.mark.parametrize("source", [0.3, 0.7, 5.0, -4.0])
def test_diode_and_resistor_against_the_lambert_function(source: float) -> None:
    """``v + R Is (exp(v/nVt) - 1) = V`` has a closed solution."""
    model, siemens = DiodeModel(1e-12, 1.5), 1e-3
    volts, _ = solve(
        V("v", "a", "0", source), R("r", "a", "b", siemens), Diode("d", "b", "0", model)
    )
    scale, fall = 1.5 * THERMAL, 1e-12 / siemens
    inner = np.log(fall / scale) + (source + fall) / scale
    omega = special.wrightomega(inner).real
    assert volts["b"] == pytest.approx(source + fall - scale * omega, rel=1e-9, abs=1e-12)


def test_series_resistance_and_area() -> None:
    model = DiodeModel(1e-12, series_ohms=50.0)
    volts, _ = solve(
        V("v", "a", "0", 1.0), R("r", "a", "b", 0.01), Diode("d", "b", "0", model, 2.0)
    )
    amps = optimize.brentq(
        lambda i: 1.0 - i * (100.0 + 25.0) - THERMAL * np.log1p(i / 2e-12), 0.0, 0.008, xtol=1e-18
    )
    assert volts["b"] == pytest.approx(1.0 - 100.0 * amps, rel=1e-9)


@pytest.mark.parametrize("source", [5.0, 0.2, -5.0])
def test_an_ideal_diode_is_exact(source: float) -> None:
    volts, solution = solve(
        V("v", "a", "0", source), R("r1", "a", "b", 1e-3),
        IdealDiode("d", "b", "c", 0.3), R("r2", "c", "0", 2e-3),
    )  # fmt: skip
    on = (source * 1e-3 + 0.3 * 2e-3) / 3e-3
    assert volts["b"] == pytest.approx(on if source > 0.3 else source, rel=1e-14)
    assert solution.residual[0] < 1e-12


def test_a_bridge_of_ideal_diodes_rectifies() -> None:
    diodes = [("p", "out"), ("m", "out"), ("g", "p"), ("g", "m")]
    solver = Solver(
        Circuit(
            [V("v", "p", "s", 0.0), R("rs", "s", "m", 0.1), R("load", "out", "g", 1e-3),
             R("tie", "g", "0", 1e-6), R("tie2", "p", "0", 1e-9), R("tie3", "out", "0", 1e-12)]
            + [IdealDiode(f"d{k}", a, b) for k, (a, b) in enumerate(diodes)]
        )
    )  # fmt: skip
    solution = solver.solve({"v": np.array([3.0, -3.0, 0.0])})
    at = {name: k for k, name in enumerate(solver.nodes)}
    assert solution.ok.all()
    across = solution.node_volts[:, at["out"]] - solution.node_volts[:, at["g"]]
    assert across == pytest.approx([3.0 * 1000 / 1010] * 2 + [0.0], rel=1e-4, abs=1e-12)


def test_a_bidirectional_amplifier_carries_current_back() -> None:
    volts, solution = solve(
        V("v", "a", "0", 1.0), R("r1", "a", "b", 1e-3),
        Amplifier("x", "b", "c", 4.0, 0.25), R("r2", "c", "0", 1e-3),
    )  # fmt: skip
    # The load of 1 mS at 4 V draws 4 mA; a quarter of it loads node b like 1 mS.
    assert volts["b"] == pytest.approx(0.5)
    assert volts["c"] == pytest.approx(2.0)
    assert solution.source_amps[0] == pytest.approx([-0.5e-3])


def test_a_curve_of_ones_own() -> None:
    cubic = Curve("k", "b", "0", lambda v: 1e-3 * v**3, lambda v: 3e-3 * v**2)
    volts, _ = solve(V("v", "a", "0", 10.0), R("r", "a", "b", 1e-3), cubic)
    assert volts["b"] == pytest.approx(2.0)


def test_a_chain_of_diodes_and_a_batch() -> None:
    model = DiodeModel(1e-14)
    elements: list[Element] = [V("v", "n0", "0", 0.0), R("r", "n20", "0", 1e-3)]
    elements += [Diode(f"d{k}", f"n{k}", f"n{k + 1}", model) for k in range(20)]
    solver = Solver(Circuit(elements))
    levels = np.array([-50.0, 0.0, 1.0, 12.0, 15.0, 40.0])
    solution = solver.solve({"v": levels})
    assert solution.ok.all()
    out = solution.node_volts[:, solver.nodes.index("n20")]
    drops = (levels - out) / 20.0
    law = 1e-14 * np.expm1(drops / THERMAL) + 1e-12 * drops
    # Equal currents need not mean equal drops where gmin and leakage compete.
    conducting = levels > 0.0
    np.testing.assert_allclose(1e-3 * out[conducting], law[conducting], rtol=1e-6)


def test_a_bistable_circuit_settles_on_a_true_solution() -> None:
    """Two amplifiers of gain -3, limited by diodes, in a loop: three solutions, any will do."""
    model = DiodeModel(1e-12)
    elements: list[Element] = []
    for one, other in (("a", "b"), ("b", "a")):
        elements += [
            VoltageControlledVoltage(f"e{one}", f"{one}i", "0", other, "0", -3.0),
            R(f"r{one}", f"{one}i", one, 1e-3),
            Diode(f"p{one}", one, "0", model), Diode(f"m{one}", "0", one, model),
        ]  # fmt: skip
    elements += [CurrentSource("kick", "0", "a", 1e-5)]
    volts, solution = solve(*elements)
    for one, other in (("a", "b"), ("b", "a")):
        law = 2e-12 * np.sinh(volts[one] / THERMAL)
        inflow = 1e-3 * (-3.0 * volts[other] - volts[one]) + (1e-5 if one == "a" else 0.0)
        assert inflow == pytest.approx(law, rel=1e-6, abs=1e-12)
    assert solution.error_volts[0] < 1e-8


REFUSED: list[tuple[list[Element], str]] = [
    ([V("v", "a", "0", 1.0), R("r", "b", "c", 1.0)], "node b"),
    ([V("v", "a", "0", 1.0), R("r", "a", "b", 0.0), CurrentSource("i", "b", "0", 1.0)], "node b"),
    ([V("v", "a", "0", 1.0), V("w", "a", "0", 2.0)], "loop"),
    ([V("v", "a", "a", 1.0), R("r", "a", "0", 1.0)], "v is shorted"),
    ([R("r", "a", "0", -1.0)], "r has a negative conductance"),
    ([R("r", "a", "0", float("nan"))], "r: its conductance is nan"),
    ([R("r", "a", "0", 1.0), R("r", "a", "0", 1.0)], "two elements are called r"),
    ([R("r", "a", "0", 1.0), CurrentControlledCurrent("f", "a", "0", "q", 1.0)], "current of q"),
    ([Amplifier("x", "a", "b", 1.0, 1.0), V("v", "b", "0", 1.0), R("r", "a", "0", 1.0)], "loop"),
    ([Diode("d", "a", "0", DiodeModel(-1.0)), R("r", "a", "0", 1.0)], "d: saturation"),
]


@pytest.mark.parametrize(("elements", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_solved_is_refused_by_name(elements: list[Element], words: str) -> None:
    with pytest.raises(CircuitError, match=words):
        Solver(Circuit(elements))
