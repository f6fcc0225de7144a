"""Circuits, written as netlists that ngspice reads.

Numbers keep all digits of a double.  What SPICE has no element for is written as several; an
ideal diode only approximately, as a very steep one.  Comments in the netlist say so.
"""

from __future__ import annotations

import dataclasses

from sim_backend.nodal.elements import Circuit, DiodeModel
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.groups import spread
from sim_backend.spice.options import ZERO_CELSIUS_KELVIN, Conditions
from sim_backend.spice.parts import (
    IDEAL_SATURATION_AMPS,
    IDEAL_THERMAL_VOLTS,
    Parts,
)
from sim_backend.spice.terms import number

__all__ = ["write_netlist"]

_VOLTS_PER_KELVIN = 1.380649e-23 / 1.602176634e-19

_TOLERANCES = "reltol=1e-6 vntol=1e-9 abstol=1e-12 itl1=1000"
"""Tighter than ngspice's own 0.1 %, and not so tight that rounding errors stop it."""


def write_netlist(circuit: Circuit) -> str:
    """A netlist with the operating point of a circuit.

    Names stay, but for characters that mean something else to ngspice and for names that
    differ in case only; comments list those that changed.

    Args:
        circuit: of any elements but curves; groups of resistors are written one by one.

    Raises:
        NetlistError: if an element has no equivalent, or a number is not finite.
    """
    if not circuit.kelvin > 0.0 or not circuit.gmin_siemens >= 0.0:
        raise NetlistError("a temperature not above 0 K, or a negative gmin; correct the circuit")
    circuit = dataclasses.replace(circuit, elements=spread(circuit.elements))
    parts = Parts(circuit)
    for element in circuit.elements:
        try:
            parts.add(element)
        except NetlistError as error:
            raise NetlistError(f"element `{element.name}`: {error.message}") from None
    # A backslash at the end of a line would join it with the next.
    title = "".join(c if " " <= c <= "~" and c != "\\" else " " for c in circuit.title)
    lines = [
        f"* {title}".rstrip(),
        *(f"* {remark}" for remark in _remarks(parts)),
        *parts.statements,
        *(_model(name, model) for model, name in parts.models.items()),
        *([_ideal_model(parts.ideal_model, circuit.kelvin)] if parts.ideal_model else []),
        _options(circuit, parts),
        ".op",
        ".end",
    ]
    return "\n".join(lines) + "\n"


def _remarks(parts: Parts) -> list[str]:
    remarks = parts.renamed()
    if parts.ideal_model is not None:
        remarks += [
            f"Ideal diodes are approximated by steep ones, {parts.ideal_model}: at a current I",
            f"they drop {IDEAL_THERMAL_VOLTS:g} V ln(1 + I / {IDEAL_SATURATION_AMPS:g} A), and in "
            f"reverse they leak {IDEAL_SATURATION_AMPS:g} A and gmin.",
        ]
    if any(not model.reverse_cubic for model in parts.models):
        remarks += [
            "Below -3 N kT/q ngspice replaces Shockley's exponential by a cubic, which differs by",
            "at most 0.5 % of IS.",
        ]
    return remarks


def _options(circuit: Circuit, parts: Parts) -> str:
    options = [f"temp={number(_celsius(circuit.kelvin))}", f"gmin={number(circuit.gmin_siemens)}"]
    least_amps = min((model.saturation_amps for model in parts.models), default=1.0)
    if least_amps < Conditions().least_saturation_amps:
        options.append(f"epsmin={number(least_amps)}")
    return f".options {' '.join(options)} {_TOLERANCES}"


def _model(name: str, model: DiodeModel) -> str:
    values = {
        "is": model.saturation_amps,
        "n": model.ideality,
        "rs": model.series_ohms,
        "eg": model.gap_electronvolts,
        "xti": model.temperature_exponent,
        "tnom": _celsius(model.nominal_kelvin),
    }
    return f".model {name} d({' '.join(f'{key}={number(v)}' for key, v in values.items())})"


def _ideal_model(name: str, kelvin: float) -> str:
    """Of the steep diode; its nominal temperature is that of the circuit, so IS does not scale."""
    ideality = IDEAL_THERMAL_VOLTS / (_VOLTS_PER_KELVIN * kelvin)
    return _model(
        name,
        DiodeModel(saturation_amps=IDEAL_SATURATION_AMPS, ideality=ideality, nominal_kelvin=kelvin),
    )


def _celsius(kelvin: float) -> float:
    """A short number of degrees that gives the same temperature back, if there is one."""
    exact = kelvin - ZERO_CELSIUS_KELVIN
    rounded = round(exact, 9)
    return rounded if rounded + ZERO_CELSIUS_KELVIN == kelvin else exact
