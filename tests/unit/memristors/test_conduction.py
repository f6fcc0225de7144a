"""Current-voltage curves and their pseudo-power, alone and behind a transistor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from sim_backend.memristors.access import Access, InSeries
from sim_backend.memristors.conduction import Cubic, Linear, Sinh, element
from sim_backend.nodal.elements import Circuit, Resistor, VoltageSource
from sim_backend.nodal.power import PseudoPower
from sim_backend.nodal.solver import Solver

CURVES = [Linear(), Cubic(1.7), Cubic(0.0), Sinh(2.5), Sinh(1e-4)]
VOLTS = np.array([-2.0, -0.31, -1e-3, 0.0, 0.02, 0.5, 1.4])
G = 3e-5
behind = [InSeries(curve, np.array(1 / 8e3)) for curve in CURVES]


@pytest.mark.parametrize("curve", [*CURVES, *behind], ids=repr)
def test_energy_is_the_integral_of_the_current(curve) -> None:
    g = np.array(G)
    for volts in VOLTS:
        integral = quad(lambda v: float(curve.amps(np.array(v), g)), 0, volts, epsrel=1e-12)[0]
        energy = curve.energy_watts(np.array(volts), g)
        np.testing.assert_allclose(energy, integral, rtol=1e-9, atol=1e-25)


@pytest.mark.parametrize("curve", CURVES, ids=repr)
def test_energy_gradient_is_the_integral_of_the_curve(curve) -> None:
    """``dE/dg`` is the integral of the current of a device of 1 S."""
    one = np.array(1.0)
    for volts in VOLTS:
        integral = quad(lambda v: float(curve.amps(np.array(v), one)), 0, volts, epsrel=1e-12)[0]
        gradient = curve.energy_gradient_volts2(np.array(volts), np.array(G))
        np.testing.assert_allclose(gradient, integral, rtol=1e-9, atol=1e-25)


@pytest.mark.parametrize("curve", [*CURVES, *behind], ids=repr)
def test_derivatives(curve) -> None:
    """By voltage and by conductance, against central differences."""
    g = np.full(VOLTS.size, G)
    dv, dg = 1e-6, 1e-10
    slope = (curve.amps(VOLTS + dv, g) - curve.amps(VOLTS - dv, g)) / (2 * dv)
    np.testing.assert_allclose(curve.slope_siemens(VOLTS, g), slope, rtol=1e-7)
    gradient = (curve.energy_watts(VOLTS, g + dg) - curve.energy_watts(VOLTS, g - dg)) / (2 * dg)
    np.testing.assert_allclose(
        curve.energy_gradient_volts2(VOLTS, g), gradient, rtol=1e-7, atol=1e-12
    )


@pytest.mark.parametrize("curve", [*CURVES, *behind], ids=repr)
def test_rise_of_the_gradient_between_phases(curve) -> None:
    g = np.full(VOLTS.size, G)
    after = VOLTS + 0.3
    rise = curve.energy_gradient_rise_volts2(VOLTS, after, g)
    plain = curve.energy_gradient_volts2(after, g) - curve.energy_gradient_volts2(VOLTS, g)
    np.testing.assert_allclose(rise, plain, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("curve", CURVES, ids=repr)
def test_rise_does_not_cancel(curve) -> None:
    """Phases a nanovolt apart at a volt: by the midpoint rule, exact to dv^2."""
    before, after = np.array(1.0), np.array(1.0) + 1e-9
    middle = curve.amps(0.5 * (before + after), np.array(1.0)) * (after - before)
    rise = curve.energy_gradient_rise_volts2(before, after, np.array(G))
    np.testing.assert_allclose(rise, middle, rtol=1e-12)


@pytest.mark.parametrize("curve", CURVES, ids=repr)
@pytest.mark.parametrize("ohms", [1.0, 5e3, 1e8])
def test_behind_a_transistor_currents_agree(curve, ohms: float) -> None:
    g = np.array(G)
    found = InSeries(curve, np.array(1 / ohms))
    for volts in VOLTS[VOLTS != 0.0]:
        inner = brentq(
            lambda u, v=volts: float(curve.amps(np.array(u), g)) - (v - u) / ohms,
            min(volts, 0.0), max(volts, 0.0), xtol=1e-18, rtol=1e-14,
        )  # fmt: skip
        np.testing.assert_allclose(found.inner_volts(np.array(volts), g), inner, rtol=1e-10)


def test_gate_lines() -> None:
    access = Access(on_ohms=2e3)
    gates = np.array([True, False])
    curve = InSeries(Sinh(3.0), access.siemens(gates))
    amps = curve.amps(np.full(2, 0.8), np.full(2, G))
    assert amps[0] > 0.0
    assert abs(amps[1]) < 1e-30
    linear = InSeries(Linear(), access.siemens(gates)).amps(np.full(2, 0.8), np.full(2, G))
    np.testing.assert_allclose(linear, 0.8 * access.seen_siemens(np.full(2, G), gates), atol=1e-30)
    with pytest.raises(ArithmeticError, match="not found"):
        curve.amps(np.full(2, np.nan), np.full(2, G))


@pytest.mark.parametrize("curve", [Cubic(1.7), Sinh(2.5), InSeries(Sinh(2.5), np.array(1e-4))])
def test_as_an_element_of_a_circuit(curve) -> None:
    """A divider: Kirchhoff's law holds with the curve, and its pseudo-power is the same."""
    circuit = Circuit([
        VoltageSource("v", "in", "0", 1.5), Resistor("r", "in", "x", 2e-5),
        element(curve, "m", "x", "0", G),
    ])  # fmt: skip
    solver = Solver(circuit)
    solution = solver.solve()
    assert solution.ok.all()
    volts = solution.node_volts[:, list(solver.nodes).index("x")]
    np.testing.assert_allclose(curve.amps(volts, np.array([G])), 2e-5 * (1.5 - volts), rtol=1e-9)
    power = PseudoPower(circuit)
    energy = curve.energy_watts(volts, np.array([G])) + 0.5 * 2e-5 * (1.5 - volts) ** 2
    np.testing.assert_allclose(
        power.value(solution.node_volts, np.zeros((1, 0))), energy, rtol=1e-9
    )
