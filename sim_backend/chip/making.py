"""Which chip a configuration asks for."""

from __future__ import annotations

import math

import numpy as np

from hil.energy import ResistorEnergy
from hil.errors import ConfigurationError
from sim_backend.chip.adjustable import SIGMAS, AdjustableChip, Pattern
from sim_backend.chip.config import DevicesConfig
from sim_backend.chip.substrate import ChipSubstrate
from sim_backend.chip.wrapper import Inner, class_for
from sim_backend.lot import Lot
from sim_backend.memristors.interface import Window

__all__ = ["chip_around", "seen_window"]

_FLUCTUATION = 100.0
"""Factor by which conductances may be seen beyond their window where they fluctuate."""


def seen_window(
    devices: DevicesConfig | None, conductance_spread: float, window_siemens: Window
) -> Window:
    """Window that the network inside a chip must be built with.

    Args:
        devices: technology, or None for ideal programming.
        conductance_spread: see :func:`chip_around`.
        window_siemens: (g_min, g_max) of the devices, from ``sim_backend.chip.config.window_of``.
    """
    low, high = window_siemens
    if devices is None:
        reach = math.exp(SIGMAS * conductance_spread)
        return low / reach, high * reach
    if devices.access is not None:
        low = low / (1.0 + low * devices.access.on_ohms)
    if not devices.read_noise.build().silent:
        low, high = low / _FLUCTUATION, high * _FLUCTUATION
    return low, high


def chip_around(
    inner: Inner,
    devices: DevicesConfig | None,
    conductance_spread: float,
    lot: Lot,
    rng: np.random.Generator,
    window_siemens: Window,
) -> ChipSubstrate | AdjustableChip:
    """A chip with the abilities that its network has.

    Args:
        inner: the network, built with :func:`seen_window`.
        devices: technology; None for ideal programming.
        conductance_spread: rms of the logarithm of fixed factors on all conductances, of ideal
            programming only.
        lot: draws the devices, as parts ``devices-pulses`` and so on, or ``conductance``.
        rng: noise in use; owned from now on.
        window_siemens: (g_min, g_max) of the devices.

    Raises:
        ConfigurationError: the parts do not fit together.
    """
    n = inner.spec.topology.n_devices
    if devices is None:
        pattern = lot.draw("conductance", lambda rng: Pattern.draw(conductance_spread, n, rng))
        return class_for(AdjustableChip, inner)(inner, pattern, window_siemens)
    if conductance_spread > 0.0:
        raise ConfigurationError(
            "conductance_spread is for ideal programming; devices have a spread of their own: "
            "leave one of the two out"
        )
    _check_conduction(inner, devices)
    drawn = devices.build().draw(
        n, window_siemens, lambda part, draw: lot.draw(f"devices-{part}", draw)
    )
    return class_for(ChipSubstrate, inner)(inner, devices, drawn, rng, window_siemens)


def _check_conduction(inner: Inner, devices: DevicesConfig) -> None:
    """Refuse devices whose curve would be left out without a word."""
    kind = devices.conduction.kind
    if kind == "linear":
        return
    if devices.access is not None:
        raise ConfigurationError(
            f"access transistors in series with {kind} devices are not simulated in a network; "
            "set devices.conduction.kind to linear, or leave devices.access out"
        )
    if isinstance(inner.spec.energy, ResistorEnergy):
        raise ConfigurationError(
            f"the devices have a {kind} curve, but this {inner.spec.kind} network is one of "
            "linear resistors; set devices.conduction.kind to linear to leave the curve out"
        )
