"""``hil train`` and ``hil evaluate`` on emulated benches."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hil.bench import reaching
from hil.composition import resolve
from hil.errors import ConfigurationError, InstrumentError
from hil.loading import load_run
from hil.record import RunFolder
from hil.runs import train_run
from hil.training import Progress
from tests.cli.benches import WIRINGS, Watched, Wiring, hil, refused, write_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benches")
    write_files(folder)
    return folder


def experiment(files: Path, wiring: Wiring, **changes: Any) -> Any:
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    return resolve(file=files / "experiment.toml", bench=files / f"{wiring}.toml", overrides=keys)


def command(files: Path, wiring: Wiring, *more: object) -> list[object]:
    return ["train", "--config", files / "experiment.toml",
            "--bench", files / f"{wiring}.toml", *more]  # fmt: skip


class Acts:
    """Does something after so many batches."""

    def __init__(self, *actions: Any, after: int = 1) -> None:
        self.actions, self.after = actions, after

    def started(self, experiment: object, resumed_epoch: int) -> None:
        pass

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        self.after -= 1
        if self.after == 0:
            for action in self.actions:
                action()

    def recording(self, experiment: object) -> None:
        pass

    def evaluating(self) -> None:
        pass


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


def crash() -> None:
    raise RuntimeError("crashed")


@pytest.fixture(scope="module", params=WIRINGS)
def finished(request: pytest.FixtureRequest, files: Path) -> tuple[Wiring, Path]:
    """A run of the command line, finished, with all its messages."""
    wiring = request.param
    run = files / f"run-{wiring}"
    result = hil(*command(files, wiring, "--emulated", "--wire-log", "--out", run))
    assert result.exit_code == 0, result.output
    assert "2 epochs" in result.stdout
    return wiring, run


def test_a_run_holds_its_bench_and_its_messages(finished: tuple[Wiring, Path], files: Path) -> None:
    wiring, run = finished
    kept = resolve(file=run / "config.toml")
    assert kept == experiment(files, wiring)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["substrate"] == "bench"
    assert summary["status"] == "finished"
    lines = [json.loads(line) for line in (run / "wire.jsonl").read_text().splitlines()]
    used = {item.address for item in kept.substrate.instruments.values()}
    assert {line["address"] for line in lines} == used
    assert {line["name"] for line in lines} == kept.substrate.instruments.keys()
    assert {line["direction"] for line in lines} == {"<", ">"}
    with h5py.File(run / "arrays.h5") as file:
        assert file["final/conductance_siemens"].shape == (summary["devices"],)


def test_a_finished_run_is_evaluated_where_it_is_told_to(finished: tuple[Wiring, Path]) -> None:
    _, run = finished
    refused("evaluate", run, words=("nothing was energised", "--energise", "--emulated"))
    refused("evaluate", run, "--emulated", "--energise", words=("only one",))
    result = hil("evaluate", run, "--emulated", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["restored"]["devices"] > 0  # a fresh chip is programmed to what the run kept
    watched = Watched()
    with load_run(run, reach=watched) as loaded, h5py.File(run / "arrays.h5") as file:
        tolerance = found["restored"]["tolerance_siemens"]
        kept = file["final/conductance_siemens"][()]
        assert np.abs(loaded.conductance_siemens() - kept).max() < 2.0 * tolerance
    watched.assert_safe()


def test_commands_without_benches_refuse_a_run_on_one(
    finished: tuple[Wiring, Path], tmp_path: Path
) -> None:
    _, run = finished
    refused("export-spice", run, tmp_path / "x.cir", words=("bench", "no netlist", "hil export"))
    assert hil("export", run, tmp_path / "x.csv").exit_code == 0


@pytest.mark.parametrize("wiring", WIRINGS)
def test_nothing_is_energised_unless_told(files: Path, wiring: Wiring, tmp_path: Path) -> None:
    out = tmp_path / "run"
    refused(
        *command(files, wiring, "--out", out),
        words=("nothing was energised", "--energise", "--emulated", "--dry-run"),
    )
    assert not out.exists()
    refused(*command(files, wiring, "--emulated", "--dry-run"), words=("only one",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--emulated"], ("are for benches", "--bench")),
        (["--energise"], ("are for benches", "--bench")),
        (["--dry-run"], ("--bench",)),
        (["--wire-log"], ("--out", "--emulated")),
        (["--bench", "absent.toml", "--emulated"], ("no bench file absent.toml", "hil bench new")),
    ],
)
def test_options_of_benches_are_refused_elsewhere(
    options: list[str], words: tuple[str, ...]
) -> None:
    refused("train", "--preset", "xor", "--epochs", "1", *options, words=words)


def test_a_chip_is_not_a_bench(files: Path) -> None:
    refused(*command(files, "smu", "--chip", "x.h5", "--emulated"), words=("--chip", "--bench"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__kind": "iris"}, ("8 signal lines", "bench has 4")),
        ({"encoding__doubled": False}, ("2 signal lines", "bench has 4")),
        ({"cost__paired": True}, ("4 outputs", "bench has 2")),
        ({"encoding__bias_volts": [0.5, 0.5]}, ("2 crossbars", "at 1")),
        ({"encoding__input_volts": 0.8}, ("0.8", "max_input_volts")),
        ({"estimator__beta_siemens": 1.0}, ("0.05 A", "max_nudge_amps")),
        ({"substrate__idle": "standing"}, ("substrate.idle", "soft_ground")),
        ({"substrate__phases__max_input_volts": 9.0}, ("envelope.read_volts",)),
        ({"substrate__hidden": [4]}, ("substrate.hidden", "no such key")),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_opened(
    files: Path, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    watched = Watched()
    with pytest.raises(ConfigurationError) as refusal:
        train_run(experiment(files, "smu", **changes), None, reach=watched)
    for word in words:
        assert word in refusal.value.message
    assert not watched.benches


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize(
    ("actions", "after", "ends"),
    [
        ((), 1, None),
        ((crash,), 1, RuntimeError),
        ((interrupt, interrupt), 1, KeyboardInterrupt),
        ((terminate,), 1, None),
    ],
    ids=["finished", "exception", "two SIGINT", "SIGTERM"],
)
def test_every_ending_leaves_the_bench_safe(
    files: Path, wiring: Wiring, actions: tuple[Any, ...], after: int, ends: Any
) -> None:
    watched = Watched()
    config, listener = experiment(files, wiring), Acts(*actions, after=after)
    if ends is None:
        result = train_run(config, None, reach=watched, listener=listener)
        assert result.summary["status"] == ("interrupted" if actions else "finished")
    else:
        with pytest.raises(ends):
            train_run(config, None, reach=watched, listener=listener)
    assert any(event.what == "level" for event in watched.bench.report().events)
    watched.assert_safe()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_an_interrupted_run_goes_on_from_the_devices_it_finds(
    files: Path, tmp_path: Path, wiring: Wiring
) -> None:
    run = tmp_path / "run"
    first = train_run(experiment(files, wiring), run, reach=Watched(), listener=Acts(terminate))
    assert first.summary["status"] == "interrupted"
    again = tmp_path / "again"
    shutil.copytree(run, again)
    refused("train", "--resume", "--out", run, words=("nothing was energised", "--energise"))
    # The emulated chip begins anew, as a chip that was used meanwhile would.
    result = hil("train", "--resume", "--out", run, "--emulated")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    (restored,) = [event for event in events if event["event"] == "restored"]
    assert restored["devices"] > 0
    assert restored["farthest_siemens"] > restored["tolerance_siemens"]
    writes = RunFolder(run).read_array("final/write_counts")
    kept = h5py.File(again / "checkpoint.h5")
    with kept:
        counts = next(v for k, v in _datasets(kept).items() if k.endswith("write_counts"))
    assert writes.sum() > counts.sum()


def _datasets(file: h5py.File) -> dict[str, Any]:
    found: dict[str, Any] = {}
    file.visititems(
        lambda name, item: (
            found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    )
    return found


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_rehearsal_shows_what_training_sends(
    files: Path, wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> Any:
        raise AssertionError("a session was opened")

    monkeypatch.setattr(reaching, "instruments", opened)
    result = hil(*command(files, wiring, "--dry-run", "--epochs", "1", "--out", tmp_path / "run"))
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "run").exists()
    messages, _, ending = result.stdout.partition("\n\n")
    shown = [line.split(None, 3) for line in messages.splitlines()]
    config = experiment(files, wiring)
    for name, address, arrow, _ in shown:
        assert (address, arrow) == (config.substrate.instruments[name].address, ">")
    counts = Counter(name for name, *_ in shown)
    for name in config.substrate.instruments:
        assert f"{counts[name]} messages" in ending
    assert "none was sent" in ending
    # One epoch is one batch here: what a run sends until its evaluation is what was shown.
    watched = Watched()

    def stop() -> None:
        raise KeyboardInterrupt

    once, listener = experiment(files, wiring, epochs=1), Acts(stop)
    with pytest.raises(KeyboardInterrupt):
        train_run(once, tmp_path / "run", reach=watched, listener=listener)
    assert len(watched.sent) == len(shown)
    assert [name for name, _ in watched.sent] == [name for name, *_ in shown]


def test_a_run_that_never_began_leaves_its_folder_to_the_corrected_one(
    files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    config = experiment(files, "board")
    with pytest.raises(InstrumentError, match="interlock is open"):
        train_run(config, out, reach=Watched(closed_interlock=False), wire_log=True)
    assert not out.exists()
    result = train_run(config, out, reach=Watched(), wire_log=True)
    assert result.summary["status"] == "finished"
