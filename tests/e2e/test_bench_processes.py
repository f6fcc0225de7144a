"""Trainers and ``hil safe`` as processes of their own, over sockets and pseudo-terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.emulated.bench import EmulatedBench
from drivers.emulated.serving.running import running
from hil.bench.addresses import with_addresses
from hil.cli.main import app
from hil.resolving import read_bench
from tests.e2e.watched import KINDS, bench_text, failures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")

PATIENCE_SECONDS = 120.0
DEAD_MAN_SECONDS = 20.0
HIL = (sys.executable, "-c", "from hil.cli.main import main; main()")
TRAIN = (
    "train", "--preset", "xor", "--epochs", "100000", "--energise", "--set", "batch_size=2",
    "--set", "estimator.beta_siemens=5e-6", "--set", "rule.rates=[4e-9, 4e-9]",
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """An emulated bench that other processes reach.

    Attributes:
        bench: what it is, which may be looked at without a word to the instruments.
        path: of the bench file with its addresses.
    """

    bench: EmulatedBench
    path: Path


@contextmanager
def served(folder: Path, kind: str, **changes: Any) -> Iterator[Served]:
    """A bench on sockets and a pseudo-terminal; idle is hard ground."""
    text = bench_text(kind, "hard_ground", **changes)
    path = folder / "bench.toml"
    path.write_text(text)
    bench = EmulatedBench(read_bench(path), 0)
    servers = bench.servers(dict.fromkeys(bench.models))
    path.write_text(with_addresses(text, {n: server.address for n, server in servers.items()}))
    with running(*servers.values()):
        yield Served(bench, path)


@pytest.fixture(params=KINDS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A bench of either wiring."""
    changes = {"phases": {"dead_man_seconds": DEAD_MAN_SECONDS}} if request.param == "board" else {}
    with served(tmp_path, request.param, **changes) as found:
        yield found


def hil(*words: object) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    command = [*HIL, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )


def wait_for(what: str, found: Callable[[], bool]) -> None:
    """Poll until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.005)


@contextmanager
def training(lab: Served) -> Iterator[subprocess.Popen[str]]:
    """A process that trains and would not end by itself; it is past its second epoch."""
    command = [*HIL, *TRAIN, "--bench", str(lab.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = ""
            while "\nepoch 2/" not in told:
                line = process.stdout.readline()
                told += line
                assert line, (process.wait(), told)
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("lab", ["smu"], indirect=True)
def test_sigterm(lab: Served) -> None:
    """Over sockets; the board's turn is the next test."""
    with training(lab) as process:
        assert not lab.bench.report().is_safe
        process.terminate()
        told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert failures(lab.bench) == []


@pytest.mark.parametrize("lab", ["board"], indirect=True)
def test_ctrl_c_twice(lab: Served) -> None:
    with training(lab) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert failures(lab.bench) == []


def test_kill(lab: Served) -> None:
    with training(lab) as process:
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert lab.bench.report().sources["access.a"].output_on
    if lab.bench.config.phases.kind == "board":

        def fell_silent() -> bool:
            board = lab.bench.report().board
            return board is not None and not (board.armed or board.energised)

        wait_for("the board's dead-man timer", fell_silent)
    done = hil("safe", lab.path)
    assert (done.returncode, done.stderr) == (0, "")
    # Levels may have been anywhere: hil safe does not know them, so it has none to ramp.
    assert [text for text in failures(lab.bench) if "before levels were 0" not in text] == []


def test_bench_in_a_process(tmp_path: Path) -> None:
    """``hil emulate bench`` serves what ``hil check --energise`` finds to be as its file says."""
    (tmp_path / "bench.toml").write_text(bench_text("board"))
    path = tmp_path / "served.toml"
    command = [*HIL, "emulate", "bench", str(tmp_path / "bench.toml"), "--write", str(path)]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(process.terminate)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("wrote"):
                break
        done = hil("check", path, "--energise")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "FAILED" not in done.stdout
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0


def refused(path: Path, *words: str) -> str:
    """The one message of a command that ends with exit code 2."""
    result = CliRunner().invoke(app, [*(words or ("train", *TRAIN[1:])), *_bench(path, words)])
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    assert result.stderr.startswith("hil: ")
    assert result.stderr.count("hil: ") == 1
    return result.stderr


def _bench(path: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    return ("--bench", str(path)) if not words else (str(path),)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("smu", {"in1": {"idn": "MODEL 9999"}}, ("in1", "2636B", "MODEL 9999")),
        ("smu", {"meter": {"serial": "42"}}, ("meter", "42", "serial")),
        ("board", {"board": {"serial": "42"}}, ("board", "42", "serial")),
        ("smu", {"in2": {"address": "TCPIP::127.0.0.1::1::SOCKET"}}, ("in2", "::1::SOCKET")),
        ("board", {"board": {"address": "/dev/nobody"}}, ("board", "/dev/nobody")),
    ],
)
def test_somebody_else_answers(
    tmp_path: Path, kind: str, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    with served(tmp_path, kind) as lab:
        wrong = tmp_path / "wrong.toml"
        text = lab.path.read_text()
        addresses = {n: x.address for n, x in read_bench(lab.path).instruments.items()}
        changed = bench_text(kind, "hard_ground", instruments=change)
        (name,) = change
        wrong.write_text(
            with_addresses(
                changed, {n: a for n, a in addresses.items() if "address" not in change.get(n, {})}
            )
        )
        assert text != wrong.read_text()
        told = refused(wrong)
        assert all(word in told for word in words), told
        assert name in told
        report = lab.bench.report()
        # Not one output went on, and no relay moved.
        assert not [event for event in report.events if event.what in ("output", "closed")]


def test_interlock_is_open(tmp_path: Path) -> None:
    with served(tmp_path, "board") as lab:
        board = lab.bench._board
        assert board is not None
        board.electronics.interlock = False
        told = refused(lab.path)
        assert "interlock" in told.lower()
        assert lab.bench.report().is_safe


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    assert "bench.toml" in refused(path)
    path.write_bytes(b"\xff\xfe\x00 not text")
    assert "bench.toml" in refused(path)
    path.write_text("[network\n")
    assert "TOML" in refused(path)
    path.write_text("kind = 'bench'\n")
    told = refused(path)
    for table in ("network", "envelope", "instruments", "phases", "programming"):
        assert table in told
    for command in ("check", "safe"):
        assert "network" in refused(path, command)
