"""Two banks of sample-and-holds whose roles change phase by phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.emulated.shboard_hardware import Timing
from hil.arrays import Floats, IntArray
from sim_backend.board.config import BoardConfig
from sim_backend.board.converters import with_noise
from sim_backend.board.drawn import BoardDrawn
from sim_backend.board.kernels import acquire

__all__ = ["Banks"]


class Banks:
    """What becomes of node voltages that are held, and when they are converted.

    Args:
        config: of the holds and of the converter, whose conversions make banks wait.
        drawn: constants.
        nodes: (n,) nodes of the topology that are held.
    """

    @dataclass(frozen=True, slots=True)
    class Due:
        """A conversion: of which phase and bank, into which row, so long (n,) after its hold."""

        phase: int
        bank: int
        row: int
        seconds: Floats

    @dataclass(frozen=True, slots=True)
    class Schedule:
        """Conversions before each phase, and, behind the last, those at the end."""

        due_before: list[list[Banks.Due]]

    def __init__(self, config: BoardConfig, drawn: BoardDrawn, nodes: IntArray) -> None:
        self._config = config
        self._gain = drawn.hold_gain[:, nodes]
        self._constant = (drawn.hold_offset_volts + drawn.hold_step_volts)[:, nodes]
        self._droop = drawn.hold_droop_volts_per_second[:, nodes]
        self._kept: Floats = np.zeros((2, nodes.size))
        self.bank_of: list[int] = []
        """Banks of the phases of the last run."""

    def acquired(self, volts: list[Floats], banks: list[int], timing: Timing) -> list[Floats]:
        """What the holds reached of (n, nodes) volts, phase by phase and example by example."""
        self.bank_of = banks
        tau = self._config.hold.tau_seconds
        if tau:
            left = math.exp(-timing.acquire_us * 1e-6 / tau)
            stack = np.stack(volts).astype(np.float64)
            return list(acquire(stack, np.array(banks), self._kept, left))
        for values, bank in zip(volts, banks, strict=True):
            self._kept[bank] = values[-1]
        return volts

    def after(self, volts: Floats, bank: int, seconds: Floats) -> Floats:
        """What is left of acquired (n, nodes) volts after a time, () or (nodes,)."""
        shift = self._constant[bank] + self._droop[bank] * seconds
        return np.asarray(volts * self._gain[bank] + shift)

    def noisy(self, held: Floats, rng: np.random.Generator) -> Floats:
        """With the holds' white noise, which readings have from their converter."""
        rms = self._config.hold.noise_volts
        return with_noise(held, np.array(rms), rng) if rms else held

    def kept(self, bank: int) -> Floats:
        """(nodes,) volts that a bank shows now, as if just held."""
        return self.after(self._kept[bank], bank, np.array(0.0))

    def schedule(self, phases: Sequence[tuple[int, bool]], timing: Timing) -> Schedule:
        """When the banks are converted: before they are used again, and at the end.

        Args:
            phases: bank of each phase, and whether it is read.
            timing: of a phase.
        """
        adc = self._config.adc
        n = self._kept.shape[1]
        turns = np.arange(n) if adc.shared else np.zeros(n)
        whole = adc.conversion_seconds * (n if adc.shared else 1)
        due: list[list[Banks.Due]] = []
        waiting: list[tuple[int, int, int]] = []
        rows = 0
        for index in range(len(phases) + 1):
            due.append([])
            at_end = index == len(phases)
            if waiting and (at_end or any(bank == phases[index][0] for _, bank, _ in waiting)):
                for turn, (phase, bank, row) in enumerate(waiting):
                    seconds = (index - 1 - phase) * timing.phase_seconds
                    seconds += self._config.timing.read_seconds + turn * whole
                    later = seconds + adc.conversion_seconds * turns
                    due[-1].append(Banks.Due(phase, bank, row, later))
                waiting.clear()
            if not at_end and phases[index][1]:
                waiting.append((index, phases[index][0], rows))
                rows += 1
        return Banks.Schedule(due)
