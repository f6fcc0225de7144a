"""Kirchhoff's current law and honest errors on 5,500 random circuits, at two levels each.

Currents are added element by element in code of the tests; every twentieth circuit is solved in
fifty digits as well.
"""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.nodal.solver import Solver
from tests.property.nodal_circuits import (
    KINDS,
    generator,
    levels_of,
)
from tests.property.nodal_flows import Settled, conductance, kirchhoff, singles
from tests.property.nodal_reference import true_error

EACH = 500
EXACT_EVERY = 20
CAN_BE_EXACT = [kind for kind in KINDS if kind != "curves"]


def settled(kind: str, number: int) -> Settled:
    rng = generator(kind, number)
    circuit = KINDS[kind](rng)
    solver = Solver(circuit)
    levels = levels_of(rng, solver, 2)
    return Settled(circuit, solver, levels, solver.solve(levels))


@pytest.mark.parametrize("kind", KINDS)
def test_currents_add_up_at_every_node(kind: str) -> None:
    for number in range(EACH):
        s = settled(kind, number)
        solution = s.solution
        assert solution.ok.all(), number
        balance = kirchhoff(s)
        error = 2.0 * solution.error_volts + 1e-15 * np.abs(solution.node_volts).max(1, initial=1.0)
        allowed = 1e-9 * balance.meeting + balance.slope * error[:, None]
        allowed += 1e-15 * balance.meeting.max(1, keepdims=True)
        assert (np.abs(balance.left) <= allowed).all(), number


@pytest.mark.parametrize("kind", CAN_BE_EXACT)
def test_errors_are_what_they_are_said_to_be(kind: str) -> None:
    for number in range(0, EACH, EXACT_EVERY):
        s = settled(kind, number)
        for k, row in enumerate(s.levels):
            volts = s.solution.node_volts[k]
            levels = dict(zip(s.solver.sources, row, strict=True))
            found = true_error(s.circuit, s.solver.nodes, volts, levels)
            assert found <= 2.0 * s.solution.error_volts[k] + 1e-15, number
            assert s.solution.error_volts[k] <= 1e-9 * (1.0 + np.abs(volts).max()), number


def test_the_check_sees_a_wrong_voltage() -> None:
    """A millionth of a volt at one node breaks the sum there."""
    s = settled("diodes", 3)
    s.solution.node_volts[:, s.at["n0"]] += 1e-6
    balance = kirchhoff(s)
    assert (np.abs(balance.left) > 1e-9 * balance.meeting).any()
    assert any(conductance(s, e).any() for e in singles(s.circuit))
