"""No wrong answer in silence where laws or sources leave the ordinary."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentSource,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    Resistor,
    VoltageSource,
)
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, saturation_amps
from sim_backend.nodal.power import NoPseudoPowerError, PseudoPower
from sim_backend.nodal.solver import Solver


@pytest.mark.parametrize("kelvin", [73.15, 113.15, 173.15, 218.15, 300.15])
@pytest.mark.parametrize(("saturation", "gap"), [(1e-14, 1.11), (1e-28, 3.4), (1e-50, 1.11)])
@pytest.mark.parametrize("volts", [5.0, 60.0])
def test_steep_junctions_follow_their_law(
    kelvin: float, saturation: float, gap: float, volts: float
) -> None:
    """Also where the exponent is in the hundreds; solved here for the logarithm."""
    diode = Diode("d", "b", "0", DiodeModel(saturation, gap_electronvolts=gap))
    circuit = Circuit(
        [VoltageSource("v", "a", "0", volts), Resistor("r", "a", "b", 1e-2), diode],
        kelvin=kelvin,
        gmin_siemens=0.0,
    )
    found = Solver(circuit).solve()
    thermal = kelvin * BOLTZMANN_OVER_CHARGE
    least = np.log(saturation_amps(diode, kelvin, BOLTZMANN_OVER_CHARGE))

    def excess(x: float) -> float:
        return float(x + least - np.log(1e-2 * (volts - thermal * x)))

    top = volts / thermal * (1.0 - 1e-15)
    if not np.isfinite(least) or excess(top) < 0.0 or (top > 700.0 and excess(700.0) < 0.0):
        assert not found.ok[0] or least < -700.0
        return
    wanted = thermal * optimize.brentq(excess, 1.0, top, xtol=1e-14, rtol=1e-14)
    assert found.ok[0]
    assert found.node_volts[0, 1] == pytest.approx(wanted, rel=1e-9)


def test_currents_of_any_size_are_those_of_the_law() -> None:
    circuit = Circuit([VoltageSource("v", "a", "0", 5.0), Diode("d", "a", "0", DiodeModel(1e-14))])
    found = Solver(circuit).solve()
    amps = 1e-14 * np.exp(5.0 / (300.15 * BOLTZMANN_OVER_CHARGE))
    assert found.ok[0]
    assert found.source_amps[0, 0] == pytest.approx(-amps, rel=1e-9)


@pytest.mark.parametrize("volts", [0.3, 0.5, 0.8, 1.1, 2.0])
@pytest.mark.parametrize("ohms", [1e3, 1e7, 1e9])
def test_a_current_in_a_floating_loop_spoils_nothing_unsaid(volts: float, ohms: float) -> None:
    """The diode cannot move the nodes; its current may be too large to see others beside it."""
    elements: list[Element] = [
        VoltageSource("v", "p", "m", volts),
        Diode("d", "p", "m", DiodeModel(1e-12)),
        Resistor("r", "p", "0", 1.0 / ohms),
        CurrentSource("i", "0", "p", 1.0 / ohms),
    ]
    found = Solver(Circuit(elements)).solve()
    if volts <= 0.5 and ohms < 1e9:
        assert found.ok[0]
    if found.ok[0]:
        np.testing.assert_allclose(found.node_volts[0], [1.0, 1.0 - volts], atol=1e-7)


@pytest.mark.parametrize(
    "diodes",
    [
        [IdealDiode("d", "a", "0")],
        [IdealDiode("d", "b", "0", -0.5), IdealDiode("e", "0", "b", -0.5)],
    ],
)
def test_ideal_diodes_that_no_voltage_satisfies_have_no_solution(diodes: list[Element]) -> None:
    circuit = Circuit(
        [VoltageSource("v", "a", "0", 1.0), Resistor("r", "a", "b", 1e-3), *diodes,
         Resistor("s", "b", "0", 1e-3)]
    )  # fmt: skip
    found = Solver(circuit).solve()
    assert not found.ok[0]
    assert found.error_volts[0] == np.inf


@pytest.mark.parametrize("gains", [(0.0, 1.0), (1.0, 0.0)])
def test_an_amplifier_that_passes_nothing_has_no_pseudo_power(gains: tuple[float, float]) -> None:
    elements: list[Element] = [
        VoltageSource("v", "a", "0", 1.0),
        Resistor("r", "a", "b", 1e-3),
        Amplifier("x", "b", "c", *gains),
        Resistor("s", "c", "0", 1e-3),
    ]
    with pytest.raises(NoPseudoPowerError, match="x passes nothing one way"):
        PseudoPower(Circuit(elements))
