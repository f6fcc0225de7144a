"""``hil export-spice``: which network is written, what the file says, what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hil.spice_export
from hil.composition import Experiment, dump_toml, resolve
from hil.keeping import configuration_digest
from hil.networks import open_network
from hil.record import RunFolder
from hil.runs import load_run, train_run
from sim_backend.nodal.elements import Resistor, VoltageSource
from sim_backend.spice.reader import read_netlist
from tests.cli.exports import SAMPLE, SHARED, expect, export, hil_, refused
from tests.cli.stopping import StopAfter, Stopped
from tests.contract.wrappers import Bare

Array = NDArray[np.float64]


# --- which network -------------------------------------------------------------------------


def written_siemens(netlist: Path) -> Array:
    return np.array([e.siemens for e in read_netlist(netlist).circuit.elements
                     if isinstance(e, Resistor)])  # fmt: skip


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A run that died after its second epoch."""
    folder = tmp_path / "crashed"
    config = resolve("iris", overrides=SHARED | {"epochs": 6})
    with pytest.raises(Stopped):
        train_run(config, folder, listener=StopAfter(2))
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
