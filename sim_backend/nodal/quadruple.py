r"""Linear systems that double precision cannot solve: Gaussian elimination in twice the digits.

A number is an unevaluated sum of two doubles (Dekker, "A floating-point technique for extending
the available precision", 1971).  Small dense systems only, one at a time: this is for the few
examples whose conductances, weighed against each other, leave the range of a double.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.balance import Balance

__all__ = ["MOST_UNKNOWNS", "QuadrupleSolver"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Pair = tuple[float, float]

MOST_UNKNOWNS = 500
"""Beyond it an elimination takes seconds."""

_LOOP_OHMS = 1e-9


class QuadrupleSolver:
    """Corrections of operating points; takes what :class:`LinearSolver` takes.

    Args:
        equations: of the circuit.
        balance: its elements.
    """

    def __init__(self, equations: Equations, balance: Balance) -> None:
        self._balance = balance
        self._n = n = equations.n_unknowns
        ends = [_ends(equations.incidence[:, k]) for k in range(equations.n_nonlinear)]
        branches = np.array(ends, np.intp).reshape(-1, 2)
        self._n_smooth = equations.n_nonlinear - len(equations.ideal)
        self._smooth, self._ideal = branches[: self._n_smooth], branches[self._n_smooth :]
        last = n + equations.held_volts.shape[0]
        self._in_x = np.append(np.arange(n), np.full(last - n + 1, -1))

    def solve(
        self, left: Floats, siemens: Floats, on: NDArray[np.bool_], on_volts: Floats
    ) -> tuple[Floats, Floats]:
        """Corrections that take away what is left over, for a batch.

        Args:
            left: (batch, n_x) see :meth:`Balance.left`.
            siemens: (batch, n_smooth) slopes.
            on: (batch, n_ideal) which ideal branches conduct.
            on_volts: (batch, n_ideal) how far a conducting one is below its voltage.

        Returns:
            (batch, n_x) and (batch, n_ideal); NaN where the system is singular or too large.
        """
        out = np.full((len(left), self._n + on.shape[1]), np.nan)
        if self._n + on.shape[1] <= MOST_UNKNOWNS:
            for k in range(len(left)):
                high, low = self._matrix(siemens[k], on[k])
                high[:, -1] = np.concatenate([-left[k], np.where(on[k], on_volts[k], 0.0)])
                out[k] = _eliminate(high, low)
        return out[:, : self._n], out[:, self._n :]

    def _matrix(self, siemens: Floats, on: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        n, size = self._n, self._n + on.size
        high, low = np.zeros((size, size + 1)), np.zeros((size, size + 1))
        b = self._balance
        first, second = self._in_x[b.first], self._in_x[b.second]
        _stamp(high, low, b.into, b.out_of, first, second, b.factors)
        plus, minus = self._smooth.T
        _stamp(high, low, plus, minus, plus, minus, siemens)
        for k, (plus, minus) in enumerate(self._ideal):
            for node, sign in ((plus, 1.0), (minus, -1.0)):
                if node >= 0:
                    high[node, n + k] = sign
                    if on[k]:
                        high[n + k, node] = sign
            # Where ideal diodes conduct in a loop, the smallest currents are one solution of many;
            # corrections converge to the same voltages with this resistance as without.
            high[n + k, n + k] = -_LOOP_OHMS if on[k] else 1.0
        return high, low


def _ends(column: sparse.csc_matrix) -> tuple[int, int]:
    """Rows of +1 and -1 in a column of the incidence matrix; -1 is none."""
    coo = column.tocoo()
    found = dict(zip(coo.data, coo.row, strict=True))
    return int(found.get(1.0, -1)), int(found.get(-1.0, -1))


@njit(cache=True)
def _stamp(
    high: Floats,
    low: Floats,
    into: Places,
    out_of: Places,
    first: Places,
    second: Places,
    factors: Floats,
) -> None:
    for k in range(factors.size):
        for row, up in ((into[k], 1.0), (out_of[k], -1.0)):
            for column, sign in ((first[k], up), (second[k], -up)):
                if row >= 0 and column >= 0:
                    h, e = _two_sum(high[row, column], sign * factors[k])
                    high[row, column], low[row, column] = _two_sum(h, e + low[row, column])


@njit(cache=True)
def _two_sum(a: float, b: float) -> Pair:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(cache=True)
def _two_product(a: float, b: float) -> Pair:
    product = a * b
    t = 134217729.0 * a
    a_high = t - (t - a)
    t = 134217729.0 * b
    b_high = t - (t - b)
    a_low, b_low = a - a_high, b - b_high
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, rest


@njit(cache=True)
def _take_away(row: Floats, row_low: Floats, other: Floats, other_low: Floats, at: int) -> None:
    """Subtract from a row the multiple of another one that clears its entry at ``at``."""
    q = row[at] / other[at]
    p, e = _two_product(q, other[at])
    q_low = ((row[at] - p) - e + row_low[at] - q * other_low[at]) / other[at]
    for j in range(at, row.size):
        if other[j] != 0.0:
            p, e = _two_product(q, other[j])
            e += q * other_low[j] + q_low * other[j]
            s, f = _two_sum(row[j], -p)
            row[j], row_low[j] = _two_sum(s, f + (row_low[j] - e))


@njit(cache=True)
def _eliminate(a: Floats, low: Floats) -> Floats:
    """Gauss-Jordan elimination of (n, n + 1), rows scaled to one and pivots sought among them."""
    n = len(a)
    nothing = np.full(n, np.nan)
    for i in range(n):
        largest = np.abs(a[i, :n]).max()
        if not 0.0 < largest < np.inf:
            return nothing
        unit = 2.0 ** -np.ceil(np.log2(largest))
        a[i] *= unit
        low[i] *= unit
    for k in range(n):
        best = k + np.argmax(np.abs(a[k:, k]))
        if a[best, k] == 0.0:
            return nothing
        if best != k:
            for j in range(n + 1):
                a[k, j], a[best, j] = a[best, j], a[k, j]
                low[k, j], low[best, j] = low[best, j], low[k, j]
        for i in range(n):
            if i != k and a[i, k] != 0.0:
                _take_away(a[i], low[i], a[k], low[k], k)
    return a[:, n] / np.diag(a)
