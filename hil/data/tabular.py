"""The user's own data: ``.csv`` and ``.npz`` files."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hil.data.dataset import Dataset
from hil.data.paths import require_file
from hil.data.prepare import Scale, min_max, split_indices
from hil.data.table_csv import read_csv
from hil.data.table_npz import read_npz
from hil.data.targets import Columns, RawTable, Task, interpret_targets
from hil.errors import DataError

__all__ = ["Scale", "TableOptions", "Task", "load_table"]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TableOptions:
    """How to turn a table into a data set.

    Attributes:
        test_fraction: share of the examples drawn as the test part, between 0 and 1
            exclusive; not used for a file that states its own split.
        split_seed: seed of that draw, from 0.
        task: ``"classification"``, ``"regression"``, or ``None`` to decide by the targets
            (see :func:`hil.data.targets.interpret_targets`).
        scale: scaling of the features by their range in the training part: ``"none"``,
            ``"unit"`` (0..1) or ``"symmetric"`` (-1..1). Regression targets are not scaled.
        target_columns: csv only: names of the target columns; ``None`` for the last one.

    Raises:
        DataError: for a value outside these choices.

    """

    test_fraction: float = 0.2
    split_seed: int = 0
    task: Task | None = None
    scale: Scale = "none"
    target_columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        allowed = {
            "test_fraction": (0.0 < self.test_fraction < 1.0, "a number between 0 and 1"),
            "split_seed": (self.split_seed >= 0, "an integer from 0"),
            "task": (self.task in (*get_args(Task), None), f"one of {get_args(Task)} or None"),
            "scale": (self.scale in get_args(Scale), f"one of {get_args(Scale)}"),
        }
        for name, (good, wanted) in allowed.items():
            if not good:
                value = getattr(self, name)
                raise DataError(f"{name} is {value!r}; give {wanted}", option=name, value=value)


def load_table(path: str | PathLike[str], options: TableOptions | None = None) -> Dataset:
    """Load a user's ``.csv`` or ``.npz`` file.

    A csv file has a header row; see :func:`hil.data.table_csv.read_csv`. An npz file holds
    ``inputs, targets``, or ``train_inputs, train_targets, test_inputs, test_targets``; see
    :func:`hil.data.table_npz.read_npz`. Unless the file states a split, the test part is
    drawn by :func:`hil.data.prepare.split_indices`, stratified by class in classification.

    Args:
        path: the file; its ending tells the format.
        options: split, task and scaling; the defaults of :class:`TableOptions` if omitted.

    Returns:
        A data set named after the file. Inputs of shape (n, n_features) are in the units
        of the file unless scaled.

    Raises:
        DataError: when the file is missing, malformed or does not fit the options; for a
            csv file the message names line and column.

    """
    chosen = options or TableOptions()
    file = require_file(path, "data file")
    table = _read(file, chosen)
    _check_magnitude(table)
    targets = interpret_targets(table, chosen.task)
    train, test = _split(table, targets, chosen)
    _check_two_classes(table, targets, train)
    train_inputs, test_inputs = min_max(table.inputs[train], table.inputs[test], chosen.scale)
    return Dataset(
        file.stem,
        train_inputs.astype(np.float32),
        targets.values[train],
        test_inputs.astype(np.float32),
        targets.values[test],
        targets.n_classes,
        targets.class_names,
    )


def _read(file: Path, options: TableOptions) -> RawTable:
    ending = file.suffix.lower()
    if ending == ".csv":
        return read_csv(file, options.target_columns, options.task)
    if ending != ".npz":
        raise DataError(
            f"{file} ends in '{file.suffix}', which is no known format; give a .csv or .npz file",
            path=str(file),
        )
    if options.target_columns is not None:
        raise DataError(
            f"target_columns was set for {file}, but only csv files have named columns; leave "
            "it out and store the targets as their own array",
            path=str(file),
        )
    return read_npz(file)


def _check_two_classes(table: RawTable, targets: Columns, train: NDArray[np.int64]) -> None:
    if targets.n_classes is not None and np.unique(targets.values[train]).size < 2:
        raise DataError(
            f"{table.source}: all training examples have the same class; provide examples of "
            "at least two, or choose another target column",
            path=table.source,
        )


def _check_magnitude(table: RawTable) -> None:
    bad = np.argwhere(np.abs(table.inputs) > _LARGEST)
    if bad.size:
        row, column = (int(i) for i in bad[0])
        raise DataError(
            f"{table.source}: the input of example {row}, feature {column} (counted from 0) is "
            "too large for float32; rescale the data",
            path=table.source,
            row=row,
            column=column,
        )


def _split(
    table: RawTable, targets: Columns, options: TableOptions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n = len(table.inputs)
    if table.n_train is not None:
        return np.arange(table.n_train), np.arange(table.n_train, n)
    groups = np.zeros(n, dtype=np.int64) if targets.n_classes is None else targets.values
    return split_indices(groups, max(1, round(n * options.test_fraction)), options.split_seed)
