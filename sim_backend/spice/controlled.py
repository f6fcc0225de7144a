"""Controlled sources E, F, G and H in their linear forms (ngspice manual, their sections)."""

from __future__ import annotations

from sim_backend.nodal.elements import (
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Element,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
)
from sim_backend.spice.arguments import Surroundings, apart, ends, multiplier, refuse_others
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.statements import Words

__all__ = ["controlled_by_current", "controlled_by_voltage"]


def controlled_by_voltage(words: Words, around: Surroundings) -> Element:
    """An E or a G element."""
    letter = words.row[0][0]
    _linear_only(words, 5, "Ename node node control control gain")
    name, plus, minus = (apart if letter == "e" else ends)(words, around)
    control_plus, control_minus = (around.node(word) for word in words.row[3:5])
    gain = _gain(words, 5, around, multiplied=letter == "g")
    if letter == "e":
        return VoltageControlledVoltage(name, plus, minus, control_plus, control_minus, gain)
    return VoltageControlledCurrent(name, plus, minus, control_plus, control_minus, gain)


def controlled_by_current(words: Words, around: Surroundings) -> Element:
    """An F or an H element; its source stands in the same instance."""
    letter = words.row[0][0]
    _linear_only(words, 4, "Fname node node Vname gain")
    name, plus, minus = (apart if letter == "h" else ends)(words, around)
    source = around.element(words.row[3])
    gain = _gain(words, 4, around, multiplied=letter == "f")
    if letter == "h":
        return CurrentControlledVoltage(name, plus, minus, source, gain)
    return CurrentControlledCurrent(name, plus, minus, source, gain)


def _linear_only(words: Words, count: int, form: str) -> None:
    for word in [*words.row[3:], *words.named]:
        if word in ("poly", "value", "vol", "cur", "table", "laplace"):
            raise NetlistError(f"`{word}` is not supported, only the linear form: {form}")
    if not count <= len(words.row) <= count + 1:
        raise NetlistError(f"a wrong number of words; the linear form is {form}")


def _gain(words: Words, place: int, around: Surroundings, *, multiplied: bool) -> float:
    named = dict(words.named)
    values = words.row[place:]
    if "gain" in named:
        values.append(named.pop("gain"))
    if len(values) != 1:
        raise NetlistError("a controlled source has one gain, as the last word")
    count = multiplier(named, around) if multiplied else 1.0
    refuse_others(named, [])
    return count * around.number(values[0])
