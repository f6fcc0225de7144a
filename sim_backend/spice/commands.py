"""Dot commands: they sort the statements of a netlist into blocks.

Those that have no effect on an operating point are accepted; those that ask for other analyses,
or may change the circuit, are refused (ngspice manual, chapters on circuit description and on
analyses and output control).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sim_backend.spice.blocks import Block, Deck
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import Line
from sim_backend.spice.machine import Function, FunctionTable
from sim_backend.spice.models import model_head
from sim_backend.spice.operations import FUNCTIONS, RANDOM_FUNCTIONS
from sim_backend.spice.scopes import Definition
from sim_backend.spice.statements import assignments, is_name, lower, split_at_assignment

__all__ = ["read_blocks"]

_MOST_NESTED = 20

_FUNCTION = re.compile(r"\.(?:func|params?)\s+([a-z_]\w*)\s*\(([^()]*)\)\s*=?\s*(.+)", re.ASCII)

_KEYWORDS = frozenset("ac am dc off pulse pwl sffm sine trnoise trrandom".split())

_INERT = frozenset(".op .print .plot .save .probe .width .title".split())
_NOTED = {
    ".nodeset": "a guess of the solution, not used",
    ".ic": "an initial condition of transients, which .op ignores",
}
_ANALYSES = frozenset(
    ".ac .dc .disto .four .fourier .hb .meas .measure .noise .pss .pz .sens .sp .step .tf "
    ".tran".split()
)


def read_blocks(lines: Sequence[Line]) -> Deck:
    """Sort statements into blocks.

    Raises:
        NetlistError: on dot commands that are wrong, unknown, or would change the solution.
    """
    deck = Deck()
    stack = [deck.main]
    add = deck.main.elements.append
    for line in lines:
        if line.text[0] != ".":
            add(line)
            continue
        try:
            _command(line, lower(line.text), deck, stack)
        except NetlistError as error:
            raise error.at(*_place(line)) from None
        add = stack[-1].elements.append
    if len(stack) > 1:
        begun = stack[-1].line
        assert begun is not None
        raise begun.error("a .subckt without .ends; add it")
    return deck


def _place(line: Line) -> tuple[str | None, int, str]:
    return line.path, line.number, line.text


def _command(line: Line, text: str, deck: Deck, stack: list[Block]) -> None:
    word = text.split(maxsplit=1)[0]
    if word in _COMMANDS:
        _COMMANDS[word](line, text, stack[-1])
    elif word == ".subckt":
        stack.append(_subcircuit(line, text, stack, deck))
    elif word == ".ends":
        _end(text, stack)
    elif word == ".global":
        deck.global_nodes.update(_global_nodes(text))
    elif word in (".opt", ".option", ".options", ".temp"):
        if len(stack) > 1:
            raise NetlistError("stands in a subcircuit; move it to the main netlist")
        (deck.temperatures if word == ".temp" else deck.options).append(line)
    elif word in _NOTED:
        deck.noted.append((line, f"{word} is {_NOTED[word]}"))
    elif word not in _INERT:
        _refuse(word)


def _refuse(word: str) -> None:
    if word in _ANALYSES:
        raise NetlistError(
            f"{word} asks for more than the operating point, which is all that is solved; delete it"
        )
    if word in (".if", ".elseif", ".else", ".endif"):
        raise NetlistError(f"{word} is not supported; use a parameter with `?:`, or .lib sections")
    if word in (".endl", ".lib"):
        raise NetlistError(
            f"{word} stands outside of a library; read libraries by .lib file section"
        )
    raise NetlistError(f"{word} is not supported, or misspelled; correct or delete it")


def _subcircuit(line: Line, text: str, stack: list[Block], deck: Deck) -> Block:
    words, rest = split_at_assignment(text)
    if len(words) < 2:
        raise NetlistError("a subcircuit needs a name: .subckt name node ... parameter=default ...")
    outer, name, ports = stack[-1], words[1], tuple(words[2:])
    if len(stack) > _MOST_NESTED:
        raise NetlistError(f"subcircuits defined more than {_MOST_NESTED} deep; move them out")
    if name in deck.subcircuits:
        raise NetlistError(
            f"a second subcircuit `{name}` (line {deck.subcircuits[name].number}), which ngspice "
            "ignores, or mixes up with the first if one is inside another; rename one"
        )
    if len(set(ports)) < len(ports) or not {"0", "gnd"}.isdisjoint(ports):
        raise NetlistError("the same node twice, or ground, among the nodes; rename them")
    block = Block(name, line, ports, functions=FunctionTable(outer.functions))
    # Defaults are evaluated in the instance; their functions are those of the body too.
    _define(block.defaults, line, rest, block.functions)
    deck.subcircuits[name] = line
    outer.subcircuits[name] = block
    return block


def _end(text: str, stack: list[Block]) -> None:
    words = text.split()
    if len(stack) == 1:
        raise NetlistError("an .ends without .subckt; delete it")
    if len(words) > 1 and words[1:] != [stack[-1].name]:
        raise NetlistError(f"ends `{' '.join(words[1:])}`, but `{stack[-1].name}` is open")
    stack.pop()


def _global_nodes(text: str) -> list[str]:
    words, rest = split_at_assignment(text)
    if rest:
        raise NetlistError("takes names of nodes only")
    return words[1:]


def _model(line: Line, text: str, block: Block) -> None:
    name, _ = model_head(line)
    if name in block.models:
        raise NetlistError(f"a second model `{name}`, which ngspice ignores; rename or delete one")
    block.models[name] = line


def _parameter(line: Line, text: str, block: Block) -> None:
    if _FUNCTION.fullmatch(text):
        _function(line, text, block)
        return
    parts = text.split(maxsplit=1)
    # Of several definitions ngspice takes the last, wherever the parameter is used.
    pairs = dict(assignments(parts[1] if len(parts) > 1 else ""))
    if not pairs:
        raise NetlistError("no parameter; write .param name=value")
    for name, value in pairs.items():
        _check_name(name)
        block.parameters[name] = Definition(value, line, block.functions)


def _define(into: dict[str, Definition], line: Line, text: str, functions: FunctionTable) -> None:
    for name, value in assignments(text):
        _check_name(name)
        if name in into:
            raise NetlistError(f"the parameter `{name}` is given twice; delete one")
        into[name] = Definition(value, line, functions)


def _check_name(name: str) -> None:
    if name in FUNCTIONS or name in RANDOM_FUNCTIONS:
        raise NetlistError(f"`{name}` is a function, and ngspice refuses it as a name; rename it")
    if name in _KEYWORDS:
        raise NetlistError(
            f"ngspice puts the value of `{name}` where the keyword is meant; rename it"
        )


def _function(line: Line, text: str, block: Block) -> None:
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise NetlistError("a function is written .func name(arguments) {expression}")
    name, listed, body = match[1], match[2], match[3].strip()
    arguments = tuple(word.strip() for word in listed.split(",")) if listed.strip() else ()
    _check_name(name)
    if not all(map(is_name, arguments)) or len(set(arguments)) < len(arguments):
        raise NetlistError("arguments of a function are different names, separated by commas")
    if body[0] + body[-1] in ("{}", "''"):
        body = body[1:-1]
    # As with parameters, the last definition counts.
    block.functions.own[name] = Function(arguments, body, line)


_COMMANDS: dict[str, Callable[[Line, str, Block], None]] = {
    ".model": _model,
    ".param": _parameter,
    ".params": _parameter,
    ".func": _function,
}
