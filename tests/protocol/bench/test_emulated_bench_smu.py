"""Wiring (a): sources, switches, neurons and voltmeter meet in one circuit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from drivers.bench.access import Access
from drivers.bench.equipment import Equipment
from drivers.bench.phases_smu import SmuPhases
from drivers.emulated.bench import EmulatedBench
from drivers.emulated.bench.report import Events, SourceState
from hil.errors import ConfigurationError
from hil.substrate import Drive
from tests.protocol.bench.emulated import IRIS, SMALL, ask, bench_of, iris, tell
from tests.protocol.bench.test_emulated_bench_chip import WINDOW


class Used:
    """A bench whose instruments are on, its lines joined to what they work with."""

    def __init__(self, bench: EmulatedBench) -> None:
        self.bench = bench
        self.equipment = Equipment.connect(bench.config, bench.transport, bench.sleep)
        self.equipment.prepare()
        self.phases = SmuPhases(bench.config, self.equipment, bench.sleep)
        self.access = Access(bench.config, self.equipment, bench.sleep)
        self.phases.energise()
        self.access.energise()
        self.access.connect_work()


@pytest.fixture
def used() -> Iterator[Used]:
    """A small one, without noise."""
    found = Used(bench_of("smu"))
    yield found
    found.equipment.close()


def drives(bench: EmulatedBench, n: int) -> list[Drive]:
    rng, topology = np.random.default_rng(4), bench.config.network.topology
    volts = rng.uniform(-0.5, 0.5, (n, topology.inputs.size))
    amps = rng.uniform(-2e-6, 2e-6, (n, topology.outputs.size))
    return [Drive(volts, None), Drive(volts, amps), Drive(volts, -amps)]


def test_phases_settle_as_simulated() -> None:
    used = Used(bench_of("smu", IRIS))
    wanted = drives(used.bench, 6)
    found = used.phases.settle_each(wanted)
    simulated = iris(WINDOW | {"initial.scale_siemens": [1e-4]}, 3).substrate
    for drive, settled in zip(wanted, found, strict=True):
        assert settled.ok.all()
        expected = simulated.settle(drive).node_volts
        # 10 GOhm of the voltmeter, 1e-14 S of every net, six digits of a reading.
        np.testing.assert_allclose(settled.node_volts, expected, atol=1e-5)
    assert not np.allclose(found[0].node_volts, found[1].node_volts, atol=1e-4)


@pytest.mark.parametrize("gains", [None, (2.0, 0.5)])
@pytest.mark.parametrize("neurons", ["ideal_diodes", "shockley_pairs", "linear"])
def test_neurons_and_amplifiers_are_in_the_circuit(
    gains: tuple[float, float] | None, neurons: str
) -> None:
    table: dict[str, Any] = {"kind": neurons}
    if neurons == "shockley_pairs":
        table |= {"lower_volts": -0.1, "upper_volts": 0.1}
    network: dict[str, Any] = {"neuron_volts": 0.1}
    if gains is not None:
        network["amplifiers"] = {"forward_gain": gains[0], "backward_gain": gains[1]}
    bench = bench_of(
        "smu",
        (4, [3, 3], 2, [True, True, False]),
        emulation={"substrate": {"neurons": table}},
        network=network,
        envelope={"read_volts": 10.0},
        instruments={"meter": {"volts_range": 10.0}},
        phases={"nudge_limit_volts": 2.0},
    )
    found = Used(bench).phases.settle_each(drives(bench, 3))
    topology, siemens = bench.config.network.topology, bench.device_siemens()
    for settled, drive in zip(found, drives(bench, 3), strict=True):
        assert settled.ok.all()
        drop = settled.node_volts[:, topology.tails] - settled.node_volts[:, topology.heads]
        into = np.zeros_like(settled.node_volts)
        for side, sign in ((topology.heads, 1.0), (topology.tails, -1.0)):
            for example in range(len(into)):
                np.add.at(into[example], side, sign * siemens * drop[example])
        # Kirchhoff at the outputs, which have no neurons.
        amps = 0.0 if drive.nudge_amps is None else drive.nudge_amps
        np.testing.assert_allclose(into[:, topology.outputs] + amps, 0.0, atol=3e-9)
        if gains is not None:
            near, far = topology.groups[0].heads, topology.groups[1].tails[:3]
            volts = settled.node_volts
            np.testing.assert_allclose(volts[:, far], gains[0] * volts[:, near], atol=2e-5)


def test_single_devices_are_read_and_programmed(used: Used) -> None:
    bench, access = used.bench, used.access
    access.connect_idle()
    before = bench.device_siemens()
    np.testing.assert_allclose(access.read(), before, rtol=1e-6)
    assert np.abs(bench.take_drops()).max() == pytest.approx(0.1)
    counts = np.random.default_rng(6).integers(-3, 4, before.size)
    access.pulse(counts)
    pulse = bench.config.network.pulse_siemens
    expected = np.clip(before + counts * pulse, 1e-6, 1e-4)
    np.testing.assert_allclose(bench.device_siemens(), expected, rtol=1e-12)
    drops = bench.take_drops()
    np.testing.assert_allclose(drops[counts > 0], 2.0, rtol=1e-9)
    np.testing.assert_allclose(drops[counts < 0], -2.0, rtol=1e-9)
    assert np.abs(drops[counts == 0]).max() <= 1.0 + 1e-9
    assert bench.report().switches["matrix"].n_hot == 0


def test_programming_answers_as_simulated_devices_do() -> None:
    """Devices with a spread, drawn and pulsed as on the simulated chip."""
    table = {"devices": {"preset": "ecram-li", "pulses": {"cycle_spread": 0.0}}}
    bench = bench_of("smu", IRIS, 5, {"substrate": table})
    simulated = iris(
        WINDOW
        | {"initial.scale_siemens": [1e-4]}
        | {"devices": "ecram-li", "devices.pulses.cycle_spread": 0.0},
        5,
    )
    access = Used(bench).access
    access.connect_idle()
    counts = np.random.default_rng(6).integers(-3, 4, bench.device_siemens().size)
    before = bench.device_siemens()
    access.pulse(counts)
    simulated.substrate.pulse(counts)
    np.testing.assert_allclose(bench.device_siemens(), simulated.conductance_siemens(), rtol=1e-9)
    assert (bench.device_siemens() != before).sum() > 50


def test_half_selected_devices_are_disturbed_if_they_are_such() -> None:
    disturb = {"scheme": "half", "half_select_share": 0.1}
    devices = {"devices": {"preset": "ideal", "disturb": disturb}}
    start = {"kind": "uniform", "low_siemens": 4e-5, "high_siemens": 5e-5}
    bench = bench_of("smu", (4, [3], 2), 5, {"substrate": devices | {"initial": start}})
    access = Used(bench).access
    access.connect_idle()
    before = bench.device_siemens()
    counts = np.zeros(before.size, np.int64)
    counts[0] = 3
    access.pulse(counts)
    moved = (bench.device_siemens() - before)[:12].reshape(4, 3)
    assert moved[0, 0] > 0.0
    np.testing.assert_allclose(moved[0, 1:], 0.1 * moved[0, 0], rtol=1e-6)
    np.testing.assert_allclose(moved[1:, 0], 0.1 * moved[0, 0], rtol=1e-6)
    assert not moved[1:, 1:].any()


def test_events_tell_what_happened_in_order(used: Used) -> None:
    bench = used.bench
    bench_events = bench.report().events
    for where in (*bench.config.phases.inputs, "out1.a", "access.b"):  # type: ignore[union-attr]
        mine = [event for event in bench_events if event.where == where]
        assert [(event.what, event.value) for event in mine] == [("output", 1.0)]
    tell(bench, "in1", "smua.source.levelv = 0.25", "smua.source.levelv = 0.125")
    tell(bench, "in1", "smua.source.levelv = 0 smua.source.output = 0")
    tell(bench, "matrix", "channel.open('allslots')")
    new = bench.report().events[len(bench_events) :]
    assert [(event.where, event.what, event.value) for event in new] == [
        ("in1.a", "level", 0.25),
        ("in1.a", "level", 0.125),
        ("in1.a", "level", 0.0),
        ("in1.a", "output", 0.0),
        ("matrix", "opened", 0.0),
    ]
    assert len(new[-1].names) == 9
    times = [event.seconds for event in bench.report().events]
    assert all(one <= other for one, other in itertools.pairwise(times))


def test_report_is_what_instruments_say(used: Used) -> None:
    bench = used.bench
    tell(bench, "in1", "smua.source.levelv = 0.25 smua.source.limiti = 1e-7")
    tell(bench, "out1", "smua.source.leveli = 1e-6")
    report = bench.report()
    assert not report.is_safe
    assert report.sources["in1.a"] == SourceState(True, "volts", 0.25, True)
    assert report.sources["out1.a"].quantity == "amps"
    assert report.sources["out1.a"].level == pytest.approx(1e-6)
    assert not report.sources["in1.b"].limited
    assert ask(bench, "in1", "print(smua.source.compliance)") == "true"
    closed = set(ask(bench, "matrix", "print(channel.getclose('allslots'))").split(";"))
    assert report.switches["matrix"].closed == closed
    for name in bench.models:
        if bench.models[name] == "keithley2600b":
            tell(bench, name, "smua.source.output = 0 smub.source.output = 0")
    assert bench.report().is_safe


def test_a_relay_that_moves_under_voltage_is_counted(used: Used) -> None:
    bench = used.bench
    tell(bench, "in1", "smua.source.levelv = 0.25")
    before = bench.report().switches["matrix"].n_hot
    tell(bench, "matrix", "channel.open('4001')")
    after = bench.report().switches["matrix"].n_hot
    assert (before, after) == (0, 1)


def test_records_do_not_grow_without_limit(used: Used) -> None:
    bench = used.bench
    tell(bench, "matrix", "for k = 1, 80 do channel.open('4001') channel.close('4001') end")
    assert len(bench._switches["matrix"].relays.log) <= 100
    events = Events(lambda: 0.0)
    for k in range(25_000):
        events.add("in1.a", "level", k)
    assert len(events.all) <= 20_000
    assert events.all[-1].value == 24_999


def test_errors_of_instruments_are_their_own_and_the_seed_s() -> None:
    def read(seed: int) -> list[str]:
        bench = bench_of("smu", SMALL, seed, {"noise": "data_sheet"})
        return [ask(bench, name, "print(smua.measure.v())") for name in ("in1", "in2", "access")]

    first = read(1)
    assert len(set(first)) == 3
    assert first == read(1)
    assert not set(first) & set(read(2))


def test_a_reading_too_early_shows_it() -> None:
    """Nodes have a capacitance; nobody waits but who knows of it."""
    bench = bench_of("smu", SMALL, 3, {"node_farads": 1e-6})
    (early,) = Used(bench).phases.settle_each(drives(bench, 1)[:1])
    exact = Used(bench_of("smu", SMALL, 3)).phases.settle_each(drives(bench, 1)[:1])[0]
    assert np.abs(early.node_volts - exact.node_volts).max() > 1e-3
    bench = bench_of("smu", SMALL, 3, network={"node_farads": 1e-6})
    (late,) = Used(bench).phases.settle_each(drives(bench, 1)[:1])
    np.testing.assert_allclose(late.node_volts, exact.node_volts, atol=1e-4)


def test_switches_have_resistance_if_asked_to() -> None:
    used = Used(bench_of("smu", emulation={"switch_ohms": 1000.0}))
    used.access.connect_idle()
    found, true = used.access.read(), used.bench.device_siemens()
    assert (found < 0.999 * true).any()
    np.testing.assert_allclose(found, true, rtol=0.5)


def test_there_are_no_other_instruments(used: Used) -> None:
    entry = used.bench.config.instruments["in1"]
    with pytest.raises(ConfigurationError, match="no instrument 'in9'; it has: in1, in2"):
        used.bench.transport("in9", entry)


def test_other_instruments_can_do_the_work() -> None:
    """A 2450 an input, 6221 for the nudge, a B2962A for access, 34970A as the meter."""
    smu = {"model": "keithley2450", "address": "x", "volts_limit": 2.0, "amps_limit": 1e-2}
    instruments: dict[str, Any] = {
        f"in{k}": smu | {"address": f"TCPIP::{k}::5025::SOCKET"} for k in range(1, 5)
    }
    instruments["out1"] = smu | {"model": "keithley6221", "address": "TCPIP::5::5025::SOCKET"}
    instruments["access"] = smu | {"model": "keysightb2900", "line_cycles": 0.01}
    instruments["meter"] = {"model": "agilent34970a", "line_cycles": 0.2}
    bench = bench_of(
        "smu",
        SMALL,
        instruments=instruments,
        phases={"inputs": ["in1", "in2", "in3", "in4"], "outputs": ["out1"]},
        access={"high": "access.1", "low": "access.2"},
    )
    assert bench.models["out1"] == "keithley6221"
    used = Used(bench)
    wanted = drives(bench, 2)
    simulated = Used(bench_of("smu", SMALL)).phases.settle_each(wanted)
    for one, other in zip(used.phases.settle_each(wanted), simulated, strict=True):
        np.testing.assert_allclose(one.node_volts, other.node_volts, atol=1e-5)
    used.access.connect_idle()
    np.testing.assert_allclose(used.access.read(), bench.device_siemens(), rtol=1e-5)
