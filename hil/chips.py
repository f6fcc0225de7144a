"""Simulated chips that are kept: what was drawn for one, in a file.

::

    CHIP.h5
    ├── attrs: format, sha256, config (TOML of the experiment it was drawn for)
    └── drawn/PART/NAME           one value a device, node or channel

A chip is everything that differs from part to part and does not change by use; conductances and
noise are not in it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hil.arrays import AnyArray
from hil.composition import Experiment, ExperimentConfig, dump_toml, resolve
from hil.errors import ConfigurationError
from sim_backend.lot import digest

__all__ = [
    "KeptChip",
    "PartSummary",
    "chip_experiment",
    "compare",
    "keep_chip",
    "read_chip",
    "summaries",
]

_FORMAT = "eqprop-hil chip 1"

Arrays = Mapping[str, AnyArray]


@dataclass(frozen=True)
class KeptChip:
    """A chip read from a file.

    Attributes:
        config: the experiment it was drawn for.
        arrays: what was drawn, as ``part/name``.
    """

    config: ExperimentConfig
    arrays: dict[str, AnyArray]


@dataclass(frozen=True, slots=True)
class PartSummary:
    """Figures of one array of a chip.

    Attributes:
        name: ``part/name``.
        count: how many values.
        mean: of the finite ones.
        spread: their standard deviation.
        low: least value.
        high: largest value.
    """

    name: str
    count: int
    mean: float
    spread: float
    low: float
    high: float


def keep_chip(experiment: Experiment, path: Path) -> list[PartSummary]:
    """Write what was drawn for an experiment's substrate.

    Returns:
        One summary an array.

    Raises:
        ConfigurationError: nothing was drawn, the file exists, or it cannot be written.
    """
    drawn = experiment.drawn
    if not drawn:
        raise ConfigurationError(
            "nothing is drawn for this substrate: all its parts are ideal. Switch an imperfection "
            "on, such as --set substrate.devices=reram-es; see: hil config schema"
        )
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["format"] = _FORMAT
        file.attrs["config"] = dump_toml(experiment.config)
        file.attrs["sha256"] = digest(drawn)
        for name, values in drawn.items():
            file.create_dataset(f"drawn/{name}", data=values)
    try:
        with path.open("xb") as target:
            target.write(content.getbuffer())
            target.flush()
            os.fsync(target.fileno())
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists and was not touched; name another file", path=str(path)
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}: {error.strerror or error}; check the folder", path=str(path)
        ) from error
    return summaries(drawn)


def read_chip(path: Path) -> KeptChip:
    """A chip from its file.

    Raises:
        ConfigurationError: there is no such file, or it is no chip of this project's.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != _FORMAT:
                raise ConfigurationError(
                    f"{path} is not a chip that `hil chip new` wrote; check the path",
                    path=str(path),
                )
            text = str(file.attrs["config"])
            arrays = dict(_datasets(file["drawn"]))
            if file.attrs["sha256"] != digest(arrays):
                raise ConfigurationError(
                    f"{path} was changed or damaged since it was written: what it holds is not "
                    "what was drawn; make another: hil chip new",
                    path=str(path),
                )
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no chip {path}; check the path, or make one: hil chip new {path}",
            path=str(path),
        ) from None
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        why = "it is a folder" if path.is_dir() else str(error).split(" (", 1)[0]
        raise ConfigurationError(
            f"{path} is no chip, or was damaged ({why}); make another: hil chip new",
            path=str(path),
        ) from error
    return KeptChip(resolve(text=text, source=str(path)), arrays)


def chip_experiment(
    path: Path,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[ExperimentConfig, dict[str, AnyArray]]:
    """An experiment on a kept chip: the one it was made with, or a preset or file.

    Returns:
        The configuration, naming the chip, and what was drawn for it.

    Raises:
        ConfigurationError: see :func:`read_chip` and :func:`hil.composition.resolve`.
    """
    kept = read_chip(path)
    changes = {**(overrides or {}), "substrate.chip": digest(kept.arrays)}
    if preset is None and file is None:
        text = dump_toml(kept.config)
        wanted = resolve(text=text, overrides=changes, source=str(path))
    else:
        wanted = resolve(preset, file, changes)
    _refuse_another(path, kept.config, wanted)
    return wanted, kept.arrays


_FREE = {"chip", "initial", "tolerance", "max_iterations", "max_input_volts", "max_nudge_amps"}
"""Keys of a substrate that what was drawn does not depend on."""


def _refuse_another(path: Path, made: ExperimentConfig, wanted: ExperimentConfig) -> None:
    """Refuse to call another substrate this chip."""
    first, second = (
        {k: v for k, v in config.substrate.model_dump(mode="json").items() if k not in _FREE}
        for config in (made, wanted)
    )
    for key in sorted(first.keys() | second.keys()):
        if first.get(key) != second.get(key):
            raise ConfigurationError(
                f"the chip {path} was made with another substrate.{key}; train it as it is (hil "
                "train --chip alone, with options that leave the substrate), or make another with "
                "that setting: hil chip new",
                path=str(path),
            )


def _datasets(group: Any, prefix: str = "") -> Iterator[tuple[str, AnyArray]]:
    for name, item in group.items():
        if isinstance(item, h5py.Dataset):
            yield prefix + name, np.asarray(item[()])
        else:
            yield from _datasets(item, f"{prefix}{name}/")


def summaries(arrays: Arrays) -> list[PartSummary]:
    """Figures of every array."""
    found = []
    for name in sorted(arrays):
        values = np.asarray(arrays[name], np.float64).ravel()
        finite = values[np.isfinite(values)]
        if finite.size:
            figures = (finite.mean(), finite.std(), values.min(), values.max())
        else:
            figures = (np.nan, np.nan, np.nan, np.nan)
        found.append(PartSummary(name, values.size, *(float(f) for f in figures)))
    return found


def compare(first: Arrays, second: Arrays) -> list[tuple[str, str]]:
    """For every array, how two chips differ, in words."""
    found = []
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second:
            found.append((name, "only in the " + ("first" if name in first else "second")))
            continue
        a, b = (np.asarray(side[name], np.float64).ravel() for side in (first, second))
        if a.shape != b.shape:
            found.append((name, f"{a.size} against {b.size} values"))
        elif np.array_equal(a, b, equal_nan=True):
            found.append((name, "equal"))
        else:
            with np.errstate(invalid="ignore"):
                apart = np.abs(a - b)
            differing = int(np.count_nonzero(~((a == b) | (np.isnan(a) & np.isnan(b)))))
            rms = float(np.sqrt(np.mean(np.square(apart[np.isfinite(apart)]))))
            found.append((name, f"{differing} of {a.size} differ, by {rms:.3g} rms"))
    return found
