"""A study from start to finish: what is left to do, given out, and written down."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hil.data import DIRECTORY_VARIABLE
from hil.data.paths import expanded
from hil.errors import ConfigurationError
from hil.interruption import StopRequests
from hil.study.config import StudyConfig
from hil.study.crew import Crew
from hil.study.folder import Results, StudyFolder
from hil.study.jobs import Job, Outcome
from hil.study.tasks import Task, job_of, rehearsals, tasks_of

__all__ = ["StudyListener", "StudyResult", "run_study"]

_ATTEMPTS = 3
"""How often a task whose worker died is tried."""

_WAIT_SECONDS = 0.2
"""How long a request to stop may go unnoticed."""


class StudyListener(Protocol):
    """Is told how a study goes."""

    def started(self, tasks: list[Task], done: int, workers: int) -> None:
        """``tasks`` are left, ``done`` had been before."""
        ...

    def finished(self, task: Task, seconds: float) -> None:
        """A result is on disk."""
        ...

    def failed(self, task: Task, error: str, again: bool) -> None:
        """A task has no result; whether it is tried once more."""
        ...


@dataclass
class StudyResult:
    """Outcome of a study.

    Attributes:
        results: by key of the task.
        failed: error by key of the tasks without a result that were tried.
        interrupted: a stop was requested before all was tried.
    """

    results: Results = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def run_study(
    study: StudyConfig,
    path: Path,
    crew: Callable[[], Crew],
    listener: StudyListener,
    data_directory: Path | None = None,
) -> StudyResult:
    """Do what is left of a study.

    Args:
        study: what is asked.
        path: folder to keep it in, or in which some of it has been done.
        crew: makes the workers, if there is anything to do.
        listener: is told how it goes.
        data_directory: see :func:`hil.data.load_dataset`.

    Raises:
        RunFolderError: the folder holds another study or is in use.
        ConfigurationError: the experiment, or one with an imperfection, cannot be built.
        DataError: the data cannot be loaded.
    """
    folder = StudyFolder(path)
    directory = _directory(study, data_directory)
    first = list(rehearsals(study, directory))  # refused before anything is written
    with folder.reserved(), StopRequests() as stop:
        folder.begin(study)
        results = _known(study, folder)
        left = [task for task in tasks_of(study) if task.key not in results]
        run = _Run(study, folder, listener, directory, stop, StudyResult(results))
        if left:
            with crew() as workers:
                listener.started(left, len(results), workers.size)
                run.rehearse(workers, first)
                run.work(workers, left)
    return run.outcome


def _directory(study: StudyConfig, given: Path | None) -> str | None:
    """The folder with the data, said in full: workers elsewhere have another environment."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    if given is None and named and getattr(study.experiment.data, "directory", "") is None:
        given = Path(named)
    return None if given is None else str(expanded(given).absolute())


def _known(study: StudyConfig, folder: StudyFolder) -> Results:
    """Results so far of this study's tasks; a training whose conductances are lost is not one."""
    found = folder.results()
    tasks = [task for task in tasks_of(study) if task.key in found]
    lost = {t.key for t in tasks if t.arm == "ideal" and folder.ideal(t.training) is None}
    return {task.key: found[task.key] for task in tasks if task.key not in lost}


@dataclass
class _Run:
    study: StudyConfig
    folder: StudyFolder
    listener: StudyListener
    directory: str | None
    stop: StopRequests
    outcome: StudyResult
    _ready: deque[Task] = field(default_factory=deque)
    _waiting: dict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))
    _given: dict[str, Task] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def rehearse(self, crew: Crew, jobs: list[Job]) -> None:
        """One after the other, so that what one compiles the next ones, and all workers, find."""
        for job in jobs:
            for attempt in range(1, _ATTEMPTS + 1):
                crew.give(job)
                outcomes: list[Outcome] = []
                while not outcomes:
                    if self.stop.requested:
                        return
                    outcomes = crew.collect(_WAIT_SECONDS)
                if not outcomes[0].error:
                    break
                if not outcomes[0].again or attempt == _ATTEMPTS:
                    raise ConfigurationError(f"{job.key} failed: {outcomes[0].error}")

    def work(self, crew: Crew, left: list[Task]) -> None:
        """Give out all tasks and take their results, until done or asked to stop."""
        for task in left:
            if task.needs is None or task.needs in self.outcome.results:
                self._ready.append(task)
            else:
                self._waiting[task.needs].append(task)
        while self._ready or self._given:
            if self.stop.requested:
                self.outcome.interrupted = True
                return
            while self._ready and crew.has_room():
                self._give(crew, self._ready.popleft())
            for outcome in crew.collect(_WAIT_SECONDS):
                self._take(outcome)

    def _give(self, crew: Crew, task: Task) -> None:
        conductance = self.folder.ideal(task.training) if task.needs else None
        if task.needs and conductance is None:
            # Never in place of the written conductances: that would be another arm.
            self._fail(task, f"the conductances of {task.needs} were removed from the folder")
            return
        self._given[task.key] = task
        self._attempts[task.key] += 1
        crew.give(job_of(self.study, task, conductance, self.directory))

    def _take(self, outcome: Outcome) -> None:
        task = self._given.pop(outcome.key)
        if outcome.error:
            if outcome.again and self._attempts[task.key] < _ATTEMPTS:
                self.listener.failed(task, outcome.error, True)
                self._ready.appendleft(task)
            else:
                self._fail(task, outcome.error)
            return
        if outcome.conductance_siemens is not None:
            self.folder.keep_ideal(task.training, outcome.conductance_siemens)
        self.folder.append(task.key, outcome.result, outcome.seconds)
        self.outcome.results[task.key] = outcome.result
        self.listener.finished(task, outcome.seconds)
        self._ready.extendleft(reversed(self._waiting.pop(task.key, [])))

    def _fail(self, task: Task, error: str) -> None:
        self.outcome.failed[task.key] = error
        self.listener.failed(task, error, False)
        for dependent in self._waiting.pop(task.key, []):
            self._fail(dependent, f"{task.key} failed")
