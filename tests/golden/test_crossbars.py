"""Crossbars with wire resistance against ngspice: stored solutions, and the one installed.

Currents agree to 1e-9 of the largest; ``crossbars/README.md`` says how solutions were made.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim_backend.crossbar.crossbar import solve_crossbar
from sim_backend.crossbar.solution import CrossbarSolution
from tests.golden.crossbar_set import CASES, Case, Found, load, run
from tests.golden.ngspice_runs import NGSPICE

RELATIVE = 1e-9


def solve(case: Case) -> CrossbarSolution:
    return solve_crossbar(
        case.siemens, case.row_volts[None], case.word_ohms, case.bit_ohms,
        conduction=case.conduction, details=True,
    )  # fmt: skip


def gap(solution: CrossbarSolution, found: Found) -> float:
    largest = np.abs(found.column_amps).max()
    return float(np.abs(solution.column_amps[0] - found.column_amps).max() / largest)


def test_the_set_is_as_large_as_it_should_be() -> None:
    sizes = [load(name)[0].siemens.shape for name in CASES]
    assert len(CASES) >= 12
    assert sizes.count((32, 32)) == 2
    assert sum(name.startswith("cubic") for name in CASES) >= 5


@pytest.mark.parametrize("name", CASES)
def test_stored_solutions_of_ngspice(name: str) -> None:
    case, found = load(name)
    solution = solve(case)
    assert solution.ok.all()
    assert gap(solution, found) < RELATIVE
    for ours, stored in (
        (solution.word_volts, found.word_volts),
        (solution.bit_volts, found.bit_volts),
    ):
        if stored is not None:
            np.testing.assert_allclose(ours[0], stored, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_a_changed_device_makes_the_comparison_fail(name: str) -> None:
    case, found = load(name)
    rows, cols = case.siemens.shape
    siemens = case.siemens.copy()
    siemens[rows // 2, cols // 2] = 1.00001 * siemens[rows // 2, cols // 2] + 1e-9
    changed = Case(siemens, case.word_ohms, case.bit_ohms, case.row_volts, case.per_volt2)
    assert gap(solve(changed), found) > RELATIVE


@pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")
@pytest.mark.parametrize("name", CASES)
def test_ngspice_now(name: str, tmp_path: Path) -> None:
    case, stored = load(name)
    now = run(case, tmp_path)
    assert gap(solve(case), now) < RELATIVE
    np.testing.assert_allclose(
        now.column_amps, stored.column_amps, rtol=0, atol=1e-9 * np.abs(now.column_amps).max()
    )
