"""Jacobians of a circuit with one more unknown and one more equation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import csgraph, linalg

from sim_backend.nodal.assembly import Equations

__all__ = ["Bordered"]

Floats = NDArray[np.float64]

_DENSE = 250
"""Up to this many unknowns dense factors beat sparse ones."""


class Bordered:
    """Solves with ``[[A + N g N^T + tie, N', c], [-closed N'^T, ohms open, .], [row]]``.

    N' are the ideal branches, whose currents are unknowns.

    Args:
        equations: of the circuit, as they are now.
        n_smooth: how many nonlinear branches are smooth.
        ohms: unit of the equations of ideal diodes.
    """

    def __init__(self, equations: Equations, n_smooth: int, ohms: float) -> None:
        self._ohms = ohms
        self._matrix = sparse.csc_matrix(equations.matrix)
        self._smooth = equations.incidence[:, :n_smooth].tocsc()
        self._ideal = equations.incidence[:, n_smooth:].tocsc()
        self._is_dense = self._matrix.shape[0] + self._ideal.shape[1] < _DENSE
        if self._is_dense:
            parts = self._matrix, self._smooth, self._ideal
            self._full: tuple[Floats, ...] = tuple(part.toarray() for part in parts)

    def solve(
        self,
        siemens: Floats,
        closed: Floats,
        open_: Floats,
        tie: Floats,
        column: Floats,
        row: Floats,
        right: Floats,
    ) -> tuple[Floats, float]:
        """Solution, and the sign of the determinant; NaN and 0 where it is singular.

        Args:
            siemens: (n_smooth,) slopes.
            closed: (n_ideal,) how far an ideal diode is a voltage source.
            open_: (n_ideal,) how far it is open.
            tie: (n_x,) conductances to nodes of their own.
            column: (n_x + n_ideal,) derivatives by the unknown that is added.
            row: (n_x + n_ideal + 1,) the equation that is added.
            right: (n_x + n_ideal + 1,).
        """
        given = siemens, closed, open_, tie, column, row
        with np.errstate(all="ignore"):
            return (
                self._solve_dense(*given, right)
                if self._is_dense
                else self._solve_sparse(*given, right)
            )

    def _solve_dense(
        self, siemens: Floats, closed: Floats, open_: Floats, tie: Floats,
        column: Floats, row: Floats, right: Floats,
    ) -> tuple[Floats, float]:  # fmt: skip
        matrix, smooth, ideal = self._full
        n = len(matrix)
        j = np.zeros((right.size, right.size))
        j[:n, :n] = matrix + (smooth * siemens) @ smooth.T
        j[:n, n:-1], j[n:-1, :n] = ideal, -closed[:, None] * ideal.T
        j[np.arange(n), np.arange(n)] += tie
        at = np.arange(n, right.size - 1)
        j[at, at] = self._ohms * open_
        j[:-1, -1], j[-1] = column, row
        factors, pivots, info = lapack.dgetrf(j)
        if info:
            return np.full_like(right, np.nan), 0.0
        swaps = np.count_nonzero(pivots != np.arange(pivots.size))
        found, _ = lapack.dgetrs(factors, pivots, right)
        return found, float(np.prod(np.sign(factors.diagonal())) * (-1.0) ** swaps)

    def _solve_sparse(
        self, siemens: Floats, closed: Floats, open_: Floats, tie: Floats,
        column: Floats, row: Floats, right: Floats,
    ) -> tuple[Floats, float]:  # fmt: skip
        slopes = self._smooth @ sparse.diags(siemens) @ self._smooth.T
        inner = self._matrix + slopes + sparse.diags(tie)
        if closed.size:
            rows = -sparse.diags(closed) @ self._ideal.T
            inner = sparse.bmat([[inner, self._ideal], [rows, sparse.diags(self._ohms * open_)]])
        j = sparse.bmat([[inner, column[:, None]], [row[None, :-1], row[None, -1:]]], "csc")
        try:
            factors = linalg.splu(j)
        except RuntimeError:  # exactly singular
            return np.full_like(right, np.nan), 0.0
        sign = np.prod(np.sign(factors.U.diagonal()))
        sign *= _parity(factors.perm_r) * _parity(factors.perm_c)
        return factors.solve(right), float(sign)


def _parity(order: NDArray[np.int32]) -> float:
    """1 for an even permutation, -1 for an odd one."""
    n = order.size
    graph = sparse.csr_matrix((np.ones(n), (np.arange(n), order)), (n, n))
    cycles, _ = csgraph.connected_components(graph, directed=True, connection="weak")
    return float((-1.0) ** (n - cycles))
