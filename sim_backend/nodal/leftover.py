"""What is left over in the equations, and the terms that meet there, in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["left_over"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def left_over(
    matrix: sparse.csc_matrix,
    ends: Ints,
    x: Floats,
    right: Floats,
    amps: Floats,
    sizes: Floats,
) -> tuple[Floats, Floats]:
    """``A x + N i - b``, and the sum of absolute terms of ``A x`` and ``N i``; (batch, n_x) each.

    Args:
        matrix: A, (n_x, n_x).
        ends: (2, n_branches) places in ``x`` at which branches begin and end, -1 for none.
        x: (batch, n_x).
        right: (batch, n_x) b.
        amps: (batch, n_branches) i.
        sizes: (batch, n_branches) the same without sign, or what i is rounded relative to.
    """
    left, meeting = np.empty(x.shape), np.zeros(x.shape)
    _left_over(
        matrix.indptr, matrix.indices, matrix.data, ends,
        np.ascontiguousarray(x), np.ascontiguousarray(right), np.ascontiguousarray(amps),
        np.ascontiguousarray(sizes), left, meeting,
    )  # fmt: skip
    return left, meeting


@njit(cache=True, error_model="numpy")
def _left_over(
    starts: NDArray[np.int32],
    rows: NDArray[np.int32],
    data: Floats,
    ends: Ints,
    x: Floats,
    right: Floats,
    amps: Floats,
    sizes: Floats,
    left: Floats,
    meeting: Floats,
) -> None:
    for b in range(len(x)):
        for i in range(x.shape[1]):
            left[b, i] = -right[b, i]
        for j in range(x.shape[1]):
            for p in range(starts[j], starts[j + 1]):
                term = data[p] * x[b, j]
                left[b, rows[p]] += term
                meeting[b, rows[p]] += abs(term)
        for k in range(ends.shape[1]):
            plus, minus = ends[0, k], ends[1, k]
            if plus >= 0:
                left[b, plus] += amps[b, k]
                meeting[b, plus] += sizes[b, k]
            if minus >= 0:
                left[b, minus] -= amps[b, k]
                meeting[b, minus] += sizes[b, k]
