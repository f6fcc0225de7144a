"""Checks of labels and matrices that are independent of where they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import DataError

__all__ = ["check_labels", "check_matrix"]


def check_labels(labels: NDArray[Any], n_classes: int, what: str) -> NDArray[np.int64]:
    """Return 1-d integer ``labels`` as int64 after checking that all lie in range.

    Args:
        labels: shape (n,), any integer type.
        n_classes: labels must lie in ``[0, n_classes)``.
        what: where the labels come from, to open the message.

    Raises:
        DataError: for another shape or type, or naming the first label out of range.

    """
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{what} has shape {labels.shape} and type {labels.dtype}; class labels must be "
            "a 1-d array of integers",
            shape=labels.shape,
        )
    bad = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if bad.size:
        index, value = int(bad[0]), int(labels[bad[0]])
        raise DataError(
            f"{what}: label {value} at index {index} (counted from 0) is outside "
            f"0..{n_classes - 1}; correct the labels or the number of classes",
            index=index,
            value=value,
        )
    return labels.astype(np.int64)


def check_matrix(values: ArrayLike, what: str) -> NDArray[np.float32]:
    """Return ``values`` as a finite float32 array of shape (n, columns), none of them 0.

    Args:
        values: real numbers of any type.
        what: where the values come from, to open the message.

    Raises:
        DataError: for another shape or type, or naming the first value that is not finite
            in float32.

    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.size == 0:
        raise DataError(
            f"{what} has shape {array.shape} and type {array.dtype}; a non-empty 2-d array "
            "of real numbers (examples, columns) is needed",
            shape=array.shape,
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        raise DataError(
            f"{what} is NaN, infinite or too large for float32 at example {row}, column "
            f"{column} (counted from 0); remove or repair that example",
            row=row,
            column=column,
        )
    return array
