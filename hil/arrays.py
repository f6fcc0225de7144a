"""Array types used in signatures throughout, and whether an array can still change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyArray", "BoolArray", "Floats", "IntArray", "is_frozen"]

Floats = NDArray[np.floating]
"""float32 or float64."""
IntArray = NDArray[np.integer]
BoolArray = NDArray[np.bool_]
AnyArray = np.ndarray[Any, Any]


def is_frozen(array: AnyArray) -> bool:
    """Whether the array and everything it is a view of is read-only, so that it stays as it is.

    What was found out about a frozen array holds as long as one keeps a reference to it.
    """
    owner: object = array
    while owner is not None:
        if not isinstance(owner, np.ndarray) or owner.flags.writeable:
            return False
        owner = owner.base
    return True
