"""Linear circuits at their ports, a batch at a time, in compiled code."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.nodal.dense_solve import factorise, replace_right, substitute
from sim_backend.nodal.port_kernels import PortArrays, drop, fill, leave, pin, take

__all__ = ["solve_dense"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def solve_dense(
    system: PortArrays,
    siemens: Floats,
    on_volts: Floats,
    on: Bools,
    x: Floats,
    through: Floats,
    parts: int,
) -> None:
    """Solve, and refine once.

    Args:
        system: the ports.
        siemens: (batch, n_smooth) conductances of the branches.
        on_volts: (batch, n_ideal) what ``N^T x`` of a conducting ideal diode is.
        on: (batch, n_ideal) which conduct.
        x: (batch, n) right-hand sides, then solutions; NaN where there is none.
        through: (batch, n_ideal) currents of the ideal diodes.
        parts: how many parts the batch is cut into.
    """
    if parts == 1:
        _solve(system, siemens, on_volts, on, x, through)
    else:
        _solve_parts(system, siemens, on_volts, on, x, through, parts)


@njit(cache=True, error_model="numpy", parallel=True)
def _solve_parts(
    system: PortArrays,
    siemens: Floats,
    on_volts: Floats,
    on: Bools,
    x: Floats,
    through: Floats,
    parts: int,
) -> None:
    for part in prange(parts):
        first, stop = part * len(x) // parts, (part + 1) * len(x) // parts
        _solve(
            system, siemens[first:stop], on_volts[first:stop], on[first:stop],
            x[first:stop], through[first:stop],
        )  # fmt: skip


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _solve(
    system: PortArrays, siemens: Floats, on_volts: Floats, on: Bools, x: Floats, through: Floats
) -> None:
    n, ends, ideal = x.shape[1], system.ends, system.ideal
    work, left, order = np.empty((n, n + 1)), np.empty(n), np.empty(n, np.int64)
    right, step = np.empty(n), np.empty(n)
    for b in range(len(x)):
        for i in range(n):
            right[i] = x[b, i]
            x[b, i] = 0.0
        fill(system, siemens[b], right, work)
        good = pin(system, on_volts[b], x[b], on[b], work)
        if not good or not factorise(work, order, system.is_symmetric):
            for i in range(n):
                x[b, i] = np.nan
            continue
        for refinement in range(2):
            if refinement:
                replace_right(work, order, system.is_symmetric, left)
            substitute(work, step)
            for i in range(n):
                x[b, i] += step[i]
            leave(system, right, x[b], left)
            for k in range(ends.shape[1]):
                take(ends, k, siemens[b, k] * drop(ends, k, x[b]), left)
            for d in range(ideal.shape[1]):
                through[b, d] = ideal[1, d] * left[ideal[0, d]] if on[b, d] else 0.0
            for d in range(ideal.shape[1]):
                if on[b, d]:
                    left[ideal[0, d]] = 0.0
            for i in range(n):
                left[i] *= system.scale[i]
