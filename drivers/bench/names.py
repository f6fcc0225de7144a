"""Short forms in bench files: ranges of names, and names of lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hil.topology import Topology

__all__ = ["expanded", "line_names"]

_END = re.compile(r"(.*?)(\d+)\Z", re.DOTALL)


def expanded(text: str) -> tuple[str, ...]:
    """``a0.r0:a0.r9, a1.r3`` as single names: ranges count the number at the end of a name.

    Leading zeros are kept: ``1A01:1A12``.

    Raises:
        ValueError: a range whose ends differ in more than their last number, or that runs down.
    """
    found: list[str] = []
    for part in (piece.strip() for piece in text.split(",")):
        first, colon, last = (piece.strip() for piece in part.partition(":"))
        if not first:
            raise ValueError(f"{text!r} has an empty name; separate names by single commas")
        found += [first] if not colon else _between(first, last)
    return tuple(found)


def _between(first: str, last: str) -> Iterable[str]:
    start, end = _END.match(first), _END.match(last)
    if start is None or end is None or start[1] != end[1] or int(start[2]) > int(end[2]):
        raise ValueError(
            f"{first}:{last} is no range: both ends must be the same but for the number they end "
            "with, the lower one first, such as a0.r0:a0.r9"
        )
    width = len(start[2])
    return [f"{start[1]}{n:0{width}d}" for n in range(int(start[2]), int(end[2]) + 1)]


def line_names(topology: Topology) -> tuple[str, ...]:
    """Lines of all arrays: row i of array k is ``a<k>.r<i>``, column j ``a<k>.c<j>``."""
    names: list[str] = []
    for k, group in enumerate(topology.groups):
        names += [f"a{k}.r{i}" for i in range(group.tails.size)]
        names += [f"a{k}.c{j}" for j in range(group.heads.size)]
    return tuple(names)
