"""The budget of pulses, and the watchdog of an energised bench."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from drivers.bench.ledger import PulseLedger
from drivers.bench.shutdown import Watchdog
from hil.errors import SafetyError, UsageError


def test_a_budget_counts_pulses_of_both_signs() -> None:
    ledger = PulseLedger(3, 10)
    ledger.add(np.array([4, -4, 0]))
    ledger.check(np.array([6, -6, 10]))
    with pytest.raises(SafetyError, match=r"device 1 got 4 pulses so far .* take 7 more") as error:
        ledger.check(np.array([6, -7, 0]))
    assert error.value.evidence == {"device": 1, "spent": 4, "budget": 10}
    assert ledger.counts().tolist() == [4, 4, 0]


@pytest.mark.parametrize(
    "counts",
    [
        np.array([-(2**63), 0]),
        np.array([2**63 + 5, 0], np.uint64),
        np.array([2**63 - 1, 0]),
        np.array([-128, 0], np.int8),
    ],
)
def test_counts_that_overflow_are_beyond_the_budget(counts: np.ndarray) -> None:
    ledger = PulseLedger(2, 100)
    ledger.add(np.array([3, 3]))
    with pytest.raises(SafetyError, match="device 0 got 3 pulses"):
        ledger.check(counts)


def test_counts_of_an_earlier_session_spend_no_budget() -> None:
    ledger = PulseLedger(2, 10)
    ledger.add(np.array([3, 0]))
    ledger.load(np.array([100, 200]))
    assert ledger.counts().tolist() == [100, 200]
    ledger.check(np.array([7, 10]))
    with pytest.raises(SafetyError):
        ledger.check(np.array([8, 0]))
    ledger.add(np.array([-1, 1]))
    assert ledger.counts().tolist() == [101, 201]


@pytest.mark.parametrize("counts", [np.zeros(3, np.int64), np.zeros(2), np.array([-1, 0])])
def test_counts_that_are_none_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(UsageError, match="write counts are 2 integers"):
        PulseLedger(2, 10).load(counts)


@pytest.mark.parametrize(
    "counts",
    [
        np.array([2**63 - 1, 0]),
        np.array([2**63 - 10, 0]),
        np.array([2**63 + 5, 0], np.uint64),
        np.array([2**70, 0], object),
        [1, 2],
        None,
    ],
)
def test_counts_that_nothing_can_be_added_to_are_refused(counts: Any) -> None:
    ledger = PulseLedger(2, 10)
    with pytest.raises(UsageError, match="write count"):
        ledger.load(counts)
    assert ledger.counts().tolist() == [0, 0]


def test_the_largest_counts_that_are_taken_stay_countable() -> None:
    ledger = PulseLedger(2, 10)
    ledger.add(np.array([4, 0]))
    ledger.load(np.array([2**63 - 1 - 10, 0], np.uint64))
    ledger.add(np.array([6, 0]))
    assert ledger.counts().tolist() == [2**63 - 1 - 4, 0]


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_watchdog_acts_once_when_nothing_was_asked_for_long() -> None:
    clock, acts = Clock(), []
    watchdog = Watchdog(10.0, clock, threading.RLock(), lambda: acts.append(clock.seconds))
    clock.seconds = 9.0
    assert watchdog.look() == pytest.approx(1.0)
    watchdog.feed()
    clock.seconds = 18.0
    assert watchdog.look() == pytest.approx(1.0)
    assert not acts
    clock.seconds = 19.0
    watchdog.look()
    watchdog.look()
    assert acts == [19.0]
    assert watchdog.tripped


def test_a_watchdog_that_was_stopped_rests() -> None:
    clock, acts = Clock(), []
    watchdog = Watchdog(10.0, clock, threading.RLock(), lambda: acts.append(clock.seconds))
    watchdog.stop()
    clock.seconds = 100.0
    watchdog.look()
    assert not acts
    assert not watchdog.tripped


def test_a_watchdog_waits_for_whoever_uses_the_bench() -> None:
    """It takes the lock, and looks again before it acts."""
    clock, acts, lock = Clock(), [], threading.RLock()
    watchdog = Watchdog(10.0, clock, lock, lambda: acts.append(clock.seconds))
    with lock:
        clock.seconds = 11.0
        looker = threading.Thread(target=watchdog.look)
        looker.start()
        watchdog.feed()
    looker.join()
    assert not acts
