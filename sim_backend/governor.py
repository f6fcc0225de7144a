"""How many threads pay right now, found by trying.

On an idle machine two threads halve the time of a large step and gain little on a small one.  On
a machine that others use too, the threads of a step wait for one another's turn on the
processor, and a step that takes 0.2 ms alone can take 20 ms.  Which of the two is the case
changes while a run goes on, so the governor measures it: now and then it runs some steps with
one thread and some with all, and keeps what was faster.

Results do not depend on its choice: kernels split their work into a fixed number of blocks,
whatever the number of threads that work on them.
"""

from __future__ import annotations

from collections.abc import Callable

import numba

__all__ = ["ThreadGovernor"]

_WARM_UP_STEPS = 10
"""Steps before anything is measured: kernels are compiled in them."""


class ThreadGovernor:
    """Chooses between one thread and ``most``; call :meth:`step_done` after every step.

    Args:
        most: largest number of threads to use; 1 switches the governor off.
        clock: monotonic seconds.
        probe_seconds: how long each choice is tried, and at least three steps.
        hold_seconds: how long the better one is kept before the next trial.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float],
        probe_seconds: float = 0.06,
        hold_seconds: float = 3.0,
    ) -> None:
        self._most = min(most, numba.get_num_threads())
        self._clock = clock
        self._probe_seconds = probe_seconds
        self._hold_seconds = hold_seconds
        self._steps = -_WARM_UP_STEPS
        self._rates: list[float] = []
        self._holding = False
        self._started = clock()
        self.threads = 1
        self._apply(1)

    def step_done(self) -> None:
        """Count a step and, when a trial or a hold is over, choose anew."""
        if self._most == 1:
            return
        self._steps += 1
        if self._steps <= 0:
            self._started = self._clock()
            return
        if self._steps < 3:
            return
        elapsed = self._clock() - self._started
        if self._holding:
            if elapsed >= self._hold_seconds:
                self._begin(holding=False, threads=1)
        elif elapsed >= self._probe_seconds:
            self._rates.append(self._steps / elapsed)
            if len(self._rates) == 1:
                self._begin(holding=False, threads=self._most)
            else:
                one, all_ = self._rates
                self._rates = []
                self._begin(holding=True, threads=self._most if all_ > one else 1)

    def _begin(self, *, holding: bool, threads: int) -> None:
        self._holding = holding
        self._apply(threads)
        self._steps = 0
        self._started = self._clock()

    def _apply(self, threads: int) -> None:
        self.threads = threads
        numba.set_num_threads(threads)
