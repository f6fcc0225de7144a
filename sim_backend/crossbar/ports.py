"""A crossbar seen from outside: from its row drivers' terminals and its column ends."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sim_backend.crossbar.factor import Factor
from sim_backend.crossbar.inputs import ChangingPlanes, Floats, voltages

__all__ = ["CrossbarPorts"]


class CrossbarPorts:
    """The linear network between ``rows + cols`` terminals, rows first; none is grounded.

    Args:
        conductance_siemens: (rows, cols) of the devices, 0 for an open one.
        word_ohms: a number, or (rows, cols): segment j of a row lies before its device j, the
            first one at the row's terminal.
        bit_ohms: a number, or (rows, cols): segment i of a column lies after its device i, the
            last one at the column's terminal.

    Raises:
        ValueError: an argument does not fit, is negative or not finite.
    """

    def __init__(
        self, conductance_siemens: ArrayLike, word_ohms: ArrayLike, bit_ohms: ArrayLike
    ) -> None:
        self._planes = ChangingPlanes(conductance_siemens, word_ohms, bit_ohms)
        self._factor = Factor(self._planes.planes)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._factor.rows, self._factor.cols

    def update(self, conductance_siemens: ArrayLike) -> None:
        """Change the devices; wires and memory stay, which is quicker than a new object.

        Raises:
            ValueError: the conductances do not fit, are negative or not finite.
        """
        self._factor.update(self._planes.update(conductance_siemens))

    def admittance(self) -> Floats:
        """(rows + cols, rows + cols) siemens: currents into the ports are ``admittance @ volts``.

        Symmetric; off the diagonal nothing is positive and every entry is accurate relative to
        itself; each row adds up to 0.
        """
        return self._factor.admittance_siemens()

    def interior(self, port_volts: ArrayLike) -> tuple[Floats, Floats]:
        """Node voltages of word lines and of bit lines, (batch, rows, cols) each.

        Args:
            port_volts: (batch, rows + cols).

        Raises:
            ValueError: the voltages do not fit or are not finite.
        """
        return self._factor.volts(self._checked(port_volts))

    def drop_products(
        self, first_volts: ArrayLike, second_volts: ArrayLike | None = None
    ) -> Floats:
        """Batch-summed products of each device's drops at two sets of port voltages, volts squared.

        With one set, the sums of squares.  The difference of two phases is had without
        cancellation, and in one go, as the products of their differences and their sums:
        ``a^2 - b^2 = (a - b)(a + b)``.

        Args:
            first_volts: (batch, rows + cols).
            second_volts: likewise, as many examples.

        Returns:
            (rows, cols).

        Raises:
            ValueError: the voltages do not fit or are not finite.
        """
        first = self._checked(first_volts)
        second = None if second_volts is None else self._checked(second_volts)
        if second is not None and len(second) != len(first):
            raise ValueError(f"{len(first)} examples and {len(second)}; give equally many")
        return self._factor.drop_products(first, second)

    def _checked(self, port_volts: ArrayLike) -> Floats:
        rows, cols = self.shape
        return voltages(port_volts, rows + cols, "port_volts", f"{rows} rows, then {cols} columns")
