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
from hil.errors import SettleError
from sim_backend.nodal.dense_solve import factorise, replace_right, substitute
from sim_backend.nodal.junction_law import evaluate

__all__ = ["Capacitances"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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
        return _on_their_way(self._begin, self._end, self._tau, now_seconds - self._since)

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

        Raises:
            SettleError: a net hangs on nothing that conducts.
        """
        nets, label = self.nets, reduction.label[self.nets]
        begin = _shared(self.volts(now_seconds), self._farads, label)
        end = net_volts[nets]
        if _moves(begin, end):
            held, ports = label == reduction.label[0], reduction.port[nets]
            circuit = reduction.ports, reduction.amplifiers, branches, state
            siemens = np.full(nets.size, self._leak)
            if not _seen_siemens(*circuit, ports, held, siemens):
                raise SettleError(
                    "a node with capacitance hangs on nothing that conducts, so that it never "
                    "settles; check the wiring and the switches that are closed"
                )
            self._tau = _sums(self._farads, label) / siemens
        # A held net follows its source at once.
        self._begin = np.where(self._tau > 1.0 / _HELD_SIEMENS, begin, end)
        self._end, self._since = end, now_seconds
        return self._begin


@njit(cache=True, error_model="numpy")
def _on_their_way(begin: Floats, end: Floats, tau: Floats, gone_seconds: float) -> Floats:
    found = end.copy()
    for k in range(found.size):
        if tau[k] > 0.0:
            found[k] += (begin[k] - end[k]) * np.exp(-gone_seconds / tau[k])
    return found


@njit(cache=True, error_model="numpy")
def _sums(values: Floats, label: Ints) -> Floats:
    """Sums over the nets that are joined."""
    found = np.empty(values.size)
    for k in range(values.size):
        total = 0.0
        for other in range(values.size):
            if label[other] == label[k]:
                total += values[other]
        found[k] = total
    return found


@njit(cache=True, error_model="numpy")
def _shared(volts: Floats, farads: Floats, label: Ints) -> Floats:
    """Nets that were joined share their charge."""
    return _sums(farads * volts, label) / _sums(farads, label)


@njit(cache=True, error_model="numpy")
def _moves(begin: Floats, end: Floats) -> bool:
    for k in range(begin.size):
        if abs(begin[k] - end[k]) > _STILL_VOLTS:
            return True
    return False


@njit(cache=True, error_model="numpy")
def _seen_siemens(
    ports: Ports, amplifiers: Amplifiers, branches: Branches, state: State,
    port: Ints, held: Bools, found: Floats,
) -> bool:  # fmt: skip
    """Conductance seen from each net that has a port, infinite where held; False if none is."""
    jacobian = _jacobian(ports, amplifiers, branches, state)
    n = len(jacobian)
    matrix, order, volts = np.zeros((n, n + 1)), np.zeros(n, np.int64), np.zeros(n)
    matrix[:, :n] = jacobian
    if not factorise(matrix, order, False):
        return False
    right = np.zeros(n)
    for k in range(port.size):
        if port[k] >= 0:
            right[:] = 0.0
            right[port[k]] = 1.0
            replace_right(matrix, order, False, right)
            substitute(matrix, volts)
            found[k] = 1.0 / max(volts[port[k]], 1.0 / _HELD_SIEMENS)
        elif held[k]:
            found[k] = np.inf
    return True


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
