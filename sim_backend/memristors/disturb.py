"""Unwanted programming: of half-selected devices, and by reading.

A disturbance is a pulse of a small share of a full pulse's strength.  Where the model is one of
voltages (:class:`sim_backend.memristors.vteam.Vteam`), half a voltage or a reading voltage can be
applied as it is instead, with its ``expose``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Counts

__all__ = ["Disturb", "half_selected"]


@dataclass(frozen=True, slots=True)
class Disturb:
    """Strengths of disturbances relative to a programming pulse.

    Attributes:
        half_select_share: at a device in the row or column of one that is pulsed, in a passive
            array under the V/2 scheme.
        read_share: by one reading, in the direction of its voltage.
    """

    half_select_share: float = 0.0
    read_share: float = 0.0


def half_selected(counts: Counts) -> tuple[Counts, Counts]:
    """How often each device of a passive crossbar is half-selected.

    Args:
        counts: (n_rows, n_columns) signed pulses, each given to one device at a time.

    Returns:
        Pulses up and pulses down, each (n_rows, n_columns) and not negative, that go to other
        devices in the same row or column.
    """
    up, down = np.maximum(counts, 0), np.maximum(-counts, 0)
    return _others(up), _others(down)


def _others(pulses: Counts) -> Counts:
    row, column = pulses.sum(axis=1, keepdims=True), pulses.sum(axis=0, keepdims=True)
    others: Counts = row + column - 2 * pulses
    return others
