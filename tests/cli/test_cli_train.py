"""The command line, as a user meets it: real processes, real folders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

SMALL = ["--preset", "iris", "--set", "threads=1"]


def hil(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from hil.cli.main import main; main()", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        timeout=240,
        check=False,
    )


def final(folder: Path) -> np.ndarray:
    with h5py.File(folder / "arrays.h5") as file:
        return file["final/conductance_siemens"][()]


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """One clear message and exit code 2, no traceback."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    result = hil("train", *SMALL, "--epochs", "20", "--out", str(folder))
    assert result.returncode == 0, result.stderr
    return folder


def test_run_folder_holds_what_is_documented(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["epochs"] == 20
    assert summary["substrate"] == "layered"
    assert summary["seed"] == 0
    assert 0.0 <= summary["test_error_percent"] <= 15.0
    assert 0.0 <= summary["train_error_percent"] <= 15.0
    assert summary["examples"] == 20 * 120
    assert summary["examples_per_second"] == pytest.approx(
        summary["examples"] / summary["train_seconds"], rel=0.05
    )
    with h5py.File(finished / "arrays.h5") as file:
        conductance = file["final/conductance_siemens"][()]
        start = file["initial/conductance_siemens"][()]
        writes = file["final/write_counts"][()]
    assert conductance.shape == start.shape == writes.shape == (summary["devices"],)
    assert conductance.dtype == np.float32
    assert not np.array_equal(conductance, start)
    assert summary["writes_per_device"] == pytest.approx(writes.mean())
    assert (conductance[writes == 0] == start[writes == 0]).all()
    kinds = [json.loads(e)["event"] for e in (finished / "events.jsonl").read_text().splitlines()]
    assert kinds[0] == "start"
    assert kinds[-1] == "stop"
    assert kinds.count("epoch") == 20
    assert not (finished / "checkpoint.h5").exists()


def test_evaluate_finds_the_recorded_error(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    result = hil("evaluate", str(finished), "--json")
    assert result.returncode == 0, result.stderr
    again = json.loads(result.stdout)
    assert again["test_error_percent"] == summary["test_error_percent"]
    assert again["train_error_percent"] == summary["train_error_percent"]


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_export(finished: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"conductances.{ending}"
    assert hil("export", str(finished), str(target)).returncode == 0
    if ending == "csv":
        table = np.genfromtxt(target, delimiter=",", names=True)
        assert table.dtype.names[:4] == ("device", "tail_node", "head_node", "conductance_siemens")
    else:
        table = np.load(target)
    np.testing.assert_array_equal(
        np.asarray(table["conductance_siemens"], np.float32), final(finished)
    )
    # Rows of the first crossbar are the nine input lines and two bias lines.
    assert table["tail_node"][0] == 0
    assert set(table["tail_node"][:100].astype(int)) == set(range(10))


def test_same_seed_same_bits_other_seed_other_bits(finished: Path, tmp_path: Path) -> None:
    for name, seed in (("same", "0"), ("other", "1")):
        out = str(tmp_path / name)
        result = hil("train", *SMALL, "--epochs", "20", "--seed", seed, "--out", out)
        assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(final(tmp_path / "same"), final(finished))
    assert not np.array_equal(final(tmp_path / "other"), final(finished))


@pytest.mark.parametrize(
    "options",
    [
        ["--preset", "iris"],
        ["--preset", "iris", "--set", "substrate.hidden=[9,7]", "--set", "rule.rates=[1e-5]",
         "--set", "encoding.bias_volts=[0.5,0,0]"],
    ],
)  # fmt: skip
def test_compiling_and_cached_kernels_give_the_same_bits(
    tmp_path: Path, options: list[str]
) -> None:
    cache = str(tmp_path / "cache")
    for name in ("compiling", "cached"):
        out = str(tmp_path / name)
        result = hil("train", *options, "--epochs", "5", "--set", "threads=1", "--out", out,
                     NUMBA_CACHE_DIR=cache)  # fmt: skip
        assert result.returncode == 0, result.stderr
    assert list((tmp_path / "cache").rglob("*.nbc"))
    np.testing.assert_array_equal(final(tmp_path / "cached"), final(tmp_path / "compiling"))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--set", "estimator.kind=random_sign"],
        [
            "--set",
            "rule={kind='comparison', steps_siemens=[1e-6], threshold_votes=3, quantised=true}",
        ],
    ],
)
def test_interrupted_and_resumed_gives_the_same_bits(tmp_path: Path, options: list[str]) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = ["train", *SMALL, "--epochs", "600", *options]
    reference = hil(*common, "--out", str(whole))
    assert reference.returncode == 0, reference.stderr
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from hil.cli.main import main; main()",
            *common,
            "--out",
            str(parts),
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 5/"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    summary = json.loads((parts / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert 5 <= summary["epochs"] < 600
    assert "--resume" in out
    resumed = hil("train", "--resume", "--out", str(parts))
    assert resumed.returncode == 0, resumed.stderr
    np.testing.assert_array_equal(final(parts), final(whole))
    for key in ("test_error_percent", "writes_per_device", "examples", "epochs"):
        assert (
            json.loads((parts / "summary.json").read_text())[key]
            == json.loads((whole / "summary.json").read_text())[key]
        )


def test_killed_run_is_readable_and_resumes(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = ["train", *SMALL, "--epochs", "300"]
    assert hil(*common, "--out", str(whole)).returncode == 0
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", *common]
    process = subprocess.Popen([*command, "--out", str(parts)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 3/"):
            process.kill()
            break
    process.wait(timeout=60)
    process.stderr.close()
    assert not (parts / "summary.json").exists()
    resumed = hil(*common, "--resume", "--out", str(parts))
    assert resumed.returncode == 0, resumed.stderr
    np.testing.assert_array_equal(final(parts), final(whole))


def test_resume_rules(finished: Path, tmp_path: Path) -> None:
    before = (finished / "summary.json").read_bytes()
    again = hil("train", *SMALL, "--epochs", "20", "--resume", "--out", str(finished))
    assert again.returncode == 0
    assert "finished" in again.stdout
    assert (finished / "summary.json").read_bytes() == before
    other = hil("train", *SMALL, "--epochs", "21", "--resume", "--out", str(finished))
    assert_refused(other, "epochs", "20", "21")
    assert_refused(hil("train", *SMALL, "--out", str(finished)), "not empty", "--resume")
    assert_refused(hil("train", "--resume"), "--out")
    fresh = hil("train", *SMALL, "--epochs", "2", "--resume", "--out", str(tmp_path / "fresh"))
    assert fresh.returncode == 0, fresh.stderr
    assert json.loads((tmp_path / "fresh/summary.json").read_text())["epochs"] == 2


def test_config_show_round_trips(tmp_path: Path) -> None:
    shown = hil("config", "show", "--preset", "mnist-kendall", "--set", "batch_size=7")
    assert shown.returncode == 0
    assert "batch_size = 7" in shown.stdout
    kept = tmp_path / "kept.toml"
    kept.write_text(shown.stdout)
    assert hil("config", "show", "--config", str(kept)).stdout == shown.stdout


def test_schema_and_presets() -> None:
    schema = json.loads(hil("config", "schema").stdout)
    assert schema["properties"]["epochs"]["minimum"] == 1
    listed = hil("presets").stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert names == sorted(
        ["digits", "iris", "xor", "mnist-100", "mnist-1024", "mnist-1024x2", "mnist-kendall",
         "mnist-sign", "iris-graph", "xor-netlist", "digits-reram", "mnist-100-lab", "study-digits",
         "study-mnist-100"]
    )  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from hil.cli.main import app\n"
        "heavy = {'numpy', 'numba', 'scipy', 'pydantic', 'h5py', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    import pty

    main, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from hil.cli.main import main; main()", "train", *SMALL,
         "--epochs", "30"],
        stderr=child, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "120",
                                                      "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    seen = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    assert process.wait(timeout=60) == 0
    text = seen.decode(errors="replace")
    for word in ("loss", "error", "examples/s", "30/30"):
        assert word in text
