"""What this package asks of a solver of one crossbar."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["MakesPorts", "Ports"]

Floats = NDArray[np.float64]


class Ports(Protocol):
    """A crossbar between the drivers of its word lines and the nodes that its bit lines end in."""

    def update(self, conductance_siemens: Floats) -> None:
        """Change the devices, (rows, columns)."""
        ...

    def admittance(self) -> Floats:
        """(rows + columns, rows + columns) siemens: amps into the ports per volt at them."""
        ...

    def interior(self, port_volts: Floats) -> tuple[Floats, Floats]:
        """Volts at both ends of every device, each (batch, rows, columns).

        Args:
            port_volts: (batch, rows + columns).
        """
        ...


class MakesPorts(Protocol):
    """Makes the ports of a crossbar, such as :class:`sim_backend.crossbar.ports.CrossbarPorts`."""

    def __call__(self, conductance_siemens: Floats, word_ohms: float, bit_ohms: float) -> Ports:
        """Of (rows, columns) devices and segments of so many ohms, which may be 0."""
        ...
