"""Taking a message of the board apart (SPECIFICATION.md, 3), and its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["TEXTS", "BoardError", "Parameter", "Unit", "matches", "units", "whole", "word"]

Parameter = str | bytes
"""Text as sent, or the payload of a block."""

MAX_PARAMETERS = 12
_BLANKS = b" \t\r"
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}\Z")

TEXTS = {
    0: "No error",
    -103: "Invalid separator",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -161: "Invalid block data",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    101: "Not armed",
    102: "Interlock open",
    103: "Dead-man expired",
    104: "Checksum mismatch",
    105: "Beyond limit",
    106: "Pulse sequence mismatch",
    107: "Inputs not kept",
    108: "No comparator",
    109: "Isolated or floating",
    110: "Aborted",
}


class BoardError(Exception):
    """A command was refused; the code goes to the error queue."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code}: {TEXTS[code]}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Unit:
    """One command or query.

    Attributes:
        header: upper case, without a leading colon and ``?``.
        is_query: it ended with ``?``.
        parameters: what followed.
        fault: error in the parameters, or None.
    """

    header: str
    is_query: bool
    parameters: tuple[Parameter, ...]
    fault: int | None = None


def units(message: bytes) -> Iterator[Unit]:
    """The units of a message in order; empty ones are skipped."""
    at = 0
    while at < len(message):
        if message[at] in b" \t\r;":
            at += 1
            continue
        start = at
        while at < len(message) and message[at] not in b" \t\r;":
            at += 1
            if message[at - 1] == 0x2C:  # no header has one, and a block may hide behind it
                break
        header = message[start:at].decode("latin-1").upper()
        is_query = header.endswith("?")
        name = header.removesuffix("?").removeprefix(":")
        parameters, at, fault = _parameters(message, at)
        yield Unit(name, is_query, tuple(parameters), fault)


def _parameters(message: bytes, at: int) -> tuple[list[Parameter], int, int | None]:
    """Parameters up to the end of the unit, where that is, and what is wrong with them."""
    found: list[Parameter] = []
    at = _past_blanks(message, at)
    if at >= len(message) or message[at] == 0x3B:
        return found, at, None
    while True:
        value: Parameter
        if len(found) == MAX_PARAMETERS:
            return found, at, -108
        if message[at : at + 1] == b"#" and message[at - 1] in b" \t\r,":
            value, at = _block(message, at)
        else:
            value, at, clean = _text(message, at)
            if not clean:
                return found, at, -103
        if value == "":
            return found, at, -109
        found.append(value)
        if at >= len(message) or message[at] == 0x3B:
            return found, at, None
        if message[at] != 0x2C:
            return found, at, -103
        at = _past_blanks(message, at + 1)


def _past_blanks(message: bytes, at: int) -> int:
    while at < len(message) and message[at] in _BLANKS:
        at += 1
    return at


def _block(message: bytes, at: int) -> tuple[bytes, int]:
    """A block, whose length framing has checked."""
    begin = at + 2 + message[at + 1] - 0x30
    end = begin + int(message[at + 2 : begin])
    return message[begin:end], _past_blanks(message, end)


def _text(message: bytes, at: int) -> tuple[str, int, bool]:
    """Text up to a comma or semicolon, and whether no block stands in the middle of it."""
    start = at
    while at < len(message) and message[at] not in b",;":
        if message[at] == 0x23 and message[at - 1] in b" \t\r,":
            return "", at, False
        at += 1
    return message[start:at].rstrip(_BLANKS).decode("latin-1"), at, True


def matches(text: str, keyword: str) -> bool:
    """Whether this is the long or the short form of a keyword spelled ``SETTle``."""
    short = "".join(char for char in keyword if not char.islower())
    return text.upper() in (keyword.upper(), short)


def whole(parameter: Parameter, low: int, high: int) -> int:
    """An integer within bounds.

    Raises:
        BoardError: -104 not an integer, -222 out of bounds.
    """
    if isinstance(parameter, bytes) or not _INTEGER.match(parameter):
        raise BoardError(-104)
    value = int(parameter)
    if not low <= value <= high:
        raise BoardError(-222)
    return value


def word(parameter: Parameter, keywords: Sequence[str]) -> int:
    """The place of a keyword in a list.

    Raises:
        BoardError: -104 for a block, -224 for another word.
    """
    if isinstance(parameter, bytes):
        raise BoardError(-104)
    for place, keyword in enumerate(keywords):
        if matches(parameter, keyword):
            return place
    raise BoardError(-224)
