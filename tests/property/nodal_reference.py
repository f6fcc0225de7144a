"""Operating points in fifty digits, by code that shares nothing with the simulator.

Every element is written out in decimal arithmetic; Newton's method starts at the voltages that the
simulator found, so that what it ends at is the true solution next to them.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    IdealDiode,
    Resistor,
    Resistors,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

Row = dict[Any, Decimal]
DIGITS = 50
BOLTZMANN = Decimal("1.380649e-23")
CHARGE = Decimal("1.602176634e-19")
STEPS = 80


class NoSolutionError(AssertionError):
    """There is no solution next to the given voltages."""


class Polynomial:
    """``sum_k c_k v^k`` for floats, arrays and decimals alike."""

    def __init__(self, *coefficients: float) -> None:
        self.coefficients = coefficients

    def __call__(self, v: Any) -> Any:
        number = Decimal if isinstance(v, Decimal) else float
        total = v * 0
        for c in reversed(self.coefficients):
            total = total * v + number(c)
        return total

    def slope(self) -> Polynomial:
        return Polynomial(*[k * c for k, c in enumerate(self.coefficients)][1:])


def curve(name: str, plus: str, minus: str, *coefficients: float) -> Curve:
    """A curve with a polynomial law, which the reference can evaluate."""
    law = Polynomial(*coefficients)
    return Curve(name, plus, minus, law, law.slope())


def shockley(diode: Diode, circuit: Circuit, v: Decimal) -> tuple[Decimal, Decimal]:
    """Current and slope of a junction, without gmin."""
    model = diode.model
    kelvin, nominal = Decimal(circuit.kelvin), Decimal(model.nominal_kelvin)
    n = Decimal(model.ideality)
    thermal = n * BOLTZMANN / CHARGE * kelvin
    ratio = kelvin / nominal
    scale = Decimal(diode.area) * Decimal(model.saturation_amps)
    if ratio != 1:
        scale *= ratio ** (Decimal(model.temperature_exponent) / n)
        scale *= ((ratio - 1) * Decimal(model.gap_electronvolts) / thermal).exp()
    x = v / thermal
    if model.reverse_cubic and x < -3:
        cube = (3 / (Decimal(1).exp() * x)) ** 3
        return -scale * (1 + cube), 3 * scale * cube / v
    growth = x.exp()
    return scale * (growth - 1), scale * growth / thermal


class Reference:
    """Newton's method in fifty digits.

    Args:
        circuit: of any elements; curves must accept decimals.
        levels: of sources that are not at their nominal ones.
    """

    def __init__(self, circuit: Circuit, levels: Mapping[str, float] | None = None) -> None:
        self.circuit = circuit
        self.levels = dict(levels or {})
        self.elements: list[Any] = []
        for element in circuit.elements:
            self.elements += element.singly() if isinstance(element, Resistors) else [element]

    def solve(self, start: Mapping[str, float], on: set[str] | None = None) -> dict[str, Decimal]:
        """The solution next to ``start``, volts by node, inner nodes ``d#inner`` included.

        Args:
            start: volts by node.
            on: names of the ideal diodes that conduct; found from the voltages if not given.

        Raises:
            NoSolutionError: none, or ideal diodes not as assumed.
        """
        with decimal.localcontext() as context:
            context.prec = DIGITS
            context.Emin, context.Emax = -(10**9), 10**9
            if on is None:
                ideal = [e for e in self.elements if isinstance(e, IdealDiode)]
                on = {e.name for e in ideal if _drop(start, e.anode, e.cathode) > e.volts - 1e-6}
            state = {("v", node): Decimal(float(v)) for node, v in start.items() if node != GROUND}
            for _ in range(60):
                self._iterate(state, on)
                wrong = self._wrong_ideal(state, on)
                if not wrong:
                    break
                on ^= {wrong[0]}
            else:
                raise NoSolutionError(f"no states of the ideal diodes fit; last were {sorted(on)}")
            return {key[1]: v for key, v in state.items() if key[0] == "v"}

    def _iterate(self, state: dict[Any, Decimal], on: set[str]) -> None:
        size = Decimal(0)
        for _ in range(STEPS):
            rows, right = self._equations(state, on)
            step = eliminate(rows, right)
            size = max((abs(v) for k, v in step.items() if k[0] == "v"), default=Decimal(0))
            for key, v in step.items():
                state[key] = state.get(key, Decimal(0)) + v
            scale = max((abs(v) for k, v in state.items() if k[0] == "v"), default=Decimal(0))
            if size <= Decimal("1e-25") * (scale + Decimal("1e-3")):
                return
            if scale > Decimal("1e40"):
                break
        raise NoSolutionError(
            f"no solution next to the given voltages; the last step is {size:.3g}"
        )

    def _wrong_ideal(self, state: dict[Any, Decimal], on: set[str]) -> list[str]:
        """Ideal diodes above their voltage, or with a current backwards."""
        slack = Decimal("1e-25")
        found = []
        for e in self.elements:
            if isinstance(e, IdealDiode):
                above = self._drop(state, e.anode, e.cathode) - Decimal(e.volts)
                if above > slack or state.get(("i", e.name), Decimal(0)) < -slack:
                    found.append(e.name)
        return found

    @staticmethod
    def _drop(state: Mapping[Any, Decimal], plus: str, minus: str) -> Decimal:
        zero = Decimal(0)
        return state.get(("v", plus), zero) - state.get(("v", minus), zero)

    def _equations(self, state: dict[Any, Decimal], on: set[str]) -> tuple[Any, Any]:
        """Rows of the Jacobian, and minus what is left over."""
        rows: dict[Any, Row] = {}
        left: dict[Any, Decimal] = {}

        def term(row: Any, value: Decimal, slopes: list[tuple[Any, Decimal]]) -> None:
            if row[1] == GROUND:
                return
            into = rows.setdefault(row, {})
            left[row] = left.get(row, Decimal(0)) + value
            for key, slope in slopes:
                if key[1] != GROUND:
                    into[key] = into.get(key, Decimal(0)) + slope

        def flow(plus: str, minus: str, value: Decimal, slopes: list[tuple[Any, Decimal]]) -> None:
            term(("v", plus), value, slopes)
            term(("v", minus), -value, [(k, -s) for k, s in slopes])

        for e in self.elements:
            _stamp(self, e, state, on, term, flow)
        return rows, {key: -v for key, v in left.items()}


def _drop(volts: Mapping[str, float], plus: str, minus: str) -> float:
    return float(volts.get(plus, 0.0)) - float(volts.get(minus, 0.0))


def _stamp(ref: Reference, e: Any, state: Any, on: set[str], term: Any, flow: Any) -> None:
    one = Decimal(1)

    def across(plus: str, minus: str, gain: Decimal = one) -> tuple[Decimal, list[Any]]:
        return gain * ref._drop(state, plus, minus), [(("v", plus), gain), (("v", minus), -gain)]

    def current(name: str, gain: Decimal = one) -> tuple[Decimal, list[Any]]:
        return gain * state.get(("i", name), Decimal(0)), [(("i", name), gain)]

    def enforce(name: str, plus: str, minus: str) -> None:
        flow(plus, minus, *current(name))
        term(("i", name), *across(plus, minus))

    match e:
        case Resistor():
            flow(e.plus, e.minus, *across(e.plus, e.minus, Decimal(float(e.siemens))))
        case CurrentSource():
            flow(e.plus, e.minus, Decimal(float(ref.levels.get(e.name, e.amps))), [])
        case VoltageSource():
            enforce(e.name, e.plus, e.minus)
            term(("i", e.name), -Decimal(float(ref.levels.get(e.name, e.volts))), [])
        case VoltageControlledVoltage():
            enforce(e.name, e.plus, e.minus)
            term(("i", e.name), *across(e.control_plus, e.control_minus, -Decimal(e.gain)))
        case CurrentControlledVoltage():
            enforce(e.name, e.plus, e.minus)
            term(("i", e.name), *current(e.source, -Decimal(e.ohms)))
        case VoltageControlledCurrent():
            flow(e.plus, e.minus, *across(e.control_plus, e.control_minus, Decimal(e.siemens)))
        case CurrentControlledCurrent():
            flow(e.plus, e.minus, *current(e.source, Decimal(e.gain)))
        case Amplifier():
            enforce(e.name, e.output, GROUND)
            term(("i", e.name), *across(e.input, GROUND, -Decimal(e.forward_gain)))
            term(("v", e.input), *current(e.name, -Decimal(e.backward_gain)))
        case Diode():
            _stamp_diode(ref, e, state, across, flow)
        case Curve():
            v = ref._drop(state, e.plus, e.minus)
            law: Any = e  # its functions are polynomials, which take decimals as well
            slope, amps = law.siemens(v), law.amps(v)
            flow(e.plus, e.minus, amps, [(("v", e.plus), slope), (("v", e.minus), -slope)])
        case IdealDiode():
            flow(e.anode, e.cathode, *current(e.name))
            if e.name in on:
                term(("i", e.name), *across(e.anode, e.cathode))
                term(("i", e.name), -Decimal(e.volts), [])
            else:
                term(("i", e.name), *current(e.name))


def _stamp_diode(ref: Reference, e: Diode, state: Any, across: Any, flow: Any) -> None:
    anode = e.anode
    if e.model.series_ohms > 0.0:
        anode = f"{e.name}#inner"
        siemens = Decimal(e.area) / Decimal(e.model.series_ohms)
        flow(e.anode, anode, *across(e.anode, anode, siemens))
    v = ref._drop(state, anode, e.cathode)
    amps, slope = shockley(e, ref.circuit, v)
    gmin = Decimal(ref.circuit.gmin_siemens)
    slope += gmin
    flow(anode, e.cathode, amps + gmin * v, [(("v", anode), slope), (("v", e.cathode), -slope)])


def eliminate(rows: dict[Any, Row], right: dict[Any, Decimal]) -> dict[Any, Decimal]:
    """Gaussian elimination, the shortest row first."""
    rows = {k: {c: v for c, v in row.items() if v != 0} for k, row in rows.items()}
    right = dict(right)
    holders: dict[Any, set[Any]] = {}
    for k, row in rows.items():
        for c in row:
            holders.setdefault(c, set()).add(k)
    done: list[tuple[Any, Row, Decimal]] = []
    while rows:
        k = min(rows, key=lambda key: len(rows[key]))
        row, value = {c: v for c, v in rows.pop(k).items() if v != 0}, right.pop(k)
        for held in holders.values():
            held.discard(k)
        if not row:
            # Of several currents around a loop of ideal diodes any will do.
            if abs(value) > Decimal("1e-30"):
                raise NoSolutionError(f"the equations are singular at {k}")
            continue
        pivot = max(row, key=lambda c: abs(row[c]))
        for other in list(holders.pop(pivot)):
            target = rows[other]
            factor = target.pop(pivot) / row[pivot]
            right[other] -= factor * value
            for c, v in row.items():
                if c != pivot:
                    target[c] = target.get(c, Decimal(0)) - factor * v
                    holders[c].add(other)
        done.append((pivot, row, value))
    found: dict[Any, Decimal] = {}
    for pivot, row, value in reversed(done):
        for c, v in row.items():
            if c != pivot:
                value -= v * found.get(c, Decimal(0))
        found[pivot] = value / row[pivot]
    return found


def true_error(
    circuit: Circuit,
    nodes: tuple[str, ...],
    volts: NDArray[np.float64],
    levels: Mapping[str, float] | None = None,
) -> float:
    """Largest distance of node voltages, (n_nodes,), from the true solution next to them."""
    start = dict(zip(nodes, map(float, volts), strict=True))
    exact = Reference(circuit, levels).solve(start)
    return max((abs(float(exact[n] - Decimal(v))) for n, v in start.items()), default=0.0)
