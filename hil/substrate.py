"""The interface between learning and electricity.

A substrate speaks volts, amps and pulses.  It never sees a label, a cost or a learning rate;
what trains on one substrate trains on any other.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, final, runtime_checkable

import numpy as np

from hil.arrays import AnyArray, BoolArray, Floats, IntArray, is_frozen
from hil.energy import EnergyModel, Term
from hil.errors import ClosedError, SafetyError, UsageError
from hil.topology import Topology

__all__ = [
    "Adjusts",
    "ComparesDrops",
    "Comparisons",
    "CountsWrites",
    "Descends",
    "Drive",
    "KeepsState",
    "LoadsConductance",
    "ProgramsConductance",
    "ReadsConductance",
    "Settled",
    "SettlesEach",
    "Substrate",
    "SubstrateSpec",
]


_FEW_LEVELS = 4096
"""Up to so many levels a sum of squares is worth a look before each is compared."""

_ROWS_AHEAD = 1024
"""Up to so many rows of inputs are checked together, if they cannot change."""


@dataclass(frozen=True, slots=True)
class Drive:
    """Electrical boundary conditions of a batch.

    Attributes:
        input_volts: (batch, n_inputs), float32 or float64.
        nudge_amps: (batch, n_outputs) injected into the outputs; None in a free phase,
            where the sources are open circuits (thesis 4.4.4).
    """

    input_volts: Floats
    nudge_amps: Floats | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Steady states of a batch, as one sample-and-hold per node kept them.

    Attributes:
        node_volts: (batch, n_nodes).
        ok: (batch,) the example settled and no source was in compliance.
    """

    node_volts: Floats
    ok: BoolArray


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Batch-summed comparator outcomes.

    Attributes:
        votes: (n_devices,) sum over examples of +1 (second absolute drop larger), -1, or 0
            (inside the dead zone).
        ok: (batch,) examples that took part.
    """

    votes: IntArray
    ok: BoolArray


@dataclass(frozen=True, eq=False)
class SubstrateSpec:
    """What a substrate is and may be asked to do.

    Attributes:
        kind: short name for records, such as ``layered``.
        topology: device graph and node roles.
        energy: local energies of the devices.
        max_input_volts: largest absolute input voltage; more is refused before any output.
        max_nudge_amps: largest absolute nudge current.
        window_siemens: (g_min, g_max) that programming keeps every device in.
        pulse_siemens: nominal change by one programming pulse.
        settle_tolerance: relative residual at which a state counts as settled.
        noise_volts: rms noise of one held voltage; 0 for an ideal simulation.
        pulse_spread: rms deviation of the change by one pulse from the nominal one, over devices
            and cycles, relative to it; above 0, pulses may also go astray: some devices do not
            answer, and others are disturbed.  0 where every pulse does what it should.
        read_siemens: rms error of one reading of a conductance; 0 where they are known.
    """

    kind: str
    topology: Topology
    energy: EnergyModel
    max_input_volts: float
    max_nudge_amps: float
    window_siemens: tuple[float, float]
    pulse_siemens: float
    settle_tolerance: float
    noise_volts: float = 0.0
    pulse_spread: float = 0.0
    read_siemens: float = 0.0


class Substrate(abc.ABC):
    """Something that settles.  Subclasses fill in the underscored hooks.

    Public methods check shapes, limits and the closed state once, before anything is
    energised, and are final.  A substrate is a context manager; leaving it makes it safe.
    """

    spec: SubstrateSpec

    def __init__(self, spec: SubstrateSpec) -> None:
        self.spec = spec
        self._closed = False
        self._checked_inputs: Floats | None = None
        self._checked_last: Floats | None = None

    @final
    def settle(self, drive: Drive, near: Settled | None = None) -> Settled:
        """Apply a drive, wait for the steady state, hold every node voltage.

        Args:
            drive: boundary conditions; an empty batch is refused.
            near: a state believed to be close, for substrates that compute; it may speed
                the answer up and never changes it beyond the stated tolerance.

        Returns:
            States of the batch; an example that did not settle has ``ok`` False.

        Raises:
            UsageError: wrong shape or dtype.
            SafetyError: an input or nudge is outside the limits or not finite.
            ClosedError: the substrate is closed.
        """
        self._check_open()
        self._check_drive(drive)
        if near is not None:
            self._check_near(near, len(drive.input_volts))
        return self._settle(drive, near)

    @final
    def pulse(self, counts: IntArray) -> None:
        """Apply signed programming pulses: positive counts raise a conductance.

        Args:
            counts: (n_devices,) integers.

        Raises:
            UsageError: wrong shape or dtype.
            ClosedError: the substrate is closed.
            ProgramError: a pulse could not be applied; it is not repeated.
        """
        self._check_open()
        _check_array("counts", counts)
        if counts.shape != (self.spec.topology.n_devices,) or counts.dtype.kind not in "iu":
            raise UsageError(
                f"pulse needs {self.spec.topology.n_devices} integers, one a device; "
                f"got {counts.dtype} of shape {counts.shape}"
            )
        self._pulse(counts)

    @final
    def make_safe(self) -> None:
        """Bring everything that can be energised to its idle state; may be repeated."""
        self._make_safe()

    @final
    def close(self) -> None:
        """Make safe and refuse further use; may be repeated."""
        if not self._closed:
            self._closed = True
            self._make_safe()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @abc.abstractmethod
    def _settle(self, drive: Drive, near: Settled | None) -> Settled: ...

    @abc.abstractmethod
    def _pulse(self, counts: IntArray) -> None: ...

    @abc.abstractmethod
    def _make_safe(self) -> None: ...

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this substrate was closed; build a new one to go on")

    def _check_drive(self, drive: Drive) -> None:
        spec, volts, amps = self.spec, drive.input_volts, drive.nudge_amps
        _check_array("input_volts", volts)
        batch = len(volts) if volts.ndim else 0
        if batch == 0:
            raise UsageError("the batch is empty; settle at least one example")
        if not self._was_checked(volts):
            shape = (batch, spec.topology.inputs.size)
            _check_levels("input_volts", volts, shape, spec.max_input_volts, "V")
            self._note_checked(volts)
        if amps is not None:
            _check_array("nudge_amps", amps)
            shape = (batch, spec.topology.outputs.size)
            _check_levels("nudge_amps", amps, shape, spec.max_nudge_amps, "A")

    def _check_near(self, near: Settled, batch: int) -> None:
        wanted = (batch, self.spec.topology.n_nodes)
        _check_array("near.node_volts", near.node_volts)
        if near.node_volts.shape != wanted or near.node_volts.dtype.char not in "fd":
            raise UsageError(
                f"near must hold node voltages of shape {wanted}, a state of this batch; "
                f"got {near.node_volts.dtype} of shape {near.node_volts.shape}"
            )

    def _was_checked(self, volts: Floats) -> bool:
        """Whether these inputs are whole rows of what was found to be within the limits.

        The phases of a batch share their inputs, and batches are cut from one array; one look
        at what cannot change is enough.
        """
        known: AnyArray | None = self._checked_inputs
        if known is None or volts.flags.writeable:
            return False
        if volts is known or volts is self._checked_last:
            return True
        if volts.base is known and _are_rows(volts, known):
            self._checked_last = volts
            return True
        return False

    def _note_checked(self, volts: Floats) -> None:
        """Remember inputs that passed; rather the whole array that they are rows of."""
        self._checked_inputs = self._checked_last = None
        if not is_frozen(volts):
            return
        self._checked_inputs = volts
        whole = volts.base
        if isinstance(whole, np.ndarray) and _are_rows(volts, whole) and len(whole) <= _ROWS_AHEAD:
            if _extreme(whole) <= self.spec.max_input_volts:
                self._checked_inputs = whole


def _are_rows(part: AnyArray, whole: AnyArray) -> bool:
    """Whether a view of ``whole`` consists of consecutive whole rows of it."""
    return (
        part.ndim == whole.ndim == 2
        and part.shape[1] == whole.shape[1]
        and part.strides == whole.strides
        and part.dtype == whole.dtype
    )


def _check_array(name: str, values: object) -> None:
    if not isinstance(values, np.ndarray):
        raise UsageError(f"{name} must be a numpy array; got {type(values).__name__}")


def _check_levels(
    name: str, values: Floats, shape: tuple[int, int], limit: float, unit: str
) -> None:
    """Refuse a wrong shape, a wrong dtype, NaN, infinity, and levels beyond the limit."""
    if values.shape != shape or values.dtype.char not in "fd":
        raise UsageError(
            f"{name} must be float32 or float64 of shape {shape}; "
            f"got {values.dtype} of shape {values.shape}"
        )
    # Most nudges are so far below the limit that even the sum of their squares is below its
    # square; the margins leave room for rounding and underflow.
    if limit > 1e-12 and values.size <= _FEW_LEVELS:
        if float(np.vdot(values, values)) < 0.9 * limit * limit:
            return
    extreme = _extreme(values)
    if not extreme <= limit or not math.isfinite(extreme):
        raise SafetyError(
            f"{name} reaches {extreme:.6g} {unit}, the limit is {limit:.6g} {unit}; nothing was "
            "applied. Lower the drive, or raise the limit if the devices bear it",
            extreme=extreme,
            limit=limit,
        )


def _extreme(values: Floats) -> float:
    """Largest absolute value; NaN if there is one, because it survives both reductions."""
    high = float(np.maximum.reduce(values, axis=None))
    low = float(np.minimum.reduce(values, axis=None))
    return max(high, -low)


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
