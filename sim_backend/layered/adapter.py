"""The layered circuit as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from hil.arrays import Floats, IntArray, is_frozen
from hil.energy import ResistorEnergy, Term
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Settled, Substrate
from hil.topology import Topology
from sim_backend.devices import WriteCounts, check_change, check_in_window
from sim_backend.layered import drawing, programming
from sim_backend.layered.drawing import DrawsStack
from sim_backend.layered.network import LayeredNetwork
from sim_backend.layered.passes import Devices, Phases, differences
from sim_backend.layered.stack import StackOptions, refuse_floating, stack_spec
from sim_backend.nodal.elements import Circuit
from sim_backend.phases import ComparesHeld, SettlesTogether

__all__ = ["LayeredSubstrate"]

_FLUSH_EVERY = 255
"""Device passes after which the one-byte change counters are added to the wide ones."""


class LayeredSubstrate(SettlesTogether, ComparesHeld, DrawsStack, Substrate):
    """Simulated stack of crossbars.

    Besides the contract it can settle several drives together, adjust, descend, read and load
    conductances, count writes and compare drops.

    Args:
        network: the programmed circuit; owned by the substrate from now on.
        topology: as made by :func:`hil.topology.layered`.
        options: see :class:`sim_backend.layered.stack.StackOptions`.

    Raises:
        ConfigurationError: a node is reached by no conductance, or a start conductance is
            outside the window.
    """

    def __init__(
        self,
        network: LayeredNetwork,
        topology: Topology,
        **options: Unpack[StackOptions],
    ) -> None:
        energy = ResistorEnergy(topology, options["energy_weights"])
        super().__init__(
            stack_spec("layered", topology, energy, network.options.tolerance, **options)
        )
        self._network = network
        self._amplified = amplified = options["amplified"]
        self._weights = options["energy_weights"]
        low, high = (network.dtype.type(g) for g in options["window_siemens"])
        self._window = (low, high)
        self._largest = float(np.finfo(network.dtype).max)
        self._writes = WriteCounts(topology.n_devices)
        self._passes = 0
        self._held_volts: Floats | None = None
        self._held_currents: tuple[Floats, ...] = ()
        self._zeros: Floats = np.zeros((1, 0, 0), network.dtype)
        self._layer_nodes = _layer_slices(topology, amplified)
        self._layer_starts = tuple(nodes.start for nodes in self._layer_nodes)
        self._gains = [
            layer.forward_gain.astype(network.dtype) for layer in network.circuit.layers[:-1]
        ]
        shifts = [layer.shift_volts for layer in network.circuit.layers[:-1]]
        self._shifts = [None if a is None else a.astype(network.dtype) for a in shifts]
        self._devices = Devices(network, topology)
        start = network.conductance_siemens
        if not np.all((start >= low) & (start <= high)):
            raise ConfigurationError(
                f"a start conductance lies outside the window {low:.3g}..{high:.3g} S; "
                "change the window or the start"
            )
        refuse_floating(network.floating)
        self._sum_again(network.conductance_siemens)

    # --- the contract ---------------------------------------------------------------------

    def _pulse(self, counts: IntArray) -> None:
        step = self._network.dtype.type(self.spec.pulse_siemens)
        self.adjust(counts.astype(self._network.dtype) * step)

    def _make_safe(self) -> None:
        """Nothing is energised between calls; drop what was held."""
        self._held_volts = None

    # --- abilities ------------------------------------------------------------------------

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        conductance = self._network.conductance_siemens
        check_change(delta_siemens, conductance.size)
        moved = np.clip(conductance + delta_siemens.astype(conductance.dtype), *self._window)
        self._writes.add(moved != conductance)
        self._sum_again(moved)

    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        """``g -= rate * contrast(terms)``, or ``rate * sign(contrast)``, in one pass a group.

        With ``sign_only`` a device whose absolute contrast is at most ``dead_zone`` rests.
        Terms whose coefficients cancel are phases of the same inputs.

        Raises:
            UsageError: not one finite rate a group, terms of different shapes, or a state that
                is not finite.
        """
        self._check_open()
        self._check_descent(terms, rates, dead_zone)
        phases = differences(terms, self._network.dtype)
        steps = rates
        if not sign_only:
            steps = [rate * weight for rate, weight in zip(rates, self._weights, strict=True)]
        if not self._pass(phases, steps, sign_only, dead_zone):
            raise UsageError(
                "a settled state is not finite, or its squares leave the range of "
                f"{self._network.dtype}; leave failed examples out, lower the voltages "
                "or use float64"
            )

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens, a copy."""
        self._check_open()
        return self._network.conductance_siemens.copy()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        n, window = self.spec.topology.n_devices, self.spec.window_siemens
        self._sum_again(check_in_window(conductance_siemens, n, window, self._network.dtype))

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._check_open()
        self._flush()
        return self._writes.read()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._flush()
        self._writes.load(counts)

    # --- inside ---------------------------------------------------------------------------

    def _draw(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        return drawing.draw(self._network, self.spec.topology, input_volts, nudge_amps)

    def _settle_phases(
        self, given: Floats, nudges_amps: Sequence[Floats | None], near: Settled | None
    ) -> list[Settled]:
        """Settle one batch of inputs with several nudges."""
        network, topology = self._network, self.spec.topology
        batch = len(given)
        volts = np.empty((len(nudges_amps), batch, topology.n_nodes), network.dtype)
        lines = network.lines(given)
        held = self._held_volts
        if held is not given and (held is None or not np.array_equal(held, given)):
            self._held_currents = network.inject(lines)
            self._held_volts = given if is_frozen(given) else given.copy()
        nudges = nothing = self._no_nudge(batch)
        if len(nudges_amps) > 1 or nudges_amps[0] is not None:
            given_amps = [nothing[0] if amps is None else amps for amps in nudges_amps]
            nudges = np.array(given_amps, network.dtype)
        start = None if near is None else near.node_volts
        into = (volts, self._layer_starts)
        ok = network.settle(lines, self._held_currents, nudges, start, into)
        if start is not None and np.count_nonzero(ok) < ok.size:
            # A far-off start must cost time only.
            ok = network.settle(lines, self._held_currents, nudges, None, into)
        if self._amplified:
            hidden = zip(self._layer_nodes[:-1], self._gains, self._shifts, strict=True)
            for nodes, gain, shift in hidden:
                behind = slice(nodes.stop, 2 * nodes.stop - nodes.start)
                np.multiply(volts[:, :, nodes], gain, out=volts[:, :, behind])
                if shift is not None:
                    volts[:, :, behind] += shift
        return [Settled(volts[p], ok[p]) for p in range(len(nudges_amps))]

    def _no_nudge(self, batch: int) -> Floats:
        """(1, batch, n_outputs) zeros, kept because batches tend to be of one size."""
        if self._zeros.shape[1] != batch:
            shape = (1, batch, self.spec.topology.outputs.size)
            self._zeros = np.zeros(shape, self._network.dtype)
        return self._zeros

    def _check_descent(
        self, terms: Sequence[Term], rates: Sequence[float], dead_zone: float
    ) -> None:
        if len(rates) != len(self._weights):
            raise UsageError(
                f"descend needs {len(self._weights)} rates, one a crossbar; got {len(rates)}"
            )
        shape = (terms[0].node_volts.shape[:1] if terms else ()) + (self.spec.topology.n_nodes,)
        if not terms or any([term.node_volts.shape != shape for term in terms]):
            raise UsageError(f"descend needs terms of one shape (batch, {shape[-1]})")
        if shape[0] == 0:
            raise UsageError("the terms hold no example; descend needs at least one")
        # In this order NaN is refused, too.
        largest = self._largest
        if not (0.0 <= dead_zone <= largest and all([abs(rate) <= largest for rate in rates])):
            raise UsageError(
                f"rates must be finite in {self._network.dtype} and the dead zone not negative; "
                f"got {list(rates)} and {dead_zone}"
            )

    def _pass(
        self,
        phases: Phases,
        steps: Sequence[float],
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> bool:
        """Move all devices; whether all states were finite."""
        network, devices = self._network, self._devices
        numbers = [*steps, *[dead_zone / weight for weight in self._weights]]
        steps_and_zones = np.array(numbers, network.dtype)
        finite: bool = programming.program(
            network.conductance_siemens,
            devices.blocks,
            devices.tails,
            phases.first,
            phases.others,
            phases.weights,
            phases.share_inputs,
            sign_only,
            steps_and_zones[len(steps) :],
            steps_and_zones[: len(steps)],
            self._window[0],
            self._window[1],
            devices.changed,
            devices.row_sums,
            devices.column_sums,
        )
        # Also after a refusal, because other rows have been programmed.
        network.refresh()
        self._held_volts = None
        self._passes += 1
        if self._passes == _FLUSH_EVERY:
            self._flush()
        return finite

    def _flush(self) -> None:
        self._writes.add(self._devices.changed)
        self._devices.changed[:] = 0
        self._passes = 0

    def _sum_again(self, conductance_siemens: Floats) -> None:
        """Set conductances and sum them in the order device passes do, bit for bit."""
        network = self._network
        network.conductance_siemens[:] = conductance_siemens
        idle = np.zeros((1, self.spec.topology.n_nodes), network.dtype)
        none = np.zeros((0, *idle.shape), network.dtype)
        phases = Phases(idle, none, np.zeros(0, network.dtype), True)
        self._pass(phases, [0.0] * len(self._weights))


def _layer_slices(topology: Topology, amplified: bool) -> tuple[slice, ...]:
    """Where each layer's neuron nodes lie on the node axis."""
    slices = []
    start = topology.inputs.size
    for index, group in enumerate(topology.groups):
        size = group.heads.size
        slices.append(slice(start, start + size))
        start += size * (2 if amplified and index + 1 < len(topology.groups) else 1)
    return tuple(slices)
