"""Operating points against the ngspice that is installed: the stored netlists, and further ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim_backend.spice.reader import read_netlist
from tests.golden.golden_set import (
    FOLDER,
    LARGEST_STEP_VOLTS,
    NETLISTS,
    differences,
    read_circuit,
)
from tests.golden.ngspice_runs import NGSPICE, constants, newton_step_volts, operating_point
from tests.golden.random_netlists import random_netlist

pytestmark = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")

FURTHER_SEEDS = range(1001, 1041)
MOST_UNSOLVED = 4


@pytest.mark.parametrize("name", NETLISTS)
def test_stored_netlists_agree_with_ngspice_now(name: str) -> None:
    circuit = read_circuit(name)
    point = operating_point(FOLDER / f"{name}.cir", circuit)
    assert point is not None, "ngspice finds no solution"
    assert differences(circuit, point, constants().volts_per_kelvin) == []


def test_further_random_netlists_agree_with_ngspice(tmp_path: Path) -> None:
    k_over_q = constants().volts_per_kelvin
    compared, wrong = 0, {}
    for seed in FURTHER_SEEDS:
        path = tmp_path / f"random_{seed}.cir"
        path.write_text(random_netlist(seed))
        circuit = read_netlist(path).circuit
        point = operating_point(path, circuit)
        # Another version of ngspice may not converge on one or the other.
        if point is None or newton_step_volts(circuit, point, k_over_q) > LARGEST_STEP_VOLTS:
            continue
        compared += 1
        found = differences(circuit, point, k_over_q)
        if found:
            wrong[seed] = found
    assert wrong == {}
    assert compared >= len(FURTHER_SEEDS) - MOST_UNSOLVED
