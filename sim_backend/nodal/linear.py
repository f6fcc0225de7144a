"""The linear circuits of Newton's method: symmetric ones in lockstep, others by pivoting LU.

A circuit of resistors, sources and nonlinear branches gives symmetric positive definite matrices of
one pattern, which ``ldl`` factorises a batch at a time.  Controlled sources, amplifiers, sources
that float and ideal diodes need pivots: dense LU for small circuits, sparse LU for large ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.ldl import LockstepFactor

__all__ = ["LinearSolver"]

Floats = NDArray[np.float64]

_DENSE = 300
"""Up to this many unknowns a batch of dense systems beats sparse ones."""


class LinearSolver:
    """Solves ``(A + N diag(g) N^T) x = b - N i0`` with open or closed ideal branches.

    Args:
        equations: of the circuit.
    """

    def __init__(self, equations: Equations) -> None:
        self._equations = e = equations
        self._n_smooth = e.n_nonlinear - len(e.ideal)
        self._size = e.n_unknowns + len(e.ideal)
        smooth, ideal = e.incidence[:, : self._n_smooth], e.incidence[:, self._n_smooth :]
        self._smooth = smooth.tocsc()
        self._bordered = sparse.bmat(
            [[e.matrix, ideal], [None, sparse.csc_matrix((len(e.ideal),) * 2)]], "csc"
        )
        self._ideal = ideal.T.tocsr()
        self._rows, self._columns = self._ideal.toarray(), self._smooth
        self._lockstep: _Lockstep | None = None
        self._choose()

    def _choose(self) -> None:
        e = self._equations
        is_symmetric = e.is_reciprocal and self._size == np.count_nonzero(e.unknown >= 0)
        self._is_dense = not is_symmetric and self._size <= _DENSE
        if is_symmetric:
            self._lockstep = _Lockstep(e.matrix, self._smooth)
        elif self._is_dense:
            self._matrix = self._bordered.toarray()
            self._columns = self._smooth.toarray()

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
        b = np.concatenate([right - (self._smooth @ amps.T).T, np.where(on, on_volts, 0.0)], 1)
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
        rows, columns = coo.row[self._factor.entries], coo.col[self._factor.entries]
        base = matrix.tocsr()[rows, columns]
        self._base = np.asarray(base).ravel()[:, None]
        place = sparse.csr_matrix((np.arange(1, rows.size + 1), (rows, columns)), (n, n))
        place = place + sparse.triu(place.T, 1) + sparse.tril(place.T, -1)
        self._spread = _spread(incidence, place.tocsr(), rows.size)

    def solve(self, siemens: Floats, b: Floats) -> Floats:
        values = self._base + self._spread @ siemens.T
        found: Floats = self._factor.solve(np.ascontiguousarray(values), b.T.copy()).T
        return found


def _spread(
    incidence: sparse.csc_matrix, place: sparse.csr_matrix, n_entries: int
) -> sparse.csr_matrix:
    """(n_entries, n_branches): what each branch's conductance adds to each stored entry."""
    at, branch, sign = [], [], []
    for k in range(incidence.shape[1]):
        part = slice(incidence.indptr[k], incidence.indptr[k + 1])
        nodes, signs = incidence.indices[part], incidence.data[part]
        for a in range(nodes.size):
            for c in range(a + 1):
                at.append(int(place[nodes[a], nodes[c]]) - 1)
                branch.append(k)
                sign.append(signs[a] * signs[c])
    shape = (n_entries, incidence.shape[1])
    return sparse.coo_matrix((sign, (at, branch)), shape).tocsr()
