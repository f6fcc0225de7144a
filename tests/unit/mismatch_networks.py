"""Layered networks with drawn mismatch, and mismatch of everything at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.topology import layered
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.network import LayeredNetwork, SolverOptions
from sim_backend.layered.neurons import IdealDiodes, Linear, Neurons, ShockleyPairs
from sim_backend.mismatch.config import MismatchConfig

ALL: dict[str, float] = {
    "amplifier_gain_spread": 0.2,
    "reciprocity_spread": 0.1,
    "amplifier_offset_volts": 0.02,
    "saturation_spread": 0.5,
    "ideality_spread": 0.05,
    "temperature_spread_kelvin": 3.0,
    "diode_offset_volts": 0.02,
    "temperature_kelvin_shift": 10.0,
}
AMPLIFIERS = ("amplifier_gain_spread", "reciprocity_spread", "amplifier_offset_volts")


def everything(kind: str, amplified: bool) -> MismatchConfig:
    """All that neurons of this kind can have."""
    left_out = () if amplified else AMPLIFIERS
    chosen = {name: value for name, value in ALL.items() if name not in left_out}
    if kind != "shockley_pairs":
        keep = (*AMPLIFIERS, "diode_offset_volts")
        chosen = {name: value for name, value in chosen.items() if name in keep}
    if kind == "linear":
        chosen.pop("diode_offset_volts", None)
    return MismatchConfig(**chosen)


def neurons(kind: str, n: int, volts: float = 0.1) -> Neurons:
    """Ideal diodes have the window of one sign each, or +-volts; pairs conduct around +-volts."""
    if kind == "linear":
        return Linear()
    if kind == "ideal_diodes":
        up = np.arange(n) < n // 2
        return IdealDiodes(np.where(up, 0.0, -np.inf), np.where(up, np.inf, 0.0))
    if kind == "ideal_pairs":
        return IdealDiodes(np.full(n, -volts), np.full(n, volts))
    amps, thermal = np.full(n, 1e-7), np.full(n, 300.15 * 1.380649e-23 / 1.602176634e-19)
    return ShockleyPairs(amps, thermal, np.full(n, -volts), np.full(n, volts))


def nominal(
    hidden: tuple[int, ...] = (6,),
    kind: str = "ideal_diodes",
    gains: tuple[float, float] | None = (4.0, 0.25),
    *,
    n_signals: int = 3,
    n_outputs: int = 2,
    volts: float = 0.1,
    biased: bool = False,
) -> LayeredCircuit:
    """With a pair of bias lines for every crossbar, or none."""
    a, b = gains or (1.0, 1.0)
    layers = []
    line = n_signals
    for k, n in enumerate((*hidden, n_outputs)):
        start = 0 if k == 0 else line
        line += 2 * biased
        is_output = k == len(hidden)
        layers.append(
            Layer(
                n,
                Linear() if is_output else neurons(kind, n, volts),
                (start, line),
                np.full(n, 1.0 if is_output else a),
                np.full(n, 1.0 if is_output else b),
            )
        )
    return LayeredCircuit(line, tuple(layers))


def substrate(
    circuit: LayeredCircuit,
    amplified: bool = True,
    *,
    ratio: float = 0.25 / 4.0,
    precision: Any = np.float64,
    seed: int = 0,
) -> LayeredSubstrate:
    """Conductances follow from the seed; ``ratio`` is the nominal B/A that the energy counts on."""
    last = len(circuit.layers) - 1
    sizes = [layer.size for layer in circuit.layers]
    is_biased = len(sizes) > 1 and circuit.layers[-1].clamped[0] < circuit.layers[-1].clamped[1]
    n_signals = circuit.n_inputs - 2 * len(sizes) * is_biased
    topology = layered(
        n_signals, sizes[:-1], sizes[-1], biased=[is_biased] * len(sizes), amplified=amplified
    )
    conductance = np.random.default_rng(seed).uniform(1e-4, 1e-3, circuit.n_devices)
    options = SolverOptions(1e-13 if precision == np.float64 else 1e-6)
    return LayeredSubstrate(
        LayeredNetwork(circuit, conductance, options, precision),
        topology,
        amplified=amplified,
        energy_weights=tuple((ratio if amplified else 1.0) ** (k - last) for k in range(last + 1)),
        window_siemens=(1e-6, 1e-2),
        pulse_siemens=1e-5,
        max_input_volts=2.0,
        max_nudge_amps=1.0,
    )
