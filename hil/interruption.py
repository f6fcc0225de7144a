"""Stopping on request: SIGINT and SIGTERM become a question asked between batches.

The first signal asks for a stop after the batch in progress, so that the run can be resumed to
the bit.  A second one does not wait: it raises KeyboardInterrupt where the program is.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

__all__ = ["StopRequests"]


class StopRequests:
    """Context that notes signals; outside the main thread, which gets none, it does nothing."""

    def __init__(self) -> None:
        self.requested = False
        self._patient = True
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def no_longer_wait(self) -> None:
        """From now on the first signal raises KeyboardInterrupt too, as an earlier one does now."""
        self._patient = False
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if again or not self._patient:
            raise KeyboardInterrupt
