"""Commands and the tree their headers make.

A header is written as in manuals: ``[:SOURce[1]]:VOLTage[:LEVel][:IMMediate][:AMPLitude]``.
Nodes in brackets may be left out; ``[1]`` behind a keyword may be, too; a bare number, as in
``CALCulate3``, must be sent; ``<n>`` takes any number and hands it to the command (1 if left
out). Two headers of one command are separated by a blank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.emulated.scpi import values
from drivers.emulated.scpi.errors import ScpiError

__all__ = ["Command", "Node", "Parameters", "Reply", "always", "build_tree", "find"]

Reply: TypeAlias = str | bytes
ANY = -1


class Parameters:
    """What a client sent behind a header; each method takes the next parameter."""

    def __init__(self, texts: tuple[str, ...] = (), suffixes: tuple[int, ...] = ()) -> None:
        self._texts = texts
        self._next = 0
        self.suffixes = suffixes

    def __len__(self) -> int:
        """How many parameters are left."""
        return len(self._texts) - self._next

    def text(self) -> str:
        """The parameter as sent."""
        if self._next >= len(self._texts):
            raise ScpiError(-109)
        self._next += 1
        return self._texts[self._next - 1]

    def number(
        self,
        low: float = -math.inf,
        high: float = math.inf,
        default: float | None = None,
        unit: str = "",
    ) -> float:
        """A number from ``low`` to ``high``, or ``MIN``, ``MAX``, ``DEF``.

        Raises:
            ScpiError: -222 out of range, or what :func:`values.number` raises.
        """
        text = self.text()
        for word, value in (("MINimum", low), ("MAXimum", high), ("DEFault", default)):
            if value is not None and values.matches(text, word):
                return value
        value = values.number(text, unit)
        if not low <= value <= high:
            raise ScpiError(-222)
        return value

    def whole(self, low: int, high: int, default: int | None = None) -> int:
        """A number rounded to an integer (IEEE 488.2, 7.7.2.4)."""
        value = self.number(low, high, default)
        return round(value) if math.isfinite(value) else int(math.copysign(1e9, value))

    def boolean(self) -> bool:
        """ON, OFF or a number."""
        return values.boolean(self.text())

    def word(self, words: Iterable[str]) -> str:
        """One of some keywords; returns its short form.

        Raises:
            ScpiError: -224 for anything else.
        """
        text = self.text()
        for word in words:
            if values.matches(text, word):
                return values.short_form(word)
        raise ScpiError(-224)

    def string(self) -> str:
        """A quoted string."""
        return values.string(self.text())

    def channels(self) -> list[int]:
        """A channel list."""
        return values.channels(self.text())

    def block(self) -> bytes:
        """The payload of a block."""
        return values.block_bytes(self.text())

    def rest(self) -> Iterator[str]:
        """All parameters that are left, as sent."""
        while len(self):
            yield self.text()


@dataclass(frozen=True, slots=True)
class Command:
    """What an instrument does at one header.

    Attributes:
        header: the pattern, see the module.
        write: carries the command out; None: there is only a query.
        query: answers it; None: there is no query.
        takes: fewest and most parameters of the command.
        asks: fewest and most parameters of the query.
    """

    header: str
    write: Callable[[Parameters], None] | None = None
    query: Callable[[Parameters], Reply] | None = None
    takes: tuple[int, int] = (1, 1)
    asks: tuple[int, int] = (0, 0)


def always(answer: str) -> Callable[[Parameters], Reply]:
    """A query whose answer never changes."""
    return lambda _: answer


@dataclass(slots=True)
class Node:
    """A node of the header tree; ``edges`` lead on by keyword and suffix."""

    edges: list[Edge] = field(default_factory=list)
    command: Command | None = None


@dataclass(slots=True)
class Edge:
    """One keyword: its accepted spellings, its number, and whether it may be left out."""

    spellings: frozenset[str]
    number: int | None  # None: none may be sent; ANY: any
    must_be_sent: bool
    optional: bool
    target: Node

    def suffix(self, keyword: str) -> int | None:
        """The number sent with a keyword, or None if this is not the keyword."""
        mnemonic = keyword.rstrip("0123456789")
        if mnemonic not in self.spellings:
            return None
        digits = keyword[len(mnemonic) :]
        if not digits:
            return None if self.must_be_sent else 1
        if self.number is None or len(digits) > 4:
            return None
        return int(digits) if self.number in (ANY, int(digits)) else None


_NODE = re.compile(r"(\[?):?(\*?[A-Za-z]+)(?:(\d+)|\[(\d+)\]|(<n>))?(\]?)")


def build_tree(commands: Iterable[Command]) -> Node:
    """The tree of some commands; at one header, the later command and the later query count."""
    root = Node()
    for command in commands:
        for header in command.header.split():
            node = root
            for found in _NODE.finditer(header):
                node = _grown(node, found)
            node.command = command if node.command is None else _merged(node.command, command)
    return root


def _merged(old: Command, new: Command) -> Command:
    """What is listed twice for one header."""
    return Command(
        new.header,
        new.write or old.write,
        new.query or old.query,
        new.takes if new.write else old.takes,
        new.asks if new.query else old.asks,
    )


def _grown(node: Node, found: re.Match[str]) -> Node:
    """The node a piece of a header leads to, made if it is new."""
    opening, name, fixed, optional_number, anything, _ = found.groups()
    spellings = frozenset((name.upper(), values.short_form(name)))
    number = ANY if anything else int(fixed or optional_number or 0) or None
    for edge in node.edges:
        if edge.spellings == spellings and edge.number == number:
            edge.optional |= bool(opening)
            return edge.target
    edge = Edge(spellings, number, bool(fixed), bool(opening), Node())
    node.edges.append(edge)
    return edge.target


def find(node: Node, keywords: list[str]) -> tuple[Command, Node, tuple[int, ...]] | None:
    """Follow upper-case keywords from a node.

    Returns:
        The command, the node its last keyword was found at (where the next header of the same
        message begins, SCPI-99 volume 1, 6.2.4) and the numbers sent at ``<n>``; None: no such
        header.
    """
    return _walk(node, keywords, 0, node, ())


def _walk(
    node: Node, keywords: list[str], index: int, parent: Node, suffixes: tuple[int, ...]
) -> tuple[Command, Node, tuple[int, ...]] | None:
    if index == len(keywords):
        if node.command is not None:
            return node.command, parent, suffixes
    else:
        for edge in node.edges:
            suffix = edge.suffix(keywords[index])
            if suffix is not None:
                numbers = (*suffixes, suffix) if edge.number == ANY else suffixes
                found = _walk(edge.target, keywords, index + 1, node, numbers)
                if found is not None:
                    return found
    for edge in node.edges:
        if edge.optional:
            numbers = (*suffixes, 1) if edge.number == ANY else suffixes
            found = _walk(edge.target, keywords, index, parent, numbers)
            if found is not None:
                return found
    return None
