"""A programmed layered circuit: conductances, their sums, and its steady states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sim_backend.layered import programming, responses, sweeps
from sim_backend.layered.circuit import LayeredCircuit, neuron_arrays
from sim_backend.layered.neurons import Floats, ShockleyPairs
from sim_backend.layered.reduced import solve_reduced

__all__ = ["LayeredNetwork", "SettledLayers", "SolverOptions"]

_DENSE_OUTPUTS = 64
"""Up to this many outputs a one-hidden-layer network is solved by elimination."""


@dataclass(frozen=True, slots=True)
class SolverOptions:
    """When a state counts as settled.

    Attributes:
        tolerance: largest current imbalance at a node divided by the conductance it sees,
            relative to the largest voltage its layer would take without diodes.
        max_iterations: Newton steps or sweeps before giving up on a sample.
        threads: row blocks of the device passes; equal numbers give equal bits.
    """

    tolerance: float
    max_iterations: int = 200
    threads: int = 1


@dataclass(frozen=True, slots=True)
class SettledLayers:
    """Steady states of a batch.

    Attributes:
        injected: per layer (batch, n) amps from the sourced lines, reusable while neither
            inputs nor conductances change.
        volts: per layer (batch, n) node voltages.
        residual: (batch,) see :class:`SolverOptions`.
    """

    injected: tuple[Floats, ...]
    volts: tuple[Floats, ...]
    residual: Floats


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
        self.dtype = np.dtype(dtype)
        self.conductance_siemens: Floats = np.array(conductance_siemens, self.dtype)
        self.blocks: list[Floats] = []
        start = 0
        for rows, columns in circuit.block_shapes:
            stop = start + rows * columns
            self.blocks.append(self.conductance_siemens[start:stop].reshape(rows, columns))
            start = stop
        self._neurons = [
            tuple(np.ascontiguousarray(a, self.dtype) for a in neuron_arrays(layer))
            for layer in circuit.layers
        ]
        self._kinds = [
            responses.SHOCKLEY if isinstance(layer.neurons, ShockleyPairs) else responses.WINDOW
            for layer in circuit.layers
        ]
        self._forward = [layer.forward_gain.astype(self.dtype) for layer in circuit.layers]
        self._backward = [layer.backward_gain.astype(self.dtype) for layer in circuit.layers]
        self._row_sums = [block.sum(axis=1) for block in self.blocks]
        self._column_sums = [block.sum(axis=0) for block in self.blocks]
        self.refresh()

    def refresh(self) -> None:
        """Recompute what depends on conductances, from the kept row and column sums."""
        layers = self.circuit.layers
        self._totals = []
        for index, layer in enumerate(layers):
            total = self._column_sums[index].astype(self.dtype)
            if index + 1 < len(layers):
                fed = self._row_sums[index + 1][: layer.size].astype(self.dtype)
                total = total + self._forward[index] * self._backward[index] * fed
            self._totals.append(total)
        if self._is_reduced:
            last = self.blocks[1][: layers[0].size].T
            self._forward_out = np.ascontiguousarray(last * self._forward[0])
            self._backward_out = np.ascontiguousarray(last * self._backward[0])

    def reload(self, conductance_siemens: Floats) -> None:
        """Replace all conductances, shape (n_devices,)."""
        self.conductance_siemens[:] = conductance_siemens
        self._row_sums = [block.sum(axis=1) for block in self.blocks]
        self._column_sums = [block.sum(axis=0) for block in self.blocks]
        self.refresh()

    def moved(self, block: int, row_sums: Floats, column_sums: Floats) -> None:
        """Take over the sums a device pass left for ``block``; call :meth:`refresh` after."""
        self._row_sums[block] = row_sums
        self._column_sums[block] = column_sums

    @property
    def _is_reduced(self) -> bool:
        layers = self.circuit.layers
        return len(layers) == 2 and layers[1].size <= _DENSE_OUTPUTS and self._kinds[1] == 0 and (
            np.all(np.isinf(self._neurons[1][0])) and np.all(np.isinf(self._neurons[1][1]))
        )  # fmt: skip

    @property
    def floating(self) -> tuple[int, int] | None:
        """(layer, node), counted from 0, of a node that no conductance reaches, if any."""
        for index, total in enumerate(self._totals):
            bad = np.flatnonzero(~(total > 0))
            if bad.size:
                return index, int(bad[0])
        return None

    def inject(self, input_volts: Floats) -> tuple[Floats, ...]:
        """Currents from the sourced lines into each layer at 0 V, per layer (batch, n)."""
        result = []
        previous = 0
        for layer, block in zip(self.circuit.layers, self.blocks, strict=True):
            start, stop = layer.clamped
            if start == stop:
                result.append(np.zeros((len(input_volts), layer.size), self.dtype))
            else:
                lines = input_volts[:, start:stop]
                rows = block[previous:]
                result.append(programming.currents(rows, lines, self.options.threads))
            previous = layer.size
        return tuple(result)

    def settle(
        self,
        injected: tuple[Floats, ...],
        nudge_amps: Floats | None,
        start: tuple[Floats, ...] | None,
    ) -> SettledLayers:
        """Steady state for :meth:`inject`'s currents plus a nudge into the outputs.

        Args:
            injected: per layer (batch, n).
            nudge_amps: (batch, n_outputs) or None.
            start: per layer (batch, n) voltages near the answer, or None.
        """
        pushed = injected[-1] if nudge_amps is None else injected[-1] + nudge_amps
        pushes = (*injected[:-1], pushed)
        if self._is_reduced:
            volts, residual = self._settle_reduced(pushes, start)
        else:
            volts, residual = self._settle_sweeping(pushes, start)
        return SettledLayers(injected, volts, residual)

    def _settle_reduced(
        self, pushes: tuple[Floats, ...], start: tuple[Floats, ...] | None
    ) -> tuple[tuple[Floats, ...], Floats]:
        outputs = np.zeros_like(pushes[1]) if start is None else start[1].astype(self.dtype)
        hidden = np.empty_like(pushes[0])
        residual = np.empty(len(outputs), self.dtype)
        solve_reduced(
            self._kinds[0],
            pushes[0],
            pushes[1],
            self._forward_out,
            self._backward_out,
            self._totals[0],
            self._totals[1],
            self._neurons[0],
            self.options.tolerance,
            self.options.max_iterations,
            outputs,
            hidden,
            residual,
        )
        return (hidden, outputs), residual

    def _respond(self, index: int, pushes: tuple[Floats, ...], volts: list[Floats]) -> Floats:
        """Response of a whole layer to its neighbours' present voltages, (batch, n)."""
        push = pushes[index]
        layers = self.circuit.layers
        if index > 0:
            driven = volts[index - 1] * self._forward[index - 1]
            push = push + driven @ self.blocks[index][: layers[index - 1].size]
        if index + 1 < len(layers):
            back = volts[index + 1] @ self.blocks[index + 1][: layers[index].size].T
            push = push + self._backward[index] * back
        answer = np.empty_like(push)
        responses.respond_batch(
            self._kinds[index], push, self._totals[index], self._neurons[index], answer
        )
        return answer

    def _settle_sweeping(
        self, pushes: tuple[Floats, ...], start: tuple[Floats, ...] | None
    ) -> tuple[tuple[Floats, ...], Floats]:
        sizes = [layer.size for layer in self.circuit.layers]
        odd, even = range(0, len(sizes), 2), range(1, len(sizes), 2)
        kept, gone = (odd, even) if sum(sizes[0::2]) < sum(sizes[1::2]) else (even, odd)
        batch = len(pushes[0])
        volts: list[Floats] = [
            np.zeros((batch, n), self.dtype) if start is None else start[i].astype(self.dtype)
            for i, n in enumerate(sizes)
        ]
        n_kept = sum(sizes[i] for i in kept)
        edges = np.cumsum([0, *(sizes[i] for i in kept)])
        state = np.concatenate([np.empty((batch, 0), self.dtype), *(volts[i] for i in kept)], 1)
        mixing = _Mixing(batch, n_kept, self.dtype)
        residual = np.full(batch, np.inf, self.dtype)
        for sweep in range(self.options.max_iterations):
            for place, i in enumerate(kept):
                volts[i] = state[:, edges[place] : edges[place + 1]]
            for i in gone:
                volts[i] = self._respond(i, pushes, volts)
            swept = [self._respond(i, pushes, volts) for i in kept]
            residual = _relative_residual([volts[i] for i in kept], swept, batch, self.dtype)
            if not np.any(residual > self.options.tolerance):
                break
            for place, i in enumerate(kept):
                volts[i] = volts[i].copy()
            mixing.step(sweep, state, np.concatenate(swept, axis=1))
        return tuple(np.ascontiguousarray(v) for v in volts), residual


def _relative_residual(
    kept: list[Floats], swept: list[Floats], batch: int, dtype: np.dtype[np.floating]
) -> Floats:
    """Largest distance of a node from its response, relative to its layer's largest voltage."""
    worst = np.zeros(batch, dtype)
    for before, after in zip(kept, swept, strict=True):
        error = np.max(np.abs(after - before), axis=1)
        scale = np.max(np.abs(after), axis=1)
        worst = np.maximum(worst, error / np.maximum(scale, np.finfo(dtype).tiny))
    return worst


class _Mixing:
    """Buffers of :func:`sweeps.mix` for one batch."""

    def __init__(self, batch: int, size: int, dtype: np.dtype[np.floating]) -> None:
        self._previous = np.empty((2, batch, size), dtype)
        self._steps = np.empty((2, batch, sweeps.DEPTH, size), dtype)
        self._remembered: NDArray[np.int64] = np.zeros(batch, np.int64)
        self._best = np.full(batch, np.inf)

    def step(self, sweep: int, state: Floats, swept: Floats) -> None:
        """Replace ``state`` by the next one."""
        sweeps.mix(
            sweep, state, swept, *self._previous, *self._steps, self._remembered, self._best
        )
