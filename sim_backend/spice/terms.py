"""Numbers, nodes and letters of elements, as netlists have them."""

from __future__ import annotations

import math

from sim_backend.nodal.elements import (
    Amplifier,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    DiodeModel,
    Element,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.errors import NetlistError

__all__ = ["check_model", "letter_of", "nodes_of", "number", "reciprocal"]


def number(value: float) -> str:
    """A number in 17 significant digits, or fewer where they give the same double.

    Raises:
        NetlistError: if it is not finite.
    """
    if not math.isfinite(value):
        raise NetlistError(f"{value} is no number for a netlist; correct the circuit")
    return repr(float(value))


def nodes_of(element: Element) -> tuple[str, ...]:
    """Nodes of any element; its fields that name nodes have these names."""
    fields = ["plus", "minus", "anode", "cathode", "control_plus", "control_minus"]
    fields += ["input", "output"]
    return tuple(getattr(element, field) for field in fields if hasattr(element, field))


def letter_of(element: Element) -> str:
    """The first letter of the name of the (first) statement of an element."""
    match element:
        case Resistor(siemens=siemens):
            writable = siemens == 0.0 or (siemens > 0.0 and math.isfinite(1.0 / siemens))
            return "r" if writable and math.isfinite(siemens) else "g"
        case VoltageSource():
            return "v"
        case CurrentSource():
            return "i"
        case VoltageControlledVoltage() | Amplifier():
            return "e"
        case CurrentControlledCurrent():
            return "f"
        case VoltageControlledCurrent():
            return "g"
        case CurrentControlledVoltage():
            return "h"
        case _:
            return "d"


def reciprocal(siemens: float) -> float:
    """The shortest resistance whose reciprocal is the conductance exactly, if there is one."""
    ohms = 1.0 / siemens
    near = (ohms, math.nextafter(ohms, 0.0), math.nextafter(ohms, math.inf))
    exact = [candidate for candidate in near if candidate > 0.0 and 1.0 / candidate == siemens]
    return min(exact, key=lambda candidate: len(repr(candidate)), default=ohms)


def check_model(model: DiodeModel) -> None:
    """See that ngspice takes a model as it is.

    Raises:
        NetlistError: if it does not.
    """
    if not (model.saturation_amps > 0.0 and model.ideality > 0.0 and model.nominal_kelvin > 0.0):
        raise NetlistError("a diode model needs Is, N and Tnom above 0; correct it")
    if model.series_ohms < 0.0:
        raise NetlistError("a diode model with a negative series resistance; correct it")
