r"""Passes over the devices of one crossbar block: currents in, conductances changed.

A device between row ``i`` and column ``j`` sees the drop ``s_i - v_j``.  The gradient of the
co-content is half its square, and the difference between two phases, summed over a batch, is
of low rank:

.. math::  \sum_b \tfrac12\left[(\Delta V^+)^2 - (\Delta V^-)^2\right]
           = r_i + c_j + \sum_k R_{ki} C_{kj}.                          \qquad (3)

So a whole update is one pass: form (3) for a row, move the row, confine it to its window, sum
it, count what changed.  Rows whose inputs are zero skip their products (four pixels of five in
MNIST); dense inputs go through one BLAS product instead.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sim_backend.layered.responses import FAST, Floats

__all__ = ["collect", "currents", "program", "vote", "worth_skipping"]


def worth_skipping(factors: Floats) -> bool:
    """Whether skipping the zeros of ``factors`` (k, n) beats a dense product.

    The skipping kernels cost one vector operation a non-zero entry, BLAS about a quarter of
    one an entry plus a fixed cost of two (measured on two Zen 5 cores, 100 and 1024 columns).
    """
    ranks, rows = factors.shape
    return int(np.count_nonzero(factors)) < (0.25 * ranks + 2.0) * rows


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def collect(conductance: Floats, volts: Floats, chunks: int) -> Floats:
    """Return ``volts @ conductance`` (batch, m), skipping zero entries of ``volts`` (batch, n)."""
    rows, columns = conductance.shape
    batch = volts.shape[0]
    partial = np.zeros((chunks, batch, columns), conductance.dtype)
    for t in prange(chunks):
        mine = partial[t]
        for i in range(t * rows // chunks, (t + 1) * rows // chunks):
            for b in range(batch):
                x = volts[b, i]
                if x != 0.0:
                    for j in range(columns):
                        mine[b, j] += x * conductance[i, j]
    for t in range(1, chunks):
        partial[0] += partial[t]
    return partial[0]


def currents(conductance: Floats, volts: Floats, chunks: int) -> Floats:
    """Short-circuit column currents ``volts @ conductance``, amps, shape (batch, m)."""
    if worth_skipping(volts):
        result: Floats = collect(conductance, volts, chunks)
        return result
    return np.asarray(volts @ conductance)


@njit(cache=True, error_model="numpy", fastmath=FAST, parallel=True)
def program(
    conductance: Floats,
    row_factors: Floats,
    column_factors: Floats,
    row_term: Floats,
    column_term: Floats,
    dense: Floats,
    sign_only: bool,
    step: float,
    window: tuple[float, float],
    changed: NDArray[np.uint8],
    chunks: int,
) -> tuple[Floats, Floats]:
    """Move every device against (3) and confine it; one pass.

    Args:
        conductance: (n, m) siemens, changed in place.
        row_factors: (k, n), ``R``; k = 0 when ``dense`` carries the product.
        column_factors: (k, m), ``C``.
        row_term: (n,), ``r``.
        column_term: (m,), ``c``.
        dense: (n, m) or (0, 0); added to (3).
        sign_only: use the sign of (3) instead of its value.
        step: what (3) or its sign is multiplied with.
        window: (g_min, g_max), siemens.
        changed: (n, m) incremented where a conductance changed.
        chunks: row blocks worked on in parallel; fixes the order of the sums.

    Returns:
        The new row sums (n,) and column sums (m,), siemens.
    """
    rows, columns = conductance.shape
    low, high = window
    row_sums = np.empty(rows, conductance.dtype)
    partial = np.zeros((chunks, columns), conductance.dtype)
    for t in prange(chunks):
        slope = np.empty(columns, conductance.dtype)
        sums = partial[t]
        for i in range(t * rows // chunks, (t + 1) * rows // chunks):
            r = row_term[i]
            for j in range(columns):
                slope[j] = r + column_term[j]
            for k in range(row_factors.shape[0]):
                x = row_factors[k, i]
                if x != 0.0:
                    for j in range(columns):
                        slope[j] += x * column_factors[k, j]
            if dense.size:
                for j in range(columns):
                    slope[j] += dense[i, j]
            if sign_only:
                for j in range(columns):
                    slope[j] = np.sign(slope[j])
            total = slope[0] * 0
            for j in range(columns):
                old = conductance[i, j]
                new = min(max(old - step * slope[j], low), high)
                conductance[i, j] = new
                total += new
                sums[j] += new
                changed[i, j] += new != old
            row_sums[i] = total
    for t in range(1, chunks):
        partial[0] += partial[t]
    return row_sums, partial[0]


@njit(cache=True, error_model="numpy", parallel=True)
def vote(
    rows_first: Floats,
    columns_first: Floats,
    rows_second: Floats,
    columns_second: Floats,
    dead_zone: float,
    votes: NDArray[np.int32],
) -> None:
    """Add one comparison a device and example to ``votes`` (n, m).

    A vote is +1 where the second absolute drop exceeds the first by more than ``dead_zone``
    volts, -1 where it falls short by more, else 0.  Voltages are (batch, n) and (batch, m).
    """
    batch, columns = columns_first.shape
    for i in prange(rows_first.shape[1]):
        for b in range(batch):
            s = rows_first[b, i]
            z = rows_second[b, i]
            for j in range(columns):
                rise = abs(z - columns_second[b, j]) - abs(s - columns_first[b, j])
                votes[i, j] += (rise > dead_zone) - (rise < -dead_zone)
