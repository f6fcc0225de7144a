"""The answer of many devices to a train of pulses up and one down, as plotted in the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_backend.memristors.interface import Counts, Floats, Window
from sim_backend.memristors.memristors import Memristors
from sim_backend.memristors.model import DeviceModel

__all__ = ["PulseResponse", "pulse_response", "pulse_spread", "pulses_across"]

_POINTS = 100
"""So many conductances are kept of either train at most."""

_TRIED = 2000
"""Devices that tell how much pulses differ."""

_ROUNDING = 1e-6

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


def pulse_spread(model: DeviceModel, window_siemens: Window) -> float:
    """Rms deviation of the change by one pulse from the nominal one, relative to it.

    Over devices, stuck ones included, both directions and cycles, in the middle of the window;
    where others are disturbed, at least the strength of that.
    """
    rng = np.random.default_rng(0)
    middle = np.full(_TRIED, 0.5 * sum(window_siemens))
    devices = Memristors(model, window_siemens, middle, rng)
    sign = np.where(np.arange(_TRIED) % 2, 1, -1)
    # From within their own limits, where no pulse is cut off at once.
    before = devices.siemens()
    devices.pulse(sign, rng)
    nominal = model.pulses.nominal_siemens(window_siemens)
    deviation = sign * (devices.siemens() - before) / nominal - 1.0
    rms = float(np.sqrt(np.mean(deviation**2)))
    others = max(model.disturb.select_share, model.disturb.read_share)
    return max(rms if rms > _ROUNDING else 0.0, others)


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
