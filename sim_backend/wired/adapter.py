"""A stack of crossbars with wires as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Floats, IntArray
from hil.energy import ResistorEnergy
from hil.errors import SettleError, UsageError
from hil.substrate import Drive, Settled, Substrate
from hil.topology import Topology
from sim_backend.devices import Devices
from sim_backend.layered.drawing import DrawsStack
from sim_backend.layered.stack import StackOptions, refuse_floating, stack_spec
from sim_backend.nodal.elements import Circuit
from sim_backend.phases import ComparesHeld, SettlesTogether
from sim_backend.programming import ProgramsIdeally
from sim_backend.wired import bias, drawing
from sim_backend.wired.bias import WireBias
from sim_backend.wired.network import WiredNetwork

__all__ = ["WiredSubstrate"]

Exact = NDArray[np.float64]


class WiredSubstrate(SettlesTogether, ComparesHeld, DrawsStack, ProgramsIdeally, Substrate):
    """Simulated stack of crossbars with wires.

    A drop-in for :class:`sim_backend.layered.adapter.LayeredSubstrate`: nodes, devices and the
    energy that the controller knows are the same.  Held voltages are those at the ends of lines, so
    that the energy's contrasts carry the bias that a bench has; :meth:`wire_bias` measures it.

    Besides the contract it can settle several drives together, adjust, read and load conductances,
    count writes, compare drops (between line ends) and draw itself as a circuit.

    Args:
        network: the programmed circuit; owned by the substrate from now on.
        topology: as made by :func:`hil.topology.layered`.
        dtype: of held voltages; what is inside is float64.
        options: see :class:`sim_backend.layered.stack.StackOptions`.

    Raises:
        ConfigurationError: a node is reached by no conductance, or a start conductance is
            outside the window.
    """

    def __init__(
        self,
        network: WiredNetwork,
        topology: Topology,
        *,
        dtype: np.dtype[np.floating],
        **options: Unpack[StackOptions],
    ) -> None:
        energy = ResistorEnergy(topology, options["energy_weights"])
        super().__init__(
            stack_spec("wired", topology, energy, network.options.tolerance, **options)
        )
        self._network = network
        self._dtype = dtype
        start = np.concatenate([block.ravel() for block in network.blocks])
        self._devices = Devices(start, options["window_siemens"])
        refuse_floating(network.floating)
        self._neuron_nodes: IntArray = np.concatenate([group.heads for group in topology.groups])
        hidden = network.circuit.layers[:-1] if options["amplified"] else ()
        self._behind = [
            group.tails[: layer.size]
            for layer, group in zip(hidden, topology.groups[1:], strict=False)
        ]

    # --- the contract ---------------------------------------------------------------------

    def _make_safe(self) -> None:
        """Nothing is energised between calls."""

    # --- abilities ------------------------------------------------------------------------

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

    def _program(self) -> None:
        self._network.program(self._devices.siemens)

    def _draw(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        return drawing.draw(self._network, self.spec.topology, input_volts, nudge_amps)

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
