"""The leaves of a layout, sorted by shape into groups of eight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.layout import Grid, layout
from sim_backend.crossbar.leaf_kernels import LANES
from sim_backend.crossbar.leaf_program import LeafProgram, leaf_program

__all__ = ["LeafShape", "leaf_shapes"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LeafShape:
    """All leaves of one shape.

    Attributes:
        program: of the shape.
        blocks: (n_groups, LANES) numbers of the leaves; the last group may repeat one.
        places: (n_groups, LANES, 4) first row and column, start of the matrix and of the port
            vector.
    """

    program: LeafProgram
    blocks: Ints
    places: Ints


@lru_cache(maxsize=16)
def leaf_shapes(rows: int, cols: int) -> tuple[LeafShape, ...]:
    """The leaves of an array."""
    grid: Grid = layout(rows, cols).grids[0]
    n_down, n_across = grid.shape
    a, b = np.divmod(np.arange(n_down * n_across), n_across)
    h, w = np.diff(grid.row_bounds)[a], np.diff(grid.col_bounds)[b]
    kinds = np.stack([h, w, b < n_across - 1, a > 0], axis=1)
    places = np.stack(
        [grid.row_bounds[a], grid.col_bounds[b], grid.matrix[:-1], grid.vector[:-1]], axis=1
    )
    found, kind_of = np.unique(kinds, axis=0, return_inverse=True)
    shapes = []
    for kind, (height, width, has_right, has_top) in enumerate(found):
        alike = np.flatnonzero(kind_of.ravel() == kind)
        short = -alike.size % LANES
        blocks = np.concatenate([alike, np.full(short, alike[-1])]).reshape(-1, LANES)
        program = leaf_program(int(height), int(width), bool(has_right), bool(has_top))
        shapes.append(LeafShape(program, blocks, np.ascontiguousarray(places[blocks])))
    return tuple(shapes)
