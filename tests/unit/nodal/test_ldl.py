"""The lockstep factorisation against dense solutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sim_backend.nodal.ldl import LockstepFactor


@settings(max_examples=60)
@given(
    n=st.integers(1, 24), share=st.floats(0.0, 1.0), batch=st.sampled_from([1, 3, 16, 17, 40]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_solutions_of_a_batch(n: int, share: float, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.random((n, n)) < share, -1)
    mask = lower | lower.T
    values = -rng.lognormal(sigma=2.0, size=(batch, n, n)) * mask
    values = values + values.transpose(0, 2, 1)
    grounds = rng.lognormal(sigma=2.0, size=(batch, n))
    at = np.arange(n)
    values[:, at, at] = grounds - values.sum(2)
    pattern = sparse.csc_matrix(mask | np.eye(n, dtype=bool)).astype(float)
    factor = LockstepFactor(pattern)
    coo = pattern.tocoo()
    rows, columns = coo.row[factor.entries], coo.col[factor.entries]
    right = rng.normal(size=(n, batch))
    found = factor.solve(values[:, rows, columns].T.copy(), right)
    for b in range(batch):
        expected = np.linalg.solve(values[b], right[:, b])
        np.testing.assert_allclose(
            found[:, b], expected, rtol=1e-6, atol=1e-9 * abs(expected).max()
        )


@pytest.mark.parametrize("m", [3, 20])
def test_the_order_keeps_the_factor_sparse(m: int) -> None:
    """A square lattice needs some ``n log n`` entries, not the ``n^1.5`` of natural order."""
    line = sparse.diags([-1.0, 2.5, -1.0], [-1, 0, 1], (m, m))
    unit = sparse.identity(m)
    lattice = (sparse.kron(line, unit) + sparse.kron(unit, line)).tocsc()
    factor = LockstepFactor(lattice)
    assert factor.n_factor < 0.7 * m**3 + 10
    coo = lattice.tocoo()
    ones = np.ones((m * m, 2))
    found = factor.solve(np.repeat(coo.data[factor.entries][:, None], 2, axis=1), lattice @ ones)
    np.testing.assert_allclose(found, ones, rtol=1e-12)
