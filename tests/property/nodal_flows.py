"""Kirchhoff's current law written out element by element, for circuits that were solved.

Shares no code with the simulator beyond the elements themselves.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

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
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.solver import Solution, Solver

Array = NDArray[np.float64]
BOLTZMANN_OVER_CHARGE = 1.380649e-23 / 1.602176634e-19


def junction_amps(diode: Diode, circuit: Circuit, volts: Array) -> Array:
    """Current of a junction with gmin, by SPICE's formulas."""
    model, kelvin = diode.model, circuit.kelvin
    thermal = BOLTZMANN_OVER_CHARGE * kelvin * model.ideality
    ratio = kelvin / model.nominal_kelvin
    scale = (
        diode.area * model.saturation_amps * ratio ** (model.temperature_exponent / model.ideality)
    )
    scale *= np.exp((ratio - 1.0) * model.gap_electronvolts / thermal)
    amps = scale * np.expm1(volts / thermal)
    if model.reverse_cubic:
        below = np.minimum(volts / thermal, -3.0)
        cubic = -scale * (1.0 + (3.0 / (np.e * below)) ** 3)
        amps = np.where(volts < -3.0 * thermal, cubic, amps)
    return np.asarray(amps + circuit.gmin_siemens * volts)


@dataclass
class Settled:
    """A circuit, the levels it was solved at and what came out."""

    circuit: Circuit
    solver: Solver
    levels: Array
    solution: Solution

    @functools.cached_property
    def at(self) -> dict[str, int]:
        """Number of each node; ground is the last column of ``_grounded``."""
        return {node: k for k, node in enumerate((*self.solver.nodes, GROUND))}

    @functools.cached_property
    def _grounded(self) -> Array:
        volts = self.solution.node_volts
        return np.concatenate([volts, np.zeros((len(volts), 1))], axis=1).T.copy()

    @classmethod
    def of(cls, circuit: Circuit, levels: Array | None = None) -> Settled:
        solver = Solver(circuit)
        given = solver.equations.levels[None] if levels is None else levels
        return cls(circuit, solver, given, solver.solve(given))

    def volts(self, node: str) -> Array:
        """(batch,) of a node, ground and the inner nodes of diodes included."""
        return np.asarray(self._grounded[self.at[node]])

    def drop(self, plus: str, minus: str) -> Array:
        return self.volts(plus) - self.volts(minus)

    def level(self, name: str) -> Array:
        return self.levels[:, self.solver.sources.index(name)]

    def source_amps(self, name: str) -> Array:
        return self.solution.source_amps[:, self.solver.sources.index(name)]


def singles(circuit: Circuit) -> list[SingleElement]:
    found: list[SingleElement] = []
    for element in circuit.elements:
        found += element.singly() if isinstance(element, Resistors) else [element]
    return found


def known_flows(s: Settled, e: SingleElement) -> list[tuple[str, str, Array]]:
    """From where, to where and how much flows through an element whose law says it."""
    match e:
        case Resistor():
            return [(e.plus, e.minus, e.siemens * s.drop(e.plus, e.minus))]
        case CurrentSource():
            return [(e.plus, e.minus, s.level(e.name))]
        case VoltageSource():
            return [(e.plus, e.minus, s.source_amps(e.name))]
        case Curve():
            return [(e.plus, e.minus, e.amps(s.drop(e.plus, e.minus)))]
        case VoltageControlledCurrent():
            amps = e.siemens * s.drop(e.control_plus, e.control_minus)
            return [(e.plus, e.minus, amps)]
        case CurrentControlledCurrent():
            return [(e.plus, e.minus, e.gain * s.source_amps(e.source))]
        case Diode() if e.model.series_ohms > 0.0:
            inner = f"{e.name}#inner"
            through = s.drop(e.anode, inner) * e.area / e.model.series_ohms
            return [
                (e.anode, inner, through),
                (inner, e.cathode, junction_amps(e, s.circuit, s.drop(inner, e.cathode))),
            ]
        case Diode():
            return [(e.anode, e.cathode, junction_amps(e, s.circuit, s.drop(e.anode, e.cathode)))]
    return []


def free_flows(e: SingleElement) -> list[tuple[str, str, float]]:
    """From where, to where and by what factor the current flows that no law of its own gives."""
    match e:
        case VoltageControlledVoltage() | CurrentControlledVoltage():
            return [(e.plus, e.minus, 1.0)]
        case IdealDiode():
            return [(e.anode, e.cathode, 1.0)]
        case Amplifier():
            # What the circuit takes out of the output is minus what flows into it.
            return [(e.output, GROUND, 1.0), (e.input, GROUND, -e.backward_gain)]
    return []


def conductance(s: Settled, e: SingleElement) -> Array:
    """How much an error of 1 V between the ends changes the current, by differences."""
    step = 1e-7
    match e:
        case Resistor():
            return np.array([e.siemens])
        case VoltageControlledCurrent():
            return np.array([abs(e.siemens)])
        case Diode():
            inner = f"{e.name}#inner" if e.model.series_ohms > 0.0 else e.anode
            v = s.drop(inner, e.cathode)
            rise = junction_amps(e, s.circuit, v + step) - junction_amps(e, s.circuit, v)
            series = e.area / e.model.series_ohms if e.model.series_ohms > 0.0 else 0.0
            return np.abs(rise) / step + series
        case Curve():
            v = s.drop(e.plus, e.minus)
            return np.abs(e.amps(v + step) - e.amps(v)) / step
    return np.zeros(1)


@dataclass
class Balance:
    """Kirchhoff's current law at every node.

    Attributes:
        left: (batch, n_nodes) amps left over, the free currents chosen best.
        meeting: (batch, n_nodes) sums of absolute currents.
        slope: (batch, n_nodes) amps per volt of error.
        free: names of the elements with free currents.
        amps: (batch, n_free) those currents.
    """

    left: Array
    meeting: Array
    slope: Array
    free: tuple[str, ...]
    amps: Array


def kirchhoff(s: Settled) -> Balance:
    """Add up what flows, element by element; currents that no law gives are fitted."""
    index, n = s.at, len(s.solver.nodes)
    shape = (len(s.levels), n)
    left, meeting, slope = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    columns: dict[str, Array] = {}
    carries: dict[str, Array] = {}
    elements = singles(s.circuit)
    for e in elements:
        flows = known_flows(s, e)
        stiff = conductance(s, e) if flows else 0.0
        for plus, minus, amps in flows:
            size_ = np.abs(amps)
            for node, sign in ((plus, 1.0), (minus, -1.0)):
                if node != GROUND:
                    left[:, index[node]] += sign * amps
                    meeting[:, index[node]] += size_
                    slope[:, index[node]] += stiff
        for plus, minus, factor in free_flows(e):
            column = columns.setdefault(e.name, np.zeros(n))
            carries[e.name] = _may_carry(s, e)
            for node, sign in ((plus, factor), (minus, -factor)):
                if node != GROUND:
                    column[index[node]] += sign
    ideal = np.array([isinstance(e, IdealDiode) for e in elements if free_flows(e)], bool)
    amps = np.zeros((len(left), len(columns)))
    if columns:
        matrix = np.array(list(columns.values()))
        amps = _fit(left, matrix.T, np.array(list(carries.values())).T, ideal)
        left += amps @ matrix
        meeting += np.abs(amps) @ np.abs(matrix)
    return Balance(left, meeting, slope, tuple(columns), amps)


def _may_carry(s: Settled, e: SingleElement) -> Array:
    """(batch,) whether a current may flow; through an ideal diode only at its voltage."""
    if isinstance(e, IdealDiode):
        slack = 2.0 * s.solution.error_volts + 1e-12
        return np.asarray(s.drop(e.anode, e.cathode) > e.volts - slack)
    return np.ones(len(s.levels), bool)


def _fit(left: Array, matrix: Array, carries: Array, ideal: Array) -> Array:
    """Currents that leave as little as possible over; those of ideal diodes are not negative."""
    if not ideal.any():
        return np.asarray(-left @ np.linalg.pinv(matrix).T)
    found = np.zeros((len(left), matrix.shape[1]))
    for b, wanted in enumerate(-left):
        used = np.flatnonzero(carries[b])
        if not used.size:
            continue
        part, *_ = np.linalg.lstsq(matrix[:, used], wanted)
        if (part[ideal[used]] < 0.0).any():
            unit = np.abs(wanted).max() or 1.0
            lower = np.where(ideal[used], 0.0, -np.inf)
            part = (
                unit
                * optimize.lsq_linear(
                    matrix[:, used], wanted / unit, (lower, np.inf), method="bvls", tol=1e-15
                ).x
            )
        found[b, used] = part
    return found
