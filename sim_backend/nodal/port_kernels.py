"""A circuit's ports as full matrices: the steps that solutions in compiled code are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["PortArrays", "drop", "fill", "leave", "pin", "take"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class PortArrays(NamedTuple):
    """The linear part S of a circuit with n ports, and where its other branches end.

    Attributes:
        columns: (n, n) transpose of S.
        scaled: (n, n) ``diag(scale) S``, symmetric if ``is_symmetric``.
        scale: (n,).
        is_symmetric: how to factorise.
        ends: (2, n_smooth) ports at which smooth branches begin and end; -1 is a held node.
        ideal: (2, n_ideal) port of each ideal diode, and 1 if its anode is there, else -1.
        first: (n + 1,) junctions between port p and held nodes are ``alone[first[p] :
            first[p + 1]]``.
        alone: see ``first``.
    """

    columns: Floats
    scaled: Floats
    scale: Floats
    is_symmetric: bool
    ends: Ints
    ideal: Ints
    first: Ints
    alone: Ints


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def leave(system: PortArrays, right: Floats, x: Floats, left: Floats) -> None:
    """What is left over of ``right`` by the linear part."""
    n = x.size
    for i in range(n):
        left[i] = right[i]
    for k in range(n):
        column, a = system.columns[k], x[k]
        for i in range(n):
            left[i] -= column[i] * a


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def take(ends: Ints, k: int, amps: float, left: Floats) -> None:
    """Take a branch's current out of what is left over."""
    if ends[0, k] >= 0:
        left[ends[0, k]] -= amps
    if ends[1, k] >= 0:
        left[ends[1, k]] += amps


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def drop(ends: Ints, k: int, x: Floats) -> float:
    """Voltage of a branch with held nodes at 0 V."""
    volts = 0.0
    if ends[0, k] >= 0:
        volts += x[ends[0, k]]
    if ends[1, k] >= 0:
        volts -= x[ends[1, k]]
    return volts


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def fill(system: PortArrays, siemens: Floats, left: Floats, work: Floats) -> None:
    """The scaled system of a step, (n, n + 1): matrix with slopes ``siemens``, and ``left``."""
    scaled, scale, ends = system.scaled, system.scale, system.ends
    n = len(scaled)
    for i in range(n):
        for j in range(i if system.is_symmetric else 0, n):
            work[i, j] = scaled[i, j]
        work[i, n] = scale[i] * left[i]
    for k in range(ends.shape[1]):
        p, m, g = ends[0, k], ends[1, k], siemens[k]
        if p >= 0:
            work[p, p] += scale[p] * g
        if m >= 0:
            work[m, m] += scale[m] * g
        if p >= 0 and m >= 0:
            if system.is_symmetric:
                work[min(p, m), max(p, m)] -= scale[p] * g
            else:
                work[p, m] -= scale[p] * g
                work[m, p] -= scale[m] * g


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def pin(system: PortArrays, on_volts: Floats, x: Floats, on: Bools, work: Floats) -> bool:
    """Make the voltages at conducting ideal diodes known; False if two want the same port.

    Args:
        system: the ports.
        on_volts: (n_ideal,) what ``N^T x`` of a conducting one is.
        x: (n,) where the step starts.
        on: (n_ideal,) which conduct.
        work: see :func:`fill`.
    """
    n, ideal = x.size, system.ideal
    for d in range(ideal.shape[1]):
        if not on[d]:
            continue
        p = ideal[0, d]
        for other in range(d):
            if on[other] and ideal[0, other] == p:
                return False
        step = ideal[1, d] * on_volts[d] - x[p]
        for i in range(n):
            row, column = (min(i, p), max(i, p)) if system.is_symmetric else (i, p)
            if i != p:
                work[i, n] -= work[row, column] * step
                work[row, column] = 0.0
                if not system.is_symmetric:
                    work[p, i] = 0.0
        work[p, p] = system.scale[p]
        work[p, n] = system.scale[p] * step
    return True
