"""The loop of a study: order, resumption, failures."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from hil.composition import build, resolve
from hil.errors import ConfigurationError, RunFolderError
from hil.study.folder import StudyFolder
from hil.study.jobs import Job, Outcome
from hil.study.running import run_study
from hil.study.tasks import Task, tasks_of
from tests.unit.study.small import Here, Notes, kept, small_study


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, done in the simplest way."""
    path = tmp_path_factory.mktemp("reference")
    run_study(small_study(), path, lambda: Here(room=1), Notes())
    return path


def test_every_task_is_done_once(reference: Path) -> None:
    lines = (reference / "results.jsonl").read_text().splitlines()
    assert len(lines) == len(StudyFolder(reference).results()) == 2 + 2 * 2 * 2
    again = Notes()
    assert len(run_study(small_study(), reference, Here, again).results) == len(lines)
    assert again.left == again.done == []


def test_order_does_not_matter(reference: Path, tmp_path: Path) -> None:
    notes, backwards = Notes(), Notes()
    run_study(small_study(), tmp_path / "one", lambda: Here(room=1), notes)
    run_study(small_study(), tmp_path / "many", lambda: Here(room=100), backwards)
    assert notes.done != backwards.done
    assert kept(tmp_path / "one") == kept(tmp_path / "many") == kept(reference)


def test_results_are_those_of_the_experiment(reference: Path) -> None:
    results = StudyFolder(reference).results()
    changes = {"epochs": 3, "threads": 1, "seed": 1, "estimator.beta_siemens": 2e-3}
    with build(resolve("xor", overrides=changes)) as experiment:
        experiment.train()
        by_hand, _ = experiment.evaluate()
    found = results["in_situ/nudging/2.0/chip-1"]
    assert found["test_error_percent"] == pytest.approx(by_hand.error_percent, rel=1e-9)
    assert found["test_cost_volts2"] == pytest.approx(by_hand.cost_volts2, rel=1e-9)
    # Nothing that is swept here acts once the conductances are written.
    ideal = results["ideal/training-1"]
    moved = results["transfer/nudging/2.0/chip-1"]
    assert moved["test_cost_volts2"] == pytest.approx(ideal["test_cost_volts2"], rel=1e-9)
    assert (moved["epochs"], ideal["epochs"]) == (0, 3)


def test_transfer_writes_the_ideally_trained_conductances(tmp_path: Path) -> None:
    seen: dict[str, Job] = {}

    def look(job: Job) -> None:
        seen[job.key] = job

    run_study(small_study(), tmp_path, lambda: Here(spoil=look), Notes())
    for task in tasks_of(small_study()):
        given = seen[task.key].conductance_siemens
        if task.arm == "transfer":
            assert given is not None
            ideal = StudyFolder(tmp_path).ideal(task.training)
            np.testing.assert_array_equal(given, ideal)
        else:
            assert given is None


def test_ctrl_c_keeps_what_is_done(reference: Path, tmp_path: Path) -> None:
    notes = Notes(lambda task: os.kill(os.getpid(), signal.SIGINT))
    result = run_study(small_study(), tmp_path, Here, notes)
    assert result.interrupted
    assert len(notes.done) == 1
    rest = Notes()
    assert not run_study(small_study(), tmp_path, Here, rest).interrupted
    assert sorted(rest.left) == sorted(rest.done)
    assert set(rest.done).isdisjoint(notes.done)
    assert kept(tmp_path) == kept(reference)


def test_crash_while_writing_a_line(reference: Path, tmp_path: Path) -> None:
    run_study(small_study(), tmp_path, lambda: Here(room=1), Notes())
    results = tmp_path / "results.jsonl"
    whole = results.read_bytes()
    for cut in (1, 30, len(whole) - 5):
        results.write_bytes(whole[:-cut])
        before = len(StudyFolder(tmp_path).results())
        notes = Notes()
        run_study(small_study(), tmp_path, Here, notes)
        assert len(notes.done) == len(StudyFolder(reference).results()) - before >= 1
        assert kept(tmp_path) == kept(reference)
        assert all(line.startswith(b"{") for line in results.read_bytes().splitlines())


def test_lost_conductances_are_trained_again(reference: Path, tmp_path: Path) -> None:
    run_study(small_study(), tmp_path, Here, Notes())
    (tmp_path / "ideal" / "1.npy").write_bytes(b"cut short")
    notes = Notes()
    run_study(small_study(), tmp_path, Here, notes)
    assert notes.done == ["ideal/training-1"]
    assert kept(tmp_path) == kept(reference)


def test_a_task_is_tried_again_after_a_death(reference: Path, tmp_path: Path) -> None:
    deaths: list[str] = []

    def die_twice(job: Job) -> Outcome | None:
        if job.rehearsal or deaths.count(job.key) == 2:
            return None
        deaths.append(job.key)
        return Outcome(job.key, error="died", again=True)

    notes = Notes()
    result = run_study(small_study(), tmp_path, lambda: Here(spoil=die_twice), notes)
    assert not result.failed
    assert all(again for _, _, again in notes.failures)
    assert kept(tmp_path) == kept(reference)


def test_a_task_that_keeps_failing_leaves_a_gap(tmp_path: Path) -> None:
    bad = "in_situ/nudging/1.0/chip-0"

    def die(job: Job) -> Outcome | None:
        return Outcome(job.key, error="died", again=True) if job.key == bad else None

    notes = Notes()
    result = run_study(small_study(), tmp_path, lambda: Here(spoil=die), notes)
    assert result.failed == {bad: "died"}
    assert [again for key, _, again in notes.failures] == [True, True, False]
    assert len(result.results) == len(list(tasks_of(small_study()))) - 1
    rest = Notes()
    assert not run_study(small_study(), tmp_path, Here, rest).failed
    assert rest.done == [bad]


def test_without_its_ideal_training_nothing_is_transferred(tmp_path: Path) -> None:
    def refuse(job: Job) -> Outcome | None:
        ideal = job.key == "ideal/training-0"
        return Outcome(job.key, error="no example settled") if ideal else None

    result = run_study(small_study(), tmp_path, lambda: Here(spoil=refuse), Notes())
    lost = {task.key for task in tasks_of(small_study()) if task.needs == "ideal/training-0"}
    assert set(result.failed) == lost | {"ideal/training-0"}
    assert result.failed["transfer/nudging/1.0/chip-0"] == "ideal/training-0 failed"


def test_fewer_trainings_than_chips_are_dealt_in_turn() -> None:
    tasks = list(tasks_of(small_study(chips=5, trainings=2)))
    assert [task.key for task in tasks if task.arm == "ideal"] == [
        "ideal/training-0",
        "ideal/training-1",
    ]
    assert {task.chip: task.training for task in tasks if task.arm == "in_situ"} == {
        0: 0, 1: 1, 2: 0, 3: 1, 4: 0,
    }  # fmt: skip


def test_another_study_in_the_folder_is_refused(tmp_path: Path) -> None:
    run_study(small_study(), tmp_path, Here, Notes())
    before = kept(tmp_path)
    with pytest.raises(RunFolderError, match=r"chips: 2 there, 3 now"):
        run_study(small_study(chips=3), tmp_path, Here, Notes())
    other = resolve("xor", overrides={"epochs": 4, "threads": 1})
    with pytest.raises(RunFolderError, match=r"experiment\.epochs: 3 there, 4 now"):
        run_study(small_study(experiment=other), tmp_path, Here, Notes())
    assert kept(tmp_path) == before


def test_a_study_without_results_may_be_changed(tmp_path: Path) -> None:
    StudyFolder(tmp_path).begin(small_study())
    StudyFolder(tmp_path).begin(small_study(chips=3))
    assert StudyFolder(tmp_path).study() == small_study(chips=3)


def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    no_such = {"name": "none", "meaning": "", "levels": [1.0], "keys": {"substrate.none": 1.0}}
    with pytest.raises(ConfigurationError, match=r"substrate\.none: there is no such key"):
        run_study(small_study(imperfections=[no_such]), tmp_path / "new", Here, Notes())
    assert not (tmp_path / "new").exists()


def test_a_rehearsal_that_fails_is_refused(tmp_path: Path) -> None:
    def refuse(job: Job) -> Outcome | None:
        return Outcome(job.key, error="does not fit") if "nudging" in job.key else None

    with pytest.raises(ConfigurationError, match="first steps with nudging mismatch failed: does"):
        run_study(small_study(), tmp_path, lambda: Here(spoil=refuse), Notes())
    assert not StudyFolder(tmp_path).results()


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    def second(task: Task) -> None:
        with pytest.raises(RunFolderError, match="another process is working on the study"):
            run_study(small_study(), tmp_path, Here, Notes())

    assert len(run_study(small_study(), tmp_path, Here, Notes(second)).results) == 10


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    run_study(small_study(), tmp_path, Here, Notes())
    results = tmp_path / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join([*lines[:3], '{"task": 3\n', *lines[3:]]))
    with pytest.raises(RunFolderError, match=r"line 4 of .*results\.jsonl"):
        run_study(small_study(), tmp_path, Here, Notes())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("test_cost_volts2", None, None),
        ("test_error_percent", "gone", "lacks test_error_percent"),
        ("test_cost_volts2", "gone", "lacks test_cost_volts2"),
        ("unsettled_test_examples", "gone", "lacks unsettled_test_examples"),
        ("test_error_percent", math.nan, "test_error_percent is NaN, not a finite number"),
        ("test_error_percent", "NaN", 'test_error_percent is "NaN", not a finite number'),
        ("test_error_percent", True, "test_error_percent is true"),
        ("test_cost_volts2", 10**400, "test_cost_volts2 is 1000"),
        ("unsettled_test_examples", None, "unsettled_test_examples is null"),
    ],
)
def test_a_record_without_its_numbers_is_named(
    name: str, value: object, message: str | None, tmp_path: Path
) -> None:
    result = {"test_error_percent": 1.0, "test_cost_volts2": 0.5, "unsettled_test_examples": 0}
    result[name] = value
    if value == "gone":
        del result[name]
    StudyFolder(tmp_path).append("ideal/training-0", result, 1.0)
    if message is None:
        assert StudyFolder(tmp_path).results() == {"ideal/training-0": result}
        return
    with pytest.raises(RunFolderError, match=f"line 1 of .*{message}"):
        StudyFolder(tmp_path).results()


@pytest.mark.parametrize("line", ["[]", "3", '{"task": 3}', '{"task": "a", "result": [["b", 1]]}'])
def test_a_line_that_is_no_record_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(line + "\n")
    with pytest.raises(RunFolderError, match=r"line 1 of .*results\.jsonl"):
        StudyFolder(tmp_path).results()


def test_workers_are_told_where_the_data_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str | None] = set()

    def look(job: Job) -> Outcome:
        seen.add(job.data_directory)
        return Outcome(job.key, error="seen")

    def told(given: Path | None, kind: str, **data: str) -> str | None:
        changes = {"data.kind": kind, **{f"data.{key}": value for key, value in data.items()}}
        study = small_study(experiment=resolve("mnist-100", overrides=changes))
        seen.clear()
        with pytest.raises(ConfigurationError, match="seen"):
            run_study(study, tmp_path / "new", lambda: Here(spoil=look), Notes(), given)
        (only,) = seen
        return only

    monkeypatch.chdir(tmp_path)
    here = Path.cwd()
    monkeypatch.delenv("HIL_DATA", raising=False)
    assert told(None, "mnist") is None
    monkeypatch.setenv("HIL_DATA", "mnist")
    assert told(None, "mnist") == str(here / "mnist")
    assert told(Path("other"), "mnist") == str(here / "other")
    assert told(None, "mnist", directory="third") is None
    assert told(None, "iris") is None
