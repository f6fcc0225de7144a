"""Operating points of a world, one after the other, each starting from the last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.circuit_world_kernels import settle
from drivers.emulated.circuit_world_reduction import Reduction
from drivers.emulated.circuit_world_relaxing import relax
from drivers.emulated.circuit_world_stamps import Branches, State, copied
from hil.errors import SettleError

__all__ = ["BranchState", "Solving"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 60
_RELAXING_STEPS = 400
_RELAXING = ((1e-3, 0.0), (1e-5, 0.0), (1e-3, 1e-11), (1e-1, 1e-9), (1.0, 1e-7))
"""Ohms in series with ideal sources, and siemens from every port to ground, while it is found out
which sources are at their limits."""


@dataclass(slots=True)
class BranchState:
    """Arrays over all branches, (n,) each; see ``circuit_world_laws``."""

    kind: Ints
    a: Floats
    b: Floats
    c: Floats
    amps: Floats
    states: Ints
    bias: Floats

    @classmethod
    def of(cls, kind: Ints, a: Floats, b: Floats, c: Floats) -> BranchState:
        """Branches at rest."""
        n = kind.size
        return cls(kind, a, b, c, np.zeros(n), np.zeros(n, np.int64), np.zeros(n))

    def append(self) -> None:
        """One more branch, at rest; its parameters are to be set."""
        for name in ("a", "b", "c", "amps", "bias"):
            setattr(self, name, np.append(getattr(self, name), 0.0))
        self.kind, self.states = np.append(self.kind, 0), np.append(self.states, 0)


class Solving:
    """Keeps the last operating point.

    Args:
        branches: parameters, changed from outside, and states, changed here.
        n_nets: of the world, ground included.
        n_amplifiers: of the circuit.

    Attributes:
        net_volts: (n_nets,) of the last operating point.
        n_relaxed: operating points that needed the slow way.
    """

    def __init__(self, branches: BranchState, n_nets: int, n_amplifiers: int) -> None:
        self.branches = branches
        self.net_volts: Floats = np.zeros(n_nets)
        self._delivered = np.zeros(n_amplifiers)
        self.n_relaxed = 0

    def grow(self, n_nets: int) -> None:
        """There are more nets than before; new ones are at 0 V."""
        self.net_volts = np.pad(self.net_volts, (0, n_nets - self.net_volts.size))

    def solve(self, reduction: Reduction, active: Ints) -> State:
        """Operating point with the ``active`` branches.

        Raises:
            SettleError: there is none, or none was found.
        """
        all_ = self.branches
        branches = Branches(
            all_.kind[active], reduction.tail, reduction.head,
            all_.a[active], all_.b[active], all_.c[active],
        )  # fmt: skip
        state = State(
            self.net_volts[reduction.representative],
            all_.amps[active],
            all_.states[active],
            all_.bias[active],
            self._delivered[reduction.in_use],
        )
        if not settle(reduction.ports, branches, reduction.amplifiers, state, _STEPS):
            state = self._relaxed(reduction, branches, state)
        all_.amps[active], all_.states[active] = state.amps, state.states
        all_.bias[active] = state.bias
        self._delivered[reduction.in_use] = state.delivered
        self.net_volts = reduction.volts(state.volts)
        return state

    def _relaxed(self, reduction: Reduction, branches: Branches, state: State) -> State:
        """The way that needs no good start; exact afterwards wherever that is possible."""
        self.n_relaxed += 1
        found: State | None = None
        ports = reduction.ports
        for ohms, leak in _RELAXING:
            tried = copied(state)
            arguments = ports, branches, reduction.amplifiers
            leaking = ports._replace(ground_siemens=ports.ground_siemens + leak)
            if not relax(leaking, *arguments[1:], tried, ohms, _RELAXING_STEPS):
                continue
            exact = copied(tried)
            if settle(*arguments, exact, _STEPS):
                return exact
            # Laws are kept but for the voltage that the current drops in so many ohms.
            found = found or tried
        if found is None:
            raise SettleError(
                "the emulated circuit has no operating point that could be found: sources "
                "without a limit may contradict each other, or amplifiers form a loop; check the "
                "wiring and the switches that are closed"
            )
        return found
