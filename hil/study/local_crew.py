"""Worker processes on this machine, replaced when they die."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self

from hil.errors import ConfigurationError
from hil.study.jobs import Job, Outcome
from hil.study.worker import serve
from sim_backend.threads import usable_cores

__all__ = ["LocalCrew"]

_PATIENCE_SECONDS = 5.0
"""How long a terminated process may take to go."""


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection[Any, Any]
    job: Job | None = None


class LocalCrew:
    """Up to ``size`` processes with one thread each, started when there is something to do.

    Args:
        size: how many; as many as there are usable cores if omitted.

    Raises:
        ConfigurationError: not even one.
    """

    def __init__(self, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ConfigurationError(f"{size} workers cannot do anything; give at least 1")
        self._size = usable_cores() if size is None else size
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    @property
    def size(self) -> int:
        """How many jobs are worked on at the same time."""
        return self._size

    @property
    def process_ids(self) -> list[int]:
        """Of the workers that live."""
        return [w.process.pid for w in self._workers if w.process.pid and w.process.is_alive()]

    def has_room(self) -> bool:
        """See :class:`hil.study.crew.Crew`."""
        return sum(worker.job is not None for worker in self._workers) < self._size

    def give(self, job: Job) -> None:
        """See :class:`hil.study.crew.Crew`."""
        for worker in [w for w in self._workers if w.job is None]:
            try:
                worker.pipe.send(job)
            except OSError:  # it died while it had nothing to do
                self._dismiss(worker)
            else:
                worker.job = job
                return
        worker = self._hire()
        worker.job = job
        with contextlib.suppress(OSError):  # it died at once, as collecting will find
            worker.pipe.send(job)

    def collect(self, seconds: float) -> list[Outcome]:
        """See :class:`hil.study.crew.Crew`."""
        busy = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        outcomes = []
        for pipe in wait(list(busy), seconds):
            worker = busy[pipe]  # type: ignore[index]  # only pipes are waited for
            outcomes.append(self._outcome(worker))
        return outcomes

    def _outcome(self, worker: _Worker) -> Outcome:
        job, worker.job = worker.job, None
        assert job is not None
        try:
            outcome = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_PATIENCE_SECONDS)
            code = worker.process.exitcode
            self._dismiss(worker)
            return Outcome(job.key, error=_obituary(code), again=True)
        assert isinstance(outcome, Outcome)
        return outcome

    def _hire(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs,), daemon=True)
        with _ctrl_c_for_the_parent():
            process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.terminate()
        worker.process.join(_PATIENCE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Terminate the workers, and whatever they are doing."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in list(self._workers):
            self._dismiss(worker)


@contextlib.contextmanager
def _ctrl_c_for_the_parent() -> Iterator[None]:
    """Processes started inside never see a Ctrl-C, not even while they are starting."""
    if not hasattr(signal, "pthread_sigmask"):  # not on every platform
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obituary(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the worker process was killed by signal {-code}; out of memory, perhaps"
    return f"the worker process ended with exit code {code}"
