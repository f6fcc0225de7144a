"""Compiled loops: what holds keep from one voltage to the next, and what comparators vote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["acquire", "compare"]

Floats = NDArray[np.floating[Any]]

_REACH = 8.5
"""Standard deviations beyond which a normal variable is not tabled: less than 1e-16 is there."""
_PER_SIGMA = 256
"""Entries of the table a standard deviation; linear interpolation is then right to 5e-7."""
_NORMAL = ndtr(np.arange(-_REACH, _REACH + 2.0 / _PER_SIGMA, 1.0 / _PER_SIGMA))
_CHUNKS = 64
"""Blocks of devices that threads share out; each has room for one device's batch."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


@njit(cache=True, error_model="numpy")
def acquire(volts: Floats, banks: NDArray[np.int64], kept: Floats, left: float) -> Floats:
    """Voltages that holds acquired, in the order in which a bench runs through a batch.

    Example by example, and phase by phase within an example, a hold approaches its node's
    voltage from the one it kept before.  A node without a finite voltage moves nothing.

    Args:
        volts: (phases, batch, n) of the nodes.
        banks: (phases,) row of ``kept`` that each phase is held in.
        kept: (banks, n) last voltages held; brought up to date.
        left: fraction of a step that is left at the end of acquisition.

    Returns:
        (phases, batch, n).
    """
    held = np.empty_like(volts)
    share = volts.dtype.type(left)
    for b in range(volts.shape[1]):
        for p in range(volts.shape[0]):
            bank = banks[p]
            for k in range(volts.shape[2]):
                goal = volts[p, b, k]
                reached = goal + share * (kept[bank, k] - goal)
                held[p, b, k] = reached
                if np.isfinite(reached):
                    kept[bank, k] = reached
    return held


@njit(cache=True, forceinline=True, error_model="numpy")
def _uniform(key: np.uint64, index: np.uint64) -> float:
    """Number ``index`` of the SplitMix64 sequence that starts at ``key``, in (0, 1)."""
    z = key + (index + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    z = z ^ (z >> _31)
    return (np.float64(z >> _11) + 0.5) * _UNIT


@njit(cache=True, forceinline=True, error_model="numpy")
def _below(sigmas: float, table: Floats) -> float:
    """Probability of a normal variable below so many standard deviations, without a branch."""
    place = (min(max(sigmas, -_REACH), _REACH) + _REACH) * _PER_SIGMA
    k = min(max(int(place), 0), table.size - 2)  # also for what is not a number
    value: float = table[k] + (place - k) * (table[k + 1] - table[k])
    return value


@njit(cache=True, forceinline=True, error_model="numpy")
def _noisy(rises: Floats, high: float, low: float, per_sigma: float,
           key: np.uint64, start: np.uint64, table: Floats) -> int:  # fmt: skip
    """Sum of the votes of one device whose comparator is noisy but has no hysteresis."""
    total = 0
    if low == high:
        for b in range(rises.size):
            u = _uniform(key, start + np.uint64(b))
            p = _below((high - rises[b]) * per_sigma, table)
            total += int(u > p) - int(u < p)
        return total
    for b in range(rises.size):
        u = _uniform(key, start + np.uint64(b))
        above = u > _below((high - rises[b]) * per_sigma, table)
        below = u < _below((low - rises[b]) * per_sigma, table)
        total += int(above) - int(below)
    return total


@njit(cache=True, forceinline=True, error_model="numpy")
def _beyond(
    rises: Floats, dead_zone: float, half: float, per_sigma: float, key: np.uint64,
    start: np.uint64, table: Floats, seen: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Which of the four thresholds each comparison is beyond, as bits.

    All four are looked up, so that no comparison has to wait for the outcome of the one before.
    """
    for b in range(rises.size):
        rise, u = rises[b], _uniform(key, start + np.uint64(b))
        if per_sigma > 0.0:
            # rise + noise > threshold where noise, the inverse of u, is above the difference.
            easy_up = u > _below((dead_zone - half - rise) * per_sigma, table)
            hard_up = u > _below((dead_zone + half - rise) * per_sigma, table)
            easy_down = u < _below((half - dead_zone - rise) * per_sigma, table)
            hard_down = u < _below((-half - dead_zone - rise) * per_sigma, table)
        else:
            easy_up, hard_up = rise > dead_zone - half, rise > dead_zone + half
            easy_down, hard_down = rise < half - dead_zone, rise < -half - dead_zone
        seen[b] = (
            np.uint8(easy_up) | np.uint8(hard_up) << 1
            | np.uint8(easy_down) << 2 | np.uint8(hard_down) << 3
        )  # fmt: skip


@njit(cache=True, forceinline=True, error_model="numpy")
def _sticky(seen: NDArray[np.uint8], outcome: int) -> tuple[int, int]:
    """Sum of the votes of one device with hysteresis, and its last outcome."""
    total = 0
    for b in range(seen.size):
        above = (seen[b] >> (0 if outcome > 0 else 1)) & 1
        below = (seen[b] >> (2 if outcome < 0 else 3)) & 1
        outcome = int(above) - int(below)
        total += outcome
    return total, outcome


@njit(cache=True, error_model="numpy", parallel=True)
def _compare(
    first: Floats, second: Floats, tails: NDArray[np.integer[Any]],
    heads: NDArray[np.integer[Any]], offset_volts: Floats, noise_volts: float,
    dead_zone_volts: float, hysteresis_volts: float, key: np.uint64, last: NDArray[np.int8],
    table: Floats, votes: NDArray[np.int32],
) -> None:  # fmt: skip
    batch = first.shape[1]
    per_sigma = 1.0 / noise_volts if noise_volts > 0.0 else 0.0
    half = 0.5 * hysteresis_volts
    chunks = min(_CHUNKS, tails.size)
    for c in prange(chunks):
        rises, seen = np.empty(batch), np.empty(batch, np.uint8)
        for d in range(c * tails.size // chunks, (c + 1) * tails.size // chunks):
            i, j = tails[d], heads[d]
            for b in range(batch):
                rise = abs(second[i, b] - second[j, b]) - abs(first[i, b] - first[j, b])
                rises[b] = rise + offset_volts[d]
            start = np.uint64(d) * np.uint64(batch)
            total = 0
            if half > 0.0:
                _beyond(rises, dead_zone_volts, half, per_sigma, key, start, table, seen)
                total, outcome = _sticky(seen, int(last[d]))
                last[d] = outcome
            elif per_sigma > 0.0:
                total = _noisy(
                    rises, dead_zone_volts, -dead_zone_volts, per_sigma, key, start, table
                )
            else:
                for b in range(batch):
                    total += int(rises[b] > dead_zone_volts)
                    total -= int(rises[b] < -dead_zone_volts)
            votes[d] = total


def compare(
    first: Floats,
    second: Floats,
    tails: NDArray[np.integer[Any]],
    heads: NDArray[np.integer[Any]],
    offset_volts: Floats,
    noise_volts: float,
    dead_zone_volts: float,
    hysteresis_volts: float,
    key: int,
    last: NDArray[np.int8],
) -> NDArray[np.int32]:
    """Sums of comparator outcomes over a batch.

    A comparator sees ``d = |second drop| - |first drop|`` plus its offset plus noise, against
    two thresholds, plus and minus the dead zone: its vote is +1 above the one, -1 below the
    other.  Hysteresis moves a threshold by half its width towards keeping the last outcome, which
    is that of the example before.  Noise is a function of key, device and example, whatever the
    number of threads.

    Args:
        first: (n_nodes, batch) volts of the first phase.
        second: (n_nodes, batch) volts of the second phase.
        tails: (n_devices,) nodes.
        heads: (n_devices,) nodes.
        offset_volts: (n_devices,).
        noise_volts: rms, 0 for none.
        dead_zone_volts: see above.
        hysteresis_volts: width.
        key: of the noise, 64 bits.
        last: (n_devices,) outcomes before, brought up to date; with hysteresis only, else it
            may be empty.

    Returns:
        (n_devices,) votes.
    """
    votes = np.empty(tails.size, np.int32)
    _compare(
        first, second, tails, heads, offset_volts, noise_volts, dead_zone_volts,
        hysteresis_volts, np.uint64(key), last, _NORMAL, votes,
    )  # fmt: skip
    return votes
