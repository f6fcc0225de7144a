"""The stack machine that runs expressions, and the functions it calls.

A function is looked up along the text of the netlist: in the block where the expression is
written, then in the enclosing ones.  Parameters in its body are those of the expression that
calls it, its arguments included (found by trial with ngspice 39).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.expressions import Step, compile_expression
from sim_backend.spice.lines import Line
from sim_backend.spice.operations import FUNCTIONS, OPERATORS, RANDOM_FUNCTIONS, operate

__all__ = ["Function", "FunctionTable", "Machine", "Names"]

_MOST_NESTED = 60
_MOST_STEPS = 200_000


class Function(NamedTuple):
    """A user's function: names of its arguments, and its body."""

    arguments: tuple[str, ...]
    body: str
    line: Line


@dataclass
class FunctionTable:
    """The functions of a block of the netlist, inside those of the enclosing block."""

    enclosing: FunctionTable | None = None
    own: dict[str, Function] = field(default_factory=dict)

    def find(self, name: str) -> tuple[Function, FunctionTable] | None:
        """A function and the table it stands in."""
        table: FunctionTable | None = self
        while table is not None:
            if name in table.own:
                return table.own[name], table
            table = table.enclosing
        return None


class Names(Protocol):
    """Where an expression finds its parameters."""

    def value(self, name: str) -> float:
        """The value of a parameter."""
        ...


class Machine:
    """Runs compiled expressions, within limits of nesting and of work."""

    def __init__(self) -> None:
        self._nested = 0
        self._steps = 0

    def evaluate(self, text: str, names: Names, functions: FunctionTable) -> float:
        """Value of an expression without braces.

        Raises:
            NetlistError: if it is wrong, not finite, or too much work.
        """
        if self._nested == 0:
            self._steps = 0
        self._nested += 1
        try:
            if self._nested > _MOST_NESTED:
                raise NetlistError(
                    f"parameters or functions refer to each other more than {_MOST_NESTED} deep; "
                    "look for a function that calls itself, or put definitions before their use"
                )
            return self._run(compile_expression(text), names, functions)
        finally:
            self._nested -= 1

    def _run(self, steps: Sequence[Step], names: Names, functions: FunctionTable) -> float:
        stack: list[float] = []
        at = 0
        while at < len(steps):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise NetlistError("an expression takes too much work; functions call each other")
            step = steps[at]
            at += 1
            if step.kind == "number":
                stack.append(step.value)
            elif step.kind == "name":
                stack.append(names.value(step.text))
            elif step.kind == "operator":
                right = stack.pop()
                stack[-1] = operate(step.text, OPERATORS[step.text][1], stack[-1], right)
            elif step.kind == "call":
                first = len(stack) - step.size
                stack[first:] = [self._call(step, stack[first:], names, functions)]
            elif step.kind == "unless":
                at = step.size if stack.pop() == 0 else at
            elif step.kind == "goto":
                at = step.size
            else:
                stack[-1] = -stack[-1] if step.kind == "negate" else float(stack[-1] == 0)
        return stack[0]

    def _call(
        self, step: Step, arguments: list[float], names: Names, functions: FunctionTable
    ) -> float:
        name = step.text
        found = functions.find(name)
        if found is None:
            return _built_in(name, arguments)
        function, table = found
        if step.value:
            raise NetlistError(
                f"ngspice takes an equality among the arguments of `{name}` for 0; put it in "
                "parentheses"
            )
        _check_count(name, len(function.arguments), len(arguments))
        inner = _Replacing(names, dict(zip(function.arguments, arguments, strict=True)))
        try:
            return self.evaluate(function.body, inner, table)
        except NetlistError as error:
            raise error.at(function.line.path, function.line.number, function.line.text) from None


class _Replacing:
    """Names with the arguments of a function in front of them."""

    def __init__(self, outer: Names, values: dict[str, float]) -> None:
        self._outer = outer
        self._values = values

    def value(self, name: str) -> float:
        return self._values[name] if name in self._values else self._outer.value(name)


def _built_in(name: str, arguments: list[float]) -> float:
    if name in RANDOM_FUNCTIONS:
        raise NetlistError(f"`{name}` draws random numbers; write the number itself")
    if name not in FUNCTIONS:
        raise NetlistError(
            f"there is no function `{name}`; define it with .func, or correct the spelling"
        )
    count, apply = FUNCTIONS[name]
    _check_count(name, count, len(arguments))
    return operate(name, apply, *arguments)


def _check_count(name: str, wanted: int, given: int) -> None:
    if wanted != given:
        raise NetlistError(f"`{name}` takes {wanted} argument(s), and {given} are given")
