"""Arrays on a bench: switches, sneak paths, single devices, half-selected ones, networks."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.emulated import circuit_world_solving
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_crossbar import take_apart
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.world import Channel, CurrentForce, Meter, Open, VoltageForce
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Drive
from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    Diode,
    DiodeModel,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver

ROWS, COLUMNS = ("r0", "r1"), ("c0", "c1")
SIEMENS = np.array([[1e-4, 2e-5], [5e-5, 3e-4]])


def array(**more: object) -> tuple[CircuitWorld, dict[str, Channel]]:
    """Two by two devices with a channel from every line to ground."""
    channels = {net: Channel(net, net, GROUND) for net in (*ROWS, *COLUMNS)}
    circuit = Circuit([Resistors.crossbar("g", ROWS, COLUMNS, SIEMENS)])
    return CircuitWorld(circuit, ["g"], list(channels.values()), **more), channels  # type: ignore[arg-type]


def force(channels: dict[str, Channel], **volts: float) -> None:
    for name, level in volts.items():
        channels[name].stance = VoltageForce(level, 1e-2)


def test_floating_lines_let_current_sneak() -> None:
    world, channels = array()
    force(channels, r0=0.2, c0=0.0)
    sneak = 1.0 / (1.0 / 2e-5 + 1.0 / 3e-4 + 1.0 / 5e-5)
    assert -world.reading(channels["c0"]).amps == pytest.approx(0.2 * (1e-4 + sneak), rel=1e-8)
    # With the other lines at 0 V the sensed column sees its own device alone.
    force(channels, r1=0.0, c1=0.0)
    assert -world.reading(channels["c0"]).amps == pytest.approx(0.2 * 1e-4, rel=1e-12)
    assert world.reading(channels["r0"]).amps == pytest.approx(0.2 * 1.2e-4, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "column", "drops"),
    [(0.5, 0.5, [1.0, 0.5, 0.5, 0.0]), (1 / 3, 2 / 3, [1.0, 1 / 3, 1 / 3, -1 / 3])],
)
def test_writing_one_device_stresses_the_others(
    row: float, column: float, drops: list[float]
) -> None:
    world, channels = array()
    world.elapse(1.0)
    force(channels, r0=0.0, r1=0.0, c0=0.0, c1=0.0)
    force(channels, r1=row, c1=column)
    force(channels, r0=1.0)
    np.testing.assert_allclose(world.drops(), drops, atol=1e-12)
    world.elapse(1e-6)
    force(channels, r0=0.0)
    force(channels, r1=0.0, c1=0.0)
    found = world.take_drops()
    # Between the steps of the lines devices see what nobody measures.
    np.testing.assert_allclose(np.abs(found.volts), [1.0, column, row, column], atol=1e-12)
    assert found.seconds[0] == 1.0
    np.testing.assert_allclose(world.take_drops().volts, 0.0, atol=1e-12)


def test_a_pulse_nobody_reads_is_logged_with_its_time() -> None:
    world, channels = array()
    force(channels, r0=0.0, r1=0.0, c0=0.0, c1=0.0)
    world.elapse(2.0)
    force(channels, r0=-3.0)
    force(channels, r0=1.0)
    found = world.take_drops()
    np.testing.assert_allclose(found.volts, [-3.0, -3.0, 0.0, 0.0], atol=1e-12)
    assert found.seconds.tolist()[:2] == [2.0, 2.0]
    # The state that goes on is part of the next log.
    np.testing.assert_allclose(world.take_drops().volts, [1.0, 1.0, 0.0, 0.0], atol=1e-12)


def test_switches_join_and_part_nets() -> None:
    smu, meter = Channel("smu", "force", GROUND), Channel("meter", "sense", GROUND)
    matrix = Switches.matrix(
        "m", {f"{line}{net}": (line, net) for line in ("force", "sense") for net in ("a", "b")}
    )
    circuit = Circuit([Resistor("r", "a", "b", 1e-3), Resistor("s", "b", GROUND, 1e-3)])
    world = CircuitWorld(circuit, channels=[smu, meter], switches=[matrix])
    smu.stance, meter.stance = VoltageForce(1.0, 1e-2), Meter(1e7)
    closed = world.relays("m")
    assert world.reading(smu).amps == pytest.approx(1e-14)
    assert world.reading(meter).volts == 0.0
    closed(frozenset({"forcea", "senseb"}))
    assert world.reading(smu).amps == pytest.approx(5e-4, rel=1e-3)
    assert world.reading(meter).volts == pytest.approx(1 / (2 + 1e-4), rel=1e-9)
    assert world.is_live("m", "senseb")
    # A loop of ideal switches is one net.
    closed(frozenset({"forcea", "forceb", "sensea", "senseb"}))
    assert world.reading(smu).amps == pytest.approx(1e-3 + 1e-7)
    assert world.reading(meter).volts == pytest.approx(1.0)
    closed(frozenset())
    assert world.reading(meter).volts == 0.0
    assert not world.is_live("m", "senseb")
    with pytest.raises(UsageError, match="no switches"):
        world.switch("n", frozenset())


def test_contacts_have_resistance_and_as_many_poles_as_wired() -> None:
    smu = Channel("smu", "hi", "lo")
    contacts = {"1": [("hi", "a"), ("lo", GROUND)]}
    world = CircuitWorld(
        Circuit([Resistor("r", "a", GROUND, 1e-2)]),
        channels=[smu],
        switches=[Switches("m", contacts, on_ohms=50.0)],
    )
    smu.stance = CurrentForce(1e-3, 10.0)
    assert world.reading(smu).limited
    world.switch("m", frozenset({"1", "not wired"}))
    assert world.reading(smu) == pytest.approx((0.2, 1e-3, False))


def test_between_break_and_make_a_state_exists() -> None:
    """A device that is let go while its other end is driven follows; its drop is logged."""
    one, other = Channel("one", "x", GROUND), Channel("other", "b", GROUND)
    switches = Switches.matrix("m", {"xa": ("x", "a"), "0a": ("a", GROUND)})
    circuit = Circuit([Resistors.crossbar("g", ["a"], ["b"], np.array([[1e-3]]))])
    world = CircuitWorld(circuit, ["g"], [one, other], [switches])
    one.stance, other.stance = VoltageForce(1.0, 1.0), VoltageForce(1.0, 1.0)
    world.switch("m", frozenset({"xa"}))
    world.take_drops()
    world.switch("m", frozenset({"0a"}))
    world.switch("m", frozenset({"xa"}))
    assert world.take_drops().volts == pytest.approx([-1.0])
    assert world.drops() == pytest.approx([0.0])


def test_many_levels_are_what_the_general_solver_finds() -> None:
    rng, n = np.random.default_rng(3), 6
    rows, columns = [f"r{k}" for k in range(n)], [f"c{k}" for k in range(n)]
    devices = Resistors.crossbar("g", rows, columns, rng.uniform(1e-6, 1e-4, (n, n)))
    model = DiodeModel(1e-9, 1.2, series_ohms=20.0)
    diodes = [Diode(f"up{c}", c, GROUND, model) for c in columns]
    diodes += [Diode(f"low{c}", GROUND, c, model) for c in columns]
    sources = [VoltageSource(f"v{r}", r, GROUND, 0.0) for r in rows]
    solver = Solver(Circuit([*sources, devices, *diodes]))
    channels = [Channel(r, r, GROUND) for r in rows]
    world = CircuitWorld(Circuit([devices, *diodes]), ["g"], channels)
    nodes = [name for name in solver.nodes if not name.endswith("#inner")]
    for _ in range(10):
        siemens = rng.uniform(1e-6, 1e-4, n * n)
        solver.set_resistors(np.concatenate([siemens]))
        world.set_device_siemens(siemens)
        for levels in rng.uniform(-2.0, 2.0, (3, n)):
            expected = solver.solve(levels[None])
            for channel, level in zip(channels, levels, strict=True):
                channel.stance = VoltageForce(float(level), 1.0)
            found = [world.net_volts(name) for name in nodes]
            np.testing.assert_allclose(found, expected.node_volts[0, : len(nodes)], atol=1e-9)
            amps = [world.reading(channel).amps for channel in channels]
            np.testing.assert_allclose(amps, -expected.source_amps[0], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("neurons", ["ideal_diodes", "shockley_pairs", "linear"])
@pytest.mark.parametrize("gains", [None, (4.0, 0.25), (3.0, 0.5)])
def test_a_network_taken_apart_and_joined_again_settles_as_before(
    build: object, neurons: str, gains: tuple[float, float] | None
) -> None:
    built = build((5, 4), neurons, gains=gains, biased=(True, True, False))  # type: ignore[operator]
    substrate, topology = built.substrate, built.topology
    rng = np.random.default_rng(5)
    inputs = rng.uniform(-0.5, 0.5, (4, topology.inputs.size))
    nudges = rng.uniform(-1e-5, 1e-5, (4, topology.outputs.size))
    expected = substrate.settle(Drive(inputs, nudges)).node_volts
    circuit = substrate.circuit(np.zeros(topology.inputs.size), None)
    nets = take_apart(circuit, topology, substrate.node_names())
    sources = [Channel(f"in{k}", net, GROUND) for k, net in enumerate(nets.inputs)]
    nudging = [Channel(f"nudge{k}", nets.nodes[n], GROUND) for k, n in enumerate(topology.outputs)]
    world = CircuitWorld(nets.circuit, nets.devices, [*sources, *nudging], [nets.isolation])
    world.switch("isolation", nets.connected)
    np.testing.assert_allclose(world.device_siemens, substrate.read_conductance())
    for volts, amps, wanted in zip(inputs, nudges, expected, strict=True):
        for channel, level in zip(sources, volts, strict=True):
            channel.stance = VoltageForce(float(level), 1.0)
        for channel, level in zip(nudging, amps, strict=True):
            channel.stance = CurrentForce(float(level), 10.0)
        found = np.array([world.net_volts(net) for net in nets.nodes])
        np.testing.assert_allclose(found, wanted, atol=1e-8)
        drops = wanted[topology.tails] - wanted[topology.heads]
        np.testing.assert_allclose(world.drops(), drops, atol=2e-8)
    with pytest.raises(ConfigurationError, match="not drawn"):
        take_apart(Circuit([]), topology, substrate.node_names())


def test_isolated_arrays_are_read_device_by_device(build: object) -> None:
    built = build((3,), "shockley_pairs", gains=(4.0, 0.25))  # type: ignore[operator]
    substrate, topology = built.substrate, built.topology
    circuit = substrate.circuit(np.full(topology.inputs.size, 0.3), None)
    nets = take_apart(circuit, topology, substrate.node_names(), on_ohms=10.0)
    lines = [net for lines in nets.arrays for net in (*lines.rows, *lines.columns)]
    channels = {net: Channel(net, net, GROUND) for net in lines}
    world = CircuitWorld(nets.circuit, nets.devices, list(channels.values()), [nets.isolation])
    for channel in channels.values():
        channel.stance = VoltageForce(0.0, 1e-2)
    read = []
    for device in range(topology.n_devices):
        row, column = nets.device_nets(device)
        channels[row].stance = VoltageForce(0.1, 1e-2)
        read.append(-world.reading(channels[column]).amps / 0.1)
        channels[row].stance = VoltageForce(0.0, 1e-2)
    np.testing.assert_allclose(read, substrate.read_conductance(), rtol=1e-9)
    assert np.abs(world.take_drops().volts).max() == pytest.approx(0.1)
    # Joined to its neurons, the array is loaded by diodes and amplifiers.
    for net in nets.arrays[0].columns:
        channels[net].stance = Open()
    first = channels[nets.arrays[0].rows[0]]
    first.stance = VoltageForce(0.1, 1e-2)
    alone = world.reading(first).amps
    world.switch("isolation", nets.connected)
    assert world.reading(first).amps > 1.01 * alone
    world.switch("isolation", frozenset())
    assert world.reading(first).amps == pytest.approx(alone)
    with pytest.raises(IndexError):
        nets.device_nets(topology.n_devices)


@pytest.mark.parametrize("neurons", ["ideal_diodes", "shockley_pairs"])
@pytest.mark.parametrize("gains", [None, (4.0, 0.25), (3.0, 0.5)])
def test_descent_leads_where_newtons_method_does(
    build: object,
    neurons: str,
    gains: tuple[float, float] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Limited sources in a network: once from the last state, once without any."""
    built = build((4, 3), neurons, gains=gains)  # type: ignore[operator]
    substrate, topology = built.substrate, built.topology
    circuit = substrate.circuit(np.zeros(topology.inputs.size), None)
    nets = take_apart(circuit, topology, substrate.node_names())
    ends = [*nets.inputs, *(nets.nodes[node] for node in topology.outputs)]
    channels = [Channel(net, net, GROUND) for net in ends]
    rng = np.random.default_rng(8)

    def world_of(stances: list[VoltageForce]) -> CircuitWorld:
        world = CircuitWorld(nets.circuit, nets.devices, switches=[nets.isolation])
        world.switch("isolation", nets.connected)
        for channel, stance in zip(channels, stances, strict=True):
            channel.stance = stance
            world.attach(channel)
        return world

    n_limited = 0
    for _ in range(10):
        levels = rng.uniform(-2.0, 2.0, len(channels)).tolist()
        limits = rng.choice([1e-5, 1e-3, 1e-1], len(channels)).tolist()
        stances = [VoltageForce(a, b) for a, b in zip(levels, limits, strict=True)]
        step_by_step, at_once = world_of(stances), world_of(stances)
        monkeypatch.setattr(circuit_world_solving, "_STEPS", 0)
        slow = [at_once.reading(channel) for channel in channels]
        monkeypatch.undo()
        for channel in channels:
            one, other = step_by_step.reading(channel), slow.pop(0)
            assert one[:2] == pytest.approx(other[:2], rel=1e-4, abs=1e-7)
            assert one.limited == other.limited
            n_limited += one.limited
        assert at_once._solving.n_relaxed > 0
    assert n_limited > 10
