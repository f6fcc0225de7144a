"""States of random generators as arrays, so that a simulation goes on with the same bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError

__all__ = ["generator_array", "generator_state"]


def generator_array(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Where a generator stands: bytes of JSON, because its integers are wide."""
    text = json.dumps(rng.bit_generator.state, default=np.ndarray.tolist)
    return np.frombuffer(text.encode(), np.uint8).copy()


def generator_state(array: NDArray[Any], rng: np.random.Generator) -> dict[str, Any]:
    """What :func:`generator_array` gave, to be set as ``rng.bit_generator.state``.

    Raises:
        UsageError: it is not the state of a generator of the kind of ``rng``, which stays as it is.
    """
    try:
        state = json.loads(np.asarray(array).astype(np.uint8).tobytes())
        # Tried on another one, because what is refused must leave ``rng`` alone.
        type(rng.bit_generator)(0).state = state
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"the kept state of a noise generator cannot be used ({error}); it was damaged, or "
            "belongs to another kind of generator"
        ) from error
    return dict(state)
