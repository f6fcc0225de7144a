from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sim_backend.crossbar.factor import Factor
from sim_backend.crossbar.ports import CrossbarPorts
from tests.unit.crossbar.references import Drawn, dense, drawn

SIZES = st.integers(1, 20)


def ports_of(array: Drawn) -> CrossbarPorts:
    return CrossbarPorts(array.siemens, array.word_ohms, array.bit_ohms)


def planes_of(array: Drawn) -> tuple[np.ndarray, ...]:
    return array.siemens, 1.0 / array.word_ohms, 1.0 / array.bit_ohms


@settings(deadline=None, max_examples=25)
@given(rows=SIZES, cols=SIZES, seed=st.integers(0, 999))
def test_admittance_is_that_of_a_passive_reciprocal_network(
    rows: int, cols: int, seed: int
) -> None:
    array = drawn(rows, cols, seed, open_share=0.2)
    y = ports_of(array).admittance()
    assert (y == y.T).all()
    assert y.shape == (rows + cols,) * 2
    off = y[~np.eye(rows + cols, dtype=bool)]
    assert (off <= 0.0).all()
    _, _, amps = dense(array, np.eye(rows + cols))
    np.testing.assert_allclose(y, amps, rtol=0, atol=1e-10 * np.abs(amps).max())
    assert np.linalg.eigvalsh(y).min() > -1e-12 * np.abs(y).max()


@settings(deadline=None, max_examples=15)
@given(rows=SIZES, cols=SIZES, batch=st.integers(1, 3), seed=st.integers(0, 999))
def test_interior_and_products_of_drops(rows: int, cols: int, batch: int, seed: int) -> None:
    array = drawn(rows, cols, seed)
    ports = ports_of(array)
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(2, batch, rows + cols))
    words, bits = ports.interior(first)
    expected = dense(array, first)
    np.testing.assert_allclose(words, expected[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(bits, expected[1], rtol=0, atol=1e-10)
    others = dense(array, second)
    drops, other_drops = expected[0] - expected[1], others[0] - others[1]
    np.testing.assert_allclose(
        ports.drop_products(first), (drops**2).sum(axis=0), rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        ports.drop_products(first, second), (drops * other_drops).sum(axis=0), rtol=0, atol=1e-9
    )


def test_power_into_the_ports_is_turned_to_heat_inside() -> None:
    array = drawn(40, 25, 3)
    ports = ports_of(array)
    volts = np.random.default_rng(0).normal(size=(1, 65))
    words, bits = ports.interior(volts)
    before = np.concatenate([volts[:, :40, None], words], axis=2)
    after = np.concatenate([bits, volts[:, None, 40:]], axis=1)
    heat = (
        (array.siemens * (words - bits) ** 2).sum()
        + (np.diff(before, axis=2) ** 2 / array.word_ohms).sum()
        + (np.diff(after, axis=1) ** 2 / array.bit_ohms).sum()
    )
    power = (volts @ ports.admittance() @ volts.T).item()
    assert power == pytest.approx(heat, rel=1e-11)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (13, 21), (40, 9)])
@pytest.mark.parametrize("batch", [1, 3])
def test_currents_pushed_into_nodes(rows: int, cols: int, batch: int) -> None:
    # Reciprocity: the voltage at node a for a current into b is that at b for one into a; here
    # summed over all pairs with random weights, and between nodes and ports likewise.
    array = drawn(rows, cols, 7)
    factor = Factor(planes_of(array))
    random = np.random.default_rng(8)
    none = np.zeros((batch, rows + cols))
    one, two = random.normal(size=(2, 2, batch, rows, cols))
    effect_one, effect_two = factor.respond(none, *one), factor.respond(none, *two)
    forth = sum((two[k] * effect_one[k]).sum() for k in range(2))
    back = sum((one[k] * effect_two[k]).sum() for k in range(2))
    assert forth == pytest.approx(back, rel=1e-10)
    volts = random.normal(size=(batch, rows + cols))
    planes = factor.volts(volts)
    out = sum((one[k] * planes[k]).sum() for k in range(2))
    assert (volts * effect_one[2]).sum() == pytest.approx(out, rel=1e-10)
    # All that is pushed in leaves through the ports.
    np.testing.assert_allclose(effect_one[2].sum(axis=1), one.sum(axis=(0, 2, 3)), atol=1e-11)
    both = factor.respond(volts, *one)
    np.testing.assert_allclose(both[0], planes[0] + effect_one[0], atol=1e-10)


def test_a_batch_larger_than_is_substituted_at_once() -> None:
    ports = ports_of(drawn(12, 9, 1))
    volts = np.random.default_rng(2).normal(size=(70, 21))
    words, bits = ports.interior(volts)
    for k in (0, 31, 32, 69):
        alone = ports.interior(volts[k : k + 1])
        np.testing.assert_allclose(alone[0][0], words[k], rtol=0, atol=1e-14)
        np.testing.assert_allclose(alone[1][0], bits[k], rtol=0, atol=1e-14)


def test_voltages_that_do_not_fit_are_refused() -> None:
    ports = ports_of(drawn(3, 2, 0))
    with pytest.raises(ValueError, match="3 rows, then 2 columns"):
        ports.interior(np.ones((1, 3)))
    with pytest.raises(ValueError, match="equally many"):
        ports.drop_products(np.ones((2, 5)), np.ones((1, 5)))
