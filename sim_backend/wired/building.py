"""How a substrate with wires is built from what a layered one is built from."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats
from hil.topology import Topology
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.stack import StackOptions
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
    dtype: DTypeLike = np.float64,
    **stack: Unpack[StackOptions],
) -> WiredSubstrate:
    """A stack of crossbars with wires; arguments as of ``LayeredNetwork`` and ``LayeredSubstrate``.

    Args:
        circuit: what is soldered.
        wires: resistance of the lines; none at all is allowed, but a ``LayeredSubstrate`` is then
            the faster one.
        conductance_siemens: (n_devices,) start conductances.
        options: convergence; threads are those that numba is set to.
        topology: as made by :func:`hil.topology.layered`.
        dtype: float32 or float64, of the voltages that are held.
        stack: see :class:`sim_backend.layered.stack.StackOptions`.

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
        dtype=np.dtype(np.float32) if np.dtype(dtype) == np.float32 else np.dtype(np.float64),
        **stack,
    )
