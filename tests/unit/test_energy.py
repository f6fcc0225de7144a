"""Contrasts of local energies."""

from __future__ import annotations

import numpy as np
import pytest

from hil.energy import ResistorEnergy, Term, contrast_factors
from hil.topology import Crossbar, Edges, Topology, layered

MIXED = Topology(
    7,
    np.array([0, 1]),
    np.array([6]),
    (
        Crossbar(np.array([0, 1]), np.array([2, 3, 4])),
        Edges(np.array([2, 4, 3]), np.array([5, 5, 6])),
        # Columns that do not follow each other.
        Crossbar(np.array([5, 0]), np.array([6, 3])),
    ),
)


def direct(topology: Topology, terms: list[Term], weights: tuple[float, ...]) -> np.ndarray:
    """Device by device, example by example."""
    tails, heads = topology.tails, topology.heads
    group = np.repeat(np.arange(len(weights)), [g.n_devices for g in topology.groups])
    total = np.zeros(topology.n_devices)
    for device in range(topology.n_devices):
        for term in terms:
            for volts in term.node_volts.astype(np.float64):
                drop = volts[tails[device]] - volts[heads[device]]
                total[device] += weights[group[device]] * term.coefficient * 0.5 * drop**2
    return total


@pytest.mark.parametrize("coefficients", [(1.0,), (1.0, -1.0), (0.5, -0.5), (2.0, -1.5, 0.25)])
def test_contrast_is_the_sum_over_devices_and_examples(coefficients: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    weights = (16.0, 4.0, 1.0)
    terms = [Term(c, rng.normal(size=(3, 7))) for c in coefficients]
    energy = ResistorEnergy(MIXED, weights)
    found = energy.contrast(terms)
    assert found.shape == (MIXED.n_devices,)
    np.testing.assert_allclose(found, direct(MIXED, terms, weights), rtol=1e-12, atol=1e-12)


def test_phases_that_hardly_differ_lose_no_digits() -> None:
    """Single precision, drops of 1 V, phases 10 uV apart: squares must not be subtracted."""
    topology = layered(5, (4,), 3)
    rng = np.random.default_rng(1)
    base = rng.uniform(-1.0, 1.0, (4, topology.n_nodes)).astype(np.float32)
    step = (1e-5 * rng.uniform(-1.0, 1.0, base.shape)).astype(np.float32)
    step[:, :5] = 0.0
    terms = [Term(0.5, base + step), Term(-0.5, base - step)]
    found = ResistorEnergy(topology, (1.0, 1.0)).contrast(terms)
    assert found.dtype == np.float32
    exact = direct(topology, terms, (1.0, 1.0))
    np.testing.assert_allclose(found, exact, rtol=0, atol=3e-6 * np.abs(exact).max())


def test_sourced_rows_need_one_outer_product_an_example() -> None:
    crossbar = Crossbar(np.array([0, 1, 2]), np.array([3, 4]))
    rng = np.random.default_rng(2)
    volts = rng.normal(size=(4, 5))
    other = volts.copy()
    other[:, 3:] += rng.normal(size=(4, 2))
    terms = [Term(1.0, other), Term(-1.0, volts)]
    clamped, full = (contrast_factors(crossbar, terms, clamped=c) for c in (True, False))
    assert clamped.row_factors.shape == (4, 3)
    np.testing.assert_allclose(clamped.dense(), full.dense(), rtol=1e-12, atol=1e-13)


def test_opposite_terms_cancel() -> None:
    volts = np.random.default_rng(3).normal(size=(2, 7))
    energy = ResistorEnergy(MIXED, (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(energy.contrast([Term(2.0, volts), Term(-2.0, volts)]), 0.0)
