"""One circuit, solved for many levels of its sources; see ``newton`` for how."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.assembly import Equations
from sim_backend.nodal.blas import one_thread
from sim_backend.nodal.compiled import CompiledNewton
from sim_backend.nodal.elements import Circuit
from sim_backend.nodal.finish import Finisher
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, Branches, Junctions
from sim_backend.nodal.linear import LinearSolver
from sim_backend.nodal.newton import Newton, NewtonOptions, Solution
from sim_backend.nodal.port_system import PortSystem

__all__ = ["NewtonOptions", "Solution", "Solver"]

Floats = NDArray[np.float64]


class Solver:
    """Solves one circuit for many levels of its sources.

    Args:
        circuit: what to solve; checked and assembled here, once.
        options: convergence.
        volts_per_kelvin: ``k / q``; simulators differ in the sixth digit.

    Raises:
        CircuitError: see :func:`sim_backend.nodal.checks.check_parts`.
    """

    def __init__(
        self,
        circuit: Circuit,
        options: NewtonOptions | None = None,
        volts_per_kelvin: float = BOLTZMANN_OVER_CHARGE,
    ) -> None:
        self.equations = equations = Equations(circuit)
        self.options = options or NewtonOptions()
        # Gmin is part of the matrix already.
        junctions = Junctions(equations.junctions, circuit.kelvin, 0.0, volts_per_kelvin)
        self._branches = Branches(junctions, equations.curves, equations.ideal)
        with one_thread():
            self._system = PortSystem(equations)
        self._linear = LinearSolver(equations, self._system)
        self._compiled = CompiledNewton(equations, self._system, junctions)
        self._finisher = Finisher(equations, self._branches, self._linear, circuit.gmin_siemens)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, ground left out; inner nodes of diodes (``d#inner``) last."""
        return self.equations.nodes

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of voltage sources, then of current sources."""
        return self.equations.sources

    def set_resistors(self, siemens: Floats) -> None:
        """Change the conductances of all resistors; solutions found before stay as they are.

        Args:
            siemens: (n_resistors,) in the order of ``equations.parts``: single resistors in
                their order, then the groups.

        Raises:
            CircuitError: one is negative or not finite, or a node floats.
            ValueError: their number is wrong.
        """
        self.equations.set_resistors(siemens)
        with one_thread():
            self._system.refresh()
        self._linear.refresh()

    def solve(
        self,
        levels: Mapping[str, Floats] | Floats | None = None,
        near: Solution | Floats | None = None,
    ) -> Solution:
        """Operating points.

        Args:
            levels: (batch, n_sources) volts and amps in the order of ``sources``; or levels of
                some sources by name, (batch,), the others at their nominal ones; None for one
                example at nominal levels.
            near: solution of an equally long batch to start from, or node voltages
                (batch, n_nodes), such as those at levels or conductances that differ little.
                An example that does not converge from there starts anew.  Of several operating
                points the nearest is not always the one found.

        Raises:
            ValueError: levels or ``near`` do not fit.
        """
        given = self._levels(levels)
        start = None if near is None else self._start(near, len(given))
        with one_thread():
            newton = Newton(
                self.equations, self._branches, self._linear, self._compiled, self.options, given,
                self._finisher,
            )  # fmt: skip
            newton.run(start)
            return newton.solution()

    def _start(self, near: Solution | Floats, batch: int) -> Floats:
        volts = near.node_volts if isinstance(near, Solution) else near
        if volts.shape != (batch, len(self.nodes)):
            raise ValueError(
                f"near has node voltages {volts.shape}, this batch needs "
                f"{(batch, len(self.nodes))}; start from a state of an equally long batch"
            )
        return volts

    def _levels(self, levels: Mapping[str, Floats] | Floats | None) -> Floats:
        nominal = self.equations.levels
        if levels is None:
            return nominal[None].copy()
        if isinstance(levels, np.ndarray):
            if levels.ndim != 2 or levels.shape[1] != nominal.size or not len(levels):
                raise ValueError(
                    f"levels must be (batch, {nominal.size}), one a source; got {levels.shape}"
                )
            given = levels.astype(float)
        else:
            batch = max((np.size(v) for v in levels.values()), default=1)
            given = np.repeat(nominal[None], batch, axis=0)
            for name, values in levels.items():
                if name not in self.sources:
                    raise ValueError(f"there is no source {name}")
                given[:, self.sources.index(name)] = values
        if not np.isfinite(given).all():
            raise ValueError("a source level is not finite")
        return given
