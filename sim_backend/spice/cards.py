"""Elements: from the words of a line to the element of a circuit.

The forms are those of the ngspice manual's chapters on elements.  At an operating point a
capacitor is open and gives no element, an inductor is a 0 V source with its name, and coupling
between inductors does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sim_backend.nodal.elements import CurrentSource, Diode, Element, Resistor, VoltageSource
from sim_backend.spice.arguments import (
    Surroundings,
    apart,
    ends,
    multiplier,
    refuse_others,
    refuse_unless,
)
from sim_backend.spice.controlled import controlled_by_current, controlled_by_voltage
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.sources import dc_value
from sim_backend.spice.statements import Words

__all__ = ["make_element"]


def make_element(words: Words, around: Surroundings) -> Element | None:
    """The element of a line; None for those that are not there at an operating point.

    Raises:
        NetlistError: on what is not supported, wrong, or without a well-defined meaning.
    """
    letter = words.row[0][0] if words.row else ""
    if letter not in _MAKERS:
        what = _UNSUPPORTED.get(letter, "such elements")
        raise NetlistError(f"{what} are not supported; replace it by R, V, I, D, E, F, G or H")
    if len(words.row) < 3 or len(words.every) < 4:
        raise NetlistError("too few words; an element has a name, nodes and a value")
    # On sources, keywords with and without equals signs may follow each other.
    row = words.row[:3] if letter in "vi" else [word for word in words.row if word != "off"]
    if words.named and [word for word in words.every if word != "off"][: len(row)] != row:
        raise NetlistError("a word after name=value; put those with names last")
    return _MAKERS[letter](words, around)


def _resistor(words: Words, around: Surroundings) -> Element:
    name, plus, minus = ends(words, around)
    values, count = words.row[3:], 1.0
    if words.named:
        named = dict(words.named)
        values += [named.pop(key) for key in ("r", "resistance") if key in named]
        refuse_unless(named, around, {"tc": 0.0, "tc1": 0.0, "tc2": 0.0, "tce": 0.0, "scale": 1.0})
        count = multiplier(named, around)
        refuse_others(named, "temp dtemp ac noisy noise w l bv_max".split())
    if len(values) != 1:
        raise NetlistError("a resistor has one value: Rname node node ohms")
    if around.has_model(values[0]):
        raise NetlistError("resistor models are not supported; write the resistance in ohms")
    ohms = around.number(values[0])
    if not ohms > 0.0:
        raise NetlistError(
            "a resistance must be above 0 ohm (ngspice makes 0 a milliohm); join the nodes, or "
            "use a 0 V source; for a negative conductance use a G element"
        )
    siemens = count / ohms
    if not math.isfinite(siemens):
        raise NetlistError("the conductance exceeds the range of a double; use a 0 V source")
    return Resistor(name, plus, minus, siemens)


def _voltage_source(words: Words, around: Surroundings) -> Element:
    name, plus, minus = apart(words, around)
    return VoltageSource(name, plus, minus, dc_value(words.every[3:], around.number))


def _current_source(words: Words, around: Surroundings) -> Element:
    name, plus, minus = ends(words, around)
    row, named = words.every[3:], dict(words.named)
    if "m" in named:
        at = row.index("m")
        del row[at : at + 2]
    amps = multiplier(named, around) * dc_value(row, around.number)
    return CurrentSource(name, plus, minus, amps)


def _inductor(words: Words, around: Surroundings) -> Element:
    name, plus, minus = apart(words, around)
    return VoltageSource(name, plus, minus, 0.0)


def _nothing(words: Words, around: Surroundings) -> None:
    around.element(words.row[0])


def _diode(words: Words, around: Surroundings) -> Element:
    name, anode, cathode = ends(words, around)
    row = [word for word in words.row[3:] if word != "off"]
    if not row:
        raise NetlistError("a diode needs a model: Dname anode cathode model")
    model = around.model(row[0])
    named = dict(words.named)
    areas = row[1:] + [named.pop(key) for key in ("area",) if key in named]
    if len(areas) > 1:
        raise NetlistError(f"`{areas[0]}` and more after the model; a diode has one area")
    refuse_unless(named, around, {"dtemp": 0.0})
    if "temp" in named:
        raise NetlistError("a diode's own `temp` is not supported; set the netlist's with .temp")
    count = multiplier(named, around)
    refuse_others(named, ["ic", "pj"])
    area = (around.number(areas[0]) if areas else model.area) * count
    if not area > 0.0:
        raise NetlistError("the area of a diode must be above 0; delete the diode, or correct it")
    return Diode(name, anode, cathode, model.diode, area)


_MAKERS: Mapping[str, Callable[[Words, Surroundings], Element | None]] = {
    "r": _resistor, "v": _voltage_source, "i": _current_source, "d": _diode,
    "e": controlled_by_voltage, "f": controlled_by_current, "g": controlled_by_voltage,
    "h": controlled_by_current,
    "l": _inductor, "c": _nothing, "k": _nothing,
}  # fmt: skip

_UNSUPPORTED = {
    "a": "XSPICE elements", "b": "behavioural sources", "j": "JFETs", "m": "MOSFETs",
    "n": "Verilog-A elements", "o": "lossy lines", "p": "coupled lines", "q": "bipolar transistors",
    "s": "switches", "t": "transmission lines", "u": "RC lines", "w": "switches",
    "y": "transmission lines", "z": "MESFETs",
}  # fmt: skip
