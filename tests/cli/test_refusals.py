"""What cannot work is refused: one clear message, exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from hil.cli.main import app
from hil.composition import resolve
from hil.errors import RunFolderError
from hil.record import RunFolder
from hil.runs import train_run
from hil.training import Progress
from tests.cli.stopping import StopAfter, Stopped

SMALL = ["--preset", "iris", "--set", "threads=1"]


def hil(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def refused(*args: str, words: tuple[str, ...] | list[str] = ()) -> str:
    result = hil(*args)
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "kept"
    train_run(resolve("iris", overrides={"threads": 1, "epochs": 3}), folder)
    return folder


@pytest.fixture
def finished(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "finished"))


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    folder = tmp_path / "crashed"
    config = resolve("iris", overrides={"threads": 1, "epochs": 6})
    with pytest.raises(Stopped):
        train_run(config, folder, listener=StopAfter(2))
    assert (folder / "checkpoint.h5").exists()
    return folder


CASES: list[tuple[list[str], list[str]]] = [
    (["--preset", "nonesuch"], ["nonesuch", "digits"]),
    (["--config", "absent.toml"], ["absent.toml"]),
    (["--config", "broken.toml"], ["TOML"]),
    (["--config", "deep.toml"], ["TOML"]),
    (["--set", "substrate.hiden=[3]"], ["substrate", "hiden", "no such key"]),
    (["--set", "data.kind=xor", "--set", "data.path=x"], ["  data.path: there is no such key"]),
    (
        ["--set", "substrate.neurons.kind=shockley_pairs"],
        ["  substrate.neurons.lower_volts: Field required"],
    ),
    (["--set", "epochs=0"], ["epochs"]),
    (["--set", "epochs=true"], ["epochs", "number"]),
    (["--set", "substrate.hidden=[true]"], ["hidden", "number"]),
    (["--set", "nonsense"], ["key=value"]),
    (["--set", "epochs=" + "[" * 100_000], ["epochs"]),
    (["--set", "epochs=2\nseed=3"], ["printed"]),
    (["--set", "substrate.hidden=[0]"], ["hidden"]),
    (["--set", "substrate.g_min_siemens=2"], ["g_min_siemens"]),
    (["--set", "rule.rates=[1e-6,1e-6,1e-6]"], ["rates", "2"]),
    (["--set", "estimator.beta_siemens=-1"], ["beta_siemens"]),
    (["--set", "rule.rates=[1e300]"], ["rates", "1e+300"]),
    (["--set", "schedule={kind='exponential',decay=1e300}"], ["decay"]),
    (["--set", "substrate.hidden=[99999999999999999999]"], ["hidden"]),
    (
        ["--set", "substrate.hidden=[10000000,10000000]", "--set", "encoding.bias_volts=[0]",
         "--set", "rule.rates=[1e-5]"],
        ["devices", "memory"],
    ),
    (["--set", "substrate.amplifiers={forward_gain=1e300}"], ["forward_gain"]),
    (["--set", "description=\x1b[31m"], ["printed"]),
    (["--preset", "digits", "--config", "broken.toml"], ["only one"]),
    (["--out", "file"], ["is a file"]),
    (["--out", "file/run"], ["cannot write"]),
    (["--out", "x" * 300], ["cannot write"]),
    (["--set", "data.kind=file", "--set", "data.path=absent.csv"], ["absent.csv"]),
]  # fmt: skip


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("epochs = = 3")
    (tmp_path / "deep.toml").write_text("epochs = " + "[" * 100_000)
    (tmp_path / "file").write_text("")
    return tmp_path


@pytest.mark.parametrize(("options", "words"), CASES, ids=lambda v: str(v)[:40])
def test_bad_configurations_are_refused(
    workplace: Path, options: list[str], words: list[str]
) -> None:
    before = sorted(p.name for p in workplace.iterdir())
    refused("train", *options, words=words)
    assert sorted(p.name for p in workplace.iterdir()) == before


def test_a_refused_command_leaves_its_folder_to_the_corrected_one(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    refused("train", "--set", "data.kind=file", "--set", "data.path=absent.csv", "--out", out)
    assert not Path(out).exists()
    assert hil("train", *SMALL, "--epochs", "1", "--out", out).exit_code == 0


def test_decimals_without_a_leading_digit(tmp_path: Path) -> None:
    shown = hil("config", "show", "--set", "encoding.input_volts=.25")
    assert "input_volts = 0.25" in shown.stdout


def test_missing_mnist_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_DATA", "")
    refused("train", "--preset", "mnist-100", words=["--data", "HIL_DATA"])
    refused("train", "--preset", "mnist-100", "--data", str(tmp_path), words=["train-images"])


def test_evaluate_and_export_refuse_what_is_no_run(tmp_path: Path) -> None:
    refused("evaluate", str(tmp_path), words=["not a run folder"])
    refused("export", str(tmp_path), str(tmp_path / "x.csv"), words=["not a run folder"])
    refused("export", str(tmp_path), str(tmp_path / "x.txt"), words=[".csv or .npz"])


def test_resume_changes_the_options_of_the_run_itself(finished: Path) -> None:
    again = hil("train", "--resume", "--out", str(finished), "--seed", "0")
    assert again.exit_code == 0
    assert "nothing to do" in again.stdout
    said = refused("train", "--resume", "--out", str(finished), "--seed", "7", words=["seed"])
    assert "batch_size" not in said  # the rest is the run's own, not the default experiment's


def test_nothing_to_resume_is_no_reason_to_begin_another_run(tmp_path: Path) -> None:
    words = ["there is no run to go on with", "--preset"]
    refused("train", "--resume", "--out", str(tmp_path / "run"), words=words)
    named = (
        "train",
        "--preset",
        "xor",
        "--epochs",
        "1",
        "--resume",
        "--out",
        str(tmp_path / "run"),
    )
    assert hil(*named).exit_code == 0


def test_only_one_process_trains_into_a_folder(crashed: Path) -> None:
    with filelock.FileLock(crashed / ".lock"):
        refused("train", "--resume", "--out", str(crashed), words=["another process"])
    assert hil("train", "--resume", "--out", str(crashed)).exit_code == 0


def test_damaged_files_of_a_finished_run_are_named(finished: Path) -> None:
    arrays, summary = finished / "arrays.h5", finished / "summary.json"
    whole = arrays.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"garbage" * 100):
        arrays.write_bytes(broken)
        refused("train", "--resume", "--out", str(finished), words=["arrays.h5"])
        refused("evaluate", str(finished), words=["arrays.h5"])
    arrays.unlink()
    refused("train", "--resume", "--out", str(finished), words=["arrays.h5"])
    for broken_text in ("[1, 2]", "3", "{", "[" * 100_000):
        summary.write_text(broken_text)
        refused("train", "--resume", "--out", str(finished), words=["summary.json"])


def test_edited_configuration_is_refused_by_name(finished: Path) -> None:
    config = finished / "config.toml"
    text = config.read_text()
    config.write_text(text.replace("epochs = 3", "epochs = 0"))
    refused("evaluate", str(finished), words=[str(config), "epochs"])
    lines = text.replace("hidden = [\n    10,\n]", "hidden = [\n    11,\n]")
    assert lines != text
    config.write_text(lines)
    refused("evaluate", str(finished), words=["do not fit"])


def test_edited_configuration_and_damaged_checkpoint_are_refused(crashed: Path) -> None:
    kept = (crashed / "config.toml").read_text()
    (crashed / "config.toml").write_text(kept.replace("batch_size = 4", "batch_size = 100"))
    refused("train", "--resume", "--out", str(crashed), words=["config.toml was changed"])
    (crashed / "config.toml").write_text(kept)
    (crashed / "checkpoint.h5").write_bytes(b"garbage")
    refused("train", "--resume", "--out", str(crashed), words=["checkpoint.h5"])


def test_a_resumed_run_makes_lost_arrays_again(crashed: Path, tmp_path: Path) -> None:
    (crashed / "arrays.h5").write_bytes(b"garbage")
    assert hil("train", "--resume", "--out", str(crashed)).exit_code == 0
    whole = tmp_path / "whole"
    config = resolve("iris", overrides={"threads": 1, "epochs": 6})
    train_run(config, whole)
    for name in ("initial", "final"):
        key = f"{name}/conductance_siemens"
        with h5py.File(crashed / "arrays.h5") as one, h5py.File(whole / "arrays.h5") as other:
            np.testing.assert_array_equal(one[key][()], other[key][()])


def test_a_torn_event_line_does_not_swallow_the_next_one(crashed: Path) -> None:
    log = crashed / "events.jsonl"
    log.write_bytes(log.read_bytes() + b'{"event": "epo')
    RunFolder(crashed).event("resume", epoch=2)
    lines = log.read_text().splitlines()
    assert lines[-2] == '{"event": "epo'
    assert json.loads(lines[-1])["event"] == "resume"


def test_what_is_no_run_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"mine": 1}')
    refused("train", *SMALL, "--resume", "--out", str(tmp_path), words=["no run folder"])
    assert json.loads((tmp_path / "summary.json").read_text()) == {"mine": 1}


def test_a_full_disk_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    out = str(tmp_path / "run")
    monkeypatch.setattr(os, "fsync", full)
    refused("train", *SMALL, "--epochs", "1", "--out", out, words=["No space left", "--resume"])


def test_a_vanished_folder_is_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    class Vanish(StopAfter):
        def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
            shutil.rmtree(folder, ignore_errors=True)

    config = resolve("iris", overrides={"threads": 1, "epochs": 2})
    with pytest.raises(RunFolderError, match="cannot write"):
        train_run(config, folder, listener=Vanish(0))


def test_undefined_errors_are_null_in_json(tmp_path: Path) -> None:
    table = tmp_path / "flat.csv"
    table.write_text("a,b\n" + "".join(f"{i}.5,1.25\n" for i in range(20)))
    config = resolve(
        "iris",
        overrides={"threads": 1, "epochs": 1, "data.kind": "file", "data.path": str(table)},
    )
    result = train_run(config, tmp_path / "run")
    assert result.summary["test_error_percent"] is None
    text = (tmp_path / "run" / "summary.json").read_text()
    assert "Infinity" not in text
    assert "NaN" not in text
    shown = hil("evaluate", str(tmp_path / "run"))
    assert shown.exit_code == 0
    assert "do not vary" in shown.stdout


@pytest.mark.parametrize(
    ("field", "value"),
    [("epoch", 1.5), ("batch", "x"), ("examples", None), ("phases_state", "zz"),
     ("phases_state", "[]"), ("seconds", float("nan"))],
)  # fmt: skip
def test_an_edited_checkpoint_is_refused(crashed: Path, field: str, value: object) -> None:
    with h5py.File(crashed / "checkpoint.h5", "r+") as file:
        values = json.loads(file.attrs["values"])
        values["place"][field] = value
        file.attrs["values"] = json.dumps(values)
    refused("train", "--resume", "--out", str(crashed), words=["checkpoint", "start anew"])


@pytest.mark.parametrize("text", ['{"status": "finished"}', "x"])
def test_a_summary_without_its_figures_is_refused(finished: Path, text: str) -> None:
    (finished / "summary.json").write_text(text)
    refused("train", "--resume", "--out", str(finished), words=["summary.json"])


def test_a_failed_checkpoint_leaves_the_old_one(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (crashed / "checkpoint.h5").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    folder = RunFolder(crashed)
    checkpoint = folder.read_checkpoint()
    assert checkpoint is not None
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="No space left"):
        folder.write_checkpoint(checkpoint)
    assert (crashed / "checkpoint.h5").read_bytes() == before
    assert not list(crashed.glob(".*.new"))


def test_export_replaces_whole_or_not_at_all(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "g.csv"
    assert hil("export", str(finished), str(target)).exit_code == 0
    before = target.read_bytes()
    with h5py.File(finished / "arrays.h5", "r+") as file:
        del file["final/write_counts"]
        file["final/write_counts"] = np.zeros(3, np.int64)
    refused("export", str(finished), str(target), words=["do not fit"])
    assert target.read_bytes() == before


def test_an_unknown_user_is_refused() -> None:
    options = ["--set", "data.kind=file", "--set", "data.path=~nosuchuser/x.csv"]
    refused("train", "--preset", "xor", *options, words=["~nosuchuser"])
