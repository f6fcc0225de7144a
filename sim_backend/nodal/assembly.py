r"""From elements to equations: modified nodal analysis (Ho, Ruehli and Brennan 1975).

Unknown are the voltages ``x`` of nodes and the currents of branches that have none of their own
law.  Nodes held by voltage sources against ground are no unknowns; with ``p`` their voltages, ``s``
the levels of all sources and ``i(v)`` the currents of the nonlinear branches,

.. math::  A x + C p + N\, i(v) = R s, \qquad v = N^T x + M^T p, \qquad p = T s. \qquad (1)

Gmin is part of ``A``: it makes ``A`` regular where nothing but diodes holds a node.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sim_backend.nodal.checks import check_circuit, ends
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    Element,
    IdealDiode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

__all__ = ["Equations", "assemble"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Equations:
    """Equation (1) of a circuit.

    Attributes:
        nodes: names of all nodes but ground, inner nodes of diodes last.
        n_named: how many of them the circuit names.
        unknown: (n_nodes,) place of each node's voltage in ``x``, -1 where it is held.
        held: (n_nodes,) place of each node's voltage in ``p``, -1 where it is unknown.
        matrix: A, (n_x, n_x).
        held_matrix: C, (n_x, n_held).
        drive: R, (n_x, n_sources).
        held_volts: T, (n_held, n_sources).
        incidence: N, (n_x, n_nonlinear).
        held_incidence: M, (n_held, n_nonlinear).
        held_rows: (n_held, n_x + n_held + n_nonlinear + n_sources) currents that leave each held
            node through everything but the sources that hold it, from x, p, i and s.
        holding: (n_held, n_held) currents of the holding sources from those; by ``holders``.
        holders: places in ``sources`` of the sources that hold nodes.
        branches: place in ``x`` of the current of each named branch.
        sources: names of voltage sources, then of current sources.
        levels: (n_sources,) their nominal levels, volts and amps.
        n_voltage_sources: how many sources are voltage sources.
        junctions: diodes, the first nonlinear branches.
        curves: curves, the next ones.
        ideal: ideal diodes; the last ones.
        is_reciprocal: no controlled source and no amplifier: the co-content exists.
    """

    nodes: tuple[str, ...]
    n_named: int
    unknown: NDArray[np.intp]
    held: NDArray[np.intp]
    matrix: sparse.csc_matrix
    held_matrix: sparse.csr_matrix
    drive: sparse.csr_matrix
    held_volts: sparse.csr_matrix
    incidence: sparse.csc_matrix
    held_incidence: sparse.csc_matrix
    held_rows: sparse.csr_matrix
    holding: sparse.csr_matrix
    holders: NDArray[np.intp]
    branches: dict[str, int]
    sources: tuple[str, ...]
    levels: Floats
    n_voltage_sources: int
    junctions: tuple[Diode, ...]
    curves: tuple[Curve, ...]
    ideal: tuple[IdealDiode, ...]
    is_reciprocal: bool

    @property
    def n_unknowns(self) -> int:
        """Length of ``x``."""
        return int(self.matrix.shape[0])

    @property
    def n_nonlinear(self) -> int:
        """Number of nonlinear branches."""
        return int(self.incidence.shape[1])


@dataclass
class _Triplets:
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, row: int, column: int, value: float) -> None:
        if row >= 0 and column >= 0:
            self.rows.append(row)
            self.columns.append(column)
            self.values.append(value)

    def matrix(self, rows: int, columns: int) -> sparse.csr_matrix:
        shape = (rows, columns)
        return sparse.coo_matrix((self.values, (self.rows, self.columns)), shape).tocsr()


class _Assembler:
    """Stamps elements on one big matrix over [nodes, branches], cut up afterwards."""

    def __init__(self, circuit: Circuit) -> None:
        elements = circuit.elements
        self.circuit = circuit
        self.voltage_sources = [e for e in elements if isinstance(e, VoltageSource)]
        self.current_sources = [e for e in elements if isinstance(e, CurrentSource)]
        self.junctions = [e for e in elements if isinstance(e, Diode)]
        self.curves = [e for e in elements if isinstance(e, Curve)]
        self.ideal = [e for e in elements if isinstance(e, IdealDiode)]
        self.index: dict[str, int] = {GROUND: -1}
        for element in elements:
            for node in _touches(element):
                self.index.setdefault(node, len(self.index) - 1)
        self.n_named = len(self.index) - 1
        self.inner: dict[str, int] = {}
        for diode in self.junctions:
            if diode.model.series_ohms > 0.0:
                name = f"{diode.name}#inner"
                self.inner[diode.name] = self.index.setdefault(name, len(self.index) - 1)
        self.n_nodes = len(self.index) - 1
        self.sources = {e.name: k for k, e in enumerate(self.voltage_sources)}
        offset = len(self.voltage_sources)
        self.sources |= {e.name: offset + k for k, e in enumerate(self.current_sources)}
        self.tree = self._holding_tree()
        self.branches: dict[str, int] = {}
        self.stamps, self.drive, self.incidence = _Triplets(), _Triplets(), _Triplets()

    def _holding_tree(self) -> list[tuple[VoltageSource, str, str, int]]:
        """Sources that hold nodes, from ground outwards: source, holder, held node, sign."""
        sensed = {
            e.source
            for e in self.circuit.elements
            if isinstance(e, CurrentControlledCurrent | CurrentControlledVoltage)
        }
        at: dict[str, list[tuple[VoltageSource, str, int]]] = {}
        for source in self.voltage_sources:
            if source.name not in sensed:
                at.setdefault(source.plus, []).append((source, source.minus, -1))
                at.setdefault(source.minus, []).append((source, source.plus, 1))
        tree, reached, waiting = [], {GROUND}, [GROUND]
        while waiting:
            holder = waiting.pop()
            for source, node, sign in at.get(holder, ()):
                if node not in reached:
                    reached.add(node)
                    waiting.append(node)
                    tree.append((source, holder, node, sign))
        return tree

    def branch(self, name: str) -> int:
        """Row and column of a new branch current."""
        return self.branches.setdefault(name, self.n_nodes + len(self.branches))

    def conduct(self, plus: int, minus: int, siemens: float) -> None:
        self.control(plus, minus, plus, minus, siemens)

    def control(self, plus: int, minus: int, c_plus: int, c_minus: int, siemens: float) -> None:
        self.stamps.add(plus, c_plus, siemens)
        self.stamps.add(plus, c_minus, -siemens)
        self.stamps.add(minus, c_plus, -siemens)
        self.stamps.add(minus, c_minus, siemens)

    def enforce(self, name: str, plus: int, minus: int) -> int:
        """A branch whose voltage is given: its current enters, its equation is begun."""
        k = self.branch(name)
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            self.stamps.add(node, k, sign)
            self.stamps.add(k, node, sign)
        return k

    def stamp_all(self) -> None:
        holding = {source.name for source, *_ in self.tree}
        # Sensed currents first, so that their branches exist when they are referred to.
        for source in self.voltage_sources:
            if source.name not in holding:
                k = self.enforce(source.name, self.index[source.plus], self.index[source.minus])
                self.drive.add(k, self.sources[source.name], 1.0)
        for element in self.circuit.elements:
            self.stamp(element)
        for b, (plus, minus) in enumerate(self.nonlinear_ends()):
            self.incidence.add(plus, b, 1.0)
            self.incidence.add(minus, b, -1.0)
        for plus, minus in self.nonlinear_ends()[: len(self.junctions)]:
            self.conduct(plus, minus, self.circuit.gmin_siemens)

    def nonlinear_ends(self) -> list[tuple[int, int]]:
        found = []
        branches: list[Diode | Curve | IdealDiode] = [*self.junctions, *self.curves, *self.ideal]
        for element in branches:
            plus, minus = (self.index[node] for node in ends(element))
            found.append((self.inner.get(element.name, plus), minus))
        return found

    def stamp(self, element: Element) -> None:
        at = self.index
        plus, minus = (at[node] for node in ends(element))
        match element:
            case Resistor(siemens=siemens):
                self.conduct(plus, minus, siemens)
            case Diode(model=model, area=area) if model.series_ohms > 0.0:
                self.conduct(plus, self.inner[element.name], area / model.series_ohms)
            case CurrentSource(name=name):
                self.drive.add(plus, self.sources[name], -1.0)
                self.drive.add(minus, self.sources[name], 1.0)
            case VoltageControlledCurrent(siemens=siemens):
                c_plus, c_minus = at[element.control_plus], at[element.control_minus]
                self.control(plus, minus, c_plus, c_minus, siemens)
            case VoltageControlledVoltage(gain=gain):
                k = self.enforce(element.name, plus, minus)
                self.stamps.add(k, at[element.control_plus], -gain)
                self.stamps.add(k, at[element.control_minus], gain)
            case CurrentControlledCurrent(source=source, gain=gain):
                self.stamps.add(plus, self.branches[source], gain)
                self.stamps.add(minus, self.branches[source], -gain)
            case CurrentControlledVoltage(source=source, ohms=ohms):
                k = self.enforce(element.name, plus, minus)
                self.stamps.add(k, self.branches[source], -ohms)
            case Amplifier():
                k = self.enforce(element.name, plus, minus)
                self.stamps.add(k, at[element.input], -element.forward_gain)
                # The branch current flows from the output into the amplifier, so that minus it
                # is what the circuit takes out there.
                self.stamps.add(at[element.input], k, -element.backward_gain)


def _touches(element: Element) -> tuple[str, ...]:
    match element:
        case VoltageControlledVoltage() | VoltageControlledCurrent():
            return element.plus, element.minus, element.control_plus, element.control_minus
        case Amplifier():
            return element.input, element.output
        case _:
            return ends(element)


def assemble(circuit: Circuit) -> Equations:
    """Set up equation (1).

    Raises:
        CircuitError: see :func:`sim_backend.nodal.checks.check_circuit`.
    """
    check_circuit(circuit)
    a = _Assembler(circuit)
    a.stamp_all()
    return _cut(a)


def _cut(a: _Assembler) -> Equations:
    n_all, n_sources = a.n_nodes + len(a.branches), len(a.sources)
    n_nonlinear = len(a.junctions) + len(a.curves) + len(a.ideal)
    full = a.stamps.matrix(n_all, n_all)
    drive = a.drive.matrix(n_all, n_sources)
    incidence = a.incidence.matrix(n_all, n_nonlinear)
    held = np.array([a.index[node] for _, _, node, _ in a.tree], np.intp)
    free = np.setdiff1d(np.arange(n_all), held)
    place = np.full(n_all, -1, np.intp)
    place[free] = np.arange(free.size)
    held_place = np.full(a.n_nodes, -1, np.intp)
    held_place[held] = np.arange(held.size)
    rows = sparse.hstack(
        [full[held][:, free], full[held][:, held], incidence[held], -drive[held]], "csr"
    )
    volts, holding = _held(a, held_place)
    return Equations(
        nodes=tuple(name for name in a.index if name != GROUND),
        n_named=a.n_named,
        unknown=place[: a.n_nodes],
        held=held_place,
        matrix=full[free][:, free].tocsc(),
        held_matrix=full[free][:, held].tocsr(),
        drive=drive[free].tocsr(),
        held_volts=volts,
        incidence=incidence[free].tocsc(),
        held_incidence=incidence[held].tocsc(),
        held_rows=rows,
        holding=holding,
        holders=np.array([a.sources[source.name] for source, *_ in a.tree], np.intp),
        branches={name: int(place[k]) for name, k in a.branches.items()},
        sources=tuple(a.sources),
        levels=np.array(
            [e.volts for e in a.voltage_sources] + [e.amps for e in a.current_sources], float
        ),
        n_voltage_sources=len(a.voltage_sources),
        junctions=tuple(a.junctions),
        curves=tuple(a.curves),
        ideal=tuple(a.ideal),
        is_reciprocal=not any(isinstance(e, _ACTIVE) for e in a.circuit.elements),
    )


_ACTIVE = (
    VoltageControlledVoltage,
    VoltageControlledCurrent,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Amplifier,
)


def _held(
    a: _Assembler, held_place: NDArray[np.intp]
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """T, and the currents of the holding sources from those that leave the held nodes."""
    n = len(a.tree)
    above, source, leaves = _Triplets(), _Triplets(), _Triplets()
    for k, (element, holder, _, sign) in enumerate(a.tree):
        if holder != GROUND:
            above.add(k, int(held_place[a.index[holder]]), 1.0)
        source.add(k, a.sources[element.name], sign)
        leaves.add(k, k, -sign)
    # Sum of all powers of "is held by": every node with all that hold it in turn.
    chain = power = sparse.identity(n, format="csr")
    step = above.matrix(n, n)
    while (power := power @ step).nnz:
        chain = chain + power
    volts = chain @ source.matrix(n, len(a.sources))
    return volts.tocsr(), (leaves.matrix(n, n) @ chain.T).tocsr()
