"""``hil chip`` and ``hil train --chip``: simulated chips are kept, compared and trained again."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hil.chips import chip_experiment
from hil.cli.main import app
from hil.composition import build, resolve
from hil.errors import ConfigurationError
from hil.runs import load_run, train_run
from hil.wires import wire_bias
from sim_backend.lot import digest

IMPERFECT = {
    "epochs": 2,
    "substrate.mismatch.conductance_spread": 0.2,
    "substrate.mismatch.diode_offset_volts": 0.01,
    "substrate.board.hold.offset_volts": 1e-4,
    "substrate.board.hold.noise_volts": 1e-5,
}
SETS = [f"--set={key}={value}" for key, value in IMPERFECT.items()]


def hil(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def new(path: Path, *more: str) -> None:
    result = hil("chip", "new", str(path), "--preset", "iris", *SETS, *more)
    assert result.exit_code == 0, result.output


@pytest.fixture
def chip(tmp_path: Path) -> Path:
    new(tmp_path / "chip.h5")
    return tmp_path / "chip.h5"


def test_a_chip_holds_what_every_part_got(chip: Path) -> None:
    shown = hil("chip", "show", str(chip)).output
    for name in ("conductance/", "mismatch/diode_offset_volts", "board/hold_offset_volts"):
        assert name in shown
    with h5py.File(chip) as file:
        offsets = file["drawn/board/hold_offset_volts"][()]
    # 68 % lie within one rms; of some 50 holds, all but never fewer than a third.
    assert 0.33 < np.mean(np.abs(offsets) < 1e-4) < 0.95


def test_a_chip_is_that_of_its_seed_and_no_other(chip: Path, tmp_path: Path) -> None:
    new(tmp_path / "again.h5")
    new(tmp_path / "other.h5", "--set=substrate.chip_seed=7")
    again = hil("chip", "show", str(chip), str(tmp_path / "again.h5")).output
    assert "equal" in again
    assert "differ" not in again
    assert "differ, by" in hil("chip", "show", str(chip), str(tmp_path / "other.h5")).output


def test_one_imperfection_more_leaves_the_others_as_they_were(chip: Path, tmp_path: Path) -> None:
    new(tmp_path / "more.h5", "--set=substrate.board.comparator.offset_volts=1e-3")
    lines = hil("chip", "show", str(chip), str(tmp_path / "more.h5")).output.splitlines()
    differing = [line.split()[0] for line in lines if not line.endswith("equal")]
    assert differing == ["board/comparator_offset_volts"]


def test_training_a_kept_chip_is_training_that_chip(chip: Path, tmp_path: Path) -> None:
    kept, drawn = tmp_path / "kept", tmp_path / "drawn"
    assert hil("train", "--chip", str(chip), "--out", str(kept)).exit_code == 0
    train_run(resolve("iris", overrides=IMPERFECT), drawn)
    with h5py.File(kept / "arrays.h5") as a, h5py.File(drawn / "arrays.h5") as b:
        assert np.array_equal(a["final/conductance_siemens"], b["final/conductance_siemens"])
        assert set(a["chip"]) == set(b["chip"]) == {"board", "conductance", "mismatch"}


def test_what_is_kept_outweighs_the_seed(chip: Path, tmp_path: Path) -> None:
    with h5py.File(chip, "a") as file:
        name = next(iter(file["drawn/conductance"]))
        file[f"drawn/conductance/{name}"][...] *= 1.25
    damaged = hil("train", "--chip", str(chip))
    assert damaged.exit_code == 2
    assert "changed or damaged" in damaged.stderr
    with h5py.File(chip, "a") as file:
        drawn = {f"{part}/{k}": v[()] for part, g in file["drawn"].items() for k, v in g.items()}
        file.attrs["sha256"] = digest(drawn)
    changed = tmp_path / "changed"
    assert hil("train", "--chip", str(chip), "--out", str(changed)).exit_code == 0
    with load_run(changed) as experiment, build(resolve("iris", overrides=IMPERFECT)) as nominal:
        ratio = experiment.drawn[f"conductance/{name}"] / nominal.drawn[f"conductance/{name}"]
    np.testing.assert_allclose(ratio, 1.25)
    # An evaluation and a copy come from the run folder, not from the file.
    chip.unlink()
    assert hil("evaluate", str(changed)).exit_code == 0
    copy = tmp_path / "copy.h5"
    assert hil("chip", "new", str(copy), "--run", str(changed)).exit_code == 0
    assert hil("train", "--chip", str(copy), "--epochs=1").exit_code == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("substrate.hidden", "[3]"),
        ("substrate.g_max_siemens", "1e-2"),
        ("substrate.chip_seed", "77"),
        ("substrate.board.hold.offset_volts", "0.0"),
        ("substrate.mismatch.conductance_spread", "0.1"),
    ],
)
def test_another_circuit_is_not_this_chip(chip: Path, key: str, value: str) -> None:
    result = hil("train", "--chip", str(chip), f"--set={key}={value}")
    assert result.exit_code == 2
    assert f"another {key.split('.')[0]}.{key.split('.')[1]}" in result.stderr


def test_a_run_with_another_chip_than_it_names_is_refused(chip: Path) -> None:
    config, kept = chip_experiment(chip)
    some = {name: values for name, values in kept.items() if not name.startswith("board/")}
    for given in (some, None):
        with pytest.raises(ConfigurationError, match="names the kept chip"):
            build(config, kept=given)
    with pytest.raises(ConfigurationError, match="no such imperfection"):
        build(resolve("iris"), kept=kept)
    other = {name: np.append(values, values) for name, values in kept.items()}
    with pytest.raises(ConfigurationError, match="another circuit"):
        build(resolve("iris", overrides=IMPERFECT), kept=other)


def test_mistakes_beside_another_kind_are_told(tmp_path: Path) -> None:
    sets = ("substrate.hidden=[8,6]", "substrate.devices=ideal",
            "substrate.devices.conduction.kind=cubic")  # fmt: skip
    result = hil("train", "--preset", "iris", *(f"--set={item}" for item in sets))
    assert result.exit_code == 2
    assert "per_volt2" in result.stderr or "bias_volts" in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "there is no chip"), (b"no chip", "is no chip"), (b"", "is no chip")],
)
def test_files_that_are_no_chips_are_refused(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "x.h5"
    if content is not None:
        path.write_bytes(content)
    for command in (["chip", "show", str(path)], ["train", "--chip", str(path)]):
        result = hil(*command)
        assert result.exit_code == 2
        assert says in result.stderr


def test_refusals(chip: Path, tmp_path: Path) -> None:
    before = chip.read_bytes()
    result = hil("chip", "new", str(chip), "--preset", "iris", *SETS)
    assert result.exit_code == 2
    assert "exists and was not touched" in result.stderr
    assert chip.read_bytes() == before
    ideal = hil("chip", "new", str(tmp_path / "ideal.h5"), "--preset", "iris")
    assert ideal.exit_code == 2
    assert "all its parts are ideal" in ideal.stderr
    named = hil("train", "--preset", "iris", f"--set=substrate.chip={'a' * 64}")
    assert named.exit_code == 2
    assert "none was given" in named.stderr
    lost = hil("chip", "new", str(tmp_path / "no" / "c.h5"), "--preset", "iris", *SETS)
    assert lost.exit_code == 2
    assert "cannot write" in lost.stderr


def test_runs_with_wires_report_their_bias(tmp_path: Path) -> None:
    wires = {"substrate.wires.word_ohms": 20.0, "substrate.wires.bit_ohms": 10.0, "epochs": 1}
    result = train_run(resolve("iris", overrides=wires), tmp_path / "run")
    rows = result.summary["wire_bias"]
    assert [row["crossbar"] for row in rows] == [0, 1]
    assert all(0.0 < row["drop_error_percent"] < 100.0 for row in rows)
    kept = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert kept["wire_bias"] == rows
    with build(resolve("iris")) as ideal:
        assert wire_bias(ideal) is None
