"""Ideal diodes in 600 random networks, up to twenty in one."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.nodal.elements import Circuit, IdealDiode
from sim_backend.nodal.solver import Solver
from tests.property.nodal_circuits import (
    Part,
    currents,
    diodes,
    generator,
    ideal_diodes,
    levels_of,
    resistors,
    size,
    sources,
)
from tests.property.nodal_flows import Settled, kirchhoff, singles

EACH = 300


@pytest.mark.parametrize("parts", [(), (diodes,)], ids=["alone", "with-diodes"])
def test_never_above_its_voltage_and_no_current_below(parts: tuple[Part, ...]) -> None:
    for number in range(EACH):
        rng = generator(f"ideal-{len(parts)}", number)
        n = size(rng)
        elements = [*resistors(rng, n), *sources(rng, n), *currents(rng, n)]
        elements += ideal_diodes(rng, n, 20)
        for part in parts:
            elements += part(rng, n)
        circuit = Circuit(elements)
        solver = Solver(circuit)
        levels = levels_of(rng, solver, 2)
        s = Settled(circuit, solver, levels, solver.solve(levels))
        assert s.solution.ok.all(), number
        slack = s.solution.error_volts + 1e-14
        for e in singles(circuit):
            if isinstance(e, IdealDiode):
                assert (s.drop(e.anode, e.cathode) <= e.volts + slack).all(), number
        # Currents are fitted only where a diode is at its voltage, and not below zero.
        balance = kirchhoff(s)
        error = 2.0 * s.solution.error_volts[:, None] + 1e-15
        allowed = 1e-9 * balance.meeting + balance.slope * error
        allowed += 1e-13 * balance.meeting.max(1, keepdims=True)
        assert (np.abs(balance.left) <= allowed).all(), number
        assert (balance.amps >= 0.0).all(), number
