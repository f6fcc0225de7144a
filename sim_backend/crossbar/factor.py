"""A crossbar that has been reduced to its ports: what is asked of it."""

from __future__ import annotations

import numba
import numpy as np

from sim_backend.crossbar import leaf_kernels, level_kernels
from sim_backend.crossbar.inputs import Floats, Planes
from sim_backend.crossbar.leaf_kernels import LANES
from sim_backend.crossbar.reduction import Reduction
from sim_backend.crossbar.symmetric import admittance
from sim_backend.crossbar.tasks import shared_nodes
from sim_backend.crossbar.workers import workers

__all__ = ["Factor"]

_EXAMPLES = 32
"""Examples that are substituted together, to bound memory."""


def _threads() -> int:
    return int(numba.get_num_threads())


class Factor:
    """A crossbar reduced to its ports: row drivers, then column ends.

    Args:
        planes: conductances (rows, cols) of devices, word segments (the one before each device)
            and bit segments (the one after each device), C order; those of wires above 0.
        is_kept: whether to keep what substitution needs.  If not, only transfer conductances
            are known.
        is_updatable: whether to keep what a quick update needs.

    Raises:
        ValueError: conductances are too far apart for floating-point numbers.
    """

    def __init__(self, planes: Planes, is_kept: bool = True, is_updatable: bool = False) -> None:
        self.rows, self.cols = planes[0].shape
        with workers(self.rows * self.cols):
            self._blocks = Reduction(planes, is_kept, is_updatable)
        self._admittance: Floats | None = None

    def update(self, planes: Planes) -> None:
        """Take up other conductances; wires in the same arrays as before have not changed.

        Raises:
            ValueError: see the class.
        """
        self._admittance = None
        with workers(self.rows * self.cols):
            self._blocks.update(planes)

    @property
    def transfer_siemens(self) -> Floats:
        """(rows, cols) current out of a column end at 0 V for 1 V at a driver."""
        return self._blocks.matrix[self.rows :, : self.rows].T

    def admittance_siemens(self) -> Floats:
        """(rows + cols, rows + cols) currents into ports for 1 V at one, the others at 0 V."""
        return admittance(self._blocks.matrix)

    def port_amps(self, port_volts: Floats) -> Floats:
        """(batch, ports) into the ports at (batch, n) volts; ports from the n-th on at 0 V."""
        if self._admittance is None:
            self._admittance = self.admittance_siemens()
        with workers(0):
            found: Floats = port_volts @ self._admittance[: port_volts.shape[1]]
        return found

    def _substitute(self, port_volts: Floats, extra: list[Floats] | None) -> Floats:
        """Port voltages of all leaves, (n, batch)."""
        above = np.ascontiguousarray(port_volts.T)
        threads, batch = _threads(), len(port_volts)
        for level in range(len(self._blocks.layout.joins) - 1, -1, -1):
            joins = self._blocks.layout.joins[level]
            below = np.empty((int(self._blocks.layout.grids[level].vector[-1]), batch))
            more = np.empty((0, 0)) if extra is None else extra[level]
            tasks, bounds = shared_nodes(joins.table, threads)
            level_kernels.descend(
                joins.table, (below, above), self._blocks.weights[level], more, tasks, bounds
            )
            above = below
        return above

    def volts(self, port_volts: Floats) -> tuple[Floats, Floats]:
        """Node voltages of word lines and bit lines, (batch, rows, cols), at (batch, ports)."""
        batch = len(port_volts)
        words = np.empty((batch, self.rows, self.cols))
        bits = np.empty_like(words)
        none = np.empty((0, 0, 0))
        with workers(words.size):
            for low in range(0, batch, _EXAMPLES):
                part = slice(low, low + _EXAMPLES)
                vectors = self._substitute(port_volts[part], None)
                for shape, weights in zip(
                    self._blocks.leaves, self._blocks.leaf_weights, strict=True
                ):
                    leaf_kernels.descend(
                        shape.program, shape.places, vectors, weights, none, words[part],
                        bits[part], _threads(),
                    )  # fmt: skip
        return words, bits

    def drop_products(self, first: Floats, second: Floats | None) -> Floats:
        """Batch-summed products of device drops, (rows, cols), at (batch, ports) voltages twice."""
        products = np.zeros((self.rows, self.cols))
        with workers(len(first) * products.size):
            for low in range(0, len(first), _EXAMPLES):
                part = slice(low, low + _EXAMPLES)
                one = two = self._substitute(first[part], None)
                if second is not None:
                    two = self._substitute(second[part], None)
                for shape, weights in zip(
                    self._blocks.leaves, self._blocks.leaf_weights, strict=True
                ):
                    leaf_kernels.multiply_drops(
                        shape.program, shape.places, (one, two), weights, products, _threads()
                    )
        return products

    def respond(
        self, port_volts: Floats, word_amps: Floats, bit_amps: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Effect of currents pushed into nodes, at given port voltages.

        Args:
            port_volts: (batch, ports).
            word_amps: (batch, rows, cols) into the nodes of word lines.
            bit_amps: (batch, rows, cols) into the nodes of bit lines.

        Returns:
            Node voltages of word and bit lines, (batch, rows, cols) each, and the currents that
            leave through the ports because of the sources, (batch, ports).
        """
        words, bits = np.empty(word_amps.shape), np.empty(word_amps.shape)
        amps = np.empty(port_volts.shape)
        with workers(words.size):
            for low in range(0, len(port_volts), _EXAMPLES):
                part = slice(low, low + _EXAMPLES)
                self._respond(
                    port_volts[part], (word_amps[part], bit_amps[part]),
                    (words[part], bits[part], amps[part]),
                )  # fmt: skip
        return words, bits, amps

    def _respond(
        self, volts: Floats, sources: tuple[Floats, Floats], out: tuple[Floats, Floats, Floats]
    ) -> None:
        threads, batch, kept = _threads(), len(volts), self._blocks
        grids = self._blocks.layout.grids
        below = np.empty((int(grids[0].vector[-1]), batch))
        leaf_extra, extra = [], []
        for shape, weights, ohms in zip(
            self._blocks.leaves, kept.leaf_weights, kept.leaf_ohms, strict=True
        ):
            more = np.empty((len(shape.places), batch, shape.program.n_inner * LANES))
            leaf_kernels.ascend(
                shape.program, shape.places, sources, weights, ohms, more, below, threads
            )
            leaf_extra.append(more)
        for level, joins in enumerate(self._blocks.layout.joins):
            above = np.empty((int(grids[level + 1].vector[-1]), batch))
            more = np.empty((joins.shares, batch))
            level_kernels.ascend(
                joins.table,
                (below, above),
                (kept.weights[level], kept.pivots[level]),
                more,
                threads,
            )
            extra.append(more)
            below = above
        out[2][:] = below.T
        vectors = self._substitute(volts, extra)
        for shape, weights, more in zip(
            self._blocks.leaves, kept.leaf_weights, leaf_extra, strict=True
        ):
            leaf_kernels.descend(
                shape.program, shape.places, vectors, weights, more, out[0], out[1], threads
            )
