"""Unwanted programming: of half-selected devices, and by reading.

A disturbance is a pulse of a small share of a full pulse's strength.  Where the model is one of
voltages (:class:`sim_backend.memristors.vteam.Vteam`), half a voltage or a reading voltage can be
applied as it is instead, with its ``expose``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

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
    up = np.maximum(counts, 0)
    return _others(up), _others(up - counts)


def third_selected(counts: Counts) -> tuple[Counts, Counts]:
    """How often each device of a passive crossbar sees a third of the voltage.

    With the selected row at V, its column at 0, other rows at V/3 and other columns at 2V/3, all
    other devices of that row or column see V/3, and those in neither see it the other way round.

    Args:
        counts: (n_rows, n_columns) signed pulses, each given to one device at a time.

    Returns:
        Disturbances up and down, each (n_rows, n_columns) and not negative.
    """
    up = np.maximum(counts, 0)
    down = up - counts
    near_up, near_down = _others(up), _others(down)
    return near_up + (down.sum() - near_down - down), near_down + (up.sum() - near_up - up)


def _others(pulses: Counts) -> Counts:
    row, column = pulses.sum(axis=1, keepdims=True), pulses.sum(axis=0, keepdims=True)
    others: Counts = row + column
    others -= pulses
    others -= pulses
    return others
