"""How an array is cut into blocks, and which blocks join to which.

The array is halved along rows and columns until pieces of at most 8 x 8 devices remain, the
*leaves*.  Going up, neighbours are joined in pairs until one block is left.  A block is known by
its *ports* alone:

* L: the node before its first column, one a row (a driver, or the last node of the block to the
  left), so that the word segments belong to the devices after them;
* R: its own last node of every word line, where a block lies to its right;
* T: its own first node of every bit line, where a block lies above;
* B: the node after its last row, one a column (ground, or T of the block below).

Ports are ordered L, R, T, B.  Joining two blocks identifies R of one with L of the other (or B
with T) and eliminates those nodes.  Blocks of a level differ by at most one row and one column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAF", "Grid", "Joins", "Layout", "layout"]

Ints = NDArray[np.int64]

LEAF = 8
"""Most rows and columns of a leaf."""

# Columns of the table of joins; see Joins.
A_BLOCK, B_BLOCK, A_MATRIX, B_MATRIX, MATRIX, A_PORTS, B_PORTS, PORTS = range(8)
A_VECTOR, B_VECTOR, VECTOR, A_SHARED, B_SHARED, SHARED, WEIGHTS, PIVOTS = range(8, 16)
SHARES, SEGMENTS, COLUMNS = 16, 17, 35


@dataclass(frozen=True, eq=False)
class Grid:
    """The blocks of one level.

    Attributes:
        row_bounds: (n_down + 1,) first row of every block row, and the number of rows.
        col_bounds: (n_across + 1,).
        ports: (n_blocks,) number of ports; blocks are numbered row by row.
        starts: (n_blocks, 5) where L, R, T, B start among the ports, and their number.
        matrix: (n_blocks + 1,) where their matrices start in a buffer.
        vector: (n_blocks + 1,) where their port vectors start in a buffer.
    """

    row_bounds: Ints
    col_bounds: Ints
    ports: Ints
    starts: Ints
    matrix: Ints
    vector: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Block rows and block columns."""
        return self.row_bounds.size - 1, self.col_bounds.size - 1


@dataclass(frozen=True, eq=False)
class Joins:
    """All joins between a level and the next.

    Attributes:
        table: (n_joins, COLUMNS): numbers of the two blocks; starts of their matrices and the new
            one's; numbers of ports of the three; starts of the three port vectors; where the
            shared ports start in either block; how many; where the weights, pivots and shares
            start in their buffers; then six triples (block 0 or 1, first port there, how many)
            which in this order make up the ports of the new block.
        weights: length of the buffer of weights, shared times ports of every join.
        pivots: length of the buffer of pivots, shared squared.
        shares: length of the buffer of currents of shared nodes.
    """

    table: Ints
    weights: int
    pivots: int
    shares: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Levels from the leaves to the whole array."""

    grids: tuple[Grid, ...]
    joins: tuple[Joins, ...]


@lru_cache(maxsize=16)
def layout(rows: int, cols: int) -> Layout:
    """The layout for an array."""
    down, across = _halvings(rows), _halvings(cols)
    grids, joins = [_grid(rows, cols, 1 << down, 1 << across)], []
    while down or across:
        if across and (down == 0 or (cols >> across) <= (rows >> down)):
            across -= 1
            is_across = True
        else:
            down -= 1
            is_across = False
        grids.append(_grid(rows, cols, 1 << down, 1 << across))
        joins.append(_joins(grids[-2], grids[-1], is_across))
    return Layout(tuple(grids), tuple(joins))


def _halvings(n: int) -> int:
    return int(np.ceil(np.log2(n / LEAF))) if n > LEAF else 0


def _starts(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _grid(rows: int, cols: int, n_down: int, n_across: int) -> Grid:
    row_bounds = np.arange(n_down + 1, dtype=np.int64) * rows // n_down
    col_bounds = np.arange(n_across + 1, dtype=np.int64) * cols // n_across
    h, w = (x.ravel() for x in np.meshgrid(np.diff(row_bounds), np.diff(col_bounds), indexing="ij"))
    a, b = (x.ravel() for x in np.meshgrid(range(n_down), range(n_across), indexing="ij"))
    parts = np.stack([h, np.where(b < n_across - 1, h, 0), np.where(a > 0, w, 0), w], axis=1)
    starts = np.concatenate([np.zeros((h.size, 1), np.int64), np.cumsum(parts, axis=1)], axis=1)
    ports = starts[:, 4]
    return Grid(row_bounds, col_bounds, ports, starts, _starts(ports * ports), _starts(ports))


def _joins(below: Grid, above: Grid, is_across: bool) -> Joins:
    n_down, n_across = above.shape
    block = np.arange(n_down * n_across)
    a, b = np.divmod(block, n_across)
    if is_across:
        first = a * (2 * n_across) + 2 * b
        second = first + 1
    else:
        first = 2 * a * n_across + b
        second = first + n_across
    table = np.zeros((block.size, COLUMNS), np.int64)
    one, two = below.starts[first], below.starts[second]
    # R of the first with L of the second, or B of the first with T of the second.
    group, other = (1, 0) if is_across else (3, 2)
    shared = one[:, group + 1] - one[:, group]
    sizes = shared * above.ports
    shares = shared * shared
    named: dict[int, Ints] = {
        A_BLOCK: first, B_BLOCK: second,
        A_MATRIX: below.matrix[first], B_MATRIX: below.matrix[second], MATRIX: above.matrix[:-1],
        A_PORTS: below.ports[first], B_PORTS: below.ports[second], PORTS: above.ports,
        A_VECTOR: below.vector[first], B_VECTOR: below.vector[second], VECTOR: above.vector[:-1],
        A_SHARED: one[:, group], B_SHARED: two[:, other], SHARED: shared,
        WEIGHTS: _starts(sizes)[:-1], PIVOTS: _starts(shares)[:-1], SHARES: _starts(shared)[:-1],
    }  # fmt: skip
    for column, values in named.items():
        table[:, column] = values
    # (block, group) in the order of the new block's ports L, R, T, B.
    if is_across:
        order = [(0, 0), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]
    else:
        order = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 3)]
    for k, (which, part) in enumerate(order):
        starts = (one, two)[which]
        table[:, SEGMENTS + 3 * k] = which
        table[:, SEGMENTS + 3 * k + 1] = starts[:, part]
        table[:, SEGMENTS + 3 * k + 2] = starts[:, part + 1] - starts[:, part]
    return Joins(table, int(sizes.sum()), int(shares.sum()), int(shared.sum()))
