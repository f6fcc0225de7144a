"""What a crossbar is given, checked and brought into one form."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ChangingPlanes", "Floats", "Planes", "conductances", "currents", "planes_of", "voltages",
]  # fmt: skip

Floats: TypeAlias = NDArray[np.float64]
Planes: TypeAlias = tuple[Floats, Floats, Floats]

_LARGEST = 1e100
"""Largest conductance and resistance; beyond, products of a few of them overflow."""

_AS_GOOD_AS_NONE = 1e22
"""A wire that conducts so much better than every device has no drop that a double could tell, and
neither has one of 0 Ohm: both get this many times the largest conductance of a device."""

_MOST_GROWTH = 1e3
"""By which the largest conductance may grow before such wires are no longer good enough."""


def conductances(values: ArrayLike, shape: tuple[int, int] | None = None) -> Floats:
    """Conductances of devices, (rows, cols), C order.

    Args:
        values: as given.
        shape: if only this one fits.

    Raises:
        ValueError: they are no such array, or one is negative, not finite or beyond 1e100.
    """
    name = "conductance_siemens"
    found = _real(values, name)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name} has shape {found.shape}; give one value a device, (rows, cols)")
    if shape is not None and found.shape != shape:
        raise ValueError(f"{name} has shape {found.shape}, but the crossbar is {shape}")
    _refuse_outside(found, name, "a device that does not conduct has 0 S")
    return np.ascontiguousarray(found)


def planes_of(conductance_siemens: ArrayLike, word_ohms: ArrayLike, bit_ohms: ArrayLike) -> Planes:
    """Conductances (rows, cols) of devices, word segments and bit segments.

    Raises:
        ValueError: an argument does not fit.
    """
    return ChangingPlanes(conductance_siemens, word_ohms, bit_ohms).planes


class ChangingPlanes:
    """Planes of a crossbar whose devices change while its wires stay.

    Args:
        conductance_siemens: (rows, cols) of the devices.
        word_ohms: a number, or (rows, cols).
        bit_ohms: likewise.

    Attributes:
        planes: conductances (rows, cols) of devices, word segments and bit segments.

    Raises:
        ValueError: an argument does not fit.
    """

    def __init__(
        self, conductance_siemens: ArrayLike, word_ohms: ArrayLike, bit_ohms: ArrayLike
    ) -> None:
        devices = conductances(conductance_siemens)
        self._word_ohms = _resistances(word_ohms, "word_ohms", devices.shape)
        self._bit_ohms = _resistances(bit_ohms, "bit_ohms", devices.shape)
        self.planes = self._made(devices)

    def update(self, conductance_siemens: ArrayLike) -> Planes:
        """Planes with other devices; those of wires are the same arrays unless they had to change.

        Raises:
            ValueError: the conductances do not fit.
        """
        devices = conductances(conductance_siemens, self.planes[0].shape)
        if float(devices.max()) > _MOST_GROWTH * self._reference_siemens:
            self.planes = self._made(devices)
        else:
            self.planes = (devices, *self.planes[1:])
        return self.planes

    def _made(self, devices: Floats) -> Planes:
        self._reference_siemens = float(devices.max()) or 1.0
        most = _AS_GOOD_AS_NONE * self._reference_siemens
        words, bits = (
            _wires(ohms, most, devices.shape) for ohms in (self._word_ohms, self._bit_ohms)
        )
        return devices, words, bits


def voltages(values: ArrayLike, width: int, name: str, what: str) -> Floats:
    """Applied voltages, (batch, width), C order.

    Raises:
        ValueError: they are no such array, are none or not finite.
    """
    found = _real(values, name)
    if found.ndim != 2 or found.shape[1] != width:
        hint = f"; for one example give {name}[None]" if found.shape == (width,) else ""
        raise ValueError(f"{name} has shape {found.shape}, not (batch, {width}): {what}{hint}")
    if not len(found):
        raise ValueError(f"{name} holds no examples; give at least one row of voltages")
    if not np.isfinite(found).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(found))[0])
        raise ValueError(f"{name}{list(at)} is {found[at]}; every voltage must be a finite number")
    return np.ascontiguousarray(found)


def currents(values: ArrayLike, shape: tuple[int, ...], name: str) -> Floats:
    """Currents into nodes, C order.

    Raises:
        ValueError: their shape is another, or one is not finite.
    """
    found = _real(values, name)
    if found.shape != shape:
        raise ValueError(f"{name} has shape {found.shape}, not (batch, rows, cols) = {shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return np.ascontiguousarray(found)


def _real(values: ArrayLike, name: str) -> Floats:
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is a masked array, and what is masked has no value to solve with; fill it "
            "first, open devices with 0 S"
        )
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"values of type {given.dtype}")
        # Adding 0 makes 0 of -0, whose reciprocal is minus infinity.
        found: Floats = given.astype(np.float64) + 0.0
        return np.asarray(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no array of real numbers: {error}") from error


def _refuse_outside(values: Floats, name: str, remedy: str) -> None:
    # Also refuses NaN.
    is_wrong = ~((values >= 0.0) & (values <= _LARGEST))
    if is_wrong.any():
        at = tuple(int(k) for k in np.argwhere(is_wrong)[0])
        place = f"{name}{list(at)}" if at else name
        raise ValueError(
            f"{place} is {values[at]}; values must lie between 0 and {_LARGEST:g}: {remedy}"
        )


def _resistances(ohms: ArrayLike, name: str, shape: tuple[int, ...]) -> Floats:
    found = _real(ohms, name)
    if found.ndim and found.shape != shape:
        raise ValueError(
            f"{name} has shape {found.shape}; give a number, or one a segment, {shape}"
        )
    _refuse_outside(found, name, "an ideal wire has 0 Ohm; a broken wire cannot be solved for")
    return found


def _wires(ohms: Floats, most_siemens: float, shape: tuple[int, ...]) -> Floats:
    with np.errstate(divide="ignore", over="ignore"):
        siemens = np.minimum(1.0 / ohms, most_siemens)
    # Not a read-only view, for which kernels would be compiled anew.
    wires: Floats = np.empty(shape)
    wires[:] = siemens
    return wires
