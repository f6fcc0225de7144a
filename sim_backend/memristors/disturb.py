"""Unwanted programming: of half-selected devices, and by reading.

A disturbance is a pulse of a small share of a full pulse's strength.  Where the model is one of
voltages (:class:`sim_backend.memristors.vteam.Vteam`), half a voltage or a reading voltage can be
applied as it is instead, with its ``expose``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim_backend.memristors.interface import Counts

__all__ = ["Disturb", "half_selected", "third_selected"]


@dataclass(frozen=True, slots=True)
class Disturb:
    """Strengths of disturbances relative to a programming pulse.

    Attributes:
        half_select_share: at a device in the row or column of one that is pulsed, in a passive
            array under the V/2 scheme.
        read_share: by one reading, in the direction of its voltage.
        scheme: how devices of a passive array are selected; ``none`` disturbs no other device.
        third_select_share: at every other device of a passive array under the V/3 scheme.
    """

    half_select_share: float = 0.0
    read_share: float = 0.0
    scheme: Literal["none", "half", "third"] = "none"
    third_select_share: float = 0.0

    @property
    def select_share(self) -> float:
        """Strength at a device that is not selected, by the scheme."""
        match self.scheme:
            case "half":
                return self.half_select_share
            case "third":
                return self.third_select_share
            case "none":
                return 0.0

    def others(self, counts: Counts) -> tuple[Counts, Counts]:
        """Disturbances of the devices of a passive crossbar, by the scheme.

        Args:
            counts: (n_rows, n_columns) signed pulses, each given to one device at a time.

        Returns:
            Disturbances up and down, each (n_rows, n_columns) and not negative.
        """
        return third_selected(counts) if self.scheme == "third" else half_selected(counts)


def half_selected(counts: Counts) -> tuple[Counts, Counts]:
    """How often each device of a passive crossbar is half-selected.

    Args:
        counts: (n_rows, n_columns) signed pulses, each given to one device at a time.

    Returns:
        Pulses up and pulses down, each (n_rows, n_columns) and not negative, that go to other
        devices in the same row or column.
    """
    return _selected(counts, False)


def third_selected(counts: Counts) -> tuple[Counts, Counts]:
    """How often each device of a passive crossbar sees a third of the voltage.

    With the selected row at V, its column at 0, other rows at V/3 and other columns at 2V/3, all
    other devices of that row or column see V/3, and those in neither see it the other way round.

    Args:
        counts: (n_rows, n_columns) signed pulses, each given to one device at a time.

    Returns:
        Disturbances up and down, each (n_rows, n_columns) and not negative.
    """
    return _selected(counts, True)


@njit(cache=True)
def _selected(
    counts: NDArray[np.integer[Any]], by_third: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pulses up and down at other devices: of row and column, and the rest the other way round."""
    n, m = counts.shape
    row_up, row_down = np.zeros(n, np.int64), np.zeros(n, np.int64)
    column_up, column_down = np.zeros(m, np.int64), np.zeros(m, np.int64)
    for i in range(n):
        for j in range(m):
            row_up[i] += max(counts[i, j], 0)
            row_down[i] += max(-counts[i, j], 0)
            column_up[j] += max(counts[i, j], 0)
            column_down[j] += max(-counts[i, j], 0)
    all_up, all_down = row_up.sum(), row_down.sum()
    up, down = np.empty((n, m), np.int64), np.empty((n, m), np.int64)
    for i in range(n):
        for j in range(m):
            own_up, own_down = max(counts[i, j], 0), max(-counts[i, j], 0)
            near_up = row_up[i] + column_up[j] - 2 * own_up
            near_down = row_down[i] + column_down[j] - 2 * own_down
            up[i, j] = near_up
            down[i, j] = near_down
            if by_third:
                up[i, j] += all_down - near_down - own_down
                down[i, j] += all_up - near_up - own_up
    return up, down
