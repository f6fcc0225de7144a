"""A batch of operating points while they are being found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Point"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass
class Point:
    """Where a batch is.

    Attributes:
        x: (batch, n_x) unknowns.
        on: (batch, n_ideal) ideal diodes that conduct.
        amps_ideal: (batch, n_ideal) their currents.
        held: (batch, n_held) voltages of held nodes.
        levels: (batch, n_sources).
        right: (batch, n_x) ``R s - C p``.
        offset: (batch, n_nonlinear) voltages of nonlinear branches at ``x = 0``.
    """

    x: Floats
    on: BoolArray
    amps_ideal: Floats
    held: Floats
    levels: Floats
    right: Floats
    offset: Floats

    def part(self, who: NDArray[np.intp] | BoolArray) -> Point:
        """Some examples, copied."""
        return Point(
            self.x[who], self.on[who], self.amps_ideal[who],
            self.held[who], self.levels[who], self.right[who], self.offset[who],
        )  # fmt: skip

    def put(self, who: NDArray[np.intp] | BoolArray, other: Point) -> None:
        """Overwrite some examples' unknowns."""
        self.x[who], self.on[who], self.amps_ideal[who] = other.x, other.on, other.amps_ideal
