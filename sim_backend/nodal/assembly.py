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

from sim_backend.nodal.checks import check_conductances, check_parts
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
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.parts import Parts, ends

__all__ = ["Equations"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


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


class _Stamps:
    """Stamps of everything but resistors, over [nodes, branches]."""

    def __init__(self, parts: Parts, gmin_siemens: float) -> None:
        self.parts = parts
        offset = len(parts.voltage_sources)
        self.sources = {e.name: k for k, e in enumerate(parts.voltage_sources)}
        self.sources |= {e.name: offset + k for k, e in enumerate(parts.current_sources)}
        self.tree = _holding_tree(parts)
        self.branches: dict[str, int] = {}
        self.stamps, self.drive, self.incidence = _Triplets(), _Triplets(), _Triplets()
        self._stamp_all(gmin_siemens)

    def _stamp_all(self, gmin_siemens: float) -> None:
        index = self.parts.index
        holding = {source.name for source, *_ in self.tree}
        # Sensed currents first, so that their branches exist when they are referred to.
        for source in self.parts.voltage_sources:
            if source.name not in holding:
                k = self._enforce(source.name, index[source.plus], index[source.minus])
                self.drive.add(k, self.sources[source.name], 1.0)
        for element in self.parts.others:
            self._stamp(element)
        branches: list[Diode | Curve | IdealDiode] = [
            *self.parts.junctions, *self.parts.curves, *self.parts.ideal,
        ]  # fmt: skip
        for b, branch in enumerate(branches):
            plus, minus = (index[node] for node in ends(branch))
            plus = self.parts.inner.get(branch.name, plus)
            self.incidence.add(plus, b, 1.0)
            self.incidence.add(minus, b, -1.0)
            if isinstance(branch, Diode):
                self._control(plus, minus, plus, minus, gmin_siemens)

    def _control(self, plus: int, minus: int, c_plus: int, c_minus: int, siemens: float) -> None:
        self.stamps.add(plus, c_plus, siemens)
        self.stamps.add(plus, c_minus, -siemens)
        self.stamps.add(minus, c_plus, -siemens)
        self.stamps.add(minus, c_minus, siemens)

    def _enforce(self, name: str, plus: int, minus: int) -> int:
        """A branch whose voltage is given: its current enters, its equation is begun."""
        k = self.branches.setdefault(name, self.parts.n_nodes + len(self.branches))
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            self.stamps.add(node, k, sign)
            self.stamps.add(k, node, sign)
        return k

    def _stamp(self, element: SingleElement) -> None:
        at = self.parts.index
        plus, minus = (at[node] for node in ends(element))
        match element:
            case Diode(model=model, area=area) if model.series_ohms > 0.0:
                inner = self.parts.inner[element.name]
                self._control(plus, inner, plus, inner, area / model.series_ohms)
            case CurrentSource(name=name):
                self.drive.add(plus, self.sources[name], -1.0)
                self.drive.add(minus, self.sources[name], 1.0)
            case VoltageControlledCurrent(siemens=siemens):
                c_plus, c_minus = at[element.control_plus], at[element.control_minus]
                self._control(plus, minus, c_plus, c_minus, siemens)
            case VoltageControlledVoltage(gain=gain):
                k = self._enforce(element.name, plus, minus)
                self.stamps.add(k, at[element.control_plus], -gain)
                self.stamps.add(k, at[element.control_minus], gain)
            case CurrentControlledCurrent(source=source, gain=gain):
                self.stamps.add(plus, self.branches[source], gain)
                self.stamps.add(minus, self.branches[source], -gain)
            case CurrentControlledVoltage(source=source, ohms=ohms):
                k = self._enforce(element.name, plus, minus)
                self.stamps.add(k, self.branches[source], -ohms)
            case Amplifier():
                k = self._enforce(element.name, plus, minus)
                self.stamps.add(k, at[element.input], -element.forward_gain)
                # The branch current flows from the output into the amplifier, so that minus it
                # is what the circuit takes out there.
                self.stamps.add(at[element.input], k, -element.backward_gain)


def _holding_tree(parts: Parts) -> list[tuple[VoltageSource, str, str, int]]:
    """Sources that hold nodes, from ground outwards: source, holder, held node, sign."""
    sensed = {
        e.source
        for e in parts.others
        if isinstance(e, CurrentControlledCurrent | CurrentControlledVoltage)
    }
    at: dict[str, list[tuple[VoltageSource, str, int]]] = {}
    for source in parts.voltage_sources:
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


_ACTIVE = (
    VoltageControlledVoltage,
    VoltageControlledCurrent,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Amplifier,
)


class Equations:
    """Equation (1) of a circuit, with conductances that can be changed.

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
        holding: (n_held, n_held) currents of the holding sources from those; by ``holders``.
        holders: places in ``sources`` of the sources that hold nodes.
        branches: place in ``x`` of the current of each named branch.
        sources: names of voltage sources, then of current sources.
        levels: (n_sources,) their nominal levels, volts and amps.
        n_voltage_sources: how many sources are voltage sources.
        junctions: diodes, the first nonlinear branches.
        curves: curves, the next ones.
        ideal: ideal diodes, the last ones.
        is_reciprocal: no controlled source and no amplifier: the co-content exists.

    Args:
        circuit: what to set up; checked first.

    Raises:
        CircuitError: see :func:`sim_backend.nodal.checks.check_parts`.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.parts = parts = Parts(circuit)
        check_parts(parts)
        stamps = _Stamps(parts, circuit.gmin_siemens)
        self._name(parts, stamps)
        self._n_all = parts.n_nodes + len(stamps.branches)
        held = np.array([parts.index[node] for _, _, node, _ in stamps.tree], np.intp)
        self._held_at = held
        self._free_at = np.setdiff1d(np.arange(self._n_all), held)
        place = np.full(self._n_all, -1, np.intp)
        place[self._free_at] = np.arange(self._free_at.size)
        self.unknown: Places = place[: parts.n_nodes]
        self.held: Places = np.full(parts.n_nodes, -1, np.intp)
        self.held[held] = np.arange(held.size)
        self.branches = {name: int(place[k]) for name, k in stamps.branches.items()}
        fixed = stamps.stamps.matrix(self._n_all, self._n_all)
        self._fixed_free = fixed[self._free_at][:, self._free_at]
        self._fixed_across = fixed[self._free_at][:, held]
        self._fixed_held = fixed[held]
        drive = stamps.drive.matrix(self._n_all, len(self.sources))
        incidence = stamps.incidence.matrix(self._n_all, self.n_nonlinear)
        self.drive: sparse.csr_matrix = drive[self._free_at].tocsr()
        self._held_drive = drive[held]
        self.incidence: sparse.csc_matrix = incidence[self._free_at].tocsc()
        self.held_incidence: sparse.csc_matrix = incidence[held].tocsc()
        self._hold(stamps)
        self._put_together(parts.resistor_siemens)

    def _name(self, parts: Parts, stamps: _Stamps) -> None:
        self.nodes = parts.nodes
        self.n_named = parts.n_named
        self.sources = tuple(stamps.sources)
        volts, amps = parts.voltage_sources, parts.current_sources
        self.levels: Floats = np.array([e.volts for e in volts] + [e.amps for e in amps], float)
        self.n_voltage_sources = len(volts)
        self.junctions, self.curves = tuple(parts.junctions), tuple(parts.curves)
        self.ideal = tuple(parts.ideal)
        self.is_reciprocal = not any(isinstance(e, _ACTIVE) for e in parts.others)

    @property
    def n_unknowns(self) -> int:
        """Length of ``x``."""
        return int(self._free_at.size)

    @property
    def n_nonlinear(self) -> int:
        """Number of nonlinear branches."""
        return len(self.junctions) + len(self.curves) + len(self.ideal)

    def set_resistors(self, siemens: Floats) -> None:
        """Change the conductances, (n_resistors,) in the order of ``parts``.

        Raises:
            CircuitError: see :func:`sim_backend.nodal.checks.check_conductances`.
        """
        check_conductances(self.parts, siemens)
        self._put_together(siemens)

    def _put_together(self, siemens: Floats) -> None:
        free, held = self._free_at, self._held_at
        plus, minus = self.parts.resistor_plus, self.parts.resistor_minus
        # Ground, the last entry, is neither free nor held.
        unknown, at_held = np.append(self.unknown, -1), np.append(self.held, -1)
        f_plus, f_minus, h_plus, h_minus = (
            unknown[plus], unknown[minus], at_held[plus], at_held[minus],
        )  # fmt: skip
        both, mixed, other = (f_plus >= 0) & (f_minus >= 0), h_minus >= 0, h_plus >= 0
        mixed &= f_plus >= 0
        other &= f_minus >= 0
        n, n_held = free.size, held.size
        seen = _seen(f_plus, siemens, n) + _seen(f_minus, siemens, n)
        between = sparse.coo_matrix(
            (-siemens[both], (f_plus[both], f_minus[both])), (n, n)
        ).tocsr()  # fmt: skip
        self.matrix: sparse.csc_matrix = (
            between + between.T + sparse.diags(seen) + self._fixed_free
        ).tocsc()
        across = sparse.coo_matrix(
            (
                -np.concatenate([siemens[mixed], siemens[other]]),
                (
                    np.concatenate([f_plus[mixed], f_minus[other]]),
                    np.concatenate([h_minus[mixed], h_plus[other]]),
                ),
            ),
            (n, n_held),
        ).tocsr()
        self.held_matrix: sparse.csr_matrix = (across + self._fixed_across).tocsr()
        self._held_parts = siemens, across

    @property
    def held_rows(self) -> sparse.csr_matrix:
        """Currents that leave each held node through everything but the sources that hold it.

        (n_held, n_x + n_held + n_nonlinear + n_sources), from x, p, i and s.
        """
        siemens, across = self._held_parts
        plus, minus = self.parts.resistor_plus, self.parts.resistor_minus
        at_held = np.append(self.held, -1)
        h_plus, h_minus = at_held[plus], at_held[minus]
        n = self._held_at.size
        seen = _seen(h_plus, siemens, n) + _seen(h_minus, siemens, n)
        both = (h_plus >= 0) & (h_minus >= 0)
        between = sparse.coo_matrix((-siemens[both], (h_plus[both], h_minus[both])), (n, n))
        own = between + between.T + sparse.diags(seen) + self._fixed_held[:, self._held_at]
        toward = across.T + self._fixed_held[:, self._free_at]
        return sparse.hstack([toward, own, self.held_incidence, -self._held_drive], "csr")

    def _hold(self, stamps: _Stamps) -> None:
        """T, and the currents of the holding sources from those that leave the held nodes."""
        n = len(stamps.tree)
        above, source, leaves = _Triplets(), _Triplets(), _Triplets()
        for k, (element, holder, _, sign) in enumerate(stamps.tree):
            if holder != GROUND:
                above.add(k, int(self.held[self.parts.index[holder]]), 1.0)
            source.add(k, stamps.sources[element.name], sign)
            leaves.add(k, k, -sign)
        # Sum of all powers of "is held by": every node with all that hold it in turn.
        chain = power = sparse.identity(n, format="csr")
        step = above.matrix(n, n)
        while (power := power @ step).nnz:
            chain = chain + power
        self.held_volts: sparse.csr_matrix = (
            chain @ source.matrix(n, len(self.sources))
        ).tocsr()  # fmt: skip
        self.holding: sparse.csr_matrix = (leaves.matrix(n, n) @ chain.T).tocsr()
        self.holders: Places = np.array(
            [stamps.sources[source.name] for source, *_ in stamps.tree], np.intp
        )


def _seen(places: Places, siemens: Floats, n: int) -> Floats:
    """(n,) conductance at each place; -1 is none."""
    there = places >= 0
    return np.bincount(places[there], siemens[there], n).astype(float)
