"""Circuits drawn out: what is simulated in one way, for any other simulator to check."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import Circuit

__all__ = ["DrawsCircuit"]

Floats = NDArray[np.floating]


@runtime_checkable
class DrawsCircuit(Protocol):
    """Can draw itself as a circuit, for other simulators."""

    def circuit(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """All elements as they are programmed now, under one drive.

        Node ``k`` of the topology is called ``n<k>``, unless the network has names of its own.

        Args:
            input_volts: (n_inputs,).
            nudge_amps: (n_outputs,) injected into the outputs, or None for no sources there.
        """
        ...

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) name in that circuit of every node of the topology; ``0`` for ground."""
        ...
