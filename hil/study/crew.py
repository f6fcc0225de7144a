"""What gives jobs to workers, wherever these are."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from hil.study.jobs import Job, Outcome

__all__ = ["Crew"]


class Crew(Protocol):
    """Workers that do jobs; a context that lets them go.

    Every job given comes back in some :meth:`collect`, in any order: a worker that dies is an
    outcome with an error.
    """

    @property
    def size(self) -> int:
        """How many jobs are worked on at the same time, as far as known."""
        ...

    def has_room(self) -> bool:
        """Whether a further job would soon be begun."""
        ...

    def give(self, job: Job) -> None:
        """Begin a job, or let it wait until a worker is free."""
        ...

    def collect(self, seconds: float) -> list[Outcome]:
        """Outcomes since the last call, after waiting for the first at most so long."""
        ...

    def __enter__(self) -> Self:
        """Return self."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop jobs in progress and let the workers go."""
        ...
