"""The data sets that come with the package; ``files/SOURCES.md`` gives their sources."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from hil.data.dataset import Dataset
from hil.data.prepare import min_max, split_indices
from hil.errors import DataError

__all__ = ["load_digits", "load_iris", "load_xor", "read_digits", "read_iris"]

SPLIT_SEED = 0
DIGITS_TEST_COUNT = 360
IRIS_TEST_COUNT = 30


def load_digits() -> Dataset:
    """Load the 1797 handwritten digits of 8x8 pixels, 1437 to train and 360 to test.

    The division is a permutation from ``numpy.random.default_rng(0)`` stratified by
    class (see :func:`hil.data.prepare.split_indices`); the test part has 35 to 37 images
    of each class. It is not the division by writers of the original publication,
    E. Alpaydin and C. Kaynak (1998), https://doi.org/10.24432/C50P49.

    Returns:
        Inputs of shape (n, 64): ink per pixel from 0 (none) to 1, row by row, which is
        the stored integer 0..16 divided by 16. Ten classes, the digits.

    Raises:
        DataError: if the installed data file is missing or damaged.

    """
    images, labels = read_digits()
    pixels = images.reshape(len(images), -1).astype(np.float32) / np.float32(16)
    train, test = split_indices(labels, DIGITS_TEST_COUNT, SPLIT_SEED)
    return Dataset("digits", pixels[train], labels[train], pixels[test], labels[test], 10)


def load_iris() -> Dataset:
    """Load Fisher's 150 iris flowers, 40 of each species to train and 10 to test.

    The division is a permutation from ``numpy.random.default_rng(0)`` stratified by
    class (see :func:`hil.data.prepare.split_indices`). The source is R. A. Fisher (1936),
    https://doi.org/10.24432/C56C76, with the values of the paper for flowers 35 and 38,
    where the copy at UCI has errors.

    Returns:
        Inputs of shape (n, 4): sepal length, sepal width, petal length and petal width,
        each scaled so that its training part spans -1..1 (test values are not clipped).
        Three classes named setosa, versicolor and virginica.

    Raises:
        DataError: if the installed data file is missing or damaged.

    """
    lengths, labels, names = read_iris()
    train, test = split_indices(labels, IRIS_TEST_COUNT, SPLIT_SEED)
    train_inputs, test_inputs = min_max(lengths[train], lengths[test], "symmetric")
    return Dataset(
        "iris",
        train_inputs.astype(np.float32),
        labels[train],
        test_inputs.astype(np.float32),
        labels[test],
        len(names),
        names,
    )


def load_xor() -> Dataset:
    """Return the exclusive-or problem: the same four patterns to train and to test.

    Returns:
        Inputs of shape (4, 2) with values -1 and +1, in the order (-1, -1), (-1, +1),
        (+1, -1), (+1, +1). Two classes: 0 if both inputs are equal, 1 if they differ.

    """
    inputs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float32)
    labels = np.array([0, 1, 1, 0], dtype=np.int64)
    return Dataset("xor", inputs, labels, inputs, labels, 2)


def read_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all digits in stored order: images (1797, 8, 8) of 0..16, labels (1797,).

    Raises:
        DataError: if the installed data file is missing or damaged.

    """
    try:
        with np.load(io.BytesIO(_content("digits.npz")), allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"].astype(np.int64)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged("digits.npz") from error
    if images.shape != (1797, 8, 8) or labels.shape != (1797,):
        raise _damaged("digits.npz")
    return images, labels


def read_iris() -> tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...]]:
    """Return all flowers in stored order: lengths (150, 4) in cm, labels, species names.

    Raises:
        DataError: if the installed data file is missing or damaged.

    """
    try:
        rows = list(csv.reader(io.StringIO(_content("iris.csv").decode("ascii"))))[1:]
        lengths = np.array([row[:4] for row in rows], dtype=np.float64)
        names = tuple(sorted({row[4] for row in rows}))
        labels = np.array([names.index(row[4]) for row in rows], dtype=np.int64)
    except (ValueError, IndexError) as error:
        raise _damaged("iris.csv") from error
    if lengths.shape != (150, 4):
        raise _damaged("iris.csv")
    return lengths, labels, names


def _content(name: str) -> bytes:
    try:
        return files("hil.data").joinpath("files", name).read_bytes()
    except OSError as error:
        raise _damaged(name) from error


def _damaged(name: str) -> DataError:
    return DataError(
        f"the packaged data file {name} is missing or damaged; install the package again",
        path=name,
    )
