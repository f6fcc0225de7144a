"""What is known of a solved crossbar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.inputs import Floats, Planes
from sim_backend.memristors.conduction import Conduction, Linear

__all__ = ["CrossbarSolution"]


@dataclass(frozen=True, eq=False)
class CrossbarSolution:
    """Voltages and currents of a batch of examples.

    Attributes:
        column_amps: (batch, cols) out of the grounded column ends.
        row_amps: (batch, rows) from the drivers into the rows.
        word_volts: (batch, rows, cols) where each device meets its word line.
        bit_volts: (batch, rows, cols) where it meets its bit line.
        ok: (batch,) converged; always so where devices are linear.
        row_volts: (batch, rows) as given.
        planes: conductances (rows, cols) of devices, word segments and bit segments.
        conduction: curve of the devices.
    """

    column_amps: Floats
    row_amps: Floats
    word_volts: Floats
    bit_volts: Floats
    ok: NDArray[np.bool_]
    row_volts: Floats
    planes: Planes
    conduction: Conduction

    @cached_property
    def device_amps(self) -> Floats:
        """(batch, rows, cols) through the devices, from word to bit line."""
        drop_volts = self.word_volts - self.bit_volts
        return self.conduction.amps(drop_volts, self.planes[0])

    @cached_property
    def error_estimate(self) -> Floats:
        """(batch,) how exact the currents are, relative to the largest one.

        The largest difference, over all lines, between the current at the end of a line and what
        node voltages say it is.  The two are found by different routes, one through the reduced
        network, one through substitution, so that an error in either shows.  Node voltages give
        the current twice: as that through the line's last segment, which is rounding noise where
        wires conduct well, and as the sum of the currents of its devices, which is where devices
        do.  The better one counts where devices are linear; where they have a curve, only their
        own count can tell whether the curve is met.  Infinite where ``ok`` is False.
        """
        ends = np.concatenate([self.row_amps, self.column_amps], axis=1)
        with np.errstate(over="ignore", invalid="ignore"):  # Where it has not converged.
            return np.where(self.ok, self._gaps(ends), np.inf)

    def _gaps(self, ends: Floats) -> Floats:
        """Largest difference of each example, of lines' (batch, rows + cols) currents."""
        amps = self.device_amps
        devices = np.concatenate([amps.sum(axis=2), amps.sum(axis=1)], axis=1)
        gaps = np.abs(ends - devices)
        if isinstance(self.conduction, Linear):
            gaps = np.minimum(gaps, np.abs(ends - self._last_amps()))
        scale = np.abs(ends).max(axis=1)
        found: Floats = gaps.max(axis=1) / np.where(scale > 0.0, scale, 1.0)
        return found

    def _last_amps(self) -> Floats:
        """(batch, rows + cols) through the segments at drivers and column ends."""
        _, words, bits = self.planes
        first = (self.row_volts - self.word_volts[:, :, 0]) * words[:, 0]
        last: Floats = np.concatenate([first, self.bit_volts[:, -1] * bits[-1]], axis=1)
        return last
