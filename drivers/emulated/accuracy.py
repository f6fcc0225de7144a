"""How far an instrument is from ideal: ranges, and errors drawn within their data sheet limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Converter", "Range", "fitting"]


@dataclass(frozen=True, slots=True)
class Range:
    """One range of a source or a meter, in the unit it sources or measures.

    Attributes:
        nominal: the range as it is named.
        largest: what it reaches, 105 % of nominal for most.
        gain: limit of the error, as a fraction of the value.
        offset: limit of the error that does not depend on the value.
        noise: standard deviation of one reading over one power line cycle.
    """

    nominal: float
    largest: float
    gain: float
    offset: float
    noise: float


def fitting(ranges: Sequence[Range], value: float) -> int | None:
    """Index of the most sensitive range that reaches a value; None: none does."""
    magnitude = abs(value) * (1.0 - 1e-9)  # 21.0 sent as text must still fit the 21 V range
    return next((i for i, r in enumerate(ranges) if magnitude <= r.largest), None)


class Converter:
    """A source or a meter with a gain and an offset error of its own on every range.

    The errors are drawn once, uniformly within the data sheet's limits, and stay: a device
    measured again shows the same offset. Noise is drawn anew for each reading and falls with the
    square root of the integration time, white as the data sheets' figures suggest.

    Args:
        ranges: from the most sensitive up.
        random: None: no errors and no noise.
    """

    def __init__(self, ranges: Sequence[Range], random: np.random.Generator | None) -> None:
        self._ranges = tuple(ranges)
        self._random = random
        n_ranges = len(self._ranges)
        draws = np.zeros((2, n_ranges)) if random is None else random.uniform(-1, 1, (2, n_ranges))
        self._gains = [1.0 + r.gain * float(draw) for r, draw in zip(ranges, draws[0], strict=True)]
        self._offsets = [r.offset * float(draw) for r, draw in zip(ranges, draws[1], strict=True)]

    def sourced(self, value: float, index: int) -> float:
        """What comes out when ``value`` is asked for on range ``index``."""
        return value * self._gains[index] + self._offsets[index]

    def measured(self, value: float, index: int, line_cycles: float = 1.0) -> float:
        """What a reading over some power line cycles says of ``value``."""
        reading = self.sourced(value, index)
        if self._random is None:
            return reading
        deviation = self._ranges[index].noise / math.sqrt(line_cycles)
        return reading + float(self._random.normal(0.0, deviation))
