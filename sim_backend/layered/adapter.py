"""The layered circuit as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray, is_frozen
from hil.energy import ResistorEnergy, Term
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Topology
from sim_backend.layered import drawing, programming
from sim_backend.layered.network import LayeredNetwork
from sim_backend.layered.passes import Devices, Phases, differences
from sim_backend.nodal.elements import Circuit

__all__ = ["LayeredSubstrate"]

_FLUSH_EVERY = 255
"""Device passes after which the one-byte change counters are added to the wide ones."""


class LayeredSubstrate(Substrate):
    """Simulated stack of crossbars.

    Besides the contract it can settle several drives together, adjust, descend, read and load
    conductances, count writes and compare drops.

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

    Raises:
        ConfigurationError: a node is reached by no conductance, or a start conductance is
            outside the window.
    """

    def __init__(
        self,
        network: LayeredNetwork,
        topology: Topology,
        *,
        amplified: bool,
        energy_weights: tuple[float, ...],
        window_siemens: tuple[float, float],
        pulse_siemens: float,
        max_input_volts: float,
        max_nudge_amps: float,
    ) -> None:
        super().__init__(
            SubstrateSpec(
                kind="layered",
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
        self._amplified = amplified
        self._weights = energy_weights
        low, high = (network.dtype.type(g) for g in window_siemens)
        self._window = (low, high)
        self._largest = float(np.finfo(network.dtype).max)
        self._counts: IntArray = np.zeros(topology.n_devices, np.int64)
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
        if network.floating is not None:
            layer, node = network.floating
            raise ConfigurationError(
                f"node {node} of layer {layer + 1} is reached by no conductance and would float; "
                "raise g_min_siemens above 0 or start from other conductances"
            )
        self._sum_again(network.conductance_siemens)

    # --- the contract ---------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self._settle_phases(drive.input_volts, [drive.nudge_amps], near)[0]

    def _pulse(self, counts: IntArray) -> None:
        step = self._network.dtype.type(self.spec.pulse_siemens)
        self.adjust(counts.astype(self._network.dtype) * step)

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
        self._check_one_a_device("delta_siemens", delta_siemens, "f")
        if not np.isfinite(delta_siemens).all():
            raise UsageError("a conductance change is not finite; nothing was programmed")
        low, high = self._window
        conductance = self._network.conductance_siemens
        moved = np.clip(conductance + delta_siemens.astype(conductance.dtype), low, high)
        self._counts += moved != conductance
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
        return self._network.conductance_siemens.copy()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        self._check_one_a_device("conductance_siemens", conductance_siemens, "f")
        low, high = self._window
        given = conductance_siemens.astype(self._network.dtype)
        outside = np.flatnonzero(~((given >= low) & (given <= high)))
        if outside.size:
            raise UsageError(
                f"{outside.size} conductances are not within the window [{low:.6g}, {high:.6g}] S, "
                f"the first at device {outside[0]}: {given[outside[0]]:.6g} S; nothing was loaded"
            )
        self._sum_again(given)

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._check_open()
        self._flush()
        return self._counts.copy()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,).

        Raises:
            UsageError: wrong shape, not integers, or a negative count.
        """
        self._check_open()
        self._check_one_a_device("counts", counts, "iu")
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < 2**62:
            raise UsageError("a write count is negative or absurdly large")
        self._flush()
        self._counts[:] = counts

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

    # --- inside ---------------------------------------------------------------------------

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

    def _check_one_a_device(self, name: str, values: AnyArray, kinds: str) -> None:
        if values.shape != self._counts.shape or values.dtype.kind not in kinds:
            wanted = "floating-point values" if kinds == "f" else "integers"
            raise UsageError(
                f"{name} must be {self._counts.size} {wanted}, one a device; "
                f"got {values.dtype} of shape {values.shape}"
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
        self._counts += self._devices.changed
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
