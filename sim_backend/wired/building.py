"""How a substrate with wires is built from what a layered one is built from."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats
from hil.topology import Topology
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.wired.adapter import WiredSubstrate
from sim_backend.wired.config import WiresConfig
from sim_backend.wired.network import WiredNetwork

__all__ = ["build_wired"]


def build_wired(
    circuit: LayeredCircuit,
    wires: WiresConfig,
    conductance_siemens: Floats,
    options: SolverOptions,
    topology: Topology,
    *,
    amplified: bool,
    energy_weights: tuple[float, ...],
    window_siemens: tuple[float, float],
    pulse_siemens: float,
    max_input_volts: float,
    max_nudge_amps: float,
    dtype: DTypeLike = np.float64,
) -> WiredSubstrate:
    """A stack of crossbars with wires; arguments as of ``LayeredNetwork`` and ``LayeredSubstrate``.

    Args:
        circuit: what is soldered.
        wires: resistance of the lines; none at all is allowed, but a ``LayeredSubstrate`` is then
            the faster one.
        conductance_siemens: (n_devices,) start conductances.
        options: convergence; threads are those that numba is set to.
        topology: as made by :func:`hil.topology.layered`.
        amplified: whether amplifier outputs are nodes of the topology.
        energy_weights: see :class:`hil.energy.ResistorEnergy`.
        window_siemens: (g_min, g_max).
        pulse_siemens: change by one programming pulse.
        max_input_volts: limit of the input sources.
        max_nudge_amps: limit of the nudge sources.
        dtype: float32 or float64, of the voltages that are held.

    Raises:
        ConfigurationError: wires for more or fewer crossbars, a node that floats, or a start
            conductance outside the window.
    """
    network = WiredNetwork(
        circuit, wires.of_crossbars(len(circuit.layers)), conductance_siemens, options
    )
    return WiredSubstrate(
        network,
        topology,
        amplified=amplified,
        energy_weights=energy_weights,
        window_siemens=window_siemens,
        pulse_siemens=pulse_siemens,
        max_input_volts=max_input_volts,
        max_nudge_amps=max_nudge_amps,
        dtype=np.dtype(np.float32) if np.dtype(dtype) == np.float32 else np.dtype(np.float64),
    )
