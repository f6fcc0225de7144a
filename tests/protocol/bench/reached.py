"""Arrays in a circuit, reached through a 3706A by 2636Bs: only what single devices need."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.bench.access import Access
from drivers.bench.config import BenchConfig
from drivers.bench.equipment import Equipment
from drivers.bench.sources import make_source
from drivers.bench.switches import make_switch
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_devices import PulsePhysics
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.tsp.switch_cards import CARDS
from drivers.emulated.world import CurrentForce, VoltageForce
from drivers.transport.interface import Expect, Transport
from drivers.transport.memory import MemoryTransport
from sim_backend.memristors.linear_step import LinearStep
from sim_backend.memristors.memristors import DeviceModel, Memristors
from sim_backend.memristors.spread import Steps
from sim_backend.nodal.elements import GROUND, Circuit, Resistor, Resistors
from tests.protocol.bench.files import smu_bench

Values = NDArray[np.float64]

_NEURON_SIEMENS = 1e-2


class Watched:
    """A session that looks at the devices after every message, and may fail at one."""

    def __init__(self, inside: Transport, lab: Lab, name: str) -> None:
        self.inside = inside
        self.lab = lab
        self.name = name

    @property
    def address(self) -> str:
        return self.inside.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self.lab.exchanges.append(self.name)
        fails = self.lab.fails
        if fails is not None and fails[0] == self.name and fails[1] in request:
            self.lab.fails = None
            raise fails[2]
        try:
            return self.inside.exchange(request, expect)
        finally:
            self.lab.drops.append(self.lab.world.take_drops().volts)

    def clear(self) -> None:
        self.inside.clear()

    def close(self) -> None:
        self.inside.close()


class Lab:
    """A bench of wiring (a) without what only phases need.

    ``exchanges`` has the instrument of every message, ``drops`` the extreme voltage of every device
    during it. ``fails`` may name an instrument, a part of a message and an error: the first such
    message is lost.

    Args:
        sizes: of inputs, hidden layers and outputs.
        seed: of the errors of the data sheet; None: ideal instruments.
        on_ohms: of a closed contact.
        shorts: conductance besides the device's, by its lines.
        changes: see ``smu_bench``.
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (4, 3),
        *,
        seed: int | None = None,
        on_ohms: float = 0.0,
        shorts: Mapping[tuple[str, str], float] | None = None,
        **changes: Any,
    ) -> None:
        n_signals, *hidden, n_outputs = sizes
        text = smu_bench(n_signals, hidden, n_outputs, **changes)
        self.config = BenchConfig.model_validate(tomllib.loads(text))
        self.exchanges: list[str] = []
        self.drops: list[Values] = []
        self.fails: tuple[str, bytes, BaseException] | None = None
        self.slept: list[float] = []
        self._build_world(on_ohms, shorts or {})
        self._build_instruments(seed)
        self.equipment = Equipment(self.sources, {"matrix": self.switch}, {})
        self.access = Access(self.config, self.equipment, self.slept.append)

    def _build_world(self, on_ohms: float, shorts: Mapping[tuple[str, str], float]) -> None:
        config, topology = self.config, self.config.network.topology
        programming, network = config.programming, config.network
        window = network.g_min_siemens, network.g_max_siemens
        rng = np.random.default_rng(17)
        start = rng.uniform(*window, topology.n_devices)
        model = DeviceModel(LinearStep(Steps(0.01)))
        self.physics = PulsePhysics(
            Memristors(model, window, start, rng),
            programming.set_volts,
            programming.reset_volts,
            programming.width_seconds,
            np.random.default_rng(18),
        )
        arrays = []
        contacts: dict[str, tuple[str, str]] = {}
        for k, group in enumerate(topology.groups):
            rows = [f"a{k}.r{i}" for i in range(group.tails.size)]
            columns = [f"a{k}.c{j}" for j in range(group.heads.size)]
            arrays.append(
                Resistors.crossbar(f"g{k}", rows, columns, np.ones((len(rows), len(columns))))
            )
            # Lines of one neuron meet there, and neurons load them.
            works = dict(zip([*rows, *columns], [*group.tails, *group.heads], strict=True))
            for line, (_, point) in config.crosspoints("work").items():
                if line in works:
                    contacts[point] = (line, f"n{works[line]}")
        for bus in ("high", "low", "ground", "soft", "third", "two_thirds"):
            net = GROUND if bus == "ground" else bus
            for line, (_, point) in config.crosspoints(bus).items():
                contacts[point] = (net, line)
        neurons = [
            Resistor(f"neuron{n}", f"n{n}", GROUND, _NEURON_SIEMENS)
            for n in range(topology.n_nodes)
        ]
        across = [
            Resistor(f"short{k}", *ends, siemens)
            for k, (ends, siemens) in enumerate(shorts.items())
        ]
        self.world = CircuitWorld(
            Circuit([*arrays, *neurons, *across, Resistor("soft", "soft", GROUND, 1e-5)]),
            [array.name for array in arrays],
            switches=[Switches.matrix("matrix", contacts, on_ohms)],
            physics=self.physics,
        )

    def _build_instruments(self, seed: int | None) -> None:
        config, access = self.config, self.config.access
        assert access is not None
        cards = dict.fromkeys((1, 2, 3), CARDS["3730"]) | dict.fromkeys((4, 5), CARDS["3740"])
        self.matrix = EmulatedKeithley3706A(
            self.world,
            cards,
            on_change=self.world.relays("matrix"),
            is_live=lambda name: self.world.is_live("matrix", name),
        )
        session = Watched(MemoryTransport(self.matrix, "matrix"), self, "matrix")
        self.switch = make_switch(config.instruments["matrix"], session)
        buses = {"high": access.high, "low": access.low}
        buses |= {
            bus: channel
            for bus, channel in (("third", access.third), ("two_thirds", access.two_thirds))
            if channel is not None
        }
        self.smus: dict[str, EmulatedKeithley2600B] = {}
        self.sources = {}
        for place, name in enumerate(dict.fromkeys(x.split(".")[0] for x in buses.values())):
            random = None if seed is None else np.random.default_rng([seed, place])
            smu = EmulatedKeithley2600B(self.world, random=random, name=name)
            letters = []
            for bus, channel in buses.items():
                owner, letter = channel.split(".")
                if owner == name:
                    terminals = smu.channels[letter]
                    terminals.hi, terminals.lo = bus, GROUND
                    self.world.attach(terminals)
                    letters.append(letter)
            self.smus[name] = smu
            session = Watched(MemoryTransport(smu, name), self, name)
            self.sources[name] = make_source(config.instruments[name], session, letters)

    def start(self) -> Lab:
        """Prepared, energised, and lines with what they work with; what was said is forgotten."""
        for source in self.sources.values():
            source.prepare()
        self.switch.prepare()
        self.access.energise()
        self.access.connect_work()
        self.forget()
        return self

    def forget(self) -> None:
        """Begin to note anew."""
        self.exchanges.clear()
        self.world.take_drops()
        self.drops.clear()

    @property
    def largest_drops(self) -> Values:
        """(n_devices,) largest magnitude so far."""
        return np.asarray(np.abs(self.drops).max(axis=0))

    @property
    def pulses(self) -> NDArray[np.int64]:
        """(n_devices,) full pulses that devices felt, up minus down."""
        return self.physics.counts[0].copy()

    def levels(self) -> dict[str, float]:
        """What the sources bring to their terminals; NaN: not a voltage."""
        found = {}
        for name, smu in self.smus.items():
            for letter, channel in smu.channels.items():
                stance = channel.stance
                level = stance.volts if isinstance(stance, VoltageForce) else float("nan")
                # An output that was never switched on rests at no current.
                off = isinstance(stance, CurrentForce) and stance.amps == 0.0
                found[f"{name}.{letter}"] = 0.0 if off else level
        return found
