"""The admittance matrix of ports from the conductances between them."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from sim_backend.crossbar.inputs import Floats

__all__ = ["admittance"]

_TILE = 32
"""Rows and columns mirrored at a time: both ends of a tile stay in the cache."""


@njit(cache=True, error_model="numpy", parallel=True)
def _mirror(c: Floats, y: Floats) -> None:
    n = len(c)
    for tile in prange((n + _TILE - 1) // _TILE):
        low, high = tile * _TILE, min(tile * _TILE + _TILE, n)
        # This band's own half, then the other half from the bands below.
        for i in range(low, high):
            for j in range(min(i, low)):
                y[i, j] = -c[i, j]
        for start in range(low, n, _TILE):
            for i in range(start, min(start + _TILE, n)):
                for j in range(low, min(high, i)):
                    y[j, i] = -c[i, j]
                    if start == low:
                        y[i, j] = -c[i, j]
        for i in range(low, high):
            total = 0.0
            for j in range(n):
                if j != i:
                    total -= y[i, j]
            y[i, i] = total


def admittance(conductances: Floats) -> Floats:
    """Currents into ports for 1 V at one and 0 V at the others, (n, n).

    Args:
        conductances: (n, n) between ports, of which the part below the diagonal is read.
    """
    found: Floats = np.empty_like(conductances)
    _mirror(conductances, found)
    return found
