"""What a crossbar is given, checked and brought into one form."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "Planes", "conductances", "currents", "planes_of", "voltages"]

Floats: TypeAlias = NDArray[np.float64]
Planes: TypeAlias = tuple[Floats, Floats, Floats]

_LARGEST = 1e100
"""Largest conductance and resistance; beyond, products of a few of them overflow."""

_AS_GOOD_AS_NONE = 1e22
"""A wire that conducts so much better than every device has no drop that a double could tell, and
neither has one of 0 Ohm: both get this many times the largest conductance of a device."""


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
    devices = conductances(conductance_siemens)
    words = _wires(word_ohms, "word_ohms", devices)
    bits = _wires(bit_ohms, "bit_ohms", devices)
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
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"values of type {given.dtype}")
        return given.astype(np.float64)
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


def _wires(ohms: ArrayLike, name: str, devices: Floats) -> Floats:
    found = _real(ohms, name)
    if found.ndim and found.shape != devices.shape:
        raise ValueError(
            f"{name} has shape {found.shape}; give a number, or one a segment, {devices.shape}"
        )
    _refuse_outside(found, name, "an ideal wire has 0 Ohm; a broken wire cannot be solved for")
    most = _AS_GOOD_AS_NONE * (float(devices.max()) or 1.0)
    with np.errstate(divide="ignore", over="ignore"):
        siemens = np.minimum(1.0 / found, most)
    # Not a read-only view, for which kernels would be compiled anew.
    wires: Floats = np.empty(devices.shape)
    wires[:] = siemens
    return wires
