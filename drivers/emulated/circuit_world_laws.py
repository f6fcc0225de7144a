r"""Branches of the world's circuit: what each kind draws, in compiled code.

A branch lies between two ports, *tail* and *head*; ``u = v[tail] - v[head]`` and ``j`` is what
flows through it from tail to head, so that a source delivers ``-j``.  Parameters ``a, b, c``:

=========  ======================================  ==========================================
kind       law                                     states
=========  ======================================  ==========================================
VOLTS      ``u = a + c j``, delivering at most b   0 held; +1, -1: delivers +b, -b
AMPS       delivers a, ``u`` within ``-b .. b``    0 delivers a; +1, -1: stands at +b, -b
JUNCTION   Shockley: a amps, b thermal, c          none
           critical volts
CUBIC      the same with SPICE's cubic in reverse  none
IDEAL      open below a volts, never above         0 open, 1 conducts
=========  ======================================  ==========================================

All of them are maximal monotone: ``j`` never falls with ``u``.  *Vertical* is a branch whose
voltage is known and whose current is whatever the rest of the circuit makes it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.nodal.junction_law import evaluate

__all__ = [
    "AMPS",
    "CUBIC",
    "IDEAL",
    "JUNCTION",
    "VOLTS",
    "is_vertical",
    "level",
    "next_state",
    "regular",
]

Floats = NDArray[np.float64]

VOLTS, AMPS, JUNCTION, CUBIC, IDEAL = 0, 1, 2, 3, 4

_VOLTS_SLACK = 1e-12
"""Relative to 1 V and to a level: what rounding may move a voltage across its limit."""
_AMPS_SLACK = 1e-12
_LEAST_AMPS = 1e-19


@njit(cache=True, error_model="numpy")
def is_vertical(kind: int, state: int) -> bool:
    """Whether the branch's voltage is known in this state."""
    if kind == 0:
        return state == 0
    return kind != 2 and kind != 3 and state != 0


@njit(cache=True, error_model="numpy")
def level(kind: int, state: int, a: float, b: float) -> float:
    """Voltage of a vertical branch that carries no current."""
    return state * b if kind == 1 else a


@njit(cache=True, error_model="numpy")
def next_state(kind: int, state: int, a: float, b: float, c: float, u: float, j: float) -> int:
    """State that a voltage and a current ask for; the present one where they agree with it."""
    if kind == 0:
        slack = _AMPS_SLACK * b + _LEAST_AMPS if b < np.inf else 0.0
        if state == 0:
            if -j > b + slack:
                return 1
            return -1 if j > b + slack else 0
        room = _VOLTS_SLACK * (1.0 + abs(a))
        return 0 if state * (u - a + state * c * b) > room else state
    if kind == 1:
        if state == 0:
            room = _VOLTS_SLACK * (1.0 + b) if b < np.inf else 0.0
            if u > b + room:
                return 1
            return -1 if u < -b - room else 0
        # Standing at its limit it delivers less than wanted, at the other one more.
        return 0 if state * (j + a) < -(_AMPS_SLACK * abs(a) + _LEAST_AMPS) else state
    if kind == 4:
        if state == 0:
            return 1 if u > a + _VOLTS_SLACK * (1.0 + abs(a)) else 0
        return 0 if j < -_LEAST_AMPS else 1
    return 0


@njit(cache=True, error_model="numpy")
def regular(
    kind: int, a: float, b: float, c: float, u: float, ohms: float
) -> tuple[float, float, int]:
    """Current, slope and state of the law with ``ohms`` in series with all that is vertical."""
    if kind == 0:
        r = max(c, ohms)
        delivered = (a - u) / r
        if delivered > b:
            return -b, 0.0, 1
        if delivered < -b:
            return b, 0.0, -1
        return -delivered, 1.0 / r, 0
    if kind == 1:
        if u > b:
            return -a + (u - b) / ohms, 1.0 / ohms, 1
        if u < -b:
            return -a + (u + b) / ohms, 1.0 / ohms, -1
        return -a, 0.0, 0
    if kind == 4:
        if u > a:
            return (u - a) / ohms, 1.0 / ohms, 1
        return 0.0, 0.0, 0
    amps, siemens = evaluate(u, a, b, kind == 3)
    return amps, siemens, 0
