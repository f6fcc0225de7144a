"""Stacks of crossbars of curved devices as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from hil.arrays import Floats, IntArray, is_frozen
from hil.errors import ConfigurationError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from sim_backend.curved import drawing
from sim_backend.curved.laws import SINH
from sim_backend.curved.network import CurvedNetwork
from sim_backend.devices import Devices
from sim_backend.layered import programming
from sim_backend.layered.drawing import node_names
from sim_backend.memristors.conduction import Conduction
from sim_backend.nodal.elements import Circuit

__all__ = ["CurvedSubstrate"]

_STEEPEST = 20.0
"""``b V`` at the largest input above which nothing would be left of a double."""


class CurvedSubstrate(Substrate):
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
        if network.floating is not None:
            layer, node = network.floating
            raise ConfigurationError(
                f"node {node} of layer {layer + 1} is reached by no conductance and would float; "
                "raise g_min_siemens above 0 or start from other conductances"
            )
        law = network.law
        if law.kind == SINH and law.parameter * spec.max_input_volts > _STEEPEST:
            raise ConfigurationError(
                f"inputs of up to {spec.max_input_volts:.3g} V on sinh curves of "
                f"{law.parameter:.3g} 1/V span more than doubles can add; lower the largest input "
                "or per_volt"
            )

    # --- the contract ---------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self._settle_phases(drive.input_volts, [drive.nudge_amps], near)[0]

    def _pulse(self, counts: IntArray) -> None:
        self.adjust(counts * self.spec.pulse_siemens)

    def _make_safe(self) -> None:
        """Nothing is energised between calls; drop what was held."""
        self._held_volts = None

    # --- abilities ------------------------------------------------------------------------

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        """Settle several drives; together where they have their inputs in common.

        Raises:
            UsageError: wrong shape or dtype.
            SafetyError: an input or nudge of any drive is outside the limits or not finite.
        """
        self._check_open()
        for drive in drives:
            self._check_drive(drive)
            if near is not None:
                self._check_near(near, len(drive.input_volts))
        if not drives:
            return []
        inputs = drives[0].input_volts
        for drive in drives:
            if drive.input_volts is not inputs:
                return [self._settle(drive, near) for drive in drives]
        return self._settle_phases(inputs, [drive.nudge_amps for drive in drives], near)

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        self._devices.adjust(delta_siemens)
        self._program()

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Settle both drives and compare every device's absolute drops; see the protocol."""
        before, after = self.settle_each([first, second], near)
        ok = before.ok & after.ok
        low, high = before.node_volts[ok], after.node_volts[ok]
        votes = np.zeros(self.spec.topology.n_devices, np.int32)
        for group, part in zip(self.spec.topology.groups, self.spec.topology.slices, strict=True):
            programming.vote(
                low[:, group.tails],
                low[:, group.heads],
                high[:, group.tails],
                high[:, group.heads],
                dead_zone_volts,
                votes[part].reshape(group.tails.size, group.heads.size),
            )
        return Comparisons(votes, ok)

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens, a copy."""
        self._check_open()
        return self._devices.siemens.copy()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        self._devices.load(conductance_siemens)
        self._program()

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._check_open()
        return self._devices.write_counts()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._devices.load_write_counts(counts)

    def circuit(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The network under one drive, (n_inputs,) and (n_outputs,) or None, as single elements.

        Raises:
            UsageError: wrong shape, or not floating-point.
            SafetyError: a level is outside the limits or not finite.
        """
        self._check_open()
        nudge = None if nudge_amps is None else np.asarray(nudge_amps)[None]
        self._check_drive(Drive(np.asarray(input_volts)[None], nudge))
        return drawing.draw(
            self._network, self._conduction, self.spec.topology, input_volts, nudge_amps
        )

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) names of the topology's nodes in :meth:`circuit`."""
        return node_names(self.spec.topology)

    # --- inside ---------------------------------------------------------------------------

    def _program(self) -> None:
        self._network.reload(self._devices.siemens)
        self._held_volts = None

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
