"""The linear circuits of Newton's method.

Where it pays, the linear part is reduced to its ports once and a batch of small full systems is
solved (``port_system``).  What is left: symmetric positive definite matrices of one pattern, which
``ldl`` factorises a batch at a time, and pivoting LU of all unknowns, dense for small circuits and
sparse for large ones.  These also take over where the reduced system leaves too much over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.ldl import LockstepFactor
from sim_backend.nodal.leftover import left_over
from sim_backend.nodal.port_system import PortSystem

__all__ = ["LinearSolver"]

Floats = NDArray[np.float64]

_DENSE = 300
"""Up to this many unknowns a batch of dense systems beats sparse ones."""

_EXACT = 1e-11
"""What an equation may leave over, relative to its terms, before pivots are called in."""


class LinearSolver:
    """Solves ``(A + N diag(g) N^T) x = b - N i0`` with open or closed ideal branches.

    Args:
        equations: of the circuit.
        system: its ports, refreshed before this is.
    """

    def __init__(self, equations: Equations, system: PortSystem) -> None:
        self._equations = e = equations
        self._system = system
        self._n_smooth = e.n_nonlinear - len(e.ideal)
        self._size = e.n_unknowns + len(e.ideal)
        self._smooth = e.incidence[:, : self._n_smooth].tocsc()
        self._ideal = e.incidence[:, self._n_smooth :].T.tocsr()
        self._lockstep: _Lockstep | None = None
        self._is_ready = False

    def refresh(self) -> None:
        """Take over conductances that were changed in the equations."""
        self._is_ready = False

    def _get_ready(self) -> None:
        e = self._equations
        self._is_ready = True
        is_symmetric = e.is_reciprocal and self._size == np.count_nonzero(e.unknown >= 0)
        self._is_dense = not is_symmetric and self._size <= _DENSE
        if is_symmetric:
            if self._lockstep is None:
                self._lockstep = _Lockstep(e.matrix, self._smooth)
            self._lockstep.refresh(e.matrix)
            return
        border = sparse.csc_matrix((len(e.ideal),) * 2)
        self._bordered = sparse.bmat([[e.matrix, self._ideal.T], [None, border]], "csc")
        self._rows, self._columns = self._ideal.toarray(), self._smooth
        if self._is_dense:
            self._matrix = self._bordered.toarray()
            self._columns = self._smooth.toarray()

    def error_bound(self, rounding: Floats) -> Floats:
        """Bounds of the errors of the node voltages, volts, (batch,); infinite if there is none.

        Args:
            rounding: (batch, n_x) errors of the equations, at any slopes of the branches.
        """
        inverse = self._system.inverse_bound
        if inverse is None:
            return np.full(len(rounding), np.inf)
        e = self._equations
        of_nodes = inverse[e.unknown[e.unknown >= 0]]
        found: Floats = (rounding @ of_nodes.T).max(1, initial=0.0)
        return found

    def solve(
        self,
        right: Floats,
        constant_amps: Floats,
        siemens: Floats,
        on: NDArray[np.bool_],
        on_volts: Floats,
        offset_volts: Floats,
    ) -> tuple[Floats, Floats]:
        """Solve a batch.

        Args:
            right: (batch, n_x).
            constant_amps: (batch, n_smooth) currents of the tangents at 0 V.
            siemens: (batch, n_smooth) slopes of the tangents.
            on: (batch, n_ideal) which ideal branches conduct.
            on_volts: (batch, n_ideal) what ``N^T x`` of a conducting one is.
            offset_volts: (batch, n_smooth) voltage of a smooth branch at ``x = 0``.

        Returns:
            ``x`` (batch, n_x) and the currents of the ideal branches (batch, n_ideal); NaN
            where the system is singular.
        """
        amps = constant_amps + siemens * offset_volts
        b = right - (self._smooth @ amps.T).T
        on_volts = np.where(on, on_volts, 0.0)
        if not (b.shape[1] or on.shape[1]):
            return b, on_volts
        if not self._system.is_able:
            return self._solve_whole(b, siemens, on, on_volts)
        x, through = self._system.solve(b, siemens, on, on_volts)
        lost = np.flatnonzero(~self._holds(x, through, b, siemens))
        if lost.size:
            x[lost], through[lost] = self._solve_whole(
                b[lost], siemens[lost], on[lost], on_volts[lost]
            )
        return x, through

    def _holds(self, x: Floats, through: Floats, b: Floats, siemens: Floats) -> NDArray[np.bool_]:
        """(batch,) whether all equations are met to rounding."""
        e, m = self._equations, self._n_smooth
        plus, minus = e.branch_ends[:, :m]
        above = np.where(plus >= 0, x[:, plus], 0.0)
        below = np.where(minus >= 0, x[:, minus], 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            amps = np.concatenate([siemens * (above - below), through], 1)
            # Rounding of a drop goes with the voltages, not with their difference.
            sizes = np.concatenate([siemens * (np.abs(above) + np.abs(below)), np.abs(through)], 1)
        left, meeting = left_over(e.matrix, e.branch_ends, x, b, amps, sizes)
        # Nothing that is not finite holds.
        held: NDArray[np.bool_] = np.all(np.abs(left) <= _EXACT * (meeting + np.abs(b)), axis=1)
        return held

    def _solve_whole(
        self, right: Floats, siemens: Floats, on: NDArray[np.bool_], on_volts: Floats
    ) -> tuple[Floats, Floats]:
        """All unknowns at once, with row pivots unless the matrix is symmetric."""
        if not self._is_ready:
            self._get_ready()
        b = np.concatenate([right, on_volts], 1)
        n = self._equations.n_unknowns
        if self._lockstep is not None:
            return self._lockstep.solve(siemens, b), b[:, n:]
        solve = self._solve_dense if self._is_dense else self._solve_sparse
        solution = solve(siemens, on, b)
        return solution[:, :n], solution[:, n:]

    def _solve_dense(self, siemens: Floats, on: NDArray[np.bool_], b: Floats) -> Floats:
        n = self._equations.n_unknowns
        j = np.repeat(self._matrix[None], len(b), axis=0)
        if self._n_smooth:
            scaled = self._columns[None] * siemens[:, None, :]
            j[:, :n, :n] += scaled @ self._columns.T
        for k in range(on.shape[1]):
            j[on[:, k], n + k, :n] = self._rows[k]
            j[~on[:, k], n + k, n + k] = 1.0
        try:
            return np.linalg.solve(j, b[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            out = np.full_like(b, np.nan)
            for k in range(len(b)):
                try:
                    out[k] = np.linalg.solve(j[k], b[k])
                except np.linalg.LinAlgError:
                    continue
            return out

    def _solve_sparse(self, siemens: Floats, on: NDArray[np.bool_], b: Floats) -> Floats:
        out = np.full_like(b, np.nan)
        for k in range(len(b)):
            top = self._smooth @ sparse.diags(siemens[k]) @ self._smooth.T
            chosen = sparse.diags(on[k].astype(float)) @ self._ideal
            open_ = sparse.diags((~on[k]).astype(float))
            j = self._bordered + sparse.bmat([[top, None], [chosen, open_]], "csc")
            try:
                out[k] = linalg.splu(j.tocsc()).solve(b[k])
            except RuntimeError:  # exactly singular
                continue
        return out


class _Lockstep:
    """``(A + N diag(g) N^T) x = b`` for symmetric ``A``, through :class:`LockstepFactor`."""

    def __init__(self, matrix: sparse.csc_matrix, incidence: sparse.csc_matrix) -> None:
        n = matrix.shape[0]
        touched = abs(matrix) + abs(incidence) @ abs(incidence).T + sparse.identity(n)
        pattern = touched.tocsc()
        self._factor = LockstepFactor(pattern)
        coo = pattern.tocoo()
        self._rows, self._columns = coo.row[self._factor.entries], coo.col[self._factor.entries]
        self._spread = _spread(incidence, self._rows, self._columns)
        self.refresh(matrix)

    def refresh(self, matrix: sparse.csc_matrix) -> None:
        base = matrix.tocsr()[self._rows, self._columns]
        self._base = np.asarray(base, float).reshape(-1, 1)

    def solve(self, siemens: Floats, b: Floats) -> Floats:
        values = self._base + self._spread @ siemens.T
        found: Floats = self._factor.solve(np.ascontiguousarray(values), b.T.copy()).T
        return found


def _spread(
    incidence: sparse.csc_matrix, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> sparse.csr_matrix:
    """(n_entries, n_branches): what each branch's conductance adds to each stored entry.

    ``rows`` and ``columns`` are the places of the entries, one of each symmetric pair.
    """
    n, n_branches = incidence.shape
    counts = np.diff(incidence.indptr)
    # A branch ends at one unknown node or at two.
    first = incidence.indptr[:-1]
    last = first + np.maximum(counts, 1) - 1
    some, pairs = np.flatnonzero(counts > 0), np.flatnonzero(counts > 1)
    at, signs = incidence.indices, incidence.data
    a, b = first[some], last[pairs]
    from_, to = np.concatenate([a, b, first[pairs]]), np.concatenate([a, b, last[pairs]])
    low, high = np.minimum(at[from_], at[to]), np.maximum(at[from_], at[to])
    stored = np.minimum(rows, columns) * n + np.maximum(rows, columns)
    order = np.argsort(stored)
    place = order[np.searchsorted(stored, low.astype(np.intp) * n + high, sorter=order)]
    values = signs[from_] * signs[to]
    branch = np.concatenate([some, pairs, pairs])
    return sparse.csr_matrix((values, (place, branch)), (rows.size, n_branches))
