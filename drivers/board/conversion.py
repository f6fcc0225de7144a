"""Levels to codes and back: all calibration of the board's converters happens here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Floats
from hil.errors import SafetyError

__all__ = ["Codes", "Converter"]

Codes = NDArray[np.int16]


@dataclass(frozen=True, eq=False, slots=True)
class Converter:
    """Channels whose level is ``offset + step * code``.

    Attributes:
        step: level of one code, () or (channels,), volts or amps.
        offset: level at code 0, as ``step``.
        largest: largest absolute code.
    """

    step: Floats
    offset: Floats
    largest: int

    @staticmethod
    def nominal(bits: int, largest_level: float) -> Converter:
        """As the board states it: symmetric, ``2^(bits-1) - 1`` codes to each side of 0."""
        largest = (1 << (bits - 1)) - 1
        return Converter(np.array(largest_level / largest), np.array(0.0), largest)

    def codes(self, levels: Floats) -> Codes:
        """Nearest codes for (batch, channels) levels.

        Raises:
            SafetyError: a level is beyond the range, or not a number.
        """
        wanted = np.asarray(levels, np.float64)
        if self.offset.ndim or self.offset:
            wanted = wanted - self.offset
        scaled = np.rint(wanted / self.step)
        extreme = float(np.abs(scaled).max(initial=0.0))
        if not extreme <= self.largest:
            raise SafetyError(
                f"a level needs code {extreme:.6g}, the largest one is {self.largest}; nothing was "
                "sent. Lower the levels, or choose a board with a wider range",
                extreme=extreme,
                limit=self.largest,
            )
        return scaled.astype(np.int16)

    def levels(self, codes: Codes) -> Floats:
        """Levels of (batch, channels) codes, float64."""
        found = np.multiply(codes, self.step)
        if self.offset.ndim or self.offset:
            found += self.offset
        return found
