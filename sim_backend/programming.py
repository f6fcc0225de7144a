"""Ideal programming, as substrates have it that keep their conductances in :class:`Devices`."""

from __future__ import annotations

from typing import Protocol

from hil.arrays import Floats, IntArray
from hil.substrate import SubstrateSpec
from sim_backend.devices import Devices

__all__ = ["Programmed", "ProgramsIdeally"]


class Programmed(Protocol):
    """What a substrate must have for :class:`ProgramsIdeally`."""

    spec: SubstrateSpec
    _devices: Devices

    def _check_open(self) -> None: ...

    def _program(self) -> None:
        """Take the conductances of the devices over into what is solved."""
        ...

    def adjust(self, delta_siemens: Floats) -> None:
        """See :class:`ProgramsIdeally`."""
        ...


class ProgramsIdeally:
    """Mixin: adjusts, reads and loads conductances and counts writes; to stand before Substrate."""

    def _pulse(self: Programmed, counts: IntArray) -> None:
        self.adjust(counts * self.spec.pulse_siemens)

    def adjust(self: Programmed, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        self._devices.adjust(delta_siemens)
        self._program()

    def read_conductance(self: Programmed) -> Floats:
        """(n_devices,) siemens, a copy."""
        self._check_open()
        return self._devices.siemens.copy()

    def load_conductance(self: Programmed, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        self._devices.load(conductance_siemens)
        self._program()

    def write_counts(self: Programmed) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._check_open()
        return self._devices.write_counts()

    def load_write_counts(self: Programmed, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._devices.load_write_counts(counts)
