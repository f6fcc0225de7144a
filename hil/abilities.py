"""What some substrates can do besides settling and taking pulses; whoever needs it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from hil.arrays import AnyArray, Floats, IntArray
from hil.energy import Term
from hil.states import Comparisons, Drive, Settled

__all__ = [
    "Adjusts",
    "ComparesDrops",
    "CountsWrites",
    "Descends",
    "KeepsState",
    "LoadsConductance",
    "ProgramsConductance",
    "ReadsConductance",
    "SettlesEach",
]


@runtime_checkable
class SettlesEach(Protocol):
    """Several drives in one exchange: a bench queues them, a simulation shares its preparations.

    None of them may depend on what another one settles to.
    """

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        """One state a drive, as :meth:`Substrate.settle` gives, in the order of the drives.

        All drives are checked before the first is applied.

        Args:
            drives: of one batch size.
            near: see :meth:`Substrate.settle`; for all of them.
        """
        ...


@runtime_checkable
class Adjusts(Protocol):
    """Ideal programming: a conductance changes by what is asked, within its window."""

    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,)."""
        ...


@runtime_checkable
class Descends(Protocol):
    """Gradient and ideal programming in one pass over the devices."""

    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        """``g -= rate * contrast(terms)``, or its sign, group by group, within the window.

        Terms whose coefficients cancel must be phases of the same inputs.
        With ``sign_only`` a device whose absolute contrast is at most ``dead_zone`` rests.
        """
        ...


@runtime_checkable
class ReadsConductance(Protocol):
    """Conductances can be read."""

    def read_conductance(self) -> Floats:
        """(n_devices,) siemens."""
        ...


@runtime_checkable
class LoadsConductance(Protocol):
    """Conductances can be set to given values, as a resumed run needs."""

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens, exactly."""
        ...


@runtime_checkable
class ProgramsConductance(Protocol):
    """Conductances can be brought near given values, by pulses and readings in turn."""

    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        """Pulse and read until every device is as near as asked (write-verify).

        Args:
            target_siemens: (n_devices,) within the window.
            tolerance_siemens: allowed deviation of the last reading.

        Returns:
            (n_devices,) conductances as they were read last.

        Raises:
            UsageError: wrong shape, a value outside the window or not finite.
            ProgramError: some devices cannot be brought there; says which, and keeps the last
                readings in its evidence.
        """
        ...


@runtime_checkable
class KeepsState(Protocol):
    """More than conductances decides how it goes on: time, drift, generators of noise."""

    def state_arrays(self) -> dict[str, AnyArray]:
        """Everything that changes by use, by name (``/`` between the parts of a name), copies."""
        ...

    def load_state(self, arrays: Mapping[str, AnyArray]) -> None:
        """Go on from what :meth:`state_arrays` gave.

        Raises:
            UsageError: an array is missing or does not fit; nothing was loaded.
        """
        ...


@runtime_checkable
class CountsWrites(Protocol):
    """Programming events that changed a conductance are counted."""

    def write_counts(self) -> IntArray:
        """(n_devices,) events since construction or the last load."""
        ...

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,)."""
        ...


@runtime_checkable
class ComparesDrops(Protocol):
    """An analog comparator a device: absolute drops of two phases, one bit an example.

    It takes the pair of drives because two hold banks hold one example: the phases to be
    compared must follow each other on that example.
    """

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Compare ``|drop|`` of ``second`` with that of ``first``, example by example."""
        ...
