"""Short forms in bench files: ranges of names, names of lines, and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hil.topology import Topology

__all__ = ["expanded", "expanded_all", "line_names", "plain_address"]

_END = re.compile(r"(.*?)(\d+)\Z", re.DOTALL)
_MOST_NAMES = 100_000
_MOST_DIGITS = 18
_RESOURCE = re.compile(r"(asrl|firewire|gpib|gpib-vxi|prlgx-[a-z]+|pxi|tcpip|usb|vxi)([0-9]*)")
_CLASSES = {"instr", "socket", "raw", "intfc", "servant", "memacc", "backplane"}
_USB_NUMBERS = 2
_FILLERS = {"tcpip": (2, "inst0"), "usb": (4, "0")}
"""What is meant where a resource of so many parts leaves it out: LAN device, interface number."""


def expanded(text: str) -> tuple[str, ...]:
    """``a0.r0:a0.r9, a1.r3`` as single names: ranges count the number at the end of a name.

    Leading zeros are kept: ``1A01:1A12``.

    Raises:
        ValueError: a range whose ends differ in more than their last number, or that runs down;
            more than 100,000 names, none of which is made then.
    """
    return expanded_all([text])


def expanded_all(texts: Iterable[str]) -> tuple[str, ...]:
    """Several texts of names and ranges, one after the other; see :func:`expanded`."""
    found: list[str] = []
    for text in texts:
        _expand(text, found)
    return tuple(found)


def _expand(text: str, found: list[str]) -> None:
    """Add the names of a text to those that were found so far."""
    for part in (piece.strip() for piece in text.split(",")):
        first, colon, last = (piece.strip() for piece in part.partition(":"))
        if not first:
            raise ValueError(f"{text!r} has an empty name; separate names by single commas")
        found += [first] if not colon else _between(first, last, _MOST_NAMES - len(found))


def _between(first: str, last: str, most: int) -> list[str]:
    start, end = _END.match(first), _END.match(last)
    if any(at is not None and len(at[2]) > _MOST_DIGITS for at in (start, end)):
        raise ValueError(f"a range ends in a number of more than {_MOST_DIGITS} digits: correct it")
    if start is None or end is None or start[1] != end[1] or int(start[2]) > int(end[2]):
        raise ValueError(
            f"{first}:{last} is no range: both ends must be the same but for the number they end "
            "with, the lower one first, such as a0.r0:a0.r9"
        )
    count = int(end[2]) - int(start[2]) + 1
    if count > most:
        raise ValueError(
            f"{first}:{last} makes {count:,} names, where {_MOST_NAMES:,} in all are the most: "
            "probably a digit too many at its end; correct it"
        )
    width = len(start[2])
    return [f"{start[1]}{n:0{width}d}" for n in range(int(start[2]), int(end[2]) + 1)]


def line_names(topology: Topology) -> tuple[str, ...]:
    """Lines of all arrays: row i of array k is ``a<k>.r<i>``, column j ``a<k>.c<j>``."""
    names: list[str] = []
    for k, group in enumerate(topology.groups):
        names += [f"a{k}.r{i}" for i in range(group.tails.size)]
        names += [f"a{k}.c{j}" for j in range(group.heads.size)]
    return tuple(names)


def plain_address(address: str) -> str:
    """An address as it is compared with others: VISA has several ways to write the same one.

    Neither VISA nor host names tell capital letters from small ones; a board number is 0 and a
    class INSTR where there is none; numbers may have zeros before them. Whatever is no VISA
    resource, such as a serial port, only loses its capitals.
    """
    first, *parts = address.strip().casefold().split("::")
    resource = _RESOURCE.fullmatch(first)
    if resource is None:
        return "::".join([first, *parts])
    kind, board = resource.groups()
    if not parts or parts[-1] not in _CLASSES:
        parts.append("instr")
    # Hosts and serial numbers stay as they are; the latter come third with USB.
    numbers = range(_USB_NUMBERS) if kind == "usb" else range(1 if kind == "tcpip" else 0, 99)
    plain = [_plain_number(part) if k in numbers else part for k, part in enumerate(parts)]
    length, filler = _FILLERS.get(kind, (0, ""))
    if len(plain) == length and plain[-1] == "instr":
        plain.insert(-1, filler)
    return "::".join([kind + (_plain_number(board) if board else "0"), *plain])


def _plain_number(text: str) -> str:
    """A number in decimals without zeros before it; everything else as it is."""
    if re.fullmatch("0x[0-9a-f]{1,8}", text):
        return str(int(text, 16))
    return text.lstrip("0") or "0" if re.fullmatch("[0-9]+", text) else text
