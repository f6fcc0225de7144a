r"""Expressions of parameters, compiled once and run by a small stack machine.

The grammar is that of ngspice's .param (ngspice manual, section on parameters): numbers with
suffixes, names, calls, ``! ^ ** * / % \ + - == = != <> < > <= >= && ||`` and ``?:``.  A sign
may begin an expression or an argument, and then negates the whole first product (``-2^2`` is
-4); after an operator, and behind ``?`` and ``:``, ngspice understands a minus only in front of
digits, where it belongs to the number (``2*-3^2`` is 18).  It computes nonsense for ``2*-a^2``
and ``a ? -b : c``, and misreads ``a ? b ? 1 : 2 : 3``, so these are refused.

The machine keeps its own stack, so an expression's length is not limited by Python's; nesting
is, to :data:`MOST_NESTED`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.operations import OPERATORS
from sim_backend.spice.tokens import Token, outer_equality, tokenize

__all__ = ["MOST_CHARACTERS", "MOST_NESTED", "Step", "compile_expression"]

MOST_NESTED = 30
MOST_CHARACTERS = 10_000


class Step(NamedTuple):
    """One instruction.

    Attributes:
        kind: ``number`` pushes ``value``; ``name`` pushes a parameter; ``operator``, ``negate``
            and ``not`` work on the top of the stack; ``call`` replaces ``size`` arguments, among
            which ``value`` tells of an equality outside of parentheses;
            ``unless`` pops a condition and goes on at step ``size`` if it is 0; ``goto`` goes
            on there in any case.
    """

    kind: str
    text: str = ""
    value: float = 0.0
    size: int = 0


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> tuple[Step, ...]:
    """Steps that compute a lower-case expression, given without its braces.

    Raises:
        NetlistError: on anything outside the grammar.
    """
    if len(text) > MOST_CHARACTERS:
        raise NetlistError(
            f"an expression of more than {MOST_CHARACTERS} characters; split it into parameters"
        )
    parser = _Parser(tokenize(text))
    parser.expression()
    parser.take("", "end")
    return tuple(parser.steps)


class _Parser:
    """Precedence climbing over a list of tokens; ``steps`` grows as operands are complete."""

    def __init__(self, tokens: list[Token]) -> None:
        self.steps: list[Step] = []
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def expression(self) -> None:
        self._deeper()
        self._binary(0, leading=True)
        self._branches()
        self._depth -= 1

    def take(self, text: str, kind: str = "symbol") -> None:
        token = self._next
        if token.kind != kind or token.text != text:
            wanted = f"`{text}`" if text else "an operator or the end"
            raise NetlistError(f"{wanted} is missing before {token} in an expression")
        self._at += 1

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise NetlistError(
                f"an expression nested more than {MOST_NESTED} deep; split it into parameters"
            )

    def _branches(self) -> None:
        """Both branches of ``?:``, of which only one is run, if there are any."""
        if self._next.text != "?":
            return
        self._deeper()
        self._at += 1
        unless = self._jump("unless")
        self._binary(0)
        if self._next.text == "?":
            raise NetlistError(
                "`?:` between `?` and `:` is misread by ngspice; put it in parentheses"
            )
        self.take(":")
        goto = self._jump("goto")
        self.steps[unless] = Step("unless", size=len(self.steps))
        self._binary(0)
        self._branches()
        self.steps[goto] = Step("goto", size=len(self.steps))
        self._depth -= 1

    def _jump(self, kind: str) -> int:
        self.steps.append(Step(kind))
        return len(self.steps) - 1

    def _binary(self, least: int, *, leading: bool = False) -> None:
        sign = self._next.text if leading and self._next.text in ("+", "-") else ""
        if sign:
            self._at += 1
            self._binary(OPERATORS["+"][0] + 1)
        else:
            self._operand()
        if sign == "-":
            self.steps.append(Step("negate", "-"))
        while self._next.kind == "symbol" and self._next.text in OPERATORS:
            symbol = self._next.text
            strength = OPERATORS[symbol][0]
            if strength < least:
                break
            self._at += 1
            self._binary(strength + 1)
            self.steps.append(Step("operator", symbol))

    def _operand(self) -> None:
        token = self._next
        self._at += 1
        if token.kind == "number":
            self.steps.append(Step("number", token.text, token.value))
        elif token.kind == "name":
            self._name(token.text)
        elif token.text == "(":
            self.expression()
            self.take(")")
        elif token.text == "!":
            self._negation()
        elif token.text == "-" and self._next.kind == "number":
            self.steps.append(Step("number", "-" + self._next.text, -self._next.value))
            self._at += 1
        elif token.text in ("+", "-"):
            raise NetlistError(
                f"ngspice misreads `{token.text}{self._next.text}` behind an operator or `?:`; "
                "put the sign and what it belongs to in parentheses"
            )
        else:
            raise NetlistError(f"{token} stands where an expression needs an operand")

    def _negation(self) -> None:
        self._deeper()
        if self._next.text in ("+", "-"):
            raise NetlistError("a sign after `!`; put it in parentheses")
        self._operand()
        self._depth -= 1
        self.steps.append(Step("not", "!"))

    def _name(self, name: str) -> None:
        if self._next.text != "(":
            self.steps.append(Step("name", name))
            return
        self._at += 1
        first, count = self._at, 0
        while self._next.text != ")":
            if count:
                self.take(",")
            self.expression()
            count += 1
        equality = outer_equality(self._tokens[first : self._at])
        self._at += 1
        self.steps.append(Step("call", name, float(equality), count))
