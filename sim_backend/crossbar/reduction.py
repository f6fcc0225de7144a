"""A crossbar's blocks, reduced from the leaves up to the whole array."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar import leaf_kernels, level_kernels
from sim_backend.crossbar.inputs import Floats, Planes
from sim_backend.crossbar.layout import A_BLOCK, B_BLOCK, layout
from sim_backend.crossbar.leaf_kernels import LANES
from sim_backend.crossbar.leaves import LeafShape, leaf_shapes
from sim_backend.crossbar.tasks import side_by_side, strips, tiles
from sim_backend.threads import prepare

__all__ = ["Reduction"]

Bools = NDArray[np.bool_]

prepare()  # OpenMP reads its settings at the first parallel kernel.

_MOST_LEAVES = 0.25
"""Share of leaves that have changed, up to which the others are left alone."""


class Reduction:
    """Blocks of a crossbar as seen from their ports.

    Args:
        planes: conductances (rows, cols) of devices, word segments and bit segments, C order;
            those of wires above 0.
        is_kept: whether to keep what substitution needs.  If not, only the part of ``matrix``
            between drivers and column ends is filled.
        is_updatable: whether to keep the matrices of all blocks.

    Attributes:
        layout: how the array is cut.
        leaves: its leaves by shape.
        matrix: (ports, ports) conductances between the array's ports; lower triangle.
        leaf_weights: for every shape of leaf (n_groups, weights).
        leaf_ohms: for every shape of leaf (n_groups, inner nodes).
        weights: for every level the weights of all joins.
        pivots: for every level the pivots of all joins.

    Raises:
        ValueError: conductances are too far apart for floating-point numbers.
    """

    def __init__(self, planes: Planes, is_kept: bool, is_updatable: bool) -> None:
        rows, cols = planes[0].shape
        self.layout = layout(rows, cols)
        self.leaves = leaf_shapes(rows, cols)
        self._is_kept = is_kept
        self.leaf_weights, self.leaf_ohms = [], []
        for shape in self.leaves:
            groups = len(shape.places) if is_kept else 0
            self.leaf_weights.append(np.empty((groups, shape.program.slots.size * LANES)))
            self.leaf_ohms.append(np.empty((groups, shape.program.n_inner * LANES)))
        self.weights, self.pivots = [], []
        for joins in self.layout.joins:
            is_needed = is_kept or not side_by_side(len(joins.table))
            self.weights.append(np.empty(joins.weights if is_needed else 0))
            self.pivots.append(np.empty(joins.pivots if is_needed else 0))
        sizes = [int(grid.matrix[-1]) for grid in self.layout.grids]
        self._buffers = self._allocate(sizes, is_updatable)
        self._planes: Planes | None = planes if is_updatable else None
        self._reduce(planes, None)

    @staticmethod
    def _allocate(sizes: list[int], is_updatable: bool) -> list[Floats]:
        if is_updatable:
            return [np.empty(size) for size in sizes]
        # Two in turn, and the last matrix, which outlives the others, in one of its own.
        pair = [np.empty(max(sizes[k:-1:2], default=0)) for k in (0, 1)]
        return [*(pair[k % 2] for k in range(len(sizes) - 1)), np.empty(sizes[-1])]

    def update(self, planes: Planes) -> None:
        """Take up other conductances; wires in the same arrays as before have not changed.

        Raises:
            ValueError: see the class.
        """
        changed = None
        if self._planes is not None:
            if all(old is new for old, new in zip(self._planes[1:], planes[1:], strict=True)):
                changed = self._changed(self._planes[0] != planes[0])
            self._planes = planes
        if changed is not None and changed.mean() > _MOST_LEAVES:
            changed = None
        self._reduce(planes, changed)

    def _changed(self, devices: Bools) -> Bools:
        """(n_leaves,) which leaves hold one of these devices."""
        grid = self.layout.grids[0]
        by_row = np.logical_or.reduceat(devices, grid.row_bounds[:-1], axis=0)
        found: Bools = np.logical_or.reduceat(by_row, grid.col_bounds[:-1], axis=1).ravel()
        return found

    def _reduce(self, planes: Planes, changed: Bools | None) -> None:
        for k, shape in enumerate(self.leaves):
            self._eliminate(k, shape, planes, changed)
        for level in range(len(self.layout.joins)):
            changed = self._join(level, changed)
        rows, cols = planes[0].shape
        self.matrix = self._buffers[-1].reshape(rows + cols, rows + cols)
        if not np.isfinite(self.matrix[rows:, :rows]).all():
            raise ValueError(
                "conductances between distant nodes fall below the smallest number, because "
                "devices conduct so much better than wires that nothing flows past them; bring "
                "the two closer together"
            )

    def _eliminate(
        self, kind: int, shape: LeafShape, planes: Planes, changed: Bools | None
    ) -> None:
        places, weights, ohms = shape.places, self.leaf_weights[kind], self.leaf_ohms[kind]
        groups = None if changed is None else np.flatnonzero(changed[shape.blocks].any(axis=1))
        if groups is not None:
            if not groups.size:
                return
            places, weights, ohms = places[groups], weights[groups], ohms[groups]
        chunks = min(4 * int(numba.get_num_threads()), len(places))
        leaf_kernels.eliminate(
            shape.program, places, planes, weights, ohms, self._buffers[0], chunks
        )
        if groups is not None:
            self.leaf_weights[kind][groups] = weights
            self.leaf_ohms[kind][groups] = ohms

    def _join(self, level: int, changed: Bools | None) -> Bools | None:
        """Join the blocks of a level; return which of the new ones have changed."""
        table = self.layout.joins[level].table
        if changed is not None:
            changed = changed[table[:, A_BLOCK]] | changed[table[:, B_BLOCK]]
            table = table[changed]
            if not len(table):
                return changed
        matrices = self._buffers[level], self._buffers[level + 1]
        kept, threads = (self.weights[level], self.pivots[level]), int(numba.get_num_threads())
        if side_by_side(len(table)):
            chunks = min(4 * threads, len(table))
            level_kernels.join_small(table, matrices, kept, self._is_kept, chunks)
            return changed
        is_last = level + 1 == len(self.layout.joins)
        corner = self.layout.grids[0].row_bounds[-1] if is_last and not self._is_kept else 0
        work = strips(table), tiles(table, int(corner))
        level_kernels.join_in_tasks(table, matrices, kept, self._is_kept, work, threads)
        return changed
