"""Whether every line reaches its devices: for each, one device that is neither open nor shorted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.findings import Finding
from hil.arrays import Floats, IntArray
from hil.errors import InstrumentError
from hil.substrate import ReadsConductance, Substrate
from hil.topology import Crossbar

__all__ = ["BadLine", "ReadsDevices", "bad_lines", "check_continuity"]

Read: TypeAlias = Callable[[IntArray], Floats]

_MOST_TOLD = 12
_HOPELESS = 3
"""Rounds without one good line, after which further ones tell nothing new."""

_OPEN_SHARE, _SHORT_SHARE = 0.5, 2.0
"""Of the ends of the window: beyond them a device is not one any more."""

_RARE = 1e-3
"""Lines on which all devices happen to be as low as on open ones are told as open below this."""


class BadLine(NamedTuple):
    """A line on which no good device was found.

    Attributes:
        name: as in the bench file.
        most_siemens: highest reading.
        chance: that as many lines of this side of the array are fine and have no device that reads
            higher than an open line; a bound.
    """

    name: str
    most_siemens: float
    chance: float


@runtime_checkable
class ReadsDevices(Protocol):
    """Some devices can be read without the others."""

    def read_devices(self, devices: IntArray) -> Floats:
        """(n,) siemens of (n,) device numbers."""
        ...


def check_continuity(config: BenchConfig, bench: Substrate) -> Iterator[Finding]:
    """Read devices until every line has a good one, or none is left to be read.

    Args:
        config: the bench file.
        bench: energised; nothing on it is changed.
    """
    if isinstance(bench, ReadsDevices):
        read: Read = bench.read_devices
    elif isinstance(bench, ReadsConductance):
        every = bench.read_conductance()
        read = every.__getitem__
    else:
        yield Finding("wiring", None, "not checked: the bench reaches no single device (access)")
        return
    try:
        bad, n_read = bad_lines(config, read)
    except InstrumentError as error:
        yield Finding("wiring", False, f"a reading failed: {error.message}")
        return
    n_lines = len(config.lines())
    low, high = _between(config)
    if not bad:
        told = f"all {n_lines} lines reach a device of {low:.3g} to {high:.3g} S"
        told = f"{told} ({n_read} were read)"
        yield Finding("wiring", True, f"{told}; contacts used in phases only were not tried")
        return
    for line in bad[:_MOST_TOLD]:
        yield _finding(line, low, high)
    if len(bad) > _MOST_TOLD:
        yield Finding("wiring", False, f"and {len(bad) - _MOST_TOLD} lines more of {n_lines}")
    else:
        yield Finding("wiring", True, f"the other {n_lines - len(bad)} lines reach good devices")


def bad_lines(config: BenchConfig, read: Read) -> tuple[list[BadLine], int]:
    """Lines without a good device.

    Args:
        config: the bench file.
        read: siemens of devices by their numbers.

    Returns:
        The lines, and how many devices were read.
    """
    low, high = _between(config)
    bad: list[BadLine] = []
    n_read = 0
    topology = config.network.topology
    for k, (group, part) in enumerate(zip(topology.groups, topology.slices, strict=True)):
        if not isinstance(group, Crossbar):
            raise TypeError("a bench has crossbars only")
        rows, columns = shape = group.tails.size, group.heads.size
        array = _Array(shape, low, high)
        array.read_all(_at_places(read, part.start, columns))
        n_read += array.n_read
        for letter, most, n_devices in (
            ("r", array.most[:rows], columns),
            ("c", array.most[rows:], rows),
        ):
            open_at = [place for place, value in enumerate(most) if value is not None]
            # A device at the end of the window reads above ``low`` unless noise hides it.
            one = array.low_share**n_devices if _is_noise(config) else 0.0
            chance = _chance_of_all(one, len(open_at), len(most))
            bad += [BadLine(f"a{k}.{letter}{at}", most[at] or 0.0, chance) for at in open_at]
    return bad, n_read


def _chance_of_all(one: float, n_found: int, n_lines: int) -> float:
    """Bound of the chance that so many lines or more, of all, are what one is with ``one``."""
    return min(1.0, math.comb(n_lines, n_found) * one**n_found)


def _at_places(read: Read, first: int, columns: int) -> Read:
    """Readings by (n, 2) rows and columns of an array."""
    return lambda places: read(first + places[:, 0] * columns + places[:, 1])


class _Array:
    """What was read of one array.

    Args:
        shape: rows and columns.
        low: a good device is above it.
        high: and below that.
    """

    def __init__(self, shape: tuple[int, int], low: float, high: float) -> None:
        self._shape, self._low, self._high = shape, low, high
        self.most: list[float | None] = [-np.inf] * sum(shape)
        """For each row, then each column: the highest reading; None if it has a good device."""
        self.n_read = 0
        self.low_share = 1.0
        """Of the devices read first, one a line."""

    def read_all(self, read: Read) -> None:
        """Read devices at (n, 2) places until every line has a good one or none is left."""
        rows, columns = self._shape
        for turn in range(max(rows, columns)):
            asked = {(i, (i + turn) % columns) for i in range(rows) if self.most[i] is not None}
            asked |= {
                ((j + turn) % rows, j) for j in range(columns) if self.most[rows + j] is not None
            }
            if not asked or (turn == _HOPELESS and None not in self.most):
                return
            places = np.array(sorted(asked), np.int64)
            siemens = read(places)
            self.n_read += len(places)
            if turn == 0:
                self.low_share = float(np.mean(siemens <= self._low))
            for (i, j), value in zip(places, siemens, strict=True):
                self._note((int(i), rows + int(j)), float(value))

    def _note(self, lines: tuple[int, int], siemens: float) -> None:
        good = self._low < siemens < self._high
        for line in lines:
            before = self.most[line]
            if before is not None:
                self.most[line] = None if good else max(before, siemens)


def _noise(config: BenchConfig) -> float:
    """What readings of nothing stay below."""
    return 0.0 if config.access is None else 4.0 * config.access.read_siemens


def _is_noise(config: BenchConfig) -> bool:
    return _noise(config) > _OPEN_SHARE * config.network.g_min_siemens


def _between(config: BenchConfig) -> tuple[float, float]:
    """Conductances that an open line and a short never show; noise of readings looks like open."""
    network, noise = config.network, _noise(config)
    low = max(_OPEN_SHARE * network.g_min_siemens, noise)
    return low, _SHORT_SHARE * network.g_max_siemens + noise


def _finding(line: BadLine, low: float, high: float) -> Finding:
    name = f"wiring of {line.name}"
    if line.most_siemens >= high:
        return Finding(
            name,
            False,
            f"a device reads {line.most_siemens:.3g} S, above {high:.3g}: shorted. Look for a "
            "bridge, and for a crosspoint that does not open",
        )
    low_text = f"no device of it reads above {low:.3g} S (highest {line.most_siemens:.3g})"
    if line.chance > _RARE:
        return Finding(
            name,
            None,
            f"{low_text}, as over an open wire, or because its devices are all that low, which on "
            f"arrays like this one happens with {100 * line.chance:.2g} %. Check again when one "
            "of them has been raised, by training for example",
        )
    return Finding(
        name,
        False,
        f"{low_text}: open. Look at its wire, its crosspoints in the bench file and the relay",
    )
