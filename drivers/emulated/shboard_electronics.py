"""Electronics of an emulated board around a network: sources, holds, converters, comparators.

Errors are those of :mod:`sim_backend.board`, with the same settings and the same constants drawn
for a board; here the bank of every phase is the host's choice, times are those it sets, and
everything goes in and out as codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.shboard_analog import AnalogCore
from drivers.emulated.shboard_banks import Banks
from drivers.emulated.shboard_hardware import (
    COMPLIANCE,
    MOVING,
    RANGE,
    Codes,
    Geometry,
    Phase,
    Programming,
    RunResult,
    Timing,
)
from hil.arrays import BoolArray, Floats, IntArray
from hil.errors import ConfigurationError
from hil.substrate import Settled
from hil.topology import Crossbar, Topology
from sim_backend.board.config import BoardConfig
from sim_backend.board.converters import Reader, Sources
from sim_backend.board.drawn import BoardDrawn
from sim_backend.board.kernels import compare
from sim_backend.board.settling import Charging

__all__ = ["Electronics", "geometry_of"]

_MOST_BITS = 16
_LARGEST_RANGE = 1000.0


def geometry_of(
    core: AnalogCore,
    config: BoardConfig,
    *,
    serial: str = "000000",
    queue_length: int = 64,
    message_bytes: int = 65536,
    schemes: int = 7,
) -> Geometry:
    """What a board with these parts says of itself.

    Ranges that the configuration leaves open are what the network bears, for readings twice as
    much; converters of unlimited resolution have 16 bits.

    Raises:
        ConfigurationError: a converter of more than 16 bits, which the protocol cannot carry; a
            range is left open, and the network bears anything.
    """
    dac, nudge, adc = config.dac, config.nudge, config.adc
    bits = [part.bits or _MOST_BITS for part in (dac, nudge, adc)]
    if max(bits) > _MOST_BITS:
        raise ConfigurationError(
            f"the protocol carries 16 bits, a converter here has {max(bits)}; set at most 16"
        )
    volts = _range("dac.range_volts", dac.range_volts, core.max_input_volts, "V")
    amps = _range("nudge.range_amps", nudge.range_amps, core.max_nudge_amps, "A")
    topology = core.topology
    return Geometry(
        n_inputs=topology.inputs.size,
        n_outputs=topology.outputs.size,
        n_nodes=topology.n_nodes - topology.inputs.size,
        arrays=_arrays(topology),
        serial=serial,
        dac_bits=bits[0],
        dac_microvolts=math.floor(volts * 1e6 + 1e-6),
        nudge_bits=bits[1],
        nudge_picoamps=math.floor(amps * 1e12 + 1e-6),
        adc_bits=bits[2],
        adc_microvolts=round((adc.range_volts or 2.0 * volts) * 1e6),
        queue_length=queue_length,
        message_bytes=message_bytes,
        schemes=schemes,
    )


def _range(name: str, configured: float | None, limit: float, unit: str) -> float:
    """What was configured, else what the network bears."""
    span = limit if configured is None else configured
    if span > _LARGEST_RANGE:
        raise ConfigurationError(
            f"{name} of the emulated board would be {span:.3g} {unit}, because the network states "
            f"no limit of its own; set it to at most {_LARGEST_RANGE:g} {unit}"
        )
    return span


def _arrays(topology: Topology) -> tuple[tuple[int, int], ...]:
    """Rows and columns; single devices are a column of their own."""
    return tuple(
        (group.tails.size, group.heads.size)
        if isinstance(group, Crossbar)
        else (group.n_devices, 1)
        for group in topology.groups
        if group.n_devices
    )


class Electronics:
    """A board's hardware around a network; satisfies ``Hardware``.

    Nodes are held in the order of the topology, inputs left out.

    Args:
        core: the network.
        config: of the electronics; its ``wait_seconds``, ``acquisition_seconds`` and number of
            banks are the host's to choose.
        drawn: constants of this board.
        noise_rng: source of white noise.
        geometry: see :func:`geometry_of`.

    Raises:
        ConfigurationError: ``drawn`` is of another network.

    Attributes:
        interlock: closed or not, as set from outside.
        isolated: (n_nodes,) switches.
        floating: whether the input lines are cut off.
        worst_input_volts: largest level that ever left an input source.
        worst_nudge_amps: largest nudge.
        worst_program_volts: largest programming amplitude.
    """

    def __init__(
        self,
        core: AnalogCore,
        config: BoardConfig,
        drawn: BoardDrawn,
        noise_rng: np.random.Generator,
        geometry: Geometry,
    ) -> None:
        topology = core.topology
        drawn.check(topology, config.adc.shared)
        self.core, self._config, self._drawn, self._rng = core, config, drawn, noise_rng
        self._geometry = g = geometry
        self._nodes: IntArray = np.setdiff1d(np.arange(topology.n_nodes), topology.inputs)
        self._inputs = Sources(
            g.dac_bits, g.dac_microvolts * 1e-6, drawn.dac_gain, drawn.dac_offset_volts,
            drawn.dac_inl_lsb, core.max_input_volts, config.dac.noise_volts,
        )  # fmt: skip
        self._nudges = Sources(
            g.nudge_bits, g.nudge_picoamps * 1e-12, drawn.nudge_gain, drawn.nudge_offset_amps,
            drawn.nudge_inl_lsb, core.max_nudge_amps, config.nudge.noise_amps,
        )  # fmt: skip
        at = slice(None) if config.adc.shared else self._nodes
        self._reader = Reader(
            g.adc_bits, g.adc_microvolts * 1e-6, drawn.adc_gain[at], drawn.adc_offset_volts[at],
            drawn.adc_inl_lsb[at],
            np.hypot(config.hold.noise_volts * drawn.adc_gain[at], config.adc.noise_volts),
        )  # fmt: skip
        self._banks = Banks(config, drawn, self._nodes)
        self._outcomes: NDArray[np.int8] = np.zeros(
            topology.n_devices if config.comparator.hysteresis_volts > 0.0 else 0, np.int8
        )
        self._last_inputs: list[Floats] = [np.zeros(g.n_inputs), np.zeros(g.n_inputs)]
        self._levels: tuple[Codes, Codes | None] = (np.zeros(g.n_inputs, np.int16), None)
        self._charging: Charging | None = None
        self.interlock = True
        self.isolated: NDArray[np.bool_] = np.ones(g.n_nodes, np.bool_)
        self.floating = False
        self.worst_input_volts = self.worst_nudge_amps = self.worst_program_volts = 0.0

    @property
    def geometry(self) -> Geometry:
        """What it has."""
        return self._geometry

    @property
    def is_energised(self) -> bool:
        """Whether any steady level is away from its safe state."""
        return bool(np.any(self._levels[0])) or self._levels[1] is not None

    def interlock_closed(self) -> bool:
        """As set from outside."""
        return self.interlock

    def make_safe(self) -> None:
        """Everything off."""
        self.core.make_safe()
        self.isolated = np.ones_like(self.isolated)
        self.floating = False

    def switch(self, isolated: NDArray[np.bool_], floating: bool) -> None:
        """Kept for whoever else is wired to the network."""
        self.isolated, self.floating = isolated.copy(), floating

    def apply(self, inputs: Codes, nudges: Codes | None) -> None:
        """Steady levels; they settle when they are held."""
        self._levels = (inputs.copy(), None if nudges is None else nudges.copy())

    @np.errstate(invalid="ignore", over="ignore")  # in examples that did not settle
    def run(
        self, inputs: Codes, phases: Sequence[Phase], timing: Timing, dead_zone: int
    ) -> RunResult:
        """All phases of a batch, each settled from the one before."""
        states = self._settled(inputs, phases)
        volts, failed = self._held_phases(states, phases, timing)
        status = np.zeros(len(inputs), np.int16)
        votes: Codes | None = None
        n_read = sum(phase.read for phase in phases)
        readings = np.zeros((len(inputs), n_read, self._geometry.n_nodes), np.int16)
        place = self._banks.schedule([(p.bank, p.read) for p in phases], timing)
        for index, phase in enumerate(phases):
            for row in place.due_before[index]:
                self._convert(volts, row, readings, status)
            status |= failed[index]
            if phase.compare:
                first = max(p for p in range(index) if phases[p].bank != phase.bank)
                votes = self._compare(states, volts, (first, index), timing, dead_zone, status == 0)
        for row in place.due_before[len(phases)]:
            self._convert(volts, row, readings, status)
        for index, phase in enumerate(phases):
            self._last_inputs[phase.bank] = self._input_volts(states[index])[-1]
        return RunResult(status, readings, votes)

    def hold(self, bank: int, timing: Timing) -> None:
        """One phase of the steady levels."""
        inputs, nudges = self._levels
        phase = Phase(bank, None if nudges is None else nudges[None], read=False, compare=False)
        self.run(inputs[None], [phase], timing, 0)

    def read(self, bank: int) -> tuple[Codes, int]:
        """What the bank keeps."""
        codes, within = self._codes(self._banks.kept(bank)[None])
        return codes[0], 0 if within[0] else RANGE

    def compare(self, first_bank: int, dead_zone: int, device: int) -> int:
        """One device's vote on what the banks keep."""
        pair = [
            self._by_node(self._last_inputs[bank][None], self._banks.kept(bank)[None])
            for bank in (first_bank, 1 - first_bank)
        ]
        return int(self._votes(pair[0], pair[1], dead_zone)[device])

    def pulse(self, counts: NDArray[np.int8], first: int, programming: Programming) -> int:
        """Hand all of them to the network at once."""
        if not self.interlock:
            return 0
        g = self._geometry
        step = g.program_microvolts * 1e-6 / ((1 << (g.program_bits - 1)) - 1)
        self.worst_program_volts = max(
            self.worst_program_volts, step * max(programming.level_codes)
        )
        every = np.zeros(self.core.topology.n_devices, np.int64)
        every[first : first + counts.size] = counts
        self.core.pulse(every)
        self._charging = None
        return int(np.abs(every).sum())

    # --- inside -----------------------------------------------------------------------------

    def _settled(self, inputs: Codes, phases: Sequence[Phase]) -> list[Settled]:
        """True states under the levels that leave the sources."""
        g = self._geometry
        volts = self._inputs.constant(_levels(inputs, g.dac_microvolts * 1e-6, g.dac_bits))
        volts = self._inputs.noisy(volts, self._rng)
        self.worst_input_volts = max(self.worst_input_volts, float(np.abs(volts).max()))
        amps: list[Floats | None] = []
        for phase in phases:
            if phase.nudges is None:
                amps.append(None)
                continue
            nominal = _levels(phase.nudges, g.nudge_picoamps * 1e-12, g.nudge_bits)
            applied = self._nudges.noisy(self._nudges.constant(nominal), self._rng)
            self.worst_nudge_amps = max(self.worst_nudge_amps, float(np.abs(applied).max()))
            amps.append(applied)
        return self.core.settle(volts, amps)

    def _held_phases(
        self, states: list[Settled], phases: Sequence[Phase], timing: Timing
    ) -> tuple[list[Floats], list[NDArray[np.int16]]]:
        """(n, held nodes) volts as acquired in each phase, and (n,) status of each."""
        charging = self._charged(timing)
        start: Floats | None = None
        volts: list[Floats] = []
        status: list[NDArray[np.int16]] = []
        low, high = self._config.supply.lower_volts, self._config.supply.upper_volts
        for state in states:
            steady = np.where(state.ok[:, None], state.node_volts[:, self._nodes], 0.0)
            reached = charging.moved(start, steady) if charging is not None else steady
            inside = reached if low is None and high is None else np.clip(reached, low, high)
            cut = np.where((inside == reached).all(axis=1), 0, COMPLIANCE)
            status.append(np.where(state.ok, cut, cut | MOVING).astype(np.int16))
            start = inside
            volts.append(inside)
        return self._banks.acquired(volts, [phase.bank for phase in phases], timing), status

    def _charged(self, timing: Timing) -> Charging | None:
        """How far nodes come in the time they have."""
        farads = self._config.settling.node_farads
        if not farads:
            return None
        charging = Charging(farads, timing.settle_us * 1e-6, self._nodes)
        siemens = self.core.node_siemens()
        if siemens is not None and charging.is_on:
            charging.program(siemens)
        return charging

    def _convert(
        self, volts: list[Floats], row: Banks.Due, readings: Codes, status: NDArray[np.int16]
    ) -> None:
        held = self._banks.after(volts[row.phase], row.bank, row.seconds)
        readings[:, row.row], within = self._codes(held)
        status |= np.where(within, 0, RANGE).astype(np.int16)

    def _codes(self, held: Floats) -> tuple[Codes, BoolArray]:
        """(n, held nodes) codes, and which examples are within the range."""
        g = self._geometry
        seen, within = self._reader.read(held, self._rng)
        assert within is not None  # the reader has a range
        step = g.adc_microvolts * 1e-6 / ((1 << (g.adc_bits - 1)) - 1)
        return np.rint(seen / step).astype(np.int16), within

    def _compare(
        self,
        states: list[Settled],
        volts: list[Floats],
        pair: tuple[int, int],
        timing: Timing,
        dead_zone: int,
        takes_part: BoolArray,
    ) -> Codes:
        """Votes of the examples that take part, phase ``pair[1]`` against ``pair[0]``."""
        sides = []
        for index in pair:
            seconds = (pair[1] - index) * timing.phase_seconds + self._config.timing.read_seconds
            bank = self._banks.bank_of[index]
            held = self._banks.after(volts[index][takes_part], bank, np.array(seconds))
            held = self._banks.noisy(held, self._rng)
            sides.append(self._by_node(self._input_volts(states[index])[takes_part], held))
        return self._votes(sides[0], sides[1], dead_zone)

    def _votes(self, before: Floats, after: Floats, dead_zone: int) -> Codes:
        g, part, topology = self._geometry, self._config.comparator, self.core.topology
        width = dead_zone * g.adc_microvolts * 1e-6 / ((1 << (g.adc_bits - 1)) - 1)
        key = int(self._rng.integers(2**64, dtype=np.uint64)) if part.noise_volts else 0
        votes = compare(
            before, after, topology.tails, topology.heads, self._drawn.comparator_offset_volts,
            part.noise_volts, width, part.hysteresis_volts, key, self._outcomes,
        )  # fmt: skip
        return votes.astype(np.int16)

    def _input_volts(self, state: Settled) -> Floats:
        return state.node_volts[:, self.core.topology.inputs]

    def _by_node(self, inputs: Floats, held: Floats) -> Floats:
        """(n_nodes, examples) volts as comparators see them."""
        found = np.empty((self.core.topology.n_nodes, len(held)))
        found[self.core.topology.inputs] = inputs.T
        found[self._nodes] = held.T
        return found


def _levels(codes: Codes, span: float, bits: int) -> Floats:
    levels: Floats = codes * (span / ((1 << (bits - 1)) - 1))
    return levels
