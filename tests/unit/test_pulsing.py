"""Whole pulses out of wishes: thousands of devices, single precision, wishes out of reach."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from hil.energy import ResistorEnergy
from hil.errors import UsageError
from hil.pulsing import Pulses
from hil.substrate import Substrate, SubstrateSpec
from hil.topology import Crossbar, Topology

PULSE, WINDOW = 1e-6, (1e-6, 1e-4)
ROWS, FIRST, SECOND = 60, 50, 20
N = ROWS * FIRST + FIRST * SECOND


class Counting:
    """As much of a substrate as pulses need."""

    def __init__(self) -> None:
        inputs = np.arange(ROWS)
        hidden = ROWS + np.arange(FIRST)
        outputs = ROWS + FIRST + np.arange(SECOND)
        topology = Topology(
            ROWS + FIRST + SECOND,
            inputs,
            outputs,
            (Crossbar(inputs, hidden), Crossbar(hidden, outputs)),
        )
        self.spec = SubstrateSpec(
            "counting",
            topology,
            ResistorEnergy(topology, (1.0, 1.0)),
            max_input_volts=1.0,
            max_nudge_amps=1.0,
            window_siemens=WINDOW,
            pulse_siemens=PULSE,
            settle_tolerance=1e-6,
        )
        self.counts: list[np.ndarray] = []

    def pulse(self, counts: np.ndarray) -> None:
        self.counts.append(counts)


def applied(pulses: Pulses, substrate: Counting, wish: np.ndarray, factors: list[float]) -> None:
    pulses.apply(cast(Substrate, substrate), wish, factors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pulses_follow_the_sum_of_all_wishes(dtype: type) -> None:
    rng = np.random.default_rng(0)
    pulses, substrate = Pulses(), Counting()
    factors = [-2e-7, 3e-7]
    wished = np.zeros(N)
    for _ in range(200):
        wish = rng.normal(0.3, 1.0, N).astype(dtype)
        wished += np.repeat(factors, [ROWS * FIRST, FIRST * SECOND]) * wish
        applied(pulses, substrate, wish, factors)
        assert substrate.counts[-1].dtype == np.int32
    given = PULSE * np.sum(substrate.counts, axis=0)
    kept = pulses.memory()["remainder"]
    assert kept.dtype == dtype
    tolerance = 1e-12 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(given + kept, wished, atol=tolerance * PULSE * 100, rtol=0)
    assert np.abs(kept).max() <= PULSE * (1 + 1e-6)
    assert len(np.unique(np.sum(substrate.counts, axis=0))) > 10


def test_most_batches_pulse_few_devices() -> None:
    """Places on either side of the bounds of what is looked at together."""
    pulses, substrate = Pulses(), Counting()
    wish = np.zeros(N, np.float32)
    at = np.array([0, 1023, 1024, 2047, 2999, 3000, 3999])
    wish[at] = np.array([1.5, -1.5, 2.5, -3.5, 1.2, -1.2, 7.9])
    applied(pulses, substrate, wish, [PULSE, PULSE])
    (counts,) = substrate.counts
    np.testing.assert_array_equal(np.flatnonzero(counts), at)
    np.testing.assert_array_equal(counts[at], [1, -1, 2, -3, 1, -1, 7])


def test_wishes_beyond_the_window_are_cut() -> None:
    pulses, substrate = Pulses(), Counting()
    wish = np.zeros(N, np.float32)
    wish[[5, 7]] = 1e30, -1e30
    applied(pulses, substrate, wish, [1.0, 1.0])
    applied(pulses, substrate, 0 * wish, [1.0, 1.0])
    first, second = substrate.counts
    most = np.ceil((WINDOW[1] - WINDOW[0]) / PULSE)
    np.testing.assert_array_equal(first[[5, 7]], [most, -most])
    assert np.abs(second).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_wishes_that_are_not_finite_are_refused(value: float) -> None:
    pulses, substrate = Pulses(), Counting()
    wish = np.zeros(N, np.float32)
    wish[3500] = value
    with pytest.raises(UsageError, match="not finite"):
        applied(pulses, substrate, wish, [1e-7, 1e-7])
    assert substrate.counts == []


def test_memory_of_another_precision_is_taken_on() -> None:
    pulses, substrate = Pulses(), Counting()
    kept = np.full(N, 0.75 * PULSE)
    kept.flags.writeable = False
    pulses.recall({"remainder": kept})
    applied(pulses, substrate, np.full(N, 0.5, np.float32), [PULSE, PULSE])
    np.testing.assert_array_equal(substrate.counts[0], 1)
    np.testing.assert_allclose(pulses.memory()["remainder"], 0.25 * PULSE, rtol=1e-5)
    np.testing.assert_array_equal(kept, 0.75 * PULSE)
