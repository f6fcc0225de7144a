"""Progress of a study: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from hil.cli.watching import Watching, say
from hil.study.pace import Pace
from hil.study.running import StudyListener
from hil.study.tasks import Task

__all__ = ["make_study_listener"]

_LINES = 20
"""So many lines for a whole study."""


class _Counting(Watching):
    """Counts tasks and their time, and leaves saying so to subclasses."""

    def __init__(self) -> None:
        self._pace = Pace([], 1)
        self._done = self._total = self._gaps = 0

    def started(self, tasks: list[Task], done: int, workers: int) -> None:
        """See :class:`hil.study.running.StudyListener`."""
        self._pace = Pace(tasks, workers)
        self._done, self._total = done, done + len(tasks)
        before = f", {done} of them done before" if done else ""
        crew = "1 worker" if workers == 1 else f"{workers} workers"
        self._say(f"{self._total} results{before}; {crew}; compiling and first steps")
        self._show(done)

    def finished(self, task: Task, seconds: float) -> None:
        """See :class:`hil.study.running.StudyListener`."""
        self._pace.finished(task, seconds)
        self._done += 1
        self._show(self._done - 1)

    def failed(self, task: Task, error: str, again: bool) -> None:
        """See :class:`hil.study.running.StudyListener`."""
        if not again:
            self._pace.dropped(task)
            self._gaps += 1
        reason = error.strip().splitlines()[-1]
        self._say(f"{task.key}: {reason}; {'tried again' if again else 'left out'}")
        self._show(self._done)

    def _figures(self) -> str:
        left = self._pace.seconds_left()
        gaps = f"{self._gaps} left out  " if self._gaps else ""
        return gaps + ("" if left is None else f"{_clock(left)} left")

    def _say(self, text: str) -> None:
        say(text)

    def _show(self, before: int) -> None:
        raise NotImplementedError


class _Lines(_Counting):
    """A line each twentieth of the study, on standard error."""

    def _show(self, before: int) -> None:
        if before * _LINES // self._total < self._done * _LINES // self._total:
            self._say(f"{self._done}/{self._total} results  {self._figures()}".rstrip())


class _BarListener(_Counting):
    """A live bar on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = Bar(
            TextColumn("results"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _say(self, text: str) -> None:
        self._bar.console.print(escape(text), highlight=False)

    def _show(self, before: int) -> None:
        if self._task is None:
            self._task = self._bar.add_task("", total=self._total, figures="")
        self._bar.update(self._task, completed=self._done, figures=self._figures())


def make_study_listener() -> AbstractContextManager[StudyListener]:
    """A bar if standard error is a terminal, else lines."""
    return _BarListener() if sys.stderr.isatty() else _Lines()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
