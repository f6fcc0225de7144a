"""Pulses that every device got, and how many it may get."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.arrays import IntArray
from hil.errors import SafetyError, UsageError

__all__ = ["PulseLedger"]


class PulseLedger:
    """Counts programming pulses and refuses those beyond a budget.

    Args:
        n_devices: of the bench.
        budget: most pulses a device may get, counted from here on.
    """

    def __init__(self, n_devices: int, budget: int) -> None:
        self._budget = budget
        self._spent: NDArray[np.int64] = np.zeros(n_devices, np.int64)
        self._before: NDArray[np.int64] = np.zeros(n_devices, np.int64)

    def check(self, counts: IntArray) -> None:
        """Refuse pulses, (n_devices,) signed, that would leave the budget.

        Raises:
            SafetyError: names the first such device.
        """
        left = self._budget - self._spent
        # Compared without sums and absolute values, which could overflow.
        over = np.flatnonzero((counts > left) | (counts < -left))
        if over.size:
            device = int(over[0])
            raise SafetyError(
                f"device {device} got {int(self._spent[device])} pulses so far and is asked to "
                f"take {abs(int(counts[device]))} more; its budget is {self._budget} "
                "(programming.budget_pulses). Nothing was applied. Find out why so many are "
                "wanted, or raise the budget if the device bears it",
                device=device,
                spent=int(self._spent[device]),
                budget=self._budget,
            )

    def add(self, counts: IntArray) -> None:
        """Take note of pulses that were applied, (n_devices,) signed."""
        self._spent += np.abs(counts.astype(np.int64))

    def counts(self) -> IntArray:
        """(n_devices,) pulses in all."""
        found: IntArray = self._before + self._spent
        return found

    def load(self, counts: IntArray) -> None:
        """Go on counting from ``counts`` (n_devices,); the budget is that of this session.

        Raises:
            UsageError: wrong shape, not integers, a negative count, or one so large that the
                pulses of this session could not be added to it.
        """
        if not isinstance(counts, np.ndarray) or counts.dtype.kind not in "iu":
            kind = getattr(counts, "dtype", type(counts).__name__)
            raise UsageError(
                f"write counts are {self._spent.size} integers in an array; got {kind}"
            )
        if counts.shape != self._spent.shape or counts.min() < 0:
            raise UsageError(
                f"write counts are {self._spent.size} integers, none negative; got {counts.dtype} "
                f"of shape {counts.shape}"
            )
        most = int(np.iinfo(np.int64).max) - self._budget
        if int(counts.max()) > most:
            raise UsageError(
                f"a write count of {int(counts.max())} leaves no room for the pulses of this "
                f"session; at most {most} can be gone on from. No device gets so many: load "
                "counts that were kept by write_counts()"
            )
        self._before = counts.astype(np.int64) - self._spent
