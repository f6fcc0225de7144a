"""A board's electronics and its network, listened to: what devices see, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.circuit_world_devices import DropLog
from drivers.emulated.shboard_analog import SubstrateCore
from drivers.emulated.shboard_electronics import Electronics
from drivers.emulated.shboard_hardware import Codes, Phase, Programming, RunResult, Timing
from hil.arrays import Floats, IntArray
from hil.substrate import Settled, Substrate
from hil.topology import Crossbar
from sim_backend.board.config import SupplyConfig

__all__ = ["WatchedCore", "WatchedElectronics"]

_UNSELECTED = (0.5, 1.0 / 3.0, 0.0)
"""Share of the amplitude at other devices of an array: V/2, V/3, gates."""


class WatchedCore(SubstrateCore):
    """A substrate behind a board; notes the largest drops of each array.

    Args:
        substrate: see :class:`SubstrateCore`.
        supply: limits of all nodes but the inputs.
        log: where extreme drops are kept.
        ages: whether time and phases change devices, too.

    Attributes:
        has_changed: whether devices may have changed; to be cleared by who has looked.
        now: time of the emulated world.
    """

    def __init__(
        self, substrate: Substrate, supply: SupplyConfig, log: DropLog, ages: bool
    ) -> None:
        super().__init__(substrate)
        self.log = log
        self._ages = ages
        self.has_changed = False
        self.now: Callable[[], float] = lambda: 0.0
        topology = self.topology
        self._sizes = [group.n_devices for group in topology.groups]
        self._ends = [
            (group.tails, group.heads) for group in topology.groups if isinstance(group, Crossbar)
        ]
        is_input = np.isin(np.arange(topology.n_nodes), topology.inputs)
        low = -np.inf if supply.lower_volts is None else supply.lower_volts
        high = np.inf if supply.upper_volts is None else supply.upper_volts
        self._range = np.where(is_input, -np.inf, low), np.where(is_input, np.inf, high)

    def settle(self, input_volts: Floats, nudge_amps: Sequence[Floats | None]) -> list[Settled]:
        """See :class:`SubstrateCore`."""
        states = super().settle(input_volts, nudge_amps)
        self.has_changed |= self._ages
        for state in states:
            self._note(state.node_volts[state.ok])
        return states

    def pulse(self, counts: IntArray) -> None:
        """See :class:`SubstrateCore`."""
        super().pulse(counts)
        self.has_changed = True

    def note_pulses(self, counts: IntArray, volts: tuple[float, float], unselected: float) -> None:
        """Take note of (n_devices,) pulses with an amplitude up and one down.

        Args:
            counts: signed.
            volts: amplitudes as magnitudes.
            unselected: share of them at other devices of the same array, of either sign.
        """
        drops, first = np.zeros(counts.size), 0
        largest = np.where(counts > 0, volts[0], np.where(counts < 0, volts[1], 0.0))
        for size in self._sizes:
            part = slice(first, first + size)
            drops[part] = unselected * largest[part].max()
            first += size
        drops[counts > 0], drops[counts < 0] = volts[0], -volts[1]
        self.log.add(drops, self.now())

    def _note(self, node_volts: Floats) -> None:
        if not len(node_volts):
            return
        volts = np.clip(node_volts, *self._range)
        extremes = []
        for tails, heads in self._ends:
            rows, columns = volts[:, tails], volts[:, heads]
            most = (rows.max(axis=1) - columns.min(axis=1)).max()
            least = (rows.min(axis=1) - columns.max(axis=1)).min()
            extremes.append((float(most), float(least)))
        for bound in zip(*extremes, strict=True):
            self.log.add(np.repeat(bound, self._sizes), self.now())


class WatchedElectronics(Electronics):
    """Electronics that tell the time they take.

    Attributes:
        busy_seconds: spent in runs and pulses so far.
        now: time of the emulated world.
    """

    def __init__(self, core: WatchedCore, *parts: Any) -> None:
        super().__init__(core, *parts)
        self._watched = core
        self.busy_seconds = 0.0
        self.now: Callable[[], float] = lambda: 0.0

    def run(
        self, inputs: Codes, phases: Sequence[Phase], timing: Timing, dead_zone: int
    ) -> RunResult:
        """See :class:`Electronics`."""
        self.busy_seconds += len(inputs) * len(phases) * timing.phase_seconds
        return super().run(inputs, phases, timing, dead_zone)

    def pulse(self, counts: NDArray[np.int8], first: int, programming: Programming) -> int:
        """See :class:`Electronics`."""
        applied = super().pulse(counts, first, programming)
        if applied:
            g = self.geometry
            step = g.program_microvolts * 1e-6 / ((1 << (g.program_bits - 1)) - 1)
            every = np.zeros(self.core.topology.n_devices, np.int64)
            every[first : first + counts.size] = counts
            levels = programming.level_codes
            volts = levels[0] * step, levels[1] * step
            self._watched.note_pulses(every, volts, _UNSELECTED[programming.scheme])
            self.busy_seconds += applied * programming.width_us * 1e-6
        return applied
