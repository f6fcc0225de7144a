"""What is left over of Kirchhoff's laws, against fifty digits."""

from __future__ import annotations

import decimal
from decimal import Decimal

import numpy as np
import pytest

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.balance import Balance
from tests.property.nodal_circuits import KINDS, generator
from tests.property.nodal_reference import DIGITS, Reference


@pytest.mark.parametrize("kind", ["extreme", "sources", "controlled"])
def test_all_digits_of_what_is_left_over_are_right(kind: str) -> None:
    """At voltages so near a common one that products of conductances and voltages show nothing."""
    for number in range(40):
        rng = generator(f"balance-{kind}", number)
        circuit = KINDS[kind](rng)
        e = Equations(circuit)
        held = (e.held_volts @ e.levels[:, None]).T
        x = 1.0 + 1e-13 * rng.normal(size=(1, e.n_unknowns))
        amps = np.zeros((1, 0))
        found = Balance(e, circuit.gmin_siemens).left(x, held, amps, e.levels[None])[0]
        state = {}
        for node, k in e.parts.index.items():
            if k >= 0:
                volts = x[0, e.unknown[k]] if e.unknown[k] >= 0 else held[0, e.held[k]]
                state["v", node] = Decimal(float(volts))
        state |= {("i", name): Decimal(float(x[0, k])) for name, k in e.branches.items()}
        with decimal.localcontext() as context:
            context.prec = DIGITS
            _, right = Reference(circuit)._equations(state, set())
        rows = {("v", node): e.unknown[k] for node, k in e.parts.index.items() if k >= 0}
        rows |= {("i", name): k for name, k in e.branches.items()}
        for key, k in rows.items():
            if k >= 0:
                exact = -float(right[key])
                assert found[k] == pytest.approx(exact, rel=1e-15, abs=1e-27), (number, key)
