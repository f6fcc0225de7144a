"""Numbers with engineering suffixes.

A number is decimal digits, an exponent and letters (ngspice manual, section on values).  The
letters begin with a scale factor or are a unit, which is ignored: ``10kohm``, ``1e-3V``.
Letters that versions of ngspice, or other simulators, read as different factors are refused;
so are numbers ngspice stops reading half way (``4k7``).
"""

from __future__ import annotations

import math
import re

from sim_backend.spice.errors import NetlistError

__all__ = ["NUMBER", "parse_number", "scaled"]

NUMBER = r"(?P<mantissa>\d+\.?\d*|\.\d+)(?:e(?P<exponent>[+-]?\d+))?(?P<letters>[a-z]*)"
"""An unsigned number in lower case."""

_SIGNED = re.compile(r"(?P<sign>[+-]?)" + NUMBER, re.ASCII)

_EXPONENTS = {
    "t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15,
}  # fmt: skip

_UNITS_WITH_E_OR_D = frozenset({"ev", "deg", "db"})
"""Units whose first letter ngspice takes for an exponent without digits, which is harmless."""

_MIL = 25.4e-6

_LONGEST_EXPONENT = 9


def parse_number(text: str, *, in_expression: bool = False) -> float:
    """The value of a lower-case number with an optional sign.

    Args:
        text: the number.
        in_expression: whether it stands in an expression, where ngspice knows no ``mil``.

    Raises:
        NetlistError: if it is no number, or an ambiguous one.
    """
    match = _SIGNED.fullmatch(text)
    if match is None:
        raise NetlistError(_why_not(text))
    value = scaled(
        match["mantissa"], match["exponent"], match["letters"], in_expression=in_expression
    )
    return -value if match["sign"] == "-" else value


def scaled(mantissa: str, exponent: str | None, letters: str, *, in_expression: bool) -> float:
    """Value of the parts of a number.

    The scale factor goes into the exponent, so that ``1n`` is the double nearest to 1e-9.
    """
    if letters:
        _check_letters(letters, in_expression)
    exponent = exponent or "0"
    if len(exponent) > _LONGEST_EXPONENT:
        raise NetlistError(f"the exponent `{exponent[:20]}` has too many digits; leave out zeros")
    if letters.startswith("mil"):
        value = float(f"{mantissa}e{exponent}") * _MIL
    elif not letters:
        value = float(f"{mantissa}e{exponent}")
    else:
        factor = "meg" if letters.startswith("meg") else letters[:1]
        value = float(f"{mantissa}e{int(exponent) + _EXPONENTS.get(factor, 0)}")
    if not math.isfinite(value):
        raise NetlistError(f"{mantissa}e{exponent} exceeds the range of a double")
    return value


def _check_letters(letters: str, in_expression: bool) -> None:
    first = letters[:1]
    if first == "a":
        raise NetlistError(
            f"the suffix `{letters}` is ambiguous: ngspice ignores it up to version 39 and "
            "reads it as 1e-18 later; write 1e-18, or no unit"
        )
    if letters == "x":
        raise NetlistError("the suffix `x` is nothing in ngspice and 1e6 elsewhere; write `meg`")
    if first in ("d", "e") and letters not in _UNITS_WITH_E_OR_D:
        raise NetlistError(
            f"`{letters}` after the digits may be meant as an exponent; write e and its digits"
        )
    if letters.startswith("mil") and letters not in ("mil", "mils"):
        raise NetlistError(f"ngspice reads `{letters}` as `mil`, 25.4e-6; write `m` for 1e-3")
    if in_expression and letters.startswith("mil"):
        raise NetlistError(
            "`mil` in an expression is 1e-3 for ngspice and 25.4e-6 outside; write 25.4e-6"
        )


def _why_not(text: str) -> str:
    if re.match(NUMBER + r"\d", text.lstrip("+-")):
        return (
            f"`{text}` has digits after its suffix, which ngspice drops or not, depending on the "
            "version; write a decimal point (4.7k for 4k7)"
        )
    return f"`{text}` is not a number; write digits, an optional exponent and one suffix"
