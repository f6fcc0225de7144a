"""How long a study still takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hil.study.tasks import Arm, Task

__all__ = ["Pace"]


class Pace:
    """Mean time of each arm, times what is left of it.

    Args:
        tasks: what is left at the start.
        workers: how many are done at the same time.
    """

    def __init__(self, tasks: Iterable[Task], workers: int) -> None:
        self._left = Counter(task.arm for task in tasks)
        self._workers = max(1, workers)
        self._done: Counter[Arm] = Counter()
        self._seconds: dict[Arm, float] = {}

    def finished(self, task: Task, seconds: float) -> None:
        """Note that a task is done, after so long."""
        self.dropped(task)
        self._done[task.arm] += 1
        self._seconds[task.arm] = self._seconds.get(task.arm, 0.0) + seconds

    def dropped(self, task: Task) -> None:
        """Note that a task will not be done."""
        self._left[task.arm] -= 1

    def seconds_left(self) -> float | None:
        """Estimate; None before anything is done."""
        if not self._done:
            return None
        slowest = max(self._mean(arm) for arm in self._done)
        total = sum(
            count * (self._mean(arm) if self._done[arm] else slowest)
            for arm, count in self._left.items()
        )
        return total / self._workers

    def _mean(self, arm: Arm) -> float:
        return self._seconds[arm] / self._done[arm]
