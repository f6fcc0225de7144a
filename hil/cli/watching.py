"""What listeners of runs and of studies have in common."""

from __future__ import annotations

import contextlib
import sys
from typing import Self

__all__ = ["Watching", "say"]


class Watching:
    """A listener with nothing to begin and nothing to end."""

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave things as they are."""


def say(text: str) -> None:
    """Print a line on standard error."""
    # Nobody reading is no reason to stop what is being watched.
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
