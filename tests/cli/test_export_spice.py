"""``hil export-spice``: the netlist of a trained network settles where the network does.

How close depends on the diodes.  Shockley pairs are written as they are; what differs is SPICE's
cubic in reverse (0.5 % of Is) and, in ngspice, the constants.  Ideal diodes are written as steep
ones that drop ``U ln(1 + I / Is)`` where they conduct and leak ``Is`` where they do not.  In a
network of resistors no node moves by more than the largest of these drops, plus what the leaks
move: each node is fed by more than 1e-6 S.  :func:`allowance` works the sum out from the settled
network.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import hil.spice_export
from hil.cli.main import app
from hil.composition import Experiment, dump_toml, resolve
from hil.networks import configuration_digest, open_network
from hil.record import RunFolder
from hil.runs import load_run, train_run
from hil.scheduler import output_volts
from hil.substrate import Drive
from hil.training import Progress
from sim_backend.nodal.elements import CurrentSource, Resistor, VoltageSource
from sim_backend.nodal.solver import Solver
from sim_backend.spice.parts import IDEAL_SATURATION_AMPS, IDEAL_THERMAL_VOLTS
from sim_backend.spice.reader import read_netlist
from tests.contract.wrappers import Bare

Array = NDArray[np.float64]
NGSPICE = shutil.which("ngspice")
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


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder of each of :data:`RUNS`."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for number, (name, (preset, changes)) in enumerate(RUNS.items()):
        made[name] = folder / str(number)
        train_run(resolve(preset, overrides=SHARED | changes), made[name])
    return made


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
        names = substrate.node_names()  # type: ignore[attr-defined]
        allowed = allowance(experiment, settled.node_volts[0].astype(float))
        return Expected(settled.node_volts[0].astype(float), nudge, names, allowed)


def allowance(experiment: Any, volts: Array) -> float:
    """See the top of this file."""
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


# --- which network -------------------------------------------------------------------------


def written_siemens(netlist: Path) -> Array:
    return np.array([e.siemens for e in read_netlist(netlist).circuit.elements
                     if isinstance(e, Resistor)])  # fmt: skip


class _Stopped(Exception):
    pass


class _StopAfter:
    """A listener that breaks a run off as a crash would."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def started(self, experiment: object, resumed_epoch: int) -> None:
        pass

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        if progress.epoch > self.epochs:
            raise _Stopped

    def evaluating(self) -> None:
        pass


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A run that died after its second epoch."""
    folder = tmp_path / "crashed"
    config = resolve("iris", overrides=SHARED | {"epochs": 6})
    with pytest.raises(_Stopped):
        train_run(config, folder, listener=_StopAfter(2))
    return folder


def test_an_interrupted_run_gives_its_checkpoint(crashed: Path, tmp_path: Path) -> None:
    checkpoint = RunFolder(crashed).read_checkpoint()
    assert checkpoint is not None
    start = RunFolder(crashed).read_array("initial/conductance_siemens")
    export(crashed, "free", tmp_path / "out.cir")
    siemens = written_siemens(tmp_path / "out.cir")
    np.testing.assert_allclose(siemens, checkpoint.arrays["conductance_siemens"], rtol=1e-15)
    assert np.abs(siemens - start).max() > 1e-6
    assert (crashed / "checkpoint.h5").exists()


def test_a_finished_run_gives_its_last_conductances(runs: dict[str, Path], tmp_path: Path) -> None:
    export(runs["ideal diodes"], "free", tmp_path / "out.cir")
    final = RunFolder(runs["ideal diodes"]).read_array("final/conductance_siemens")
    np.testing.assert_allclose(written_siemens(tmp_path / "out.cir"), final, rtol=1e-15)


def test_configurations_and_presets_give_their_start(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs["ideal diodes"]
    start = RunFolder(run).read_array("initial/conductance_siemens")
    by_file = export(run / "config.toml", "plus", tmp_path / "file.cir")
    np.testing.assert_allclose(written_siemens(tmp_path / "file.cir"), start, rtol=1e-15)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris").mkdir()  # not a run, so that the word means the preset
    by_name = export(Path("iris"), "plus", tmp_path / "name.cir")
    assert by_file.splitlines()[0] == by_name.splitlines()[0]
    assert by_file != by_name  # its window begins lower


def test_changed_and_damaged_runs_are_refused(crashed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.cir"
    config = crashed / "config.toml"
    kept = config.read_text()
    config.write_text(kept.replace("batch_size = 4", "batch_size = 100"))
    refused(str(crashed), str(out), words=("config.toml was changed",))
    config.unlink()
    refused(str(crashed), str(out), words=("not a run folder",))
    config.write_text(kept)
    folder = RunFolder(crashed)
    checkpoint = folder.read_checkpoint()
    assert checkpoint is not None
    checkpoint.arrays["conductance_siemens"] = np.zeros(3)
    folder.write_checkpoint(checkpoint)
    refused(str(crashed), str(out), words=("damaged",))
    (crashed / "checkpoint.h5").write_bytes(b"garbage")
    refused(str(crashed), str(out), words=("checkpoint.h5",))
    (crashed / "checkpoint.h5").unlink()
    refused(str(crashed), str(out), words=("has not finished", "--resume"))
    assert not out.exists()


# --- the file ------------------------------------------------------------------------------


def test_comments_say_what_it_is(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["amplified pairs, paired outputs"]
    lines = export(run, "minus", tmp_path / "out.cir").splitlines()
    comments = [line for line in lines if line.startswith("*")]
    assert comments == lines[: len(comments)]
    said = "\n".join(comments)
    assert "xor, test example 3" in comments[0]
    with load_run(run) as experiment:
        beta = experiment.config.estimator.beta_siemens
        assert configuration_digest(experiment.config) in said
        assert experiment.config.description in said
    assert f"beta = -{beta!r} S" in said
    # Two inputs and their negatives, two bias lines; neurons and their amplifiers; two pairs.
    assert "* Inputs (6): n0..n5\n" in said
    assert "* Hidden (32): n6..n37\n" in said
    assert "* Outputs (4): n38..n41\n" in said
    assert "* Crossbar 1 (64 devices): n22..n37 by n38..n41" in said
    assert all(len(line) <= 100 and line.isascii() for line in comments)


def test_inputs_are_those_of_the_sample(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["ideal diodes"]
    export(run, "free", tmp_path / "out.cir")
    with load_run(run) as experiment:
        encode, inputs = experiment.trainer.inputs.encode, experiment.dataset.test_inputs
        wanted = encode(inputs[SAMPLE : SAMPLE + 1])[0]
    elements = read_netlist(tmp_path / "out.cir").circuit.elements
    given = {e.name: e.volts for e in elements if isinstance(e, VoltageSource)}
    assert [given[f"vin{k}"] for k in range(wanted.size)] == list(wanted)


def test_names_are_listed_in_short() -> None:
    names = ["n0", "n1", "n2", "n4", "5", "6", "0", "mid", "a01", "a02", "b9", "c10"]
    short = hil.spice_export._compact(names, np.arange(len(names)))
    assert short == "n0..n2 n4 5..6 0 mid a01..a02 b9 c10"
    assert hil.spice_export._compact(names, np.array([2, 1, 0])) == "n2 n1 n0"


def test_no_description_disturbs_the_netlist(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(
        dump_toml(resolve("xor", overrides={"description": "Stra\u00dfe " * 20 + "\\"}))
    )
    text = export(path, "free", tmp_path / "out.cir")
    assert text.isascii()
    assert "\\" not in text
    assert len(read_netlist(tmp_path / "out.cir").circuit.elements) > 100


def test_hil_solve_takes_it(runs: dict[str, Path], tmp_path: Path) -> None:
    export(runs["ideal diodes"], "plus", tmp_path / "out.cir")
    solved = hil_("solve", str(tmp_path / "out.cir"), "--json")
    assert solved.exit_code == 0, solved.stderr
    expected = expect(runs["ideal diodes"], "ideal diodes", "plus")
    nodes = json.loads(solved.stdout)["nodes"]
    for name, volts in zip(expected.names, expected.node_volts, strict=True):
        assert nodes[name] == pytest.approx(volts, abs=expected.allowance_volts)


def test_an_old_file_is_replaced_whole_or_not_at_all(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.cir"
    target.write_text("old")

    def full(source: object, target: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        refused(str(runs["ideal diodes"]), str(target), words=("No space left", "out.cir"))
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.cir"]
    export(runs["ideal diodes"], "free", target)
    assert target.read_text() != "old"


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("nonesuch", [], ("nonesuch", "hil presets")),
        ("iris", ["--sample", "30"], ("example 30", "0 to 29")),
        ("iris", ["--sample", "-1"], ("example -1",)),
        ("iris", ["--phase", "sideways"], ("sideways",)),
        ("broken.toml", [], ("broken.toml", "TOML")),
        (".", [], ("not a run folder",)),
    ],
)
def test_what_cannot_be_exported_is_one_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: list[str],
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("epochs = = 3")
    refused(source, "out.cir", *options, words=words)
    assert not (tmp_path / "out.cir").exists()


def test_files_of_other_kinds_and_places_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("kept")
    refused("iris", str(config), words=(".cir",))
    assert config.read_text() == "kept"
    refused("iris", str(tmp_path / "absent" / "out.cir"), words=("cannot write", "out.cir"))


def test_missing_data_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_DATA", "")
    out = str(tmp_path / "out.cir")
    refused("mnist-100", out, words=("--data", "HIL_DATA"))
    refused("mnist-100", out, "--data", str(tmp_path), words=("train-images",))


def test_a_nudge_needs_a_settled_free_state(tmp_path: Path) -> None:
    path = tmp_path / "hasty.toml"
    changes = {"substrate.max_iterations": 1, "substrate.hidden": [4, 4], "rule.rates": [1e-5],
               "encoding.bias_volts": [0.5]}  # fmt: skip
    path.write_text(dump_toml(resolve("iris", overrides=changes)))
    out = str(tmp_path / "out.cir")
    refused(str(path), out, "--phase", "plus", words=("does not settle", "max_iterations"))
    assert hil_("export-spice", str(path), out).exit_code == 0


def test_a_substrate_that_cannot_draw_itself_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(source: str, data_directory: Path | None) -> Experiment:
        experiment = open_network(source, data_directory)
        experiment.substrate = Bare(experiment.substrate)
        return experiment

    monkeypatch.setattr(hil.spice_export, "open_network", measured)
    refused("iris", str(tmp_path / "out.cir"), words=("cannot draw itself", "layered"))
