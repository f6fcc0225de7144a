"""Passivity, reciprocity and superposition of 3,000 random networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sim_backend.nodal.elements import GROUND, Circuit, CurrentSource, Element, VoltageSource
from sim_backend.nodal.solver import Solver
from tests.property.nodal_circuits import (
    KINDS,
    Array,
    Rng,
    currents,
    curves,
    diodes,
    floating,
    generator,
    levels_of,
    resistive,
    resistors,
    size,
)
from tests.property.nodal_flows import Settled, conductance, known_flows, singles

EACH = 500
FAINT = 2e-4
"""Volts that count as a small signal; a thermal voltage is 26 mV."""


@pytest.mark.parametrize("spread", ["narrow", "extreme"])
def test_resistors_take_what_sources_give_and_voltages_stay_between(spread: str) -> None:
    for number in range(EACH):
        rng = generator(f"passive-{spread}", number)
        circuit = resistive(rng, spread)
        s = Settled.of(circuit)
        assert s.solution.ok.all(), number
        taken, given, large = 0.0, 0.0, 0.0
        held = [0.0]
        for e in singles(circuit):
            for plus, minus, amps in known_flows(s, e):
                watts = float((s.drop(plus, minus) * amps)[0])
                if isinstance(e, VoltageSource):
                    given -= watts
                    held += [float(s.volts(e.plus)[0]), float(s.volts(e.minus)[0])]
                else:
                    assert watts >= 0.0, number
                    taken += watts
                large += abs(watts)
        # Of voltages that differ in the last place only, a large conductance makes currents.
        stiffest = max(float(conductance(s, e)[0]) for e in singles(circuit))
        rounding = 1e-15 * stiffest * np.abs(s.solution.node_volts).max() ** 2
        assert abs(taken - given) <= 1e-8 * large + rounding, number
        slack = float(s.solution.error_volts[0]) + 1e-14
        volts = s.solution.node_volts[0]
        assert min(held) - slack <= volts.min(), number
        assert volts.max() <= max(held) + slack, number


def transfer(rng: Rng, elements: list[Element], n: int, amps: float | None) -> tuple[Array, Array]:
    """Responses of all nodes to small currents into two of them, volts per amp, by differences."""
    a, b = (int(k) for k in rng.choice(n, 2, replace=False))
    probes = [
        CurrentSource("probe_a", GROUND, f"n{a}", 0.0),
        CurrentSource("probe_b", GROUND, f"n{b}", 0.0),
    ]
    solver = Solver(Circuit([*elements, *probes], gmin_siemens=1e-9))

    def respond(step: float) -> Array:
        kicks = {"probe_a": np.array([step, -step, 0, 0]), "probe_b": np.array([0, 0, step, -step])}
        found = solver.solve(kicks)
        assert found.ok.all()
        at = [solver.nodes.index(f"n{a}"), solver.nodes.index(f"n{b}")]
        volts = found.node_volts[:, at]
        return np.asarray((volts[[0, 2]] - volts[[1, 3]]) / (2.0 * step))

    if amps is None:
        amps = FAINT / float(np.abs(respond(1e-9)).max())
    ohms = respond(amps)
    return ohms, np.sqrt(np.abs(ohms[0, 0] * ohms[1, 1]))


@pytest.mark.parametrize("spread", ["narrow", "extreme"])
def test_resistor_networks_are_reciprocal(spread: str) -> None:
    for number in range(EACH // 2):
        rng = generator(f"reciprocal-{spread}", number)
        n = size(rng)
        ohms, unit = transfer(rng, resistors(rng, n, spread), n, 1.0)
        assert abs(ohms[0, 1] - ohms[1, 0]) <= 1e-8 * unit, number
        assert abs(ohms[0, 1]) <= unit * (1 + 1e-8), number
        assert ohms[0, 1] >= -1e-8 * unit, number


@pytest.mark.parametrize(
    "parts", [[currents, diodes], [floating, diodes, curves]], ids=["diodes", "curves"]
)
def test_diode_networks_are_reciprocal_for_small_signals(
    parts: list[Callable[[Rng, int], list[Element]]],
) -> None:
    for number in range(EACH // 2):
        rng = generator(f"small-{len(parts)}", number)
        n = size(rng)
        elements = resistors(rng, n)
        for part in parts:
            elements += part(rng, n)
        ohms, unit = transfer(rng, elements, n, None)
        assert abs(ohms[0, 1] - ohms[1, 0]) <= 1e-3 * unit, number
        assert (np.diagonal(ohms) >= 0.0).all(), number
        assert abs(ohms[0, 1]) <= unit * 1.001, number


@pytest.mark.parametrize("kind", ["sources", "controlled"])
def test_linear_circuits_superpose(kind: str) -> None:
    for number in range(EACH):
        rng = generator(f"sum-{kind}", number)
        solver = Solver(KINDS[kind](rng))
        one, other = levels_of(rng, solver, 2)
        solution = solver.solve(np.stack([one, other, 0.5 * one - 2.0 * other]))
        assert solution.ok.all(), number
        volts, error = solution.node_volts, solution.error_volts
        expected = 0.5 * volts[0] - 2.0 * volts[1]
        slack = error[0] + 2.0 * error[1] + error[2] + 1e-13 * np.abs(volts).max()
        assert np.abs(volts[2] - expected).max() <= slack, number
        amps = solution.source_amps
        expected = 0.5 * amps[0] - 2.0 * amps[1]
        assert np.abs(amps[2] - expected).max() <= 1e-7 * np.abs(amps).max() + 1e-18, number
