"""Array types used in signatures throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "Floats", "IntArray"]

Floats = NDArray[np.floating]
"""float32 or float64."""
IntArray = NDArray[np.integer]
BoolArray = NDArray[np.bool_]
