"""What the emulated board's protocol needs of its electronics: codes in, codes out.

The counterpart of ``drivers/firmware/shb_hal.h``; a run is one call here, so that a simulation
can work on a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABORTED",
    "COMPLIANCE",
    "MOVING",
    "RANGE",
    "Codes",
    "Geometry",
    "Hardware",
    "Phase",
    "Programming",
    "RunResult",
    "Timing",
]

Codes = NDArray[np.int16]

RANGE, COMPLIANCE, MOVING, ABORTED = 1, 2, 4, 8
"""Bits of an example's status."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a board has; the answer to ``:CAPability?`` and ``:CAPability:ARRay?``.

    Attributes:
        n_inputs: input DACs.
        n_outputs: nudge current sources.
        n_nodes: nodes with holds.
        arrays: rows and columns of each array of devices; devices are numbered array by array,
            row by row.
        serial: serial number.
        dac_bits: of the input DACs.
        dac_microvolts: level at their largest code.
        nudge_bits: of the nudge sources.
        nudge_picoamps: level at their largest code.
        adc_bits: of readings.
        adc_microvolts: voltage at the largest code.
        program_bits: of programming levels and gates.
        program_microvolts: level at the largest code.
        has_comparators: one a device.
        schemes: bits 0 to 2: V/2, V/3, 1T1R.
        queue_length: examples of a run.
        message_bytes: longest message.
    """

    n_inputs: int
    n_outputs: int
    n_nodes: int
    arrays: tuple[tuple[int, int], ...]
    serial: str = "000000"
    dac_bits: int = 16
    dac_microvolts: int = 5_000_000
    nudge_bits: int = 16
    nudge_picoamps: int = 100_000_000
    adc_bits: int = 16
    adc_microvolts: int = 5_000_000
    program_bits: int = 12
    program_microvolts: int = 5_000_000
    has_comparators: bool = True
    schemes: int = 7
    queue_length: int = 64
    message_bytes: int = 32768

    @property
    def n_devices(self) -> int:
        """Devices of all arrays."""
        return sum(rows * columns for rows, columns in self.arrays)


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a phase, microseconds."""

    settle_us: int = 100
    acquire_us: int = 20

    @property
    def phase_seconds(self) -> float:
        """From one hold to the next."""
        return (self.settle_us + self.acquire_us) * 1e-6


@dataclass(frozen=True, slots=True)
class Programming:
    """How a pulse is made: amplitudes and gate voltages as codes, for setting and resetting."""

    scheme: int = 0
    level_codes: tuple[int, int] = (0, 0)
    gate_codes: tuple[int, int] = (0, 0)
    width_us: int = 10


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a run.

    Attributes:
        bank: 0 (A) or 1 (B) of the holds.
        nudges: (n, n_outputs) codes, or None: sources open.
        read: whether its bank is converted.
        compare: whether the comparators are asked after it, the other bank being the first.
    """

    bank: int
    nudges: Codes | None
    read: bool
    compare: bool


@dataclass(frozen=True, slots=True)
class RunResult:
    """Outcome of a run.

    Attributes:
        status: (n,) bits.
        readings: (n, phases read, n_nodes).
        votes: (n_devices,) sums, or None if nothing was compared.
    """

    status: NDArray[np.int16]
    readings: Codes
    votes: Codes | None


class Hardware(Protocol):
    """The electronics around a network."""

    @property
    def geometry(self) -> Geometry:
        """What it has."""
        ...

    def interlock_closed(self) -> bool:
        """Whether outputs may be energised."""
        ...

    def make_safe(self) -> None:
        """Nudges open, inputs at 0, selects and gates off, every node isolated, lines grounded."""
        ...

    def switch(self, isolated: NDArray[np.bool_], floating: bool) -> None:
        """Isolation switches (n_nodes,), and whether input lines are cut off."""
        ...

    def apply(self, inputs: Codes, nudges: Codes | None) -> None:
        """Steady levels (n_inputs,) and (n_outputs,); None: nudge sources open."""
        ...

    def run(
        self, inputs: Codes, phases: Sequence[Phase], timing: Timing, dead_zone: int
    ) -> RunResult:
        """Run all phases of all examples; inputs (n, n_inputs). Both banks keep the last one."""
        ...

    def hold(self, bank: int, timing: Timing) -> None:
        """Hold all nodes under the steady levels."""
        ...

    def read(self, bank: int) -> tuple[Codes, int]:
        """Convert a bank: (n_nodes,) codes and a status."""
        ...

    def compare(self, first_bank: int, dead_zone: int, device: int) -> int:
        """One device's vote: +1 if its drop in the other bank is the larger one, -1, or 0."""
        ...

    def pulse(self, counts: NDArray[np.int8], first: int, programming: Programming) -> int:
        """Apply signed pulses to devices from ``first`` on; how many were applied."""
        ...
