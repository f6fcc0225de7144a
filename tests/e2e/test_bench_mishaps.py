"""Instruments that answer rubbish, readers that go away, requests in the middle of it all."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from drivers.bench.checks import check_equipment
from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.findings import Finding
from drivers.bench.substrate import ReadingBoardBench, open_bench
from drivers.emulated.bench import EmulatedBench
from drivers.transport.interface import Transport
from hil.bench import reaching
from hil.bench.reaching import Reached
from hil.bench.safing import make_all_safe
from hil.cli.main import app
from hil.errors import (
    ConfigurationError,
    HilError,
    InstrumentError,
    TransportError,
    UsageError,
)
from hil.resolving import read_bench
from hil.substrate import Drive
from tests.e2e.watched import KINDS, Interfere, Lab, bench_text, failures


@pytest.fixture(autouse=True)
def _a_listening_process() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=KINDS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> BenchConfig:
    """A bench of either wiring; idle is soft ground."""
    return bench_file(tmp_path, request.param)[1]


def bench_file(folder: Path, kind: str, **changes: Any) -> tuple[Path, BenchConfig]:
    path = folder / f"{kind}.toml"
    path.write_text(bench_text(kind, "soft_ground", **changes))
    return path, read_bench(path)


def energised(config: BenchConfig) -> Lab:
    """A bench whose controller has died: everything is on."""
    lab = Lab()
    reached = lab.reach(config, 0)
    substrate = open_bench(config, reached.open_transport, reached.sleep)
    substrate._watchdog.stop()
    assert not lab.bench.report().is_safe
    return lab


def way_to(lab: Lab) -> Reached:
    """To the bench as it is."""
    return Reached(lambda name, entry: lab.bench.transport(name, entry), lab.bench.sleep)


def test_whoever_reads_the_report_of_safety_may_go_away(config: BenchConfig) -> None:
    lab = energised(config)

    def gone(finding: Finding) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        make_all_safe(config, way_to(lab), gone)
    assert lab.bench.report().is_safe


def test_a_request_to_stop_waits_until_all_is_safe(config: BenchConfig) -> None:
    lab = energised(config)
    told: list[Finding] = []

    def report(finding: Finding) -> None:
        told.append(finding)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        make_all_safe(config, way_to(lab), report)
    assert len(told) == len(config.instruments)
    assert lab.bench.report().is_safe


def test_errors_of_any_kind_do_not_keep_others_energised(config: BenchConfig) -> None:
    lab = energised(config)
    first = next(name for name in config.instruments if name != "access")

    def opened(name: str, entry: InstrumentConfig) -> Transport:
        if name == first:
            raise ValueError("cannot convert float NaN to integer")
        return lab.bench.transport(name, entry)

    told: list[Finding] = []
    failed = make_all_safe(config, Reached(opened, lab.bench.sleep), told.append)
    assert failed == [first]
    assert ["ValueError: cannot convert" in x.text for x in told].count(True) == 1
    on = {w for w, x in lab.bench.report().sources.items() if x.output_on}
    assert {channel.partition(".")[0] for channel in on} <= {first}


def broken(victim: str, after: Callable[[Lab], bool]) -> Interfere:
    """The connection with one instrument fails, and stays so."""

    def interfere(lab: Lab, name: str, request: bytes, send: Callable[[], bytes]) -> bytes:
        if name == victim and after(lab):
            address = lab.addresses[name]
            raise TransportError(f"{address}: the connection failed", address=address)
        return send()

    return interfere


@pytest.mark.parametrize(("kind", "victim"), [("smu", "in1"), ("board", "access")])
def test_outputs_that_may_be_on_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, victim: str
) -> None:
    path, config = bench_file(tmp_path, kind)
    lab = Lab(broken(victim, lambda lab: lab.n_exchanges > 60))
    lab.addresses = {name: entry.address for name, entry in config.instruments.items()}
    monkeypatch.setattr(reaching, "emulated", lab.reach)
    words = ["train", "--preset", "xor", "--bench", str(path), "--emulated", "--epochs", "50"]
    options = ["--set", "estimator.beta_siemens=5e-6", "--set", "rule.rates=[4e-9, 4e-9]"]
    result = CliRunner().invoke(app, [*words, *options, "--out", str(tmp_path / "run")])
    assert result.exit_code == 2, result.output
    assert f"{victim} (keithley2600b at {lab.addresses[victim]}): the conn" in result.stderr
    assert "the bench may not be safe" in result.stderr
    assert f"outputs of {victim} off" in result.stderr
    assert "by hand, then run hil safe" in result.stderr
    on = {w for w, x in lab.bench.report().sources.items() if x.output_on}
    assert {channel.partition(".")[0] for channel in on} == {victim}


def test_an_opening_that_cannot_be_undone_is_told(config: BenchConfig) -> None:
    whole = Lab()
    reached = whole.reach(config, 0)
    open_bench(config, reached.open_transport, reached.sleep)._watchdog.stop()
    last = whole.n_exchanges

    def cut(lab: Lab, name: str, request: bytes, send: Callable[[], bytes]) -> bytes:
        if lab.n_exchanges >= last:
            raise TransportError("the network is down")
        return send()

    lab = Lab(cut)
    reached = lab.reach(config, 0)
    with pytest.raises(TransportError, match="the network is down") as caught:
        open_bench(config, reached.open_transport, reached.sleep)
    assert any("may not be safe" in note for note in caught.value.__notes__)
    assert not lab.bench.report().is_safe


def test_idle_crosspoints_that_do_not_exist_are_found_before_anything_is_on(
    config: BenchConfig,
) -> None:
    """A shutdown asks nothing, so that it would not notice."""
    lab = Lab()
    reached = lab.reach(config, 0)
    matrix = next(iter(config.matrix))
    nowhere = "6999" if config.phases.kind == "smu" else "1D99"
    wrong = matrix.model_copy(update={"soft": (nowhere, *matrix.soft[1:])})
    mistaken = config.model_copy(update={"matrix": (wrong, *config.matrix[1:])})
    with pytest.raises(InstrumentError) as caught:
        open_bench(mistaken, reached.open_transport, reached.sleep)
    assert caught.value.message.startswith(f"{matrix.instrument} (keithley")
    assert "correct [[matrix]]" in str(caught.value)
    events = lab.bench.report().events
    assert not [event for event in events if event.what == "output" and event.value]


def test_lines_of_a_board_stay_apart_until_nobody_drives_them(tmp_path: Path) -> None:
    """A reading that fails: the access SMU is off before the board's safe state grounds lines."""
    config = bench_file(tmp_path, "board")[1]
    for at in range(2, 12, 3):
        countdown = [10**9]

        def interfere(
            lab: Lab,
            name: str,
            request: bytes,
            send: Callable[[], bytes],
            left: list[int] = countdown,
        ) -> bytes:
            left[0] -= 1
            reply = send()
            return b"rubbish\n" if left[0] == 0 and reply else reply

        lab = Lab(interfere)
        reached = lab.reach(config, 0)
        substrate = open_bench(config, reached.open_transport, reached.sleep)
        assert isinstance(substrate, ReadingBoardBench)
        countdown[0] = at
        with pytest.raises(HilError), substrate:  # noqa: PT012
            for _ in range(10):
                substrate.read_devices(np.array([0, 3]))
        assert failures(lab.bench) == [], at


def test_numbers_of_no_device_leave_the_bench_as_it_is(config: BenchConfig) -> None:
    bench = EmulatedBench(config, 0)
    with open_bench(config, bench.transport, bench.sleep) as substrate:
        for wrong in ([999], [-1], [0.5], [[1]]):
            with pytest.raises(UsageError):
                substrate.read_devices(np.array(wrong))  # type: ignore[attr-defined]
        drive = Drive(np.zeros((1, config.network.topology.inputs.size)))
        assert substrate.settle(drive).ok.all()
    assert failures(bench) == []


def test_two_names_of_one_instrument(config: BenchConfig) -> None:
    lab = Lab()
    reached = lab.reach(config, 0)
    kind = "keithley2600b"
    entries = {name: x for name, x in config.instruments.items() if x.model == kind}
    extra = next(iter(entries.values())).model_copy(update={"address": "TCPIP::other::1::SOCKET"})
    twin = next(iter(entries))
    doubled = config.model_copy(update={"instruments": {**config.instruments, "twin": extra}})

    def opened(name: str, entry: InstrumentConfig) -> Transport:
        return reached.open_transport(twin if name == "twin" else name, entry)

    with pytest.raises(ConfigurationError, match=f"{twin} and twin are one instrument"):
        open_bench(doubled, opened, reached.sleep)
    assert not [event for event in lab.bench.report().events if event.what == "output"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, TransportError])
def test_a_check_that_is_broken_off_leaves_lines_idle(
    config: BenchConfig, error: type[BaseException]
) -> None:
    """Resetting opens all relays, so what comes after must close those of the idle mode."""
    whole = Lab()
    reached = whole.reach(config, 0)
    check_equipment(config, reached.open_transport, reached.sleep, lambda finding: None)
    assert failures(whole.bench) == []
    resets = [k for k, (_, text) in enumerate(whole.sent, 1) if b"RST" in text or b"reset" in text]
    for place in (resets[0] + 1, resets[-1], resets[-1] + 2):

        def interfere(
            lab: Lab, name: str, request: bytes, send: Callable[[], bytes], place: int = place
        ) -> bytes:
            if lab.n_exchanges == place:
                if error is TransportError:
                    raise TransportError("cut")
                signal.raise_signal(signal.SIGINT)
            return send()

        lab = Lab(interfere)
        reached = lab.reach(config, 0)
        with pytest.raises(error):
            check_equipment(config, reached.open_transport, reached.sleep, lambda finding: None)
        assert failures(lab.bench) == [], place
