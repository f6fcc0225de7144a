"""Worker processes: what they give is what one process gives, also when some are killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hil.errors import ConfigurationError
from hil.study.jobs import Job, Outcome
from hil.study.local_crew import LocalCrew
from hil.study.running import run_study
from hil.study.tasks import Task, job_of, tasks_of
from tests.unit.study.small import Here, Notes, kept, small_study


def _job(index: int = 0) -> Job:
    study = small_study()
    return job_of(study, list(tasks_of(study))[index], None, None)


def _next(crew: LocalCrew) -> Outcome:
    """The next outcome; the test hangs, and so fails, where there never is one."""
    while True:
        for outcome in crew.collect(10.0):
            return outcome


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    run_study(small_study(), tmp_path / "here", Here, Notes())
    pids: set[int] = set()
    crew = LocalCrew(2)
    notes = Notes(lambda task: pids.update(crew.process_ids))
    result = run_study(small_study(), tmp_path / "there", lambda: crew, notes)
    assert not result.failed
    assert kept(tmp_path / "here") == kept(tmp_path / "there")
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert crew.process_ids == []


def test_killed_workers_are_replaced(tmp_path: Path) -> None:
    run_study(small_study(), tmp_path / "here", Here, Notes())
    crew = LocalCrew(2)
    killed: list[int] = []

    def kill(task: Task) -> None:
        if len(killed) < 2:
            killed.append(crew.process_ids[-1])
            os.kill(killed[-1], signal.SIGKILL)

    notes = Notes(kill)
    result = run_study(small_study(), tmp_path / "there", lambda: crew, notes)
    assert len(killed) == 2
    assert not result.failed
    assert kept(tmp_path / "here") == kept(tmp_path / "there")


def test_death_at_work_is_an_outcome() -> None:
    with LocalCrew(1) as crew:
        crew.give(_job())
        assert not crew.has_room()
        os.kill(crew.process_ids[0], signal.SIGKILL)
        outcome = _next(crew)
        assert "killed by signal 9" in outcome.error
        assert outcome.again
        assert crew.has_room()
        crew.give(_job())
        assert not _next(crew).error


def test_errors_of_this_project_are_final_and_others_are_not() -> None:
    refused = Job("refused", "epochs = 0")
    broken = Job("broken", _job().config_toml, conductance_siemens="not an array")  # type: ignore[arg-type]
    with LocalCrew(1) as crew:
        crew.give(refused)
        outcome = _next(crew)
        assert "refused cannot be used" in outcome.error
        assert not outcome.again
        crew.give(broken)
        outcome = _next(crew)
        assert "Traceback" in outcome.error
        assert outcome.again
        crew.give(_job())
        assert not _next(crew).error


def test_nobody_is_no_crew() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        LocalCrew(0)
