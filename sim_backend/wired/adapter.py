"""A stack of crossbars with wires as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Floats, IntArray
from hil.energy import ResistorEnergy
from hil.errors import ConfigurationError, SettleError, UsageError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Topology
from sim_backend.devices import Devices
from sim_backend.layered import programming
from sim_backend.nodal.elements import Circuit
from sim_backend.wired import bias, drawing
from sim_backend.wired.bias import WireBias
from sim_backend.wired.network import WiredNetwork

__all__ = ["WiredSubstrate"]

Exact = NDArray[np.float64]


class WiredSubstrate(Substrate):
    """Simulated stack of crossbars with wires.

    A drop-in for :class:`sim_backend.layered.adapter.LayeredSubstrate`: nodes, devices and the
    energy that the controller knows are the same.  Held voltages are those at the ends of lines, so
    that the energy's contrasts carry the bias that a bench has; :meth:`wire_bias` measures it.

    Besides the contract it can settle several drives together, adjust, read and load conductances,
    count writes, compare drops (between line ends) and draw itself as a circuit.

    Args:
        network: the programmed circuit; owned by the substrate from now on.
        topology: as made by :func:`hil.topology.layered`, with amplifier outputs as nodes if
            ``amplified``.
        amplified: see above.
        energy_weights: see :class:`hil.energy.ResistorEnergy`.
        window_siemens: (g_min, g_max).
        pulse_siemens: change by one programming pulse.
        max_input_volts: limit of the input sources.
        max_nudge_amps: limit of the nudge sources.
        dtype: of held voltages; what is inside is float64.

    Raises:
        ConfigurationError: a node is reached by no conductance, or a start conductance is
            outside the window.
    """

    def __init__(
        self,
        network: WiredNetwork,
        topology: Topology,
        *,
        amplified: bool,
        energy_weights: tuple[float, ...],
        window_siemens: tuple[float, float],
        pulse_siemens: float,
        max_input_volts: float,
        max_nudge_amps: float,
        dtype: np.dtype[np.floating],
    ) -> None:
        super().__init__(
            SubstrateSpec(
                kind="wired",
                topology=topology,
                energy=ResistorEnergy(topology, energy_weights),
                max_input_volts=max_input_volts,
                max_nudge_amps=max_nudge_amps,
                window_siemens=window_siemens,
                pulse_siemens=pulse_siemens,
                settle_tolerance=network.options.tolerance,
            )
        )
        self._network = network
        self._dtype = dtype
        start = np.concatenate([block.ravel() for block in network.blocks])
        self._devices = Devices(start, window_siemens)
        if network.floating is not None:
            layer, node = network.floating
            raise ConfigurationError(
                f"node {node} of layer {layer + 1} is reached by no conductance and would float; "
                "raise g_min_siemens above 0 or start from other conductances"
            )
        self._neuron_nodes: IntArray = np.concatenate([group.heads for group in topology.groups])
        hidden = network.circuit.layers[:-1] if amplified else ()
        self._behind = [
            group.tails[: layer.size]
            for layer, group in zip(hidden, topology.groups[1:], strict=False)
        ]

    # --- the contract ---------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self._settle_phases(drive.input_volts, [drive.nudge_amps], near)[0]

    def _pulse(self, counts: IntArray) -> None:
        self.adjust(counts * self.spec.pulse_siemens)

    def _make_safe(self) -> None:
        """Nothing is energised between calls."""

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
        if any(drive.input_volts is not inputs for drive in drives):
            return [self._settle(drive, near) for drive in drives]
        return self._settle_phases(inputs, [drive.nudge_amps for drive in drives], near)

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        self._devices.adjust(delta_siemens)
        self._network.program(self._devices.siemens)

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Settle both drives and compare absolute drops between line ends; see the protocol."""
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
        self._network.program(self._devices.siemens)

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
        return drawing.draw(self._network, self.spec.topology, input_volts, nudge_amps)

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) names of the topology's nodes in :meth:`circuit`."""
        return drawing.node_names(self.spec.topology)

    def wire_bias(self, free: Drive, nudged: Drive) -> WireBias:
        """What estimates from line ends get wrong, against the devices' own drops.

        Args:
            free: a batch.
            nudged: the same inputs with nudge currents.

        Raises:
            UsageError: the inputs differ, or a wrong shape or dtype.
            SafetyError: a level is outside the limits or not finite.
            SettleError: no example settled in both phases.
        """
        inputs, states = self._settle_pair(free, nudged)
        return WireBias(bias.measure(self._network, inputs, *states), len(inputs))

    def own_contrast(self, first: Drive, second: Drive) -> Floats:
        """Batch-summed ``(dV_second^2 - dV_first^2) / 2`` of the devices' own drops, volts^2.

        What :attr:`spec.energy` would find if it knew them, but for the group's weight.  No
        controller has it; for tests and reports.

        Args:
            first: a batch.
            second: the same inputs with other nudge currents.

        Returns:
            (n_devices,).

        Raises:
            UsageError: the inputs differ, or a wrong shape or dtype.
            SafetyError: a level is outside the limits or not finite.
            SettleError: no example settled in both phases.
        """
        inputs, states = self._settle_pair(first, second)
        return bias.own_contrast(self._network, inputs, *states)

    # --- inside ---------------------------------------------------------------------------

    def _settle_phases(
        self, inputs: Floats, nudges_amps: Sequence[Floats | None], near: Settled | None
    ) -> list[Settled]:
        start = None if near is None else near.node_volts[:, self._neuron_nodes]
        volts, ok = self._network.settle(inputs, nudges_amps, start)
        held = np.empty((*ok.shape, self.spec.topology.n_nodes), self._dtype)
        held[:, :, self.spec.topology.inputs] = inputs
        with np.errstate(over="ignore", invalid="ignore"):
            held[:, :, self._neuron_nodes] = volts
            for index, behind in enumerate(self._behind):
                for p in range(len(nudges_amps)):
                    held[p, :, behind] = self._network.driven_volts(index, volts[p]).T
        return [Settled(held[p], ok[p]) for p in range(len(nudges_amps))]

    def _settle_pair(self, first: Drive, second: Drive) -> tuple[Exact, tuple[Exact, Exact]]:
        """Inputs and neuron voltages, in float64, of the examples that settled with both."""
        self._check_open()
        for drive in (first, second):
            self._check_drive(drive)
        inputs = first.input_volts
        if not np.array_equal(inputs, second.input_volts):
            raise UsageError("both drives must have the same inputs; only nudges may differ")
        volts, ok = self._network.settle(inputs, [first.nudge_amps, second.nudge_amps], None)
        both = ok.all(axis=0)
        if not both.any():
            raise SettleError(
                "no example settles in both phases, so there is nothing to compare; raise "
                "substrate.max_iterations or substrate.tolerance"
            )
        return inputs[both].astype(np.float64), (volts[0, both], volts[1, both])
