"""Who is disturbed, and votes, against loops over single devices and examples."""

from __future__ import annotations

import numpy as np
import pytest

from hil.topology import Crossbar, Edges, Topology
from sim_backend.chip.exposure import compared, read_directions, selected_with
from sim_backend.memristors.disturb import Disturb

TOPOLOGY = Topology(
    9,
    np.arange(3),
    np.array([8]),
    (
        Crossbar(np.array([0, 1, 2]), np.array([3, 4])),
        Edges(np.array([3, 4, 3]), np.array([5, 6, 4])),
        Crossbar(np.array([5, 6]), np.array([7, 8])),
    ),
)
"""Two crossbars and some single devices."""


def drops(volts: np.ndarray) -> np.ndarray:
    return volts[:, TOPOLOGY.tails] - volts[:, TOPOLOGY.heads]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_directions_are_the_signs_of_drops(dtype: type) -> None:
    volts = np.random.default_rng(0).integers(-2, 3, (20, 9)).astype(dtype)  # with many zeros
    volts[3] = np.nan
    up, down = read_directions(TOPOLOGY, volts)
    np.testing.assert_array_equal(up, (drops(volts) > 0).sum(axis=0))
    np.testing.assert_array_equal(down, (drops(volts) < 0).sum(axis=0))


@pytest.mark.parametrize("dead_zone", [0.0, 0.5])
def test_votes_are_those_of_single_devices(dead_zone: float) -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 15, 9))
    rise = np.abs(drops(second)) - np.abs(drops(first))
    expected = (rise > dead_zone).sum(axis=0) - (rise < -dead_zone).sum(axis=0)
    np.testing.assert_array_equal(compared(TOPOLOGY, first, second, dead_zone), expected)


@pytest.mark.parametrize("scheme", ["half", "third"])
def test_others_are_disturbed_within_their_crossbar(scheme: str) -> None:
    """One pulse after the other, as the voltages of the scheme say."""
    counts = np.array([2, 0, -1, 3, 0, 0, 5, -5, 5, 0, 0, -4, 0])
    up, down = np.zeros(counts.size, int), np.zeros(counts.size, int)
    for start, rows, columns in ((0, 3, 2), (9, 2, 2)):
        for k in range(rows * columns):
            for other in range(rows * columns):
                same_row = k // columns == other // columns
                same_column = k % columns == other % columns
                turned = 1
                if k == other:
                    continue
                if not (same_row or same_column):
                    if scheme == "half":
                        continue
                    turned = -1  # V/3 the other way round
                pulses = turned * counts[start + k]
                (up if pulses > 0 else down)[start + other] += abs(pulses)
    disturb = Disturb(scheme=scheme)
    found = selected_with(TOPOLOGY, counts, disturb)
    np.testing.assert_array_equal(found, (up, down))


def test_strengths_are_those_of_the_scheme() -> None:
    assert Disturb(0.1, 0.2, "none", 0.3).select_share == 0.0
    assert Disturb(0.1, 0.2, "half", 0.3).select_share == 0.1
    assert Disturb(0.1, 0.2, "third", 0.3).select_share == 0.3
