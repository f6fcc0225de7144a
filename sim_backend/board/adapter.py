"""Electronics between a controller and a simulated network, as a :class:`hil.Substrate`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hil.arrays import AnyArray, BoolArray, Floats, IntArray
from hil.errors import ConfigurationError, UsageError
from hil.substrate import (
    ComparesDrops,
    Comparisons,
    Drive,
    KeepsState,
    ReadsConductance,
    Settled,
    SettlesEach,
    Substrate,
    SubstrateSpec,
)
from sim_backend.board import keeping
from sim_backend.board.config import BoardConfig
from sim_backend.board.converters import Reader, Sources
from sim_backend.board.drawn import BoardDrawn
from sim_backend.board.holds import Holds
from sim_backend.board.kernels import compare
from sim_backend.board.lines import Lines
from sim_backend.board.settling import Charging, node_siemens, rows_of
from sim_backend.generators import generator_array, generator_state

__all__ = ["BoardSubstrate"]

_PREFIX = "board/"
"""Of the names of this layer's state."""


@dataclass(frozen=True, slots=True)
class _Phase:
    """What a phase left in the network.

    Attributes:
        state: of the network inside, settled.
        volts: (batch, n) at the nodes that are read, when they were held.
        ok: (batch,) settled, and within the supply.
    """

    state: Settled
    volts: Floats
    ok: BoolArray


class BoardSubstrate(Substrate):
    """Another substrate, driven and read through the electronics of a board.

    A phase goes through codes and errors of the sources, the network, charging of the nodes, the
    range of the supply, holds and readings.  Input nodes are not read: their voltages in a
    :class:`Settled` are what the codes sent stand for, which the controller knows.  All other
    nodes are, outputs of amplifiers like any.  Levels beyond the range of a source are refused as
    those beyond any limit are; a node beyond the supply or the range of the readings is cut off
    and its example has ``ok`` False.

    Besides the contract it compares drops, by one comparator a device, and keeps its state.
    Further abilities need a network that has them;
    :func:`sim_backend.board.abilities.board_around` adds those.

    Args:
        inner: the network, owned from now on.
        config: of the board.
        drawn: constants of this board.
        noise_rng: source of white noise.

    Raises:
        ConfigurationError: ``drawn`` is of another network; errors of the sources leave no
            room within the inner limits; charging needs a network whose conductances can be
            read.
    """

    def __init__(
        self,
        inner: Substrate,
        config: BoardConfig,
        drawn: BoardDrawn,
        noise_rng: np.random.Generator,
    ) -> None:
        super().__init__(_spec(inner, config))
        topology = self.spec.topology
        drawn.check(topology, config.adc.shared)
        self.inner = inner
        self._config, self._drawn, self._rng = config, drawn, noise_rng
        nodes = np.setdiff1d(np.arange(topology.n_nodes), topology.inputs)
        self._read_at, self._inputs_at = _as_slice(nodes), _as_slice(topology.inputs)
        self._lines, self._nudges = _sources(config, drawn, inner)
        self._charging = Charging(config.settling.node_farads, config.timing.wait_seconds, nodes)
        if self._charging.is_on and not isinstance(inner, ReadsConductance):
            raise ConfigurationError(
                f"a {inner.spec.kind} substrate does not tell its conductances, on which the time "
                "depends that nodes take to charge; set settling.node_farads to 0"
            )
        self._holds = Holds(config.hold, config.timing, config.adc, drawn, nodes)
        self._reader = _reader(config, drawn, nodes)
        supply = config.supply
        self._supply = (supply.lower_volts, supply.upper_volts)
        self._holds_exactly = (
            self._supply == (None, None) and not self._charging.is_on and self._holds.is_exact
        )
        sticky = config.comparator.hysteresis_volts > 0.0
        self._outcomes: AnyArray = np.zeros(topology.n_devices if sticky else 0, np.int8)
        self._last: tuple[Floats, Floats] | None = None
        """What was returned last, and what was true then; where charging takes time."""

    # --- the contract ---------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self._exchange([drive], near)[0]

    def _pulse(self, counts: IntArray) -> None:
        self._forget()
        self.inner.pulse(counts)

    def _make_safe(self) -> None:
        self._last = None
        if self._closed:
            self.inner.close()
        else:
            self.inner.make_safe()

    # --- abilities of every board -----------------------------------------------------------

    @np.errstate(invalid="ignore", over="ignore")  # in examples that did not settle
    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Hold the first phase in bank A, the second in B, and compare every device's drops.

        Input nodes enter with the levels that are applied.  See
        :func:`sim_backend.board.kernels.compare` for the comparators, the protocol for the rest.

        Raises:
            UsageError: wrong shape or dtype, or batches of different sizes.
            SafetyError: a level is outside the limits or not finite.
        """
        self._check_open()
        self._check_exchange([first, second], near)
        part, offsets = self._config.comparator, self._drawn.comparator_offset_volts
        applied = [self._applied(drive)[0] for drive in (first, second)]
        is_exact = not (np.any(offsets) or part.noise_volts or part.hysteresis_volts)
        if is_exact and self._holds_exactly and isinstance(self.inner, ComparesDrops):
            return self.inner.accumulate_comparisons(applied[0], applied[1], dead_zone_volts, near)
        phases = self._phases(applied, near)
        self._last = None
        ok = phases[0].ok & phases[1].ok
        held = self._holds.for_comparing(phases[0].volts, phases[1].volts, self._rng)
        before, after = (self._by_node(p, v, ok) for p, v in zip(phases, held, strict=True))
        key = int(self._rng.integers(2**64, dtype=np.uint64)) if part.noise_volts else 0
        votes = compare(
            before, after, self.spec.topology.tails, self.spec.topology.heads, offsets,
            part.noise_volts, float(dead_zone_volts), part.hysteresis_volts, key, self._outcomes,
        )  # fmt: skip
        return Comparisons(votes, ok)

    def state_arrays(self) -> dict[str, AnyArray]:
        """Noise, and what holds, comparators and the network inside keep; copies."""
        self._check_open()
        inner = self.inner
        found = inner.state_arrays() if isinstance(inner, KeepsState) else {}
        return found | self._own_state()

    def load_state(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what :meth:`state_arrays` gave; what was held last is 0 V.

        Raises:
            UsageError: an array is missing or does not fit; nothing was loaded.
        """
        self._check_open()
        state = generator_state(keeping.bytes_of(arrays, f"{_PREFIX}generator"), self._rng)
        own = {
            name: keeping.taken(arrays, name, like)
            for name, like in self._own_state(sums=False).items()
            if name != f"{_PREFIX}generator"
        }
        sums = None
        if f"{_PREFIX}node_siemens" in arrays:
            like = np.zeros(self.spec.topology.n_nodes)
            sums = keeping.taken(arrays, f"{_PREFIX}node_siemens", like)
        if isinstance(self.inner, KeepsState):
            rest = {k: v for k, v in arrays.items() if not k.startswith(_PREFIX)}
            self.inner.load_state(rest)
        self._rng.bit_generator.state = state
        self._outcomes = own.get(f"{_PREFIX}outcomes", self._outcomes)
        self._holds.kept_volts = own.get(f"{_PREFIX}held_volts", self._holds.kept_volts)
        self._forget()
        self._last = None
        if sums is not None and self._charging.is_on:
            self._charging.program(sums)

    def _own_state(self, sums: bool = True) -> dict[str, AnyArray]:
        found: dict[str, AnyArray] = {f"{_PREFIX}generator": generator_array(self._rng)}
        if self._outcomes.size:
            found[f"{_PREFIX}outcomes"] = self._outcomes.copy()
        if self._holds.remembers:
            found[f"{_PREFIX}held_volts"] = self._holds.kept_volts.copy()
        if sums and self._charging.siemens is not None:
            found[f"{_PREFIX}node_siemens"] = self._charging.siemens.copy()
        return found

    # --- for subclasses ---------------------------------------------------------------------

    def _forget(self) -> None:
        """Conductances change."""
        self._charging.siemens = None

    def _check_exchange(self, drives: Sequence[Drive], near: Settled | None) -> None:
        """Refuse what must not be applied, before anything is.

        Raises:
            UsageError: wrong shape or dtype, or batches of different sizes.
            SafetyError: a level is outside the limits or not finite.
        """
        for drive in drives:
            self._check_drive(drive)
            batch = len(drive.input_volts)
            if batch != len(drives[0].input_volts):
                raise UsageError(
                    f"the drives of an exchange must be of one batch; got "
                    f"{len(drives[0].input_volts)} and {batch} examples"
                )
            if near is not None:
                self._check_near(near, batch)

    def _without_noise(self, drive: Drive) -> Drive:
        """The drive with the constant errors of the sources."""
        amps, sources = drive.nudge_amps, self._nudges
        if amps is not None:
            amps = sources.constant(sources.nominal(amps))
        return Drive(self._lines.levels(drive.input_volts)[1], amps)

    @np.errstate(invalid="ignore", over="ignore")  # in examples that did not settle
    def _exchange(self, drives: Sequence[Drive], near: Settled | None) -> list[Settled]:
        """Settle, hold and read the phases of one exchange."""
        applied, nominal = [], []
        for drive in drives:
            levels, known = self._applied(drive)
            applied.append(levels)
            nominal.append(known)
        if self._holds_exactly and self._reader.is_exact and self._lines.is_exact:
            return self._inner_settled(applied, near)
        phases = self._phases(applied, near)
        held = self._holds.for_reading([phase.volts for phase in phases])
        read = [self._read(*parts) for parts in zip(phases, held, nominal, strict=True)]
        if self._charging.is_on:
            self._last = (read[-1].node_volts, phases[-1].volts)
        return read

    # --- inside -----------------------------------------------------------------------------

    def _applied(self, drive: Drive) -> tuple[Drive, Floats]:
        """The drive with errors of the sources, and the input levels that were sent."""
        drawn = self._without_noise(drive)
        volts = self._lines.sources.noisy(drawn.input_volts, self._rng)
        amps = drawn.nudge_amps
        if amps is not None:
            amps = self._nudges.noisy(amps, self._rng)
        return Drive(volts, amps), self._lines.levels(drive.input_volts)[0]

    def _inner_settled(self, drives: Sequence[Drive], near: Settled | None) -> list[Settled]:
        inner = self.inner
        if len(drives) > 1 and isinstance(inner, SettlesEach):
            return inner.settle_each(drives, near)
        return [inner.settle(drive, near) for drive in drives]

    def _phases(self, applied: Sequence[Drive], near: Settled | None) -> list[_Phase]:
        """What a series of phases leaves in the network, one after the other."""
        states = self._inner_settled(applied, near)
        start = None
        if self._charging.is_on:
            if self._charging.siemens is None and isinstance(self.inner, ReadsConductance):
                siemens = self.inner.read_conductance()
                self._charging.program(node_siemens(self.spec.topology, siemens))
            start = self._start(near)
        phases = []
        for state in states:
            volts, ok = state.node_volts[:, self._read_at], state.ok
            if self._charging.is_on:
                volts = self._charging.moved(start, volts)
            volts, ok = self._supplied(volts, ok)
            phases.append(_Phase(state, volts, ok))
            start = _finite(volts) if self._charging.is_on else None
        return phases

    def _start(self, near: Settled | None) -> Floats | None:
        """True voltages behind ``near`` if that was held last, or some examples of it were."""
        if near is None or self._last is None:
            return None
        returned, true = self._last
        rows = rows_of(near.node_volts, returned)
        return None if rows is None else _finite(true[rows])

    def _supplied(self, volts: Floats, ok: BoolArray) -> tuple[Floats, BoolArray]:
        """Cut off at the supply; examples beyond it failed."""
        low, high = self._supply
        if low is None and high is None:
            return volts, ok
        inside = np.clip(volts, low, high)
        return inside, ok & (inside == volts).all(axis=1)

    def _read(self, phase: _Phase, held: Floats, nominal: Floats) -> Settled:
        volts, within = self._reader.read(held, self._rng)
        found = np.empty_like(phase.state.node_volts)
        found[:, self._inputs_at] = nominal
        found[:, self._read_at] = volts
        return Settled(found, phase.ok if within is None else phase.ok & within)

    def _by_node(self, phase: _Phase, held: Floats, ok: BoolArray) -> Floats:
        """(n_nodes, examples that take part) volts as comparators see them."""
        found = phase.state.node_volts[ok].T.copy()
        found[self._read_at] = held[ok].T
        return found


def _spec(inner: Substrate, config: BoardConfig) -> SubstrateSpec:
    """What a board can offer, as far as its configuration tells."""
    spec = inner.spec
    volts, amps = config.offered_limits(spec.max_input_volts, spec.max_nudge_amps)
    if not (volts > 0.0 and amps > 0.0):
        raise ConfigurationError(
            "errors of the board's sources leave no room below the limits of the network, "
            f"{spec.max_input_volts:.3g} V and {spec.max_nudge_amps:.3g} A; raise those limits "
            "or lower the errors"
        )
    stated = config.stated_noise_volts(spec.topology, spec.window_siemens, volts)
    return dataclasses.replace(
        spec,
        max_input_volts=volts,
        max_nudge_amps=amps,
        noise_volts=math.hypot(spec.noise_volts, stated),
    )


def _sources(config: BoardConfig, drawn: BoardDrawn, inner: Substrate) -> tuple[Lines, Sources]:
    dac, nudge, limits = config.dac, config.nudge, inner.spec
    lines = Sources(
        dac.bits, dac.range_volts, drawn.dac_gain, drawn.dac_offset_volts,
        drawn.dac_inl_lsb, limits.max_input_volts, dac.noise_volts,
    )  # fmt: skip
    nudges = Sources(
        nudge.bits, nudge.range_amps, drawn.nudge_gain, drawn.nudge_offset_amps,
        drawn.nudge_inl_lsb, limits.max_nudge_amps, nudge.noise_amps,
    )  # fmt: skip
    return Lines(lines), nudges


def _reader(config: BoardConfig, drawn: BoardDrawn, nodes: IntArray) -> Reader:
    """Readings of ``nodes``, with the noise of the holds, which none would tell apart."""
    adc = config.adc
    at = slice(None) if adc.shared else nodes
    gain = drawn.adc_gain[at]
    return Reader(
        adc.bits, adc.range_volts, gain, drawn.adc_offset_volts[at], drawn.adc_inl_lsb[at],
        np.hypot(config.hold.noise_volts * gain, adc.noise_volts),
    )  # fmt: skip


def _finite(volts: Floats) -> Floats:
    """Without the voltages of examples that did not settle."""
    return np.where(np.isfinite(volts), volts, volts.dtype.type(0.0))


def _as_slice(nodes: IntArray) -> slice | IntArray:
    """Consecutive nodes as a slice, which saves a copy."""
    first, last = int(nodes[0]), int(nodes[-1])
    if last - first + 1 == nodes.size and np.all(np.diff(nodes) == 1):
        return slice(first, last + 1)
    return nodes
