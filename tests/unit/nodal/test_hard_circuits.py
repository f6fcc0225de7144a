"""Hard circuits: a true solution with an honest error, or none; never a wrong one in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_backend.nodal import bordered, newton, quadruple
from sim_backend.nodal.elements import Circuit, Diode, DiodeModel, IdealDiode
from sim_backend.nodal.finish import Finisher
from sim_backend.nodal.point import Point
from sim_backend.nodal.solver import Solver
from tests.property.nodal_reference import curve, true_error
from tests.unit.nodal import hard_circuits, hard_feedback
from tests.unit.nodal.hard_circuits import PLAIN, D, Floats, I, Maker, R, V

FAMILIES: dict[str, Callable[[], Iterator[tuple[str, Maker]]]] = {
    "chains": hard_circuits.chains,
    "ranges": hard_circuits.ranges,
    "diodes": hard_circuits.diodes,
    "feedback": hard_feedback.feedback,
    "ideal": hard_feedback.ideal,
}
HARD = {name: maker for family in FAMILIES.values() for name, maker in family()}

LOST = {(f"chain-{n}-volts-gmin-0", 5) for n in (10, 50, 200)}
"""All diodes block, and nothing else ties the nodes between: currents of exp(-77) times the
saturation current, which no double shows, decide who blocks how much.  No solution is claimed."""


@pytest.mark.parametrize("name", HARD)
def test_a_true_solution_with_an_honest_error(name: str) -> None:
    h = HARD[name]()
    solver = Solver(h.circuit)
    solution = solver.solve(h.levels)
    for k, volts in enumerate(solution.node_volts):
        assert solution.ok[k] == ((name, k) not in LOST), k
        if solution.ok[k]:
            level = {source: values[k] for source, values in h.levels.items()}
            error = solution.error_volts[k]
            last_place = 1e-15 * np.abs(volts).max()
            assert true_error(h.circuit, solver.nodes, volts, level) <= 2.0 * error + last_place, k
            assert error <= 1e-9 * (1.0 + np.abs(volts).max()), k
        else:
            assert not solution.error_volts[k] <= 1e-9, k


@pytest.mark.parametrize("ideality", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("saturation", [1e-18, 1e-12, 1e-6])
def test_a_diode_fed_by_a_current_against_its_logarithm(saturation: float, ideality: float) -> None:
    diode = Diode("d", "a", "0", DiodeModel(saturation, ideality))
    circuit = Circuit([I("i", "0", "a", 0.0), diode], gmin_siemens=0.0)
    amps = np.array([1e-21, 1e-15, 1e-9, 1e-3, 10.0])
    solution = Solver(circuit).solve({"i": amps})
    assert solution.ok.all()
    thermal = 1.380649e-23 / 1.602176634e-19 * 300.15 * ideality
    expected = thermal * np.log1p(amps / saturation)
    assert np.abs(solution.node_volts[:, 0] - expected).max() <= 1e-9
    assert (np.abs(solution.node_volts[:, 0] - expected) <= 2 * solution.error_volts + 1e-16).all()


def test_conductances_that_no_double_holds_side_by_side() -> None:
    """100 S and 1e-15 S meet at a node: their sum in a double is 100 S."""
    circuit = Circuit([I("i", "0", "a", 1e-15), R("r", "a", "b", 100.0), R("s", "b", "0", 1e-15)])
    solution = Solver(circuit).solve()
    assert solution.ok[0]
    assert solution.node_volts[0] == pytest.approx([1.0, 1.0], rel=1e-14)


def test_resistors_from_a_node_to_itself_change_nothing() -> None:
    circuit = Circuit(
        [
            V("v", "a", "0", 1.0),
            R("r", "a", "b", 1e-12),
            R("s", "b", "0", 3e-12),
            R("x", "b", "b", 9.0),
        ]
    )
    solution = Solver(circuit).solve()
    assert solution.ok[0]
    assert solution.node_volts[0] == pytest.approx([1.0, 0.25], rel=1e-9)


def test_who_fails_does_not_spoil_the_others() -> None:
    name = "chain-10-volts-gmin-0"
    h = HARD[name]()
    together = Solver(h.circuit).solve(h.levels)
    assert not together.ok.all()
    for k in np.flatnonzero(together.ok):
        alone = Solver(h.circuit).solve({s: v[k : k + 1] for s, v in h.levels.items()})
        np.testing.assert_allclose(
            alone.node_volts[0], together.node_volts[k], rtol=0, atol=2e-9 * 8.0
        )
    assert np.isfinite(together.node_volts[together.ok]).all()


RESCUED = ["ideal-many-5", "tunnel-fold", "schmitt-1000"]


def nowhere(*_: object) -> tuple[Floats, NDArray[np.bool_]]:
    return np.full(1, np.inf), np.zeros(1, bool)


@pytest.mark.parametrize("name", RESCUED)
def test_paths_lead_where_newton_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    h = HARD[name]()
    monkeypatch.setattr(Finisher, "scatter", nowhere)
    assert Solver(h.circuit).solve(h.levels).ok.all()
    monkeypatch.setattr(newton, "_PATHS", 0)
    assert not Solver(h.circuit).solve(h.levels).ok.all()


@pytest.mark.parametrize("name", ["tunnel-fold", "schmitt-1000"])
def test_many_places_find_what_paths_might_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    h = HARD[name]()
    monkeypatch.setattr(newton, "_PATHS", 0)
    one = Solver(h.circuit)
    solution = one.solve(h.levels)
    assert solution.ok.all()
    for k, volts in enumerate(solution.node_volts):
        level = {source: values[k] for source, values in h.levels.items()}
        error = true_error(h.circuit, one.nodes, volts, level)
        assert error <= 2.0 * solution.error_volts[k] + 1e-15 * np.abs(volts).max()


def test_what_has_no_solution_gets_none() -> None:
    """A curve that takes 1 A or more at any voltage, and diodes that fight."""
    amps = Circuit([curve("k", "a", "0", 1.0, 0.0, 1.0), R("r", "a", "0", 1e-3)])
    fighting = [IdealDiode("low", "b", "0", 1.0), IdealDiode("high", "0", "b", -2.0)]
    volts = Circuit([V("v", "a", "0", 5.0), R("r", "a", "b", 1e-3), *fighting])
    for circuit in (amps, volts):
        solution = Solver(circuit).solve()
        assert not solution.ok.any()
        assert not (solution.error_volts <= 1e-9).any()


def test_ideal_diodes_in_a_ring_share_any_current() -> None:
    """Three of 0 V conduct side by side: voltages are certain, their currents are not."""
    ring = [IdealDiode("x", "a", "b"), IdealDiode("y", "b", "c"), IdealDiode("z", "a", "c")]
    pair = [IdealDiode("p", "a", "c"), IdealDiode("q", "a", "c")]
    loads = [R(f"r{node}", node, "0", 1e-3) for node in "abc"]
    circuit = Circuit([I("i", "0", "a", 1e-3), *ring, *pair, *loads])
    solution = Solver(circuit).solve({"i": np.array([1e-3, 5.0])})
    assert solution.ok.all()
    expected = [[1 / 3] * 3, [5e3 / 3] * 3]
    np.testing.assert_allclose(solution.node_volts, expected, rtol=1e-12)


@pytest.mark.parametrize("name", [*RESCUED, "ring-3"])
def test_paths_of_sparse_matrices_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    h = HARD[name]()
    ends = []
    for dense in (250, 0):
        monkeypatch.setattr(bordered, "_DENSE", dense)
        one = Solver(h.circuit)
        first = [h.levels[name][0] if name in h.levels else 0.0 for name in one.sources]
        point = start(
            one, np.where(np.isin(one.sources, list(h.levels)), first, one.equations.levels)
        )
        finisher = one._finisher
        end = finisher.continuation().follow(point, 0)
        assert end is not None
        finisher.refine(end, lambda volts: 1e-9 + 1e-9 * volts)
        ends.append(end.x)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6, atol=1e-9)


def start(one: Solver, levels: Floats) -> Point:
    """One example at 0 V, (n_sources,) levels."""
    e, row = one.equations, levels[None]
    held = (e.held_volts @ row.T).T
    return Point(
        x=np.zeros((1, e.n_unknowns)),
        on=np.zeros((1, len(e.ideal)), bool),
        amps_ideal=np.zeros((1, len(e.ideal))),
        held=held,
        levels=row,
        right=(e.drive @ row.T - e.held_matrix @ held.T).T,
        offset=(e.held_incidence.T @ held.T).T,
    )


def test_elimination_in_twice_the_digits() -> None:
    """Hilbert's matrix of order 12 has a condition of 1e16; against fractions."""
    n = 12
    exact = [[Fraction(1, i + j + 1) for j in range(n)] for i in range(n)]
    high = np.array([[float(v) for v in row] + [1.0] for row in exact])
    low = np.array([[float(v - Fraction(float(v))) for v in row] + [0.0] for row in exact])
    found = quadruple._eliminate(high.copy(), low.copy())
    # The inverse of a Hilbert matrix is made of whole numbers, and so are its row sums.
    expected = np.linalg.solve(np.array(exact, float), np.ones(n))
    whole = np.round(found)
    np.testing.assert_allclose(found, whole, rtol=1e-12)
    back = [sum(v * Fraction(float(x)) for v, x in zip(row, whole, strict=True)) for row in exact]
    assert all(abs(float(b - 1)) < 1e-9 for b in back)
    assert np.abs(expected - found).max() > 1e-6 * np.abs(found).max()


def test_singular_matrices_are_not_solved() -> None:
    high = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 1.0]])
    assert np.isnan(quadruple._eliminate(high, np.zeros_like(high))).any()


def test_refinement_does_not_accept_an_ideal_diode_in_a_wrong_state() -> None:
    """With the diode open 0.5 V would be right; it conducts at 0.2 V."""
    circuit = Circuit(
        [
            V("v", "a", "0", 1.0),
            R("r", "a", "b", 1e-3),
            R("s", "b", "0", 1e-3),
            IdealDiode("d", "b", "0", 0.2),
        ]
    )
    one = Solver(circuit)
    point = start(one, np.array([1.0]))
    point.x[:] = 0.5
    sight = one._finisher.accuracy.look(point)
    assert one._finisher.accuracy.error(point, sight, np.array([1e-9])) == [np.inf]
    error, fine = one._finisher.refine(point, lambda volts: 1e-9 + 1e-9 * volts)
    assert fine[0]
    assert error[0] < 1e-12
    assert point.x[0] == pytest.approx([0.2], abs=1e-15)
    assert point.amps_ideal[0] == pytest.approx([6e-4])


def test_long_chain_shares_its_voltage() -> None:
    n = 40
    chain = [D(f"d{k}", f"n{k}", f"n{k + 1}", PLAIN) for k in range(n)]
    one = Solver(Circuit([V("v", "n0", "0", 0.7 * n), *chain, R("r", f"n{n}", "0", 1e-3)]))
    solution = one.solve()
    assert solution.ok[0]
    drops = -np.diff(solution.node_volts[0, [one.nodes.index(f"n{k}") for k in range(n + 1)]])
    np.testing.assert_allclose(drops, drops[0], rtol=1e-6)
