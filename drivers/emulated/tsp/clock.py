"""The time of a world, as far as an instrument needs it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Time that moves only when something lets it; nothing here ever sleeps."""

    @property
    def now_seconds(self) -> float:
        """Time that has passed, in seconds."""
        ...

    def elapse(self, seconds: float) -> None:
        """Let time pass."""
        ...
