"""Sample-and-holds of the nodes, in two banks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hil.arrays import Floats, IntArray
from sim_backend.board.config import AdcConfig, HoldConfig, TimingConfig
from sim_backend.board.converters import with_noise
from sim_backend.board.drawn import BoardDrawn
from sim_backend.board.kernels import acquire

__all__ = ["A", "B", "Holds"]

A, B = 0, 1
"""Banks."""


class Holds:
    """What becomes of node voltages that are held.

    A phase lasts as long as nodes wait and holds acquire; by so much longer is held what has to
    wait for a later phase.

    Args:
        config: of the holds.
        timing: of a phase.
        adc: whose conversions make later nodes wait.
        drawn: constants.
        nodes: (n,) nodes that are held.
    """

    def __init__(
        self,
        config: HoldConfig,
        timing: TimingConfig,
        adc: AdcConfig,
        drawn: BoardDrawn,
        nodes: IntArray,
    ) -> None:
        self.config = config
        self._phase = timing.wait_seconds + timing.acquisition_seconds
        self._compare_seconds = np.full(nodes.size, timing.read_seconds)
        turns = np.arange(nodes.size) if adc.shared else np.zeros(nodes.size)
        self._read_seconds = timing.read_seconds + adc.conversion_seconds * turns
        self._left = 0.0
        if config.tau_seconds:
            self._left = math.exp(-timing.acquisition_seconds / config.tau_seconds)
        gain = drawn.hold_gain[:, nodes]
        self._gain = None if np.all(gain == 1.0) else gain
        self._constant = (drawn.hold_offset_volts + drawn.hold_step_volts)[:, nodes]
        self._droop = drawn.hold_droop_volts_per_second[:, nodes]
        self.is_exact = not (
            self._left
            or self._gain is not None
            or np.any(self._constant)
            or np.any(self._droop)
            or config.noise_volts
        )
        self.kept_volts: Floats = np.zeros((2, nodes.size))
        """What both banks held last; of use only where acquisition leaves something over."""

    @property
    def remembers(self) -> bool:
        """Whether it matters what was held before."""
        return bool(self._left)

    def for_reading(self, volts: Sequence[Floats]) -> list[Floats]:
        """What is read of the phases (batch, n) of one exchange, but for white noise."""
        if self.config.banks == 1:
            return self._held(volts, [A] * len(volts), [0] * len(volts), self._read_seconds)
        banks = [B if p % 2 else A for p in range(len(volts))]
        later = [0 if p % 2 or p + 1 == len(volts) else 1 for p in range(len(volts))]
        return self._held(volts, banks, later, self._read_seconds)

    def for_comparing(
        self, first: Floats, second: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """What a comparator sees of two phases (batch, n), noise of the holds and all."""
        held = self._held([first, second], [A, B], [1, 0], self._compare_seconds)
        if self.config.noise_volts:
            held = [with_noise(v, np.array(self.config.noise_volts), rng) for v in held]
        return held[0], held[1]

    def _held(
        self,
        volts: Sequence[Floats],
        banks: Sequence[int],
        later: Sequence[int],
        seconds: Floats,
    ) -> list[Floats]:
        """Held voltages after ``seconds`` (n,) and so many later phases."""
        if self._left:
            volts = list(acquire(np.stack(volts), np.array(banks), self.kept_volts, self._left))
        held = []
        for values, bank, phases in zip(volts, banks, later, strict=True):
            if self._gain is not None:
                values = values * self._gain[bank].astype(values.dtype)
            shift = self._constant[bank] + self._droop[bank] * (seconds + phases * self._phase)
            held.append(values + shift.astype(values.dtype) if np.any(shift) else values)
        return held
