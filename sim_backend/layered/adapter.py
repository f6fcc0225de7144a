"""The layered circuit as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hil.arrays import AnyArray, Floats, IntArray, is_frozen
from hil.energy import ResistorEnergy, Term, is_balanced
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Crossbar, Edges, Topology
from sim_backend.layered import programming
from sim_backend.layered.network import LayeredNetwork

__all__ = ["LayeredSubstrate"]

_FLUSH_EVERY = 255
"""Device passes after which the one-byte change counters are added to the wide ones."""


class LayeredSubstrate(Substrate):
    """Simulated stack of crossbars.

    Besides the contract it can adjust, descend, read and load conductances, count writes and
    compare drops.

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
        self._counts: IntArray = np.zeros(topology.n_devices, np.int64)
        self._passes = 0
        self._held_volts: Floats | None = None
        self._held_currents: tuple[Floats, ...] = ()
        self._layer_nodes = _layer_slices(topology, amplified)
        self._layer_starts = tuple(nodes.start for nodes in self._layer_nodes)
        self._gains = [
            layer.forward_gain.astype(network.dtype) for layer in network.circuit.layers[:-1]
        ]
        self._devices = [
            _Devices(group, block, network.options.threads, neurons_drive=index > 0)
            for index, (group, block) in enumerate(
                zip(topology.groups, network.blocks, strict=True)
            )
        ]
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
        network = self._network
        given = drive.input_volts
        batch, n_inputs = given.shape
        volts = np.empty((batch, self.spec.topology.n_nodes), network.dtype)
        volts[:, :n_inputs] = given
        held = self._held_volts
        if held is not given and (held is None or not np.array_equal(held, given)):
            self._held_currents = network.inject(volts)
            self._held_volts = given if is_frozen(given) else given.copy()
        start = None
        if near is not None:
            start = tuple(near.node_volts[:, nodes] for nodes in self._layer_nodes)
        nudge = drive.nudge_amps
        if nudge is not None:
            nudge = nudge.astype(network.dtype, copy=False)
        into = (volts, self._layer_starts)
        ok = network.settle(self._held_currents, nudge, start, into) <= network.options.tolerance
        if start is not None and np.count_nonzero(ok) < batch:
            # A far-off start must cost time only.
            ok = network.settle(self._held_currents, nudge, None, into) <= network.options.tolerance
        if self._amplified:
            for nodes, gain in zip(self._layer_nodes[:-1], self._gains, strict=True):
                size = nodes.stop - nodes.start
                np.multiply(volts[:, nodes], gain, out=volts[:, nodes.stop : nodes.stop + size])
        return Settled(volts, ok)

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
        if len(rates) != len(self._devices):
            raise UsageError(
                f"descend needs {len(self._devices)} rates, one a crossbar; got {len(rates)}"
            )
        shape = (terms[0].node_volts.shape[:1] if terms else ()) + (self.spec.topology.n_nodes,)
        if not terms or any(term.node_volts.shape != shape for term in terms):
            raise UsageError(f"descend needs terms of one shape (batch, {shape[-1]})")
        if shape[0] == 0:
            raise UsageError("the terms hold no example; descend needs at least one")
        with np.errstate(over="ignore"):
            numbers = np.asarray([*rates, dead_zone], self._network.dtype)
        if not np.isfinite(numbers).all() or dead_zone < 0.0:
            raise UsageError(
                f"rates must be finite in {self._network.dtype} and the dead zone not negative; "
                f"got {list(rates)} and {dead_zone}"
            )
        phases = _differences(terms, self._network.dtype)
        try:
            for index, rate in enumerate(rates):
                weight = self._weights[index]
                step = rate if sign_only else rate * weight
                if not self._pass(index, phases, step, sign_only, dead_zone / weight):
                    raise UsageError(
                        "a settled state is not finite, or its squares leave the range of "
                        f"{self._network.dtype}; leave failed examples out, lower the voltages "
                        "or use float64"
                    )
        finally:
            # Also after a refusal, because the groups before it have been programmed.
            self._programmed()

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Settle both drives and compare every device's absolute drops; see the protocol."""
        before, after = self.settle(first, near), self.settle(second, near)
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

    # --- inside ---------------------------------------------------------------------------

    def _check_one_a_device(self, name: str, values: AnyArray, kinds: str) -> None:
        if values.shape != self._counts.shape or values.dtype.kind not in kinds:
            wanted = "floating-point values" if kinds == "f" else "integers"
            raise UsageError(
                f"{name} must be {self._counts.size} {wanted}, one a device; "
                f"got {values.dtype} of shape {values.shape}"
            )

    def _pass(
        self,
        group: int,
        phases: _Phases,
        step: float,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> bool:
        network, devices = self._network, self._devices[group]
        finite: bool = programming.program(
            network.blocks[group],
            phases.first,
            phases.others,
            phases.weights,
            devices.tails,
            devices.head,
            phases.share_inputs and group == 0,
            sign_only,
            network.dtype.type(dead_zone),
            network.dtype.type(step),
            self._window[0],
            self._window[1],
            devices.changed,
            devices.row_sums,
            devices.column_sums,
        )
        network.moved(group, devices.row_sums, devices.column_sums[0])
        return finite

    def _programmed(self) -> None:
        self._network.refresh()
        self._held_volts = None
        self._passes += 1
        if self._passes == _FLUSH_EVERY:
            self._flush()

    def _flush(self) -> None:
        for part, devices in zip(self.spec.topology.slices, self._devices, strict=True):
            self._counts[part] += devices.changed.ravel()
            devices.changed[:] = 0
        self._passes = 0

    def _sum_again(self, conductance_siemens: Floats) -> None:
        """Set conductances and sum them in the order device passes do, bit for bit."""
        network = self._network
        network.conductance_siemens[:] = conductance_siemens
        idle = np.zeros((1, self.spec.topology.n_nodes), network.dtype)
        none = np.zeros((0, *idle.shape), network.dtype)
        phases = _Phases(idle, none, np.zeros(0, network.dtype), True)
        for group in range(len(network.blocks)):
            self._pass(group, phases, 0.0)
        self._programmed()


class _Phases(NamedTuple):
    """Phases of a batch as differences from one of them; see ``programming.program``."""

    first: Floats
    others: Floats
    weights: Floats
    share_inputs: bool


class _Devices:
    """What device passes need to know of one crossbar and leave behind."""

    def __init__(
        self, group: Crossbar | Edges, block: Floats, chunks: int, *, neurons_drive: bool
    ) -> None:
        rows, columns = block.shape
        self.tails = group.tails.astype(np.int64)
        self.head = int(group.heads[0])
        self.changed = np.zeros((rows, columns), np.uint8)
        # What a sourced line sees loads nothing.
        self.row_sums = np.zeros(rows if neurons_drive else 0, block.dtype)
        self.column_sums = np.zeros((chunks, columns), block.dtype)


def _differences(terms: Sequence[Term], dtype: np.dtype[np.floating]) -> _Phases:
    """Terms as differences from the first, or from 0 V if their weights do not cancel."""
    volts = [np.require(term.node_volts, dtype, ["C", "W"]) for term in terms]
    weights = [term.coefficient for term in terms]
    balanced = is_balanced(terms)
    if balanced:
        first, volts, weights = volts[0], volts[1:], weights[1:]
    else:
        first = np.zeros_like(volts[0])
    others = volts[0][None] if len(volts) == 1 else np.stack(volts)
    return _Phases(first, others, np.array(weights, dtype), balanced)


def _layer_slices(topology: Topology, amplified: bool) -> tuple[slice, ...]:
    """Where each layer's neuron nodes lie on the node axis."""
    slices = []
    start = topology.inputs.size
    for index, group in enumerate(topology.groups):
        size = group.heads.size
        slices.append(slice(start, start + size))
        start += size * (2 if amplified and index + 1 < len(topology.groups) else 1)
    return tuple(slices)
