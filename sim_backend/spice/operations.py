r"""Operators and functions of parameter expressions, as ngspice's .param computes them.

Where ngspice departs from what one might expect (version 39, found by trial):

* ``x ^ y`` and ``pwr(x, y)`` are ``|x|**y``, ``pow(x, y)`` is ``x**y``;
* ``x \ y`` is the whole part of ``|x / y|``, ``x % y`` has the sign of ``x``;
* ``nint`` rounds halves to even; ``log`` is natural;
* ``&&`` and ``||`` know 0 and everything else, and give 0 or 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from sim_backend.spice.errors import NetlistError

__all__ = ["FUNCTIONS", "OPERATORS", "RANDOM_FUNCTIONS", "operate"]

OPERATORS: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "||": (1, lambda x, y: float(x != 0 or y != 0)),
    "&&": (2, lambda x, y: float(x != 0 and y != 0)),
    "=": (3, lambda x, y: float(x == y)),
    "==": (3, lambda x, y: float(x == y)),
    "!=": (3, lambda x, y: float(x != y)),
    "<>": (3, lambda x, y: float(x != y)),
    "<": (3, lambda x, y: float(x < y)),
    ">": (3, lambda x, y: float(x > y)),
    "<=": (3, lambda x, y: float(x <= y)),
    ">=": (3, lambda x, y: float(x >= y)),
    "+": (4, operator.add),
    "-": (4, operator.sub),
    "*": (5, operator.mul),
    "/": (5, operator.truediv),
    "%": (5, math.fmod),
    "\\": (5, lambda x, y: float(math.trunc(abs(x / y)))),
    "^": (6, lambda x, y: math.pow(abs(x), y)),
    "**": (6, lambda x, y: math.pow(abs(x), y)),
}
"""Binding strength and meaning of the binary operators; all group from the left."""

FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "abs": (1, abs),
    "acos": (1, math.acos),
    "acosh": (1, math.acosh),
    "arctan": (1, math.atan),
    "asin": (1, math.asin),
    "asinh": (1, math.asinh),
    "atan": (1, math.atan),
    "atanh": (1, math.atanh),
    "ceil": (1, lambda x: float(math.ceil(x))),
    "cos": (1, math.cos),
    "cosh": (1, math.cosh),
    "exp": (1, math.exp),
    "floor": (1, lambda x: float(math.floor(x))),
    "int": (1, lambda x: float(math.trunc(x))),
    "ln": (1, math.log),
    "log": (1, math.log),
    "log10": (1, math.log10),
    "max": (2, max),
    "min": (2, min),
    "nint": (1, lambda x: float(round(x))),
    "pow": (2, math.pow),
    "pwr": (2, lambda x, y: math.pow(abs(x), y)),
    "sgn": (1, lambda x: float((x > 0) - (x < 0))),
    "sin": (1, math.sin),
    "sinh": (1, math.sinh),
    "sqr": (1, lambda x: x * x),
    "sqrt": (1, math.sqrt),
    "tan": (1, math.tan),
    "tanh": (1, math.tanh),
    "ternary_fcn": (3, lambda condition, yes, no: yes if condition != 0 else no),
}
"""Number of arguments and meaning; ngspice itself does not count the arguments."""

RANDOM_FUNCTIONS = frozenset({"agauss", "aunif", "gauss", "limit", "unif"})
"""Functions of ngspice that draw random numbers."""


def operate(what: str, apply: Callable[..., float], *arguments: float) -> float:
    """``apply(*arguments)``, refusing results that are no finite real number."""
    try:
        value = apply(*arguments)
    except (ArithmeticError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        given = ", ".join(f"{argument:g}" for argument in arguments)
        raise NetlistError(
            f"`{what}` of {given} is not a finite real number; check the parameters in it"
        )
    return value
