"""Pseudo-power: the integral of the laws, stationary at operating points and nowhere near."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentSource,
    Curve,
    Diode,
    DiodeModel,
    Element,
    Resistor,
    VoltageControlledCurrent,
    VoltageSource,
)
from sim_backend.nodal.laws import Junctions
from sim_backend.nodal.power import NoPseudoPowerError, PseudoPower
from sim_backend.nodal.solver import Solver

R, V = Resistor, VoltageSource


@pytest.mark.parametrize("cubic", [True, False])
@pytest.mark.parametrize("volts", [-2.0, -0.2, -0.05, 0.0, 0.3, 0.7, 4.0])
def test_the_integral_of_a_junction(volts: float, cubic: bool) -> None:
    diode = Diode("d", "a", "0", DiodeModel(1e-12, 1.3, reverse_cubic=cubic))
    junctions = Junctions([diode], 300.15, 1e-9)

    def amps(v: float) -> float:
        return float(junctions.evaluate(np.array([[v]]))[0][0, 0])

    breaks = [-3 * float(junctions.thermal_volts[0])] if volts < -0.1 else None
    expected, _ = integrate.quad(amps, 0.0, volts, points=breaks, epsabs=0, epsrel=1e-11, limit=500)
    found = float(junctions.integral(np.array([[volts]]))[0, 0])
    assert found == pytest.approx(expected, rel=1e-7)


MODEL = DiodeModel(1e-10, 1.2, series_ohms=20.0, reverse_cubic=True)
PLAIN: list[Element] = [
    V("v", "in", "0", 0.8), V("w", "in2", "in", -0.3), R("r1", "in", "a", 1e-3),
    R("r2", "in2", "b", 2e-3), R("r3", "a", "b", 5e-4), R("r4", "b", "0", 1e-4),
    Diode("d", "a", "0", MODEL), Diode("e", "b", "a", DiodeModel(1e-9)),
    CurrentSource("i", "0", "b", 2e-4),
    Curve("k", "a", "0", lambda v: 1e-4 * v**3, lambda v: 3e-4 * v**2),
]  # fmt: skip
STACK: list[Element] = [
    V("v", "in", "0", 0.8), R("r1", "in", "a", 1e-3), R("r2", "in", "b", 2e-3),
    Diode("da", "a", "0", DiodeModel(1e-9)), Diode("db", "0", "b", DiodeModel(1e-9)),
    Amplifier("xa", "a", "ao", 4.0, 0.25), Amplifier("xb", "b", "bo", 2.0, 0.125),
    R("r3", "ao", "c", 1e-3), R("r4", "bo", "c", 3e-3), R("r5", "bo", "e", 1e-3),
    R("r6", "ao", "e", 1e-3), CurrentSource("i", "c", "0", 1e-3), R("r7", "e", "0", 1e-4),
]  # fmt: skip


@pytest.mark.parametrize("elements", [PLAIN, STACK], ids=["reciprocal", "amplifiers"])
def test_it_is_stationary_where_the_circuit_settles(elements: list[Element]) -> None:
    circuit = Circuit(elements)
    solver, power = Solver(circuit), PseudoPower(circuit)
    solution = solver.solve()
    e = solver.equations
    newton_volts = solution.node_volts[0]
    levels = np.array([[2e-4 if elements is PLAIN else 1e-3]])
    followers = {
        e.parts.index[x.input]: (e.parts.index[x.output], x.forward_gain)
        for x in elements
        if isinstance(x, Amplifier)
    }
    outputs = {output for output, _ in followers.values()}
    for node in np.flatnonzero(e.held < 0):
        if int(node) in outputs:
            continue
        direction = np.zeros(len(e.nodes))
        direction[node] = 1.0
        if int(node) in followers:
            output, gain = followers[int(node)]
            direction[output] = gain

        def along(
            t: float, start: np.ndarray = newton_volts, direction: np.ndarray = direction
        ) -> float:
            return float(power.value((start + t * direction)[None], levels)[0])

        step = 1e-4
        slope = (along(step) - along(-step)) / (2 * step)
        curvature = (along(step) + along(-step) - 2 * along(0.0)) / step**2
        assert curvature > 0.0
        assert abs(slope) < 1e-5 * curvature * 0.1
        moved = newton_volts + 0.05 * direction
        assert along(1e-6, moved) - along(-1e-6, moved) > 2e-6 * 0.02 * 1e-4


def test_weights_of_a_stack() -> None:
    power = PseudoPower(Circuit(STACK))
    names = Solver(Circuit(STACK)).nodes
    weight = dict(zip(names, power.node_weights, strict=True))
    assert np.isnan(weight["in"])
    assert weight["a"] == weight["b"] == 1.0
    assert weight["c"] == weight["ao"] == weight["bo"] == pytest.approx(1 / 16)


def test_circuits_without_a_pseudo_power_say_so() -> None:
    gm = VoltageControlledCurrent("g", "a", "0", "b", "0", 1e-3)
    with pytest.raises(NoPseudoPowerError, match="g is a controlled source"):
        PseudoPower(Circuit([*PLAIN, gm]))
    uneven = [Amplifier("xb", "b", "bo", 2.0, 0.5) if x.name == "xb" else x for x in STACK]
    # a and b are tied by nothing, so their factors may differ; a resistor ties them.
    PseudoPower(Circuit(uneven))
    with pytest.raises(NoPseudoPowerError, match="weigh node"):
        PseudoPower(Circuit([*uneven, R("tie", "a", "b", 1e-3)]))
