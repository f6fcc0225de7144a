"""Crossbars with wire resistance, linear or with devices that have a curve."""

from __future__ import annotations

from typing import Literal, cast, overload

import numpy as np
from numpy.typing import ArrayLike

from sim_backend.crossbar.factor import Factor
from sim_backend.crossbar.inputs import ChangingPlanes, Floats, planes_of, voltages
from sim_backend.crossbar.newton import settle
from sim_backend.crossbar.solution import CrossbarSolution
from sim_backend.memristors.conduction import Conduction, Linear
from sim_backend.nodal.blas import one_thread

__all__ = ["Crossbar", "NotConvergedError", "solve_crossbar"]


class NotConvergedError(ArithmeticError):
    """No solution was found for some examples.

    Attributes:
        examples: their numbers.
    """

    def __init__(self, examples: list[int]) -> None:
        self.examples = examples
        super().__init__(
            f"examples {examples[:5]}{' and more' if len(examples) > 5 else ''} did not converge, "
            "most likely because the devices' curve rises too steeply at these voltages; "
            "lower them, or ask for details=True and leave out what is not ok"
        )


class Crossbar:
    """A crossbar that is factorised once and solved for many inputs.

    Rows are driven at their first column, columns grounded at their last row.

    Args:
        conductance_siemens: (rows, cols) of the devices (at 0 V where they have a curve); 0 for an
            open one.
        word_ohms: a number, or (rows, cols): segment j of a row lies before its device j, the
            first one between driver and first device.
        bit_ohms: a number, or (rows, cols): segment i of a column lies after its device i, the
            last one between last device and ground.
        conduction: curve of the devices.
        updatable: keep all intermediate matrices, so that :meth:`update` redoes only what depends
            on the devices that have changed.  They take about 1.6 kB a device.

    Raises:
        ValueError: an argument does not fit, is negative or not finite.
        TypeError: the curve is none.
    """

    def __init__(
        self,
        conductance_siemens: ArrayLike,
        word_ohms: ArrayLike,
        bit_ohms: ArrayLike,
        *,
        conduction: Conduction | None = None,
        updatable: bool = False,
    ) -> None:
        self._conduction = _curve(conduction)
        self._changing = ChangingPlanes(conductance_siemens, word_ohms, bit_ohms)
        self._factor = Factor(self._changing.planes, is_updatable=updatable)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._factor.rows, self._factor.cols

    def update(self, conductance_siemens: ArrayLike) -> None:
        """Change the devices; solutions found before stay as they are.

        Raises:
            ValueError: the conductances do not fit, are negative or not finite.
        """
        self._factor.update(self._changing.update(conductance_siemens))

    def solve(self, row_volts: ArrayLike) -> CrossbarSolution:
        """Voltages and currents everywhere.

        Args:
            row_volts: (batch, rows).

        Raises:
            ValueError: the voltages do not fit or are not finite.
        """
        rows, cols = self.shape
        planes = self._changing.planes
        volts = voltages(row_volts, rows, "row_volts", f"one a row, and there are {rows}")
        ports = np.concatenate([volts, np.zeros((len(volts), cols))], axis=1)
        if isinstance(self._conduction, Linear):
            words, bits = self._factor.volts(ports)
            amps = self._factor.port_amps(volts)
            ok = np.ones(len(volts), bool)
        else:
            words, bits, amps, ok = settle(self._factor, planes, self._conduction, ports)
        return CrossbarSolution(
            -amps[:, rows:], amps[:, :rows], words, bits, ok, volts, planes, self._conduction
        )


def _curve(conduction: object) -> Conduction:
    if conduction is None:
        return Linear()
    methods = (getattr(conduction, name, None) for name in ("amps", "slope_siemens"))
    if isinstance(conduction, type) or not all(map(callable, methods)):
        raise TypeError(
            f"conduction is {conduction!r}, which is no curve; give an object such as Cubic(0.2) "
            "or Sinh(3.0) of sim_backend.memristors.conduction"
        )
    return cast("Conduction", conduction)


@overload
def solve_crossbar(
    conductance_siemens: ArrayLike,
    row_volts: ArrayLike,
    word_ohms: ArrayLike,
    bit_ohms: ArrayLike,
    *,
    conduction: Conduction | None = None,
    details: Literal[False] = False,
) -> Floats: ...
@overload
def solve_crossbar(
    conductance_siemens: ArrayLike,
    row_volts: ArrayLike,
    word_ohms: ArrayLike,
    bit_ohms: ArrayLike,
    *,
    conduction: Conduction | None = None,
    details: Literal[True],
) -> CrossbarSolution: ...
def solve_crossbar(
    conductance_siemens: ArrayLike,
    row_volts: ArrayLike,
    word_ohms: ArrayLike,
    bit_ohms: ArrayLike,
    *,
    conduction: Conduction | None = None,
    details: bool = False,
) -> Floats | CrossbarSolution:
    """Currents of a crossbar with wire resistance.

    Rows are driven at their first column, columns grounded at their last row.  To solve one
    crossbar for several batches, make a :class:`Crossbar`.

    Args:
        conductance_siemens: (rows, cols) of the devices (at 0 V where they have a curve); 0 for an
            open one.
        row_volts: (batch, rows).
        word_ohms: a number, or (rows, cols): segment j of a row lies before its device j, the
            first one between driver and first device; 0 for an ideal wire.
        bit_ohms: a number, or (rows, cols): segment i of a column lies after its device i, the
            last one between last device and ground.
        conduction: curve of the devices, see :mod:`sim_backend.memristors.conduction`; linear
            unless given.
        details: return voltages and currents everywhere.

    Returns:
        (batch, cols) currents out of the column ends; with ``details`` a
        :class:`CrossbarSolution`.

    Raises:
        ValueError: an argument does not fit, is negative or not finite.
        TypeError: the curve is none.
        NotConvergedError: without ``details``, where devices have a curve.
    """
    if details or not (conduction is None or isinstance(conduction, Linear)):
        solution = Crossbar(conductance_siemens, word_ohms, bit_ohms, conduction=conduction).solve(
            row_volts
        )
        if details:
            return solution
        if not solution.ok.all():
            raise NotConvergedError(np.flatnonzero(~solution.ok).tolist())
        return solution.column_amps
    planes = planes_of(conductance_siemens, word_ohms, bit_ohms)
    rows = len(planes[0])
    volts = voltages(row_volts, rows, "row_volts", f"one a row, and there are {rows}")
    transfer = Factor(planes, is_kept=False).transfer_siemens
    with one_thread():
        found: Floats = volts @ transfer
    return found
