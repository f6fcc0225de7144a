"""The voltmeter behind a multiplexer: ranges, automatic ranging, input resistance, over-range."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from drivers.emulated.accuracy import Converter, Range, fitting
from drivers.emulated.world import Channel, Meter, World
from hil.errors import UsageError

__all__ = ["OVERFLOW", "Voltmeter", "volts_range"]

OVERFLOW = 9.9e37
OPEN_INPUT_OHMS = 10e9  # data sheets say "> 10 GOhm"
DIVIDER_OHMS = 10e6
LARGEST_OPEN_VOLTS = 10.0  # ranges above this always measure through the divider
MOST_RANGE_CHANGES = 6


def volts_range(
    nominal: float, gain_percent: float, offset_percent: float, noise: float, largest: float = 0.0
) -> Range:
    """A range from its data sheet row: percent of reading, percent of range, noise in volts."""
    limit = largest or 1.2 * nominal
    return Range(nominal, limit, gain_percent / 100, offset_percent / 100 * nominal, noise)


class Voltmeter:
    """Measures one channel.

    Args:
        ranges: from the most sensitive up.
        world: what is measured.
        random: for errors and noise; None: an ideal meter.
    """

    def __init__(
        self, ranges: Sequence[Range], world: World, random: np.random.Generator | None
    ) -> None:
        self.ranges = tuple(ranges)
        self._world = world
        self._converter = Converter(ranges, random)

    def range_for(self, volts: float) -> int | None:
        """Index of the lowest range whose name reaches a value; None: none does."""
        magnitude = abs(volts) * (1 - 1e-9)
        return next((i for i, r in enumerate(self.ranges) if magnitude <= r.nominal), None)

    def stance(self, index: int, divider: bool) -> Meter:
        """What the input is on a range, with its 10 MOhm divider always on or only if needed."""
        loaded = divider or self.ranges[index].nominal > LARGEST_OPEN_VOLTS
        return Meter(DIVIDER_OHMS if loaded else OPEN_INPUT_OHMS)

    def measure(
        self, channel: Channel | None, index: int | None, divider: bool, cycles: float
    ) -> tuple[float, int]:
        """One reading.

        Args:
            channel: what the input is connected to; None, or one that is not wired into the world:
                nothing, which reads 0 V.
            index: a fixed range; None: automatic.
            divider: 10 MOhm on every range.
            cycles: integration time in power line cycles.

        Returns:
            Volts, or plus or minus 9.9E37 beyond the range; and the range used.
        """
        used = len(self.ranges) - 1 if index is None else index
        volts = self._true_volts(channel, used, divider)
        # The input resistance changes with the range, and with it the voltage: look again.
        for _ in range(MOST_RANGE_CHANGES if index is None else 0):
            found = fitting(self.ranges, volts)
            wanted = len(self.ranges) - 1 if found is None else found
            if wanted == used:
                break
            used = wanted
            volts = self._true_volts(channel, used, divider)
        if abs(volts) > self.ranges[used].largest:
            return math.copysign(OVERFLOW, volts), used
        return self._converter.measured(volts, used, cycles), used

    def _true_volts(self, channel: Channel | None, index: int, divider: bool) -> float:
        if channel is None:
            return 0.0
        channel.stance = self.stance(index, divider)
        try:
            return self._world.reading(channel).volts
        except UsageError:  # a channel that nobody wired into this world
            return 0.0
