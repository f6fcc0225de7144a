"""``hil export-spice``: the netlist of a trained network settles where the network does.

How close depends on the diodes.  Shockley pairs are written as they are; what differs is SPICE's
cubic in reverse (0.5 % of Is) and, in ngspice, the constants.  Ideal diodes are written as steep
ones that drop ``U ln(1 + I / Is)`` where they conduct and leak ``Is`` where they do not.  In a
network of resistors no node moves by more than the largest of these drops, plus what the leaks
move: each node is fed by more than 1e-6 S.  :func:`tests.cli.exports.allowance` works the sum out
from the settled network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sim_backend.nodal.elements import CurrentSource
from sim_backend.nodal.solver import Solver
from sim_backend.spice.reader import read_netlist
from tests.cli.exports import RUNS, expect, export

NGSPICE = shutil.which("ngspice")


@pytest.mark.parametrize("phase", ["free", "plus", "minus"])
@pytest.mark.parametrize("run", RUNS)
def test_the_netlist_settles_where_the_network_does(
    runs: dict[str, Path], tmp_path: Path, run: str, phase: str
) -> None:
    expected = expect(runs[run], run, phase)
    export(runs[run], phase, tmp_path / "out.cir")
    circuit = read_netlist(tmp_path / "out.cir").circuit
    sources = [e.amps for e in circuit.elements if isinstance(e, CurrentSource)]
    if expected.nudge_amps is None:
        assert not sources
    else:
        assert np.abs(expected.nudge_amps).max() > 1e-6
        assert sources == pytest.approx(expected.nudge_amps, rel=2e-5, abs=1e-12)
    solver = Solver(circuit)
    solution = solver.solve()
    assert solution.ok.all()
    volts = dict(zip(solver.nodes, solution.node_volts[0], strict=True))
    theirs = [volts[name] for name in expected.names]
    np.testing.assert_allclose(theirs, expected.node_volts, rtol=0.0, atol=expected.allowance_volts)


@pytest.mark.skipif(NGSPICE is None, reason="needs the package ngspice")
@pytest.mark.parametrize("phase", ["free", "plus", "minus"])
@pytest.mark.parametrize("run", RUNS)
def test_ngspice_reads_it_unchanged_and_agrees(
    runs: dict[str, Path], tmp_path: Path, run: str, phase: str
) -> None:
    expected = expect(runs[run], run, phase)
    export(runs[run], phase, tmp_path / "out.cir")
    printed = in_ngspice(tmp_path / "out.cir")
    theirs = [printed[name] for name in expected.names]
    # It prints six digits, has a thermal voltage that differs in the sixth, and iterates until
    # nothing moves by more than 1e-6 of a voltage.
    np.testing.assert_allclose(
        theirs, expected.node_volts, rtol=3e-6, atol=expected.allowance_volts
    )


def in_ngspice(netlist: Path) -> dict[str, float]:
    """Node voltages that ngspice prints in batch mode."""
    assert NGSPICE is not None
    done = subprocess.run(
        [NGSPICE, "-b", str(netlist)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "rror" not in done.stdout + done.stderr
    pairs = re.findall(r"^\t(\S+) +(\S+)$", done.stdout, re.MULTILINE)
    return {name: float(volts) for name, volts in pairs if re.fullmatch(r"n\d+", name)}
