"""Whole programming pulses out of wished-for changes of conductance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hil.arrays import AnyArray, Floats
from hil.errors import UsageError
from hil.substrate import Substrate

__all__ = ["Memory", "Pulses", "compile_kernels"]

Memory: TypeAlias = dict[str, np.ndarray[Any, Any]]
"""What a rule must keep to resume: arrays by name."""

_CHUNK = 1024
"""Devices looked at together; most chunks have none to be pulsed."""


@njit(cache=True, error_model="numpy")
def _take_whole(
    held: AnyArray, pulse: np.floating, step: float, most: float, counts: NDArray[np.int32]
) -> bool:
    """Move whole pulses from ``held`` to ``counts``; see :func:`_whole_pulses`."""
    fine = True
    for i in range(held.size):
        if not abs(held[i]) < pulse:
            now = float(held[i])
            if not np.isfinite(now):
                fine = False
                continue
            whole = min(max(np.trunc(now / step), -most), most)
            counts[i] = np.int32(whole)
            held[i] = min(max(now - whole * step, -step), step)
    return fine


@njit(cache=True, error_model="numpy")
def _whole_pulses(
    held: AnyArray, wish: AnyArray, factor: np.floating, pulse: np.floating, step: float,
    most: float, counts: NDArray[np.int32],
) -> bool:  # fmt: skip
    """Add ``factor * wish`` to what is ``held``, and move whole pulses from there to ``counts``.

    One pass over devices of one group, in the dtype of ``held``.

    Args:
        held: (n,) siemens, changed in place.
        wish: (n,).
        factor: siemens per unit of ``wish``.
        pulse: ``step`` in the dtype of ``held``.
        step: change by one pulse, siemens.
        most: pulses that cross the window.
        counts: (n,) zeros.

    Returns:
        False if a wish is not finite.
    """
    fine = True
    for start in range(0, held.size, _CHUNK):
        some, more = held[start : start + _CHUNK], wish[start : start + _CHUNK]
        beyond = np.int32(0)  # four bytes: as wide as what the loop works on
        for i in range(some.size):
            total = some[i] + factor * more[i]
            some[i] = total
            # Put this way round, what is not a number is found as well.
            beyond |= np.int32(not abs(total) < pulse)
        if beyond:
            fine &= _take_whole(some, pulse, step, most, counts[start : start + _CHUNK])
    return fine


@dataclass
class Pulses:
    """Turns wished-for changes into whole pulses and keeps the remainder for later.

    Attributes:
        remainder_siemens: (n_devices,) wished for and not programmed yet, within one pulse of
            0; None until the first wish.
    """

    remainder_siemens: Floats | None = None

    def apply(self, substrate: Substrate, wish: AnyArray, factors: Iterable[float]) -> None:
        """Pulse by the whole part of the accumulated wish, ``wish`` times one factor a group.

        A wish for more than the window is wide is cut to that: no device can fulfil it.

        Raises:
            UsageError: a wish is not finite.
        """
        spec = substrate.spec
        held = self.remainder_siemens
        dtype = np.result_type(wish.dtype, np.float32)
        if held is None or held.dtype != dtype or not held.flags.writeable:
            held = np.zeros(wish.shape, dtype) if held is None else held.astype(dtype)
            self.remainder_siemens = held
        low, high = spec.window_siemens
        step = spec.pulse_siemens
        most = min(np.ceil((high - low) / step), 2.0**31 - 1)
        counts = np.zeros(held.size, np.int32)
        fine = True
        for part, factor in zip(spec.topology.slices, factors, strict=True):
            numbers = dtype.type(factor), dtype.type(step), step, most
            fine &= _whole_pulses(held[part], wish[part], *numbers, counts[part])
        if not fine:
            raise UsageError("a conductance change is not finite; nothing was programmed")
        substrate.pulse(counts)

    def memory(self) -> Memory:
        """What must be kept to resume: arrays by name."""
        return {} if self.remainder_siemens is None else {"remainder": self.remainder_siemens}

    def recall(self, memory: Memory) -> None:
        """Take :meth:`memory` back."""
        self.remainder_siemens = memory.get("remainder")


def compile_kernels() -> None:
    """Compile what pulses need, before a bench is energised that cannot wait for it."""
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        held, counts = np.zeros(1, dtype), np.zeros(1, np.int32)
        _whole_pulses(held, np.ones(1, dtype), dtype.type(2.0), dtype.type(1.0), 1.0, 1.0, counts)
