"""A simulated chip: many devices with everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.access import Access
from sim_backend.memristors.conduction import Conduction, Linear
from sim_backend.memristors.disturb import Disturb
from sim_backend.memristors.drift import Drift
from sim_backend.memristors.interface import (
    Bools,
    Counts,
    Floats,
    PulseModel,
    Window,
    as_arrays,
    from_arrays,
    take,
)
from sim_backend.memristors.read_noise import ReadNoise
from sim_backend.memristors.stuck import Stuck

__all__ = ["DeviceModel", "Memristors"]

Places: TypeAlias = NDArray[np.intp] | slice

_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A technology: how its devices are programmed, and what disturbs them.

    Attributes:
        pulses: answer to programming pulses.
        stuck: devices that do not answer.
        write_noise_relative: rms deviation of the conductance seen from the one programmed, drawn
            anew by every programming, relative to the width of the window (aihwkit:
            write_noise_std dw_min / 2).  The next pulse starts from the conductance programmed,
            without the deviation.
        drift: fall with time.
        read_noise: noise of reading.
        disturb: strengths of unwanted pulses.
        conduction: current-voltage curve.
        access: transistor in series, if any.
    """

    pulses: PulseModel[Any]
    stuck: Stuck = field(default_factory=Stuck)
    write_noise_relative: float = 0.0
    drift: Drift = field(default_factory=Drift)
    read_noise: ReadNoise = field(default_factory=ReadNoise)
    disturb: Disturb = field(default_factory=Disturb)
    conduction: Conduction = field(default_factory=Linear)
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """Where devices stand; the arrays change in place.

    Attributes:
        programmed_siemens: (n,) as the last pulse left it.
        write_noise_siemens: (n,) deviation of what is seen.
        programmed_at_seconds: (n,) when.
        now_seconds: () latest time heard of.
    """

    programmed_siemens: Floats
    write_noise_siemens: Floats
    programmed_at_seconds: Floats
    now_seconds: Floats


class Memristors:
    """Devices of one chip, on one flat axis; time comes from outside and never falls.

    What is seen is what was programmed, times the drift since, plus write noise, within the
    window; stuck devices are what they are.

    Args:
        model: the technology.
        window_siemens: (g_min, g_max).
        start_siemens: (n,) conductances to begin with; each is brought within the limits of its
            device.
        rng: what the chip is drawn from.

    Attributes:
        model: the technology.
        window_siemens: (g_min, g_max), which no conductance leaves.
    """

    def __init__(
        self,
        model: DeviceModel,
        window_siemens: Window,
        start_siemens: NDArray[np.floating[Any]],
        rng: np.random.Generator,
    ) -> None:
        n = start_siemens.size
        self.model = model
        self.window_siemens = window_siemens
        self._write_siemens = model.write_noise_relative * (window_siemens[1] - window_siemens[0])
        self._chip = model.pulses.draw(n, window_siemens, rng)
        self._stuck = model.stuck.draw(n, window_siemens, rng)
        self._drift = model.drift.draw(n, rng)
        self._noise = model.read_noise.start(n, rng)
        self._state = _State(np.empty(n), np.zeros(n), np.zeros(n), np.array(0.0))
        self.load(start_siemens)

    @property
    def chip(self) -> Any:
        """Parameters drawn for the pulse model, arrays of (n,)."""
        return self._chip

    @property
    def stuck(self) -> Bools:
        """(n,) which devices are stuck, a copy."""
        return self._stuck.stuck.copy()

    @property
    def now_seconds(self) -> float:
        """Latest time heard of."""
        return float(self._state.now_seconds)

    def load(self, siemens: NDArray[np.floating[Any]]) -> None:
        """Set (n,) conductances, as if programmed just now without write noise."""
        limits = self._chip.low_siemens, self._chip.high_siemens
        self._state.programmed_siemens[:] = np.clip(siemens.astype(np.float64), *limits)
        self._state.write_noise_siemens[:] = 0.0
        self._state.programmed_at_seconds[:] = self._state.now_seconds

    def wait_until(self, at_seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: it would run backwards.
        """
        if at_seconds < self.now_seconds:
            raise ValueError(f"time cannot go back from {self.now_seconds:g} s to {at_seconds:g} s")
        self._state.now_seconds[...] = at_seconds

    def siemens(self) -> Floats:
        """(n,) conductances now, without read noise; a copy."""
        seen = np.clip(self._drifted() + self._state.write_noise_siemens, *self.window_siemens)
        return np.where(self._stuck.stuck, self._stuck.at_siemens, seen)

    def pulse(self, counts: Counts, rng: np.random.Generator) -> None:
        """Program: (n,) signed pulses, positive ones raising a conductance.

        A device starts from where it has drifted to; its drift begins anew.
        """
        at = self._answering(counts)
        self._state.programmed_siemens[at] = self._pulsed(at, counts, 1.0, rng)
        self._state.programmed_at_seconds[at] = self._state.now_seconds
        if self._write_siemens > 0.0:
            fresh = rng.standard_normal(at.size)
            self._state.write_noise_siemens[at] = self._write_siemens * fresh

    def disturb(self, up: Counts, down: Counts, share: float, rng: np.random.Generator) -> None:
        """Unwanted pulses of a small share each, those up first.

        They leave write noise and the course of drift as they are, unlike a device's own pulses.

        Args:
            up: (n,) pulses up, not negative.
            down: (n,) pulses down, not negative.
            share: strength of each, such as ``model.disturb.half_select_share``.
            rng: source of the spread from cycle to cycle.
        """
        for counts in (up, -down) if share > 0.0 else ():
            at = self._answering(counts)
            after = self._pulsed(at, counts, share, rng)
            self._state.programmed_siemens[at] *= after / self._drifted(at)

    def read(self, times_seconds: NDArray[np.floating[Any]], rng: np.random.Generator) -> Floats:
        """Read at (m,) times that do not fall: (m, n) siemens, with noise and drift."""
        samples = np.empty((len(times_seconds), self._stuck.stuck.size))
        for k, at in enumerate(times_seconds):
            self.wait_until(float(at))
            factor, self._noise = self.model.read_noise.sample(self._noise, float(at), rng)
            samples[k] = self.siemens() * factor
        return samples

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that a chip is, by name: what was drawn for it, and where it stands."""
        parts = {
            "chip": self._chip,
            "stuck": self._stuck,
            "drift": self._drift,
            "noise": self._noise,
            "state": self._state,
        }
        found = {
            f"{part}/{name}": values.copy()
            for part, record in parts.items()
            for name, values in as_arrays(record).items()
        }
        return found

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the chip that :meth:`arrays` described.

        Raises:
            ValueError: an array is missing or has another shape; nothing was loaded.
        """

        def part(name: str) -> dict[str, NDArray[Any]]:
            prefix = f"{name}/"
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        chip = from_arrays(self._chip, part("chip"))
        stuck = from_arrays(self._stuck, part("stuck"))
        drift = from_arrays(self._drift, part("drift"))
        noise = from_arrays(self._noise, part("noise"))
        self._state = from_arrays(self._state, part("state"))
        self._chip, self._stuck, self._drift, self._noise = chip, stuck, drift, noise

    def _drifted(self, at: Places = _ALL) -> Floats:
        """What was programmed, times the drift since, within the window; of the devices ``at``."""
        programmed = self._state.programmed_siemens[at]
        if self.model.drift.none:
            return programmed.copy()
        since = self._state.now_seconds - self._state.programmed_at_seconds[at]
        factor = self.model.drift.factor(take(self._drift, at), since)
        return np.clip(programmed * factor, *self.window_siemens)

    def _answering(self, counts: Counts) -> NDArray[np.intp]:
        """Places of the devices that are pulsed and not stuck."""
        return np.flatnonzero((counts != 0) & ~self._stuck.stuck)

    def _pulsed(
        self, at: NDArray[np.intp], counts: Counts, share: float, rng: np.random.Generator
    ) -> Floats:
        """Conductances of the devices ``at`` after their pulses."""
        chip = take(self._chip, at)
        before = np.clip(self._drifted(at), chip.low_siemens, chip.high_siemens)
        return self.model.pulses.pulse(chip, before, counts[at], rng, share)
