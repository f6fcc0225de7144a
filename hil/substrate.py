"""The interface between learning and electricity.

A substrate speaks volts, amps and pulses.  It never sees a label, a cost or a learning rate;
what trains on one substrate trains on any other.
"""

from __future__ import annotations

import abc
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self, final

import numpy as np

from hil.abilities import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    KeepsState,
    LoadsConductance,
    ProgramsConductance,
    ReadsConductance,
    SettlesEach,
)
from hil.arrays import AnyArray, Floats, IntArray, is_frozen
from hil.energy import EnergyModel
from hil.errors import ClosedError, SafetyError, UsageError
from hil.states import Comparisons, Drive, Settled
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
        with self._undisturbed():
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

    def _undisturbed(self) -> AbstractContextManager[None]:
        """What closing happens in; where much depends on it, nothing may come between."""
        return nullcontext()

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
            "applied. Lower the drive; a nudge that stands out may come from an output that is not "
            "connected. Raise the limit only if the devices bear it",
            extreme=extreme,
            limit=limit,
        )


def _extreme(values: Floats) -> float:
    """Largest absolute value; NaN if there is one, because it survives both reductions."""
    high = float(np.maximum.reduce(values, axis=None))
    low = float(np.minimum.reduce(values, axis=None))
    return max(high, -low)
