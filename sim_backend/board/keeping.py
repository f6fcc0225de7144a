"""State of a board as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hil.arrays import AnyArray
from hil.errors import UsageError

__all__ = ["bytes_of", "taken"]


def taken(arrays: Mapping[str, AnyArray], name: str, like: AnyArray) -> AnyArray:
    """A copy of one array, which must have the shape and be of the kind of ``like``.

    Raises:
        UsageError: it is missing or does not fit.
    """
    if name not in arrays:
        raise UsageError(
            f"the state kept has no {name}; it is of another board. Nothing was loaded"
        )
    found = np.asarray(arrays[name])
    if found.shape != like.shape or found.dtype.kind != like.dtype.kind:
        raise UsageError(
            f"{name} of the state kept is {found.dtype} of shape {found.shape}, not {like.dtype} "
            f"of shape {like.shape}; nothing was loaded"
        )
    return found.astype(like.dtype)


def bytes_of(arrays: Mapping[str, AnyArray], name: str) -> AnyArray:
    """One array of bytes, of any length.

    Raises:
        UsageError: it is missing or no such array.
    """
    return taken(arrays, name, np.zeros(np.shape(arrays.get(name, ())), np.uint8))
