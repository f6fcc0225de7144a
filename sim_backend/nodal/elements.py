"""What a circuit is made of.

Elements name their nodes; :data:`GROUND` is the reference.  A current counts as positive that
flows through the element from its first node to its second one, as in SPICE: a current source
of 1 A between ``a`` and ``b`` takes 1 A out of node ``a`` and delivers it into ``b``, and the
current of a voltage source that feeds a load is negative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GROUND",
    "Amplifier",
    "Circuit",
    "CurrentControlledCurrent",
    "CurrentControlledVoltage",
    "CurrentSource",
    "Curve",
    "Diode",
    "DiodeModel",
    "Element",
    "IdealDiode",
    "Resistor",
    "Resistors",
    "SingleElement",
    "VoltageControlledCurrent",
    "VoltageControlledVoltage",
    "VoltageSource",
]

GROUND = "0"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resistor:
    """A resistor, given by its conductance; 0 S is an open circuit."""

    name: str
    plus: str
    minus: str
    siemens: float


@dataclass(frozen=True, slots=True, eq=False)
class Resistors:
    """Many resistors as arrays, such as the devices of an array.

    Attributes:
        name: of the group; the k-th one is called ``name[k]``.
        nodes: names that ``plus`` and ``minus`` count in.
        plus: (n,) places in ``nodes``.
        minus: (n,) likewise.
        siemens: (n,) conductances.
    """

    name: str
    nodes: tuple[str, ...]
    plus: NDArray[np.intp]
    minus: NDArray[np.intp]
    siemens: Floats

    def singly(self) -> list[Resistor]:
        """The resistors one by one."""
        rows = zip(self.plus, self.minus, self.siemens, strict=True)
        return [
            Resistor(f"{self.name}[{k}]", self.nodes[p], self.nodes[m], float(g))
            for k, (p, m, g) in enumerate(rows)
        ]

    @classmethod
    def crossbar(
        cls, name: str, rows: Sequence[str], columns: Sequence[str], siemens: Floats
    ) -> Resistors:
        """A resistor between every row and every column, (n_rows, n_columns), row by row."""
        n, m = len(rows), len(columns)
        if np.shape(siemens) != (n, m):
            raise ValueError(f"{name}: {n} rows and {m} columns, but siemens is {siemens.shape}")
        plus = np.repeat(np.arange(n), m)
        minus = n + np.tile(np.arange(m), n)
        flat = np.asarray(siemens, float).ravel()
        return cls(name, (*rows, *columns), plus, minus, flat)


@dataclass(frozen=True, slots=True)
class VoltageSource:
    """``V(plus) - V(minus) = volts``."""

    name: str
    plus: str
    minus: str
    volts: float


@dataclass(frozen=True, slots=True)
class CurrentSource:
    """``amps`` out of ``plus`` and into ``minus``."""

    name: str
    plus: str
    minus: str
    amps: float


@dataclass(frozen=True, slots=True)
class DiodeModel:
    """Shockley diode with SPICE's law of temperature.

    At the temperature T of the circuit the saturation current is
    ``Is (T/Tnom)^(XTI/N) exp((T/Tnom - 1) EG / (N kT/q))`` (ngspice manual, diode model).

    Attributes:
        saturation_amps: Is at the nominal temperature.
        ideality: emission coefficient N.
        series_ohms: Rs; 0 for none.
        gap_electronvolts: EG.
        temperature_exponent: XTI.
        nominal_kelvin: Tnom.
        reverse_cubic: below -3 N kT/q replace the exponential by SPICE's cubic,
            ``-Is (1 + (3 N kT/q / (e V))^3)``, which differs from Shockley's law by at most
            0.5 % of Is.
    """

    saturation_amps: float = 1e-14
    ideality: float = 1.0
    series_ohms: float = 0.0
    gap_electronvolts: float = 1.11
    temperature_exponent: float = 3.0
    nominal_kelvin: float = 300.15
    reverse_cubic: bool = False


@dataclass(frozen=True, slots=True)
class Diode:
    """A diode; ``area`` multiplies the saturation current and divides the series resistance."""

    name: str
    anode: str
    cathode: str
    model: DiodeModel
    area: float = 1.0


@dataclass(frozen=True, slots=True)
class IdealDiode:
    """Open below ``volts`` from anode to cathode, and never above it: a series source."""

    name: str
    anode: str
    cathode: str
    volts: float = 0.0


@dataclass(frozen=True, slots=True)
class VoltageControlledVoltage:
    """SPICE's E: ``V(plus, minus) = gain V(control_plus, control_minus)``."""

    name: str
    plus: str
    minus: str
    control_plus: str
    control_minus: str
    gain: float


@dataclass(frozen=True, slots=True)
class CurrentControlledCurrent:
    """SPICE's F: ``gain`` times the current through a named voltage source."""

    name: str
    plus: str
    minus: str
    source: str
    gain: float


@dataclass(frozen=True, slots=True)
class VoltageControlledCurrent:
    """SPICE's G: ``siemens V(control_plus, control_minus)`` from plus to minus."""

    name: str
    plus: str
    minus: str
    control_plus: str
    control_minus: str
    siemens: float


@dataclass(frozen=True, slots=True)
class CurrentControlledVoltage:
    """SPICE's H: ``V(plus, minus)`` is ``ohms`` times the current through a named source."""

    name: str
    plus: str
    minus: str
    source: str
    ohms: float


@dataclass(frozen=True, slots=True)
class Amplifier:
    """Bidirectional amplifier between two nodes, both against ground (thesis 4.4.2).

    Voltages go forward, ``V(output) = forward_gain V(input)``; currents go back: what the
    circuit takes out of ``output``, times ``backward_gain``, is taken out of ``input``.
    """

    name: str
    input: str
    output: str
    forward_gain: float
    backward_gain: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Any two-terminal element given by its current-voltage curve (thesis 4.2.2).

    Attributes:
        amps: current at drops ``V(plus) - V(minus)``, elementwise on arrays of any shape.
        siemens: its derivative.
    """

    name: str
    plus: str
    minus: str
    amps: Callable[[Floats], Floats]
    siemens: Callable[[Floats], Floats]


SingleElement: TypeAlias = (
    Resistor
    | VoltageSource
    | CurrentSource
    | Diode
    | IdealDiode
    | VoltageControlledVoltage
    | CurrentControlledCurrent
    | VoltageControlledCurrent
    | CurrentControlledVoltage
    | Amplifier
    | Curve
)

Element: TypeAlias = SingleElement | Resistors


@dataclass(frozen=True)
class Circuit:
    """Elements and the conditions they work in.

    Attributes:
        elements: in any order; names are unique.
        title: for people.
        kelvin: temperature of all elements.
        gmin_siemens: conductance across every diode junction.
    """

    elements: Sequence[Element]
    title: str = ""
    kelvin: float = 300.15
    gmin_siemens: float = 1e-12
