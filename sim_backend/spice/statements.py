"""The parts of a statement: words, and ``name = value`` pairs.

White space, commas, parentheses and equals signs separate words; ``{...}`` and ``'...'`` keep
an expression together (ngspice manual, sections on conventions and on parameters).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError

__all__ = [
    "SEPARATOR",
    "Words",
    "assignments",
    "check_separators",
    "is_name",
    "lower",
    "split_at_assignment",
    "split_words",
]

SEPARATOR = re.compile(r"[,()]")
"""What :func:`check_separators` looks at."""

_SPECIAL = re.compile(r"[,()={}'\"]")
_WORD = re.compile(r"\{[^{}]*\}|'[^']*'|=|[^\s,()={}'\"]+")
_EXPRESSION = re.compile(r"\{[^{}]*\}|'[^']*'")
_ADJACENT = re.compile(r"([^\s,()=]+)\(")
_LONELY_COMMA = re.compile(r"\s,(?:\s|$)")
_SEPARATORS = re.compile(r"[\s,()]+")
_NAME = re.compile(r"[a-z_]\w*", re.ASCII)
_PAIR = re.compile(r"\s*([a-z_]\w*)\s*=\s*", re.ASCII)
_FIRST_PAIR = re.compile(r"(?:^|[\s,()])(params:\s*|[a-z_]\w*\s*=(?!=))", re.ASCII)


class Words(NamedTuple):
    """Words of a statement.

    Attributes:
        row: those that are not part of ``name = value``.
        named: values by name.
        every: all words in their order, without the equals signs.
    """

    row: list[str]
    named: dict[str, str]
    every: list[str]


def lower(text: str) -> str:
    """A statement in lower case; the micro sign is a ``u``, as for ngspice.

    Raises:
        NetlistError: on other characters beyond ASCII, which ngspice replaces by underscores.
    """
    if not text.isascii():
        text = text.replace("\u00b5", "u")
        if not text.isascii():
            bad = next(character for character in text if not character.isascii())
            raise NetlistError(
                f"{bad!r} is no ASCII character and ngspice garbles it; rename, or write `u` or "
                "a plain blank"
            )
    return text.lower()


def is_name(text: str) -> bool:
    """Whether a text is the name of a parameter."""
    return _NAME.fullmatch(text) is not None


def check_separators(text: str, functions: Collection[str]) -> None:
    """See that parentheses and commas separate words for ngspice too.

    It takes ``0(`` for a name, unless the word in front is one of the functions of sources, and
    sometimes a comma between blanks too.

    Raises:
        NetlistError: on these, and on a parenthesis without its partner.
    """
    text = _EXPRESSION.sub(" ", text)
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
    if _LONELY_COMMA.search(text):
        raise NetlistError("a comma between blanks is a word for ngspice; delete it")
    if depth:
        raise NetlistError("a parenthesis without its partner; add or delete one")
    for word in _ADJACENT.findall(text):
        if word not in functions:
            raise NetlistError(f"`{word}(` is one name for ngspice; put a blank before `(`")


def split_words(text: str) -> Words:
    """Words of an element, a model or an option.

    Raises:
        NetlistError: on braces or quotes without partner, or an equals sign without name.
    """
    if not _SPECIAL.search(text):
        row = text.split()
        return Words(row, {}, row)
    tokens = _WORD.findall(text)
    rest = _SEPARATORS.sub("", _WORD.sub("", text))
    if rest:
        raise NetlistError(
            f"`{rest[0]}` without its partner, or inside another expression; an expression is "
            "{...} or '...'"
        )
    return Words(*_sorted_out(tokens), [token for token in tokens if token != "="])


def _sorted_out(tokens: list[str]) -> tuple[list[str], dict[str, str]]:
    row: list[str] = []
    named: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        if tokens[at + 1 : at + 2] != ["="]:
            row.append(tokens[at])
            at += 1
            continue
        name, value = tokens[at], tokens[at + 2 : at + 3]
        if name == "=" or not value or value == ["="]:
            raise NetlistError("an equals sign that does not stand between a name and a value")
        if name in named:
            raise NetlistError(f"`{name}` is given twice; delete one")
        named[name] = value[0]
        at += 3
    if "=" in row:
        raise NetlistError("an equals sign that does not stand between a name and a value")
    return row, named


def split_at_assignment(text: str) -> tuple[list[str], str]:
    """The words of a .subckt or X line, and the text of its parameters."""
    match = _FIRST_PAIR.search(text)
    at = len(text) if match is None else match.start(1)
    if SEPARATOR.search(text):
        check_separators(text[:at], ())
    words = split_words(text[:at])
    rest = text[at:]
    return words.row, rest.removeprefix("params:")


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """``name = expression`` pairs.

    An expression without braces may have no blanks outside of parentheses, because ngspice
    silently drops what follows the first one.

    Raises:
        NetlistError: on anything else.
    """
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _PAIR.match(text, at)
        if match is None:
            raise NetlistError(
                f"`{text[at:end].strip()[:40]}` is not name=value; put an expression with blanks "
                "in braces, and no commas between parameters"
            )
        at, value = _value(text, match.end(), end)
        yield match[1], value


def _value(text: str, start: int, end: int) -> tuple[int, str]:
    """Where the expression at ``start`` ends, and the expression without braces or quotes."""
    closing = {"{": "}", "'": "'"}.get(text[start : start + 1])
    if closing is not None:
        stop = text.find(closing, start + 1)
        if stop < 0:
            raise NetlistError(f"`{closing}` is missing after `{text[start : start + 20]}`")
        if text[stop + 1 : stop + 2].strip():
            raise NetlistError(f"a blank is missing after `{text[start : stop + 1][:40]}`")
        return stop + 1, text[start + 1 : stop]
    depth, at = 0, start
    while at < end and (depth > 0 or not text[at].isspace()):
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    if at == start:
        raise NetlistError("a parameter without a value; write name=value")
    return at, text[start:at]
