"""Stacks of crossbars of curved devices as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats, is_frozen
from hil.errors import ConfigurationError
from hil.substrate import Settled, Substrate, SubstrateSpec
from sim_backend.curved import drawing
from sim_backend.curved.laws import SINH
from sim_backend.curved.network import CurvedNetwork
from sim_backend.devices import Devices
from sim_backend.layered.drawing import DrawsStack
from sim_backend.layered.stack import refuse_floating
from sim_backend.memristors.conduction import Conduction
from sim_backend.nodal.elements import Circuit
from sim_backend.phases import ComparesHeld, SettlesTogether
from sim_backend.programming import ProgramsIdeally

__all__ = ["CurvedSubstrate"]

_STEEPEST = 20.0
"""``b V`` at the largest input above which nothing would be left of a double."""


class CurvedSubstrate(SettlesTogether, ComparesHeld, DrawsStack, ProgramsIdeally, Substrate):
    """Simulated stack of crossbars whose devices carry ``g f(V)``, all with one curve ``f``.

    Besides the contract it can settle several drives together, adjust, read and load
    conductances, count writes, compare drops and draw itself as a circuit.  It computes in
    float64 throughout.

    Args:
        network: the programmed circuit; owned by the substrate from now on.
        conduction: its devices' curve.
        devices: its conductances.
        spec: what it may be asked for; its topology as made by :func:`hil.topology.layered`.
        dtype: float32 or float64, of the voltages that are given back.

    Raises:
        ConfigurationError: a node is reached by no conductance, or the curve is too steep for
            the largest input.
    """

    def __init__(
        self,
        network: CurvedNetwork,
        conduction: Conduction,
        devices: Devices,
        spec: SubstrateSpec,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__(spec)
        self._network, self._conduction, self._devices = network, conduction, devices
        self._dtype = np.dtype(dtype)
        self._held_volts: Floats | None = None
        self._held_products: list[Floats] = []
        layers = network.circuit.layers
        topology = spec.topology
        self._nodes = [
            slice(int(group.heads[0]), int(group.heads[0]) + layer.size)
            for group, layer in zip(topology.groups, layers, strict=True)
        ]
        ends = zip(topology.groups[1:], layers[:-1], strict=True)
        behind = [slice(int(g.tails[0]), int(g.tails[0]) + a.size) for g, a in ends]
        self._behind = [
            None if there == near else there
            for there, near in zip(behind, self._nodes[:-1], strict=True)
        ]
        refuse_floating(network.floating)
        law = network.law
        if law.kind == SINH and law.parameter * spec.max_input_volts > _STEEPEST:
            raise ConfigurationError(
                f"inputs of up to {spec.max_input_volts:.3g} V on sinh curves of "
                f"{law.parameter:.3g} 1/V span more than doubles can add; lower the largest input "
                "or per_volt"
            )

    # --- the contract ---------------------------------------------------------------------

    def _make_safe(self) -> None:
        """Nothing is energised between calls; drop what was held."""
        self._held_volts = None

    # --- abilities ------------------------------------------------------------------------

    # --- inside ---------------------------------------------------------------------------

    def _program(self) -> None:
        self._network.reload(self._devices.siemens)
        self._held_volts = None

    def _draw(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        return drawing.draw(
            self._network, self._conduction, self.spec.topology, input_volts, nudge_amps
        )

    def _settle_phases(
        self, given: Floats, nudges_amps: Sequence[Floats | None], near: Settled | None
    ) -> list[Settled]:
        """Settle one batch of inputs with several nudges."""
        network = self._network
        lines = np.ascontiguousarray(given, np.float64)
        held = self._held_volts
        if held is not given and (held is None or not np.array_equal(held, given)):
            self._held_products = network.inject(lines)
            self._held_volts = given if is_frozen(given) else given.copy()
        nothing = np.zeros((len(given), self.spec.topology.outputs.size))
        nudges = np.array([nothing if a is None else a for a in nudges_amps], np.float64)
        start: list[Floats] | None = None
        if near is not None:
            start = [near.node_volts[:, nodes].astype(np.float64) for nodes in self._nodes]
        volts, ok = network.settle(lines, self._held_products, nudges, start)
        if start is not None and not ok.all():
            # A far-off start must cost time only.
            volts, ok = network.settle(lines, self._held_products, nudges, None)
        nodes = self._spread(lines, volts)
        return [Settled(nodes[p], ok[p]) for p in range(len(nudges))]

    def _spread(self, lines: Floats, volts: list[Floats]) -> Floats:
        """(phases, batch, n_nodes) of all nodes."""
        n_nodes = self.spec.topology.n_nodes
        found = np.empty((*volts[0].shape[:2], n_nodes), self._dtype)
        found[:, :, : lines.shape[1]] = lines
        for places, layer in zip(self._nodes, volts, strict=True):
            found[:, :, places] = layer
        hidden = zip(self._behind, volts, self._network.amplifiers, strict=False)
        for behind, layer, amplifier in hidden:
            if behind is not None:
                found[:, :, behind] = amplifier[0] * layer + amplifier[2]
        return found
