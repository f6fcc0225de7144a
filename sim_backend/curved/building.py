"""How a stack of crossbars of curved devices is built."""

from __future__ import annotations

import itertools
from typing import Unpack

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats
from hil.errors import ConfigurationError
from hil.topology import Topology
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.curved.energy import CurvedEnergy
from sim_backend.curved.laws import Law
from sim_backend.curved.network import CurvedNetwork
from sim_backend.devices import Devices
from sim_backend.layered.circuit import LayeredCircuit
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.stack import StackOptions, stack_spec
from sim_backend.memristors.conduction import Conduction

__all__ = ["build_curved"]


def build_curved(
    circuit: LayeredCircuit,
    conduction: Conduction,
    conductance_siemens: Floats,
    options: SolverOptions,
    *,
    topology: Topology,
    dtype: DTypeLike = np.float64,
    **stack: Unpack[StackOptions],
) -> CurvedSubstrate:
    """A stack of crossbars of curved devices.

    Args:
        circuit: as for :class:`sim_backend.layered.network.LayeredNetwork`, drawn mismatch
            included.
        conduction: curve of all devices: ``Linear``, ``Cubic`` or ``Sinh``.
        conductance_siemens: (n_devices,) start values.
        options: convergence; the residual is relative to each layer's largest voltage.
        topology: as made by :func:`hil.topology.layered`.
        dtype: of the voltages that are given back.
        stack: see :class:`sim_backend.layered.stack.StackOptions`.

    Raises:
        ConfigurationError: no such curve, a start conductance outside the window, a node that no
            conductance reaches, a curve too steep for the largest input, or a topology with
            amplifiers where there are none, or the other way round.
    """
    try:
        law = Law.of(conduction)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    has_own = any(
        int(behind.tails[0]) != int(group.heads[0])
        for group, behind in itertools.pairwise(topology.groups)
    )
    amplified = stack["amplified"]
    if has_own != (amplified and len(topology.groups) > 1):
        raise ConfigurationError(
            "the topology does not say where amplifiers are; make it with amplified="
            f"{amplified}, see hil.topology.layered"
        )
    devices = Devices(conductance_siemens, stack["window_siemens"])
    energy = CurvedEnergy(topology, stack["energy_weights"], conduction)
    spec = stack_spec("curved", topology, energy, options.tolerance, **stack)
    network = CurvedNetwork(circuit, law, devices.siemens, options)
    return CurvedSubstrate(network, conduction, devices, spec, dtype)
