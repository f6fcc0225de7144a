"""The governor against a pretended machine, on a clock of its own."""

from __future__ import annotations

import pytest

from sim_backend.governor import ThreadGovernor
from sim_backend.threads import limited


def run(seconds_of: dict[int, float], until: float) -> dict[int, int]:
    """Steps done with each number of threads when a step takes ``seconds_of[threads]``."""
    now = [0.0]
    with limited(2):
        governor = ThreadGovernor(2, lambda: now[0])
        steps = {1: 0, 2: 0}
        while now[0] < until:
            now[0] += seconds_of[governor.threads]
            steps[governor.threads] += 1
            governor.step_done()
    return steps


@pytest.mark.parametrize(("slow", "fast"), [(1, 2), (2, 1)])
def test_settles_on_the_faster_choice(slow: int, fast: int) -> None:
    steps = run({slow: 2e-3, fast: 1e-3}, until=30.0)
    assert steps[fast] > 20 * steps[slow]


def test_notices_that_the_machine_changed() -> None:
    now = [0.0]
    with limited(2):
        governor = ThreadGovernor(2, lambda: now[0])
        late = {1: 0, 2: 0}
        while now[0] < 60.0:
            busy = now[0] > 30.0
            now[0] += {1: 1e-3, 2: 20e-3 if busy else 0.6e-3}[governor.threads]
            if now[0] > 40.0:
                late[governor.threads] += 1
            governor.step_done()
    assert late[1] > 20 * late[2]


def test_one_thread_means_one_thread() -> None:
    with limited(1):
        governor = ThreadGovernor(1, lambda: 0.0)
        for _ in range(100):
            governor.step_done()
        assert governor.threads == 1
