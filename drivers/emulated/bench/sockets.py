"""Wiring (a): a chip's arrays, its neurons, and sources in the place of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from drivers.bench.config import BUSES, BenchConfig
from drivers.emulated.bench.chip import memristors_of, order_of
from drivers.emulated.bench.settings import EmulationConfig, substrate_of
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_crossbar import BenchNets, take_apart
from drivers.emulated.circuit_world_devices import PulsePhysics
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.world import World
from sim_backend.drawing import DrawsCircuit
from sim_backend.memristors.interface import Floats
from sim_backend.memristors.memristors import Memristors
from sim_backend.nodal.elements import GROUND, Circuit, Resistor

__all__ = ["Sockets", "bus_nets", "smu_sockets", "switches_of", "with_soft_ground"]

_SOFT = "bus.soft"
_HALF_SHARE, _THIRD_SHARE = 0.42, 0.25


@dataclass(frozen=True)
class Sockets:
    """What instruments are wired to.

    Attributes:
        world: all nets; a line is called as in the bench file.
        seen: that world for instruments: up to date whenever they look.
        source_nets: of the HI terminal of each source channel.
        meter_nets: of that of each channel of the voltmeter.
        work_nets: what ``work`` joins a line to.
        device_siemens: (n_devices,) true conductances now.
        take_drops: (n_devices,) volts, see ``EmulatedBench.take_drops``.
    """

    world: CircuitWorld
    seen: World
    source_nets: dict[str, str]
    meter_nets: dict[str, str]
    work_nets: dict[str, str]
    device_siemens: Callable[[], Floats]
    take_drops: Callable[[], Floats]


def smu_sockets(config: BenchConfig, emulation: EmulationConfig, seed: int) -> Sockets:
    """The chip with its neurons, every line behind a contact of its own."""
    assert config.phases.kind == "smu"
    substrate, topology = substrate_of(config, emulation), config.network.topology
    order = order_of(config, substrate, seed)
    exact = substrate.exact(order)
    assert isinstance(exact, DrawsCircuit)
    drawn = exact.circuit(np.zeros(topology.inputs.size), None)
    nets = take_apart(drawn, topology, exact.node_names())
    memristors = memristors_of(substrate, np.asarray(exact.read_conductance(), np.float64), order)
    farads = emulation.node_farads
    farads = config.network.node_farads if farads is None else farads
    nodes = [nets.nodes[node] for node in config.network.read_nodes]
    world = CircuitWorld(
        with_soft_ground(nets.circuit, emulation),
        nets.devices,
        physics=_physics(config, emulation, memristors, order.noise("pulses")),
        farads=dict.fromkeys(nodes, farads) if farads else None,
    )
    inputs = {channel: f"{channel}.hi" for channel in config.phases.inputs}
    outputs = [nets.nodes[node] for node in topology.outputs]
    return Sockets(
        world,
        world,
        inputs | dict(zip(config.phases.outputs, outputs, strict=True)) | bus_nets(config),
        dict(zip(config.phases.voltmeter_channels, nodes, strict=True)),
        _work_nets(nets, list(inputs.values())),
        lambda: world.device_siemens,
        lambda: world.take_drops().volts,
    )


def with_soft_ground(circuit: Circuit, emulation: EmulationConfig) -> Circuit:
    """The circuit and the resistor that lines are grounded through softly."""
    soft = Resistor("soft_ground", _SOFT, GROUND, 1.0 / emulation.soft_ground_ohms)
    return replace(circuit, elements=(*circuit.elements, soft))


def bus_nets(config: BenchConfig) -> dict[str, str]:
    """Net of each source channel that programs and reads single devices: its bus."""
    access = config.access
    if access is None:
        return {}
    channels = {bus: getattr(access, bus) for bus in ("high", "low", "third", "two_thirds")}
    return {channel: f"bus.{bus}" for bus, channel in channels.items() if channel is not None}


def switches_of(
    config: BenchConfig, emulation: EmulationConfig, sockets: Sockets
) -> Iterator[Switches]:
    """All crosspoints of each switching instrument."""
    contacts: dict[str, dict[str, tuple[str, str]]] = {}
    for bus in BUSES:
        for line, (instrument, point) in config.crosspoints(bus).items():
            if bus == "work" and line not in sockets.work_nets:
                continue
            net = {"ground": GROUND, "work": sockets.work_nets.get(line, "")}.get(bus, f"bus.{bus}")
            contacts.setdefault(instrument, {})[point] = line, net
    for name, points in contacts.items():
        yield Switches.matrix(name, points, emulation.switch_ohms)


def _physics(
    config: BenchConfig,
    emulation: EmulationConfig,
    memristors: Memristors,
    rng: np.random.Generator,
) -> PulsePhysics:
    """Pulses as the bench file says; what disturbs nothing is not counted."""
    programming, disturb = config.programming, memristors.model.disturb
    shares = [(emulation.full_pulse_share, 1.0)]
    if disturb.half_select_share > 0.0:
        shares.append((_HALF_SHARE, disturb.half_select_share))
    if disturb.third_select_share > 0.0:
        shares.append((_THIRD_SHARE, disturb.third_select_share))
    amplitudes = programming.set_volts, programming.reset_volts
    return PulsePhysics(memristors, *amplitudes, programming.width_seconds, rng, shares)


def _work_nets(nets: BenchNets, inputs: list[str]) -> dict[str, str]:
    """Neurons, and the sources of input lines."""
    found = dict(zip(nets.inputs, inputs, strict=True))
    for pairs in nets.isolation.contacts.values():
        found |= dict(pairs)
    return found
