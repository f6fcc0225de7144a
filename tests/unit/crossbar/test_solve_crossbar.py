from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sim_backend.crossbar.crossbar import Crossbar, solve_crossbar
from sim_backend.crossbar.factor import Factor
from sim_backend.wired.config import WiresConfig
from tests.unit.crossbar.references import Drawn, dense, drawn, exact, laplacian

SIZES = st.integers(1, 20)


def grounded(volts: np.ndarray, cols: int) -> np.ndarray:
    return np.concatenate([volts, np.zeros((len(volts), cols))], axis=1)


@settings(deadline=None, max_examples=25)
@given(rows=SIZES, cols=SIZES, batch=st.integers(1, 3), seed=st.integers(0, 999))
def test_voltages_and_currents_are_those_of_a_dense_solve(
    rows: int, cols: int, batch: int, seed: int
) -> None:
    array = drawn(rows, cols, seed, open_share=0.2)
    volts = np.random.default_rng(seed + 1).normal(size=(batch, rows))
    words, bits, amps = dense(array, grounded(volts, cols))
    given_ = (array.siemens, volts, array.word_ohms, array.bit_ohms)
    found = solve_crossbar(*given_, details=True)
    np.testing.assert_allclose(found.word_volts, words, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.bit_volts, bits, rtol=0, atol=1e-10)
    largest = np.abs(amps).max()
    np.testing.assert_allclose(found.column_amps, -amps[:, rows:], rtol=0, atol=1e-10 * largest)
    np.testing.assert_allclose(found.row_amps, amps[:, :rows], rtol=0, atol=1e-10 * largest)
    np.testing.assert_allclose(
        solve_crossbar(*given_), found.column_amps, rtol=0, atol=1e-14 * largest
    )
    assert found.error_estimate.max() < 1e-12
    assert found.ok.all()


@pytest.mark.parametrize(("rows", "cols"), [(70, 33), (33, 150), (130, 5), (1, 90), (90, 1)])
def test_larger_arrays_obey_kirchhoffs_current_law(rows: int, cols: int) -> None:
    array = drawn(rows, cols, 5, open_share=0.1)
    volts = np.random.default_rng(6).normal(size=(2, rows))
    found = solve_crossbar(array.siemens, volts, array.word_ohms, array.bit_ohms, details=True)
    into = np.concatenate([volts[:, :, None], found.word_volts], axis=2)
    along = -np.diff(into, axis=2) / array.word_ohms
    onward = np.concatenate([along[:, :, 1:], np.zeros((2, rows, 1))], axis=2)
    np.testing.assert_allclose(along - onward, found.device_amps, rtol=0, atol=1e-12)
    down = (
        -np.diff(np.concatenate([found.bit_volts, np.zeros((2, 1, cols))], axis=1), axis=1)
        / array.bit_ohms
    )
    above = np.concatenate([np.zeros((2, 1, cols)), down[:, :-1]], axis=1)
    np.testing.assert_allclose(down - above, found.device_amps, rtol=0, atol=1e-12)
    np.testing.assert_allclose(down[:, -1], found.column_amps, rtol=0, atol=1e-12)
    np.testing.assert_allclose(along[:, :, 0], found.row_amps, rtol=0, atol=1e-12)
    assert np.abs(found.column_amps).max() > 1e-4


def extreme(name: str, rows: int, cols: int) -> Drawn:
    random = np.random.default_rng(11)
    shape = (rows, cols)
    near = random.uniform(0.1, 1.0, shape)
    one = np.ones(shape)
    wide = [10.0 ** random.uniform(-6.0, 6.0, shape) for _ in range(3)]
    coins = [1.0 * (random.random(shape) < 0.5) for _ in range(2)]
    return {
        "good wires, poor devices": Drawn(1e-9 * near, 1e-3 * one, 1e-3 * one),
        "poor wires, good devices": Drawn(1e3 * near, 1e6 * one, 1e6 * one),
        "kiloohm wires": Drawn(1e-3 * near, 1e3 * one, 1e3 * one),
        "twelve decades": Drawn(1e-3 * wide[0], wide[1], wide[2]),
        "ideal rows": Drawn(1e-4 * near, 0.0 * one, one),
        "ideal columns": Drawn(1e-4 * near, one, 0.0 * one),
        "ideal wires": Drawn(1e-4 * near, 0.0 * one, 0.0 * one),
        "some ideal segments": Drawn(1e-4 * near, coins[0], coins[1]),
        "mostly open": Drawn(1e-4 * near * (random.random(shape) < 0.2), one, one),
        "all open": Drawn(0.0 * one, one, 0.0 * one),
    }[name]


@pytest.mark.parametrize(("rows", "cols"), [(6, 4), (3, 10), (9, 2), (1, 1)])
@pytest.mark.parametrize(
    "name",
    [
        "good wires, poor devices",
        "poor wires, good devices",
        "kiloohm wires",
        "twelve decades",
        "ideal rows",
        "ideal columns",
        "ideal wires",
        "some ideal segments",
        "mostly open",
        "all open",
    ],
)
def test_every_current_is_exact_however_far_values_are_apart(
    name: str, rows: int, cols: int
) -> None:
    # Against rational arithmetic, each current relative to itself.
    array = extreme(name, rows, cols)
    volts = np.random.default_rng(12).uniform(0.1, 1.0, rows)
    planes, amps = exact(array, volts)
    found = solve_crossbar(
        array.siemens, volts[None], array.word_ohms, array.bit_ohms, details=True
    )
    np.testing.assert_allclose(found.column_amps[0], amps, rtol=1e-13)
    np.testing.assert_allclose(found.word_volts[0].ravel(), planes[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.bit_volts[0].ravel(), planes[1], rtol=0, atol=1e-14)
    assert found.error_estimate[0] < 1e-9


def test_the_error_estimate_notices_an_error() -> None:
    array = drawn(20, 12, 3)
    volts = np.ones((1, 20))
    crossbar = Crossbar(array.siemens, array.word_ohms, array.bit_ohms)
    assert crossbar.solve(volts).error_estimate[0] < 1e-13
    crossbar._factor._blocks.weights[-1][:] *= 1.0 + 1e-8
    assert crossbar.solve(volts).error_estimate[0] > 1e-12
    crossbar._factor._blocks.matrix[20:, :20] *= 1.0 + 1e-8
    assert crossbar.solve(volts).error_estimate[0] > 1e-9


def test_wires_as_numbers_are_wires_of_that_resistance() -> None:
    array = drawn(9, 11, 0)
    volts = np.random.default_rng(1).normal(size=(4, 9))
    one = solve_crossbar(array.siemens, volts, 2.0, 0.5)
    two = solve_crossbar(
        array.siemens.tolist(), volts, np.full((9, 11), 2.0), np.full((9, 11), 0.5)
    )
    assert (one == two).all()
    assert one.shape == (4, 11)


def test_what_was_given_is_left_alone() -> None:
    array = drawn(9, 11, 0)
    volts = np.ones((1, 9))
    before = [x.copy() for x in (array.siemens, volts, array.word_ohms, array.bit_ohms)]
    solve_crossbar(array.siemens, volts, array.word_ohms, array.bit_ohms, details=True)
    after = (array.siemens, volts, array.word_ohms, array.bit_ohms)
    assert all((x == y).all() for x, y in zip(before, after, strict=True))


def test_the_dense_reference_conserves_charge() -> None:
    assert np.abs(laplacian(drawn(4, 3, 0)).sum(axis=0)).max() < 1e-12


GOOD = {
    "conductance_siemens": np.full((3, 2), 1e-4),
    "row_volts": np.ones((1, 3)),
    "word_ohms": 1.0,
    "bit_ohms": 1.0,
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("conductance_siemens", np.ones(3), "one value a device"),
        ("conductance_siemens", np.ones((0, 2)), "one value a device"),
        ("conductance_siemens", [[1.0, np.nan]] * 3, r"conductance_siemens\[0, 1\] is nan"),
        ("conductance_siemens", [[1.0, -1e-9]] * 3, "is -1e-09; values must lie between 0"),
        ("conductance_siemens", [[1.0, np.inf]] * 3, "is inf"),
        ("conductance_siemens", np.ones((3, 2)) * 1j, "no array of real numbers"),
        ("conductance_siemens", [[1.0], [1.0, 2.0]], "no array of real numbers"),
        ("row_volts", np.ones(3), r"row_volts\[None\]"),
        ("row_volts", np.ones((1, 2)), r"not \(batch, 3\)"),
        ("row_volts", np.ones((0, 3)), "no examples"),
        ("row_volts", [[1.0, np.nan, 0.0]], r"row_volts\[0, 1\] is nan"),
        ("word_ohms", -1.0, "word_ohms is -1.0"),
        ("word_ohms", np.nan, "word_ohms is nan"),
        ("word_ohms", np.inf, "a broken wire"),
        ("bit_ohms", np.ones((2, 3)), "one a segment"),
        ("bit_ohms", np.ones(2), "one a segment"),
        ("bit_ohms", "wire", "no array of real numbers"),
        ("conductance_siemens", np.ma.masked_less(np.ones((3, 2)), 0.0), "is a masked array"),
        ("row_volts", np.ma.masked_greater(np.ones((1, 3)), 0.0), "is a masked array"),
        ("word_ohms", np.ma.masked_array(np.ones((3, 2)), False), "is a masked array"),
    ],
)
@pytest.mark.parametrize("details", [False, True])
def test_what_does_not_fit_is_refused(
    name: str, value: object, message: str, details: bool
) -> None:
    with pytest.raises(ValueError, match=message):
        solve_crossbar(**{**GOOD, name: value}, details=details)


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("shape", [(), (3, 2)])
def test_minus_zero_ohm_is_zero(shape: tuple[int, ...], details: bool) -> None:
    zero = np.zeros(shape)
    for word, bit in ((-zero, 1.0), (1.0, -zero), (-zero, -zero)):
        negative, positive = (
            solve_crossbar(**{**GOOD, "word_ohms": w, "bit_ohms": b}, details=details)
            for w, b in ((word, bit), (np.abs(word), np.abs(bit)))
        )
        if details:
            negative, positive = negative.column_amps, positive.column_amps
        assert (negative == positive).all()
        assert (negative > 0.0).all()


def test_minus_zero_ohm_in_a_configuration_is_zero() -> None:
    wires = WiresConfig(word_ohms=-0.0, bit_ohms=(-0.0, 1.0))
    pairs = wires.of_crossbars(2)
    assert not np.signbit(pairs).any()
    assert WiresConfig(word_ohms=-0.0).is_ideal


def test_a_node_that_nothing_conducts_to_is_refused() -> None:
    # Reached only where products of conductances fall below the smallest number.
    one = np.ones((20, 20))
    with pytest.raises(ValueError, match="fall below the smallest number"):
        Factor((0.0 * one, one, 0.0 * one))
