"""Operating points of the netlists in ``netlists`` against stored ones of ngspice.

Runs everywhere.  ``netlists/README.md`` says how the solutions were made.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim_backend.nodal.elements import Circuit, Diode
from tests.golden.golden_set import (
    LARGEST_STEP_VOLTS,
    NETLISTS,
    almost_without_diodes,
    differences,
    read_circuit,
    stored_constants,
    stored_point,
    varied,
)
from tests.golden.ngspice_runs import newton_step_volts

K_OVER_Q = stored_constants().volts_per_kelvin
OF_DIODES = [
    name for name in NETLISTS if any(isinstance(e, Diode) for e in read_circuit(name).elements)
]
DRAWN = [name for name in NETLISTS if not name.startswith("random")]
QUIET = {
    "random_layers_18",
    "random_layers_22",
    "random_mesh_44",
    "random_mesh_60",
    "random_mesh_64",
}
"""No diode of these carries a current that matters."""


def disagrees(circuit: Circuit, name: str) -> bool:
    """Whether values differ, convergence and names aside."""
    found = differences(circuit, stored_point(name), K_OVER_Q)
    return any(line.startswith(("V(", "I(")) for line in found)


def test_the_set_is_as_large_as_it_should_be() -> None:
    assert len(NETLISTS) - len(DRAWN) >= 66
    assert len(DRAWN) >= 60
    assert len(OF_DIODES) >= 110


@pytest.mark.parametrize("name", NETLISTS)
def test_every_node_agrees_with_ngspice(name: str) -> None:
    assert differences(read_circuit(name), stored_point(name), K_OVER_Q) == []


@pytest.mark.parametrize("name", NETLISTS)
def test_stored_solutions_obey_kirchhoff(name: str) -> None:
    # By a dense evaluation that is neither ngspice's nor the simulator's.
    step = newton_step_volts(read_circuit(name), stored_point(name), K_OVER_Q)
    assert step < LARGEST_STEP_VOLTS


@pytest.mark.parametrize("name", [name for name in OF_DIODES if name not in QUIET])
def test_almost_without_diodes_the_comparison_fails(name: str) -> None:
    assert disagrees(almost_without_diodes(read_circuit(name)), name)


@pytest.mark.parametrize("name", DRAWN)
def test_changed_elements_make_the_comparison_fail(name: str) -> None:
    circuit = read_circuit(name)
    changed = varied(circuit)
    if name in OF_DIODES:
        changed["temperature"] = replace(circuit, kelvin=circuit.kelvin + 2.0)
    unnoticed = [k for k, other in changed.items() if not disagrees(other, name)]
    assert unnoticed == []
