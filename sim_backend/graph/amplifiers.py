"""Bidirectional amplifiers, recognised in netlists.

SPICE has no element for them; thesis 4.4.2 builds one from a voltage-controlled voltage source,
which passes the voltage on, and a current-controlled current source, which passes the current
back.  In a netlist a source of 0 V measures that current, on either side of the first one::

    e1 s 0 in 0 4        or      e1 out s in 0 4
    v1 s out 0                   v1 s 0 0
    f1 in 0 v1 0.25              f1 0 in v1 0.25

Only as :class:`~sim_backend.nodal.elements.Amplifier` do they have a pseudo-power.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Element,
    Resistors,
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.parts import ends

__all__ = ["recognise"]


def recognise(circuit: Circuit) -> Circuit:
    """The circuit with an amplifier, called after its first source, in place of each such trio."""
    elements: list[Element] = list(circuit.elements)
    uses = Counter(node for element in elements for node in _touched(element))
    sensing = Counter(
        e.source
        for e in elements
        if isinstance(e, CurrentControlledCurrent | CurrentControlledVoltage)
    )
    sources = {e.name: e for e in elements if isinstance(e, VoltageSource)}
    feeds = [e for e in elements if isinstance(e, CurrentControlledCurrent)]
    gone: set[str] = set()
    found: dict[str, Amplifier] = {}
    forward = [e for e in elements if isinstance(e, VoltageControlledVoltage)]
    for back in feeds:
        sense = sources[back.source]
        if sense.volts != 0.0 or sensing[sense.name] != 1:
            continue
        for gain in forward:
            if gain.name in found:
                continue
            amplifier = _amplifier(gain, sense, back, uses)
            if amplifier is not None:
                found[gain.name] = amplifier
                gone |= {sense.name, back.name}
                break
    kept = [found.get(e.name, e) for e in elements if e.name not in gone]
    return dataclasses.replace(circuit, elements=tuple(kept))


def _amplifier(
    gain: VoltageControlledVoltage,
    sense: VoltageSource,
    back: CurrentControlledCurrent,
    uses: Counter[str],
) -> Amplifier | None:
    """What the three are together, if they are one."""
    if gain.gain == 0.0 or back.gain == 0.0:
        return None
    if gain.control_minus != GROUND or {back.plus, back.minus} != {gain.control_plus, GROUND}:
        return None
    measured = {sense.plus, sense.minus}
    if gain.minus == GROUND and gain.plus in measured:
        inner = gain.plus
        output = (measured - {inner}).pop()
        # Through the sense source flows what the circuit takes out of the output.
        sign = 1.0 if sense.plus == inner else -1.0
    elif measured == {gain.minus, GROUND}:
        inner, output = gain.minus, gain.plus
        sign = -1.0 if sense.plus == inner else 1.0
    else:
        return None
    if uses[inner] != 2 or output == GROUND:
        return None
    if back.minus != GROUND:
        sign = -sign
    return Amplifier(gain.name, gain.control_plus, output, gain.gain, sign * back.gain)


def _touched(element: Element) -> Sequence[str]:
    """Nodes an element's ends and controls are at, each end counted."""
    if isinstance(element, Resistors):
        return element.nodes
    return _ends_and_controls(element)


def _ends_and_controls(element: SingleElement) -> tuple[str, ...]:
    if isinstance(element, VoltageControlledVoltage | VoltageControlledCurrent):
        return (*ends(element), element.control_plus, element.control_minus)
    if isinstance(element, Amplifier):
        return (element.input, element.output)
    return ends(element)
