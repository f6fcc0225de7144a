"""A circuit reduced to its ports, as arrays for compiled code."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.dense_linear import solve_dense
from sim_backend.nodal.port_kernels import PortArrays
from sim_backend.nodal.ports import Ports, row_scale
from sim_backend.threads import prepare

__all__ = ["PortSystem", "parts_of_work"]

# The kernels behind the arrays of this module are what loads OpenMP.
prepare()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_FULL = 0.3
"""A matrix with more of its entries stored is factorised as a dense one."""

_DENSE_PIVOTING = 600
"""Up to this many unknowns matrices without symmetry are factorised as dense ones."""

_SERIAL_OPERATIONS = 3e6
"""Work below which a second thread costs more than it saves."""

_PARTS = 16
"""Parts that a batch is cut into; each allocates its scratch once."""


_ROUNDING = 1e-13
"""Of entries of a reduced matrix, relative to its diagonal."""

_MOST_BOUNDED = 1500
"""Unknowns up to which the inverse is bounded entry by entry."""

_SURE = 1e-3
"""Share of the inverse that rounding may make up in a bound of it."""


def parts_of_work(operations: float, batch: int) -> int:
    """How many parts to cut a batch into for several threads; 1 where one thread does better."""
    return 1 if operations < _SERIAL_OPERATIONS else min(batch, _PARTS)


class PortSystem:
    """``(S + N diag(g) N^T) x = c`` on the ports, with ideal diodes open or conducting.

    Attributes:
        ports: the reduction.
        is_able: the matrix is small or full enough, and ideal diodes end at one port each.
        arrays: what compiled code needs, if it is able.

    Args:
        equations: of the circuit.
    """

    def __init__(self, equations: Equations) -> None:
        self._equations = equations
        self.ports = Ports(equations)
        self._take()

    def refresh(self) -> None:
        """Take over the conductances of the equations."""
        self.ports.refresh()
        vars(self).pop("inverse_bound", None)
        self._take()

    def _take(self) -> None:
        e, ports = self._equations, self.ports
        place = np.full(e.n_unknowns + 1, -1)
        place[ports.kept] = np.arange(ports.kept.size)
        plus, minus = place[e.branch_ends]
        shorted = plus == minus
        plus[shorted] = minus[shorted] = -1
        m = len(e.junctions) + len(e.curves)
        ends = np.stack([plus[:m], minus[:m]])
        at = np.where((plus >= 0) != (minus >= 0), np.maximum(plus, minus), -1)[: len(e.junctions)]
        alone = np.argsort(at, kind="stable")
        first = np.searchsorted(at[alone], np.arange(ports.kept.size + 1))
        plus, minus = plus[m:], minus[m:]
        ideal = np.stack([np.where(plus >= 0, plus, minus), np.where(plus >= 0, 1, -1)])
        # Each must have one end at a port and the other one held.
        one_sided = bool(((plus >= 0) != (minus >= 0)).all())
        n = ports.kept.size
        matrix: Any = ports.matrix
        is_reciprocal = e.is_reciprocal and not e.branches
        is_full = bool(not sparse.issparse(matrix) or matrix.nnz >= _FULL * n * n)
        self.is_able = one_sided and (is_full or (not is_reciprocal and n <= _DENSE_PIVOTING))
        if not self.is_able:
            return
        full: Floats = matrix.toarray() if sparse.issparse(matrix) else matrix
        factors = np.ones(n) if is_reciprocal else _find_scale(full, ends)
        scale = np.ones(n) if factors is None else factors
        scaled = scale[:, None] * full
        if factors is not None:
            scaled = 0.5 * (scaled + scaled.T)
        columns = np.ascontiguousarray(full.T)
        self.arrays = PortArrays(
            columns, scaled, scale, factors is not None, ends, ideal, first, alone
        )

    @functools.cached_property
    def inverse_bound(self) -> Floats | None:
        """(n_x, n_x) bounds of the sizes in the inverse, however much the branches conduct.

        Without positive entries off its diagonal a symmetric matrix has an inverse without
        negative ones, which conductances only lower; None for all others.
        """
        if not (self.is_able and self.arrays.is_symmetric and self.arrays.scaled.size):
            return None
        if self._equations.n_unknowns > _MOST_BOUNDED:
            return None
        scaled = self.arrays.scaled
        diagonal = np.diagonal(scaled).copy()
        allowed = _ROUNDING * np.sqrt(np.abs(np.outer(diagonal, diagonal)))
        off = scaled - np.diag(diagonal)
        if not (diagonal > 0.0).all() or (off > allowed).any():
            return None
        root = np.sqrt(diagonal)
        unit = scaled / np.outer(root, root)
        try:
            inverse = np.linalg.inv(unit)
        except np.linalg.LinAlgError:
            return None
        # What rounding made of the matrix must not matter.
        if not np.abs(inverse).sum(1).max() * _ROUNDING < _SURE or inverse.min() < -_SURE:
            return None
        at_ports = np.abs(inverse) / np.outer(root, root) * self.arrays.scale
        return (1.0 + _SURE) * self.ports.inverse_bound(at_ports)

    def operations(self, batch: int, steps: float) -> float:
        """Floating-point operations of factorising a batch some times."""
        return (
            batch * steps * self.ports.kept.size**3 * (1 / 3 if self.arrays.is_symmetric else 2 / 3)
        )

    def solve(
        self, b: Floats, siemens: Floats, on: BoolArray, on_volts: Floats
    ) -> tuple[Floats, Floats]:
        """Solve a batch of linear circuits.

        Args:
            b: (batch, n_x) right-hand sides.
            siemens: (batch, n_smooth) slopes.
            on: (batch, n_ideal) which ideal diodes conduct.
            on_volts: (batch, n_ideal) what ``N^T x`` of a conducting one is.

        Returns:
            ``x`` (batch, n_x) and currents (batch, n_ideal); NaN where it did not work.
        """
        x = np.ascontiguousarray(self.ports.right(b))
        through = np.zeros(on.shape)
        parts = parts_of_work(self.operations(len(b), 1.0), len(b))
        solve_dense(self.arrays, siemens, on_volts, on, x, through, parts)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.ports.complete(x, b), through


def _find_scale(matrix: Floats, ends: Ints) -> Floats | None:
    # Branches between ports must stay symmetric as well: the matrix is tried with some.
    plus, minus = ends
    between = np.flatnonzero((plus >= 0) & (minus >= 0))
    plus, minus = plus[between], minus[between]
    siemens = np.abs(np.diagonal(matrix))
    siemens = np.sqrt(siemens[plus] * siemens[minus])
    tried = matrix.copy()
    for row, column, sign in (
        (plus, plus, 1.0), (minus, minus, 1.0), (plus, minus, -1.0), (minus, plus, -1.0),
    ):  # fmt: skip
        np.add.at(tried, (row, column), sign * siemens)
    return row_scale(tried)
