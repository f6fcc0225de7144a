"""Fast ways to a solution against the slow ones, and conductances changed against built anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sim_backend.nodal import blas
from sim_backend.nodal.checks import CircuitError
from sim_backend.nodal.dense_solve import factorise, replace_right, substitute
from sim_backend.nodal.elements import (
    Circuit,
    Diode,
    DiodeModel,
    IdealDiode,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.junction_law import evaluate, limit
from sim_backend.nodal.laws import Junctions
from sim_backend.nodal.ports import row_scale
from sim_backend.nodal.solver import Solver
from tests.unit.nodal.networks import active, layered, passive

Array = np.ndarray
R, V = Resistor, VoltageSource

KINDS: dict[str, Callable[[np.random.Generator], Circuit]] = {
    "passive": lambda rng: passive(rng, int(rng.integers(2, 12))),
    "many decades": lambda rng: passive(rng, int(rng.integers(2, 12)), spread=9.0),
    "ideal diodes": lambda rng: passive(rng, int(rng.integers(2, 12)), ideal=True),
    "one amplifier layer": lambda rng: layered(rng, (5, 3)),
    "uneven amplifiers": lambda rng: layered(rng, (4, 4, 2), uneven=True),
    "controlled sources": active,
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def drawn(kind: str, seed: int) -> tuple[Solver, np.random.Generator]:
    rng = np.random.default_rng([seed, *kind.encode()])
    return Solver(KINDS[kind](rng)), rng


def levels_of(solver: Solver, rng: np.random.Generator, batch: int) -> Array:
    nominal = solver.equations.levels
    return nominal * rng.uniform(0.3, 1.0, (batch, nominal.size))


def slowly(solver: Solver) -> Solver:
    """The same, by pivoting LU of all unknowns and Newton's method step by step."""
    solver._system.is_able = False
    return solver


@EACH_KIND
@pytest.mark.parametrize("seed", range(6))
def test_linear_circuits_by_their_ports(kind: str, seed: int) -> None:
    solver, rng = drawn(kind, seed)
    e, system = solver.equations, solver._system
    assert system.is_able
    batch = 5
    n_smooth = e.n_nonlinear - len(e.ideal)
    siemens = 10.0 ** rng.uniform(-12, 0, (batch, n_smooth))
    siemens[:, rng.random(n_smooth) < 0.3] = 0.0
    on = rng.random((batch, len(e.ideal))) < 0.5
    # One conducting diode a port: two would want different voltages.
    for k, port in enumerate(system.arrays.ideal[0]):
        on[:, k] &= ~on[:, :k][:, system.arrays.ideal[0, :k] == port].any(1)
    on_volts = rng.normal(size=on.shape)
    b = 1e-3 * rng.normal(size=(batch, e.n_unknowns))
    x, through = system.solve(b, siemens, on, on_volts)
    smooth, ideal = e.incidence.toarray()[:, :n_smooth], e.incidence.toarray()[:, n_smooth:]
    for k in range(batch):
        conducting = ideal[:, on[k]]
        top = e.matrix.toarray() + smooth @ np.diag(siemens[k]) @ smooth.T
        corner = np.zeros((conducting.shape[1],) * 2)
        whole = np.block([[top, conducting], [conducting.T, corner]])
        right = np.concatenate([b[k], on_volts[k, on[k]]])
        found = np.concatenate([x[k], through[k, on[k]]])
        terms = np.abs(whole) @ np.abs(found) + np.abs(right)
        assert (np.abs(whole @ found - right) <= 1e-12 * terms).all()
        expected = np.linalg.solve(whole, right)
        spoilt = np.abs(np.linalg.inv(whole)) @ terms
        assert (np.abs(found - expected) <= 1e-12 * spoilt).all()
        assert (through[k, ~on[k]] == 0.0).all()


@EACH_KIND
@pytest.mark.parametrize("seed", range(6))
def test_operating_points_of_compiled_code(kind: str, seed: int) -> None:
    solver, rng = drawn(kind, seed)
    levels = levels_of(solver, rng, 5)
    assert solver._compiled.is_able
    fast = solver.solve(levels)
    slow = slowly(drawn(kind, seed)[0]).solve(levels)
    assert slow.ok.all()
    assert fast.ok.all()
    scale = 1.0 + np.abs(slow.node_volts).max()
    # Both are as exact as they say, and far better than that in a quadratic last step.
    np.testing.assert_allclose(fast.node_volts, slow.node_volts, rtol=0, atol=3e-9 * scale)
    np.testing.assert_allclose(fast.source_amps, slow.source_amps, rtol=1e-6, atol=1e-11)
    assert fast.residual.max() < 1e-9


@EACH_KIND
def test_compiled_code_needs_no_help(kind: str) -> None:
    """Most examples settle there; otherwise nothing would be gained by it."""
    settled = []
    for seed in range(6):
        solver, rng = drawn(kind, seed)
        given = levels_of(solver, rng, 4)
        e = solver.equations
        held = (e.held_volts @ given.T).T
        right = (e.drive @ given.T).T - np.asarray(e.held_matrix @ held.T).T
        offset = (e.held_incidence.T @ held.T).T
        start = np.zeros(right.shape), np.zeros(offset.shape), np.zeros((4, len(e.ideal)), bool)
        tried = solver._compiled.iterate(right, offset, start, True, (1e-9, 1e-9), 100)
        settled.append(tried.done.mean())
    assert np.mean(settled) > 0.8


@EACH_KIND
def test_changed_conductances_are_those_of_a_new_circuit(kind: str) -> None:
    rng = np.random.default_rng(3)
    circuit = KINDS[kind](rng)
    solver = Solver(circuit)
    levels = levels_of(solver, rng, 3)
    before = solver.solve(levels)
    amps = solver.solve(levels).source_amps
    siemens = solver.equations.siemens
    changed = siemens * rng.uniform(0.5, 2.0, siemens.size)
    changed[siemens == 0.0] = 1e-4
    solver.set_resistors(changed)
    again, anew = solver.solve(levels), Solver(_with(circuit, changed)).solve(levels)
    assert again.ok.all()
    np.testing.assert_allclose(again.node_volts, anew.node_volts, rtol=0, atol=1e-8)
    np.testing.assert_allclose(again.source_amps, anew.source_amps, rtol=1e-6, atol=1e-11)
    # What was found before keeps its currents, though they are worked out only now.
    np.testing.assert_array_equal(before.source_amps, amps)
    solver.set_resistors(siemens)
    back = solver.solve(levels)
    np.testing.assert_array_equal(back.node_volts, before.node_volts)


def _with(circuit: Circuit, siemens: Array) -> Circuit:
    """The circuit with other conductances, single resistors first."""
    singles = [e for e in circuit.elements if isinstance(e, Resistor)]
    groups = [e for e in circuit.elements if isinstance(e, Resistors)]
    new: dict[str, Resistor | Resistors] = {}
    for k, r in enumerate(singles):
        new[r.name] = Resistor(r.name, r.plus, r.minus, float(siemens[k]))
    at = len(singles)
    for g in groups:
        n = g.siemens.size
        new[g.name] = Resistors(g.name, g.nodes, g.plus, g.minus, siemens[at : at + n])
        at += n
    return Circuit([new.get(e.name, e) for e in circuit.elements])


def small() -> Solver:
    return Solver(
        Circuit([V("v", "a", "0", 1.0), R("r1", "a", "b", 1e-3), R("r2", "b", "0", 1e-3)])
    )


@pytest.mark.parametrize(
    ("siemens", "words"),
    [
        ([-1.0, 1.0], "r1 has a negative"),
        ([1.0, np.nan], "r2: its conductance"),
        ([0, 0], "node b"),
    ],
)
def test_conductances_are_checked(siemens: list[float], words: str) -> None:
    solver = small()
    with pytest.raises(CircuitError, match=words):
        solver.set_resistors(np.array(siemens))
    assert solver.solve().node_volts[0] == pytest.approx([1.0, 0.5])
    with pytest.raises(ValueError, match=r"\(2,\)"):
        solver.set_resistors(np.ones(3))


def test_conductances_are_copied() -> None:
    solver, siemens = small(), np.array([1e-3, 3e-3])
    solver.set_resistors(siemens)
    siemens[:] = 1e-3
    assert solver.solve().node_volts[0] == pytest.approx([1.0, 0.25])


def test_zero_conductances_keep_their_place() -> None:
    rest = [R("open", "b", "c", 0.0), R("r2", "b", "0", 1e-3), R("r3", "c", "0", 1e-3)]
    solver = Solver(Circuit([V("v", "a", "0", 1.0), R("r1", "a", "b", 1e-3), *rest]))
    assert solver.equations.matrix.nnz == 4
    solver.set_resistors(np.array([1e-3, 1e-3, 1e-3, 1e-3]))
    volts = dict(zip(solver.nodes, solver.solve().node_volts[0], strict=True))
    assert (volts["b"], volts["c"]) == pytest.approx((0.4, 0.2))


@EACH_KIND
def test_a_start_changes_nothing_but_the_way(kind: str) -> None:
    solver, rng = drawn(kind, 1)
    levels = levels_of(solver, rng, 4)
    cold, other = solver.solve(levels), solver.solve(0.9 * levels)
    scale = 1.0 + np.abs(cold.node_volts).max()
    wild = np.where(rng.random(cold.node_volts.shape) < 0.3, np.nan, 1e5)
    for near in (cold, other, cold.node_volts, wild):
        warm = solver.solve(levels, near)
        assert warm.ok.all()
        np.testing.assert_allclose(warm.node_volts, cold.node_volts, rtol=0, atol=3e-9 * scale)


def test_a_start_of_another_batch_is_refused() -> None:
    solver = small()
    with pytest.raises(ValueError, match="equally long"):
        solver.solve({"v": np.ones(3)}, solver.solve({"v": np.ones(2)}))


@pytest.mark.parametrize("cubic", [False, True])
def test_laws_of_one_junction_are_those_of_many(cubic: bool) -> None:
    model = DiodeModel(1e-9, 1.3, reverse_cubic=cubic)
    junctions = Junctions([Diode("d", "a", "0", model)], 300.15, 0.0)
    thermal, critical = junctions.thermal_volts[0], junctions.critical_volts[0]
    volts = np.concatenate([np.linspace(-3.0, 6.0, 400), np.linspace(-0.1, 0.1, 101)])
    amps, siemens = junctions.evaluate(volts[:, None])
    one = np.array([evaluate(v, junctions.saturation_amps[0], thermal, cubic) for v in volts])
    np.testing.assert_allclose(one[:, 0], amps[:, 0], rtol=1e-13)
    np.testing.assert_allclose(one[:, 1], siemens[:, 0], rtol=1e-13)
    for present in (-1.0, 0.0, 0.2, 0.7):
        many = junctions.limit(volts[:, None], np.full((volts.size, 1), present))[:, 0]
        each = [limit(v, present, thermal, critical) for v in volts]
        np.testing.assert_allclose(each, many, rtol=1e-13)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 31])
def test_full_systems(n: int, symmetric: bool) -> None:
    rng = np.random.default_rng(n)
    matrix = rng.normal(size=(n, n))
    if symmetric:
        matrix = matrix @ matrix.T + 0.1 * np.eye(n)
    elif n > 1:
        matrix[0, 0] = 0.0
    right, other = rng.normal(size=(2, n))
    a = np.concatenate([matrix, right[:, None]], 1)
    order, x = np.zeros(n, np.int64), np.empty(n)
    assert factorise(a, order, symmetric)
    substitute(a, x)
    np.testing.assert_allclose(matrix @ x, right, rtol=1e-9, atol=1e-10)
    replace_right(a, order, symmetric, other)
    substitute(a, x)
    np.testing.assert_allclose(matrix @ x, other, rtol=1e-9, atol=1e-10)


def test_singular_systems_are_told() -> None:
    a, order = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 1.0]]), np.zeros(2, np.int64)
    assert not factorise(a.copy(), order, False)
    assert not factorise(a, order, True)


def test_factors_that_make_a_matrix_symmetric() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.uniform(-1, 0, (9, 9)) * (rng.random((9, 9)) < 0.4)
    matrix = matrix + matrix.T + 9 * np.eye(9)
    scale = row_scale(10.0 ** rng.uniform(-4, 4, 9)[:, None] * matrix)
    assert scale is not None
    scaled = scale[:, None] * (10.0 ** np.random.default_rng(0).uniform(0, 1, 9)[:, None] * matrix)
    assert not np.allclose(scaled, scaled.T)
    assert row_scale(matrix + np.triu(matrix, 1) * rng.uniform(0.5, 1.0, (9, 9))) is None


@pytest.mark.parametrize("kind", ["passive", "one amplifier layer"])
def test_error_bounds_hold_whatever_conducts(kind: str) -> None:
    solver, rng = drawn(kind, 2)
    e = solver.equations
    rounding = rng.random((1, e.n_unknowns))
    bound = solver._linear.error_bound(rounding)[0]
    assert np.isfinite(bound)
    nodes, incidence = e.unknown[e.unknown >= 0], e.incidence.toarray()
    worst = 0.0
    for _ in range(20):
        siemens = 10.0 ** rng.uniform(-12, 1, e.n_nonlinear)
        whole = e.matrix.toarray() + incidence @ np.diag(siemens) @ incidence.T
        size = (np.abs(np.linalg.inv(whole)) @ rounding[0])[nodes].max()
        assert size <= bound
        worst = max(worst, size)
    assert worst > 0.01 * bound


def test_ideal_diodes_that_fight_are_no_solution() -> None:
    """Both would hold the node, at different voltages."""
    diodes = [IdealDiode("low", "b", "0", 1.0), IdealDiode("high", "0", "b", -2.0)]
    solver = Solver(Circuit([V("v", "a", "0", 5.0), R("r", "a", "b", 1e-3), *diodes]))
    assert not solver.solve().ok.any()


def test_a_large_circuit_is_split_where_it_is_linear() -> None:
    """A chain of many linear nodes between few diodes, and the same without diodes."""
    n = 900
    nodes = tuple(f"n{k}" for k in range(n))
    chain = Resistors("c", nodes, np.arange(n - 1), np.arange(1, n), np.full(n - 1, 1e-2))
    ends = [V("v", "n0", "0", 3.0), R("end", f"n{n - 1}", "0", 1e-3)]
    diodes = [Diode("d", "n300", "0", DiodeModel(1e-12)), Diode("e", "n600", "0", DiodeModel(1e-9))]
    for elements in ([chain, *ends], [chain, *ends, *diodes]):
        solver = Solver(Circuit(elements))
        assert solver._system.ports.kept.size == len(elements) - 3
        fast, slow = solver.solve(), slowly(Solver(Circuit(elements))).solve()
        assert fast.ok.all()
        np.testing.assert_allclose(fast.node_volts, slow.node_volts, rtol=0, atol=1e-9)


def test_one_blas_thread_inside_and_the_former_number_outside() -> None:
    libraries = blas._libraries()
    before = [library.get_num_threads() for library in libraries]
    with blas.one_thread():
        assert all(library.get_num_threads() == 1 for library in libraries)
    assert [library.get_num_threads() for library in libraries] == before
