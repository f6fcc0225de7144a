"""Electronics around a network of integers, the same as in ``drivers/firmware/native``.

Nothing physical: weighted sums that C and Python work out to the same codes, so that replies of
the two boards can be compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.shboard_hardware import (
    ABORTED,
    COMPLIANCE,
    RANGE,
    Codes,
    Geometry,
    Phase,
    Programming,
    RunResult,
    Timing,
)

__all__ = ["TOY", "ToyHardware"]

TOY = Geometry(
    n_inputs=4, n_outputs=2, n_nodes=5, arrays=((4, 5),), queue_length=8, message_bytes=512
)
"""The geometry of the native firmware."""

_COMPLIANCE_CODE = 30_000
Longs = NDArray[np.int64]


class ToyHardware:
    """Every input joined to every node by a device of weight 64; the last nodes are outputs.

    Args:
        geometry: one array of inputs by nodes.
        opens_after: the interlock opens for good after so many pulses and holds; None: never.
    """

    def __init__(self, geometry: Geometry = TOY, opens_after: int | None = None) -> None:
        self._geometry = geometry
        self._weights = np.full((geometry.n_inputs, geometry.n_nodes), 64, np.int64)
        self._inputs: Longs = np.zeros(geometry.n_inputs, np.int64)
        self._nudges: Longs | None = None
        self._held: Longs = np.zeros((2, geometry.n_nodes), np.int64)
        self._opens_after = opens_after
        self.interlock = True
        self.isolated: NDArray[np.bool_] = np.ones(geometry.n_nodes, np.bool_)
        self.floating = False

    @property
    def geometry(self) -> Geometry:
        """What it has."""
        return self._geometry

    @property
    def is_energised(self) -> bool:
        """Whether any source is away from its safe state."""
        return bool(np.any(self._inputs)) or self._nudges is not None

    def interlock_closed(self) -> bool:
        """As set from outside, while pulses and holds are left that it bears."""
        return self.interlock and self._opens_after != 0

    def make_safe(self) -> None:
        """Everything off."""
        self._inputs = np.zeros_like(self._inputs)
        self._nudges = None
        self.isolated = np.ones_like(self.isolated)
        self.floating = False

    def switch(self, isolated: NDArray[np.bool_], floating: bool) -> None:
        """Kept for tests to see."""
        self.isolated, self.floating = isolated.copy(), floating

    def apply(self, inputs: Codes, nudges: Codes | None) -> None:
        """Steady levels."""
        self._inputs = inputs.astype(np.int64)
        self._nudges = None if nudges is None else nudges.astype(np.int64)

    def run(
        self, inputs: Codes, phases: Sequence[Phase], timing: Timing, dead_zone: int
    ) -> RunResult:
        """Example by example, as firmware does."""
        n, g = len(inputs), self._geometry
        n_read = sum(phase.read for phase in phases)
        status = np.zeros(n, np.int16)
        readings = np.zeros((n, n_read, g.n_nodes), np.int16)
        votes: Longs = np.zeros(g.n_devices, np.int64)
        for b in range(n):
            self._inputs = inputs[b].astype(np.int64)
            place: list[tuple[int, int]] = []
            done = 0
            for phase in phases:
                if not self.interlock_closed():
                    status[b:], readings[b:] = ABORTED, 0
                    break
                if any(bank == phase.bank for bank, _ in place):
                    status[b] |= self._read_all(place, readings[b])
                amps = phase.nudges
                self._nudges = None if amps is None else amps[b].astype(np.int64)
                status[b] |= self._hold(phase.bank)
                if phase.compare and status[b] == 0:
                    votes += self._votes(1 - phase.bank, dead_zone)
                if phase.read:
                    place.append((phase.bank, done))
                    done += 1
            if status[b] & ABORTED:
                break
            status[b] |= self._read_all(place, readings[b])
        compares = any(phase.compare for phase in phases)
        return RunResult(status, readings, votes.astype(np.int16) if compares else None)

    def hold(self, bank: int, timing: Timing) -> None:
        """Hold under the steady levels."""
        self._hold(bank)

    def read(self, bank: int) -> tuple[Codes, int]:
        """Codes, cut off at the range."""
        seen = np.clip(self._held[bank], -32767, 32767)
        status = RANGE if np.any(seen != self._held[bank]) else 0
        return seen.astype(np.int16), status

    def compare(self, first_bank: int, dead_zone: int, device: int) -> int:
        """Vote of one device."""
        return int(self._votes(first_bank, dead_zone)[device])

    def pulse(self, counts: NDArray[np.int8], first: int, programming: Programming) -> int:
        """A pulse changes a weight by 1, between 0 and 255, if no node leads the current away."""
        applied = 0
        step = int(self.isolated.all() and not self.floating)
        flat = self._weights.reshape(-1)
        for place, count in enumerate(counts.tolist()):
            for _ in range(abs(count)):
                if not self.interlock_closed():
                    return applied
                device = first + place
                flat[device] = min(255, max(0, flat[device] + (step if count > 0 else -step)))
                applied += 1
                self._count_down()
        return applied

    def _count_down(self) -> None:
        if self._opens_after:
            self._opens_after -= 1

    def _read_all(self, place: list[tuple[int, int]], into: Codes) -> int:
        """Convert what waits, in order of the phases."""
        status = 0
        for bank, row in place:
            into[row], seen = self.read(bank)
            status |= seen
        place.clear()
        return status

    def _hold(self, bank: int) -> int:
        """Settle and hold; bank B stands 1 code higher, so that roles show.

        Isolated nodes stand at 0, and all do while lines float.
        """
        self._count_down()
        sums = self._inputs @ self._weights
        volts = np.sign(sums) * (np.abs(sums) // 256)
        status = 0
        if self._nudges is not None:
            volts[-self._geometry.n_outputs :] += np.sign(self._nudges) * (
                np.abs(self._nudges) // 4
            )
            outputs = volts[-self._geometry.n_outputs :]
            status = COMPLIANCE if np.any(np.abs(outputs) > _COMPLIANCE_CODE) else 0
        self._held[bank] = np.where(self.isolated | self.floating, 0, volts) + bank
        return status

    def _votes(self, first_bank: int, dead_zone: int) -> Longs:
        drops = self._inputs[None, :, None] - self._held[:, None, :]
        rise = np.abs(drops[1 - first_bank]) - np.abs(drops[first_bank])
        votes: Longs = (rise > dead_zone).astype(np.int64) - (rise < -dead_zone)
        return votes.reshape(-1)
