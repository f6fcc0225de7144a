"""Conductances that can be programmed within a window, and the count of their writes."""

from __future__ import annotations

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray
from hil.errors import ConfigurationError, UsageError

__all__ = ["Devices", "WriteCounts", "check_change", "check_in_window", "check_one_a_device"]

_DOUBLE: np.dtype[np.floating] = np.dtype(np.float64)


class WriteCounts:
    """Programming events that changed a conductance, one counter a device.

    Args:
        n_devices: how many.
    """

    def __init__(self, n_devices: int) -> None:
        self._counts: IntArray = np.zeros(n_devices, np.int64)

    def add(self, events: AnyArray) -> None:
        """Count (n_devices,) events, of 0 and 1 or truth values."""
        self._counts += events

    def add_at(self, devices: IntArray) -> None:
        """Count one event each at (m,) devices, none of them twice."""
        self._counts[devices] += 1

    def read(self) -> IntArray:
        """(n_devices,) events, a copy."""
        return self._counts.copy()

    def load(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        check_one_a_device("counts", counts, self._counts.size, "iu")
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < 2**62:
            raise UsageError("a write count is negative or absurdly large")
        self._counts[:] = counts


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
        self._writes = WriteCounts(start.size)

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        check_change(delta_siemens, self.siemens.size)
        moved = np.clip(self.siemens + delta_siemens, *self.window_siemens)
        self._writes.add(moved != self.siemens)
        self.siemens = moved

    def load(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self.siemens = check_in_window(conductance_siemens, self.siemens.size, self.window_siemens)

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance, a copy."""
        return self._writes.read()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._writes.load(counts)


def check_change(delta_siemens: Floats, n_devices: int) -> None:
    """Require (n_devices,) changes.

    Raises:
        UsageError: wrong shape or a value that is not finite.
    """
    check_one_a_device("delta_siemens", delta_siemens, n_devices, "f")
    if not np.isfinite(delta_siemens).all():
        raise UsageError("a conductance change is not finite; nothing was programmed")


def check_in_window(
    conductance_siemens: Floats,
    n_devices: int,
    window_siemens: tuple[float, float],
    dtype: np.dtype[np.floating] = _DOUBLE,
) -> Floats:
    """The values in ``dtype``, a copy; in it they are compared with the window.

    Raises:
        UsageError: wrong shape, or a value outside the window or not finite.
    """
    check_one_a_device("conductance_siemens", conductance_siemens, n_devices, "f")
    low, high = (dtype.type(g) for g in window_siemens)
    given = conductance_siemens.astype(dtype)
    outside = np.flatnonzero(~((given >= low) & (given <= high)))
    if outside.size:
        raise UsageError(
            f"{outside.size} conductances are not within the window [{low:.6g}, {high:.6g}] S, "
            f"the first at device {outside[0]}: {given[outside[0]]:.6g} S; nothing was loaded"
        )
    return given


def check_one_a_device(name: str, values: AnyArray, n_devices: int, kinds: str) -> None:
    """Require (n_devices,) values of one of the ``kinds`` of dtype.

    Raises:
        UsageError: wrong shape or kind.
    """
    if values.shape != (n_devices,) or values.dtype.kind not in kinds:
        wanted = "floating-point values" if kinds == "f" else "integers"
        raise UsageError(
            f"{name} must be {n_devices} {wanted}, one a device; "
            f"got {values.dtype} of shape {values.shape}"
        )
