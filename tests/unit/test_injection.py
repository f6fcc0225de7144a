"""Currents from sourced lines, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from sim_backend.layered.injection import collect


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 7), (150, 33), (70, 210)])
@pytest.mark.parametrize("batch", [1, 4, 6])
def test_currents(
    batch: int, rows: int, columns: int, chunks: int, density: float, dtype: type
) -> None:
    rng = np.random.default_rng(rows + batch)
    conductance = rng.uniform(0.0, 1.0, (rows, columns)).astype(dtype)
    first = 3
    volts = rng.normal(size=(batch, first + rows + 2)).astype(dtype)
    volts[rng.random(volts.shape) >= density] = 0.0
    volts.flags.writeable = False
    found = collect(conductance, volts, first, chunks)
    assert found.shape == (batch, columns)
    assert found.dtype == dtype
    driven = volts[:, first : first + rows].astype(np.float64)
    exact = driven @ conductance.astype(np.float64)
    allowed = 50 * np.finfo(dtype).eps * (np.abs(driven) @ conductance.astype(np.float64))
    assert np.all(np.abs(found - exact) <= allowed)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_spoilt_example_spoils_no_other(density: float) -> None:
    rng = np.random.default_rng(0)
    conductance = rng.uniform(0.0, 1.0, (90, 40))
    volts = rng.normal(size=(6, 90))
    volts[rng.random(volts.shape) >= density] = 0.0
    volts[1, 5], volts[4, 80] = np.nan, np.inf
    volts.flags.writeable = False
    found = collect(conductance, volts, 0, 2)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True, True, False, True]
