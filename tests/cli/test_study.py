"""``hil study`` from the command line: start, kill, go on, look; and what is refused."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hil.cli.study import study_app
from hil.study.folder import StudyFolder, sorted_results

_RUN = "from hil.cli.study import study_app; study_app()"
_SMALL = (
    "mismatch --imperfection conductances --levels 0.1,0.5 --chips 3 --epochs 2 --workers 1"
).split()
_RESULTS = 3 + 3 * 2 * 2


def _study(*arguments: str) -> Result:
    return CliRunner().invoke(study_app, list(arguments))


def _kept(path: Path) -> str:
    return sorted_results(StudyFolder(path).results())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "finished"
    result = _study(*_SMALL, "--out", str(path))
    assert result.exit_code == 0, result.output
    return path


def test_what_a_study_leaves(finished: Path) -> None:
    assert len(StudyFolder(finished).results()) == _RESULTS
    with (finished / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["level"], row["chips"]) for row in rows] == [
        ("ideal", "0", "3"),
        ("in_situ", "0.1", "3"),
        ("transfer", "0.1", "3"),
        ("in_situ", "0.5", "3"),
        ("transfer", "0.5", "3"),
    ]
    assert all(0.0 <= float(row["mean_error_percent"]) <= 100.0 for row in rows)
    assert rows[1]["setting"] == "conductance_spread 0.1"
    assert (finished / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert StudyFolder(finished).study().experiment.threads == 1


def test_killed_studies_go_on(finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN, *_SMALL, "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("2/"):  # results, of all
                process.kill()
    before = len(StudyFolder(tmp_path).results())
    assert 2 <= before < _RESULTS
    result = _study(*_SMALL, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert f"{before} of them done before" in result.stderr
    assert _kept(tmp_path) == _kept(finished)


def test_ctrl_c_ends_with_130(finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN, *_SMALL, "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("2/"):
                process.terminate()
                break
        rest, shown = process.stderr.read(), process.stdout.read()
    assert process.returncode == 130, rest
    assert "the same command goes on" in shown
    before = _kept(tmp_path).splitlines()
    assert 2 <= len(before) < _RESULTS
    assert set(before) < set(_kept(finished).splitlines())


def test_show_draws_again(finished: Path) -> None:
    result = _study("show", str(finished), "--figure", "again.svg")
    assert result.exit_code == 0
    assert "conductances" in result.output
    assert "gain" in result.output
    assert "<svg" in (finished / "again.svg").read_text()


def test_digits_means_the_preset_for_studies(finished: Path) -> None:
    named = _study(*_SMALL, "--preset", "digits", "--out", str(finished))
    assert named.exit_code == 0, named.output
    assert f"{_RESULTS} results" not in named.stderr  # nothing was left to do


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--imperfection", "weather"], "there is no imperfection 'weather'"),
        (["--levels", "low"], "--levels takes numbers"),
        (["--levels", "0"], "--levels takes numbers above 0, got '0'; 0 is always included"),
        (["--levels", "0,0.1"], "--levels takes numbers above 0"),
        (["--levels", "nan"], "--levels takes numbers above 0"),
        (["--levels", "-0.1"], "--levels takes numbers above 0"),
        (["--levels", "0.1,0.1"], "levels of amplifiers must ascend"),
        (["--preset", "none"], "there is no preset 'none'"),
        (["--preset", "iris", "--config", "mine.toml"], "give only one of preset and file"),
        (["--set", "epochs=0"], "epochs: Input should be greater"),
        (["--chips", "2", "--trainings", "3"], "3 trainings for 2 chips"),
        (["--figure", "figure.bmp"], "the name must end in"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "a cluster brings its own"),
        (["--scheduler", "nowhere"], "--scheduler takes tcp://HOST:PORT"),
        (["--preset", "iris", "--imperfection", "amplifiers"], "no bidirectional amplifiers"),
    ],
)
def test_refusals(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = _study("mismatch", "--out", str(tmp_path / "new"), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("hil: ") == 1
    assert not (tmp_path / "new" / "results.jsonl").exists()


def test_another_study_is_refused(finished: Path) -> None:
    result = _study(*_SMALL, "--out", str(finished), "--seed", "5")
    assert result.exit_code == 2
    assert "experiment.seed: 0 there, 5 now" in result.stderr


def test_a_result_that_was_damaged_is_named(finished: Path, tmp_path: Path) -> None:
    lines = (finished / "results.jsonl").read_text().splitlines()
    (tmp_path / "study.toml").write_text((finished / "study.toml").read_text())
    record = json.loads(lines[1])
    del record["result"]["test_cost_volts2"]
    damaged = "\n".join([lines[0], json.dumps(record), *lines[2:]])
    (tmp_path / "results.jsonl").write_text(damaged + "\n")
    for command in (["show", str(tmp_path)], [*_SMALL, "--out", str(tmp_path)]):
        result = _study(*command)
        assert result.exit_code == 2, result.output
        assert "line 2 of" in result.stderr
        assert "lacks test_cost_volts2" in result.stderr
        assert result.stderr.count("hil: ") == 1


def test_show_without_a_study(tmp_path: Path) -> None:
    result = _study("show", str(tmp_path))
    assert result.exit_code == 2
    assert "holds no study" in result.stderr
