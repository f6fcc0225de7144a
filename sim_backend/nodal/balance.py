r"""What is left of Kirchhoff's laws at given voltages, to far below the rounding of a matrix.

A row of a nodal matrix sums conductances first and multiplies by voltages then.  Where a node is
tied to its neighbour by 100 S and to ground by 1e-12 S, the sum has lost half the digits of the
small one, and the product shows nothing of the current that matters.  Here every element's current
follows from the difference of its two voltages, products keep their rounding errors (Dekker 1971),
and currents are added in two parts of which the first is exact (Rump, Ogita and Oishi 2008).  An
element gives what it takes: rounding its current only amounts to changing the element by as little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    Diode,
    SingleElement,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
)
from sim_backend.nodal.parts import ends

__all__ = ["Balance"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_SPLIT = 134217729.0
"""2^27 + 1 halves the digits of a double (Veltkamp)."""


class Balance:
    """The linear elements one by one, each ``factor (y[first] - y[second])``.

    ``y`` is ``x``, then ``p``, then a zero for ground; see ``assembly``.

    Attributes:
        first: (n_terms,) place in ``y``.
        second: (n_terms,) place in ``y``.
        into: (n_terms,) row of the equations that the term is added to; -1 is none.
        out_of: (n_terms,) row that it is subtracted from; -1 is none.

    Args:
        equations: of the circuit.
        gmin_siemens: conductance across every junction.
    """

    def __init__(self, equations: Equations, gmin_siemens: float) -> None:
        self._equations = e = equations
        self._terms: list[tuple[int, int, float, int, int]] = []
        self._place(e)
        for element in e.parts.others:
            self._take(element, gmin_siemens)
        plus, minus = e.parts.resistor_plus, e.parts.resistor_minus
        table = np.array(self._terms, float).reshape(-1, 5)
        first, second, into, out_of = table[:, [0, 1, 3, 4]].astype(np.intp).T
        self.first: Places = np.concatenate([self._in_y[plus], first])
        self.second: Places = np.concatenate([self._in_y[minus], second])
        self.into: Places = np.concatenate([self._row[plus], into])
        self.out_of: Places = np.concatenate([self._row[minus], out_of])
        self._factors: Floats = table[:, 2].copy()
        n, m = e.n_unknowns, self.first.size
        there, away = np.flatnonzero(self.into >= 0), np.flatnonzero(self.out_of >= 0)
        signs = np.concatenate([np.ones(there.size), -np.ones(away.size)])
        rows = np.concatenate([self.into[there], self.out_of[away]])
        at = rows, np.concatenate([there, away])
        linear = sparse.csr_matrix((signs, at), (n, m))
        self._linear, self._rows = linear, sparse.csr_matrix((np.ones(signs.size), at), (n, m))
        each, width = np.arange(m), e.n_unknowns + e.held_volts.shape[0] + 1
        columns = np.concatenate([self.first, self.second])
        self._ends = sparse.csr_matrix(
            (np.ones(2 * m), (np.concatenate([each, each]), columns)), (m, width)
        )
        self._sizes: tuple[Floats, sparse.csr_matrix] | None = None
        self._sum = sparse.hstack([linear, e.incidence, -e.drive], "csr")

    @property
    def factors(self) -> Floats:
        """(n_terms,) conductances, gains and ohms, at present."""
        return np.concatenate([self._equations.siemens, self._factors])

    @property
    def sizes(self) -> sparse.csr_matrix:
        """(n_x, n_y) sums of absolute stamps: what a matrix is rounded relative to."""
        now = self._equations.siemens
        if self._sizes is None or self._sizes[0] is not now:
            self._sizes = now, self._rows @ sparse.diags(np.abs(self.factors)) @ self._ends
        return self._sizes[1]

    def left(self, x: Floats, held: Floats, amps: Floats, levels: Floats) -> Floats:
        """What is left over in every equation, (batch, n_x).

        Args:
            x: (batch, n_x).
            held: (batch, n_held).
            amps: (batch, n_nonlinear) of the nonlinear branches.
            levels: (batch, n_sources).
        """
        y = np.concatenate([x, held, np.zeros((len(x), 1))], 1)
        with np.errstate(over="ignore", invalid="ignore"):
            drop, drop_rest = _plus(y[:, self.first], -y[:, self.second])
            factors = self.factors
            through, rest = _times(factors, drop)
            rest += factors * drop_rest
            terms = np.concatenate([through, amps, levels], 1)
            return self._add_up(terms, rest)

    def _add_up(self, terms: Floats, rest: Floats) -> Floats:
        largest = np.abs(terms).max(1, initial=0.0, keepdims=True)
        _, exponent = np.frexp(largest * (terms.shape[1] + 2))
        # Adding and subtracting it leaves multiples of one unit, whose sums are exact.
        unit = np.ldexp(1.0, exponent)
        high = (unit + terms) - unit
        low = self._sum @ (terms - high).T + self._linear @ rest.T
        found: Floats = (self._sum @ high.T + low).T
        return found

    def _place(self, e: Equations) -> None:
        zero = e.n_unknowns + e.held_volts.shape[0]
        places = np.where(e.unknown >= 0, e.unknown, e.n_unknowns + e.held)
        # Ground is node -1, the last entry.
        self._in_y: Places = np.append(places, zero)
        self._row: Places = np.append(e.unknown, -1)

    def _across(
        self, plus: str, minus: str, factor: float, into: int, out_of: int
    ) -> None:  # fmt: skip
        index = self._equations.parts.index
        first, second = int(self._in_y[index[plus]]), int(self._in_y[index[minus]])
        self._terms.append((first, second, factor, into, out_of))

    def _through(self, branch: int, factor: float, into: int, out_of: int) -> None:
        self._terms.append((branch, int(self._in_y[-1]), factor, into, out_of))

    def _take(self, element: SingleElement, gmin_siemens: float) -> None:
        e = self._equations
        plus, minus = ends(element)
        into, out_of = (int(self._row[e.parts.index[node]]) for node in (plus, minus))
        k = e.branches.get(element.name, -1)
        if k >= 0:
            self._through(k, 1.0, into, out_of)
            self._across(plus, minus, 1.0, k, -1)
        match element:
            case Diode():
                self._diode(element, gmin_siemens)
            case VoltageControlledCurrent(control_plus=c, control_minus=d, siemens=siemens):
                self._across(c, d, siemens, into, out_of)
            case VoltageControlledVoltage(control_plus=c, control_minus=d, gain=gain):
                self._across(c, d, -gain, k, -1)
            case CurrentControlledCurrent(source=source, gain=gain):
                self._through(e.branches[source], gain, into, out_of)
            case CurrentControlledVoltage(source=source, ohms=ohms):
                self._through(e.branches[source], -ohms, k, -1)
            case Amplifier(input=near):
                self._across(near, GROUND, -element.forward_gain, k, -1)
                at = int(self._row[e.parts.index[near]])
                self._through(k, -element.backward_gain, at, -1)

    def _diode(self, diode: Diode, gmin_siemens: float) -> None:
        e = self._equations
        index = e.parts.index
        anode, cathode = index[diode.anode], index[diode.cathode]
        inner = e.parts.inner.get(diode.name, anode)
        for one, other, siemens in (
            (anode, inner, diode.area / diode.model.series_ohms if inner != anode else 0.0),
            (inner, cathode, gmin_siemens),
        ):
            if siemens > 0.0:
                first, second = int(self._in_y[one]), int(self._in_y[other])
                rows = int(self._row[one]), int(self._row[other])
                self._terms.append((first, second, siemens, *rows))


def _plus(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Sum and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _times(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Product and its rounding error (Dekker)."""
    product = a * b
    a_high = _SPLIT * a - (_SPLIT * a - a)
    b_high = _SPLIT * b - (_SPLIT * b - b)
    a_low, b_low = a - a_high, b - b_high
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest
