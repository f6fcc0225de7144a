"""The layered circuit as a :class:`hil.Substrate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.arrays import Floats, IntArray
from hil.energy import Factors, ResistorEnergy, Term, contrast_factors
from hil.errors import ConfigurationError, UsageError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Crossbar, Topology
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
        self._changed = [np.zeros(b.shape, np.uint8) for b in network.blocks]
        self._counts: IntArray = np.zeros(topology.n_devices, np.int64)
        self._passes = 0
        self._held_inputs: Floats | None = None
        self._held_currents: tuple[Floats, ...] = ()
        self._layer_nodes = _layer_slices(topology, amplified)
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
        inputs = drive.input_volts.astype(network.dtype, copy=False)
        if self._held_inputs is None or not np.array_equal(self._held_inputs, inputs):
            self._held_currents = network.inject(inputs)
            self._held_inputs = inputs.copy()
        start = None
        if near is not None and len(near.node_volts) == len(inputs):
            start = tuple(near.node_volts[:, nodes] for nodes in self._layer_nodes)
        nudge = drive.nudge_amps
        if nudge is not None:
            nudge = nudge.astype(network.dtype, copy=False)
        state = network.settle(self._held_currents, nudge, start)
        volts = np.empty((len(inputs), self.spec.topology.n_nodes), network.dtype)
        volts[:, : inputs.shape[1]] = inputs
        for index, nodes in enumerate(self._layer_nodes):
            volts[:, nodes] = state.volts[index]
            if self._amplified and index + 1 < len(self._layer_nodes):
                size = nodes.stop - nodes.start
                gain = network.circuit.layers[index].forward_gain.astype(network.dtype)
                volts[:, nodes.stop : nodes.stop + size] = state.volts[index] * gain
        return Settled(volts, state.residual <= network.options.tolerance)

    def _pulse(self, counts: IntArray) -> None:
        step = self._network.dtype.type(self.spec.pulse_siemens)
        self.adjust(counts.astype(self._network.dtype) * step)

    def _make_safe(self) -> None:
        """Nothing is energised between calls; drop what was held."""
        self._held_inputs = None

    # --- abilities ------------------------------------------------------------------------

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,), keeping every device in its window.

        Raises:
            UsageError: wrong shape or a value that is not finite.
        """
        self._check_open()
        if delta_siemens.shape != self._counts.shape or not np.isfinite(delta_siemens).all():
            raise UsageError(
                f"adjust needs {self._counts.size} finite values, one a device; "
                f"got shape {delta_siemens.shape}"
            )
        for group, (part, block) in enumerate(
            zip(self.spec.topology.slices, self._network.blocks, strict=True)
        ):
            dense = delta_siemens[part].reshape(block.shape).astype(self._network.dtype)
            self._pass(group, _no_factors(block), dense, -1.0, False)
        self._programmed()

    def descend(
        self, terms: Sequence[Term], rates: Sequence[float], *, sign_only: bool = False
    ) -> None:
        """``g -= rate * contrast(terms)``, or ``rate * sign(contrast)``, in one pass a group.

        Raises:
            UsageError: not one rate a group, or a state that is not finite.
        """
        self._check_open()
        groups = self.spec.topology.groups
        if len(rates) != len(groups):
            raise UsageError(f"descend needs {len(groups)} rates, one a crossbar; got {len(rates)}")
        for index, group in enumerate(groups):
            assert isinstance(group, Crossbar)
            factors = contrast_factors(group, terms, clamped=index == 0)
            if not np.isfinite(factors.column).all():
                raise UsageError("a settled state is not finite; leave failed examples out")
            dense: Floats = np.empty((0, 0), self._network.dtype)
            if not programming.worth_skipping(factors.row_factors):
                dense = factors.row_factors.T @ factors.column_factors
                factors = Factors(
                    factors.row, factors.column, factors.row_factors[:0], factors.column_factors[:0]
                )
            step = rates[index] if sign_only else rates[index] * self._weights[index]
            self._pass(index, factors, dense, step, sign_only)
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
        return self._network.conductance_siemens.copy()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens; not counted as writes.

        Raises:
            UsageError: wrong shape, or a value outside the window or not finite.
        """
        self._check_open()
        low, high = self._window
        given = conductance_siemens.astype(self._network.dtype)
        if given.shape != self._counts.shape or not np.all((given >= low) & (given <= high)):
            raise UsageError(
                f"expected {self._counts.size} conductances within "
                f"[{low:.6g}, {high:.6g}] S; got shape {given.shape}"
            )
        self._sum_again(given)

    def write_counts(self) -> IntArray:
        """(n_devices,) programming events that changed a conductance."""
        self._flush()
        return self._counts.copy()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,)."""
        self._flush()
        self._counts[:] = counts

    # --- inside ---------------------------------------------------------------------------

    def _pass(
        self, group: int, factors: Factors, dense: Floats, step: float, sign_only: bool
    ) -> None:
        network = self._network
        sums = programming.program(
            network.blocks[group],
            np.ascontiguousarray(factors.row_factors),
            np.ascontiguousarray(factors.column_factors),
            factors.row,
            factors.column,
            dense,
            sign_only,
            network.dtype.type(step),
            self._window,
            self._changed[group],
            network.options.threads,
        )
        network.moved(group, *sums)

    def _programmed(self) -> None:
        self._network.refresh()
        self._held_inputs = None
        self._passes += 1
        if self._passes == _FLUSH_EVERY:
            self._flush()

    def _flush(self) -> None:
        for part, changed in zip(self.spec.topology.slices, self._changed, strict=True):
            self._counts[part] += changed.ravel()
            changed[:] = 0
        self._passes = 0

    def _sum_again(self, conductance_siemens: Floats) -> None:
        """Set conductances and sum them in the order device passes do, bit for bit."""
        self._flush()
        self._network.conductance_siemens[:] = conductance_siemens
        for group, block in enumerate(self._network.blocks):
            empty = np.empty((0, 0), self._network.dtype)
            self._pass(group, _no_factors(block), empty, 0.0, False)
            self._changed[group][:] = 0
        self._programmed()


def _no_factors(block: Floats) -> Factors:
    rows, columns = block.shape
    return Factors(
        np.zeros(rows, block.dtype),
        np.zeros(columns, block.dtype),
        np.zeros((0, rows), block.dtype),
        np.zeros((0, columns), block.dtype),
    )


def _layer_slices(topology: Topology, amplified: bool) -> tuple[slice, ...]:
    """Where each layer's neuron nodes lie on the node axis."""
    slices = []
    start = topology.inputs.size
    for index, group in enumerate(topology.groups):
        size = group.heads.size
        slices.append(slice(start, start + size))
        start += size * (2 if amplified and index + 1 < len(topology.groups) else 1)
    return tuple(slices)
