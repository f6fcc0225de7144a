"""A bench, its trainer and ``hil safe`` as processes of their own, over sockets and terminals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.transport.interface import Expect
from drivers.transport.serial import SerialTransport
from hil.resolving import read_bench
from tests.e2e.watched import KINDS, bench_text

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")

PATIENCE_SECONDS = 60.0
DEAD_MAN_SECONDS = 0.5
HIL = (sys.executable, "-c", "from hil.cli.main import main; main()")
TRAIN = (
    "--preset", "xor", "--epochs", "100000", "--set", "batch_size=2", "--wire-log",
    "--set", "estimator.beta_siemens=5e-6", "--set", "rule.rates=[4e-9, 4e-9]",
)  # fmt: skip
QUIET = {"out": subprocess.PIPE, "err": subprocess.PIPE}


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
        time.sleep(0.01)


@dataclass(frozen=True)
class Served:
    """An emulated bench in another process.

    Attributes:
        path: of the bench file with its addresses.
        config: what it holds.
    """

    path: Path
    config: BenchConfig

    def state(self) -> dict[str, str]:
        """What every instrument says of itself."""
        return {
            name: _asked(instrument)
            for name, instrument in self.config.instruments.items()
            if instrument.model != "daq6510"
        }

    def unsafe(self) -> dict[str, str]:
        """Those that are not as ``hil safe`` leaves them; idle is hard ground."""
        grounds = self.config.crosspoints("ground").values()
        idle = ";".join(sorted(point for _, point in grounds))
        n_nodes = self.config.network.read_nodes.size
        safe = {"keithley2600b": "0 0 0 0 0 0", "shboard": f"0,{n_nodes},0,1"}
        return {
            name: said
            for name, said in self.state().items()
            if said != safe.get(self.config.instruments[name].model, idle)
        }


def _asked(instrument: InstrumentConfig) -> str:
    """Outputs and levels, closed channels, or the board's state."""
    if instrument.model == "shboard":
        with closing(SerialTransport(instrument.address)) as port:
            return port.exchange(b":STAT?", Expect.LINE).decode()
    expressions = "channel.getclose('allslots')"
    if instrument.model == "keithley2600b":
        expressions = ",".join(
            f"smu{x}.source.{what}" for what in ("output", "levelv", "leveli") for x in "ab"
        )
    _, host, port_number, _ = instrument.address.split("::")
    with socket.create_connection((host, int(port_number)), PATIENCE_SECONDS) as connected:
        connected.sendall(f"print({expressions})\n".encode())
        with connected.makefile() as lines:
            said = lines.readline().split()
    if instrument.model == "keithley2600b":
        return " ".join(f"{float(number):g}" for number in said)
    return ";".join(sorted(said[0].split(";")))


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A bench that ``hil emulate bench`` serves; the tests of a module take turns with it."""
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    changes = {"phases": {"dead_man_seconds": DEAD_MAN_SECONDS}} if kind == "board" else {}
    (folder / "bench.toml").write_text(bench_text(kind, "hard_ground", **changes))
    path = folder / "served.toml"
    command = [*HIL, "emulate", "bench", str(folder / "bench.toml"), "--write", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("wrote"):
                    break
            yield Served(path, read_bench(path))
        finally:
            process.terminate()
    assert process.returncode == 0


def training(served: Served, out: Path) -> subprocess.Popen[str]:
    """A process that trains and trains, well beyond its start."""
    command = [*HIL, "train", *TRAIN, "--bench", str(served.path), "--energise", "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    checkpoint = out / "checkpoint.h5"

    def trains() -> bool:
        assert process.poll() is None, process.communicate()
        return checkpoint.exists()

    wait_for("a checkpoint", trains)
    return process


def test_check_finds_nothing_wrong_and_leaves_everything_safe(served: Served) -> None:
    done = hil("check", served.path, "--energise")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FAILED" not in done.stdout
    assert served.unsafe() == {}


def test_sigterm(served: Served, tmp_path: Path) -> None:
    process = training(served, tmp_path / "run")
    assert served.unsafe()
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert served.unsafe() == {}


def test_ctrl_c_twice(served: Served, tmp_path: Path) -> None:
    process = training(served, tmp_path / "run")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert served.unsafe() == {}


def test_kill(served: Served, tmp_path: Path) -> None:
    process = training(served, tmp_path / "run")
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    outputs = {name: said for name, said in served.unsafe().items() if said.startswith("1 1")}
    assert "access" in outputs
    if served.config.phases.kind == "board":
        # Asking it would keep the board alive: it has to be silent meanwhile.
        time.sleep(3 * DEAD_MAN_SECONDS)
        assert "board" not in served.unsafe()
    done = hil("safe", served.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert served.unsafe() == {}
