"""Sums that a device pass leaves are those that a reload finds, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.layered import programming

ROWS = 901
"""Each of the two parts holds more than one strip: only there can the groups of rows differ."""


@pytest.mark.parametrize("columns", [32, 100, 150, 1030])
@pytest.mark.parametrize("batch", [1, 4, 8])
def test_sums_do_not_depend_on_how_rows_were_moved(columns: int, batch: int) -> None:
    """Few examples take another way over the rows than many; a resumed run takes a third."""
    rng = np.random.default_rng(columns)
    conductance = rng.uniform(1e-6, 1e-3, ROWS * columns).astype(np.float32)
    before = conductance.copy()
    first = rng.standard_normal((batch, ROWS + columns)).astype(np.float32)
    first[:, :ROWS][rng.random((batch, ROWS)) < 0.7] = 0.0
    other = first.copy()
    other[:, ROWS:] += np.float32(0.01)

    def sums(others: np.ndarray, weights: np.ndarray) -> np.ndarray:
        partial = np.zeros((2, columns), np.float32)
        assert programming.program(
            conductance,
            np.array([programming.Block(0, ROWS, columns, ROWS, 0, 0, 1)], np.int64),
            np.arange(ROWS),
            first,
            others,
            weights,
            True,
            False,
            np.zeros(1, np.float32),
            np.full(1, 1e-6, np.float32),
            np.float32(1e-8),
            np.float32(1e-3),
            np.zeros(ROWS * columns, np.uint8),
            np.zeros(ROWS, np.float32),
            partial,
        )
        return partial[0].copy()

    after_pass = sums(other[None], np.ones(1, np.float32))
    assert not np.array_equal(conductance, before)
    again = sums(np.zeros((0, *first.shape), np.float32), np.zeros(0, np.float32))
    assert np.array_equal(after_pass, again)
