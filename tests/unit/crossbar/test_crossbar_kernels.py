from __future__ import annotations

import numba
import numpy as np
import pytest

from sim_backend.crossbar import leaf_kernels, level_kernels
from sim_backend.crossbar.crossbar import Crossbar, solve_crossbar
from sim_backend.crossbar.layout import LEAF, SHARED, layout
from sim_backend.crossbar.leaf_program import leaf_program
from sim_backend.crossbar.ports import CrossbarPorts
from sim_backend.memristors.conduction import Cubic
from tests.unit.crossbar.references import drawn


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (9, 8), (100, 7), (50, 51)])
def test_blocks_tile_the_array_and_each_node_is_shared_once(rows: int, cols: int) -> None:
    parts = layout(rows, cols)
    for grid in parts.grids:
        for bounds, n in ((grid.row_bounds, rows), (grid.col_bounds, cols)):
            assert (bounds[0], bounds[-1]) == (0, n)
            assert (np.diff(bounds) >= 1).all()
            assert np.ptp(np.diff(bounds)) <= 1
    leaves = parts.grids[0]
    assert max(np.diff(leaves.row_bounds).max(), np.diff(leaves.col_bounds).max()) <= LEAF
    down, across = leaves.shape
    programs = [
        leaf_program(
            int(np.diff(leaves.row_bounds)[a]), int(np.diff(leaves.col_bounds)[b]),
            b < across - 1, a > 0,
        )
        for a in range(down)
        for b in range(across)
    ]  # fmt: skip
    inner = sum(program.n_inner for program in programs)
    shared = sum(int(joins.table[:, SHARED].sum()) for joins in parts.joins)
    assert inner + shared == 2 * rows * cols
    assert parts.grids[-1].ports.tolist() == [rows + cols]


@pytest.mark.parametrize(("rows", "cols"), [(150, 90), (33, 20)])
def test_results_do_not_depend_on_the_number_of_threads(rows: int, cols: int) -> None:
    array = drawn(rows, cols, 0)
    volts = np.random.default_rng(1).normal(size=(1, rows))
    offered = numba.get_num_threads()
    found = []
    try:
        for threads in (1, offered):
            numba.set_num_threads(threads)
            solution = Crossbar(array.siemens, array.word_ohms, array.bit_ohms).solve(volts)
            found.append((solution.column_amps, solution.word_volts, solution.bit_volts))
    finally:
        numba.set_num_threads(offered)
    for one, two in zip(*found, strict=True):
        assert (one == two).all()


def test_kernels_are_compiled_once_whatever_is_given() -> None:
    # Compiling takes seconds: arrays of another kind must not reach the kernels.
    array = drawn(40, 30, 0)
    volts = np.ones((2, 40))
    for siemens in (array.siemens, np.asfortranarray(array.siemens), array.siemens.astype("f4")):
        for ohms in (1, array.word_ohms, np.broadcast_to(2.0, (40, 30)), array.word_ohms[::1]):
            solve_crossbar(siemens, volts, ohms, ohms)
            crossbar = Crossbar(siemens, ohms, ohms, updatable=True)
            crossbar.solve(np.asfortranarray(volts))
            crossbar.update(siemens)
            CrossbarPorts(siemens, ohms, ohms).drop_products(np.ones((1, 70)), np.ones((1, 70)))
    solve_crossbar(array.siemens, volts, 1.0, 1.0, conduction=Cubic(1.0))
    for module, names in (
        (leaf_kernels, ("eliminate", "descend", "ascend", "multiply_drops")),
        (level_kernels, ("join_small", "join_in_tasks", "descend", "ascend")),
    ):
        for name in names:
            assert len(getattr(module, name).signatures) <= 1, name
