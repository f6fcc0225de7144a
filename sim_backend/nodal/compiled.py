"""Newton's method in compiled code; what fails there goes the long way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.dense_newton import Batch, iterate_dense
from sim_backend.nodal.laws import Junctions
from sim_backend.nodal.port_system import PortSystem, parts_of_work

__all__ = ["Attempt", "CompiledNewton"]

Floats = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_USUAL_STEPS = 8.0


@dataclass
class Attempt:
    """State of an iteration on a batch; see :class:`sim_backend.nodal.solver.Solver`.

    Attributes:
        x: (batch, n_x) unknowns.
        bias: (batch, n_nonlinear) voltages of the branches that tangents are taken at.
        on: (batch, n_ideal) ideal diodes that conduct.
        amps_ideal: (batch, n_ideal) their currents.
        moved: (batch,) largest change in the last step.
        done: (batch,) converged.
    """

    x: Floats
    bias: Floats
    on: BoolArray
    amps_ideal: Floats
    moved: Floats
    done: BoolArray


class CompiledNewton:
    """Newton's method on the ports of a circuit of junctions and ideal diodes.

    Args:
        equations: of the circuit.
        system: its ports.
        junctions: the laws of its junctions.
    """

    def __init__(self, equations: Equations, system: PortSystem, junctions: Junctions) -> None:
        self._system = system
        self._has_curves = bool(equations.curves)
        cubic = np.array([diode.model.reverse_cubic for diode in equations.junctions], float)
        rows = [junctions.saturation_amps, junctions.thermal_volts, junctions.critical_volts]
        self._laws = np.stack([*rows, cubic])
        self._ideal_volts = np.array([diode.volts for diode in equations.ideal], float)

    @property
    def is_able(self) -> bool:
        """Whether the circuit can be solved here."""
        return self._system.is_able and not self._has_curves

    def iterate(
        self,
        right: Floats,
        offset: Floats,
        start: tuple[Floats, Floats, BoolArray],
        is_cold: bool,
        tolerance: tuple[float, float],
        steps: int,
    ) -> Attempt:
        """Iterate on a batch.

        Args:
            right: (batch, n_x) right-hand sides of equation (1), held nodes accounted for.
            offset: (batch, n_nonlinear) voltages of the branches at ``x = 0``.
            start: ``x``, ``bias`` and ``on`` to start from.
            is_cold: they are not near a solution.
            tolerance: absolute volts, and relative to the largest voltage.
            steps: most steps.
        """
        system, batch = self._system, len(right)
        ports = system.ports
        n = ports.kept.size
        at = np.ascontiguousarray(start[0][:, ports.kept])
        state = Batch(
            np.ascontiguousarray(ports.right(right)), np.ascontiguousarray(offset),
            at, start[1].copy(), start[2].copy(), np.zeros(start[2].shape),
            np.full((batch, n + 1), np.nan), np.zeros(batch, bool),
        )  # fmt: skip
        limits = np.array([tolerance[0] / ports.reach, tolerance[1]])
        parts = parts_of_work(system.operations(batch, _USUAL_STEPS), batch)
        iterate_dense(
            system.arrays, self._laws, self._ideal_volts, state, limits, steps, is_cold, parts
        )
        moved = state.moved
        # What did not converge may be anything.
        with np.errstate(over="ignore", invalid="ignore"):
            x = ports.complete(at, right)
            largest = np.abs(moved).max(1, initial=0.0)
            if ports.rest.size:
                followed = np.abs(moved[:, :n] @ ports.follow.T).max(1, initial=0.0)
                largest = np.maximum(largest, followed)
        small = tolerance[0] + tolerance[1] * np.abs(x).max(1, initial=0.0)
        done = state.settled & (largest <= small)
        return Attempt(x, state.bias, state.on, state.through, largest, done)
