"""A programmed layered circuit of curved devices: conductances, sums, and steady states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_backend.curved.laws import Law
from sim_backend.curved.nodes import rest_batch
from sim_backend.curved.reduced import solve_reduced
from sim_backend.layered import injection, responses, sweeps
from sim_backend.layered.circuit import LayeredCircuit, diode_amps, neuron_arrays
from sim_backend.layered.network import SolverOptions, can_reduce
from sim_backend.layered.neurons import Floats, ShockleyPairs

__all__ = ["CurvedNetwork"]

BoolArray = NDArray[np.bool_]


class CurvedNetwork:
    """Conductances on a :class:`LayeredCircuit` and its solver; all of it in float64.

    Args:
        circuit: the circuit.
        law: curve of all devices.
        conductance_siemens: (n_devices,), block after block, row-major; not copied.
        options: convergence settings.
    """

    def __init__(
        self,
        circuit: LayeredCircuit,
        law: Law,
        conductance_siemens: Floats,
        options: SolverOptions,
    ) -> None:
        self.circuit, self.law, self.options = circuit, law, options
        self._neurons = [np.ascontiguousarray(neuron_arrays(a), float) for a in circuit.layers]
        self._diodes = [
            responses.SHOCKLEY if isinstance(layer.neurons, ShockleyPairs) else responses.WINDOW
            for layer in circuit.layers
        ]
        zeros = [np.zeros(layer.size) for layer in circuit.layers]
        given = [diode_amps(layer) for layer in circuit.layers]
        self._pushes: list[Floats] = [
            zero if amps is None else amps.astype(float)
            for zero, amps in zip(zeros, given, strict=True)
        ]
        shifts = [layer.shift_volts for layer in circuit.layers]
        self.amplifiers: list[Floats] = [
            np.stack([layer.forward_gain, layer.backward_gain, zero if a is None else a]).astype(
                float
            )
            for layer, zero, a in zip(circuit.layers, zeros, shifts, strict=True)
        ]
        self._is_reduced = can_reduce(circuit)
        self._mixing: sweeps.Mixing | None = None
        self.reload(conductance_siemens)

    def reload(self, conductance_siemens: Floats) -> None:
        """Take over all conductances, shape (n_devices,), not copied."""
        self.blocks: list[Floats] = []
        start = 0
        for rows, columns in self.circuit.block_shapes:
            stop = start + rows * columns
            self.blocks.append(conductance_siemens[start:stop].reshape(rows, columns))
            start = stop
        layers = self.circuit.layers
        self._column_sums: list[Floats] = [block.sum(axis=0) for block in self.blocks]
        # What lies between neurons of every crossbar but the first.
        self._between = [
            block[: layer.size] for block, layer in zip(self.blocks[1:], layers[:-1], strict=True)
        ]
        # The last layer drives nothing.
        self._row_sums: list[Floats] = [
            *(part.sum(axis=1) for part in self._between),
            np.zeros(layers[-1].size),
        ]
        if self._is_reduced:
            self._across = np.ascontiguousarray(self._between[0].T)
            self._bias_sums: Floats = self.blocks[1][layers[0].size :].sum(axis=0)

    @property
    def floating(self) -> tuple[int, int] | None:
        """(layer, node), counted from 0, of a node that no conductance reaches, if any."""
        for index, (fed, drawn) in enumerate(zip(self._column_sums, self._row_sums, strict=True)):
            bad = np.flatnonzero(~(fed + drawn > 0))
            if bad.size:
                return index, int(bad[0])
        return None

    def inject(self, lines: Floats) -> list[Floats]:
        """Products of every crossbar with the features of its sourced lines.

        Args:
            lines: (batch, n_inputs) volts, float64 in C order.

        Returns:
            Per layer (batch, n_features, n).
        """
        n_features, batch = self.law.n_features, len(lines)
        features = self.law.features(lines).reshape(batch * n_features, -1)
        found: list[Floats] = []
        previous = 0
        for layer, block in zip(self.circuit.layers, self.blocks, strict=True):
            start, stop = layer.clamped
            if start == stop:
                product: Floats = np.zeros((batch * n_features, layer.size))
            else:
                rows = block[previous:]
                product = injection.collect(rows, features, start, self.options.threads)
            found.append(product.reshape(batch, n_features, layer.size))
            previous = layer.size
        return found

    def settle(
        self,
        lines: Floats,
        injected: list[Floats],
        nudges_amps: Floats,
        start: list[Floats] | None,
    ) -> tuple[list[Floats], BoolArray]:
        """Steady states for :meth:`inject`'s products and some nudges into the outputs.

        Args:
            lines: (batch, n_inputs) volts.
            injected: see above.
            nudges_amps: (phases, batch, n_outputs).
            start: per layer (batch, n) voltages near the answer, or None; what is not finite or
                far off the lines counts as 0 V.

        Returns:
            Per layer (phases, batch, n) volts, and (phases, batch) whether the residual is small
            enough, see :class:`SolverOptions`.
        """
        phases, batch = nudges_amps.shape[:2]
        largest = np.abs(lines).max(axis=1, initial=0.0)
        volts: list[Floats] = [
            np.zeros((phases, batch, layer.size)) for layer in self.circuit.layers
        ]
        if start is not None:
            reach = self._reach(largest, nudges_amps)[:, None]
            for mine, near in zip(volts, start, strict=True):
                mine[0] = np.where(np.abs(near) <= reach, near, 0.0)
        ok = np.empty((phases, batch), np.bool_)
        if self._is_reduced:
            self._settle_reduced(injected, nudges_amps, largest, volts, ok)
            return volts, ok
        # An overflow is the matter of its example alone, which will not settle.
        with np.errstate(over="ignore", invalid="ignore"):
            for phase, nudge in enumerate(nudges_amps):
                if phase:
                    for places in volts:
                        places[phase] = np.where(np.isfinite(places[0]), places[0], 0.0)
                here = [v[phase] for v in volts]
                residual = self._sweep(injected, nudge, largest, here)
                ok[phase] = residual <= self.options.tolerance
        return volts, ok

    def _reach(self, largest: Floats, nudges_amps: Floats) -> Floats:
        """(batch,) voltages beyond which a start is not worth trying."""
        gain = float(np.prod([max(1.0, np.max(a[0])) for a in self.amplifiers]))
        least = max(float(self._column_sums[-1].min()), float(np.finfo(float).tiny))
        nudge = np.minimum(np.abs(nudges_amps).max(axis=(0, 2)), 1e6 * least) / least
        bend = self.law.length_volts
        reach: Floats = 10.0 * gain * (largest + nudge) + (bend if np.isfinite(bend) else 0.0)
        return reach

    def _settle_reduced(
        self,
        injected: list[Floats],
        nudges_amps: Floats,
        largest: Floats,
        volts: list[Floats],
        ok: BoolArray,
    ) -> None:
        solve_reduced(
            self.law.kind,
            self.law.parameter,
            injected[0],
            self._column_sums[0],
            self._across,
            self._row_sums[0],
            self.amplifiers[0],
            self._pushes[0],
            self._diodes[0],
            self._neurons[0],
            injected[1],
            self._bias_sums,
            nudges_amps,
            largest,
            self.options.tolerance,
            self.options.max_iterations,
            volts[0],
            volts[1],
            ok,
        )

    def _product(self, volts: Floats, siemens: Floats) -> Floats:
        """Features of voltages (batch, m) times conductances (m, n), (batch, n_features, n)."""
        features = self.law.features(volts)
        batch, n_features, m = features.shape
        product: Floats = features.reshape(batch * n_features, m) @ siemens
        return product.reshape(batch, n_features, -1)

    def _respond(
        self,
        index: int,
        injected: list[Floats],
        push: Floats,
        largest: Floats,
        volts: list[Floats],
        answer: Floats,
        lost: Floats,
    ) -> None:
        """Rest voltages of a layer at its neighbours' present ones; ``answer`` holds guesses."""
        law, layers = self.law, self.circuit.layers
        fed = injected[index]
        if index > 0:
            gain, _, shift = self.amplifiers[index - 1]
            fed = fed + self._product(gain * volts[index - 1] + shift, self._between[index - 1])
        drawn: Floats = np.empty((len(push), law.n_features, 0))
        if index + 1 < len(layers):
            drawn = self._product(volts[index + 1], self._between[index].T)
        rest_batch(
            law.kind,
            law.parameter,
            fed,
            self._column_sums[index],
            drawn,
            self._row_sums[index],
            self.amplifiers[index],
            push,
            self._diodes[index],
            self._neurons[index],
            largest,
            answer,
            lost,
        )

    def _sweep(
        self, injected: list[Floats], nudge: Floats, largest: Floats, volts: list[Floats]
    ) -> Floats:
        """Exact block sweeps with Anderson mixing, see ``layered.sweeps``; relative residuals."""
        sizes = [layer.size for layer in self.circuit.layers]
        odd, even = range(0, len(sizes), 2), range(1, len(sizes), 2)
        fewer_odd = not even or sum(sizes[0::2]) < sum(sizes[1::2])
        kept, gone = (odd, even) if fewer_odd else (even, odd)
        batch = len(nudge)
        pushes = [np.repeat(amps[None], batch, axis=0) for amps in self._pushes]
        pushes[-1] += nudge
        swept = [volts[i].copy() for i in kept]
        if self._mixing is None or self._mixing.batch != batch:
            self._mixing = sweeps.Mixing(batch, [sizes[i] for i in kept], np.dtype(np.float64))
        self._mixing.begin()
        lost = np.zeros((len(sizes), batch))
        for _ in range(self.options.max_iterations):
            for i in gone:
                self._respond(i, injected, pushes[i], largest, volts, volts[i], lost[i])
            for place, i in enumerate(kept):
                self._respond(i, injected, pushes[i], largest, volts, swept[place], lost[i])
            residual = self._mixing.step([volts[i] for i in kept], swept, self.options.tolerance)
            if not np.any(residual > self.options.tolerance):
                break
        # Within the windows of ideal diodes, which an extrapolated state may leave a little.
        for place, i in enumerate(kept):
            volts[i][:] = swept[place]
        for answer in volts:
            residual[~np.isfinite(answer).all(axis=1)] = np.nan
        return residual + np.where(lost.max(axis=0) <= self.options.tolerance, 0.0, np.nan)
