"""Time in the world of a bench: pulses that change devices, and nodes that settle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_devices import PulsePhysics
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.world import Channel, CurrentForce, VoltageForce
from hil.errors import ConfigurationError, UsageError
from sim_backend.memristors.disturb import Disturb
from sim_backend.memristors.linear_step import LinearStep
from sim_backend.memristors.memristors import DeviceModel, Memristors
from sim_backend.memristors.spread import Steps
from sim_backend.nodal.elements import GROUND, Circuit, Resistor, Resistors

WINDOW = (1e-5, 1e-3)
STEP = 0.5 * 0.01 * (WINDOW[1] - WINDOW[0])
WIDTH = 10e-6


def programmable(half: float = 0.0) -> tuple[CircuitWorld, dict[str, Channel], PulsePhysics]:
    model = DeviceModel(LinearStep(Steps(0.01)), disturb=Disturb(half_select_share=half))
    devices = Memristors(model, WINDOW, np.full(4, 5e-4), np.random.default_rng(0))
    physics = PulsePhysics(devices, 1.0, 1.0, WIDTH, np.random.default_rng(1))
    rows, columns = ["r0", "r1"], ["c0", "c1"]
    circuit = Circuit([Resistors.crossbar("g", rows, columns, np.ones((2, 2)))])
    channels = {net: Channel(net, net, GROUND) for net in (*rows, *columns)}
    world = CircuitWorld(circuit, ["g"], list(channels.values()), physics=physics)
    for channel in channels.values():
        channel.stance = VoltageForce(0.0, 0.1)
    return world, channels, physics


def pulse(
    world: CircuitWorld, channels: dict[str, Channel], levels: dict[str, float], seconds: float
) -> None:
    for net, volts in levels.items():
        channels[net].stance = VoltageForce(volts, 0.1)
    world.elapse(seconds)
    for net in levels:
        channels[net].stance = VoltageForce(0.0, 0.1)
    world.elapse(1e-6)


def test_a_full_pulse_programs_and_half_of_it_does_not() -> None:
    world, channels, _ = programmable()
    pulse(world, channels, {"r0": 0.5, "c0": -0.5}, WIDTH)
    np.testing.assert_allclose(world.device_siemens, [5e-4 + STEP, 5e-4, 5e-4, 5e-4])
    pulse(world, channels, {"r0": -0.5, "c0": 0.5}, 3 * WIDTH)
    np.testing.assert_allclose(world.device_siemens, [5e-4 - 2 * STEP, 5e-4, 5e-4, 5e-4])
    # What is programmed is what is read.
    channels["r0"].stance = VoltageForce(0.1, 0.1)
    amps = -world.reading(channels["c0"]).amps
    assert amps == pytest.approx(0.1 * (5e-4 - 2 * STEP))


def test_half_selected_devices_are_disturbed_by_their_share() -> None:
    world, channels, physics = programmable(half=0.1)
    pulse(world, channels, {"r0": 0.5, "c0": -0.5}, WIDTH)
    after = world.device_siemens - 5e-4
    assert after[0] == pytest.approx(STEP)
    np.testing.assert_allclose(after[1:3], 0.1 * STEP, rtol=1e-6)
    assert after[3] == 0.0
    assert physics.counts[:, 1].tolist() == [0, 1, 0]


def test_a_pulse_is_as_long_as_all_its_pieces_and_no_shorter_one_counts() -> None:
    world, channels, physics = programmable()
    for _ in range(5):
        pulse(world, channels, {"r0": 1.0}, 0.8 * WIDTH)
    assert not physics.counts.any()
    channels["r0"].stance = VoltageForce(1.0, 0.1)
    for _ in range(8):
        world.elapse(WIDTH / 4)
    assert physics.counts[0].tolist() == [2, 2, 0, 0]
    assert world.now_seconds == pytest.approx(5 * (0.8 * WIDTH + 1e-6) + 2 * WIDTH)


def test_programming_changes_the_state_that_goes_on() -> None:
    """A device behind a resistance takes less of the voltage the more it conducts."""
    model = DeviceModel(LinearStep(Steps(0.01)))
    devices = Memristors(model, WINDOW, np.array([1e-4]), np.random.default_rng(0))
    physics = PulsePhysics(devices, 1.0, 1.0, WIDTH, np.random.default_rng(1))
    circuit = Circuit(
        [
            Resistors.crossbar("g", ["a"], ["b"], np.ones((1, 1))),
            Resistor("r", "b", GROUND, 1e-3),
        ]
    )
    channel = Channel("a", "a", GROUND)
    world = CircuitWorld(circuit, ["g"], [channel], physics=physics)
    channel.stance = VoltageForce(1.0, 1.0)
    for _ in range(100):
        world.elapse(WIDTH)
    final = world.device_siemens[0]
    assert world.drops()[0] == pytest.approx(1e-3 / (1e-3 + final))
    assert 0.75 - 0.01 < world.drops()[0] < 0.75
    with pytest.raises(ValueError, match="positive"):
        PulsePhysics(devices, 1.0, 0.0, WIDTH, np.random.default_rng(1))


def test_time_moves_by_elapsing_only_and_never_back() -> None:
    world, channels, _ = programmable()
    world.elapse(0.0)
    world.reading(channels["r0"])
    assert world.now_seconds == 0.0
    with pytest.raises(UsageError, match="backwards"):
        world.elapse(-1.0)


def settling() -> tuple[CircuitWorld, Channel]:
    """200 pF behind 100 kOhm and 300 kOhm to ground: 75 kOhm in parallel."""
    circuit = Circuit([Resistor("r", "in", "n", 1e-5), Resistor("s", "n", GROUND, 1e-5 / 3)])
    source = Channel("source", "in", GROUND)
    return CircuitWorld(circuit, channels=[source], farads={"n": 200e-12}), source


def test_a_reading_too_early_shows_it() -> None:
    world, source = settling()
    source.stance = VoltageForce(1.0, 1e-2)
    tau = 75e3 * 200e-12
    assert world.net_volts("n") == 0.0
    assert world.net_volts("in") == 1.0
    for _ in range(3):
        world.elapse(tau)
    assert world.net_volts("n") == pytest.approx(0.75 * (1 - math.exp(-3)))
    # A change on the way starts from there.
    source.stance = VoltageForce(0.0, 1e-2)
    world.elapse(tau)
    expected = 0.75 * (1 - math.exp(-3)) * math.exp(-1)
    assert world.net_volts("n") == pytest.approx(expected)


def test_the_charge_of_a_node_that_is_cut_off_stays_and_is_shared() -> None:
    switches = Switches.matrix("m", {"in": ("in", "n"), "out": ("n", "k")})
    source = Channel("source", "in", GROUND)
    world = CircuitWorld(
        Circuit([]), channels=[source], switches=[switches], farads={"n": 3e-12, "k": 1e-12}
    )
    source.stance = VoltageForce(1.0, 1e-2)
    world.switch("m", frozenset({"in"}))
    assert world.net_volts("n") == 1.0
    world.switch("m", frozenset())
    world.elapse(1e-3)
    assert world.net_volts("n") == pytest.approx(1.0, rel=1e-4)
    world.switch("m", frozenset({"out"}))
    assert world.net_volts("n") == world.net_volts("k") == pytest.approx(0.75, rel=1e-4)


def test_a_step_stresses_a_device_before_its_other_end_has_followed() -> None:
    circuit = Circuit([Resistors.crossbar("g", ["a"], ["b"], np.array([[1e-5]]))])
    channel = Channel("a", "a", GROUND)
    world = CircuitWorld(circuit, ["g"], [channel], farads={"b": 100e-12})
    world.take_drops()
    channel.stance = VoltageForce(0.5, 1e-2)
    world.elapse(1.0)
    assert world.drops() == pytest.approx([0.0], abs=1e-6)
    assert world.take_drops().volts == pytest.approx([0.5])


def test_devices_are_checked() -> None:
    circuit = Circuit([Resistors.crossbar("g", ["a"], ["b"], np.array([[1e-5]]))])
    with pytest.raises(ConfigurationError, match="no group of resistors called 'h'"):
        CircuitWorld(circuit, ["h"])
    channel = Channel("a", "a", "b")
    channel.stance = CurrentForce(1e-6, 10.0)
    world = CircuitWorld(circuit, ["g"], [channel])
    assert world.reading(channel).volts == pytest.approx(0.1)
    world.set_device_siemens(np.array([2e-5]))
    assert world.reading(channel).volts == pytest.approx(0.05)
    for wrong in ([1.0, 2.0], [-1.0], [math.nan]):
        with pytest.raises(UsageError):
            world.set_device_siemens(np.array(wrong))
