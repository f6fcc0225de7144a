"""Every source in its role, wired to an emulated instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.bench.roles import Source
from drivers.bench.sources import make_source
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_devices import PulsePhysics
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley6221 import EmulatedKeithley6221
from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.keysightb2900_models import B2912A
from drivers.emulated.world import Channel, ResistorWorld, World
from sim_backend.memristors.linear_step import LinearStep
from sim_backend.memristors.memristors import DeviceModel, Memristors
from sim_backend.memristors.spread import Steps
from sim_backend.nodal.elements import GROUND, Circuit, Resistors
from tests.protocol.bench.instruments import Recorded, entry, session

CHANNELS = {
    "keithley2400": ("",),
    "keithley2450": ("",),
    "keithley2600b": ("a", "b"),
    "keysightb2900": ("1", "2"),
    "keithley6221": ("",),
}
SMUS = [model for model in CHANNELS if model != "keithley6221"]
DUAL = ["keithley2600b", "keysightb2900"]
SHORTEST_SECONDS = {
    "keithley2400": 2e-3, "keithley2450": 2e-3, "keithley2600b": 1e-4, "keysightb2900": 1e-4,
}  # fmt: skip
LIMITS = {"volts_limit": 5.0, "amps_limit": 1e-2}


@dataclass
class Rig:
    """A source, what is behind it, and the messages between them."""

    source: Source
    instrument: EmulatedInstrument
    channels: Mapping[str, Channel]
    session: Recorded

    def n_exchanges(self) -> int:
        return len(self.session.sent)


def emulated(model: str, world: World) -> tuple[EmulatedInstrument, dict[str, Channel]]:
    match model:
        case "keithley2600b":
            dual = EmulatedKeithley2600B(world)
            return dual, dict(dual.channels)
        case "keysightb2900":
            other = EmulatedKeysightB2900(world, B2912A)
            return other, {str(number): channel for number, channel in other.channels.items()}
    kinds = {
        "keithley2400": EmulatedKeithley2400,
        "keithley2450": EmulatedKeithley2450,
        "keithley6221": EmulatedKeithley6221,
    }
    single = kinds[model](world)
    return single, {"": single.channel}


def rig(model: str, world: World | None = None, **values: object) -> Rig:
    """A source that is prepared, with 10 kOhm at every channel unless a world is given."""
    instrument, channels = emulated(model, world or ResistorWorld(1e4))
    spoken = session(instrument)
    source = make_source(entry(model, **LIMITS | values), spoken, CHANNELS[model])
    source.prepare()
    return Rig(source, instrument, channels, spoken)


def device_world(
    volts: float, width_seconds: float, grounded: bool
) -> tuple[CircuitWorld, PulsePhysics]:
    """One device from net ``a`` to net ``b``, or to ground, that counts pulses."""
    model = DeviceModel(LinearStep(Steps(1e-3)))
    devices = Memristors(model, (1e-5, 1e-3), np.array([1e-4]), np.random.default_rng(0))
    physics = PulsePhysics(devices, volts, volts, width_seconds, np.random.default_rng(1))
    head = GROUND if grounded else "b"
    circuit = Circuit([Resistors.crossbar("g", ["a"], [head], np.ones((1, 1)))])
    return CircuitWorld(circuit, ["g"], physics=physics), physics


def wire(world: CircuitWorld, channel: Channel, net: str) -> None:
    channel.hi, channel.lo = net, GROUND
    world.attach(channel)
