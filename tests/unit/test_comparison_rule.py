"""The comparison rule: votes, counters and writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.rules import ComparisonRule
from tests.unit.recorders import (
    INPUTS,
    PULSE,
    SCHEDULER,
    TARGETS,
    AdjustableVoting,
    Pulsed,
    Voting,
    learn,
    spread,
)

STEPS = (1e-5, 4e-5)


def test_every_vote_counts_without_a_threshold() -> None:
    substrate = Voting([[1, -1, 0, 3, -2, 0]])
    ok = learn(ComparisonRule((2 * PULSE, 3 * PULSE)), substrate)
    # More than the threshold is one write.
    np.testing.assert_array_equal(substrate.pulses, [[-2, 2, 0, -2, 3, 0]])
    np.testing.assert_array_equal(ok, [True, False, True])


def test_counters_trigger_at_the_threshold_and_keep_less_than_it() -> None:
    substrate = Voting([[2, -2, 4, 1, 0, 7], [1, 0, 1, -2, 0, 0], [1, -1, 1, -2, 0, 0]])
    rule = ComparisonRule((PULSE, PULSE), threshold_votes=3)
    for _ in range(3):
        learn(rule, substrate)
    np.testing.assert_array_equal(
        substrate.pulses,
        [
            [0, 0, -1, 0, 0, -1],  # counters 2 -2 1 1 0 4, cut to 2
            [-1, 0, 0, 0, 0, 0],  # counters 0 -2 2 -1 0 2
            [0, 1, -1, 1, 0, 0],  # counters 1 0 0 0 0 2
        ],
    )
    np.testing.assert_array_equal(rule.memory()["counters"], [1, 0, 0, 0, 0, 2])


def test_comparison_memory_resumes() -> None:
    votes = [[2, -2, 4, 1, 0, 7]] * 6
    straight, broken = Voting(votes), Voting(votes)
    arguments: Any = ((0.7 * PULSE, PULSE), 3)
    one, other = ComparisonRule(*arguments), ComparisonRule(*arguments)
    for step in range(6):
        if step == 3:
            kept = {name: array.copy() for name, array in other.memory().items()}
            assert set(kept) == {"counters", "remainder"}
            other = ComparisonRule(*arguments)
            other.recall(kept)
        learn(one, straight)
        learn(other, broken)
    np.testing.assert_array_equal(straight.pulses, broken.pulses)


def test_comparison_adjusts_where_it_can_unless_quantised() -> None:
    votes = [[1, -1, 0, 1, -1, 0]]
    substrate = AdjustableVoting(votes)
    learn(ComparisonRule(STEPS), substrate, factor=0.5)
    np.testing.assert_allclose(
        substrate.adjusted, -0.5 * spread(STEPS) * votes[0], rtol=1e-12, atol=0
    )
    assert substrate.pulses == []
    substrate = AdjustableVoting(votes)
    learn(ComparisonRule((PULSE, PULSE), quantised=True), substrate)
    np.testing.assert_array_equal(substrate.pulses, -np.array(votes))


@pytest.mark.parametrize("against_free", [True, False])
def test_dead_zone_and_reference_reach_the_substrate(against_free: bool) -> None:
    substrate = Voting([[0] * 6])
    rule = ComparisonRule(STEPS, dead_zone_volts=3e-3, against_free=against_free)
    learn(rule, substrate)
    assert substrate.asked == [(3e-3, against_free)]


def test_comparison_works_from_held_drops_and_respects_the_dead_zone() -> None:
    substrate = Pulsed()
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    votes = SCHEDULER.compare(substrate, INPUTS, free, 0.0, against_free=False).votes
    assert set(np.sign(votes)) >= {-1, 1}
    learn(ComparisonRule((PULSE, PULSE)), substrate)
    np.testing.assert_array_equal(substrate.pulses, [-np.sign(votes)])
    fresh = Pulsed()
    learn(ComparisonRule((PULSE, PULSE), dead_zone_volts=10.0), fresh)
    np.testing.assert_array_equal(fresh.pulses, np.zeros((1, 6)))
