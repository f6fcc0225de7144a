"""Products with a crossbar, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.layered.products import multiply, transpose


@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 3, 4, 9])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (7, 31), (3, 32), (70, 33), (130, 257)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products(shape: tuple[int, int], batch: int, chunks: int, dtype: type) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=shape).astype(dtype)
    volts = rng.normal(size=(batch, shape[1])).astype(dtype)
    across = np.empty(shape[::-1], dtype)
    transpose(matrix, across, chunks)
    np.testing.assert_array_equal(across, matrix.T)
    found = multiply(volts, matrix, across, chunks)
    assert found.dtype == dtype
    rounding = 50 * np.finfo(dtype).eps * (np.abs(volts) @ np.abs(matrix.T))
    exact = volts.astype(np.float64) @ matrix.T.astype(np.float64)
    assert np.all(np.abs(found - exact) <= rounding)


def test_an_overflow_concerns_its_example_alone() -> None:
    matrix = np.ones((6, 40), np.float32)
    volts = np.ones((6, 40), np.float32)
    volts[2] = np.inf
    volts[5, 0] = np.nan
    found = multiply(volts, matrix, matrix.T.copy(), 2)
    assert np.isfinite(found).all(axis=1).tolist() == [True, True, False, True, True, False]
