"""A listener that breaks a run off as a crash would."""

from __future__ import annotations

from hil.training import Progress


class Stopped(Exception):
    """Not an error of this project, so that nothing catches it."""


class StopAfter:
    """Raises in the first batch after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def started(self, experiment: object, resumed_epoch: int) -> None:
        pass

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        if progress.epoch > self.epochs:
            raise Stopped

    def recording(self, experiment: object) -> None:
        pass

    def evaluating(self) -> None:
        pass
