"""A study of a few milliseconds a task, and listeners for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.composition import resolve
from hil.study.config import StudyConfig
from hil.study.folder import StudyFolder, sorted_results
from hil.study.jobs import Job, Outcome
from hil.study.tasks import Task
from hil.study.work import attempt

SWEPT = "estimator.beta_siemens"
"""A number that changes a result; any key serves to test how tasks are made and kept."""


def small_study(**changes: Any) -> StudyConfig:
    """Two chips, two levels, three epochs of exclusive or."""
    values = {
        "chips": 2,
        "trainings": 2,
        "imperfections": [
            {"name": "nudging", "meaning": "in mS", "levels": [1.0, 2.0], "keys": {SWEPT: 1e-3}}
        ],
        "experiment": resolve("xor", overrides={"epochs": 3, "threads": 1}),
    }
    return StudyConfig.checked(values | changes, "the study")


def kept(path: Path) -> str:
    """Results in a folder, comparable byte for byte."""
    return sorted_results(StudyFolder(path).results())


class Notes:
    """Listener that remembers, and calls back after every result."""

    def __init__(self, after: Callable[[Task], None] = lambda task: None) -> None:
        self.left: list[str] = []
        self.done: list[str] = []
        self.failures: list[tuple[str, str, bool]] = []
        self._after = after

    def started(self, tasks: list[Task], done: int, workers: int) -> None:
        self.left = [task.key for task in tasks]

    def finished(self, task: Task, seconds: float) -> None:
        self.done.append(task.key)
        self._after(task)

    def failed(self, task: Task, error: str, again: bool) -> None:
        self.failures.append((task.key, error, again))


class Here:
    """A crew in this process that holds many jobs and does the newest first.

    Args:
        room: how many jobs it holds.
        spoil: may replace the outcome of a job.
    """

    size = 1

    def __init__(self, room: int = 3, spoil: Callable[[Job], Outcome | None] | None = None) -> None:
        self._room = room
        self._spoil = spoil or (lambda job: None)
        self._jobs: list[Job] = []

    def has_room(self) -> bool:
        return len(self._jobs) < self._room

    def give(self, job: Job) -> None:
        self._jobs.append(job)

    def collect(self, seconds: float) -> list[Outcome]:
        if not self._jobs:
            return []
        job = self._jobs.pop()
        return [self._spoil(job) or attempt(job)]

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self._jobs.clear()
