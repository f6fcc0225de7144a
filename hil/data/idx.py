"""Folders of MNIST-like images and labels in IDX files, and the IDX reader and writer."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from hil.data.checks import check_labels
from hil.data.dataset import Dataset, Inputs, Targets
from hil.data.idx_format import read_idx, write_idx
from hil.data.paths import expanded
from hil.errors import DataError

__all__ = ["load_mnist", "read_idx", "write_idx"]


def load_mnist(
    directory: str | PathLike[str],
    train_examples: int | None = None,
    test_examples: int | None = None,
) -> Dataset:
    """Load MNIST, or any set of ten classes stored the same way, such as Fashion-MNIST.

    Args:
        directory: folder that directly holds ``train-images-idx3-ubyte``,
            ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, plain or with ``.gz``, or spelled with a dot as in
            ``train-images.idx3-ubyte``. Images may have any size.
        train_examples: use only the first so many training images; ``None`` for all.
        test_examples: the same for the test images.

    Returns:
        Inputs (n, height * width), pixels divided by 255 to 0..1, row by row; ten classes.

    Raises:
        DataError: when the folder or a file is missing or malformed, image and label
            counts differ, a label is above 9, or fewer images exist than were asked for.

    """
    folder = expanded(directory)
    if not folder.is_dir():
        raise DataError(
            f"there is no MNIST folder {folder}, where {_spellings('train', 'images')[0]} was "
            "sought; name the folder with --data DIR or the environment variable HIL_DATA",
            path=str(folder),
        )
    train_inputs, train_targets, train_size = _load_part(folder, "train", train_examples)
    test_inputs, test_targets, test_size = _load_part(folder, "t10k", test_examples)
    if train_size != test_size:
        raise DataError(
            f"{folder} has training images of {train_size} but test images of {test_size} "
            "pixels; the files probably belong to different data sets",
            path=str(folder),
        )
    return Dataset("mnist", train_inputs, train_targets, test_inputs, test_targets, 10)


def _load_part(
    folder: Path, part: str, limit: int | None
) -> tuple[Inputs, Targets, tuple[int, ...]]:
    image_file, label_file = _find(folder, part, "images"), _find(folder, part, "labels")
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{image_file} holds {images.dtype} of shape {images.shape}; images must be uint8 "
            "of shape (count, height, width), so check that the files are not mixed up",
            path=str(image_file),
        )
    targets = check_labels(labels, 10, str(label_file))
    if len(images) != len(targets):
        raise DataError(
            f"{image_file} has {len(images)} images but {label_file} has {len(targets)} labels; "
            "the two files must belong together",
            path=str(image_file),
        )
    count = len(images) if limit is None else limit
    if not 0 < count <= len(images):
        raise DataError(
            f"{image_file} has {len(images)} images but the first {count} are to be used; ask "
            "for at least 1 and at most as many as there are",
            path=str(image_file),
        )
    pixels = images[:count].reshape(count, images.shape[1] * images.shape[2]).astype(np.float32)
    pixels /= np.float32(255)
    return pixels, targets[:count], images.shape[1:]


def _spellings(part: str, content: str) -> list[str]:
    kind = "idx3-ubyte" if content == "images" else "idx1-ubyte"
    stems = [f"{part}-{content}-{kind}", f"{part}-{content}.{kind}"]
    return [stem + ending for stem in stems for ending in ("", ".gz")]


def _find(folder: Path, part: str, content: str) -> Path:
    names = _spellings(part, content)
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(
        f"{folder} holds none of {', '.join(names)}; name the folder that directly holds the "
        "four MNIST files with --data DIR or the environment variable HIL_DATA",
        path=str(folder / names[0]),
    )
