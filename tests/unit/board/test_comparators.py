"""Comparators of drops against closed formulas."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from hil.arrays import Floats
from hil.errors import UsageError
from hil.substrate import Drive
from sim_backend.board.kernels import compare
from tests.unit.board.rig import N_INPUTS, N_OUTPUTS, Rig, inputs

NUDGE = np.full((4, N_OUTPUTS), 1e-4)
NEVER = np.zeros(0, np.int8)


def rises(rig: Rig, first: Drive, second: Drive) -> Floats:
    """(batch, n_devices) by how much the second absolute drop exceeds the first."""
    graph, found = rig.inner.spec.topology, []
    for drive in (first, second):
        volts = np.concatenate([drive.input_volts, rig.inner.steady(drive)], axis=1)
        found.append(np.abs(volts[:, graph.tails] - volts[:, graph.heads]))
    return np.asarray(found[1] - found[0])


def phases(batch: int = 4, seed: int = 0, amps: float = 1e-4) -> tuple[Drive, Drive]:
    """Other inputs in the second phase, so that all drops differ."""
    volts = inputs(batch, seed)
    return Drive(volts), Drive(1.01 * volts, np.full((batch, N_OUTPUTS), amps))


def lone(rise: Floats, **how: Any) -> Any:
    """Votes of devices that each see their column of ``rise`` (batch, n)."""
    n = rise.shape[1]
    first = np.zeros((2 * n, len(rise)))
    second = np.concatenate([rise.T + 10.0, np.zeros((n, len(rise)))])
    first[:n] = 10.0
    tails, heads = np.arange(n), np.arange(n, 2 * n)
    values: dict[str, Any] = {
        "offset_volts": np.zeros(n), "noise_volts": 0.0, "dead_zone_volts": 0.0,
        "hysteresis_volts": 0.0, "key": 1, "last": NEVER,
    }  # fmt: skip
    return compare(first, second, tails, heads, **(values | how))


@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_exact_comparators_say_what_the_drops_say(seed: int, share: float) -> None:
    rig = Rig(hold={"offset_volts": 1e-12}, inner={"n_hidden": 5})
    first, second = phases(6, seed)
    rise = rises(rig, first, second)
    dead_zone = float(np.quantile(np.abs(rise), share)) * 1.001
    result = rig.board.accumulate_comparisons(first, second, dead_zone)
    certain = (np.abs(np.abs(rise) - dead_zone) > 1e-10).all(axis=0)
    expected = (rise > dead_zone).sum(axis=0) - (rise < -dead_zone).sum(axis=0)
    np.testing.assert_array_equal(result.votes[certain], expected[certain])
    assert result.votes.dtype == np.int32


def test_an_offset_shifts_the_threshold_of_its_device() -> None:
    rig = Rig(comparator={"offset_volts": 3e-3}, inner={"n_hidden": 300})
    first, second = phases()
    votes = rig.board.accumulate_comparisons(first, second, 0.0).votes
    seen = rises(rig, first, second) + rig.drawn.comparator_offset_volts
    np.testing.assert_array_equal(votes, np.sign(seen).sum(axis=0))
    assert np.any(np.sign(seen) != np.sign(rises(rig, first, second)))
    assert np.std(rig.drawn.comparator_offset_volts) == pytest.approx(3e-3, rel=0.1)


def test_noise_gives_the_probability_of_the_normal_distribution() -> None:
    """P(1) = Phi((d + o) / s), within what so many trials allow."""
    noise, batch = 2e-3, 400
    rig = Rig(comparator={"offset_volts": 2e-3, "noise_volts": noise}, inner={"n_hidden": 1000})
    volts = np.repeat(inputs(1), batch, axis=0)
    first, second = Drive(volts), Drive(1.01 * volts)
    ones = (rig.board.accumulate_comparisons(first, second, 0.0).votes + batch) / 2
    seen = rises(rig, first, second)[0] + rig.drawn.comparator_offset_volts
    chance = ndtr(seen / noise)
    open_ones = (chance > 0.01) & (chance < 0.99)
    assert np.count_nonzero(open_ones) > 1000
    sigma = np.sqrt(batch * chance * (1.0 - chance))[open_ones]
    z = (ones - batch * chance)[open_ones] / sigma
    assert np.abs(z).max() < 5.0
    assert abs(z.mean()) < 4.0 / z.size**0.5
    assert z.var() == pytest.approx(1.0, abs=6.0 * (2.0 / z.size) ** 0.5)


@pytest.mark.parametrize("sigmas", [-6.0, -3.0, -0.3, 0.0, 1.5, 4.0])
def test_a_dead_zone_with_noise_gives_all_three_probabilities(sigmas: float) -> None:
    noise, dead_zone, trials = 1e-3, 1.2e-3, 200_000
    rise = np.full((100, trials // 100), sigmas * noise)
    votes = lone(rise, noise_volts=noise, dead_zone_volts=dead_zone, key=7).sum()
    above, below = ndtr(sigmas - 1.2), ndtr(-1.2 - sigmas)
    sigma = np.sqrt(trials * (above + below - (above - below) ** 2))
    assert abs(votes - trials * (above - below)) <= 4.0 * sigma + 1.0


def test_noise_differs_from_device_to_device_and_from_comparison_to_comparison() -> None:
    rise = np.zeros((64, 4000))
    draws = np.array([lone(rise, noise_volts=1e-3, key=k) for k in (1, 2, 2**64 - 1)])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(draws[one], draws[other])[0, 1]) < 0.07
    assert abs(np.corrcoef(draws[0, :-1], draws[0, 1:])[0, 1]) < 0.07
    assert np.var(draws) == pytest.approx(64.0, rel=0.05)


def test_what_is_not_a_number_is_survived() -> None:
    rise = np.full((3, 2), np.nan)
    assert np.abs(lone(rise, noise_volts=1e-3)).max() <= 3
    assert not lone(rise).any()


def test_hysteresis_with_noise_flips_as_often_as_the_normal_distribution_says() -> None:
    """From +1 with probability Phi((-h/2 - d) / s), back with Phi((d - h/2) / s)."""
    noise, width, rise, batch = 1e-3, 1e-3, 2e-4, 4000
    last = np.ones(200, np.int8)
    votes = lone(
        np.full((batch, 200), rise), noise_volts=noise, hysteresis_volts=width, last=last, key=3
    )
    down, up = ndtr((-width / 2 - rise) / noise), ndtr((rise - width / 2) / noise)
    mean = (up - down) / (up + down)
    # A Markov chain of two states: its correlation makes the mean less certain.
    memory = 1.0 - up - down
    sigma = np.sqrt((1.0 - mean**2) * (1.0 + memory) / (1.0 - memory) / votes.size / batch)
    assert abs(votes.mean() / batch - mean) < 4.0 * sigma


def test_hysteresis_keeps_the_last_outcome_within_its_width() -> None:
    width = 2e-3
    steps = 1e-3 * np.array([0.5, 0.9, 1.1, 0.0, -0.9, -1.1, 0.9, -0.5, 1.1])
    outcomes = np.array([0, 0, 1, 1, 1, -1, -1, -1, 1])
    last = np.zeros(3, np.int8)
    rise = np.stack([steps, -steps, np.zeros(steps.size)], axis=1)
    votes = lone(rise, hysteresis_volts=width, last=last)
    np.testing.assert_array_equal(votes, [outcomes.sum(), -outcomes.sum(), 0])
    np.testing.assert_array_equal(last, [1, -1, 0])
    # The next comparison goes on from there.
    again = lone(np.full((1, 3), -0.9e-3), hysteresis_volts=width, last=last)
    np.testing.assert_array_equal(again, [1, -1, 0])


def test_hysteresis_works_at_both_ends_of_a_dead_zone() -> None:
    """Thresholds at 3 mV, half a millivolt nearer to what was the case before."""
    steps = 1e-3 * np.array([3.2, 3.6, 2.6, 2.4, -3.4, -3.6, -2.6, -2.4])
    outcomes = np.array([0, 1, 1, 0, 0, -1, -1, 0])
    for k in range(1, steps.size + 1):
        last = np.zeros(1, np.int8)
        votes = lone(steps[:k, None], hysteresis_volts=1e-3, dead_zone_volts=3e-3, last=last)
        assert votes[0] == outcomes[:k].sum()
        assert last[0] == outcomes[k - 1]


def test_errors_of_both_banks_enter_with_the_sign_of_the_drop() -> None:
    """The same phase twice: what is compared is what the banks differ by."""
    rig = Rig(hold={"offset_volts": 1e-4, "droop_volts_per_second": 1.0},
              timing={"wait_seconds": 1e-3})  # fmt: skip
    graph, drawn = rig.inner.spec.topology, rig.drawn
    drive = phases()[0]
    volts = np.concatenate([drive.input_volts, rig.inner.steady(drive)], axis=1)
    drop = volts[:, graph.tails] - volts[:, graph.heads]
    change = drawn.hold_offset_volts[1] - drawn.hold_offset_volts[0] - 1e-3  # A drooped longer
    change[:N_INPUTS] = 0.0
    seen = np.sign(drop) * (change[graph.tails] - change[graph.heads])
    votes = rig.board.accumulate_comparisons(drive, drive, 0.0).votes
    np.testing.assert_array_equal(votes, np.sign(seen).sum(axis=0))


def test_a_step_of_both_banks_alike_changes_nothing_without_a_change_of_sign() -> None:
    first, second = phases()
    votes = [
        rig.board.accumulate_comparisons(first, second, 0.0).votes
        for rig in (Rig(), Rig(supply={"upper_volts": 10.0}))
    ]
    np.testing.assert_array_equal(*votes)


def test_failed_examples_do_not_vote() -> None:
    rig = Rig(hold={"offset_volts": 1e-12}, supply={"upper_volts": 0.4})
    volts = inputs(seed=3, reach=0.2)
    volts[1, 0] = 0.125
    volts[2] = 0.5
    first, second = Drive(volts), Drive(1.01 * volts)
    result = rig.board.accumulate_comparisons(first, second, 0.0)
    np.testing.assert_array_equal(result.ok, [True, False, False, True])
    rise = rises(rig, first, second)[[0, 3]]
    np.testing.assert_array_equal(result.votes, np.sign(rise).sum(axis=0))


def test_an_example_that_fails_in_one_phase_does_not_vote() -> None:
    rig = Rig(comparator={"offset_volts": 1e-12})
    first, second = phases()
    second.input_volts[1, 0] = 0.125
    for pair in ((first, second), (second, first)):
        result = rig.board.accumulate_comparisons(*pair, 0.0)
        np.testing.assert_array_equal(result.ok, [True, False, True, True])
        rise = rises(rig, *pair)[[0, 2, 3]]
        np.testing.assert_array_equal(result.votes, np.sign(rise).sum(axis=0))


def test_votes_do_not_depend_on_the_number_of_threads() -> None:
    rise = np.random.default_rng(0).normal(0.0, 1e-3, (16, 5000))
    found = []
    before = numba.get_num_threads()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            last = np.zeros(5000, np.int8)
            found.append(lone(rise, noise_volts=1e-3, hysteresis_volts=1e-3, last=last))
            found.append(last)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


def test_phases_of_different_batches_are_refused() -> None:
    rig = Rig(comparator={"noise_volts": 1e-3})
    first, second = phases()
    fewer = Drive(second.input_volts[1:])
    with pytest.raises(UsageError, match="one batch"):
        rig.board.accumulate_comparisons(first, fewer, 0.0)
    assert not rig.inner.drives
