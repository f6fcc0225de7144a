"""The network behind an emulated board, in volts and amps; any substrate can be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.arrays import Floats, IntArray
from hil.errors import HilError
from hil.substrate import Drive, ReadsConductance, Settled, SettlesEach, Substrate
from hil.topology import Topology
from sim_backend.board.settling import node_siemens

__all__ = ["AnalogCore", "SubstrateCore"]


class AnalogCore(Protocol):
    """What settles, and what pulses change; knows nothing of codes, holds and converters."""

    @property
    def topology(self) -> Topology:
        """Devices and nodes; inputs in the order of the DACs, outputs in that of the nudges."""
        ...

    @property
    def max_input_volts(self) -> float:
        """Largest absolute level an input line bears."""
        ...

    @property
    def max_nudge_amps(self) -> float:
        """Largest absolute current an output bears."""
        ...

    def settle(self, input_volts: Floats, nudge_amps: Sequence[Floats | None]) -> list[Settled]:
        """Steady states of a batch, one a phase.

        Args:
            input_volts: (n, n_inputs), of all phases.
            nudge_amps: for each phase (n, n_outputs), or None: sources open.

        Returns:
            For each phase (n, n_nodes) volts of all nodes of the topology, and which settled.
        """
        ...

    def pulse(self, counts: IntArray) -> None:
        """Apply (n_devices,) signed programming pulses."""
        ...

    def node_siemens(self) -> Floats | None:
        """(n_nodes,) sums of conductances, which decide how fast nodes charge; None: unknown."""
        ...

    def make_safe(self) -> None:
        """Levels are 0 from now on."""
        ...


class SubstrateCore:
    """Any substrate as the network of a board.

    Args:
        substrate: settles and takes pulses; owned by the caller, who may look at its devices.
    """

    def __init__(self, substrate: Substrate) -> None:
        self.substrate = substrate
        self._known: tuple[Floats, Settled] | None = None

    @property
    def topology(self) -> Topology:
        """Of the substrate."""
        return self.substrate.spec.topology

    @property
    def max_input_volts(self) -> float:
        """Of the substrate."""
        return self.substrate.spec.max_input_volts

    @property
    def max_nudge_amps(self) -> float:
        """Of the substrate."""
        return self.substrate.spec.max_nudge_amps

    def settle(self, input_volts: Floats, nudge_amps: Sequence[Floats | None]) -> list[Settled]:
        """See :class:`AnalogCore`; the last free state of the same inputs is where it starts."""
        substrate = self.substrate
        near = self._near(input_volts)
        drives = [Drive(input_volts, amps) for amps in nudge_amps]
        try:
            if len(drives) > 1 and isinstance(substrate, SettlesEach):
                states = substrate.settle_each(drives, near)
            else:
                states = [substrate.settle(drive, near) for drive in drives]
        except HilError:
            shape = (len(input_volts), self.topology.n_nodes)
            failed = Settled(np.zeros(shape, input_volts.dtype), np.zeros(shape[0], np.bool_))
            return [failed] * len(drives)
        if nudge_amps[0] is None:
            self._known = (input_volts, states[0])
        return states

    def pulse(self, counts: IntArray) -> None:
        """Apply them; the state known is that of other conductances."""
        self._known = None
        self.substrate.pulse(counts)

    def node_siemens(self) -> Floats | None:
        """Of the devices as they are, where the substrate tells."""
        if not isinstance(self.substrate, ReadsConductance):
            return None
        return node_siemens(self.topology, self.substrate.read_conductance())

    def make_safe(self) -> None:
        """Pass it on."""
        self.substrate.make_safe()

    def _near(self, input_volts: Floats) -> Settled | None:
        if self._known is None or not np.array_equal(self._known[0], input_volts):
            return None
        return self._known[1]
