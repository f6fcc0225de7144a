"""What a pulse model is: signed pulses in, conductances out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bools",
    "Chip",
    "ChipT",
    "Counts",
    "Draws",
    "Floats",
    "PulseModel",
    "Window",
    "as_arrays",
    "from_arrays",
    "take",
]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.integer[Any]]
Window: TypeAlias = tuple[float, float]
"""(g_min, g_max) in siemens."""


class Chip(Protocol):
    """Parameters drawn for the devices of one simulated chip.

    A frozen dataclass all of whose fields are arrays of one value a device, so that it can be
    stored by name (:func:`as_arrays`).
    """

    @property
    def low_siemens(self) -> Floats:
        """(n,) least conductance pulses can reach, within the window."""
        ...

    @property
    def high_siemens(self) -> Floats:
        """(n,) largest conductance pulses can reach, within the window."""
        ...


ChipT = TypeVar("ChipT", bound=Chip)
RecordT = TypeVar("RecordT")


class Draws(Protocol):
    """Draws one part of a chip, or has it from an earlier chip."""

    def __call__(self, part: str, drawn: Callable[[np.random.Generator], RecordT], /) -> RecordT:
        """What ``drawn`` draws, a dataclass of arrays, for the part of that name."""
        ...


class PulseModel(Protocol[ChipT]):
    """How a technology answers to programming pulses; holds the technology's numbers only.

    The conductance is the whole state of a device.
    """

    def draw(self, n: int, window_siemens: Window, rng: np.random.Generator) -> ChipT:
        """Parameters of ``n`` devices."""
        ...

    def pulse(
        self,
        chip: ChipT,
        siemens: Floats,
        counts: Counts,
        rng: np.random.Generator,
        share: float = 1.0,
    ) -> Floats:
        """Apply signed pulses.

        Args:
            chip: from :meth:`draw`.
            siemens: (n,) conductances within the limits of the chip.
            counts: (n,) pulses; positive ones raise a conductance.
            rng: source of the spread from cycle to cycle.
            share: strength of every pulse relative to a full one, as in a half-selected device.

        Returns:
            (n,) new conductances, within the limits of the chip.
        """
        ...

    def disturb(
        self,
        chip: ChipT,
        siemens: Floats,
        up: Counts,
        down: Counts,
        rng: np.random.Generator,
        share: float,
    ) -> Floats:
        """Apply many pulses of a small share each, in no particular order.

        Steps are taken to be the same for so many as have the strength of a full pulse.

        Args:
            chip: from :meth:`draw`.
            siemens: (n,) conductances within the limits of the chip.
            up: (n,) pulses up, not negative.
            down: (n,) pulses down, not negative.
            rng: source of the spread from cycle to cycle.
            share: strength of each relative to a full pulse.

        Returns:
            (n,) new conductances, within the limits of the chip.
        """
        ...

    def nominal_siemens(self, window_siemens: Window) -> float:
        """Typical change by one pulse in the middle of the window, without any spread."""
        ...


def as_arrays(record: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a dataclass by name."""
    return {field.name: np.asarray(getattr(record, field.name)) for field in fields(record)}


def from_arrays(like: RecordT, arrays: Mapping[str, NDArray[Any]]) -> RecordT:
    """A record of the kind of ``like`` from what :func:`as_arrays` gave.

    Raises:
        ValueError: an array is missing, or differs in shape from that of ``like``.
    """
    found = {}
    for name, present in as_arrays(like).items():
        if name not in arrays:
            raise ValueError(f"there is no array {name!r}; it was stored by another device model")
        given = np.asarray(arrays[name])
        if given.shape != present.shape:
            raise ValueError(
                f"array {name!r} has shape {given.shape}, not {present.shape}; it was stored for "
                "another number of devices"
            )
        found[name] = given.astype(present.dtype)
    return type(like)(**found)


def take(record: RecordT, at: NDArray[np.intp] | slice) -> RecordT:
    """The devices ``at`` of a record of (n,) arrays."""
    return type(record)(**{name: values[at] for name, values in as_arrays(record).items()})
