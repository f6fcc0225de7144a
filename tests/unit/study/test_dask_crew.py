"""A cluster on loopback: a scheduler and two worker processes, one of which is killed."""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hil.errors import ConfigurationError
from hil.study.dask_crew import DaskCrew
from hil.study.running import run_study
from hil.study.tasks import Task
from tests.unit.study.small import Here, Notes, kept, small_study

_INSTALLED = importlib.util.find_spec("distributed") is not None

needs_dask = pytest.mark.skipif(not _INSTALLED, reason="needs dask, of the extra 'cluster'")


class Cluster:
    """Processes of a cluster; the context ends them all."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = self._line(self._scheduler, r"Scheduler at:\s+(tcp://\S+)")
        self.workers: list[subprocess.Popen[str]] = []

    def add_worker(self) -> None:
        worker = self._start("worker", self.address, "--nthreads", "1", "--no-nanny")
        self.workers.append(worker)
        self._line(worker, r"(Registered to)")

    def end(self) -> None:
        self._scheduler.kill()
        self._scheduler.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        return process

    @staticmethod
    def _line(process: subprocess.Popen[str], pattern: str) -> str:
        """What a line of the log says; an end of the log before it is a failure."""
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            found = re.search(pattern, line)
            if found:
                # What nobody reads would fill the pipe and stop the process.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return found.group(1)
        raise AssertionError("".join(seen))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)


@needs_dask
def test_a_cluster_gives_what_one_process_gives(cluster: Cluster, tmp_path: Path) -> None:
    run_study(small_study(chips=4), tmp_path / "here", Here, Notes())
    cluster.add_worker()
    cluster.add_worker()
    dead = []

    def kill(task: Task) -> None:
        if not dead:
            dead.append(cluster.workers[0])
            cluster.workers[0].kill()

    notes = Notes(kill)
    crew = DaskCrew(cluster.address)
    assert crew.size == 2
    result = run_study(small_study(chips=4), tmp_path / "there", lambda: crew, notes)
    assert not result.failed
    assert dead[0].wait() != 0
    assert kept(tmp_path / "here") == kept(tmp_path / "there")


@needs_dask
def test_a_scheduler_that_goes_away(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_worker()
    notes = Notes(lambda task: cluster.end())
    with pytest.raises(ConfigurationError, match="does not answer any more; results so far"):
        run_study(small_study(), tmp_path, lambda: DaskCrew(cluster.address), notes)
    run_study(small_study(), tmp_path / "here", Here, Notes())
    rest = Notes()
    run_study(small_study(), tmp_path, Here, rest)
    assert len(notes.done) + len(rest.done) == 10
    assert len(notes.done) >= 1
    assert kept(tmp_path / "here") == kept(tmp_path)


@needs_dask
def test_workers_that_all_go_away(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_worker()
    notes = Notes(lambda task: cluster.workers[0].kill())
    with pytest.raises(ConfigurationError, match=r"has had no workers for 0\.5 s; results so far"):
        run_study(
            small_study(),
            tmp_path,
            lambda: DaskCrew(cluster.address, timeout_seconds=3.0, patience_seconds=0.5),
            notes,
        )
    assert 1 <= len(notes.done) < 10


@needs_dask
def test_a_cluster_without_workers(cluster: Cluster) -> None:
    with pytest.raises(ConfigurationError, match="has no workers after 2 s"):
        DaskCrew(cluster.address, timeout_seconds=2.0)


@needs_dask
def test_nobody_answers() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        address = f"tcp://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"no scheduler answers at {address}"):
            DaskCrew(address, timeout_seconds=0.2)


@pytest.mark.parametrize("address", ["here", "127.0.0.1:8786", "tcp://host", "tcp://host:x", ""])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigurationError, match="takes tcp://HOST:PORT"):
        DaskCrew(address)


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'eqprop-hil\[cluster\]'"):
        DaskCrew("tcp://127.0.0.1:8786")
