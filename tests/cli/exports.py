"""Trained networks and their exports, for the tests of ``hil export-spice``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from hil.cli.main import app
from hil.runs import load_run
from hil.scheduler import output_volts
from hil.substrate import Drive
from sim_backend.drawing import DrawsCircuit
from sim_backend.spice.parts import IDEAL_SATURATION_AMPS, IDEAL_THERMAL_VOLTS

Array = NDArray[np.float64]
SAMPLE = 3

SHARED = {"threads": 1, "epochs": 2, "precision": "float64", "substrate.g_min_siemens": 1e-6}
AMPLIFIED_PAIRS = {
    "substrate.neurons": {
        "kind": "shockley_pairs",
        "saturation_amps": 1e-7,
        "lower_volts": -0.1,
        "upper_volts": 0.05,
    },
    "substrate.amplifiers": {"forward_gain": 4.0, "backward_gain": 0.25},
    "cost.paired": True,
    "encoding.input_volts": 2.0,
}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "ideal diodes": ("iris", {}),
    "two layers, cross-entropy": (
        "digits",
        {
            "cost": {"kind": "cross_entropy", "softmax_volts": 0.02},
            "substrate.hidden": [12, 8],
            "encoding.bias_volts": [0.5, 0.0, 0.5],
            "rule.rates": [4e-5],
            "epochs": 1,
        },
    ),
    "amplified pairs, paired outputs": ("xor", AMPLIFIED_PAIRS),
    "float32": ("iris", AMPLIFIED_PAIRS | {"precision": "float32"}),
}


def hil_(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def refused(*args: str, words: tuple[str, ...]) -> None:
    result = hil_("export-spice", *args)
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr


@dataclass
class Expected:
    """What the layered substrate says of one phase."""

    node_volts: Array
    nudge_amps: Array | None
    names: tuple[str, ...]
    allowance_volts: float


def nudge_volts(run: str, outputs: Array, target: int) -> Array:
    """``-dC/dV`` of one example by the formulas of the costs."""
    if "entropy" in run:
        e = np.exp((outputs - outputs.max()) / 0.02)
        return -0.02 * (e / e.sum() - (np.arange(outputs.size) == target))
    if RUNS[run][1].get("cost.paired"):
        half = outputs.size // 2
        level = {"xor": 0.05, "iris": 0.1}[RUNS[run][0]]
        wanted = np.where(np.arange(half) == target, level, 0.0)
        error = outputs[:half] - outputs[half:] - wanted
        return np.concatenate([-error, error])
    wanted = np.where(np.arange(outputs.size) == target, 0.1, 0.0)
    return wanted - outputs


def expect(folder: Path, run: str, phase: str) -> Expected:
    with load_run(folder) as experiment:
        substrate, data = experiment.substrate, experiment.dataset
        volts = experiment.trainer.inputs.encode(data.test_inputs[SAMPLE : SAMPLE + 1])
        free = substrate.settle(Drive(volts))
        nudge = None
        if phase != "free":
            beta = experiment.config.estimator.beta_siemens * (1.0 if phase == "plus" else -1.0)
            outputs = output_volts(substrate, free)[0]
            nudge = beta * nudge_volts(run, outputs, int(data.test_targets[SAMPLE]))
            nudge = nudge.astype(volts.dtype)
        settled = substrate.settle(Drive(volts, None if nudge is None else nudge[None]))
        assert settled.ok.all()
        assert isinstance(substrate, DrawsCircuit)
        names = substrate.node_names()
        allowed = allowance(experiment, settled.node_volts[0].astype(float))
        return Expected(settled.node_volts[0].astype(float), nudge, names, allowed)


def allowance(experiment: Any, volts: Array) -> float:
    """See the top of ``test_export_spice``."""
    if experiment.config.substrate.neurons.kind != "ideal_diodes":
        # float32 states settle to 1e-6 of the voltages a layer would take without diodes.
        largest = max(1.0, float(np.abs(volts).max()))
        return (1e-6 if experiment.config.precision == "float64" else 2e-6) * largest
    topology = experiment.substrate.spec.topology
    g = experiment.substrate.read_conductance()
    through = g * (volts[topology.tails] - volts[topology.heads])
    arriving = np.bincount(topology.heads, through, volts.size)
    arriving -= np.bincount(topology.tails, through, volts.size)
    diodes = np.abs(arriving[topology.hidden])
    assert diodes.max() > 1e-8  # some do conduct
    drop = IDEAL_THERMAL_VOLTS * math.log1p(diodes.max() / IDEAL_SATURATION_AMPS)
    assert drop < 1e-4
    leaks = topology.hidden.size * IDEAL_SATURATION_AMPS / 1e-6
    return drop + leaks + 1e-9


def export(folder: Path, phase: str, target: Path) -> str:
    result = hil_("export-spice", str(folder), str(target), "--sample", str(SAMPLE),
                  "--phase", phase)  # fmt: skip
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert phase == "free" or "nudged" in result.stdout
    return target.read_text()
