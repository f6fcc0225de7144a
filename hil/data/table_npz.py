"""Reading a NumPy ``.npz`` archive into a raw table."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.data.targets import RawTable
from hil.errors import DataError

__all__ = ["read_npz"]

_WHOLE = ("inputs", "targets")
_SPLIT = ("train_inputs", "train_targets", "test_inputs", "test_targets")


def read_npz(path: Path) -> RawTable:
    """Read an archive with ``inputs, targets``, or with these for ``train_`` and ``test_``.

    Inputs are real numbers of shape (n, n_features), targets numbers or text of shape
    (n,) or (n, n_targets). Other arrays in the archive are ignored.

    Raises:
        DataError: when the file is no zip archive, is damaged, holds pickled objects or
            lacks arrays, or when an array has a wrong type, shape or a NaN.

    """
    names, arrays = _read_arrays(path)
    pairs = [(names[i], names[i + 1]) for i in range(0, len(names), 2)]
    for inputs, targets in pairs:
        _check_pair(path, inputs, arrays[inputs], targets, arrays[targets])
    if len(pairs) == 1:
        return RawTable(str(path), arrays["inputs"].astype(np.float64), arrays["targets"])
    for field in ("inputs", "targets"):
        train, test = arrays[f"train_{field}"], arrays[f"test_{field}"]
        is_text = [array.dtype.kind == "U" for array in (train, test)]
        if train.shape[1:] != test.shape[1:] or is_text[0] != is_text[1]:
            raise DataError(
                f"{path}: train_{field} ({train.dtype}, {train.shape}) and test_{field} "
                f"({test.dtype}, {test.shape}) must have equal columns and like types",
                path=str(path),
            )
    return RawTable(
        str(path),
        np.concatenate([arrays["train_inputs"], arrays["test_inputs"]]).astype(np.float64),
        np.concatenate([arrays["train_targets"], arrays["test_targets"]]),
        len(arrays["train_inputs"]),
    )


def _read_arrays(path: Path) -> tuple[tuple[str, ...], dict[str, NDArray[Any]]]:
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path} is not an npz file (a zip archive of arrays), or is cut off; write it "
            "with numpy.savez",
            path=str(path),
        )
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = _array_names(path, archive.files)
            return names, {name: np.asarray(archive[name]) for name in names}
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"{path} holds an array that cannot be read ({error}); pickled objects are never "
            "loaded, so save plain arrays of numbers or text",
            path=str(path),
        ) from error
    except (OSError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged ({error}); write or fetch the file again", path=str(path)
        ) from error


def _array_names(path: Path, present: list[str]) -> tuple[str, ...]:
    choices = [names for names in (_SPLIT, _WHOLE) if any(name in present for name in names)]
    if len(choices) == 1 and all(name in present for name in choices[0]):
        return choices[0]
    raise DataError(
        f"{path} holds the arrays {sorted(present)}; it needs either {', '.join(_SPLIT)} or "
        f"{', '.join(_WHOLE)}, complete and not both",
        path=str(path),
        present=present,
    )


def _check_pair(
    path: Path, input_name: str, inputs: NDArray[Any], target_name: str, targets: NDArray[Any]
) -> None:
    if inputs.ndim != 2 or inputs.size == 0 or inputs.dtype.kind not in "biuf":
        raise DataError(
            f"{path}: {input_name} has shape {inputs.shape} and type {inputs.dtype}; real "
            "numbers of shape (examples, features) are needed",
            path=str(path),
        )
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        raise DataError(
            f"{path}: {target_name} has shape {targets.shape}; one row for each of the "
            f"{len(inputs)} rows of {input_name} is needed",
            path=str(path),
        )
    for name, array in ((input_name, inputs), (target_name, targets)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise DataError(
                f"{path}: {name} is NaN or infinite at index {place} (counted from 0); "
                "repair or remove that example",
                path=str(path),
                index=place,
            )
