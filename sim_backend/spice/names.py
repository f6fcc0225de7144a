"""Names for a netlist: made of plain characters, different in any case, and stable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sim_backend.nodal.elements import GROUND

__all__ = ["Names", "plain_element", "plain_node"]

_STRANGE_IN_NODE = re.compile(r"[^A-Za-z0-9_.:\[\]<>+\-]")
_STRANGE_IN_ELEMENT = re.compile(r"[^A-Za-z0-9_.:\[\]<>]")

_RESERVED_NODES = frozenset(
    "gnd ac area cccs ccvs cur dc exp gain ic laplace m off poly pulse pwl r sin table tc tc1 tc2 "
    "temp temper time value vccs vcvs vol".split()
)
"""Other names of ground, and words with a meaning on the lines of some elements."""


class Names:
    """Names given so far, which ngspice compares without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def assign(self, originals: Iterable[str], plain: Callable[[str], str]) -> dict[str, str]:
        """A name for each original: itself where it is plain and free, or one made from it.

        Those that can stay are served first, so that a made name never takes theirs.
        """
        ordered = list(dict.fromkeys(originals))
        given: dict[str, str] = {}
        for original in ordered:
            if plain(original) == original and original.lower() not in self._taken:
                given[original] = self.new(original)
        for original in ordered:
            if original not in given:
                given[original] = self.new(plain(original))
        return given

    def new(self, wanted: str) -> str:
        """The wanted name, or the first free one with a number behind it."""
        name, key = wanted, wanted.lower()
        while name.lower() in self._taken:
            self._last[key] = self._last.get(key, 1) + 1
            name = f"{wanted}_{self._last[key]}"
        self._taken.add(name.lower())
        return name


def plain_node(name: str) -> str:
    """A name that ngspice takes for a node, and for this one."""
    if name == GROUND:
        return name
    name = _STRANGE_IN_NODE.sub("_", name)
    if not name or not (name[0].isalnum() or name[0] == "_"):
        name = f"n{name}"
    return f"{name}_" if name.lower() in _RESERVED_NODES or name == GROUND else name


def plain_element(name: str, letter: str) -> str:
    """A name whose first letter says what kind of element it is."""
    name = _STRANGE_IN_ELEMENT.sub("_", name)
    return name if name[:1].lower() == letter else letter + name
