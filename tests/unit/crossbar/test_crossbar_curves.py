from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim_backend.crossbar.crossbar import Crossbar, NotConvergedError, solve_crossbar
from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh, element
from sim_backend.nodal.elements import Circuit, Element, Resistor, VoltageSource
from sim_backend.nodal.solver import Solver
from tests.unit.crossbar.references import Drawn, drawn

CURVES = [Cubic(0.2), Cubic(40.0), Sinh(0.7), Sinh(6.0)]


def circuit(array: Drawn, conduction: Conduction) -> Circuit:
    n, m = array.shape
    parts: list[Element] = [VoltageSource(f"v{i}", f"w{i},-1", "0", 0.0) for i in range(n)]
    for i in range(n):
        for j in range(m):
            word, bit = f"w{i},{j}", f"b{i},{j}"
            below = f"b{i + 1},{j}" if i + 1 < n else "0"
            parts += [
                Resistor(f"rw{word}", f"w{i},{j - 1}", word, 1.0 / array.word_ohms[i, j]),
                Resistor(f"rb{bit}", bit, below, 1.0 / array.bit_ohms[i, j]),
                element(conduction, f"d{word}", word, bit, float(array.siemens[i, j])),
            ]
    return Circuit(parts)


@pytest.mark.parametrize("conduction", CURVES)
@pytest.mark.parametrize(("rows", "cols"), [(3, 4), (10, 5)])
def test_agrees_with_nodal_analysis(conduction: Conduction, rows: int, cols: int) -> None:
    array = drawn(rows, cols, 4, open_share=0.1)
    volts = np.random.default_rng(5).normal(size=(3, rows))
    solver = Solver(circuit(array, conduction))
    expected = solver.solve({f"v{i}": volts[:, i] for i in range(rows)})
    found = solve_crossbar(
        array.siemens, volts, array.word_ohms, array.bit_ohms, conduction=conduction, details=True
    )
    assert expected.ok.all()
    assert found.ok.all()
    for letter, plane in (("w", found.word_volts), ("b", found.bit_volts)):
        at = [solver.nodes.index(f"{letter}{i},{j}") for i in range(rows) for j in range(cols)]
        np.testing.assert_allclose(
            plane.reshape(3, -1), expected.node_volts[:, at], rtol=0, atol=1e-11
        )
    assert found.error_estimate.max() < 1e-11


@pytest.mark.parametrize("conduction", CURVES)
def test_power_of_the_drivers_is_turned_to_heat(conduction: Conduction) -> None:
    array = drawn(40, 30, 6)
    volts = np.random.default_rng(7).normal(size=(5, 40))
    found = Crossbar(array.siemens, array.word_ohms, array.bit_ohms, conduction=conduction).solve(
        volts
    )
    assert found.ok.all()
    before = np.concatenate([volts[:, :, None], found.word_volts], axis=2)
    after = np.concatenate([found.bit_volts, np.zeros((5, 1, 30))], axis=1)
    drops = found.word_volts - found.bit_volts
    heat = (
        (drops * conduction.amps(drops, array.siemens)).sum(axis=(1, 2))
        + (np.diff(before, axis=2) ** 2 / array.word_ohms).sum(axis=(1, 2))
        + (np.diff(after, axis=1) ** 2 / array.bit_ohms).sum(axis=(1, 2))
    )
    np.testing.assert_allclose((volts * found.row_amps).sum(axis=1), heat, rtol=1e-11)
    # The curve matters.
    linear = solve_crossbar(array.siemens, volts, array.word_ohms, array.bit_ohms)
    assert np.abs(found.column_amps - linear).max() > 1e-3 * np.abs(linear).max()


def test_examples_of_very_different_size() -> None:
    array = drawn(12, 9, 8)
    volts = np.random.default_rng(9).normal(size=(6, 12)) * np.logspace(-6, 1, 6)[:, None]
    crossbar = Crossbar(array.siemens, array.word_ohms, array.bit_ohms, conduction=Sinh(3.0))
    found = crossbar.solve(volts)
    assert found.ok.all()
    assert found.error_estimate.max() < 1e-10
    for k in range(6):
        alone = crossbar.solve(volts[k : k + 1])
        np.testing.assert_allclose(
            found.column_amps[k], alone.column_amps[0], rtol=0,
            atol=1e-11 * np.abs(alone.column_amps).max(),
        )  # fmt: skip


def test_good_wires_and_poor_devices_with_a_curve() -> None:
    # Wires take no drop, so that every device has the whole voltage.
    siemens = np.random.default_rng(0).uniform(1e-10, 1e-9, (20, 12))
    volts = np.random.default_rng(1).normal(size=(2, 20))
    for ohms in (0.0, 1e-3):
        found = solve_crossbar(siemens, volts, ohms, ohms, conduction=Cubic(2.0))
        expected = (siemens * (volts + 2.0 * volts**3)[:, :, None]).sum(axis=1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def test_rows_at_zero_volts_and_open_devices() -> None:
    found = solve_crossbar(np.zeros((3, 4)), np.ones((2, 3)), 1.0, 1.0, conduction=Cubic(1.0))
    assert (found == 0.0).all()
    array = drawn(5, 4, 0)
    quiet = solve_crossbar(array.siemens, np.zeros((2, 5)), 1.0, 1.0, conduction=Sinh(2.0))
    assert (quiet == 0.0).all()


def test_a_linear_curve_is_no_curve() -> None:
    array = drawn(5, 4, 0)
    volts = np.ones((2, 5))
    one = solve_crossbar(array.siemens, volts, 1.0, 1.0, conduction=Linear())
    assert (one == solve_crossbar(array.siemens, volts, 1.0, 1.0)).all()


class Impossible:
    """Its slope is not that of its current, so Newton's method goes astray."""

    def amps(self, volts: np.ndarray, siemens: np.ndarray) -> np.ndarray:
        return siemens * np.where(np.abs(volts) > 1e-3, np.nan, volts)

    def slope_siemens(self, volts: np.ndarray, siemens: np.ndarray) -> np.ndarray:
        return siemens + 0.0 * volts


def test_what_does_not_converge_is_said() -> None:
    array = drawn(5, 4, 0)
    volts = np.array([[1e-5] * 5, [1.0] * 5])
    given = (array.siemens, volts, 1.0, 1.0)
    found = solve_crossbar(*given, conduction=Impossible(), details=True)
    assert found.ok.tolist() == [True, False]
    with pytest.raises(NotConvergedError, match=r"examples \[1\] did not converge") as caught:
        solve_crossbar(*given, conduction=Impossible())
    assert caught.value.examples == [1]
    assert found.error_estimate[0] < 1e-10
    assert found.error_estimate[1] == np.inf


@pytest.mark.parametrize("ohms", [0.0, 1.0, 8.8e3])
def test_the_error_estimate_notices_devices_off_their_curve(ohms: float) -> None:
    # Wires agree with each other wherever devices end up.
    array = drawn(5, 8, 2)
    volts = np.full((2, 5), 4.8)
    found = solve_crossbar(array.siemens, volts, ohms, ohms, conduction=Sinh(3.66), details=True)
    assert found.error_estimate.max() < 1e-8
    other = dataclasses.replace(found, conduction=Sinh(3.7))
    assert other.error_estimate.min() > 1e-3
    stopped = dataclasses.replace(found, ok=np.array([True, False]))
    assert np.isfinite(stopped.error_estimate).tolist() == [True, False]


@pytest.mark.parametrize("bad", [-5, -1e-9, np.nan, np.inf, "steep", None, True])
def test_parameters_that_make_no_curve_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="Cubic takes a finite number from 0"):
        Cubic(bad)
    with pytest.raises(ValueError, match="Sinh takes a finite number above 0"):
        Sinh(bad)


def test_a_sinh_of_nothing_is_refused() -> None:
    for zero in (0, 0.0, -0.0):
        with pytest.raises(ValueError, match=r"take Linear\(\)"):
            Sinh(zero)
    assert Cubic(0).amps(np.array(2.0), np.array(3.0)) == 6.0


@pytest.mark.parametrize("bad", ["cubic", "", 3.0, Cubic, Linear])
@pytest.mark.parametrize("details", [False, True])
def test_what_is_no_curve_is_refused(bad: object, details: bool) -> None:
    with pytest.raises(TypeError, match="which is no curve; give an object such as Cubic"):
        solve_crossbar(np.ones((2, 2)), np.ones((1, 2)), 1.0, 1.0, conduction=bad, details=details)
