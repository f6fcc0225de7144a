"""Stacks of crossbars of curved devices, made as no configuration makes them yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.topology import layered
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.curved.building import build_curved
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.neurons import IdealDiodes, Linear, Neurons, ShockleyPairs
from sim_backend.memristors.conduction import Conduction, Cubic, Sinh

Array = NDArray[np.float64]

CURVES: dict[str, Conduction] = {
    "cubic": Cubic(2.0),
    "steep cubic": Cubic(50.0),
    "sinh": Sinh(3.0),
    "gentle sinh": Sinh(0.1),
}
WINDOW = (1e-6, 1e-2)


def neurons(kind: str, n: int) -> Neurons:
    """Of a hidden layer."""
    if kind == "linear":
        return Linear()
    if kind == "ideal_diodes":
        first = np.arange(n) < n // 2
        return IdealDiodes(np.where(first, 0.0, -np.inf), np.where(first, np.inf, 0.0))
    if kind == "ideal_pairs":
        return IdealDiodes(np.full(n, -0.1), np.full(n, 0.15))
    if kind == "unequal_pairs":
        return ShockleyPairs(
            np.full(n, 1e-6),
            np.full(n, 0.026),
            np.linspace(-0.2, -0.05, n),
            np.full(n, 0.1),
            np.full(n, 3e-6),
        )
    one = np.ones(n)
    return ShockleyPairs(1e-6 * one, 0.026 * one, -0.1 * one, 0.05 * one)


def circuit(
    hidden: tuple[int, ...],
    kind: str,
    *,
    n_signals: int = 3,
    n_outputs: int = 2,
    biased: tuple[bool, ...] = (),
    gains: tuple[float, float] | None = None,
) -> LayeredCircuit:
    """As :class:`sim_backend.layered.config.LayeredConfig` makes them."""
    biased = biased or (False,) * (len(hidden) + 1)
    layers, line = [], n_signals
    for index, n in enumerate((*hidden, n_outputs)):
        is_output = index == len(hidden)
        first = 0 if index == 0 else line
        line += 2 * biased[index]
        forward, backward = gains if gains and not is_output else (1.0, 1.0)
        model = Linear() if is_output else neurons(kind, n)
        layers.append(Layer(n, model, (first, line), np.full(n, forward), np.full(n, backward)))
    return LayeredCircuit(line, tuple(layers))


def mismatched(given: LayeredCircuit, rng: np.random.Generator) -> LayeredCircuit:
    """Every hidden neuron's amplifier with gains and an offset of its own."""
    layers = [
        replace(
            layer,
            forward_gain=layer.forward_gain * rng.uniform(0.8, 1.2, layer.size),
            backward_gain=layer.backward_gain * rng.uniform(0.8, 1.2, layer.size),
            forward_offset_volts=rng.uniform(-0.05, 0.05, layer.size),
        )
        for layer in given.layers[:-1]
    ]
    return LayeredCircuit(given.n_inputs, (*layers, given.layers[-1]))


def substrate(
    of: LayeredCircuit,
    curve: Conduction,
    *,
    gains: tuple[float, float] | None = None,
    tolerance: float = 1e-12,
    siemens: Array | None = None,
    seed: int = 0,
    **more: Any,
) -> CurvedSubstrate:
    """With conductances over one decade; ``gains`` as given to :func:`circuit`."""
    if siemens is None:
        siemens = np.random.default_rng(seed).uniform(1e-4, 1e-3, of.n_devices)
    biased = tuple(layer.clamped[0] != layer.clamped[1] for layer in of.layers)
    pairs = (of.layers[0].clamped[1] - of.layers[0].clamped[0] > 3, *biased[1:])
    signals = of.n_inputs - 2 * sum(pairs)
    topology = layered(
        signals,
        [layer.size for layer in of.layers[:-1]],
        of.layers[-1].size,
        biased=pairs,
        amplified=gains is not None,
    )
    ratio = gains[1] / gains[0] if gains else 1.0
    last = len(of.layers) - 1
    options: dict[str, Any] = {
        "topology": topology,
        "amplified": gains is not None,
        "energy_weights": tuple(ratio ** (k - last) for k in range(last + 1)),
        "window_siemens": WINDOW,
        "pulse_siemens": 1e-5,
        "max_input_volts": 1.0,
        "max_nudge_amps": 1e-2,
    }
    iterations = more.pop("max_iterations", 2000)
    return build_curved(
        of, curve, siemens, SolverOptions(tolerance, iterations), **(options | more)
    )


def drives(
    of: CurvedSubstrate, batch: int = 5, seed: int = 1, volts: float = 1.0
) -> tuple[Array, Array]:
    """Inputs and nudges that move the outputs by much."""
    rng = np.random.default_rng(seed)
    topology = of.spec.topology
    return (
        rng.uniform(-volts, volts, (batch, topology.inputs.size)),
        rng.uniform(-5e-4, 5e-4, (batch, topology.outputs.size)),
    )
