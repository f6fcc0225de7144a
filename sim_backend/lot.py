"""What is drawn for one simulated chip, so that the chip can be kept."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConfigurationError

__all__ = ["Lot", "digest"]

RecordT = TypeVar("RecordT")


class Lot:
    """Draws the imperfections of one chip, or takes them from an earlier one.

    Every part draws from a generator of its own, so that switching one imperfection on leaves
    the others as they were.

    Args:
        seed: of the chip.
        kept: arrays by name, as :attr:`arrays` of an earlier chip; what they do not have is
            drawn.
    """

    def __init__(
        self, seed: Sequence[int] = (0,), kept: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self._seed = tuple(seed)
        self._kept = dict(kept or {})
        self.arrays: dict[str, NDArray[Any]] = {}
        """Everything drawn or taken so far, as ``part/name``."""

    def draw(self, part: str, drawn: Callable[[np.random.Generator], RecordT]) -> RecordT:
        """A dataclass of arrays for one part of the chip.

        Args:
            part: its name.
            drawn: draws it.

        Raises:
            ConfigurationError: the chip kept has this part, but for another circuit.
        """
        record = drawn(self.generator(part))
        given = {
            name.removeprefix(f"{part}/"): values
            for name, values in self._kept.items()
            if name.startswith(f"{part}/")
        }
        if given:
            record = _replaced(part, record, given)
        for name, values in _arrays(record).items():
            self.arrays[f"{part}/{name}"] = values
        return record

    def generator(self, purpose: str) -> np.random.Generator:
        """A generator for one purpose."""
        return np.random.default_rng([*self._seed, zlib.crc32(purpose.encode())])

    def unused(self) -> list[str]:
        """Names that were kept and that no part has asked for."""
        return sorted(self._kept.keys() - self.arrays.keys())


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hexadecimal SHA-256 of names, shapes, types and values."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        total.update(f"{name}:{values.dtype.str}:{values.shape};".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def _arrays(record: Any) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _replaced(part: str, record: RecordT, given: Mapping[str, NDArray[Any]]) -> RecordT:
    present = _arrays(record)
    for name, values in present.items():
        if name not in given or np.shape(given[name]) != np.shape(values):
            found = np.shape(given[name]) if name in given else "nothing"
            raise ConfigurationError(
                f"the chip was made for another circuit: {part}/{name} should have shape "
                f"{np.shape(values)}, it has {found}; train it with the configuration it was "
                "made with, or make another: hil chip new"
            )
    arrays = {name: np.asarray(given[name]).astype(present[name].dtype) for name in present}
    return type(record)(**arrays)
