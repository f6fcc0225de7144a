"""Taking a program message apart: units at ``;``, a header, parameters at ``,``.

Quotes, parentheses and blocks hide separators. Text is handled as latin-1, so that every byte
of a block survives.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.emulated.scpi.framing import block_span

__all__ = ["Unit", "split_units"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One command or query of a message.

    Attributes:
        header: as sent, without ``?`` and a leading ``:``.
        absolute: it had a leading ``:``.
        is_query: it ended with ``?``.
        parameters: as sent, stripped; strings keep their quotes and blocks their header.
    """

    header: str
    absolute: bool
    is_query: bool
    parameters: tuple[str, ...]


def split_units(message: str) -> list[Unit]:
    """The units of a message; empty ones are skipped."""
    return [_unit(text) for text in _split(message, ";") if text.strip(_BLANK)]


_BLANK = "".join(map(chr, range(33)))  # IEEE 488.2, 7.4.1.2: any control character is white space


def _unit(text: str) -> Unit:
    text = text.lstrip(_BLANK)
    end = next((i for i, char in enumerate(text) if char in _BLANK), len(text))
    header, rest = text[:end], text[end:]
    mark = header.find("?")
    if 0 <= mark < len(header) - 1:  # "SOUR?MIN": the blank after a query mark may be missing
        header, rest = header[: mark + 1], header[mark + 1 :] + rest
    parameters = tuple(_stripped(part) for part in _split(rest, ",")) if rest.strip(_BLANK) else ()
    absolute = header.startswith(":")
    return Unit(header.lstrip(":").rstrip("?"), absolute, header.endswith("?"), parameters)


def _stripped(part: str) -> str:
    """White space off, but not off the end of a block's payload."""
    part = part.lstrip(_BLANK)
    return part if part.startswith("#") else part.rstrip(_BLANK)


def _split(text: str, separator: str) -> list[str]:
    """Split where no quote, parenthesis or block hides the separator."""
    parts: list[str] = []
    start = index = depth = 0
    quote = ""
    while index < len(text):
        char = text[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (index == 0 or text[index - 1] in " \t,"):
            index = _past_block(text, index)
            continue
        elif char == separator and depth == 0:
            parts.append(text[start:index])
            start = index + 1
        else:
            depth = max(0, depth + (char == "(") - (char == ")"))
        index += 1
    parts.append(text[start:])
    return parts


def _past_block(text: str, start: int) -> int:
    """Index behind the block at ``start``; an indefinite one goes to the end of the message."""
    if text[start + 1 : start + 2] == "0":
        return len(text)
    span = block_span(text.encode("latin-1", "replace"), start)
    return start + 1 if span is None or span[1] > len(text) else span[1]
