"""What an independent source gives at an operating point.

ngspice takes the DC value; without one, the transient function at time zero; with an AC part
only, 0 (ngspice manual, section on independent sources; checked with version 39).
"""

from __future__ import annotations

from collections.abc import Callable

from sim_backend.spice.errors import NetlistError

__all__ = ["KEYWORDS", "dc_value"]

_SMALL_SIGNAL = {"ac": 2, "acmag": 1, "acphase": 1, "distof1": 2, "distof2": 2}
"""Keywords without effect here, and how many numbers may follow."""

_OF_PWL = frozenset({"r", "td"})

_TRANSIENT = {"pulse": 7, "sin": 5, "sine": 5, "exp": 6, "pwl": 10**6}
"""Functions whose value at time zero is read, and how many arguments are understood."""

_OTHER_TRANSIENT = frozenset({"am", "sffm", "trnoise", "trrandom", "external"})

KEYWORDS = {
    "dc": 1, "r": 1, "td": 1, **_SMALL_SIGNAL, **_TRANSIENT,
    **dict.fromkeys(_OTHER_TRANSIENT, _TRANSIENT["pwl"]),
}  # fmt: skip
"""Keywords of sources, and how many numbers may follow."""

_DELAY = {"pulse": 2, "sin": 3, "sine": 3, "exp": 2}
"""Place of the argument that must not be negative, or time zero is not the beginning."""


def dc_value(row: list[str], number: Callable[[str], float]) -> float:
    """Value of a source in volts or amperes.

    Args:
        row: the words that follow the nodes; equals signs are blanks to ngspice here.
        number: what gives the value of a word.

    Raises:
        NetlistError: if there is none, or it is ambiguous.
    """
    parts = _parts(row)
    constant = [words for keyword, words in parts if keyword == "dc"]
    transient = [part for part in parts if part[0] in _TRANSIENT or part[0] in _OTHER_TRANSIENT]
    if len(constant) > 1 or len(transient) > 1:
        raise NetlistError("more than one value; keep one DC value and one transient function")
    if constant:
        if len(constant[0]) != 1:
            raise NetlistError("`dc` takes one number")
        return number(constant[0][0])
    if transient:
        for keyword, words in parts:
            if keyword == "td" and (len(words) != 1 or number(words[0]) < 0.0):
                raise NetlistError("`td` is not a number from 0 on; correct it, or add `dc value`")
        return _at_time_zero(*transient[0], number)
    if not parts:
        raise NetlistError("a source without a value, 0 for ngspice; write 0 if that is meant")
    return 0.0


def _parts(row: list[str]) -> list[tuple[str, list[str]]]:
    """Keywords with the words behind them; a value in front of all counts as ``dc``."""
    parts: list[tuple[str, list[str]]] = []
    room = 0
    for word in row:
        if word in KEYWORDS and (word not in _OF_PWL or any(part[0] == "pwl" for part in parts)):
            parts.append((word, []))
            room = KEYWORDS[word]
        elif not parts:
            parts.append(("dc", [word]))
        elif room > 0:
            parts[-1][1].append(word)
            room -= 1
        else:
            raise NetlistError(
                f"`{word}` is not understood here; a source has a DC value, first or behind `dc`, "
                "an AC part and a transient function"
            )
    return parts


def _at_time_zero(kind: str, arguments: list[str], number: Callable[[str], float]) -> float:
    if kind in _OTHER_TRANSIENT:
        raise NetlistError(f"`{kind}` has no plain value at time zero; add `dc value`")
    values = [number(argument) for argument in arguments]
    if not 2 <= len(values) <= _TRANSIENT[kind]:
        raise NetlistError(
            f"`{kind}` with {len(values)} arguments is not understood; add `dc value`, which is "
            "what an .op uses"
        )
    if kind == "pwl":
        if len(values) % 2 or values[0] < 0.0:
            raise NetlistError(
                "`pwl` takes pairs of time and value from time 0 on; correct them, or add "
                "`dc value`"
            )
        return values[1]
    if len(values) > _DELAY[kind] and values[_DELAY[kind]] < 0.0:
        raise NetlistError(f"`{kind}` with a negative delay; add `dc value`")
    return values[0]
