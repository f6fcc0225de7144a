"""A programmed layered circuit: conductances, their sums, and its steady states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sim_backend.layered import injection, products, responses, sweeps
from sim_backend.layered.circuit import LayeredCircuit, diode_amps, neuron_arrays
from sim_backend.layered.neurons import Floats, IdealDiodes, Linear, ShockleyPairs
from sim_backend.layered.reduced import prepare_reduced, solve_reduced

__all__ = ["LayeredNetwork", "SolverOptions", "can_reduce"]

_DENSE_OUTPUTS = 64
"""Up to this many outputs a one-hidden-layer network is solved by elimination."""


BoolArray = NDArray[np.bool_]

NodeVolts = tuple[Floats, tuple[int, ...]]
"""(phases, batch, n_nodes) volts in C order, and the column of each layer's first neuron."""


@dataclass(frozen=True, slots=True)
class SolverOptions:
    """When a state counts as settled.

    Attributes:
        tolerance: largest current imbalance at a node divided by the conductance it sees,
            relative to the largest voltage its layer would take without diodes.
        max_iterations: Newton steps or sweeps before giving up on a sample.
        threads: row blocks of the passes over devices; equal numbers give equal bits.
    """

    tolerance: float
    max_iterations: int = 2000
    threads: int = 1


class LayeredNetwork:
    """Conductances on a :class:`LayeredCircuit` and its solver.

    Args:
        circuit: the circuit.
        conductance_siemens: (n_devices,), block after block, row-major; copied.
        options: convergence settings.
        dtype: float32 or float64.
    """

    def __init__(
        self,
        circuit: LayeredCircuit,
        conductance_siemens: Floats,
        options: SolverOptions,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.circuit = circuit
        self.options = options
        self.dtype = _floating(dtype)
        self.conductance_siemens: Floats = np.array(conductance_siemens, self.dtype)
        self.blocks: list[Floats] = []
        start = 0
        for rows, columns in circuit.block_shapes:
            stop = start + rows * columns
            self.blocks.append(self.conductance_siemens[start:stop].reshape(rows, columns))
            start = stop
        self._neurons = [
            np.ascontiguousarray(neuron_arrays(layer), self.dtype) for layer in circuit.layers
        ]
        self._kinds = [
            responses.SHOCKLEY if isinstance(layer.neurons, ShockleyPairs) else responses.WINDOW
            for layer in circuit.layers
        ]
        self._forward = [layer.forward_gain.astype(self.dtype) for layer in circuit.layers]
        self._backward = [layer.backward_gain.astype(self.dtype) for layer in circuit.layers]
        self._amplified = [bool(np.any(gain != 1)) for gain in self._forward]
        self._loops = [a * b for a, b in zip(self._forward, self._backward, strict=True)]
        self._shifts = [layer.shift_volts for layer in circuit.layers[:-1]]
        self._diode_amps = [diode_amps(layer) for layer in circuit.layers]
        self._has_constants = any(a is not None for a in (*self._shifts, *self._diode_amps))
        self._constants: list[Floats | None] | None = None
        self._is_reduced = can_reduce(circuit)
        if self._is_reduced:
            shape = (circuit.layers[1].size, circuit.layers[0].size)
            self._forward_out = np.empty(shape, self.dtype)
            self._backward_out = np.empty(shape, self.dtype)
        # The part between neurons of every crossbar but the first, and its transpose.
        self._between = [
            block[: layer.size]
            for block, layer in zip(self.blocks[1:], circuit.layers[:-1], strict=True)
        ]
        self._across = [np.empty(part.shape[::-1], self.dtype) for part in self._between]
        self._mixing: sweeps.Mixing | None = None
        self._totals = [np.empty(layer.size, self.dtype) for layer in circuit.layers]
        self.reload(self.conductance_siemens)

    def refresh(self) -> None:
        """Recompute what depends on conductances, from the kept row and column sums."""
        layers = self.circuit.layers
        self._constants = None
        if self._is_reduced:
            prepare_reduced(
                self.blocks[1],
                self._forward[0],
                self._backward[0],
                self._column_sums[0],
                self._column_sums[1],
                self._row_sums[1],
                self._forward_out,
                self._backward_out,
                self._totals[0],
                self._totals[1],
            )
            return
        for index, (layer, total) in enumerate(zip(layers, self._totals, strict=True)):
            total[:] = self._column_sums[index]
            if index + 1 < len(layers):
                total += self._loops[index] * self._row_sums[index + 1][: layer.size]
        for part, across in zip(self._between, self._across, strict=True):
            products.transpose(part, across, self.options.threads)

    def reload(self, conductance_siemens: Floats) -> None:
        """Replace all conductances, shape (n_devices,)."""
        self.conductance_siemens[:] = conductance_siemens
        self._row_sums = [block.sum(axis=1) for block in self.blocks]
        self._column_sums = [block.sum(axis=0) for block in self.blocks]
        self.refresh()

    def keep_sums_in(self, block: int, row_sums: Floats, column_sums: Floats) -> None:
        """Use sums of ``block`` that a device pass will leave in these arrays from now on.

        Call :meth:`refresh` after every pass.
        """
        self._row_sums[block] = row_sums
        self._column_sums[block] = column_sums

    @property
    def floating(self) -> tuple[int, int] | None:
        """(layer, node), counted from 0, of a node that no conductance reaches, if any."""
        for index, total in enumerate(self._totals):
            bad = np.flatnonzero(~(total > 0))
            if bad.size:
                return index, int(bad[0])
        return None

    def lines(self, input_volts: Floats) -> Floats:
        """Levels of the sourced lines as kernels take them: (batch, n_inputs), read-only."""
        lines = np.ascontiguousarray(input_volts, self.dtype)
        if lines.flags.writeable:
            lines = lines.view()
            lines.flags.writeable = False
        return lines

    def inject(self, lines: Floats) -> tuple[Floats, ...]:
        """Currents into each layer at 0 V, per layer (batch, n).

        They come from :meth:`lines`, and from what is constant, which offsets of amplifiers and
        pairs of unequal diodes are.
        """
        result = []
        previous = 0
        for layer, block in zip(self.circuit.layers, self.blocks, strict=True):
            start, stop = layer.clamped
            if start == stop:
                result.append(np.zeros((len(lines), layer.size), self.dtype))
            else:
                rows = block[previous:]
                result.append(injection.collect(rows, lines, start, self.options.threads))
            previous = layer.size
        if self._has_constants:
            for amps, constant in zip(result, self._constant_amps(), strict=True):
                if constant is not None:
                    amps += constant
        return tuple(result)

    def _constant_amps(self) -> list[Floats | None]:
        """Per layer (n,) currents at 0 V that neither lines nor nudges cause, or None.

        An amplifier with offset ``o`` drives its row at ``A (v + o)``: ``A o`` pushes
        ``g_jk A o`` into every node behind, and B times the sum of these is taken out of its own
        node.  Kept until conductances change.
        """
        if self._constants is not None:
            return self._constants
        found: list[Floats | None] = [
            None if amps is None else amps.astype(np.float64) for amps in self._diode_amps
        ]
        for index, shift in enumerate(self._shifts):
            if shift is None:
                continue
            # Not by BLAS, whose sums may depend on its number of threads.
            pushed = np.einsum("j,jk->k", shift, self._between[index], dtype=np.float64)
            rows = self._row_sums[index + 1][: shift.size]
            taken = -self.circuit.layers[index].backward_gain * shift * rows
            for place, amps in ((index, taken), (index + 1, pushed)):
                present = found[place]
                found[place] = amps if present is None else present + amps
        self._constants = [None if a is None else a.astype(self.dtype) for a in found]
        return self._constants

    def settle(
        self,
        lines: Floats,
        injected: tuple[Floats, ...],
        nudges_amps: Floats,
        start: Floats | None,
        into: NodeVolts,
    ) -> BoolArray:
        """Steady states for :meth:`inject`'s currents plus each of some nudges into the outputs.

        Args:
            lines: (batch, n_inputs) volts, copied to the first nodes.
            injected: per layer (batch, n).
            nudges_amps: (phases, batch, n_outputs).
            start: (batch, n_nodes) voltages near the answer, or None; what is not finite
                counts as 0 V.
            into: where to leave the voltages.

        Returns:
            (phases, batch) whether the residual is small enough, see :class:`SolverOptions`.
        """
        ok = np.empty(nudges_amps.shape[:2], np.bool_)
        if self._is_reduced:
            self._settle_reduced(lines, injected, nudges_amps, start, into, ok)
            return ok
        node_volts, starts = into
        node_volts[:, :, : lines.shape[1]] = lines
        places = [
            slice(first, first + layer.size)
            for first, layer in zip(starts, self.circuit.layers, strict=True)
        ]
        # An overflow is the matter of its example alone, which will not settle.
        with np.errstate(over="ignore", invalid="ignore"):
            for phase, nudge in enumerate(nudges_amps):
                near = start
                for before in range(phase):
                    if start is not None and np.array_equal(nudge, -nudges_amps[before]):
                        # To first order the opposite nudge moves every node the other way.
                        near = 2 * start - node_volts[before]
                residual = self._settle_sweeping(
                    (*injected[:-1], injected[-1] + nudge),
                    None if near is None else tuple(near[:, nodes] for nodes in places),
                    tuple(node_volts[phase, :, nodes] for nodes in places),
                )
                ok[phase] = residual <= self.options.tolerance
        return ok

    def _settle_reduced(
        self,
        lines: Floats,
        pushes: tuple[Floats, ...],
        nudges_amps: Floats,
        start: Floats | None,
        into: NodeVolts,
        ok: BoolArray,
    ) -> None:
        node_volts, starts = into
        outputs = slice(starts[1], starts[1] + nudges_amps.shape[2])
        node_volts[0, :, outputs] = 0 if start is None else start[:, outputs]
        solve_reduced(
            lines,
            self._kinds[0],
            pushes[0],
            pushes[1],
            nudges_amps,
            self._forward_out,
            self._backward_out,
            self._totals[0],
            self._totals[1],
            self._neurons[0],
            self.options.tolerance,
            self.options.max_iterations,
            node_volts,
            starts[0],
            starts[1],
            ok,
        )

    def _respond(
        self, index: int, pushes: tuple[Floats, ...], volts: list[Floats], answer: Floats
    ) -> None:
        """Response of a whole layer to its neighbours' present voltages, (batch, n)."""
        layers = self.circuit.layers
        upstream = downstream = np.empty((0, 0), self.dtype)
        if index > 0:
            driving = volts[index - 1]
            if self._amplified[index - 1]:
                driving = driving * self._forward[index - 1]
            part, across = self._between[index - 1], self._across[index - 1]
            upstream = products.multiply(driving, across, part, self.options.threads)
        if index + 1 < len(layers):
            part, across = self._between[index], self._across[index]
            downstream = products.multiply(volts[index + 1], part, across, self.options.threads)
        responses.respond_batch(
            self._kinds[index],
            pushes[index],
            upstream,
            downstream,
            self._backward[index],
            self._totals[index],
            self._neurons[index],
            answer,
        )

    def _settle_sweeping(
        self,
        pushes: tuple[Floats, ...],
        start: tuple[Floats, ...] | None,
        settled: tuple[Floats, ...],
    ) -> Floats:
        sizes = [layer.size for layer in self.circuit.layers]
        odd, even = range(0, len(sizes), 2), range(1, len(sizes), 2)
        fewer_odd = not even or sum(sizes[0::2]) < sum(sizes[1::2])
        kept, gone = (odd, even) if fewer_odd else (even, odd)
        batch = len(pushes[0])
        volts = [np.zeros((batch, n), self.dtype) for n in sizes]
        swept = [np.empty((batch, sizes[i]), self.dtype) for i in kept]
        if start is not None:
            for i in kept:
                volts[i][:] = np.where(np.isfinite(start[i]), start[i], 0)
        if self._mixing is None or self._mixing.batch != batch:
            self._mixing = sweeps.Mixing(batch, [sizes[i] for i in kept], self.dtype)
        self._mixing.begin()
        for _ in range(self.options.max_iterations):
            for i in gone:
                self._respond(i, pushes, volts, volts[i])
            for place, i in enumerate(kept):
                self._respond(i, pushes, volts, swept[place])
            residual = self._mixing.step([volts[i] for i in kept], swept, self.options.tolerance)
            if not np.any(residual > self.options.tolerance):
                break
        for answer, wanted in zip(volts, settled, strict=True):
            wanted[:] = answer
            residual[~np.isfinite(answer).all(axis=1)] = np.nan
        return residual


def _floating(dtype: DTypeLike) -> np.dtype[np.floating]:
    return np.dtype(np.float32) if np.dtype(dtype) == np.float32 else np.dtype(np.float64)


def can_reduce(circuit: LayeredCircuit) -> bool:
    """Whether one hidden layer feeds few and linear outputs, which ``reduced`` solves."""
    last = circuit.layers[-1]
    unbounded = isinstance(last.neurons, Linear) or (
        isinstance(last.neurons, IdealDiodes)
        and bool(np.all(np.isinf(last.neurons.lower_volts) & np.isinf(last.neurons.upper_volts)))
    )
    return len(circuit.layers) == 2 and last.size <= _DENSE_OUTPUTS and unbounded
