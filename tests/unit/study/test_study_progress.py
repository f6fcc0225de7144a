"""What is said of a study while it goes on."""

from __future__ import annotations

import pytest

from hil.cli.study_progress import make_study_listener
from hil.study.pace import Pace
from hil.study.tasks import Task, tasks_of
from tests.unit.study.small import small_study


def _tasks(chips: int = 2) -> list[Task]:
    return list(tasks_of(small_study(chips=chips)))


def test_time_left_weighs_the_arms() -> None:
    tasks = _tasks()  # 2 ideal, 4 in situ, 4 transfer
    by_arm = {task.arm: task for task in tasks}
    pace = Pace(tasks, workers=2)
    assert pace.seconds_left() is None
    pace.finished(by_arm["in_situ"], 10.0)
    assert pace.seconds_left() == pytest.approx((2 + 3 + 4) * 10.0 / 2)
    pace.finished(by_arm["transfer"], 1.0)
    assert pace.seconds_left() == pytest.approx((2 * 10.0 + 3 * 10.0 + 3 * 1.0) / 2)
    pace.dropped(by_arm["transfer"])
    pace.finished(by_arm["ideal"], 20.0)
    assert pace.seconds_left() == pytest.approx((1 * 20.0 + 3 * 10.0 + 2 * 1.0) / 2)


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = _tasks(chips=20)
    with make_study_listener() as listener:
        listener.started(tasks[20:], 20, 2)
        listener.failed(tasks[20], "Traceback\n  somewhere\nOSError: no space", True)
        listener.failed(tasks[20], "did not settle", False)
        for task in tasks[21:]:
            listener.finished(task, 1.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(tasks) == 82
    assert lines[0] == "82 results, 20 of them done before; 2 workers; compiling and first steps"
    assert lines[1] == f"{tasks[20].key}: OSError: no space; tried again"
    assert lines[2] == f"{tasks[20].key}: did not settle; left out"
    assert lines[3].startswith("21/82 results  1 left out  45 s left")
    assert lines[-1].startswith("78/82 results")
    assert len(lines) <= 3 + 20


def test_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    tasks = _tasks()
    with make_study_listener() as listener:
        listener.started(tasks, 0, 1)
        for task in tasks[:-1]:
            listener.finished(task, 90.0)
        listener.failed(tasks[-1], "did [not] settle", False)
    shown = capsys.readouterr().err
    assert "10 results; 1 worker; compiling and first steps" in shown
    assert "did [not] settle; left out" in shown
    assert "9/10" in shown
