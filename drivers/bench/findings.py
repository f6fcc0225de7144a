"""What a check of a bench finds out."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether it is as it should be; None: it was not looked at, or is a
            remark.
        text: what was found, and a remedy if it is not.
    """

    name: str
    ok: bool | None
    text: str
