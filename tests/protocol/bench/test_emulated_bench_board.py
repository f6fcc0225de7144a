"""Wiring (b): a board around the chip, and an SMU that reaches the same devices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from drivers.bench.substrate import BenchSubstrate, open_bench
from drivers.emulated.bench import EmulatedBench
from hil.substrate import ComparesDrops, Drive, ReadsConductance
from tests.protocol.bench.emulated import IRIS, ask, bench_of, iris, tell
from tests.protocol.bench.test_emulated_bench_chip import WINDOW

SMALLEST_STEP = 1e-4
"""Volts: an ADC of 16 bits and 1 V resolves 30 uV, the DAC 15."""


@pytest.fixture
def bench() -> EmulatedBench:
    """Iris, without noise."""
    return bench_of("board", IRIS)


@pytest.fixture
def substrate(bench: EmulatedBench) -> Iterator[BenchSubstrate]:
    """What trains on it."""
    with open_bench(bench.config, bench.transport, bench.sleep) as found:
        yield found


def drives(n: int) -> list[Drive]:
    rng = np.random.default_rng(4)
    volts, amps = rng.uniform(-0.5, 0.5, (n, 10)), rng.uniform(-2e-6, 2e-6, (n, 3))
    return [Drive(volts, None), Drive(volts, amps), Drive(volts, -amps)]


def test_phases_settle_as_simulated(substrate: BenchSubstrate) -> None:
    simulated = iris(WINDOW | {"initial.scale_siemens": [1e-4]}, 3).substrate
    for drive, settled in zip(drives(6), substrate.settle_each(drives(6)), strict=True):
        assert settled.ok.all()
        expected = simulated.settle(drive).node_volts
        np.testing.assert_allclose(settled.node_volts, expected, atol=SMALLEST_STEP)


def test_comparators_see_the_same_devices(substrate: BenchSubstrate) -> None:
    simulated = iris(WINDOW | {"initial.scale_siemens": [1e-4]}, 3).substrate
    assert isinstance(substrate, ComparesDrops)
    assert isinstance(simulated, ComparesDrops)
    _, up, down = drives(8)
    found = substrate.accumulate_comparisons(down, up, 0.0)
    expected = simulated.accumulate_comparisons(down, up, 0.0)
    agree = found.votes == expected.votes
    assert agree.mean() > 0.9


def test_smu_and_board_meet_in_the_devices(bench: EmulatedBench, substrate: BenchSubstrate) -> None:
    assert isinstance(substrate, ReadsConductance)
    read = substrate.read_conductance
    before = bench.device_siemens()
    np.testing.assert_allclose(read(), before, rtol=1e-6)
    counts = np.random.default_rng(6).integers(-5, 6, before.size)
    substrate.pulse(counts)
    expected = np.clip(before + 1e-7 * counts, 1e-6, 1e-4)
    np.testing.assert_allclose(bench.device_siemens(), expected, rtol=1e-12)
    np.testing.assert_allclose(read(), expected, rtol=1e-6)
    assert bench.report().n_violations == 0
    assert bench.report().switches["matrix"].n_hot == 0


def test_an_smu_s_pulse_changes_what_the_board_sees(bench: EmulatedBench) -> None:
    with open_bench(bench.config, bench.transport, bench.sleep) as substrate:
        (before,) = substrate.settle_each(drives(3)[:1])
    start = bench.device_siemens()
    tell(bench, "board", ":ISOL 1;:LIN FLO")
    tell(bench, "matrix", "channel.exclusiveclose('1A01,1B11')")
    tell(bench, "access", "reset() smua.source.output = 1 smub.source.output = 1")
    tell(bench, "access", "smua.source.levelv = 1 smub.source.levelv = -1")
    for _ in range(30):
        bench.sleep(1e-3)
    tell(bench, "access", "smua.source.levelv = 0 smub.source.levelv = 0")
    moved = bench.device_siemens() - start
    assert np.flatnonzero(moved).tolist() == [0]
    assert moved[0] == pytest.approx(30e-7)
    assert bench.take_drops()[0] == pytest.approx(2.0)
    tell(bench, "access", "smua.source.output = 0 smub.source.output = 0")
    tell(bench, "matrix", "channel.open('allslots')")
    with open_bench(bench.config, bench.transport, bench.sleep) as substrate:
        (after,) = substrate.settle_each(drives(3)[:1])
    assert np.abs(after.node_volts - before.node_volts).max() > 10 * SMALLEST_STEP


def test_drops_are_known(bench: EmulatedBench, substrate: BenchSubstrate) -> None:
    topology = bench.config.network.topology
    states = substrate.settle_each(drives(6))
    volts = np.concatenate([state.node_volts for state in states])
    true = np.abs(volts[:, topology.tails] - volts[:, topology.heads]).max(axis=0)
    found = bench.take_drops()
    assert (np.abs(found) >= true - SMALLEST_STEP).all()
    # One bound an array, and one that a device of the array comes close to.
    for part in topology.slices:
        assert np.unique(found[part]).size == 1
        assert abs(found[part][0]) <= true[part].max() + SMALLEST_STEP
    counts = np.zeros(topology.n_devices, np.int64)
    counts[[0, 105]] = 2, -3
    substrate.pulse(counts)
    found = bench.take_drops()
    assert found[0] == pytest.approx(2.0, abs=5e-3)
    assert found[105] == pytest.approx(-2.0, abs=5e-3)
    others = np.delete(np.arange(counts.size), [0, 105])
    np.testing.assert_allclose(found[others], 1.0, atol=5e-3)
    assert not bench.take_drops().any()


def test_a_line_on_a_source_while_the_board_uses_it_is_a_violation(bench: EmulatedBench) -> None:
    tell(bench, "access", "smua.source.output = 1")
    tell(bench, "matrix", "channel.close('1A01')")
    report = bench.report()
    assert report.n_violations == 1
    assert "a0.r0 is on access.a" in report.events[-1].names[0]
    tell(bench, "matrix", "channel.open('1A01')")
    tell(bench, "board", ":ISOL 1;:LIN FLO")
    tell(bench, "matrix", "channel.close('1A01')")
    assert bench.report().n_violations == 1
    tell(bench, "board", ":LIN GRO;:ARM;:ISOL 0")
    assert bench.report().n_violations == 2
    tell(bench, "matrix", "channel.exclusiveclose('1C01')")
    report = bench.report()
    assert report.n_violations == 3
    assert "a0.r0 is on the bus ground" in report.events[-1].names[0]


def test_the_dead_man_timer_knows_the_bench_s_time(bench: EmulatedBench) -> None:
    tell(bench, "board", ":LIM:INP 30000;:DEAD 1000;:ARM;:ISOL 0;:INP:CODE 0,20000")
    state = bench.report().board
    assert state is not None
    assert (state.armed, state.isolated, state.energised) == (True, False, True)
    assert state.input_volts[0] == pytest.approx(0.5 * 20000 / 32767)
    bench.sleep(0.9)
    assert ask(bench, "board", ":STAT?").startswith("1,0")
    bench.sleep(1.1)
    state = bench.report().board
    assert state is not None
    assert (state.armed, state.isolated, state.energised) == (False, True, False)
    last = [event for event in bench.report().events if event.where == "board"][-1]
    assert last.names == ("disarmed", "isolated", "idle")
    assert last.seconds == pytest.approx(2.0)
    assert bench.report().is_safe


def test_runs_take_their_time(bench: EmulatedBench) -> None:
    """Without anybody who sleeps, a board that only ever runs does not time out at once."""
    with open_bench(bench.config, bench.transport, lambda _: None) as substrate:
        assert bench._board is not None
        before = bench._board.electronics.busy_seconds
        substrate.settle_each(drives(5))
        assert bench._board.electronics.busy_seconds > before


def test_a_board_has_the_parts_that_the_table_says() -> None:
    parts = {"adc": {"bits": 12, "range_volts": 2.0}, "nudge": {"range_amps": 5e-5}}
    bench = bench_of("board", IRIS, emulation={"substrate": {"board": parts}})
    assert "IN=10,OUT=3,NODE=13" in ask(bench, "board", ":CAP?")
    assert bench._board is not None
    geometry = bench._board.electronics.geometry
    assert (geometry.adc_bits, geometry.adc_microvolts) == (12, 2_000_000)
    assert (geometry.nudge_picoamps, geometry.dac_microvolts) == (50_000_000, 500_000)
