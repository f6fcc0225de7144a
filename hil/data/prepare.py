"""Drawing a test part and scaling features."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hil.errors import DataError

__all__ = ["Scale", "min_max", "split_indices"]

Scale: TypeAlias = Literal["none", "unit", "symmetric"]


def split_indices(
    groups: NDArray[Any], test_count: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a test part in which every group has its share, and shuffle both parts.

    One permutation comes from ``numpy.random.default_rng(seed)``; the first examples of
    each group in that order form the test part. Shares are rounded by largest remainder
    so that they add up to ``test_count``, except that every group keeps at least one
    training example, which can make the test part of a tiny set smaller.

    Args:
        groups: shape (n,); equal values form a group (the classes, or all zero).
        test_count: number of test examples.
        seed: seed of the permutation.

    Returns:
        Indices of the training and of the test part, each in the order of the permutation.

    Raises:
        DataError: unless ``0 < test_count < n`` and some group has two examples.

    """
    n = len(groups)
    if not 0 < test_count < n:
        raise DataError(
            f"cannot take {test_count} of {n} examples as the test part; provide more "
            "examples or another test fraction",
            count=test_count,
        )
    order = np.random.default_rng(seed).permutation(n)
    group_of = np.unique(groups, return_inverse=True)[1]
    is_test = np.zeros(n, dtype=bool)
    for group, share in enumerate(_test_shares(np.bincount(group_of), test_count)):
        is_test[order[group_of[order] == group][:share]] = True
    return order[~is_test[order]], order[is_test[order]]


def _test_shares(sizes: NDArray[np.int64], test_count: int) -> NDArray[np.int64]:
    shares, remainders = np.divmod(sizes * test_count, sizes.sum())
    ranked = np.argsort(-remainders, kind="stable")
    growing = ranked[(shares + 1 < sizes)[ranked]]
    shares[growing[: test_count - int(shares.sum())]] += 1
    if not shares.any():
        raise DataError(
            "no class has two examples, so none can be spared for a test part; provide more "
            "examples, or set data.task=regression if the target is a quantity",
            count=test_count,
        )
    return shares


def min_max(
    train: NDArray[np.float64], test: NDArray[np.float64], scale: Scale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale every column by the range it has in the training part.

    ``"unit"`` maps that range to 0..1 and ``"symmetric"`` to -1..1; test values outside
    it are not clipped. A column that is constant in training becomes 0 in both parts.
    ``"none"`` returns the arrays as they are.
    """
    if scale == "none":
        return train, test
    low, high = train.min(axis=0), train.max(axis=0)
    constant = low == high
    span = np.where(constant, 1.0, high - low)

    def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        unit = (values - low) / span
        return np.where(constant, 0.0, unit if scale == "unit" else 2.0 * unit - 1.0)

    return scaled(train), scaled(test)
