"""Pseudo-power of 500 random circuits: stationary at the operating point, and least there."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.nodal.elements import Amplifier, Circuit, CurrentSource, VoltageSource
from sim_backend.nodal.power import PseudoPower
from sim_backend.nodal.solver import Solver
from tests.property.nodal_circuits import (
    Array,
    Rng,
    currents,
    curves,
    diodes,
    generator,
    resistors,
    size,
    sources,
    stack,
)
from tests.property.nodal_flows import Settled, kirchhoff

EACH = 125
STEP = 1e-5
MIXES = {"resistors": (), "diodes": (diodes,), "curves": (diodes, curves), "amplifiers": ()}


def made(kind: str, rng: Rng) -> Circuit:
    if kind == "amplifiers":
        return Circuit(stack(rng))
    n = size(rng)
    elements = [*resistors(rng, n), *sources(rng, n), *currents(rng, n)]
    for part in MIXES[kind]:
        elements += part(rng, n)
    return Circuit(elements)


def directions(circuit: Circuit, solver: Solver) -> Array:
    """(n_free, n_nodes) one way to move for each node that moves by itself; outputs follow."""
    at = {node: k for k, node in enumerate(solver.nodes)}
    held = {at[e.plus] for e in circuit.elements if isinstance(e, VoltageSource)}
    followers = {
        at[e.input]: (at[e.output], e.forward_gain)
        for e in circuit.elements
        if isinstance(e, Amplifier)
    }
    held |= {output for output, _ in followers.values()}
    found = np.eye(len(at))
    for node, (output, gain) in followers.items():
        found[node, output] = gain
    return np.asarray(found[[k for k in range(len(at)) if k not in held]])


@pytest.mark.parametrize("kind", MIXES)
def test_it_is_stationary_and_least_at_the_operating_point(kind: str) -> None:
    for number in range(EACH):
        rng = generator(f"power-{kind}", number)
        circuit = made(kind, rng)
        s = Settled.of(circuit)
        assert s.solution.ok.all(), number
        power = PseudoPower(circuit)
        volts = s.solution.node_volts[0]
        amps = np.array([[e.amps for e in circuit.elements if isinstance(e, CurrentSource)]])

        def value(
            moves: Array, volts: Array = volts, power: PseudoPower = power, amps: Array = amps
        ) -> Array:
            return power.value(volts + moves, np.repeat(amps, len(moves), 0))

        ways = directions(circuit, s.solver)
        ahead, behind = value(STEP * ways), value(-STEP * ways)
        here = value(np.zeros((1, volts.size)))[0]
        slope = (ahead - behind) / (2.0 * STEP)
        flow = np.abs(ways) @ kirchhoff(s).meeting[0]
        curvature = (ahead + behind - 2.0 * here) / STEP**2
        rounding = 1e-15 * (abs(here) + (flow * np.abs(volts).max()).max()) / STEP
        slack = 1e-6 * flow + rounding + np.abs(curvature) * s.solution.error_volts[0]
        assert (np.abs(slope) <= slack).all(), number
        # No way leads down.
        random = rng.normal(0.0, 0.1, (8, len(ways))) @ ways
        assert (value(random) > here).all(), number
