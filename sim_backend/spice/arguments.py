"""What the readers of elements have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.models import Model
from sim_backend.spice.statements import Words

__all__ = ["Surroundings", "apart", "ends", "multiplier", "refuse_others", "refuse_unless"]


class Surroundings(Protocol):
    """The instance of a subcircuit, or the netlist, an element stands in."""

    def element(self, name: str) -> str:
        """Full name of an element."""
        ...

    def node(self, name: str) -> str:
        """Full name of a node."""
        ...

    def number(self, word: str) -> float:
        """Value of a number, a parameter, or an expression in braces or quotes."""
        ...

    def model(self, name: str) -> Model:
        """A diode model."""
        ...

    def has_model(self, name: str) -> bool:
        """Whether there is a model of any type."""
        ...


def ends(words: Words, around: Surroundings) -> tuple[str, str, str]:
    """Full name of an element, and of the two nodes it lies between."""
    row = words.row
    return around.element(row[0]), around.node(row[1]), around.node(row[2])


def apart(words: Words, around: Surroundings) -> tuple[str, str, str]:
    """As :func:`ends`, for elements that must not be shorted."""
    name, plus, minus = ends(words, around)
    if plus == minus:
        raise NetlistError(
            "both ends of a voltage source (or inductor) are the same node, which leaves its "
            "current open; delete it, or correct the nodes"
        )
    return name, plus, minus


def multiplier(named: dict[str, str], around: Surroundings) -> float:
    """Take out how many elements lie in parallel."""
    if "m" not in named:
        return 1.0
    count = around.number(named.pop("m"))
    if not count > 0.0:
        raise NetlistError("`m` must be above 0; delete the element instead")
    return count


def refuse_unless(named: dict[str, str], around: Surroundings, inert: Mapping[str, float]) -> None:
    """Take out values that must be those given, which switch an effect off."""
    for key, harmless in inert.items():
        if key in named and around.number(named.pop(key)) != harmless:
            raise NetlistError(f"`{key}` is not modelled; delete it, or write {harmless:g}")


def refuse_others(named: dict[str, str], inert: Collection[str]) -> None:
    """Refuse what is left of the named values, but for those without effect."""
    for key in named:
        if key not in inert:
            raise NetlistError(f"`{key}=` is not understood on this element; delete it")
