"""``hil check``, ``hil safe`` and what both refuse."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from drivers.bench.continuity import bad_lines
from drivers.emulated.serving.running import running
from hil.bench import reaching
from hil.bench.addresses import with_addresses
from hil.bench.opening import open_reached
from hil.resolving import read_bench
from tests.cli.benches import WIRINGS, Watched, Wiring, hil, refused, write_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benches")
    write_files(folder)
    return folder


@pytest.fixture
def edited(files: Path, tmp_path: Path) -> Callable[..., Path]:
    """A bench file with pieces of text replaced."""

    def edit(wiring: Wiring, *changes: tuple[str, str]) -> Path:
        text = (files / f"{wiring}.toml").read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after, 1)
        path = tmp_path / "edited.toml"
        path.write_text(text)
        return path

    return edit


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    """Emulated instruments, that can be looked at, behind an option of the command line."""

    def install(**how: Any) -> Watched:
        watched = Watched(**how)
        monkeypatch.setattr(reaching, "emulated", watched)
        return watched

    return install


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_bench_as_its_file_says(
    files: Path, wiring: Wiring, emulated: Callable[..., Watched]
) -> None:
    watched = emulated()
    result = hil("check", files / f"{wiring}.toml", "--emulated")
    assert result.exit_code == 0, result.output
    config = read_bench(files / f"{wiring}.toml")
    for name in config.instruments:
        assert f"ok      {name}: " in result.stdout
    for what in ("self-test: passed", "access.a limits: ", "envelope: ", "settling: ", "wiring: "):
        assert what in result.stdout
    assert "FAILED" not in result.stdout
    bench = watched.bench
    assert np.array_equal(bench.device_siemens(), _fresh(wiring, files))
    watched.assert_safe()


def _fresh(wiring: Wiring, files: Path) -> Any:
    watched = Watched()
    watched(read_bench(files / f"{wiring}.toml"), 0)
    return watched.bench.device_siemens()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_without_a_word_nothing_is_energised(
    files: Path, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched()
    monkeypatch.setattr(reaching, "instruments", watched)
    result = hil("check", files / f"{wiring}.toml")
    assert result.exit_code == 0, result.output
    assert "not checked, nothing was energised" in result.stdout
    events = watched.bench.report().events
    assert not any(event.what == "output" and event.value for event in events)
    assert not any("armed" in event.names for event in events)
    watched.assert_safe()


def test_a_wrong_crosspoint_is_an_open_line(
    edited: Callable[..., Path], emulated: Callable[..., Watched]
) -> None:
    path = edited("smu")
    config = read_bench(path)
    right = config.crosspoints("high")["a0.r2"][1]
    watched = emulated()
    reach = reaching.emulated

    def unwired(config: Any, seed: int) -> Any:
        reached = reach(config, seed)
        watch = watched.bench._switches["matrix1"]
        moved = watch._move
        watch._move = lambda closed: moved(closed - {right})
        return reached

    reaching.emulated = unwired  # put back by the fixture
    result = hil("check", path, "--emulated")
    assert result.exit_code == 1, result.output
    assert "FAILED  wiring of a0.r2: " in result.stdout
    assert "open" in result.stdout
    assert result.stdout.count("FAILED") == 1
    assert watched.bench.report().is_safe


def test_readings_of_lines(files: Path) -> None:
    config = read_bench(files / "board.toml")
    n = config.network.topology.n_devices
    low, high = config.network.g_min_siemens, config.network.g_max_siemens
    siemens = np.full(n, (low * high) ** 0.5)
    rows, columns = 6, 3  # of the first array
    assert bad_lines(config, siemens.__getitem__) == ([], rows + 3)
    siemens[[0, 1]] = 0.0, 1.0  # one open and one shorted: a0.r0 has a third device
    assert bad_lines(config, siemens.__getitem__)[0] == []
    siemens[2] = 0.0
    (shorted,), _ = bad_lines(config, siemens.__getitem__)
    assert (shorted.name, shorted.most_siemens) == ("a0.r0", 1.0)
    siemens[: rows * columns : columns] = 0.0
    found, _ = bad_lines(config, siemens.__getitem__)
    assert [line.name for line in found] == ["a0.r0", "a0.c0"]
    assert all(line.chance == 0.0 for line in found)  # devices at the window's end would be seen
    nothing, _ = bad_lines(config, np.zeros(n).__getitem__)
    assert len(nothing) == len(config.lines())


def test_lines_that_noise_hides_are_not_called_open(files: Path) -> None:
    known = read_bench(files / "board.toml")
    noisy = known.access.model_copy(update={"read_siemens": 1e-4})  # type: ignore[union-attr]
    config = known.model_copy(update={"access": noisy})
    siemens = np.full(config.network.topology.n_devices, 5e-4)
    siemens[:3] = 1e-5
    siemens[8] = 1e-5  # read first on its lines
    (line,), _ = bad_lines(config, siemens.__getitem__)
    assert line.name == "a0.r0"
    assert line.chance > 1e-3
    # One such line may be chance; half of all are not.
    siemens[: 3 * 3] = 1e-5
    several, _ = bad_lines(config, siemens.__getitem__)
    rows = [each for each in several if each.name.startswith("a0.r")]
    assert len(rows) == 3
    assert rows[0].chance == pytest.approx(20 * (3 / 6) ** 9)  # 3 of 6, 3 devices each, half low


@pytest.mark.parametrize("command", ["check", "safe"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("no bench file", "hil bench new")),
        ("kind = = 3", ("not valid TOML", "line 1")),
        ("\xff\xfe", ("UTF-8",)),
        ("[network]\nkind = 'layered'\n", ("network.n_signals", "hil config schema")),
    ],
)
def test_unreadable_files(
    tmp_path: Path, command: str, content: str | None, words: tuple[str, ...]
) -> None:
    path = tmp_path / "bench.toml"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    refused(command, path, words=words)


def test_keys_that_do_not_exist_are_named(edited: Callable[..., Path]) -> None:
    path = edited("smu", ('model = "keithley2600b"', 'modell = "keithley2600b"'))
    refused("check", path, words=(str(path), "instruments.in1.modell: there is no such key"))
    path = edited("smu", ("[envelope]", "[envelope]\nvolts = 1.0"))
    refused("safe", path, words=("envelope.volts: there is no such key",))


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("command", [("check",), ("train", "--preset", "xor", "--bench")])
def test_another_instrument_is_refused(
    edited: Callable[..., Path], emulated: Callable[..., Watched], wiring: Wiring, command: Any
) -> None:
    path = edited(wiring, ("[instruments.access]", '[instruments.access]\nidn = "MODEL 4711"'))
    watched = emulated()
    if command[0] == "train":
        command = ("train", "--config", path.parent / "x.toml", "--bench")
        _experiment_beside(path)
    refused(*command, path, "--emulated", words=("access", "4711", "nothing was switched on"))
    assert {message for _, message in watched.sent} <= _HARMLESS


_HARMLESS = {b"*IDN?", b"", b"*CLS", b":CAP?", b":CAP:ARR? 0", b":CAP:ARR? 1",
             b":PULS:LAST?", b"\n:SAFE"}  # fmt: skip


def _experiment_beside(path: Path) -> None:
    write = path.parent / "files"
    write.mkdir()
    write_files(write)
    (path.parent / "x.toml").write_text((write / "experiment.toml").read_text())


@pytest.mark.parametrize("wiring", WIRINGS)
def test_everything_is_made_safe(
    files: Path, wiring: Wiring, emulated: Callable[..., Watched]
) -> None:
    watched = emulated()
    path = files / f"{wiring}.toml"
    result = hil("safe", path, "--emulated")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("ok ") == len(read_bench(path).instruments)
    watched.assert_safe()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_silent_instrument_does_not_stop_the_others(files: Path, wiring: Wiring) -> None:
    """A bench left energised, as after kill -9, with one instrument that is gone since."""
    watched = Watched()
    config = read_bench(files / f"{wiring}.toml")
    abandoned = open_reached(config, watched, 0)
    bench = watched.bench
    assert not bench.report().is_safe

    def without_access(config: Any, seed: int) -> Any:
        watched.silent = ("access",)
        return reaching.Reached(_opener(watched, bench), bench.sleep)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reaching, "emulated", without_access)
        said = refused("safe", files / f"{wiring}.toml", "--emulated", words=("access may not",))
    assert "in1" not in said
    report = bench.report()
    on = [name for name, state in report.sources.items() if state.output_on]
    assert on == ["access.a", "access.b"]
    assert report.board is None or not report.board.armed
    abandoned.close()
    assert bench.report().is_safe


def _opener(watched: Watched, bench: Any) -> Any:
    def open_transport(name: str, instrument: Any) -> Any:
        if name in watched.silent:
            return bench.transport(name, instrument.model_copy(update={"address": "gone"}))
        return bench.transport(name, instrument)

    def broken(name: str, instrument: Any) -> Any:
        from hil.errors import TransportError

        if name in watched.silent:
            raise TransportError("could not be opened")
        return open_transport(name, instrument)

    return broken


def test_safe_leaves_another_kind_of_instrument_alone(
    edited: Callable[..., Path], emulated: Callable[..., Watched]
) -> None:
    """One of another model answers: nothing but the question is sent to it."""
    path = edited("smu")
    watched = emulated()
    reach = watched.__call__

    def swapped(config: Any, seed: int) -> Any:
        reached = reach(config, seed)

        def open_transport(name: str, instrument: Any) -> Any:
            return reached.open_transport("meter" if name == "in1" else name, instrument)

        return reaching.Reached(open_transport, reached.sleep)

    reaching.emulated = swapped  # put back by the fixture
    refused("safe", path, "--emulated", words=("in1 may not be safe",))
    meter = [message for name, message in watched.sent if name == "meter"]
    assert meter[0] == b"*IDN?"
    assert not any(b"smu" in message for message in meter)


def test_safe_takes_another_one_of_the_same_kind(
    edited: Callable[..., Path], emulated: Callable[..., Watched]
) -> None:
    path = edited("smu", ("[instruments.access]", '[instruments.access]\nidn = "MODEL 4711"'))
    watched = emulated()
    result = hil("safe", path, "--emulated")
    assert result.exit_code == 0, result.output
    assert "the bench file says /MODEL 4711/" in result.stdout
    watched.assert_safe()


def test_an_open_interlock(files: Path, emulated: Callable[..., Watched]) -> None:
    path = files / "board.toml"
    watched = emulated(closed_interlock=False)
    refused("check", path, "--emulated", words=("interlock is open", "Close the lid"))
    refused(
        "train", "--config", files / "experiment.toml", "--bench", path, "--emulated",
        words=("interlock is open", "close the lid"),
    )  # fmt: skip
    result = hil("safe", path, "--emulated")
    assert result.exit_code == 0, result.output
    assert "its interlock is open" in result.stdout
    watched.assert_safe()


def test_addresses_where_nobody_listens(edited: Callable[..., Path]) -> None:
    path = edited("smu")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = read_bench(path).instruments
    nowhere = {name: f"TCPIP::127.0.0.1::{port}::SOCKET" for name in list(names)[:1]}
    path.write_text(with_addresses(path.read_text(), nowhere))
    refused("check", path, words=("in1", f"127.0.0.1::{port}", "could not be opened", "Check"))


@pytest.mark.parametrize(
    ("wiring", "package", "words"),
    [("smu", "pyvisa", "pip install pyvisa"), ("board", "serial", "pip install pyserial")],
)
def test_missing_packages(
    files: Path, wiring: Wiring, package: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for command in (("check",), ("safe",)):
        result = hil(*command, files / f"{wiring}.toml")
        assert result.exit_code == 2
        assert words in result.output
    refused(
        "train", "--config", files / "experiment.toml", "--bench", files / f"{wiring}.toml",
        "--energise", words=(words,),
    )  # fmt: skip


def test_a_port_that_may_not_be_used(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise serial.SerialException(13, "could not open port: Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", denied)
    refused("check", files / "board.toml", words=("board", "join its group"))


def test_instruments_in_another_process(files: Path, edited: Callable[..., Path]) -> None:
    """The same through sockets and a pseudo-terminal, as with real ones."""
    for wiring in WIRINGS:
        path = edited(wiring)
        watched = Watched()
        watched(read_bench(path), 0)
        servers = watched.bench.servers(dict.fromkeys(read_bench(path).instruments))
        path.write_text(
            with_addresses(path.read_text(), {n: s.address for n, s in servers.items()})
        )
        with running(*servers.values()):
            result = hil("check", path)
            assert result.exit_code == 0, result.output
            result = hil("safe", path)
            assert result.exit_code == 0, result.output
        assert watched.bench.report().is_safe
