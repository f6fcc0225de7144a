"""The answer of many devices to a train of pulses up and one down, as plotted in the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Counts, Floats, Window
from sim_backend.memristors.memristors import DeviceModel, Memristors

__all__ = ["PulseResponse", "pulse_response", "pulses_across"]

_POINTS = 100
"""So many conductances are kept of either train at most."""

_TYPICAL = 51
"""Devices that tell how many pulses are worth drawing."""


@dataclass(frozen=True, slots=True)
class PulseResponse:
    """Conductances in the course of potentiation and depression.

    Attributes:
        pulses: (m,) pulses applied so far.
        siemens: (m, n) conductances then.
        n_up: pulses up, after which as many go down.
    """

    pulses: Counts
    siemens: Floats
    n_up: int


def pulses_across(model: DeviceModel, window_siemens: Window, rng: np.random.Generator) -> int:
    """Pulses up that take a typical device over nine tenths of its way, 16 times a power of two.

    Devices that do not get there have the pulses of ten times the way at their nominal step.
    """
    low, high = window_siemens
    devices = Memristors(model, window_siemens, np.full(_TYPICAL, low), rng)
    target = low + 0.9 * (float(np.median(devices.chip.high_siemens)) - low)
    nominal = max(model.pulses.nominal_siemens(window_siemens), 1e-4 * (high - low))
    n = given = 16
    while True:
        devices.pulse(np.full(_TYPICAL, given), rng)
        if np.median(devices.siemens()) >= target or n * nominal >= 10.0 * (high - low):
            return n
        n, given = 2 * n, n


def pulse_response(
    model: DeviceModel,
    window_siemens: Window,
    n_up: int,
    n_devices: int,
    rng: np.random.Generator,
) -> PulseResponse:
    """Start ``n_devices`` at their lower limits and pulse all of them up, then down.

    Args:
        model: the technology.
        window_siemens: (g_min, g_max).
        n_up: pulses up, and as many down.
        n_devices: devices.
        rng: source of everything random.
    """
    low = np.full(n_devices, window_siemens[0])
    devices = Memristors(model, window_siemens, low, rng)
    marks = np.unique(np.linspace(0, n_up, min(n_up, _POINTS) + 1).round().astype(np.int64))
    bursts = np.diff(marks)
    kept = [devices.siemens()]
    for burst in (*bursts, *-bursts):
        devices.pulse(np.full(n_devices, burst), rng)
        kept.append(devices.siemens())
    pulses = np.concatenate([marks, n_up + marks[1:]])
    return PulseResponse(pulses, np.array(kept), n_up)
