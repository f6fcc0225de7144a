"""The netlist as nested blocks: the main one, and one for each subcircuit.

A block keeps its elements as statements, which are read when the block is instantiated; as in
ngspice, a subcircuit or a model that nothing uses is not looked into.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sim_backend.spice.lines import Line
from sim_backend.spice.machine import FunctionTable
from sim_backend.spice.scopes import Definition

__all__ = ["Block", "Deck"]


@dataclass
class Block:
    """A subcircuit, or the main netlist.

    Attributes:
        line: the ``.subckt`` line; None for the main netlist.
        ports: names of its nodes outside.
        defaults: of its parameters.
        elements: with X lines, in their order.
        parameters: of ``.param`` lines.
    """

    name: str = ""
    line: Line | None = None
    ports: tuple[str, ...] = ()
    defaults: dict[str, Definition] = field(default_factory=dict)
    elements: list[Line] = field(default_factory=list)
    parameters: dict[str, Definition] = field(default_factory=dict)
    models: dict[str, Line] = field(default_factory=dict)
    functions: FunctionTable = field(default_factory=FunctionTable)
    subcircuits: dict[str, Block] = field(default_factory=dict)


@dataclass
class Deck:
    """A netlist in blocks.

    Attributes:
        main: the main block.
        global_nodes: of ``.global`` lines; they keep their names in subcircuits.
        options: ``.options`` lines.
        temperatures: ``.temp`` lines.
        noted: statements that are accepted and not used, and why.
        subcircuits: the ``.subckt`` lines of all blocks, by name.
    """

    main: Block = field(default_factory=Block)
    global_nodes: set[str] = field(default_factory=set)
    options: list[Line] = field(default_factory=list)
    temperatures: list[Line] = field(default_factory=list)
    noted: list[tuple[Line, str]] = field(default_factory=list)
    subcircuits: dict[str, Line] = field(default_factory=dict)
