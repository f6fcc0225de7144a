"""A simulated chip: many devices with everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.interface import (
    Bools,
    Counts,
    Floats,
    Window,
    as_arrays,
    from_arrays,
    take,
)
from sim_backend.memristors.model import DeviceModel, DrawnDevices

__all__ = ["DeviceModel", "Memristors"]

Places: TypeAlias = NDArray[np.intp] | slice

_ALL = slice(None)

_AT_ONCE = 8192
"""Devices that are pulsed together."""


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
    window; stuck devices are what they are.  What was drawn (:attr:`drawn`) never changes; what
    use changes is :meth:`state_arrays`.

    Args:
        model: the technology.
        window_siemens: (g_min, g_max).
        start_siemens: (n,) conductances to begin with; each is brought within the limits of its
            device.
        rng: what read noise starts from and, without ``drawn``, what the chip is drawn from.
        drawn: parameters of the devices, from :meth:`DeviceModel.draw`.

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
        drawn: DrawnDevices | None = None,
    ) -> None:
        n = start_siemens.size
        self.model = model
        self.window_siemens = window_siemens
        self._write_siemens = model.write_noise_relative * (window_siemens[1] - window_siemens[0])
        if drawn is None:
            drawn = model.draw(n, window_siemens, lambda _, part: part(rng))
        self._drawn = drawn
        self._noise = model.read_noise.start(drawn.telegraph, rng)
        self._state = _State(np.empty(n), np.zeros(n), np.zeros(n), np.array(0.0))
        self.load(start_siemens)

    @property
    def drawn(self) -> DrawnDevices:
        """What was drawn for the chip."""
        return self._drawn

    @property
    def chip(self) -> Any:
        """Parameters drawn for the pulse model, arrays of (n,)."""
        return self._drawn.pulses

    @property
    def stuck(self) -> Bools:
        """(n,) which devices are stuck, a copy."""
        return self._drawn.stuck.stuck.copy()

    @property
    def now_seconds(self) -> float:
        """Latest time heard of."""
        return float(self._state.now_seconds)

    def load(self, siemens: NDArray[np.floating[Any]]) -> None:
        """Set (n,) conductances, as if programmed just now without write noise."""
        limits = self.chip.low_siemens, self.chip.high_siemens
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

    def siemens(self, at: Places = _ALL) -> Floats:
        """(n,) conductances now, or those of the devices ``at``, without read noise; a copy."""
        seen = self._drifted(at)
        if self._write_siemens > 0.0:
            seen += self._state.write_noise_siemens[at]
            np.clip(seen, *self.window_siemens, out=seen)
        if not self.model.stuck.none:
            stuck = self._drawn.stuck
            np.copyto(seen, stuck.at_siemens[at], where=stuck.stuck[at])
        return seen

    def pulse(self, counts: Counts, rng: np.random.Generator) -> NDArray[np.intp]:
        """Program: (n,) signed pulses, positive ones raising a conductance.

        A device starts from where it has drifted to; its drift begins anew.

        Returns:
            Places of the devices that were pulsed and are not stuck, ascending.
        """
        at = np.flatnonzero(counts != 0)
        return self.pulse_at(at, counts[at], rng)

    def pulse_at(
        self, at: NDArray[np.intp], counts: Counts, rng: np.random.Generator
    ) -> NDArray[np.intp]:
        """Program the devices ``at`` (m,), ascending, by (m,) signed pulses; see :meth:`pulse`."""
        if not self.model.stuck.none:
            answers = ~self._drawn.stuck.stuck[at]
            at, counts = at[answers], counts[answers]
        for some, where in _blocks(at):
            pulses, chip = counts[some], take(self.chip, where)
            start = np.clip(self._drifted(where), chip.low_siemens, chip.high_siemens)
            after = self.model.pulses.pulse(chip, start, pulses, rng)
            self._state.programmed_siemens[where] = after
            self._state.programmed_at_seconds[where] = self._state.now_seconds
            if self._write_siemens > 0.0:
                fresh = rng.standard_normal(pulses.size)
                self._state.write_noise_siemens[where] = self._write_siemens * fresh
        return at

    def disturb(self, up: Counts, down: Counts, share: float, rng: np.random.Generator) -> None:
        """Unwanted pulses of a small share each, in no particular order.

        They leave write noise and the course of drift as they are, unlike a device's own pulses.

        Args:
            up: (n,) pulses up, not negative.
            down: (n,) pulses down, not negative.
            share: strength of each, such as ``model.disturb.half_select_share``.
            rng: source of the spread from cycle to cycle.
        """
        if share <= 0.0:
            return
        # Stuck devices may be among them: nobody sees what was programmed there.
        for _, at in _blocks(np.flatnonzero((up != 0) | (down != 0))):
            chip, before = take(self.chip, at), self._drifted(at)
            start = np.clip(before, chip.low_siemens, chip.high_siemens)
            after = self.model.pulses.disturb(chip, start, up[at], down[at], rng, share)
            if self.model.drift.none:
                self._state.programmed_siemens[at] = after
            else:
                self._state.programmed_siemens[at] *= after / before

    def read(self, times_seconds: NDArray[np.floating[Any]], rng: np.random.Generator) -> Floats:
        """Read at (m,) times that do not fall: (m, n) siemens, with noise and drift."""
        samples = np.empty((len(times_seconds), self._drawn.n_devices))
        for k, at in enumerate(times_seconds):
            self.wait_until(float(at))
            samples[k] = self.fluctuating(rng)
        return samples

    def fluctuating(self, rng: np.random.Generator) -> Floats:
        """(n,) conductances now, with read noise; a copy that may leave the window."""
        noise, now = self.model.read_noise, self.now_seconds
        factor, self._noise = noise.sample(self._drawn.telegraph, self._noise, now, rng)
        return np.asarray(self.siemens() * factor)

    def drawn_arrays(self) -> dict[str, NDArray[Any]]:
        """What was drawn for the chip, by name, copies."""
        return _by_name(dict(self._parts()))

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Where the devices stand, by name, copies: all that changes by use."""
        return _by_name({"noise": self._noise, "state": self._state})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that a chip is, by name: what was drawn for it, and where it stands."""
        return self.drawn_arrays() | self.state_arrays()

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the chip that :meth:`arrays` described.

        Raises:
            ValueError: an array is missing or has another shape; nothing was loaded.
        """
        drawn = DrawnDevices(
            **{part: from_arrays(record, _part(arrays, part)) for part, record in self._parts()}
        )
        self.load_state(arrays)
        self._drawn = drawn

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state_arrays` gave.

        Raises:
            ValueError: an array is missing or has another shape; nothing was loaded.
        """
        self.prepare_state(arrays)()

    def prepare_state(self, arrays: Mapping[str, NDArray[Any]]) -> Callable[[], None]:
        """What loads a state that was checked before; see :meth:`load_state`.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        noise = from_arrays(self._noise, _part(arrays, "noise"))
        state = from_arrays(self._state, _part(arrays, "state"))

        def load() -> None:
            self._noise, self._state = noise, state

        return load

    def _parts(self) -> list[tuple[str, Any]]:
        return [(part.name, getattr(self._drawn, part.name)) for part in fields(self._drawn)]

    def _drifted(self, at: Places = _ALL) -> Floats:
        """What was programmed, times the drift since, within the window; of the devices ``at``."""
        programmed = self._state.programmed_siemens[at]
        if self.model.drift.none:
            return programmed.copy()
        since = self._state.now_seconds - self._state.programmed_at_seconds[at]
        factor = self.model.drift.factor(take(self._drawn.drift, at), since)
        return np.clip(programmed * factor, *self.window_siemens)


def _blocks(at: NDArray[np.intp]) -> Iterator[tuple[slice, Places]]:
    """Places, so many at a time that what is worked out for them stays in a core's cache.

    Yields:
        A part of ``at``, and the places in it.
    """
    for start in range(0, at.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        some = at[part]
        first, last = int(some[0]), int(some[-1])
        # Views take no time.
        yield part, slice(first, last + 1) if last - first == some.size - 1 else some


def _by_name(parts: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    return {
        f"{part}/{name}": values.copy()
        for part, record in parts.items()
        for name, values in as_arrays(record).items()
    }


def _part(arrays: Mapping[str, NDArray[Any]], part: str) -> dict[str, NDArray[Any]]:
    prefix = f"{part}/"
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
