"""A bench as a substrate: what makes it safe, what does not, and how pulses are kept in bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from drivers.bench.config import InstrumentConfig
from drivers.bench.substrate import BenchSubstrate, open_bench
from drivers.emulated.bench import EmulatedBench
from drivers.transport.interface import Expect, Transport
from hil.errors import ClosedError, ProgramError, SafetyError, TransportError, UsageError
from hil.substrate import (
    ComparesDrops,
    CountsWrites,
    Drive,
    ProgramsConductance,
    ReadsConductance,
    SettlesEach,
)
from tests.protocol.bench.emulated import bench_of

WIRINGS = ("smu", "board")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def opened(bench: EmulatedBench, clock: Clock | None = None) -> Iterator[BenchSubstrate]:
    substrate = open_bench(bench.config, bench.transport, bench.sleep, clock or Clock())
    with substrate:
        yield substrate


def inputs(substrate: BenchSubstrate, volts: float = 0.3) -> Drive:
    return Drive(np.full((2, substrate.spec.topology.inputs.size), volts))


@pytest.mark.parametrize("wiring", WIRINGS)
def test_abilities_are_those_of_the_wiring(wiring: str) -> None:
    with opened(bench_of(wiring)) as substrate:
        for ability in (SettlesEach, ReadsConductance, ProgramsConductance, CountsWrites):
            assert isinstance(substrate, ability)
        assert isinstance(substrate, ComparesDrops) is (wiring == "board")


def test_a_board_without_access_reads_no_conductances() -> None:
    bench = bench_of(
        "board", access=None, matrix=None, instruments={"access": None, "matrix": None}
    )
    with opened(bench) as substrate:
        assert isinstance(substrate, ComparesDrops)
        assert not isinstance(substrate, ReadsConductance | ProgramsConductance)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_what_is_refused_before_anything_is_sent_leaves_the_bench_energised(wiring: str) -> None:
    with opened(bench_of(wiring)) as substrate:
        before = substrate.settle(inputs(substrate)).node_volts
        with pytest.raises(SafetyError):
            substrate.settle(inputs(substrate, 5.0))
        with pytest.raises(UsageError):
            substrate.pulse(np.zeros(1, np.int64))
        after = substrate.settle(inputs(substrate)).node_volts
        np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_made_safe_is_made_safe(wiring: str) -> None:
    bench = bench_of(wiring)
    with opened(bench) as substrate:
        substrate.settle(inputs(substrate))
        substrate.make_safe()
        assert bench.report().is_safe
        with pytest.raises(ClosedError, match="made safe; open it again"):
            substrate.settle(inputs(substrate))


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_watchdog_makes_a_forgotten_bench_safe(wiring: str) -> None:
    bench, clock = bench_of(wiring, watchdog_seconds=30.0), Clock()
    with opened(bench, clock) as substrate:
        clock.seconds = 29.0
        substrate.settle(inputs(substrate))
        clock.seconds = 58.0
        substrate._watchdog.look()  # the thread's own look, without waiting for it
        assert not bench.report().is_safe
        clock.seconds = 60.0
        substrate._watchdog.look()
        assert bench.report().is_safe
        with pytest.raises(ClosedError, match="nothing was asked of the bench for 30 s"):
            substrate.settle(inputs(substrate))


class Cut:
    """A session that is lost after so many exchanges."""

    def __init__(self, inner: Transport, left: int) -> None:
        self._inner, self.left = inner, left

    @property
    def address(self) -> str:
        return self._inner.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        if self.left == 0:
            raise TransportError(f"{self.address}: cable cut")
        self.left -= 1
        return self._inner.exchange(request, expect)

    def clear(self) -> None:
        self._inner.clear()

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize(("wiring", "lost"), [("smu", "in1"), ("smu", "meter"), ("board", "board")])
def test_a_lost_instrument_does_not_keep_the_others_from_being_safe(wiring: str, lost: str) -> None:
    bench, cuts = bench_of(wiring), {}

    def session(name: str, config: InstrumentConfig) -> Transport:
        cuts[name] = Cut(bench.transport(name, config), -1)
        return cuts[name]

    substrate = open_bench(bench.config, session, bench.sleep, Clock())
    substrate.settle(inputs(substrate))
    cuts[lost].left = 0
    with pytest.raises(TransportError, match="cable cut") as error:
        substrate.settle(inputs(substrate, -0.3))
    told = "".join(error.value.__notes__)
    assert lost in told or lost == "board"
    assert "may not be safe" in told
    report = bench.report()
    on = {where for where, state in report.sources.items() if state.output_on}
    assert {where.split(".")[0] for where in on} <= {lost}
    with pytest.raises(ClosedError):
        substrate.settle(inputs(substrate))
    substrate.close()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_more_pulses_than_go_into_one_exchange_all_arrive(wiring: str) -> None:
    bench = bench_of(wiring, programming={"most_pulses": 7})
    with opened(bench) as substrate:
        n = substrate.spec.topology.n_devices
        before = bench.device_siemens()
        counts = np.arange(n) % 20 + 3
        substrate.pulse(counts)
        moved = (bench.device_siemens() - before) / substrate.spec.pulse_siemens
        np.testing.assert_allclose(moved, counts, rtol=1e-6)
        assert substrate.write_counts().tolist() == counts.tolist()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_budget_that_would_be_overdrawn_is_refused_whole(wiring: str) -> None:
    bench = bench_of(wiring, programming={"budget_pulses": 5})
    with opened(bench) as substrate:
        n = substrate.spec.topology.n_devices
        substrate.pulse(np.full(n, 3))
        before = bench.device_siemens()
        counts = np.zeros(n, np.int64)
        counts[-1] = -3
        with pytest.raises(SafetyError, match="budget is 5"):
            substrate.pulse(counts)
        assert np.array_equal(bench.device_siemens(), before)
        substrate.settle(inputs(substrate))


@pytest.mark.parametrize("wiring", WIRINGS)
def test_targets_are_programmed_and_verified(wiring: str) -> None:
    bench = bench_of(wiring)
    with opened(bench) as substrate:
        low, high = substrate.spec.window_siemens
        n = substrate.spec.topology.n_devices
        target = np.random.default_rng(0).uniform(low, high, n)
        tolerance = substrate.spec.pulse_siemens
        assert isinstance(substrate, ProgramsConductance)
        read = substrate.program_conductance(target, tolerance)
        assert np.abs(read - target).max() <= tolerance
        assert np.abs(bench.device_siemens() - target).max() <= 1.1 * tolerance


def test_a_device_that_cannot_get_there_is_told_and_the_bench_goes_on() -> None:
    devices = {"preset": "ideal", "stuck": {"low": 0.5}}
    bench = bench_of("board", emulation={"substrate": {"devices": devices}})
    with opened(bench) as substrate:
        n = substrate.spec.topology.n_devices
        high = substrate.spec.window_siemens[1]
        assert isinstance(substrate, ProgramsConductance)
        with pytest.raises(ProgramError) as error:
            substrate.program_conductance(np.full(n, 0.9 * high), substrate.spec.pulse_siemens)
        assert error.value.evidence["devices"].size > 0
        assert substrate.settle(inputs(substrate)).ok.all()
