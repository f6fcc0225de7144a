"""Netlists for SPICE, read into circuits for an operating point.

What is read is the part of ngspice's language that matters at DC (ngspice manual, chapters on
circuit description and on elements); the modules of this package say what that is.  Nothing
that could change the solution is skipped: what is not supported is an error with its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim_backend.nodal.elements import (
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
)
from sim_backend.spice.blocks import Deck
from sim_backend.spice.commands import read_blocks
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.files import gather, read_text
from sim_backend.spice.instances import Expansion, Instance
from sim_backend.spice.machine import Machine
from sim_backend.spice.options import (
    ZERO_CELSIUS_KELVIN,
    Conditions,
    check_control,
    read_options,
    read_temperature,
)
from sim_backend.spice.scopes import Scope
from sim_backend.spice.subcircuits import expand

__all__ = ["Netlist", "parse_netlist", "read_netlist"]

_STRING = "<netlist>"


@dataclass(frozen=True)
class Netlist:
    """A netlist that was read.

    Attributes:
        circuit: flat; names are lower-case, those in subcircuits as ngspice prints them.
        lines: file and line of each element, by its name.
        parameters: those of the main netlist.
        nominal_celsius: the option ``tnom``.
        notes: accepted statements that are not used, each with its place.
    """

    circuit: Circuit
    lines: dict[str, tuple[str, int]]
    parameters: dict[str, float]
    nominal_celsius: float
    notes: tuple[str, ...]


def read_netlist(path: Path) -> Netlist:
    """Read a netlist and the files it includes.

    Raises:
        NetlistError: with file and line, if it is wrong or not supported.
    """
    return parse_netlist(read_text(path), path=path)


def parse_netlist(text: str, *, path: Path | None = None) -> Netlist:
    """Read a netlist from a string.

    Args:
        text: the netlist; its first line is the title.
        path: what errors call it, and where included files are relative to; None refuses them.

    Raises:
        NetlistError: with its line, if it is wrong or not supported.
    """
    statements = gather(text, path)
    check_control(statements.control)
    deck = read_blocks(statements.lines)
    machine, conditions = Machine(), Conditions()
    scope = Scope(machine, deck.main.functions, deck.main.parameters)
    _read_conditions(deck, scope, conditions)
    expansion = Expansion(machine, conditions, deck.global_nodes)
    expand(Instance(expansion, deck.main, scope))
    _check_controls(expansion)
    if not expansion.elements:
        raise NetlistError(
            "there are no elements; the first line of a netlist is its title, and line ends must "
            "not be carriage returns alone",
            None if path is None else str(path),
            1,
        )
    circuit = Circuit(
        elements=tuple(expansion.elements),
        title=statements.title.lstrip("*").strip(),
        kelvin=conditions.celsius + ZERO_CELSIUS_KELVIN,
        gmin_siemens=conditions.gmin_siemens,
    )
    lines = expansion.lines
    return Netlist(
        circuit=circuit,
        lines={
            element.name: (lines[element.name].path or _STRING, lines[element.name].number)
            for element in circuit.elements
        },
        parameters=scope.all_values(),
        nominal_celsius=conditions.nominal_celsius,
        notes=tuple(conditions.notes),
    )


def _read_conditions(deck: Deck, scope: Scope, conditions: Conditions) -> None:
    for line, message in deck.noted:
        conditions.note(line, message)
    readers = [(read_options, line) for line in deck.options]
    readers += [(read_temperature, line) for line in deck.temperatures]
    for read, line in readers:
        try:
            read(line, scope, conditions)
        except NetlistError as error:
            raise error.at(line.path, line.number, line.text) from None


def _check_controls(expansion: Expansion) -> None:
    """See that the sources whose currents control others are V elements, as in ngspice."""
    for element in expansion.elements:
        if not isinstance(element, CurrentControlledCurrent | CurrentControlledVoltage):
            continue
        if element.source[0] != "v" or element.source not in expansion.lines:
            raise expansion.lines[element.name].error(
                f"there is no voltage source `{element.source}` to measure the current; correct "
                "the name, or put a 0 V source into the branch"
            )
