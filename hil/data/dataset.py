"""The checked, read-only form in which every data set reaches training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.data.checks import check_labels, check_matrix
from hil.errors import DataError

__all__ = ["Dataset", "Inputs", "Targets"]

Inputs: TypeAlias = NDArray[np.float32]
Targets: TypeAlias = NDArray[Any]
"""int64 labels of shape (n,), or float32 values of shape (n, n_targets)."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples of one task.

    Arrays are converted to the types below when that loses nothing but precision,
    checked, and kept as read-only views.

    Attributes:
        name: short name for records and plots.
        train_inputs: float32, shape (n_train, n_features), in the natural units of the
            data (dimensionless pixels 0..1, or features scaled as the loader states).
        train_targets: int64 labels of shape (n_train,) in ``[0, n_classes)`` for
            classification; float32 values of shape (n_train, n_targets) for regression.
        test_inputs: float32, shape (n_test, n_features), same units.
        test_targets: as ``train_targets``, for the test part.
        n_classes: number of classes (at least 2), or ``None`` for regression.
        class_names: one name per class, or ``None`` if the labels have no names.

    Raises:
        DataError: for an empty part, differing lengths or widths, a value that is not
            finite in float32, or a label outside ``[0, n_classes)``.

    """

    name: str
    train_inputs: Inputs
    train_targets: Targets
    test_inputs: Inputs
    test_targets: Targets
    n_classes: int | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Convert, check and freeze the arrays."""
        self._check_classes()
        for part in ("train", "test"):
            inputs = check_matrix(getattr(self, f"{part}_inputs"), f"{self.name}: {part}_inputs")
            targets = self._targets(getattr(self, f"{part}_targets"), part)
            if len(inputs) != len(targets):
                raise DataError(
                    f"{self.name}: the {part} part has {len(inputs)} inputs but "
                    f"{len(targets)} targets; the two must describe the same examples",
                    inputs=len(inputs),
                    targets=len(targets),
                )
            object.__setattr__(self, f"{part}_inputs", _frozen(inputs))
            object.__setattr__(self, f"{part}_targets", _frozen(targets))
        for field in ("inputs", "targets"):
            train, test = getattr(self, f"train_{field}"), getattr(self, f"test_{field}")
            if train.shape[1:] != test.shape[1:]:
                raise DataError(
                    f"{self.name}: train_{field} has {train.shape[1]} columns but "
                    f"test_{field} has {test.shape[1]}; both parts need the same columns",
                    train=train.shape,
                    test=test.shape,
                )

    @property
    def is_classification(self) -> bool:
        """Whether the targets are class labels."""
        return self.n_classes is not None

    @property
    def n_features(self) -> int:
        """Number of inputs of one example."""
        return int(self.train_inputs.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of classes, or of target values of one example in regression."""
        return int(self.train_targets.shape[1]) if self.n_classes is None else self.n_classes

    def holdout(self, count: int) -> Dataset:
        """Return a data set whose test part is the last ``count`` training examples.

        Its training part is the other training examples and its name ends in
        ``-holdout<count>``. The present test part is left out altogether, so settings can
        be chosen without looking at it. Features keep the scaling they have.

        Raises:
            DataError: unless ``0 < count < n_train``.

        """
        n_train = len(self.train_inputs)
        if not 0 < count < n_train:
            raise DataError(
                f"{self.name}: cannot hold out {count} of {n_train} training examples; "
                f"choose a holdout from 1 to {n_train - 1}",
                count=count,
                n_train=n_train,
            )
        cut = n_train - count
        return replace(
            self,
            name=f"{self.name}-holdout{count}",
            train_inputs=self.train_inputs[:cut],
            train_targets=self.train_targets[:cut],
            test_inputs=self.train_inputs[cut:],
            test_targets=self.train_targets[cut:],
        )

    def _check_classes(self) -> None:
        if self.n_classes is not None and self.n_classes < 2:
            raise DataError(
                f"{self.name}: n_classes is {self.n_classes}; classification needs at least 2",
                n_classes=self.n_classes,
            )
        if self.class_names is not None and len(self.class_names) != self.n_classes:
            raise DataError(
                f"{self.name}: {len(self.class_names)} class names were given for n_classes="
                f"{self.n_classes}; give one name per class, or none",
                class_names=self.class_names,
            )

    def _targets(self, values: ArrayLike, part: str) -> Targets:
        what = f"{self.name}: {part}_targets"
        if self.n_classes is None:
            return check_matrix(values, what)
        return check_labels(np.asarray(values), self.n_classes, what)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
