"""``hil bench new``, ``hil emulate bench``, ``hil discover``, and idle options of emulators."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.transport import serial as serial_ports
from drivers.transport import visa
from hil.bench import discovery
from hil.bench.addresses import loopback, with_addresses
from hil.errors import TransportError
from hil.resolving import read_bench
from tests.cli.benches import hil, refused, write_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benches")
    write_files(folder)
    return folder


@pytest.mark.parametrize(
    ("options", "kind", "n_lines"), [(["smu"], "smu", 33), (["board"], "board", 236)]
)
def test_examples_fit_their_experiments(
    tmp_path: Path, options: list[str], kind: str, n_lines: int
) -> None:
    path = tmp_path / "bench.toml"
    result = hil("bench", "new", *options, path)
    assert result.exit_code == 0, result.output
    assert f"hil check {path}" in result.stdout
    config = read_bench(path)
    assert config.phases.kind == kind
    assert len(config.lines()) == n_lines  # of iris, and of digits
    before = path.read_text()
    refused("bench", "new", *options, path, words=("exists and was not touched",))
    assert path.read_text() == before


def test_examples_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    refused("bench", "new", "smu", path, "--preset", "iris-graph", words=("layered",))
    refused("bench", "new", "smu", tmp_path / "no" / "x.toml", words=("cannot write",))
    assert hil("bench", "new", "abacus", path).exit_code == 2
    assert not path.exists()


def test_addresses_are_replaced_and_comments_kept(files: Path) -> None:
    text = (files / "smu.toml").read_text()
    names = list(tomllib.loads(text)["instruments"])
    new = {name: f"TCPIP::127.0.0.1::{7000 + k}::SOCKET" for k, name in enumerate(names)}
    edited = with_addresses(text, new)
    tables = tomllib.loads(edited)["instruments"]
    assert {name: table["address"] for name, table in tables.items()} == new
    assert edited.count("#") == text.count("#")
    assert len(edited.splitlines()) == len(text.splitlines())


def test_addresses_written_in_other_ways_are_replaced_too() -> None:
    text = """
    # address = "a"
    instruments.first = { model = "m", address = 'a' }
    [instruments.second]
    address = \"\"\"b\"\"\" # many quotes
    """
    edited = tomllib.loads(with_addresses(text, {"first": "b", "second": "a"}))
    assert edited["instruments"]["first"]["address"] == "b"
    assert edited["instruments"]["second"]["address"] == "a"


def test_addresses_on_this_machine() -> None:
    assert loopback("TCPIP::127.0.0.1::5025::SOCKET") == "127.0.0.1:5025"
    assert loopback("TCPIP0::localhost::1::socket") == "localhost:1"
    assert loopback("TCPIP::192.168.0.1::5025::SOCKET") is None
    assert loopback("/dev/ttyACM0") is None


def test_a_bench_is_served_until_it_is_told_to_end(files: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source, target = tmp_path / "bench.toml", tmp_path / "served.toml"
    wanted = {"access": f"TCPIP::127.0.0.1::{port}::SOCKET"}
    source.write_text(with_addresses((files / "board.toml").read_text(), wanted))
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", "emulate", "bench"]
    process = subprocess.Popen(
        [*command, source, "--write", target], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        shown = dict(process.stdout.readline().split() for _ in read_bench(source).instruments)
        assert str(target) in process.stdout.readline()
        served = read_bench(target).instruments
        assert shown == {name: item.address for name, item in served.items()}
        assert shown["access"] == wanted["access"]
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"*IDN?\n")
            assert "2636B" in client.makefile().readline()
        with serial.Serial(shown["board"], timeout=60) as line:
            line.write(b"*IDN?\n")
            assert b"SHBOARD" in line.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    refused("emulate", "bench", source, "--write", target, words=("exists and was not touched",))
    refused("emulate", "bench", tmp_path / "absent.toml", words=("no bench file",))


@pytest.mark.parametrize(
    ("model", "option", "words"),
    [
        ("keithley2400", ("--channel-volts", "101=1"), ("daq6510",)),
        ("shboard", ("--channel-volts", "101=1"), ("--channel-volts",)),
        ("daq6510", ("--load-ohms", "100"), ("keithley2400",)),
        ("keithley707b", ("--load-ohms", "100"), ("--load-ohms",)),
        ("shboard", ("--load-ohms", "100"), ("--load-ohms",)),
        ("keithley3706a", ("--seed", "1"), ("--seed",)),
    ],
)
def test_options_that_would_do_nothing(
    model: str, option: tuple[str, str], words: tuple[str, ...]
) -> None:
    refused("emulate", "instrument", model, *option, words=("does nothing", model, *words))


class _Found:
    """Stands in for pyvisa's and pyserial's lists, which ask the network of the machine."""

    def __init__(self, patch: pytest.MonkeyPatch, resources: Any, ports: Any) -> None:
        for module, found in ((visa, resources), (serial_ports, ports)):
            patch.setattr(module, "discover", lambda *_, found=found: _given(found))


def _given(found: Any) -> Any:
    if isinstance(found, Exception):
        raise found
    return found


def test_discovery_lists_and_asks_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Session:
        def __init__(self, address: str, *_: object) -> None:
            asked.append(address)
            if address.startswith("/dev"):
                raise TransportError("Your account may not use this port")

        def exchange(self, request: bytes, expect: object) -> bytes:
            assert request == b"*IDN?"
            return b"MAKER,MODEL,1,2"

        def close(self) -> None:
            pass

    monkeypatch.setattr(visa, "VisaTransport", Session)
    monkeypatch.setattr(serial_ports, "SerialTransport", Session)
    _Found(monkeypatch, ["USB0::1::2::3::INSTR"], [("/dev/ttyACM0", "A board")])
    result = hil("discover")
    assert result.exit_code == 0
    assert "USB0::1::2::3::INSTR" in result.stdout
    assert "A board" in result.stdout
    assert asked == []
    result = hil("discover", "--ask")
    assert result.exit_code == 0
    assert "MAKER,MODEL,1,2" in result.stdout
    assert "may not use this port" in result.stdout
    assert asked == ["USB0::1::2::3::INSTR", "/dev/ttyACM0"]


def test_discovery_without_instruments_or_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    _Found(monkeypatch, [], [])
    result = hil("discover")
    assert result.exit_code == 0
    assert "found no instrument" in result.stdout
    _Found(monkeypatch, TransportError("VISA resources need pyvisa"), [])
    result = hil("discover")
    assert result.exit_code == 0
    assert "need pyvisa" in result.stderr


def test_serial_ports_of_this_machine_are_listed() -> None:
    assert all(isinstance(name, str) for name, _ in serial_ports.discover())
    assert discovery.Discovered().resources == []


def test_visa_without_its_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvisa", None)
    with pytest.raises(TransportError, match="pip install pyvisa"):
        visa.discover()
