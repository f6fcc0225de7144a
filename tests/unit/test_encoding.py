"""Encoding of features and targets."""

from __future__ import annotations

import numpy as np
import pytest

from hil.encoding import InputEncoder, TargetEncoder


def lines(
    input_volts: float,
    doubled: bool,
    bias_volts: tuple[float, ...],
    feature_offset: float = 0.0,
    dtype: type = np.float64,
) -> InputEncoder:
    return InputEncoder(
        input_volts=input_volts,
        feature_offset=feature_offset,
        doubled=doubled,
        bias_volts=bias_volts,
        dtype=dtype,
    )


def test_plain_features_are_scaled() -> None:
    encoder = lines(0.5, doubled=False, bias_volts=(0.0, 0.0))
    np.testing.assert_array_equal(encoder.encode(np.array([[1.0, -2.0, 0.0]])), [[0.5, -1.0, 0.0]])
    assert encoder.n_signals(3) == 3
    assert encoder.biased == (False, False)


def test_doubling_appends_all_negatives() -> None:
    encoder = lines(2.0, doubled=True, bias_volts=(0.0,))
    np.testing.assert_array_equal(
        encoder.encode(np.array([[1.0, 3.0], [0.0, -1.0]])),
        [[2.0, 6.0, -2.0, -6.0], [0.0, -2.0, 0.0, 2.0]],
    )
    assert encoder.n_signals(2) == 4


def test_bias_lines_come_last_in_pairs_of_both_signs() -> None:
    encoder = lines(1.0, doubled=True, bias_volts=(0.25, 0.0, -0.5))
    np.testing.assert_array_equal(
        encoder.encode(np.array([[1.0]])), [[1.0, -1.0, 0.25, -0.25, -0.5, 0.5]]
    )
    assert encoder.biased == (True, False, True)


def test_the_offset_is_in_units_of_the_features_and_spares_bias_lines() -> None:
    encoder = lines(2.0, doubled=True, bias_volts=(0.25,), feature_offset=0.5)
    features = np.array([[0.0, 1.0, 0.5]])
    np.testing.assert_array_equal(
        encoder.encode(features), [[-1.0, 1.0, 0.0, 1.0, -1.0, 0.0, 0.25, -0.25]]
    )
    np.testing.assert_array_equal(features, [[0.0, 1.0, 0.5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_input_type_is_the_encoders(dtype: type, given: type) -> None:
    encoder = lines(0.1, doubled=True, bias_volts=(0.3,), dtype=dtype)
    features = np.array([[0.3, 0.7]], given)
    volts = encoder.encode(features)
    assert volts.dtype == dtype
    np.testing.assert_allclose(volts, [[0.03, 0.07, -0.03, -0.07, 0.3, -0.3]], rtol=1e-6)
    np.testing.assert_array_equal(features, np.array([[0.3, 0.7]], given))


def test_labels_become_levels() -> None:
    encoder = TargetEncoder(on=0.8, off=-0.2, n_classes=3)
    np.testing.assert_array_equal(
        encoder.encode(np.array([2, 0])), [[-0.2, -0.2, 0.8], [0.8, -0.2, -0.2]]
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_label_types(dtype: type) -> None:
    encoder = TargetEncoder(1.0, 0.0, 4, np.float32)
    code = encoder.encode(np.array([3, 1], dtype))
    assert code.dtype == np.float32
    np.testing.assert_array_equal(code.argmax(axis=1), [3, 1])
    np.testing.assert_array_equal(code.sum(axis=1), [1.0, 1.0])


def test_regression_values_are_scaled() -> None:
    encoder = TargetEncoder(on=0.25, off=0.0, n_classes=None)
    np.testing.assert_array_equal(encoder.encode(np.array([[2.0], [-1.0]])), [[0.5], [-0.25]])


def test_wrong_counts_classes_and_squares() -> None:
    scores = np.array([[0.1, 0.2], [0.3, -0.1], [0.0, 0.5]])
    classes = TargetEncoder(1.0, 0.0, 2)
    assert classes.wrong(scores, np.array([0, 0, 1])) == 1.0
    assert classes.error_percent(1.0, np.array([0, 0, 1])) == pytest.approx(100 / 3)
    values = TargetEncoder(on=0.5, off=0.0, n_classes=None)
    targets = np.array([[0.0], [2.0]])
    # Scores of 0.5 V and 1 V read as 1 and 2.
    assert values.wrong(np.array([[0.5], [1.0]]), targets) == pytest.approx(1.0)
    assert values.error_percent(1.0, targets) == pytest.approx(50.0)


def test_error_of_constant_regression_targets() -> None:
    values = TargetEncoder(1.0, 0.0, None)
    constant = np.ones((3, 1))
    assert values.error_percent(0.0, constant) == 0.0
    assert values.error_percent(0.1, constant) == float("inf")
