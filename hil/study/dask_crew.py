"""The workers of a Dask cluster; the extra ``cluster`` installs what this needs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import urllib.parse
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from hil.errors import ConfigurationError
from hil.study.jobs import Job, Outcome
from hil.study.work import attempt

__all__ = ["DaskCrew"]

_TIMEOUT_SECONDS = 10.0
"""How long a scheduler may take to answer, and a cluster to have a worker."""

_PATIENCE_SECONDS = 60.0
"""How long a cluster may be without any worker, as while it is being restarted."""

_LOST = (
    OSError,  # CommClosedError, TimeoutError
    RuntimeError,
    asyncio.CancelledError,
    concurrent.futures.CancelledError,
)
"""What distributed raises when the scheduler is gone."""


class DaskCrew:
    """Workers of a cluster that runs already.

    Args:
        address: of its scheduler, ``tcp://HOST:PORT``.
        timeout_seconds: how long to wait for its answer and for a first worker.
        patience_seconds: how long to go on without any worker later.

    Raises:
        ConfigurationError: dask is not installed, the address is none, no scheduler answers
            there, or it has no workers.
    """

    def __init__(
        self,
        address: str,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._address = _checked(address)
        self._client = _connect(address, timeout_seconds)
        self._futures: dict[str, Any] = {}
        self._threads = 1
        self._timeout_seconds = timeout_seconds
        self._patience_seconds = patience_seconds
        self._deserted_seconds = 0.0
        try:
            self._client.wait_for_workers(1, timeout=timeout_seconds)
            self._count_threads()
        except _LOST as error:
            self._client.close(timeout=timeout_seconds)
            raise ConfigurationError(
                f"the scheduler at {address} has no workers after {timeout_seconds:g} s; start "
                f"some where this package is installed: dask worker {address} --nthreads 1"
            ) from error

    @property
    def size(self) -> int:
        """How many jobs are worked on at the same time."""
        return self._threads

    def has_room(self) -> bool:
        """See :class:`hil.study.crew.Crew`; every worker has a job in hand and one to come."""
        return len(self._futures) < 2 * self._threads

    def give(self, job: Job) -> None:
        """See :class:`hil.study.crew.Crew`."""
        try:
            self._futures[job.key] = self._client.submit(attempt, job, pure=False)
        except _LOST as error:
            raise self._lost() from error

    def collect(self, seconds: float) -> list[Outcome]:
        """See :class:`hil.study.crew.Crew`.

        Raises:
            ConfigurationError: the scheduler does not answer any more, or has no workers left.
        """
        if not self._futures:
            return []
        try:
            with self._client.as_current(), contextlib.suppress(TimeoutError):
                _distributed().wait(
                    list(self._futures.values()), timeout=seconds, return_when="FIRST_COMPLETED"
                )
        except _LOST as error:
            raise self._lost() from error
        outcomes = [
            outcome
            for key, future in list(self._futures.items())
            if future.done() and (outcome := self._outcome(key, future)) is not None
        ]
        for outcome in outcomes:
            del self._futures[outcome.key]
        self._notice_desertion(0.0 if outcomes else seconds)
        return outcomes

    def _outcome(self, key: str, future: Any) -> Outcome | None:
        """What came of a job that is done; None if that died with its worker."""
        if future.status == "cancelled":
            raise self._lost()
        try:
            if future.status == "error":
                error = future.exception(timeout=self._timeout_seconds)
                # KilledWorker: distributed has tried it on several workers already.
                return Outcome(key, error=f"{type(error).__name__}: {error}")
            outcome = future.result(timeout=self._timeout_seconds)
        except TimeoutError:
            return None  # distributed has it done again
        except _LOST as error:
            raise self._lost() from error
        assert isinstance(outcome, Outcome)
        return outcome

    def _notice_desertion(self, waited_seconds: float) -> None:
        deserted = self._count_threads() == 0 and waited_seconds > 0.0
        self._deserted_seconds = self._deserted_seconds + waited_seconds if deserted else 0.0
        if self._deserted_seconds > self._patience_seconds:
            raise ConfigurationError(
                f"the scheduler at {self._address} has had no workers for "
                f"{self._patience_seconds:g} s; results so far are kept: start workers, and the "
                "same command goes on from them"
            )

    def _count_threads(self) -> int:
        """Threads of all workers there are now."""
        try:
            found = int(sum(self._client.nthreads().values()))
        except _LOST as error:
            raise self._lost() from error
        self._threads = max(1, found)
        return found

    def _lost(self) -> ConfigurationError:
        return ConfigurationError(
            f"the scheduler at {self._address} does not answer any more; results so far are "
            "kept, and the same command goes on from them"
        )

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is not done and leave the cluster as it was."""
        with contextlib.suppress(*_LOST):
            self._client.cancel(list(self._futures.values()))
        self._futures.clear()
        self._client.close(timeout=self._timeout_seconds)


def _checked(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "tcp" or not parts.hostname or port is None:
        raise ConfigurationError(f"--scheduler takes tcp://HOST:PORT; got {address!r}")
    return address


def _distributed() -> Any:
    """The package, which has no types of its own and may be absent."""
    try:
        return import_module("distributed")
    except ImportError as error:
        raise ConfigurationError(
            "a cluster needs dask, which is not installed: pip install 'eqprop-hil[cluster]'"
        ) from error


def _connect(address: str, timeout_seconds: float) -> Any:
    client = _distributed().Client
    try:
        return client(address, timeout=timeout_seconds, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no scheduler answers at {address} within {timeout_seconds:g} s; check the address, "
            "and that it runs: dask scheduler"
        ) from error
