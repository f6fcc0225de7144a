"""A technology, and what is drawn for the devices of one chip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim_backend.memristors.access import Access
from sim_backend.memristors.conduction import Conduction, Linear
from sim_backend.memristors.disturb import Disturb
from sim_backend.memristors.drift import Drift, DriftChip
from sim_backend.memristors.interface import Draws, PulseModel, Window
from sim_backend.memristors.read_noise import ReadNoise, TelegraphChip
from sim_backend.memristors.stuck import Stuck, StuckChip

__all__ = ["DeviceModel", "DrawnDevices"]


@dataclass(frozen=True, slots=True)
class DrawnDevices:
    """Parameters of n devices that no use changes; each part is a dataclass of arrays.

    Attributes:
        pulses: of the pulse model.
        stuck: which devices are.
        drift: exponents.
        telegraph: which devices have telegraph noise.
    """

    pulses: Any
    stuck: StuckChip
    drift: DriftChip
    telegraph: TelegraphChip

    @property
    def n_devices(self) -> int:
        """How many devices."""
        return self.stuck.stuck.size


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A technology: how its devices are programmed, and what disturbs them.

    Attributes:
        pulses: answer to programming pulses.
        stuck: devices that do not answer.
        write_noise_relative: rms deviation of the conductance seen from the one programmed, drawn
            anew by every programming, relative to the width of the window (aihwkit:
            write_noise_std dw_min / 2).  The next pulse starts from the conductance programmed,
            without the deviation.
        drift: fall with time.
        read_noise: noise of reading.
        disturb: strengths of unwanted pulses.
        conduction: current-voltage curve.
        access: transistor in series, if any.
    """

    pulses: PulseModel[Any]
    stuck: Stuck = field(default_factory=Stuck)
    write_noise_relative: float = 0.0
    drift: Drift = field(default_factory=Drift)
    read_noise: ReadNoise = field(default_factory=ReadNoise)
    disturb: Disturb = field(default_factory=Disturb)
    conduction: Conduction = field(default_factory=Linear)
    access: Access | None = None

    def draw(self, n: int, window_siemens: Window, draw: Draws) -> DrawnDevices:
        """Parameters of ``n`` devices; parts that are ideal are not asked for.

        Args:
            n: devices.
            window_siemens: (g_min, g_max).
            draw: draws a part of the chip by its name: ``pulses``, ``stuck``, ``drift`` or
                ``telegraph``.
        """
        nothing = np.random.default_rng(0)  # draws nothing that counts
        stuck, drift, noise = self.stuck, self.drift, self.read_noise
        return DrawnDevices(
            draw("pulses", lambda rng: self.pulses.draw(n, window_siemens, rng)),
            stuck.draw(n, window_siemens, nothing)
            if stuck.none
            else draw("stuck", lambda rng: stuck.draw(n, window_siemens, rng)),
            drift.draw(n, nothing) if drift.none else draw("drift", lambda rng: drift.draw(n, rng)),
            noise.draw(n, nothing)
            if noise.telegraph is None
            else draw("telegraph", lambda rng: noise.draw(n, rng)),
        )
