r"""The linear part of a circuit, seen from its ports: where nonlinear branches end.

With x split into ports and the rest, the rest is eliminated once for all examples, phases and
steps,

.. math::  S = A_{pp} - A_{pr} A_{rr}^{-1} A_{rp}, \qquad c = b_p - A_{pr} A_{rr}^{-1} b_r,
           \qquad x_r = A_{rr}^{-1} (b_r - A_{rp} x_p),

with row pivots, so that branch currents, controlled sources and amplifiers are no exception.
Behind bidirectional amplifiers S is symmetric but for a factor per row (the pseudo-power's
weights); where such factors exist they are found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import linalg

from sim_backend.nodal.assembly import Equations

__all__ = ["Ports", "row_scale"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_MOST_PORTS = 1500
"""A full matrix of more ports is larger than what sparse factors of the whole would need."""

_DENSE_REST = 400
"""Above it the rest is factorised as a sparse matrix."""

_MOST_FOLLOWED = 20_000_000
"""Entries of the full matrix of how the rest follows the ports."""

_SYMMETRY = 1e-11
"""Asymmetry, relative to the diagonal, that counts as rounding."""


class Ports:
    """Reduction of the equations to their ports.

    Attributes:
        kept: places in ``x`` that remain unknowns: the ports, or all if a reduction does not pay.
        rest: the other places.
        matrix: S, (n_kept, n_kept); sparse if nothing was eliminated.
        follow: (n_rest, n_kept) change of the rest per change of the kept ones.

    Args:
        equations: of the circuit.
    """

    def __init__(self, equations: Equations) -> None:
        self._equations = e = equations
        is_plain = e.is_reciprocal and not e.branches
        touched = np.unique(e.incidence.indices).astype(np.intp)
        everything = np.arange(e.n_unknowns)
        few = touched.size <= _MOST_PORTS and not (is_plain and touched.size > _DENSE_REST)
        few &= touched.size * (everything.size - touched.size) <= _MOST_FOLLOWED
        self.kept: Places = touched if few else everything
        self._all = everything
        self.refresh()

    def refresh(self) -> None:
        """Take over the conductances of the equations."""
        if self.kept.size < self._all.size and self._reduce():
            return
        self.kept, self.rest = self._all, self._all[:0]
        self.matrix: sparse.csr_matrix | Floats = self._equations.matrix.tocsr()
        self.follow: Floats = np.zeros((0, self.kept.size))

    def _reduce(self) -> bool:
        """Eliminate the rest; False if its matrix is singular."""
        a, kept = self._equations.matrix, self.kept
        mask = np.ones(a.shape[0], bool)
        mask[kept] = False
        self.rest = np.flatnonzero(mask)
        self._is_dense = self.rest.size <= _DENSE_REST and a.shape[0] <= 2 * _MOST_PORTS
        if self._is_dense:
            full = a.toarray()
            self._across = full[np.ix_(kept, self.rest)]
            self._toward = full[np.ix_(self.rest, kept)]
            own = full[np.ix_(kept, kept)]
            self._lu, self._pivots, info = lapack.dgetrf(full[np.ix_(self.rest, self.rest)])
            if info != 0:
                return False
        else:
            rows, upper = a.tocsr()[self.rest], a.tocsr()[kept]
            self._across, self._toward = upper[:, self.rest], rows[:, kept]
            own = upper[:, kept].toarray()
            try:
                self._factor = linalg.splu(rows[:, self.rest].tocsc())
            except RuntimeError:  # exactly singular
                return False
        toward = self._toward if self._is_dense else self._toward.toarray()
        self.follow = -self._solve_rest(toward)
        self.matrix = own + self._across @ self.follow
        return bool(np.isfinite(self.matrix).all())

    def _solve_rest(self, right: Floats) -> Floats:
        if self._is_dense:
            found: Floats = lapack.dgetrs(self._lu, self._pivots, right)[0]
        else:
            found = self._factor.solve(np.ascontiguousarray(right))
        return found

    def inverse_bound(self, at_ports: Floats) -> Floats:
        """(n_x, n_x) bounds of an inverse of the whole from bounds of that of the ports' matrix."""
        n = self._all.size
        found = np.zeros((n, n))
        found[np.ix_(self.kept, self.kept)] = at_ports
        if self.rest.size:
            alone = np.abs(self._solve_rest(np.eye(self.rest.size)))
            toward = np.abs(self._across @ self._solve_rest(np.eye(self.rest.size)))
            follow = np.abs(self.follow)
            found[np.ix_(self.kept, self.rest)] = at_ports @ toward
            found[np.ix_(self.rest, self.kept)] = follow @ at_ports
            found[np.ix_(self.rest, self.rest)] = alone + follow @ at_ports @ toward
        return found

    @property
    def reach(self) -> float:
        """How much further than the ports the rest may move."""
        return max(1.0, float(np.abs(self.follow).sum(1).max(initial=0.0)))

    def right(self, b: Floats) -> Floats:
        """(batch, n_kept) c from b, (batch, n_x)."""
        if not self.rest.size:
            return b.copy()
        # Transposed twice, examples lie as LAPACK and compiled code want them.
        alone = self._solve_rest(b[:, self.rest].T)
        found: Floats = b[:, self.kept] - (self._across @ alone).T
        return found

    def complete(self, at_kept: Floats, b: Floats) -> Floats:
        """(batch, n_x) all unknowns from those at the ports, (batch, n_kept)."""
        if not self.rest.size:
            return at_kept
        x = np.empty_like(b)
        x[:, self.kept] = at_kept
        left = b[:, self.rest] - (self._toward @ at_kept.T).T
        x[:, self.rest] = self._solve_rest(left.T).T
        return x


def row_scale(matrix: Floats) -> Floats | None:
    """Positive factors of the rows that make a matrix symmetric to rounding, or None."""
    size = np.abs(matrix)
    strength = np.sqrt(np.outer(np.diagonal(size), np.diagonal(size)))
    scale = np.zeros(len(matrix))
    scale[:1] = 1.0
    # Strong entries first: the ratio of weak ones is mostly rounding.
    for least in (1e-2, 1e-5, 1e-8, _SYMMETRY):
        linked = (np.sqrt(size * size.T) > least * strength) & (size > 0.0)
        waiting = np.flatnonzero(scale).tolist()
        while not scale.all():
            if not waiting:
                if least > _SYMMETRY:
                    break
                waiting = [int(np.argmin(scale))]
                scale[waiting] = 1.0
            k = waiting.pop()
            there = linked[k] & (scale == 0.0)
            ratio = scale[k] * matrix[k, there] / matrix[there, k]
            if not (ratio > 0.0).all():
                return None
            scale[there] = ratio
            waiting += np.flatnonzero(there).tolist()
    scaled = scale[:, None] * matrix
    allowed = _SYMMETRY * np.sqrt(np.abs(np.outer(np.diagonal(scaled), np.diagonal(scaled))))
    return scale if (np.abs(scaled - scaled.T) <= allowed).all() else None
