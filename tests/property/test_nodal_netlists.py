"""600 random circuits, written as netlists and read back, have the same operating points."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.nodal.elements import Circuit
from sim_backend.nodal.solver import Solver
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist
from tests.property.nodal_circuits import (
    Part,
    Rng,
    conditions,
    controlled,
    currents,
    diodes,
    floating,
    generator,
    resistors,
    size,
    sources,
    stack,
)

EACH = 150


def some_diodes(rng: Rng, n: int) -> list:
    """With SPICE's reverse law, the only one that a netlist can mean."""
    return diodes(rng, n, True)


def some_control(rng: Rng, n: int) -> list:
    return controlled(rng, n, 0.4)


def some_stack(rng: Rng, n: int) -> list:
    return stack(rng, True)


MIXES: dict[str, tuple[Part, ...]] = {
    "sources": (floating, currents),
    "diodes": (some_diodes, currents, floating),
    "controlled": (some_control, some_diodes),
    "amplifiers": (),
}


def made(kind: str, rng: Rng) -> Circuit:
    if kind == "amplifiers":
        return conditions(rng, stack(rng, True))
    n = size(rng)
    elements = [*resistors(rng, n), *sources(rng, n)]
    for part in MIXES[kind]:
        elements += part(rng, n)
    return conditions(rng, elements)


@pytest.mark.parametrize("kind", MIXES)
def test_a_netlist_means_the_same_circuit(kind: str) -> None:
    for number in range(EACH):
        circuit = made(kind, generator(f"netlist-{kind}", number))
        again = parse_netlist(write_netlist(circuit)).circuit
        assert again.gmin_siemens == circuit.gmin_siemens
        assert again.kelvin == circuit.kelvin
        one, other = Solver(circuit), Solver(again)
        here, there = one.solve(), other.solve()
        assert here.ok.all(), number
        assert there.ok.all(), number
        at = [other.nodes.index(node) for node in one.nodes[: one.equations.n_named]]
        apart = np.abs(here.node_volts[0, : len(at)] - there.node_volts[0, at]).max()
        scale = 1.0 + np.abs(here.node_volts).max()
        assert apart <= here.error_volts[0] + there.error_volts[0] + 1e-11 * scale, number
        names = one.sources[: one.equations.n_voltage_sources]
        at = [other.sources.index(name) for name in names]
        expected, found = here.source_amps[0], there.source_amps[0, at]
        assert np.abs(expected - found).max() <= 1e-7 * np.abs(expected).max() + 1e-15, number
