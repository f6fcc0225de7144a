"""Parameters as text, and back: numbers with units, words, booleans, strings, blocks, channels."""

from __future__ import annotations

import math
import re

from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.framing import block_span

__all__ = [
    "block_bytes",
    "boolean",
    "channel_list",
    "channels",
    "definite_block",
    "matches",
    "number",
    "quoted",
    "short_form",
    "spelled_register",
    "string",
]

_DECIMAL = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[eE]\s*([+-]?\d{1,5}))?\s*([A-Za-z%]*)\Z")
_RADIX = {"H": 16, "Q": 8, "B": 2}
# SCPI-99, volume 1, 7.6: M is milli except before HZ and OHM, where it is mega.
_PREFIXES = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
    "F": 1e-15,
    "A": 1e-18,
}
_INFINITIES = {"INF": math.inf, "INFINITY": math.inf, "NINF": -math.inf, "NINFINITY": -math.inf}
_LARGEST_LIST = 10_000


def number(text: str, unit: str = "") -> float:
    """A decimal or ``#H``, ``#Q``, ``#B`` number, with an optional unit.

    Args:
        text: the parameter.
        unit: the unit allowed behind it, such as ``V``; none if empty.

    Raises:
        ScpiError: -121, -131, -138, or -104 for what is no number at all.
    """
    if text.startswith("#"):
        return float(_radix_number(text))
    word = text.upper()
    if word in _INFINITIES:
        return _INFINITIES[word]
    found = _DECIMAL.match(text)
    if found is None:
        raise ScpiError(-121 if text[:1] in "+-.0123456789" and text else -104)
    mantissa, exponent, suffix = found.groups()
    value = float(f"{mantissa}e{exponent or 0}")
    return value * _multiplier(suffix.upper(), unit) if suffix else value


def _radix_number(text: str) -> int:
    try:
        return int(text[2:], _RADIX[text[1:2].upper()])
    except (KeyError, ValueError):
        raise ScpiError(-121) from None


def _multiplier(suffix: str, unit: str) -> float:
    if not unit:
        raise ScpiError(-138)
    prefix = suffix.removesuffix(unit.upper())
    if prefix == suffix or prefix not in _PREFIXES:
        raise ScpiError(-131)
    if prefix == "M" and unit.upper() in ("HZ", "OHM"):
        return 1e6
    return _PREFIXES[prefix]


def short_form(word: str) -> str:
    """The capitals of a keyword spelled as manuals do, ``IMMediate``, with its digits."""
    return "".join(char for char in word if not char.islower())


def matches(text: str, word: str) -> bool:
    """Whether ``text`` is the long or the short form of ``word``, in any case."""
    return text.upper() in (word.upper(), short_form(word))


def boolean(text: str) -> bool:
    """``ON``, ``OFF`` or a number, which is true unless it rounds to 0 (SCPI-99, 7.3)."""
    if text.upper() in ("ON", "OFF"):
        return text.upper() == "ON"
    value = number(text)
    return not math.isfinite(value) or round(value) != 0


def string(text: str) -> str:
    """The content of a quoted string, doubled quotes undone."""
    quote = text[:1]
    if len(text) < 2 or quote not in ("'", '"') or text[-1] != quote:
        raise ScpiError(-151 if quote in ("'", '"') and quote else -104)
    content = text[1:-1]
    if quote in content.replace(quote * 2, ""):
        raise ScpiError(-151)
    return content.replace(quote * 2, quote)


def quoted(text: str) -> str:
    """A string parameter or reply."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def block_bytes(text: str) -> bytes:
    """The payload of a definite or indefinite block."""
    data = text.encode("latin-1", "replace")
    if data[:2] == b"#0":
        return data[2:]
    span = block_span(data, 0) if data[:1] == b"#" else None
    if span is None or data[span[1] :].strip() or span[1] > len(data):
        raise ScpiError(-161)
    return data[span[0] : span[1]]


def definite_block(payload: bytes) -> bytes:
    """A definite-length block around a payload."""
    length = str(len(payload)).encode("ascii")
    return b"#" + str(len(length)).encode("ascii") + length + payload


def channels(text: str) -> list[int]:
    """``(@101,103:105)`` as numbers, in the order written; ``(@)`` is empty.

    Raises:
        ScpiError: -104, -171 or -223.
    """
    if not text.startswith("("):
        raise ScpiError(-104)
    inner = re.fullmatch(r"\(\s*@\s*([0-9,:\s]*)\)", text)
    if inner is None:
        raise ScpiError(-171)
    listed: list[int] = []
    for part in inner[1].split(",") if inner[1].strip() else []:
        ends = re.fullmatch(r"\s*(\d{1,6})\s*(?::\s*(\d{1,6})\s*)?", part)
        if ends is None:
            raise ScpiError(-171)
        first, last = int(ends[1]), int(ends[2] or ends[1])
        step = 1 if last >= first else -1
        listed.extend(range(first, last + step, step))
        if len(listed) > _LARGEST_LIST:
            raise ScpiError(-223)
    return listed


def channel_list(numbers: list[int]) -> str:
    """Numbers as ``(@101,103)``."""
    return f"(@{','.join(map(str, numbers))})"


def spelled_register(value: int, kind: str) -> str:
    """A status register as ``FORMat:SREGister`` wants it: ``HEX``, ``OCT``, ``BIN`` or decimal."""
    return {"HEX": f"#H{value:X}", "OCT": f"#Q{value:o}", "BIN": f"#B{value:b}"}.get(
        kind, str(value)
    )
