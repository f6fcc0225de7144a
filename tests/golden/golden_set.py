"""The stored netlists and solutions, and how far a solution of ours may be from ngspice's."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sim_backend.nodal.elements import (
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from sim_backend.spice.reader import read_netlist
from tests.golden.ngspice_runs import Constants, Point

__all__ = [
    "FOLDER", "LARGEST_STEP_VOLTS", "NETLISTS", "SOLUTIONS", "almost_without_diodes",
    "differences", "read_circuit", "stored_constants", "stored_point", "varied",
]  # fmt: skip

FOLDER = Path(__file__).parent / "netlists"
SOLUTIONS = FOLDER / "solutions.json"
NETLISTS = sorted(path.stem for path in FOLDER.glob("*.cir"))

ABSOLUTE_VOLTS, RELATIVE = 1e-6, 1e-6

LARGEST_STEP_VOLTS = 1e-8
"""A solution of ngspice from which Newton's method moves a node further is too loose to compare
with."""


@cache
def _stored() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SOLUTIONS.read_text())
    return loaded


def stored_constants() -> Constants:
    return Constants(**_stored()["constants"])


def stored_point(name: str) -> Point:
    return Point(**_stored()["points"][name])


def read_circuit(name: str) -> Circuit:
    return read_netlist(FOLDER / f"{name}.cir").circuit


def differences(circuit: Circuit, point: Point, volts_per_kelvin: float) -> list[str]:
    """What is wrong with our solution of a circuit, as compared with a point of ngspice's.

    Every node is compared, inner ones of diodes too, and the currents of all voltage sources,
    those to a share of the largest current.
    """
    solver = Solver(circuit, volts_per_kelvin=volts_per_kelvin)
    solution = solver.solve()
    if set(solver.nodes) != set(point.volts):
        return [f"nodes {sorted(set(solver.nodes) ^ set(point.volts))} on one side only"]
    wrong = [] if solution.ok.all() else [f"not ok, residual {solution.residual[0]:.1e}"]
    found = solution.node_volts[0]
    expected = np.array([point.volts[name] for name in solver.nodes])
    far = np.abs(found - expected) > ABSOLUTE_VOLTS + RELATIVE * np.abs(expected)
    far |= ~np.isfinite(found)
    wrong += [
        f"V({solver.nodes[k]}) {found[k]!r}, not {expected[k]!r}" for k in np.flatnonzero(far)
    ]
    amps = solution.source_amps[0]
    sources = solver.sources[: amps.size]
    through = np.array([point.amps[name] for name in sources])
    far = ~(np.abs(amps - through) <= RELATIVE * np.abs(through).max(initial=0.0))
    return wrong + [f"I({sources[k]}) {amps[k]!r}, not {through[k]!r}" for k in np.flatnonzero(far)]


def almost_without_diodes(circuit: Circuit) -> Circuit:
    """The circuit with saturation currents a million times smaller.

    Without any, amplifiers that a diode closes the loop of would be at kilovolts.
    """
    return replace(
        circuit,
        elements=tuple(
            replace(e, model=replace(e.model, saturation_amps=1e-6 * e.model.saturation_amps))
            if isinstance(e, Diode)
            else e
            for e in circuit.elements
        ),
    )


_QUANTITIES = {
    Resistor: "siemens",
    VoltageSource: "volts",
    CurrentSource: "amps",
    Diode: "area",
    VoltageControlledVoltage: "gain",
    VoltageControlledCurrent: "siemens",
    CurrentControlledCurrent: "gain",
    CurrentControlledVoltage: "ohms",
}


def varied(circuit: Circuit) -> dict[str, Circuit]:
    """For each kind of element in a circuit: the circuit with those changed.

    Values grow by 10 to 50 percent, each by another; those of 0 become a thousandth of a unit.
    """
    found = {}
    for kind, quantity in _QUANTITIES.items():
        count, elements = 0, []
        for element in circuit.elements:
            if type(element) is kind:
                value = getattr(element, quantity)
                change = 1.1 + 0.4 * ((0.618 * count) % 1.0)
                element = replace(element, **{quantity: value * change or 1e-3})
                count += 1
            elements.append(element)
        if count:
            found[kind.__name__] = replace(circuit, elements=tuple(elements))
    return found
