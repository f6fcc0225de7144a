"""Words of expressions: numbers, names and symbols."""

from __future__ import annotations

import re
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.numbers import NUMBER, scaled

__all__ = ["Token", "outer_equality", "tokenize"]

_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{NUMBER})|(?P<name>[a-z_]\w*)"
    r"|(?P<symbol>\*\*|==|!=|<>|<=|>=|&&|\|\||[-+*/%\\^=<>!?:(),]))",
    re.ASCII,
)
_NOT_A_TOKEN = re.compile(r"\s*(\S{1,20})")


class Token(NamedTuple):
    """A word of an expression; its kind is number, name, symbol or end."""

    kind: str
    text: str
    value: float = 0.0

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


def tokenize(text: str) -> list[Token]:
    """The words of a lower-case expression, and one that says it ends.

    Raises:
        NetlistError: on characters no expression has, and on ambiguous numbers.
    """
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            bad = _NOT_A_TOKEN.match(text, at)
            raise NetlistError(
                f"`{bad[1] if bad else text}` cannot stand in an expression, which has numbers, "
                "parameters, functions and operators"
            )
        kind = match.lastgroup or ""
        if match["number"] is not None:
            value = scaled(
                match["mantissa"], match["exponent"], match["letters"], in_expression=True
            )
            tokens.append(Token("number", match["number"], value))
        else:
            tokens.append(Token(kind, match[kind]))
        at = match.end()
    tokens.append(Token("end", ""))
    return tokens


def outer_equality(tokens: list[Token]) -> bool:
    """Whether an equality stands outside of all parentheses."""
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text in ("=", "=="):
            return True
    return False
