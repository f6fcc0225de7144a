"""Makes the random netlists, runs ngspice on all, verifies and stores what it finds.

Run from the top folder: ``python -m tests.golden.generate_netlists``.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from sim_backend.nodal.elements import Circuit
from tests.golden.golden_set import FOLDER, LARGEST_STEP_VOLTS, SOLUTIONS, read_circuit
from tests.golden.ngspice_runs import Point, constants, newton_step_volts, operating_point
from tests.golden.random_netlists import FAMILIES, random_netlist
from tests.unit.spice.oracle import Dense

SEEDS = range(1, 67)
"""Of the stored random circuits."""

_STARTS = 4
_SAME_VOLTS = 1e-6


def main() -> None:
    """Write the random netlists, then the solutions of all."""
    for seed in SEEDS:
        family = list(FAMILIES)[seed % len(FAMILIES)]
        (FOLDER / f"random_{family}_{seed:02}.cir").write_text(random_netlist(seed))
    points = {}
    for path in sorted(FOLDER.glob("*.cir")):
        points[path.stem] = _verified_point(path.stem).as_json()
    head = json.dumps(asdict(constants()))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(p)}" for name, p in points.items())
    SOLUTIONS.write_text(f'{{"constants": {head},\n"points": {{\n{lines}\n}}}}\n')
    print(f"{len(points)} solutions of ngspice {constants().version} in {SOLUTIONS}")


def _verified_point(name: str) -> Point:
    circuit = read_circuit(name)
    volts_per_kelvin = constants().volts_per_kelvin
    point = operating_point(FOLDER / f"{name}.cir", circuit)
    if point is None:
        raise SystemExit(f"{name}: ngspice finds no solution; it does not belong in the set")
    step = newton_step_volts(circuit, point, volts_per_kelvin)
    if not step < LARGEST_STEP_VOLTS:
        raise SystemExit(f"{name}: ngspice's solution is only good to {step:.1e} V")
    if not name.startswith("random"):
        _check_alone(name, circuit, point, volts_per_kelvin)
    return point


def _check_alone(name: str, circuit: Circuit, point: Point, volts_per_kelvin: float) -> None:
    """Newton's method from random junction voltages finds no second solution."""
    for seed in range(_STARTS):
        dense = Dense(circuit, volts_per_kelvin)
        random = np.random.default_rng(seed)
        dense.junction_volts = random.uniform(-2.0, 0.7, len(dense.diodes))
        try:
            found = dense.solve()
        except (AssertionError, np.linalg.LinAlgError):
            print(f"{name}: the dense Newton method does not converge from start {seed}")
            continue
        gap = max(abs(found[node] - volts) for node, volts in point.volts.items())
        if gap > _SAME_VOLTS * (1.0 + max(map(abs, point.volts.values()))):
            raise SystemExit(f"{name}: a second solution, {gap:.1e} V from ngspice's")


if __name__ == "__main__":
    main()
