r"""From elements to equations: modified nodal analysis (Ho, Ruehli and Brennan 1975).

Unknown are the voltages ``x`` of nodes and the currents of branches that have none of their own
law.  Nodes held by voltage sources against ground are no unknowns; with ``p`` their voltages, ``s``
the levels of all sources and ``i(v)`` the currents of the nonlinear branches,

.. math::  A x + C p + N\, i(v) = R s, \qquad v = N^T x + M^T p, \qquad p = T s. \qquad (1)

Gmin is part of ``A``: it makes ``A`` regular where nothing but diodes holds a node.
"""

from __future__ import annotations

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
    Curve,
    Diode,
    IdealDiode,
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.parts import Parts, ends
from sim_backend.nodal.pattern import StampedMatrix, Stamps, Triplets

__all__ = ["Equations"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


_ACTIVE = (
    VoltageControlledVoltage,
    VoltageControlledCurrent,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Amplifier,
)


class _Stamps:
    """Stamps of everything but resistors, over [nodes, branches]."""

    def __init__(self, parts: Parts, gmin_siemens: float) -> None:
        self.parts = parts
        offset = len(parts.voltage_sources)
        self.sources = {e.name: k for k, e in enumerate(parts.voltage_sources)}
        self.sources |= {e.name: offset + k for k, e in enumerate(parts.current_sources)}
        self.tree = _holding_tree(parts)
        self.branches: dict[str, int] = {}
        self.stamps, self.drive, self.incidence = Triplets(), Triplets(), Triplets()
        self._stamp_all(gmin_siemens)

    def _stamp_all(self, gmin_siemens: float) -> None:
        index = self.parts.index
        holding = {source.name for source, *_ in self.tree}
        # Sensed currents first, so that their branches exist when they are referred to.
        for source in self.parts.voltage_sources:
            if source.name not in holding:
                k = self._enforce(source.name, index[source.plus], index[source.minus])
                self.drive.add(k, self.sources[source.name], 1.0)
        sources = self.parts.current_sources
        pairs = [ends(source) for source in sources]
        count = len(self.parts.voltage_sources) + np.arange(len(sources))
        self.drive.add_many(np.array([index[plus] for plus, _ in pairs], np.intp), count, -1.0)
        self.drive.add_many(np.array([index[minus] for _, minus in pairs], np.intp), count, 1.0)
        for element in self.parts.others:
            if isinstance(element, _ACTIVE):
                self._stamp(element)
        self._stamp_nonlinear(gmin_siemens)

    def _stamp_nonlinear(self, gmin_siemens: float) -> None:
        parts, at = self.parts, self.parts.index
        branches: list[Diode | Curve | IdealDiode] = [*parts.junctions, *parts.curves, *parts.ideal]
        pairs = [ends(branch) for branch in branches]
        plus = np.array([at[one] for one, _ in pairs], np.intp)
        minus = np.array([at[other] for _, other in pairs], np.intp)
        n = len(parts.junctions)
        model = [(d.area, d.model.series_ohms) for d in parts.junctions]
        area, ohms = np.array(model, float).reshape(n, 2).T
        inner = np.flatnonzero(ohms > 0.0)
        between = np.array([parts.inner[parts.junctions[k].name] for k in inner], np.intp)
        self._conduct(plus[inner], between, area[inner] / ohms[inner])
        plus[inner] = between
        self.branch_ends = plus, minus
        count = np.arange(len(pairs))
        self.incidence.add_many(plus, count, 1.0)
        self.incidence.add_many(minus, count, -1.0)
        self._conduct(plus[:n], minus[:n], np.full(n, gmin_siemens))

    def _conduct(self, plus: Places, minus: Places, siemens: Floats) -> None:
        self.stamps.add_many(plus, plus, siemens)
        self.stamps.add_many(minus, minus, siemens)
        self.stamps.add_many(plus, minus, -siemens)
        self.stamps.add_many(minus, plus, -siemens)

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
    sensed = {e.source for e in parts.sensing}
    tree, reached = [], {GROUND}
    at: dict[str, list[tuple[VoltageSource, str, int]]] = {}
    for source in parts.voltage_sources:
        plus, minus = source.plus, source.minus
        if source.name in sensed:
            continue
        if minus == GROUND:
            reached.add(plus)
            tree.append((source, GROUND, plus, 1))
        elif plus == GROUND:
            reached.add(minus)
            tree.append((source, GROUND, minus, -1))
        else:
            at.setdefault(plus, []).append((source, minus, -1))
            at.setdefault(minus, []).append((source, plus, 1))
    waiting = [node for node in at if node in reached]
    while waiting:
        holder = waiting.pop()
        for source, node, sign in at.get(holder, ()):
            if node not in reached:
                reached.add(node)
                waiting.append(node)
                tree.append((source, holder, node, sign))
    return tree


class Equations:
    """Equation (1) of a circuit, with conductances that can be changed.

    Attributes:
        nodes: names of all nodes but ground, inner nodes of diodes last.
        n_named: how many of them the circuit names.
        unknown: (n_nodes,) place of each node's voltage in ``x``, -1 where it is held.
        held: (n_nodes,) place of each node's voltage in ``p``, -1 where it is unknown.
        matrix: A, (n_x, n_x).
        held_matrix: C, (n_x, n_held), sparse or, where it is full, dense.
        drive: R, (n_x, n_sources).
        held_volts: T, (n_held, n_sources).
        incidence: N, (n_x, n_nonlinear).
        held_incidence: M, (n_held, n_nonlinear).
        branch_ends: (2, n_nonlinear) places in ``x`` of both ends of nonlinear branches, -1 where
            held.
        holding: (n_held, n_held) currents of the holding sources from those; by ``holders``.
        holders: places in ``sources`` of the sources that hold nodes.
        branches: place in ``x`` of the current of each named branch.
        sources: names of voltage sources, then of current sources.
        levels: (n_sources,) their nominal levels, volts and amps.
        n_voltage_sources: how many sources are voltage sources.
        junctions: diodes, the first nonlinear branches.
        curves: curves, the next ones.
        ideal: ideal diodes, the last ones.
        siemens: (n_resistors,) conductances, in the order of ``parts``.
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
        self._n_held = held.size
        places = np.zeros(self._n_all + 1, np.intp)
        places[held] = places[-1] = 1
        free = np.flatnonzero(places[:-1] == 0)
        self._n_free = free.size
        # The last place is that of ground, which is number -1.
        self._at_free = np.full(self._n_all + 1, -1, np.intp)
        self._at_free[free] = np.arange(free.size)
        self._at_held = np.full(self._n_all + 1, -1, np.intp)
        self._at_held[held] = np.arange(held.size)
        self.unknown: Places = self._at_free[: parts.n_nodes]
        self.held: Places = self._at_held[: parts.n_nodes]
        self.branches = {name: int(self._at_free[k]) for name, k in stamps.branches.items()}
        self._fixed = stamps.stamps.stamps()
        self._drive_sizes: sparse.csr_matrix | None = None
        self._place_branches(stamps)
        self._hold(stamps)
        self._lay_out()
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
        return int(self._n_free)

    @property
    def n_nonlinear(self) -> int:
        """Number of nonlinear branches."""
        return len(self.junctions) + len(self.curves) + len(self.ideal)

    def set_resistors(self, siemens: Floats) -> None:
        """Change the conductances, (n_resistors,) in the order of ``parts``.

        Raises:
            CircuitError: see :func:`sim_backend.nodal.checks.check_conductances`.
        """
        siemens = np.array(siemens, float)
        if siemens.shape != self.siemens.shape:
            raise ValueError(
                f"siemens must be ({self.siemens.size},), one a resistor; got {siemens.shape}"
            )
        check_conductances(self.parts, siemens)
        self._put_together(siemens)

    def _place_branches(self, stamps: _Stamps) -> None:
        drive, incidence = stamps.drive.stamps(), stamps.incidence.stamps()
        n, n_held, n_sources = self._n_free, self._n_held, len(self.sources)
        every = np.arange(max(n_sources, self.n_nonlinear))
        self.drive: sparse.csr_matrix = drive.at(self._at_free, every).matrix(n, n_sources)
        self._held_drive = drive.at(self._at_held, every).matrix(n_held, n_sources)
        own = incidence.at(self._at_free, every).matrix(n, self.n_nonlinear)
        self.incidence: sparse.csc_matrix = own.tocsc()
        across = incidence.at(self._at_held, every).matrix(n_held, self.n_nonlinear)
        self.held_incidence: sparse.csc_matrix = across.tocsc()
        plus, minus = stamps.branch_ends
        self.branch_ends: Places = np.stack([self._at_free[plus], self._at_free[minus]])

    def _resistor_ends(self) -> tuple[Places, Places, Places, Places]:
        """Places of the resistors' ends in x, plus and minus, then in p; -1 is none."""
        plus, minus = self.parts.resistor_plus, self.parts.resistor_minus
        free, held = self._at_free, self._at_held
        return free[plus], free[minus], held[plus], held[minus]

    def _lay_out(self) -> None:
        n, n_held = self._n_free, self._n_held
        f_plus, f_minus, h_plus, h_minus = self._resistor_ends()
        own = [(f_plus, f_plus, 1.0), (f_minus, f_minus, 1.0)]
        own += [(f_plus, f_minus, -1.0), (f_minus, f_plus, -1.0)]
        fixed = self._fixed.at(self._at_free, self._at_free)
        # A is wanted by columns: its transpose is laid out.  That of the resistors is the same.
        turned = Stamps(fixed.columns, fixed.rows, fixed.values)
        self._unknown_stamps = StampedMatrix((n, n), own, turned)
        across = [(f_plus, h_minus, -1.0), (f_minus, h_plus, -1.0)]
        fixed = self._fixed.at(self._at_free, self._at_held)
        self._held_stamps = StampedMatrix((n, n_held), across, fixed)

    def _put_together(self, siemens: Floats) -> None:
        self.siemens: Floats = siemens
        self.matrix: sparse.csc_matrix = self._unknown_stamps.sparse(siemens).T
        self.held_matrix: sparse.csr_matrix | Floats = self._held_stamps.any(siemens)
        self._held_sizes: sparse.csr_matrix | Floats | None = None
        self._stamp_sizes: tuple[sparse.csr_matrix | Floats, ...] | None = None

    def boundary_sizes(self, levels: Floats, held: Floats) -> Floats:
        """Sums of absolute terms of ``R s - C p`` in each equation, (batch, n_x).

        Args:
            levels: (batch, n_sources).
            held: (batch, n_held).
        """
        if self._drive_sizes is None:
            self._drive_sizes = abs(self.drive)
        if self._held_sizes is None:
            self._held_sizes = abs(self.held_matrix)
        found = self._drive_sizes @ np.abs(levels).T + self._held_sizes @ np.abs(held).T
        return np.asarray(found).T

    def stamp_sizes(self, x: Floats, held: Floats) -> Floats:
        """Sums of absolute terms of ``A x + C p``, each stamp by itself, (batch, n_x).

        Args:
            x: (batch, n_x).
            held: (batch, n_held).
        """
        if self._stamp_sizes is None:
            if self.is_reciprocal and not self.branches:
                # Nothing cancels there.
                self._stamp_sizes = abs(self.matrix), abs(self.held_matrix)
            else:
                stamps = (self._unknown_stamps, self._held_stamps)
                of_x, of_held = (matrix.absolute().any(self.siemens) for matrix in stamps)
                self._stamp_sizes = of_x.T, of_held
        of_x, of_held = self._stamp_sizes
        found = of_x @ np.abs(x).T + of_held @ np.abs(held).T
        return np.asarray(found).T

    def held_rows(self, siemens: Floats) -> sparse.csr_matrix:
        """Currents that leave each held node through everything but the sources that hold it.

        (n_held, n_x + n_held + n_nonlinear + n_sources), from x, p, i and s, with conductances
        (n_resistors,).
        """
        f_plus, f_minus, h_plus, h_minus = self._resistor_ends()
        n, n_held = self._n_free, self._n_held
        own = [(h_plus, h_plus, 1.0), (h_minus, h_minus, 1.0)]
        own += [(h_plus, h_minus, -1.0), (h_minus, h_plus, -1.0)]
        fixed = self._fixed.at(self._at_held, self._at_held)
        between = StampedMatrix((n_held, n_held), own, fixed).sparse(siemens)
        across = [(h_minus, f_plus, -1.0), (h_plus, f_minus, -1.0)]
        fixed = self._fixed.at(self._at_held, self._at_free)
        toward = StampedMatrix((n_held, n), across, fixed).sparse(siemens)
        return sparse.hstack([toward, between, self.held_incidence, -self._held_drive], "csr")

    def _hold(self, stamps: _Stamps) -> None:
        """T, and the currents of the holding sources from those that leave the held nodes."""
        tree, n = stamps.tree, len(stamps.tree)
        at = self.parts.index
        signs = np.array([sign for *_, sign in tree], float)
        sources = np.array([stamps.sources[element.name] for element, *_ in tree], np.intp)
        above = self._at_held[np.array([at[holder] for _, holder, *_ in tree], np.intp)]
        each = np.arange(n)
        own = Stamps(each, sources, signs).matrix(n, len(self.sources))
        leaves = Stamps(each, each, -signs).matrix(n, n)
        held = np.flatnonzero(above >= 0)
        step = Stamps(held, above[held], np.ones(held.size)).matrix(n, n)
        # Sum of all powers of "is held by": every node with all that hold it in turn.
        chain = power = sparse.identity(n, format="csr")
        while (power := power @ step).nnz:
            chain = chain + power
        self.held_volts: sparse.csr_matrix = (chain @ own).tocsr()
        self.holding: sparse.csr_matrix = (leaves @ chain.T).tocsr()
        self.holders: Places = sources
