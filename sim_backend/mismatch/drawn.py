"""What the parts of one simulated chip got."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigurationError
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.nodal.elements import DiodeModel
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE

__all__ = ["CircuitMismatch", "Floats", "LayeredMismatch", "warm"]

Floats = NDArray[np.float64]

_SILICON = DiodeModel()

_LEAST_AMPS = 1e-35
"""Less does not conduct, and would leave the range of single precision."""


@dataclass(frozen=True, slots=True)
class LayeredMismatch:
    """Of the ``n`` hidden neurons of a stack, layer after layer.

    Attributes:
        gain_factor: (n,) what A is multiplied by.
        ratio_factor: (n,) what B/A is multiplied by.
        amplifier_offset_volts: (n,) referred to the input.
        saturation_factor: (2, n) of the diodes that conduct downwards, then upwards.
        ideality_factor: (n,) of both diodes of a neuron.
        kelvin_shift: (n,) by which they are warmer than nominal.
        diode_offset_volts: (2, n) added to forward voltages, as ``saturation_factor``.
    """

    gain_factor: Floats
    ratio_factor: Floats
    amplifier_offset_volts: Floats
    saturation_factor: Floats
    ideality_factor: Floats
    kelvin_shift: Floats
    diode_offset_volts: Floats

    @classmethod
    def draw(cls, config: MismatchConfig, n: int, rng: np.random.Generator) -> LayeredMismatch:
        """Everything is drawn whether or not it is off, so that no spread moves another's draws."""
        return cls(
            _relative(config.amplifier_gain_spread, rng.standard_normal(n)),
            _relative(config.reciprocity_spread, rng.standard_normal(n)),
            config.amplifier_offset_volts * rng.standard_normal(n),
            np.exp(config.saturation_spread * rng.standard_normal((2, n))),
            _relative(config.ideality_spread, rng.standard_normal(n)),
            _kelvin_shift(config, rng.standard_normal(n)),
            config.diode_offset_volts * rng.standard_normal((2, n)),
        )


@dataclass(frozen=True, slots=True)
class CircuitMismatch:
    """Of the elements of a circuit, each kind in the order of the circuit.

    Attributes:
        gain_factor: (n_amplifiers,) what the forward gain is multiplied by.
        ratio_factor: (n_amplifiers,) what backward over forward gain is multiplied by.
        amplifier_offset_volts: (n_amplifiers,) referred to the input.
        saturation_factor: (n_diodes,) of Shockley diodes.
        ideality_factor: (n_diodes,).
        kelvin_shift: (n_diodes,) by which each is warmer than the circuit.
        diode_offset_volts: (n_diodes,) added to forward voltages.
        ideal_offset_volts: (n_ideal_diodes,) likewise.
    """

    gain_factor: Floats
    ratio_factor: Floats
    amplifier_offset_volts: Floats
    saturation_factor: Floats
    ideality_factor: Floats
    kelvin_shift: Floats
    diode_offset_volts: Floats
    ideal_offset_volts: Floats

    @classmethod
    def draw(
        cls,
        config: MismatchConfig,
        n_amplifiers: int,
        n_diodes: int,
        n_ideal_diodes: int,
        rng: np.random.Generator,
    ) -> CircuitMismatch:
        """Draw as :meth:`LayeredMismatch.draw` does."""
        return cls(
            _relative(config.amplifier_gain_spread, rng.standard_normal(n_amplifiers)),
            _relative(config.reciprocity_spread, rng.standard_normal(n_amplifiers)),
            config.amplifier_offset_volts * rng.standard_normal(n_amplifiers),
            np.exp(config.saturation_spread * rng.standard_normal(n_diodes)),
            _relative(config.ideality_spread, rng.standard_normal(n_diodes)),
            _kelvin_shift(config, rng.standard_normal(n_diodes)),
            config.diode_offset_volts * rng.standard_normal(n_diodes),
            config.diode_offset_volts * rng.standard_normal(n_ideal_diodes),
        )


def warm(
    amps: Floats,
    ideality: Floats,
    kelvin: float,
    shift_kelvin: Floats,
    gap_electronvolts: float = _SILICON.gap_electronvolts,
    temperature_exponent: float = _SILICON.temperature_exponent,
) -> tuple[Floats, Floats]:
    """Shockley diodes at another temperature than the one their parameters are stated for.

    Saturation currents follow SPICE's law (:class:`~sim_backend.nodal.elements.DiodeModel`); with
    silicon's gap they rise by some 15 % a kelvin at room temperature.

    Args:
        amps: (..., n) saturation currents at ``kelvin``.
        ideality: (n,) at every temperature.
        kelvin: temperature stated.
        shift_kelvin: (n,) by which the diodes are warmer.
        gap_electronvolts: EG.
        temperature_exponent: XTI.

    Returns:
        Saturation currents (..., n), and what thermal voltages are multiplied by, (n,).

    Raises:
        ConfigurationError: a diode would be at or below absolute zero, or its saturation current
            would leave the range of numbers.
    """
    ratio = 1.0 + shift_kelvin / kelvin
    if not np.all(ratio > 0):
        raise ConfigurationError(
            f"a diode would be at {kelvin + np.min(shift_kelvin):.4g} K; lower "
            "mismatch.temperature_spread_kelvin or raise mismatch.temperature_kelvin_shift"
        )
    thermal = ideality * BOLTZMANN_OVER_CHARGE * kelvin * ratio
    with np.errstate(over="ignore", under="ignore"):
        growth = np.exp((ratio - 1.0) * gap_electronvolts / thermal)
        found = amps * ratio ** (temperature_exponent / ideality) * growth
    if not (np.all(found >= np.minimum(amps, _LEAST_AMPS)) and np.isfinite(found).all()):
        raise ConfigurationError(
            f"a diode would have the saturation current {np.min(found):.3g}..{np.max(found):.3g} "
            "A at its temperature; lower mismatch.temperature_spread_kelvin or "
            "mismatch.temperature_kelvin_shift in size"
        )
    return found, ratio


def _relative(spread: float, normal: Floats) -> Floats:
    """Lognormal factors of median 1 whose standard deviation over their mean is ``spread``."""
    factors: Floats = np.exp(math.sqrt(math.log1p(spread**2)) * normal)
    return factors


def _kelvin_shift(config: MismatchConfig, normal: Floats) -> Floats:
    return config.temperature_kelvin_shift + config.temperature_spread_kelvin * normal
