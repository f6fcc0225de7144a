"""Instances of blocks: what names of elements, nodes, parameters and models mean in them.

Names are ngspice's: the node ``n`` of the instance ``x2`` in the instance ``x1`` is
``x1.x2.n``, its element ``r1`` is ``r.x1.x2.r1``, or ``r.x1.r.x2.r1`` if the subcircuit of
``x2`` is defined inside that of ``x1``.  Models and subcircuits are looked up along the text of
the netlist, as functions are: in the block, then in those around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sim_backend.nodal.elements import GROUND, Element
from sim_backend.spice.blocks import Block
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import Line
from sim_backend.spice.machine import Machine
from sim_backend.spice.models import Model, diode_model, model_head
from sim_backend.spice.numbers import parse_number
from sim_backend.spice.options import Conditions
from sim_backend.spice.scopes import Scope
from sim_backend.spice.statements import is_name

__all__ = ["Expansion", "Instance"]


@dataclass
class Expansion:
    """What grows while instances are expanded.

    Attributes:
        elements: of the flat circuit.
        lines: file and line of each element, and of the capacitors that gave none.
        statements: expanded so far, for the limit.
    """

    machine: Machine
    conditions: Conditions
    global_nodes: set[str]
    elements: list[Element] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=dict)
    statements: int = 0


class Instance:
    """A block with its place in the circuit: what the words of its lines mean."""

    def __init__(
        self,
        expansion: Expansion,
        block: Block,
        scope: Scope,
        *,
        prefix: str = "",
        ports: Mapping[str, str] | None = None,
        around: Instance | None = None,
        caller: Instance | None = None,
    ) -> None:
        self.block = block
        self.scope = scope
        self.around = around
        self.caller = caller
        self.prefix = prefix
        self.expansion = expansion
        self._ports: Mapping[str, str] = ports or {}
        self._models: dict[str, Model] = {}
        inside = "" if around is None else around.prefix
        self.frames: tuple[str, ...] = () if around is None else around.frames
        if prefix:
            self.frames += (prefix[len(inside) :],)

    def located(self, error: NetlistError, line: Line) -> NetlistError:
        """An error with its place, unless it has one."""
        if error.line is None and self.prefix:
            error = NetlistError(f"{error.message} (in {self.prefix.rstrip('.')})")
        return error.at(line.path, line.number, line.text)

    def element(self, name: str) -> str:
        """Full name of an element of this instance."""
        if not self.frames:
            return name
        return "".join(f"{name[0]}.{frame}" for frame in self.frames) + name

    def node(self, name: str) -> str:
        """Full name of a node of this instance."""
        if name in ("0", "gnd"):
            return GROUND
        if name[0] in "{'":
            raise NetlistError(f"`{name}` where a node is wanted; a node is a plain name")
        if not self.prefix:
            return name
        if name in self._ports:
            return self._ports[name]
        return name if name in self.expansion.global_nodes else self.prefix + name

    def number(self, word: str) -> float:
        """Value of a number, a parameter, or an expression in braces or quotes."""
        first = word[0]
        if first in "{'":
            return self.scope.evaluate(word[1:-1])
        if (first.isalpha() or first == "_") and is_name(word):
            return self.scope.value(word)
        return parse_number(word)

    def model(self, name: str) -> Model:
        """The diode model a name means here; its parameters are those of its own block."""
        for instance in self.outwards():
            if name in instance.block.models:
                return instance.own_model(name)
        raise NetlistError(f"there is no model `{name}`; add a .model line, or correct the name")

    def has_model(self, name: str) -> bool:
        """Whether a name means a model here."""
        if name in self.block.models:
            return True
        return self.around is not None and self.around.has_model(name)

    def own_model(self, name: str) -> Model:
        """A model of this block, with the parameters of this instance."""
        if name not in self._models:
            line = self.block.models[name]
            kind = model_head(line)[1]
            if kind != "d":
                raise NetlistError(f"the model `{name}` is of type `{kind}`; a diode needs type D")
            try:
                self._models[name] = diode_model(line, self.number, self.expansion.conditions)
            except NetlistError as error:
                raise self.located(error, line) from None
        return self._models[name]

    def outwards(self) -> Iterator[Instance]:
        """This instance, and those of the blocks around its own."""
        instance: Instance | None = self
        while instance is not None:
            yield instance
            instance = instance.around
