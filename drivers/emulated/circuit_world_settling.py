r"""Nodes that take their time: each on its own, :math:`\tau = C / g`.

``g`` is what the rest of the circuit shows a node as conductance, everything else at rest. Nodes
with time constants of one order in truth wait for each other, which this leaves out; nets without
capacitance are taken to be where they will settle at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.emulated.circuit_world_laws import CUBIC, JUNCTION, VOLTS, is_vertical
from drivers.emulated.circuit_world_reduction import Reduction
from drivers.emulated.circuit_world_stamps import Amplifiers, Branches, Ports, State
from sim_backend.nodal.junction_law import evaluate

__all__ = ["Capacitances"]

Floats = NDArray[np.float64]

_HELD_SIEMENS = 1e9
_STILL_VOLTS = 1e-12


class Capacitances:
    """Charges of nets.

    Args:
        farads: to ground, by number of the net.
        leak_siemens: of a net that nothing else discharges.
    """

    def __init__(self, farads: Mapping[int, float], leak_siemens: float) -> None:
        self.nets = np.array(sorted(farads), np.int64)
        self._farads = np.array([farads[net] for net in self.nets.tolist()])
        self._leak = leak_siemens
        n = self.nets.size
        self._begin, self._end, self._tau = np.zeros(n), np.zeros(n), np.zeros(n)
        self._since = 0.0

    def volts(self, now_seconds: float) -> Floats:
        """(n,) voltages of the nets at a time after the last change."""
        gone = now_seconds - self._since
        with np.errstate(divide="ignore"):
            left = np.where(self._tau > 0.0, np.exp(-gone / np.maximum(self._tau, 1e-300)), 0.0)
        found: Floats = self._end + (self._begin - self._end) * left
        return found

    def change(
        self,
        reduction: Reduction,
        branches: Branches,
        state: State,
        net_volts: Floats,
        now_seconds: float,
    ) -> Floats:
        """Another state begins: (n,) voltages of the nets in its first moment.

        Args:
            reduction: of the circuit now; all nets with capacitance are ports or at 0 V.
            branches: of the circuit.
            state: its operating point.
            net_volts: (n_nets,) where it will settle.
            now_seconds: when.
        """
        begin = self._shared(self.volts(now_seconds), reduction)
        end = net_volts[self.nets]
        if np.any(np.abs(begin - end) > _STILL_VOLTS):
            farads = self._sums(self._farads, reduction)
            self._tau = farads / self._siemens(reduction, branches, state)
        # A held net follows its source at once.
        self._begin = np.where(self._tau > 1.0 / _HELD_SIEMENS, begin, end)
        self._end, self._since = end, now_seconds
        return self._begin

    def _sums(self, values: Floats, reduction: Reduction) -> Floats:
        """Sums over the nets that are joined."""
        label = reduction.label[self.nets]
        return np.asarray(np.bincount(label, values)[label], np.float64)

    def _shared(self, volts: Floats, reduction: Reduction) -> Floats:
        """Nets that were joined share their charge."""
        charges = self._sums(self._farads * volts, reduction)
        found: Floats = charges / self._sums(self._farads, reduction)
        return found

    def _siemens(self, reduction: Reduction, branches: Branches, state: State) -> Floats:
        """(n,) conductance seen from each net."""
        matrix = _jacobian(reduction.ports, reduction.amplifiers, branches, state)
        ports = reduction.port[self.nets]
        found = np.full(ports.size, self._leak)
        found[reduction.label[self.nets] == reduction.label[0]] = np.inf
        here = np.flatnonzero(ports >= 0)
        if here.size:
            unit = np.zeros((len(matrix), here.size))
            unit[ports[here], np.arange(here.size)] = 1.0
            ohms = np.linalg.solve(matrix, unit)[ports[here], np.arange(here.size)]
            found[here] = 1.0 / np.maximum(ohms, 1.0 / _HELD_SIEMENS)
        return found


@njit(cache=True, error_model="numpy")
def _jacobian(ports: Ports, amplifiers: Amplifiers, branches: Branches, state: State) -> Floats:
    """Derivatives of the currents out of ports, amplifiers' constraints after them."""
    p, n = len(ports.siemens), amplifiers.near.size
    # One row and column more, to be cut off: that of ground, whose number is -1.
    full = np.zeros((p + n + 1, p + n + 1))
    for i in range(p):
        full[i, i] = ports.ground_siemens[i] + ports.siemens[i].sum()
        full[i, :p] -= ports.siemens[i]
    for k in range(branches.kind.size):
        kind, a, b = branches.kind[k], branches.a[k], branches.b[k]
        slope = 0.0
        if kind == JUNCTION or kind == CUBIC:
            slope = evaluate(state.bias[k], a, b, kind == CUBIC)[1]
        elif is_vertical(kind, state.states[k]):
            ohms = branches.c[k] if kind == VOLTS else 0.0
            slope = 1.0 / max(ohms, 1.0 / _HELD_SIEMENS)
        tail, head = branches.tail[k], branches.head[k]
        full[tail, tail] += slope
        full[tail, head] -= slope
        full[head, head] += slope
        full[head, tail] -= slope
    for i in range(n):
        near, far, row = amplifiers.near[i], amplifiers.far[i], p + i
        full[row, far] += 1.0
        full[row, near] -= amplifiers.forward_gain[i]
        full[far, row] -= 1.0
        full[near, row] += amplifiers.backward_gain[i]
    return full[:-1, :-1]
