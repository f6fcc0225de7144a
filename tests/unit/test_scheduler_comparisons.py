"""Comparisons of drops: which drives, which votes, who takes part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hil.costs import SquaredError
from hil.estimators import Centred
from hil.scheduler import Scheduler
from hil.substrate import Comparisons, Drive, Settled
from tests.unit.dividers import BETA, INPUTS, TARGETS, Recorder


@dataclass
class Seen:
    first: Drive
    second: Drive
    dead_zone_volts: float
    near: Settled | None


class Comparing(Recorder):
    seen: Seen

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        self.seen = Seen(first, second, dead_zone_volts, near)
        return Comparisons(np.arange(4, dtype=np.int32), np.ones(3, bool))


@pytest.mark.parametrize("against_free", [True, False])
def test_a_comparing_substrate_gets_the_pair_of_drives(against_free: bool) -> None:
    substrate = Comparing()
    scheduler = Scheduler(SquaredError(), Centred(), BETA)
    free = scheduler.free(substrate, INPUTS, TARGETS)
    result = scheduler.compare(substrate, INPUTS, free, 1e-3, against_free)
    np.testing.assert_array_equal(result.votes, [0, 1, 2, 3])
    assert len(substrate.drives) == 1
    seen = substrate.seen
    assert seen.dead_zone_volts == 1e-3
    assert seen.near is free.settled
    np.testing.assert_allclose(seen.second.nudge_amps, BETA * free.nudge_volts, rtol=1e-15)  # type: ignore[arg-type]
    if against_free:
        assert seen.first.nudge_amps is None
    else:
        np.testing.assert_array_equal(seen.first.nudge_amps, -seen.second.nudge_amps)  # type: ignore[operator]


@pytest.mark.parametrize("against_free", [True, False])
@pytest.mark.parametrize("fails", [{}, {1: [1]}, {2: [0]}])
def test_without_a_comparator_held_drops_are_compared(
    against_free: bool, fails: dict[int, list[int]]
) -> None:
    substrate = Recorder(fails=fails)
    scheduler = Scheduler(SquaredError(), Centred(), BETA)
    free = scheduler.free(substrate, INPUTS, TARGETS)
    dead_zone = 0.05
    result = scheduler.compare(substrate, INPUTS, free, dead_zone, against_free)
    _, before, after = substrate.states
    sign = 0.0 if against_free else -1.0
    first = substrate.drives[1].nudge_amps
    if against_free:
        assert first is None
    else:
        np.testing.assert_allclose(first, sign * BETA * free.nudge_volts, rtol=1e-15)  # type: ignore[arg-type]
    expected, zeros = [], 0
    for row in (0, 1):
        for column in (2, 3):
            count = 0
            for b in range(3):
                if not (before.ok[b] and after.ok[b]):
                    continue
                low = abs(before.node_volts[b, row] - before.node_volts[b, column])
                high = abs(after.node_volts[b, row] - after.node_volts[b, column])
                inside = abs(high - low) <= dead_zone
                zeros += inside
                count += 0 if inside else 1 if high > low else -1
            expected.append(count)
    np.testing.assert_array_equal(result.votes, expected)
    assert any(expected)
    assert zeros
    np.testing.assert_array_equal(result.ok, before.ok & after.ok)


class Drifting(Recorder):
    """Its outputs rise a little from call to call, whatever the drive."""

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        volts = settled.node_volts.copy()
        volts[:, 2:] += 1e-3 * len(self.drives)
        return Settled(volts, settled.ok)


@pytest.mark.parametrize("against_free", [True, False])
def test_an_example_without_a_free_state_has_no_vote(against_free: bool) -> None:
    scheduler = Scheduler(SquaredError(), Centred(), BETA)
    substrate = Drifting(fails={0: [1]})
    free = scheduler.free(substrate, INPUTS, TARGETS)
    result = scheduler.compare(substrate, INPUTS, free, 0.0, against_free)
    np.testing.assert_array_equal(result.ok, [True, False, True])
    other, rest = Drifting(), np.array([0, 2])
    kept = scheduler.free(other, INPUTS[rest], TARGETS[rest])
    fewer = scheduler.compare(other, INPUTS[rest], kept, 0.0, against_free)
    np.testing.assert_array_equal(result.votes, fewer.votes)
