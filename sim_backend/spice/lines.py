"""From physical lines to statements.

As ngspice does it (ngspice manual, section on general structure and conventions; details found
by trial with version 39): the first line is the title; ``*`` begins a comment line, ``;``,
``//`` and a ``$`` after white space or a comma begin a comment anywhere; a line that begins
with ``+`` continues the statement before it, over blank lines and comment lines in between.

Three things ngspice lets pass while it drops text are refused: a continuation of the title or
of a line that begins with ``;``, statements after ``.end``, and backslashes that join lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sim_backend.spice.errors import NetlistError

__all__ = ["MOST_CHARACTERS", "Line", "Statements", "split_statements"]

MOST_CHARACTERS = 128 * 1024 * 1024
"""Of a netlist with everything it includes; some four million resistors."""

_BLANKS = " \t\r\f\v"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_COMMENT = re.compile(r";|//|(?:^|(?<=[\s,]))\$")


class Line(NamedTuple):
    """A statement.

    Attributes:
        text: without comments, continuations joined by blanks, in the case of the file.
        path: file, or None for a string.
        number: of its first physical line, from 1.
    """

    text: str
    path: str | None
    number: int

    def error(self, message: str) -> NetlistError:
        """An error about this statement."""
        return NetlistError(message, self.path, self.number, self.text)


class Statements(NamedTuple):
    """A text in statements; what stands between ``.control`` and ``.endc`` is apart."""

    title: str
    lines: list[Line]
    control: list[Line]


def split_statements(text: str, path: str | None, *, titled: bool) -> Statements:
    """Statements of a file or string.

    Args:
        text: all of it.
        path: what errors call it.
        titled: whether the first line is a title.

    Raises:
        NetlistError: on lines that ngspice reads differently from what they seem to say.
    """
    physical = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    title = physical[0].strip(_BLANKS) if titled else ""
    strange = _CONTROL_CHARACTER.search(text)
    if strange is not None:
        number = text.count("\n", 0, strange.start()) + 1
        raise Line(repr(strange[0]), path, number).error("a control character; delete it")
    if title.endswith("\\"):
        raise Line(title, path, 1).error(_STRAY)
    joined = _join(physical, path, titled)
    if not any(line.text[:4].lower() in (".con", ".end") for line in joined):
        return Statements(title, joined, [])
    lines, control = _control_apart(joined)
    return Statements(title, _until_end(lines), control)


def _join(physical: Sequence[str], path: str | None, titled: bool) -> list[Line]:
    lines: list[Line] = []
    parts: list[str] = []  # continuations of the last statement
    open_ = False  # whether there is something to continue
    for number, raw in enumerate(physical, 1):
        if titled and number == 1:
            continue
        statement = raw.strip(_BLANKS)
        if not statement or statement[0] == "*":
            continue
        if ";" in statement or "$" in statement or "//" in statement:
            if statement[0] == ";":
                open_ = False
                continue
            statement = _COMMENT.split(statement, maxsplit=1)[0].rstrip()
            if not statement:
                continue
        if statement[0] != "+":
            if parts:
                _append(lines, parts)
            lines.append(Line(statement, path, number))
            open_ = True
        elif open_ and lines:
            parts.append(statement[1:])
        else:
            raise Line(statement, path, number).error(_NOTHING_TO_CONTINUE)
        if statement[-1] == "\\" or "\r" in statement:
            raise Line(statement, path, number).error(_STRAY)
    if parts:
        _append(lines, parts)
    return lines


_NOTHING_TO_CONTINUE = (
    "this continues the title, a file or a comment line that begins with `;`, and ngspice drops "
    "or misplaces it; begin comments with `*`, and continue a statement"
)
_STRAY = (
    "a backslash at the end, or a carriage return inside a line; continue lines with `+` on the "
    "next one, and end them with line feeds"
)


def _append(lines: list[Line], parts: list[str]) -> None:
    last = lines[-1]
    lines[-1] = Line(" ".join([last.text, *parts]), last.path, last.number)
    parts.clear()


def _control_apart(joined: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    lines: list[Line] = []
    control: list[Line] = []
    begun: Line | None = None
    for line in joined:
        words = line.text.lower().split()
        word = words[0]
        if word in (".control", ".endc") and len(words) > 1:
            raise line.error(f"{word} stands alone on its line; move what follows it")
        if word == ".control":
            if begun is not None:
                raise line.error("a .control section inside another; end the first with .endc")
            begun = line
        elif word == ".endc":
            if begun is None:
                raise line.error("an .endc without .control; delete it")
            begun = None
        else:
            (lines if begun is None else control).append(line)
    if begun is not None:
        raise begun.error("a .control section without .endc; add it")
    return lines, control


def _until_end(lines: list[Line]) -> list[Line]:
    for i, line in enumerate(lines):
        if line.text.lower() == ".end":
            if i + 1 < len(lines):
                raise lines[i + 1].error(
                    "a statement after .end, which ngspice reads all the same; move or delete it"
                )
            return lines[:i]
    return lines
