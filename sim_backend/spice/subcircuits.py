"""Expansion of instances: elements, and X lines with the subcircuits they call."""

from __future__ import annotations

from sim_backend.spice.blocks import Block
from sim_backend.spice.cards import make_element
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.instances import Instance
from sim_backend.spice.lines import Line
from sim_backend.spice.scopes import Definition, Scope
from sim_backend.spice.sources import KEYWORDS
from sim_backend.spice.statements import (
    SEPARATOR,
    assignments,
    check_separators,
    lower,
    split_at_assignment,
    split_words,
)

__all__ = ["MOST_ELEMENTS", "expand"]

MOST_ELEMENTS = 1_000_000
_MOST_NESTED = 20


def expand(instance: Instance) -> None:
    """Add the elements of an instance, and of those in it, to the circuit.

    Raises:
        NetlistError: with the line of the element that is wrong.
    """
    expansion, block = instance.expansion, instance.block
    lines, elements = expansion.lines, expansion.elements
    instance.scope.all_values()
    expansion.statements += len(block.elements) + 1
    for line in block.elements:
        if expansion.statements > MOST_ELEMENTS:
            raise line.error(f"more than {MOST_ELEMENTS} elements; split the netlist")
        try:
            text = lower(line.text)
            if not text[0].isalpha():
                raise NetlistError("an element begins with its letter; correct the line")
            if text[0] == "x":
                expand(_called(instance, line, text))
                continue
            if SEPARATOR.search(text):
                check_separators(text, KEYWORDS)
            words = split_words(text)
            element = make_element(words, instance)
            name = instance.element(words.row[0]) if element is None else element.name
            if name in lines:
                _claim(instance, name, line)
        except NetlistError as error:
            raise instance.located(error, line) from None
        lines[name] = line
        if element is not None:
            elements.append(element)


def _claim(instance: Instance, name: str, line: Line) -> None:
    """Take a name, unless another element has it."""
    lines = instance.expansion.lines
    if name in lines:
        other = lines[name]
        place = f"{other.path}:{other.number}" if other.path else f"line {other.number}"
        raise NetlistError(f"`{name}` exists already ({place}); rename one")
    lines[name] = line


def _called(caller: Instance, line: Line, text: str) -> Instance:
    """The instance that an X line makes."""
    words, rest = split_at_assignment(text)
    if len(words) < 2:
        raise NetlistError("an instance is written Xname node ... subcircuit parameter=...")
    name, nodes, wanted = words[0], words[1:-1], words[-1]
    around = next((o for o in caller.outwards() if wanted in o.block.subcircuits), None)
    if around is None:
        raise NetlistError(f"there is no subcircuit `{wanted}`; define it, or correct it")
    block = around.block.subcircuits[wanted]
    if len(nodes) != len(block.ports):
        raise NetlistError(
            f"`{block.name}` has {len(block.ports)} nodes, and {len(nodes)} are given; the "
            "order is Xname node ... subcircuit"
        )
    _check_nesting(caller, block)
    _claim(caller, caller.prefix + name, line)
    expansion = caller.expansion
    if not expansion.global_nodes.isdisjoint(block.ports):
        raise NetlistError(f"a node of `{block.name}` is also .global; rename it")
    definitions = _definitions(caller, line, rest, block)
    return Instance(
        expansion,
        block,
        Scope(expansion.machine, block.functions, definitions, caller.scope),
        prefix=f"{caller.prefix}{name}.",
        ports=dict(zip(block.ports, map(caller.node, nodes), strict=True)),
        around=around,
        caller=caller,
    )


def _definitions(caller: Instance, line: Line, text: str, block: Block) -> dict[str, Definition]:
    """Parameters of an instance: values given go before ``.param``, those before defaults."""
    given: dict[str, Definition] = {}
    for name, value in assignments(text):
        if name in given:
            raise NetlistError(f"the parameter `{name}` is given twice; delete one")
        if name not in block.defaults:
            hint = "; put instances in parallel" if name == "m" else "; correct the spelling"
            raise NetlistError(f"`{block.name}` has no parameter `{name}`{hint}")
        given[name] = Definition(value, line, caller.block.functions, outside=True)
    return block.defaults | block.parameters | given


def _check_nesting(caller: Instance, block: Block) -> None:
    depth = 0
    instance: Instance | None = caller
    while instance is not None:
        depth += 1
        if instance.block is block:
            raise NetlistError(f"the subcircuit `{block.name}` contains itself")
        instance = instance.caller
    if depth > _MOST_NESTED:
        raise NetlistError(f"instances nested more than {_MOST_NESTED} deep")
