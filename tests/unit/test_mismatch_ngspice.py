"""A stack with mismatch, exported as a netlist, against ngspice."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hil.substrate import Drive
from sim_backend.mismatch.layered import draw_layers, mismatched_layers
from sim_backend.spice.writer import write_netlist
from tests.unit.mismatch_networks import everything, nominal, substrate

NGSPICE = shutil.which("ngspice")


@pytest.mark.skipif(NGSPICE is None, reason="needs the package ngspice")
@pytest.mark.parametrize("hidden", [(4,), (3, 2)])
def test_everything_at_once(hidden: tuple[int, ...], tmp_path: Path) -> None:
    circuit = nominal(hidden, "shockley_pairs")
    drawn = draw_layers(everything("shockley_pairs", True), circuit, True, np.random.default_rng(0))
    network = substrate(mismatched_layers(circuit, drawn))
    inputs, nudge = np.array([0.3, -0.5, 0.8]), np.array([1e-4, -1e-4])
    path = tmp_path / "circuit.cir"
    path.write_text(write_netlist(network.circuit(inputs, nudge)))
    assert NGSPICE is not None
    done = subprocess.run(
        [NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    printed = dict(re.findall(r"^\s+(n\d+)\s+(\S+)\s*$", done.stdout, re.MULTILINE))
    theirs = [float(printed[name]) for name in network.node_names()]
    ours = network.settle(Drive(inputs[None], nudge[None])).node_volts[0]
    # Six digits are printed, and ngspice bends the law of diodes in reverse by 0.5 % of Is.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    plain = substrate(circuit).settle(Drive(inputs[None], nudge[None])).node_volts[0]
    assert np.abs(plain - ours).max() > 0.01
