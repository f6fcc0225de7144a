"""Ideal programming of devices whose conductances are off by fixed factors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray
from hil.errors import UsageError
from hil.substrate import KeepsState
from sim_backend.chip.wrapper import Inner, Wrapper, kept_inside
from sim_backend.devices import Devices, check_in_window

__all__ = ["SIGMAS", "AdjustableChip", "Pattern"]

SIGMAS = 6.0
"""Factors are cut off at so many standard deviations."""

_PROGRAMMED = "chip/programmed_siemens"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Fixed errors of the devices of one chip.

    Attributes:
        factor: (n_devices,) of the actual conductance on the programmed one.
    """

    factor: AnyArray

    @classmethod
    def draw(cls, spread: float, n: int, rng: np.random.Generator) -> Pattern:
        """Log-normal factors of median 1, with ``spread`` the rms of their logarithm."""
        return cls(np.exp(spread * rng.standard_normal(n).clip(-SIGMAS, SIGMAS)))


class AdjustableChip(Wrapper):
    """Simulated chip on which every device has the programmed conductance times its own factor.

    All that is programmed, loaded, read and counted, and the window, is about the programmed
    values, which are all that a controller without calibration knows: what is read can be loaded
    again and means the same on any chip, so that conductances learnt on one can be written to
    another.  What an ohmmeter would find is :meth:`actual_conductance`.

    Its class is made by :func:`sim_backend.chip.making.chip_around`.

    Args:
        inner: owned; its start conductances, brought into the window, are the programmed ones.
        pattern: errors of the devices.
        window_siemens: (g_min, g_max) of programmed conductances.
    """

    def __init__(self, inner: Inner, pattern: Pattern, window_siemens: tuple[float, float]) -> None:
        spec = dataclasses.replace(
            inner.spec, kind=f"{inner.spec.kind} chip", window_siemens=window_siemens
        )
        super().__init__(inner, spec)
        start = inner.read_conductance()
        self._factor = np.asarray(pattern.factor, np.float64)
        self._devices = Devices(start.astype(np.float64).clip(*window_siemens), window_siemens)
        self._check_seen(
            window_siemens[0] * float(self._factor.min()),
            window_siemens[1] * float(self._factor.max()),
        )
        self._is_loaded = False

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        self._devices.adjust(delta_siemens)
        self._is_loaded = False

    def _pulse(self, counts: IntArray) -> None:
        self.adjust(counts * self.spec.pulse_siemens)

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens as programmed; see the class."""
        self._check_open()
        return self._devices.siemens.copy()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Program (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        self._devices.load(conductance_siemens)
        self._is_loaded = False

    def actual_conductance(self) -> Floats:
        """(n_devices,) siemens that the devices have."""
        self._check_open()
        return self._devices.siemens * self._factor

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._check_open()
        return self._devices.write_counts()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._devices.load_write_counts(counts)

    def state_arrays(self) -> dict[str, AnyArray]:
        """Programmed conductances, and the inner substrate's state."""
        return kept_inside(self._inner) | {_PROGRAMMED: self.read_conductance()}

    def load_state(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what :meth:`state_arrays` gave.

        Raises:
            UsageError: an array is missing or does not fit; nothing was loaded.
        """
        self._check_open()
        if _PROGRAMMED not in arrays:
            raise UsageError(f"the kept state has no {_PROGRAMMED}; nothing was loaded")
        given = check_in_window(
            arrays[_PROGRAMMED], self.spec.topology.n_devices, self.spec.window_siemens
        )
        if isinstance(self._inner, KeepsState):
            self._inner.load_state(arrays)
        self.load_conductance(given)

    def _refresh(self, fluctuating: bool = True) -> None:
        if not self._is_loaded:
            self._inner.load_conductance(self._clipped(self._devices.siemens * self._factor))
            self._is_loaded = True
