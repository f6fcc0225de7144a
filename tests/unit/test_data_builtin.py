"""The packaged data sets, the data set type, and splitting and scaling."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hil.data import builtin
from hil.data.builtin import load_digits, load_iris, load_xor, read_digits, read_iris
from hil.data.dataset import Dataset
from hil.data.prepare import min_max, split_indices
from hil.errors import DataError

DIGITS_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def rows(array: NDArray[Any]) -> list[bytes]:
    return sorted(row.tobytes() for row in array)


def test_packed_digits_match_known_totals() -> None:
    images, labels = read_digits()
    assert images.shape == (1797, 8, 8)
    assert int(images.sum(dtype=np.int64)) == 561718
    assert (images.min(), images.max()) == (0, 16)
    assert np.bincount(labels).tolist() == DIGITS_COUNTS
    assert labels[:10].tolist() == list(range(10))
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert zlib.crc32(images.tobytes() + labels.astype(np.uint8).tobytes()) == 0xB89DAEA8


def test_packed_iris_match_known_totals_and_the_paper() -> None:
    lengths, labels, names = read_iris()
    assert lengths.shape == (150, 4)
    np.testing.assert_allclose(lengths.sum(axis=0), [876.5, 458.6, 563.7, 179.9], rtol=1e-12)
    assert labels.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert names == ("setosa", "versicolor", "virginica")
    assert lengths[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert lengths[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_digits_split() -> None:
    data = load_digits()
    assert data.train_inputs.shape == (1437, 64)
    assert data.test_inputs.shape == (360, 64)
    assert (data.name, data.n_classes, data.n_features, data.n_outputs) == ("digits", 10, 64, 10)
    assert (data.train_inputs.min(), data.train_inputs.max()) == (0.0, 1.0)
    test_counts = np.bincount(data.test_targets, minlength=10)
    exact = np.array(DIGITS_COUNTS) * 360 / 1797
    assert (np.abs(test_counts - exact) < 1).all()
    assert (test_counts + np.bincount(data.train_targets)).tolist() == DIGITS_COUNTS
    images, _ = read_digits()
    every = np.concatenate([data.train_inputs, data.test_inputs]) * 16
    assert rows(every.astype(np.uint8)) == rows(images.reshape(-1, 64))


def test_iris_split() -> None:
    data = load_iris()
    assert data.train_inputs.shape == (120, 4)
    assert np.bincount(data.train_targets).tolist() == [40, 40, 40]
    assert np.bincount(data.test_targets).tolist() == [10, 10, 10]
    assert data.class_names == ("setosa", "versicolor", "virginica")
    np.testing.assert_array_equal(data.train_inputs.min(axis=0), [-1] * 4)
    np.testing.assert_array_equal(data.train_inputs.max(axis=0), [1] * 4)
    lengths, labels, _ = read_iris()
    train, test = split_indices(labels, 30, 0)
    low, high = lengths[train].min(axis=0), lengths[train].max(axis=0)
    back = (data.test_inputs.astype(np.float64) + 1) / 2 * (high - low) + low
    np.testing.assert_allclose(back, lengths[test], atol=1e-6)


def test_labels_stay_with_their_examples() -> None:
    images, labels = read_digits()
    label_of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    data = load_digits()
    for inputs, targets in (
        (data.train_inputs, data.train_targets),
        (data.test_inputs, data.test_targets),
    ):
        pixels = (inputs * 16).astype(np.uint8)
        assert [label_of[row.tobytes()] for row in pixels] == targets.tolist()


@pytest.mark.parametrize("load", [load_digits, load_iris])
def test_every_class_is_near_the_end_of_the_training_part(load: Callable[[], Dataset]) -> None:
    data = load()
    end = data.holdout(len(data.train_inputs) // 4).test_targets
    assert set(end.tolist()) == set(range(data.n_outputs))


@pytest.mark.parametrize("load", [load_digits, load_iris, load_xor])
def test_loading_is_deterministic(load: Callable[[], Dataset]) -> None:
    first, second = load(), load()
    for field in ("train_inputs", "train_targets", "test_inputs", "test_targets"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_xor() -> None:
    data = load_xor()
    products = data.train_inputs[:, 0] * data.train_inputs[:, 1]
    assert len(set(map(tuple, data.train_inputs.tolist()))) == 4
    assert data.train_targets.tolist() == [int(product < 0) for product in products]
    np.testing.assert_array_equal(data.test_inputs, data.train_inputs)
    np.testing.assert_array_equal(data.test_targets, data.train_targets)
    assert data.n_outputs == 2


@pytest.mark.parametrize(
    "content", [b"", b"h\n1,2\n", b"h\n1,2,x,4,setosa\n", b"h\n1,2,3,4,a\n", b"\xff"]
)
def test_damaged_package_file(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(builtin, "_content", lambda name: content)
    for load in (load_digits, load_iris):
        with pytest.raises(DataError, match="missing or damaged; install the package again"):
            load()


@settings(max_examples=100, deadline=None)
@given(
    groups=st.lists(st.integers(0, 4), min_size=4, max_size=60).map(np.array),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 9),
)
def test_split_is_a_stratified_partition(
    groups: NDArray[np.int64], fraction: float, seed: int
) -> None:
    count = min(max(1, round(len(groups) * fraction)), len(groups) - 1)
    sizes = np.bincount(groups)
    if sizes.max() < 2:
        return
    train, test = split_indices(groups, count, seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(groups)))
    shares = np.bincount(groups[test], minlength=len(sizes))
    assert (np.abs(shares - sizes * count / len(groups)) <= 1).all()
    assert (shares[sizes > 0] < sizes[sizes > 0]).all()
    assert 0 < len(test) <= count
    if sizes[sizes > 0].min() * (len(groups) - count) >= len(groups):
        assert len(test) == count
    again = split_indices(groups, count, seed)
    np.testing.assert_array_equal(train, again[0])
    np.testing.assert_array_equal(test, again[1])


def test_split_rounds_by_largest_remainder() -> None:
    groups = np.repeat([0, 1, 2], [6, 8, 6])  # exact shares of 7: 2.1, 2.8, 2.1
    assert np.bincount(groups[split_indices(groups, 7, 0)[1]]).tolist() == [2, 3, 2]
    groups = np.repeat([0, 1], [7, 3])  # 3.5 and 1.5: the lower class first
    assert np.bincount(groups[split_indices(groups, 5, 0)[1]]).tolist() == [4, 1]


def test_split_depends_on_the_seed() -> None:
    groups = np.zeros(50, dtype=np.int64)
    assert split_indices(groups, 10, 0)[1].tolist() != split_indices(groups, 10, 1)[1].tolist()


@pytest.mark.parametrize("count", [0, 4, -1])
def test_split_needs_both_parts(count: int) -> None:
    with pytest.raises(DataError, match=f"cannot take {count} of 4 examples"):
        split_indices(np.zeros(4, dtype=np.int64), count, 0)
    with pytest.raises(DataError, match="no class has two examples"):
        split_indices(np.arange(4), 2, 0)


def test_min_max_uses_the_training_part_only() -> None:
    train = np.array([[1.0, 5.0], [3.0, 5.0], [2.0, 5.0]])
    test = np.array([[4.0, 9.0], [0.0, 5.0]])
    unit = min_max(train, test, "unit")
    symmetric = min_max(train, test, "symmetric")
    assert unit[0].tolist() == [[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]]
    assert unit[1].tolist() == [[1.5, 0.0], [-0.5, 0.0]]
    assert symmetric[0].tolist() == [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    assert symmetric[1].tolist() == [[2.0, 0.0], [-2.0, 0.0]]
    assert min_max(train, test, "none")[1] is test


def make(**changed: Any) -> Dataset:
    fields: dict[str, Any] = {
        "name": "toy",
        "train_inputs": np.arange(10.0).reshape(5, 2),
        "train_targets": np.array([0, 1, 2, 0, 1], dtype=np.uint8),
        "test_inputs": np.ones((2, 2)),
        "test_targets": np.array([2, 2]),
        "n_classes": 3,
    }
    return Dataset(**(fields | changed))


def test_dataset_converts_and_freezes() -> None:
    mine = np.arange(10, dtype=np.float32).reshape(5, 2)
    data = make(train_inputs=mine)
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.float32
    assert data.train_targets.dtype == data.test_targets.dtype == np.int64
    assert mine.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        data.train_inputs[0, 0] = 1.0
    with pytest.raises(FrozenInstanceError):
        data.name = "other"


def test_regression_dataset() -> None:
    data = make(train_targets=np.zeros((5, 3)), test_targets=np.ones((2, 3)), n_classes=None)
    assert not data.is_classification
    assert (data.n_features, data.n_outputs) == (2, 3)
    assert data.test_targets.dtype == np.float32


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_targets": np.zeros(4, dtype=int)}, "train part has 5 inputs but 4 targets"),
        ({"test_targets": np.zeros(3, dtype=int)}, "test part has 2 inputs but 3 targets"),
        ({"test_inputs": np.ones((2, 3))}, "train_inputs has 2 columns but test_inputs has 3"),
        ({"test_inputs": np.ones((2, 2)) * np.nan}, "test_inputs is NaN.* example 0, column 0"),
        ({"train_inputs": np.diag([1e300] * 5)[:, :2]}, "too large for float32 at example 0"),
        ({"train_inputs": np.zeros((0, 2))}, r"train_inputs has shape \(0, 2\)"),
        ({"test_inputs": np.zeros((0, 2))}, r"test_inputs has shape \(0, 2\)"),
        ({"train_inputs": np.zeros(5)}, "non-empty 2-d array"),
        ({"train_inputs": np.full((5, 2), "a")}, "of real numbers"),
        ({"train_targets": np.array([0, 1, 3, 4, 0])}, r"label 3 at index 2 .*outside 0\.\.2"),
        ({"test_targets": np.array([0, -1])}, "test_targets: label -1 at index 1"),
        ({"test_targets": np.array([0.0, 1.0])}, "1-d array of integers"),
        ({"n_classes": 1}, "classification needs at least 2"),
        ({"class_names": ("a", "b")}, "2 class names were given for n_classes=3"),
        ({"n_classes": None}, "train_targets has shape"),
    ],
)
def test_dataset_errors(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(**changed)


def test_regression_parts_need_equal_width() -> None:
    with pytest.raises(DataError, match="train_targets has 3 columns but test_targets has 1"):
        make(train_targets=np.zeros((5, 3)), test_targets=np.ones((2, 1)), n_classes=None)


def test_holdout_takes_the_last_training_examples() -> None:
    data = make(class_names=("a", "b", "c"))
    held = data.holdout(2)
    assert held.name == "toy-holdout2"
    assert held.train_inputs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert held.test_inputs.tolist() == [[6, 7], [8, 9]]
    assert held.train_targets.tolist() == [0, 1, 2]
    assert held.test_targets.tolist() == [0, 1]
    assert (held.n_classes, held.class_names) == (3, ("a", "b", "c"))


@pytest.mark.parametrize("count", [5, 6, 0, -1])
def test_holdout_errors(count: int) -> None:
    with pytest.raises(DataError, match=f"cannot hold out {count} of 5 .* from 1 to 4"):
        make().holdout(count)
