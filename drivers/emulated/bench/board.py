"""Wiring (b): a board around the simulated chip, and the chip's lines for an SMU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from drivers.bench.config import BUSES, BenchConfig
from drivers.emulated.bench.chip import SubstratePhysics, conductances_of, order_of
from drivers.emulated.bench.electronics import WatchedCore, WatchedElectronics
from drivers.emulated.bench.report import BoardState, Events
from drivers.emulated.bench.settings import EmulationConfig, substrate_of
from drivers.emulated.bench.sockets import Sockets, bus_nets, with_soft_ground
from drivers.emulated.bench.watching import RelayWatch, SourceWatch
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_devices import DropLog
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_electronics import geometry_of
from drivers.emulated.world import Channel, Reading
from hil.topology import Topology
from sim_backend.board.config import BoardConfig, SupplyConfig
from sim_backend.memristors.interface import Floats
from sim_backend.nodal.elements import Circuit, Resistors

__all__ = ["BoardSockets", "board_sockets"]

_SOURCED = ("high", "low", "third", "two_thirds")


class _FreshWorld:
    """A world whose devices are brought up to date when an instrument looks at it."""

    def __init__(self, world: CircuitWorld, physics: SubstratePhysics, core: WatchedCore) -> None:
        self._world, self._physics, self._core = world, physics, core

    @property
    def now_seconds(self) -> float:
        """See :class:`~drivers.emulated.world.World`."""
        return self._world.now_seconds

    def elapse(self, seconds: float) -> None:
        """See :class:`~drivers.emulated.world.World`."""
        self.refresh()
        self._world.elapse(seconds)

    def reading(self, channel: Channel) -> Reading:
        """See :class:`~drivers.emulated.world.World`."""
        self.refresh()
        return self._world.reading(channel)

    def refresh(self) -> None:
        """Take over what the board has done to the devices."""
        if self._core.has_changed:
            self._core.has_changed = False
            self._world.set_device_siemens(self._physics.siemens())


@dataclass
class BoardSockets:
    """A board and what it is in the sockets of.

    Attributes:
        sockets: the lines.
        board: takes bytes.
        electronics: of the board.
        points: bus and line of each crosspoint, by mainframe.
        channels: source channel of each bus that has one.
        name: of the board in the bench file.
    """

    sockets: Sockets
    board: ShBoard
    electronics: WatchedElectronics
    points: dict[str, dict[str, tuple[str, str]]]
    channels: dict[str, str]
    name: str
    _last: tuple[str, ...] = field(default=(), init=False)
    _wrong: str = field(default="", init=False)

    def state(self) -> BoardState:
        """As it is now."""
        state, geometry = self.board.state, self.electronics.geometry
        volts = geometry.dac_microvolts * 1e-6 / ((1 << (geometry.dac_bits - 1)) - 1)
        amps = geometry.nudge_picoamps * 1e-12 / ((1 << (geometry.nudge_bits - 1)) - 1)
        nudges = None if state.nudges is None else tuple((state.nudges * amps).tolist())
        return BoardState(
            state.armed,
            bool(state.isolated.all()),
            bool(state.floating),
            self.electronics.is_energised,
            tuple((state.inputs * volts).tolist()),
            nudges,
        )

    def look(self, events: Events) -> bool:
        """Tell what has changed; whether anything has."""
        state = self.board.state
        words = (
            "armed" if state.armed else "disarmed",
            "isolated" if state.isolated.all() else "joined",
            "floating" if state.floating else "driven",
            "energised" if self.electronics.is_energised else "idle",
        )
        if words == self._last:
            return False
        changed = tuple(word for word in words if word not in self._last)
        if self._last:
            events.add(self.name, "board", names=changed)
        self._last = words
        return True

    def check(
        self, events: Events, switches: Mapping[str, RelayWatch], sources: Mapping[str, SourceWatch]
    ) -> None:
        """Report sources and grounds on lines that the board has joined to something, once."""
        found = self._violation(switches, sources)
        if found and found != self._wrong:
            events.add(self.name, "violation", names=(found,))
        self._wrong = found

    def _violation(
        self, switches: Mapping[str, RelayWatch], sources: Mapping[str, SourceWatch]
    ) -> str:
        is_joined = not self.electronics.isolated.all()
        if not is_joined and self.electronics.floating:
            return ""
        for name, watch in switches.items():
            for point in watch.closed & self.points[name].keys():
                bus, line = self.points[name][point]
                source = sources.get(self.channels.get(bus, ""))
                if bus in _SOURCED and source is not None and source.is_forcing():
                    what = "nodes" if is_joined else "input lines"
                    return f"{line} is on {self.channels[bus]} while the board's {what} are joined"
                if is_joined:
                    return f"{line} is on the bus {bus} while the board's nodes are joined"
        return ""


def board_sockets(config: BenchConfig, emulation: EmulationConfig, seed: int) -> BoardSockets:
    """The chip, the board around it, and a world of its lines."""
    assert config.phases.kind == "board"
    asked = substrate_of(config, emulation)
    parts = _electronics(config, asked.board)
    volts, amps = parts.inner_limits(config.phases.max_input_volts, config.phases.max_nudge_amps)
    inner = asked.model_copy(
        update={"board": BoardConfig(), "max_input_volts": volts, "max_nudge_amps": amps}
    )
    order = order_of(config, inner, seed)
    substrate = inner.make(order).substrate
    topology = config.network.topology
    log = DropLog(topology.n_devices)
    core = WatchedCore(substrate, parts.supply, log, ages=inner.devices is not None)
    drawn = order.lot.draw("board", lambda rng: parts.draw(topology, rng))
    name = config.phases.board
    geometry = geometry_of(core, parts, serial=config.instruments[name].serial or "000000")
    pulses = config.programming
    largest = max(
        pulses.set_volts, pulses.reset_volts, pulses.set_gate_volts, pulses.reset_gate_volts
    )
    geometry = replace(
        geometry,
        program_microvolts=max(geometry.program_microvolts, math.ceil(1e6 * _up(largest))),
    )
    electronics = WatchedElectronics(core, parts, drawn, order.noise("board"), geometry)
    programming = config.programming
    amplitudes = programming.set_volts, programming.reset_volts
    physics = SubstratePhysics(
        substrate,
        inner.devices,
        amplitudes,
        programming.width_seconds,
        emulation.full_pulse_share,
    )
    circuit, groups = _arrays(topology, physics.siemens())
    world = CircuitWorld(with_soft_ground(circuit, emulation), groups, physics=physics)
    fresh = _FreshWorld(world, physics, core)
    core.now = electronics.now = lambda: world.now_seconds

    def take_drops() -> Floats:
        fresh.refresh()
        one, other = world.take_drops().volts, log.take().volts
        return np.where(np.abs(one) >= np.abs(other), one, other)

    sockets = Sockets(
        world, fresh, bus_nets(config), {}, {}, lambda: conductances_of(substrate), take_drops
    )
    board = ShBoard(electronics, lambda: world.now_seconds + electronics.busy_seconds)
    points: dict[str, dict[str, tuple[str, str]]] = {}
    for bus in BUSES[:-1]:
        for line, (instrument, point) in config.crosspoints(bus).items():
            points.setdefault(instrument, {})[point] = bus, line
    channels = {net.removeprefix("bus."): channel for channel, net in bus_nets(config).items()}
    return BoardSockets(sockets, board, electronics, points, channels, name)


def _up(level: float) -> float:
    """The whole millionth that is not below a level: boards state ranges in microvolts."""
    return math.ceil(level * 1e6 - 1e-6) * 1e-6


def _electronics(config: BenchConfig, board: BoardConfig) -> BoardConfig:
    """The board's parts, with what the bench file says where they leave it open."""
    phases = config.phases
    assert phases.kind == "board"
    dac, nudge, adc, supply = board.dac, board.nudge, board.adc, board.supply
    volts = dac.range_volts or _up(phases.max_input_volts)
    if supply == SupplyConfig():
        limit = phases.nudge_limit_volts
        supply = SupplyConfig(lower_volts=-limit, upper_volts=limit)
    return board.model_copy(
        update={
            "dac": dac.model_copy(update={"range_volts": volts}),
            "nudge": nudge.model_copy(
                update={"range_amps": nudge.range_amps or phases.max_nudge_amps}
            ),
            "adc": adc.model_copy(update={"range_volts": adc.range_volts or 2.0 * volts}),
            "supply": supply,
        }
    )


def _arrays(topology: Topology, siemens: Floats) -> tuple[Circuit, tuple[str, ...]]:
    """The devices between lines and nothing else, and the names of their groups."""
    drawn = []
    for k, (group, part) in enumerate(zip(topology.groups, topology.slices, strict=True)):
        rows = [f"a{k}.r{i}" for i in range(group.tails.size)]
        columns = [f"a{k}.c{j}" for j in range(group.heads.size)]
        block = siemens[part].reshape(len(rows), len(columns))
        drawn.append(Resistors.crossbar(f"r{k}", rows, columns, block))
    return Circuit(drawn, gmin_siemens=0.0), tuple(group.name for group in drawn)
