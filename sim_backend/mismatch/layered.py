"""Mismatch of the amplifiers and diodes of a stack of crossbars."""

from __future__ import annotations

import dataclasses

import numpy as np

from hil.errors import ConfigurationError
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.neurons import (
    BOLTZMANN_OVER_CHARGE,
    IdealDiodes,
    Neurons,
    ShockleyPairs,
)
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.drawn import LayeredMismatch, warm

__all__ = ["check_layers", "draw_layers", "mismatched_layers"]


def check_layers(config: MismatchConfig, circuit: LayeredCircuit, amplified: bool) -> None:
    """Refuse mismatch of parts that the circuit does not have.

    Args:
        config: the mismatch asked for.
        circuit: the nominal circuit; only its hidden layers have diodes and amplifiers.
        amplified: whether hidden nodes have amplifiers.

    Raises:
        ConfigurationError: what is asked for would have no effect.
    """
    hidden = circuit.layers[:-1]
    config.check(
        amplifiers=amplified and bool(hidden),
        junctions=any(isinstance(layer.neurons, ShockleyPairs) for layer in hidden),
        ideal_diodes=any(isinstance(layer.neurons, IdealDiodes) for layer in hidden),
    )


def draw_layers(
    config: MismatchConfig, circuit: LayeredCircuit, amplified: bool, rng: np.random.Generator
) -> LayeredMismatch:
    """What one chip gets.

    Args:
        config: how much the parts differ.
        circuit: the nominal circuit.
        amplified: whether hidden nodes have amplifiers.
        rng: of this chip's mismatch alone.

    Raises:
        ConfigurationError: see :func:`check_layers`.
    """
    check_layers(config, circuit, amplified)
    return LayeredMismatch.draw(config, sum(layer.size for layer in circuit.layers[:-1]), rng)


def mismatched_layers(
    circuit: LayeredCircuit, drawn: LayeredMismatch, kelvin: float = 300.15
) -> LayeredCircuit:
    """The circuit as it was built; without mismatch one that gives the same bits.

    Args:
        circuit: the nominal circuit.
        drawn: of this chip.
        kelvin: temperature that the neurons' parameters are stated for.

    Raises:
        ConfigurationError: neurons would have no steady state, see the message.
        ValueError: ``drawn`` belongs to another circuit.
    """
    n = sum(layer.size for layer in circuit.layers[:-1])
    if drawn.gain_factor.size != n:
        raise ValueError(
            f"mismatch was drawn for {drawn.gain_factor.size} hidden neurons, the circuit has {n}; "
            "draw it for this circuit"
        )
    layers = []
    start = 0
    for layer in circuit.layers[:-1]:
        at = slice(start, start + layer.size)
        start += layer.size
        mine = LayeredMismatch(
            *(getattr(drawn, field.name)[..., at] for field in dataclasses.fields(drawn))
        )
        layers.append(_layer(layer, mine, kelvin))
    return LayeredCircuit(circuit.n_inputs, (*layers, circuit.layers[-1]))


def _layer(layer: Layer, drawn: LayeredMismatch, kelvin: float) -> Layer:
    offsets = drawn.amplifier_offset_volts
    return dataclasses.replace(
        layer,
        neurons=_neurons(layer.neurons, drawn, kelvin),
        forward_gain=layer.forward_gain * drawn.gain_factor,
        backward_gain=layer.backward_gain * (drawn.gain_factor * drawn.ratio_factor),
        forward_offset_volts=offsets if np.any(offsets) else None,
    )


def _neurons(neurons: Neurons, drawn: LayeredMismatch, kelvin: float) -> Neurons:
    down, up = drawn.diode_offset_volts
    if isinstance(neurons, IdealDiodes):
        lower, upper = neurons.lower_volts - down, neurons.upper_volts + up
        if not np.all(lower <= upper):
            place = int(np.argmax(lower - upper))
            raise ConfigurationError(
                f"the ideal diodes of a hidden node would begin at {upper[place]:.4g} V upwards "
                f"and {lower[place]:.4g} V downwards and short each other; lower "
                "mismatch.diode_offset_volts, or widen the window of substrate.neurons"
            )
        return IdealDiodes(lower, upper)
    if isinstance(neurons, ShockleyPairs):
        return _pairs(neurons, drawn, kelvin)
    return neurons


def _pairs(neurons: ShockleyPairs, drawn: LayeredMismatch, kelvin: float) -> ShockleyPairs:
    down, up = drawn.diode_offset_volts
    thermal = neurons.thermal_volts * drawn.ideality_factor
    upwards = neurons.saturation_amps
    downwards = neurons.lower_saturation_amps
    both = np.stack([upwards if downwards is None else downwards, upwards])
    ideality = thermal / (BOLTZMANN_OVER_CHARGE * kelvin)
    amps, warmth = warm(both * drawn.saturation_factor, ideality, kelvin, drawn.kelvin_shift)
    try:
        return ShockleyPairs(
            amps[1], thermal * warmth, neurons.lower_volts - down, neurons.upper_volts + up, amps[0]
        )
    except ValueError as error:
        raise ConfigurationError(
            f"mismatch of Shockley pairs: {error}; lower mismatch.diode_offset_volts, or move "
            "lower_volts and upper_volts of substrate.neurons apart"
        ) from error
