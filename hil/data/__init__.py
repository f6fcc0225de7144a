"""Data sets: packaged ones, MNIST-like IDX folders, and the user's own npz and csv files.

:func:`load_dataset` turns a data configuration (see :mod:`hil.data.config`) into a
:class:`Dataset`. Everything a configuration does not need is imported only when used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hil.data.dataset import Dataset
from hil.data.paths import expanded
from hil.errors import DataError

if TYPE_CHECKING:
    from hil.data.config import DataConfig, FileConfig, MnistConfig

__all__ = ["Dataset", "load_dataset"]

DIRECTORY_VARIABLE = "HIL_DATA"
"""Environment variable naming the folder that holds the four MNIST files."""


def load_dataset(
    config: DataConfig,
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Dataset:
    """Load the data set a configuration describes.

    The folder of the MNIST files is ``directory`` if given, else ``config.directory``,
    else the environment variable ``HIL_DATA``. For ``kind="file"`` a relative path is
    taken from ``directory`` if given, else from the working directory. The packaged
    sets need no folder and ignore ``directory``.

    Args:
        config: one of the models of :mod:`hil.data.config`.
        directory: the folder given on the command line, if any.
        environ: environment to look in; ``os.environ`` when omitted.

    Returns:
        The data set; with ``config.holdout`` above 0 its test part is the last
        ``holdout`` training examples (see :meth:`Dataset.holdout`).

    Raises:
        DataError: when files are missing or malformed, or no folder was named.

    """
    dataset = _load(config, directory, os.environ if environ is None else environ)
    return dataset.holdout(config.holdout) if config.holdout else dataset


def _load(config: DataConfig, directory: Path | None, environ: Mapping[str, str]) -> Dataset:
    if config.kind == "mnist":
        return _load_mnist(config, directory, environ)
    if config.kind == "file":
        return _load_file(config, directory)

    from hil.data import builtin

    if config.kind == "digits":
        return builtin.load_digits()
    return builtin.load_iris() if config.kind == "iris" else builtin.load_xor()


def _load_mnist(config: MnistConfig, directory: Path | None, environ: Mapping[str, str]) -> Dataset:
    from hil.data.idx import load_mnist

    named = directory or config.directory or environ.get(DIRECTORY_VARIABLE)
    if not named:
        raise DataError(
            "no folder was named for the MNIST files; give it with --data DIR, the "
            f"environment variable {DIRECTORY_VARIABLE} or the configuration's 'directory'",
            variable=DIRECTORY_VARIABLE,
        )
    return load_mnist(named, config.train_examples, config.test_examples)


def _load_file(config: FileConfig, directory: Path | None) -> Dataset:
    from hil.data.tabular import TableOptions, load_table

    options = TableOptions(
        test_fraction=config.test_fraction,
        split_seed=config.split_seed,
        task=config.task,
        scale=config.scale,
        target_columns=config.target_columns,
    )
    path = expanded(config.path)
    return load_table(path if directory is None else Path(directory) / path, options)
