"""Settled node voltages against ngspice, an independent circuit simulator, where installed.

Thermal voltage: ngspice computes ``k T / q`` from constants of its own, which differ from the
exact SI ones in the sixth digit or so.  It prints them (``boltz`` and ``echarge``), so the
emission coefficient written to the netlist is the one that makes ``N k T / q`` equal on both
sides; both are at 27 degrees Celsius.

What is left of the difference: ngspice replaces the exponential of a diode that is reverse
biased by more than ``3 N k T / q`` by a cubic, which deviates by at most 0.5 % of the
saturation current (here 5 pA, or some 10 nV), and it puts ``gmin`` across each junction, which
the netlist lowers to 1e-20 S.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.substrate import Drive

Array = NDArray[np.float64]
NGSPICE = shutil.which("ngspice")
HERE = Path(__file__).parent
KELVIN = 300.15
EXACT_K_OVER_Q = 1.380649e-23 / 1.602176634e-19

pytestmark = pytest.mark.skipif(NGSPICE is None, reason="needs the package ngspice")

CASES: dict[str, dict[str, Any]] = {
    "no hidden layer": {"hidden": (), "neurons": "linear", "biased": (True,)},
    "linear with amplifiers": {"hidden": (3, 2), "neurons": "linear", "gains": (2.0, 0.3)},
    "one hidden layer": {"hidden": (5,)},
    "asymmetric pairs": {"hidden": (4,), "sources": (-0.3, 0.05), "biased": (True, True)},
    "amplifiers": {"hidden": (4,), "gains": (4.0, 0.25)},
    "deep": {"hidden": (4, 3, 3), "gains": (3.0, 0.5), "biased": (True, False, True, True)},
}


def run(netlist: str, folder: Path) -> dict[str, float]:
    """Everything the control section prints, by lower-case name."""
    path = folder / "circuit.cir"
    path.write_text(netlist)
    assert NGSPICE is not None
    done = subprocess.run(
        [NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = re.findall(r"^(\S+) = (\S+)$", done.stdout, re.MULTILINE)
    return {name.lower(): float(value) for name, value in pairs}


@pytest.fixture(scope="session")
def spice_k_over_q(tmp_path_factory: pytest.TempPathFactory) -> float:
    lines = [
        "constants", "V1 1 0 1", "R1 1 0 1", ".control", "set numdgt=15", "op",
        "print boltz echarge", "quit", ".endc", ".end",
    ]  # fmt: skip
    constants = run("\n".join(lines) + "\n", tmp_path_factory.mktemp("constants"))
    return constants["boltz"] / constants["echarge"]


def netlist(built: Any, inputs: Array, nudge: Array, k_over_q: float) -> str:
    """One example as a SPICE netlist; node ``n`` of the topology is called ``n<n>``."""
    topology, config = built.topology, built.config
    g = built.substrate.read_conductance()
    lines = ["layered network"]
    lines += [f"Vin{n} n{n} 0 {v:.17g}" for n, v in zip(topology.inputs, inputs, strict=True)]
    ends = zip(topology.tails, topology.heads, g, strict=True)
    lines += [f"R{i} n{a} n{b} {1.0 / s:.17g}" for i, (a, b, s) in enumerate(ends)]
    # A current source drives its current out of its second node.
    lines += [f"Iout{n} 0 n{n} {i:.17g}" for n, i in zip(topology.outputs, nudge, strict=True)]
    if config.neurons.kind == "shockley_pairs":
        pair = config.neurons
        lines += [f"Vup up 0 {pair.upper_volts:.17g}", f"Vlow low 0 {pair.lower_volts:.17g}"]
        emission = pair.ideality * pair.temperature_kelvin * EXACT_K_OVER_Q / (KELVIN * k_over_q)
        lines.append(f".model pair D(IS={pair.saturation_amps:.17g} N={emission:.17g} RS=0)")
        for group in topology.groups[:-1]:
            lines += [f"Dup{n} n{n} up pair" for n in group.heads]
            lines += [f"Dlow{n} low n{n} pair" for n in group.heads]
    if config.amplifiers is not None:
        for index, group in enumerate(topology.groups[:-1]):
            behind = topology.groups[index + 1].tails[: group.heads.size]
            for near, far in zip(group.heads, behind, strict=True):
                # The 0 V source measures what the amplifier delivers to the next crossbar.
                lines.append(f"E{near} e{near} 0 n{near} 0 {config.amplifiers.forward_gain:.17g}")
                lines.append(f"Vs{near} e{near} n{far} 0")
                lines.append(f"F{near} n{near} 0 Vs{near} {config.amplifiers.backward_gain:.17g}")
    nodes = " ".join(f"v(n{n})" for n in range(topology.n_nodes))
    return "\n".join(
        [
            *lines,
            ".options reltol=1e-10 vntol=1e-12 abstol=1e-16 gmin=1e-20 temp=27 tnom=27 itl1=1000",
            ".control",
            "set numdgt=15",
            "op",
            "print boltz echarge",
            f"print {nodes}",
            "quit",
            ".endc",
            ".end",
            "",
        ]
    )


@pytest.mark.parametrize("case", CASES)
def test_layered_networks_agree_with_ngspice(
    build: Callable[..., Any], case: str, tmp_path: Path, spice_k_over_q: float
) -> None:
    options = dict(CASES[case])
    low, high = options.pop("sources", (-0.15, 0.15))
    pairs = {"kind": "shockley_pairs", "lower_volts": low, "upper_volts": high}
    built = build(**{"neurons": pairs, "n_signals": 3, "n_outputs": 2, "seed": 7} | options)
    rng = np.random.default_rng(11)
    inputs = rng.uniform(-1.0, 1.0, (3, built.topology.inputs.size))
    nudges = np.array([[0.0, 0.0], [2e-4, -1e-4], [-5e-4, 3e-4]])
    settled = built.substrate.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    for b in range(3):
        printed = run(netlist(built, inputs[b], nudges[b], spice_k_over_q), tmp_path)
        spice = [printed[f"v(n{n})"] for n in range(built.topology.n_nodes)]
        np.testing.assert_allclose(settled.node_volts[b], spice, rtol=1e-6, atol=1e-6)


def test_the_stored_output_is_what_ngspice_says(tmp_path: Path) -> None:
    again = run((HERE / "layered.cir").read_text(), tmp_path)
    pairs = re.findall(r"^(\S+) = (\S+)$", (HERE / "layered.out").read_text(), re.MULTILINE)
    assert len(pairs) > 20
    for name, value in pairs:
        if name not in ("boltz", "echarge"):  # which differ between versions
            assert again[name] == pytest.approx(float(value), rel=1e-5, abs=1e-6)
