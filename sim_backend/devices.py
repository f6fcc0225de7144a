"""Conductances that can be programmed within a window, and the count of their writes."""

from __future__ import annotations

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray
from hil.errors import ConfigurationError, UsageError

__all__ = ["Devices"]


class Devices:
    """Ideal programmable resistors on one flat axis.

    Args:
        conductance_siemens: (n_devices,) start values.
        window_siemens: (g_min, g_max) that programming keeps every device in.

    Raises:
        ConfigurationError: a start value lies outside the window.
    """

    def __init__(self, conductance_siemens: Floats, window_siemens: tuple[float, float]) -> None:
        low, high = window_siemens
        start = np.array(conductance_siemens, np.float64)
        outside = np.flatnonzero(~((start >= low) & (start <= high)))
        if outside.size:
            raise ConfigurationError(
                f"the start conductance of device {outside[0]}, {start[outside[0]]:.3g} S, lies "
                f"outside the window {low:.3g}..{high:.3g} S; change the window or the start"
            )
        self.siemens: Floats = start
        self.window_siemens = window_siemens
        self._counts: IntArray = np.zeros(start.size, np.int64)

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check("delta_siemens", delta_siemens, "f")
        if not np.isfinite(delta_siemens).all():
            raise UsageError("a conductance change is not finite; nothing was programmed")
        moved = np.clip(self.siemens + delta_siemens, *self.window_siemens)
        self._counts += moved != self.siemens
        self.siemens = moved

    def load(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check("conductance_siemens", conductance_siemens, "f")
        low, high = self.window_siemens
        given = conductance_siemens.astype(np.float64)
        outside = np.flatnonzero(~((given >= low) & (given <= high)))
        if outside.size:
            raise UsageError(
                f"{outside.size} conductances are not within the window [{low:.6g}, {high:.6g}] S, "
                f"the first at device {outside[0]}: {given[outside[0]]:.6g} S; nothing was loaded"
            )
        self.siemens = given

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance, a copy."""
        return self._counts.copy()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check("counts", counts, "iu")
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < 2**62:
            raise UsageError("a write count is negative or absurdly large")
        self._counts[:] = counts

    def _check(self, name: str, values: AnyArray, kinds: str) -> None:
        if values.shape != self._counts.shape or values.dtype.kind not in kinds:
            wanted = "floating-point values" if kinds == "f" else "integers"
            raise UsageError(
                f"{name} must be {self._counts.size} {wanted}, one a device; "
                f"got {values.dtype} of shape {values.shape}"
            )
