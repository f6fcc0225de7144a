"""Parameters, and where their names are looked up.

Found by trial with ngspice 39: a parameter is looked up in the subcircuit, then in the one that
calls it, and so on to the top: along the calls, not along the text.  The values on an X line,
the defaults of the ``.subckt`` line and the ``.param`` lines of the body form one scope, in
which they see each other in any order; only a definition that names itself means the caller's.

For the values on an X line that is not what their place suggests, and ngspice does not keep to
it in all cases.  A name in such a value must therefore mean the same in the subcircuit and
where the X line stands; everything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import Line
from sim_backend.spice.machine import FunctionTable, Machine

__all__ = ["Definition", "Scope"]


class Definition(NamedTuple):
    """What defines a parameter.

    Attributes:
        text: the expression.
        line: where it stands.
        functions: those of the block it stands in.
        outside: whether it stands on an X line, outside of the scope it belongs to.
    """

    text: str
    line: Line
    functions: FunctionTable
    outside: bool = False


class Scope:
    """The parameters of one instance of a subcircuit, or of the whole netlist."""

    def __init__(
        self,
        machine: Machine,
        functions: FunctionTable,
        definitions: Mapping[str, Definition],
        caller: Scope | None = None,
    ) -> None:
        self._machine = machine
        self._functions = functions
        self._definitions = definitions
        self._caller = caller
        self._values: dict[str, float] = {}
        self._open: set[str] = set()

    def evaluate(self, text: str) -> float:
        """Value of an expression that stands on a line of this instance."""
        return self._machine.evaluate(text, self, self._functions)

    def all_values(self) -> dict[str, float]:
        """Every parameter of this scope; finds wrong definitions that nothing uses."""
        return {name: self.value(name) for name in self._definitions}

    def value(self, name: str) -> float:
        """A parameter of this scope, or of the scopes that call it."""
        if name in self._values:
            return self._values[name]
        if name in self._definitions:
            return self._define(name)
        if self._caller is not None:
            return self._caller.value(name)
        raise NetlistError(
            f"there is no parameter `{name}`; define it with .param, or correct the spelling"
        )

    def _define(self, name: str) -> float:
        definition = self._definitions[name]
        line = definition.line
        try:
            if name in self._open:
                raise NetlistError(f"the parameter `{name}` depends on itself; break the circle")
            self._open.add(name)
            kind = _Agreeing if definition.outside else _Hiding
            value = self._machine.evaluate(
                definition.text, kind(self, name, self._caller), definition.functions
            )
        except NetlistError as error:
            raise error.at(line.path, line.number, line.text) from None
        finally:
            self._open.discard(name)
        self._values[name] = value
        return value


class _Hiding:
    """A scope in which one name means the caller's."""

    def __init__(self, scope: Scope, name: str, caller: Scope | None) -> None:
        self._scope = scope
        self._name = name
        self._caller = caller

    def value(self, name: str) -> float:
        if name != self._name:
            return self._scope.value(name)
        if self._caller is None:
            raise NetlistError(f"the parameter `{name}` is defined by itself; give it a value")
        return self._caller.value(name)


class _Agreeing(_Hiding):
    """A scope in which names must mean what they mean to the caller."""

    def value(self, name: str) -> float:
        inside = super().value(name)
        outside = inside if self._caller is None else self._caller.value(name)
        if inside != outside:
            raise NetlistError(
                f"`{name}` is {outside:g} where the instance stands and {inside:g} in the "
                "subcircuit, and simulators differ in which one they take; rename one"
            )
        return inside
