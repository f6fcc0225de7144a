"""The linear circuits of Newton's method, dense or sparse by size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from sim_backend.nodal.assembly import Equations

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
        self._is_dense = self._size <= _DENSE
        if self._is_dense:
            self._matrix = self._bordered.toarray()
            self._columns = self._smooth.toarray()
            self._rows = self._ideal.toarray()

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
        solve = self._solve_dense if self._is_dense else self._solve_sparse
        solution = solve(siemens, on, b)
        n = self._equations.n_unknowns
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
