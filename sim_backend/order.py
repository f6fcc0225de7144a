"""What an experiment asks of a simulated substrate."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from sim_backend.lot import Lot

__all__ = ["Order"]

_NOISE = 200
"""Keeps these generators apart from others with the same seed."""


@dataclass(frozen=True, eq=False)
class Order:
    """Sizes, limits and sources of randomness.

    Attributes:
        n_signals: input lines that carry data.
        n_outputs: output nodes.
        biased: for each crossbar, whether it has a pair of bias lines.
        max_input_volts: input limit where the configuration names none.
        precision: ``float32`` or ``float64``, where the substrate can choose.
        threads: parallel blocks, where the substrate can choose.
        rng: source of the start conductances.
        lot: source of everything that differs from part to part.
        seed: of noise in use.
    """

    n_signals: int
    n_outputs: int
    biased: tuple[bool, ...]
    max_input_volts: float
    precision: str
    threads: int
    rng: np.random.Generator
    lot: Lot = field(default_factory=Lot)
    seed: int = 0

    def noise(self, purpose: str) -> np.random.Generator:
        """A generator of noise in use, for one purpose."""
        return np.random.default_rng([self.seed, _NOISE, zlib.crc32(purpose.encode())])
