"""What the voltages of a world do to its programmable devices, and the record of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.memristors import Memristors

__all__ = ["DevicePhysics", "DropLog", "Drops", "Dwell", "PulsePhysics"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_WHOLE = 0.01
"""Share of a pulse by which its time may fall short."""


class Drops(NamedTuple):
    """Extreme drops of devices, each (n_devices,).

    Attributes:
        volts: of largest magnitude, with its sign: tail minus head.
        seconds: when the state began in which it was seen first.
    """

    volts: Floats
    seconds: Floats


class DropLog:
    """The extreme drop of each device over all states since it was last asked for."""

    def __init__(self, n_devices: int) -> None:
        self._volts, self._seconds = np.zeros(n_devices), np.zeros(n_devices)

    def add(self, drops: Floats, at_seconds: float) -> None:
        """Take note of the drops of a state, (n_devices,)."""
        larger = np.abs(drops) > np.abs(self._volts)
        self._volts[larger] = drops[larger]
        self._seconds[larger] = at_seconds

    def take(self) -> Drops:
        """What was found; the log begins anew."""
        found = Drops(self._volts, self._seconds)
        self._volts, self._seconds = np.zeros_like(found.volts), np.zeros_like(found.volts)
        return found


class DevicePhysics(Protocol):
    """How devices change by the voltages across them."""

    def lived(self, drops: Floats, seconds: float, now_seconds: float) -> bool:
        """A state went on for a while.

        Args:
            drops: (n_devices,) volts, tail minus head.
            seconds: how long.
            now_seconds: time at its end.

        Returns:
            Whether conductances have changed.
        """
        ...

    def siemens(self) -> Floats:
        """(n_devices,) conductances now."""
        ...


class Dwell:
    """Counts pulses: every ``width_seconds`` that a drop is of some strength.

    Time adds up while the drop keeps its sign, in however many pieces it passes, and is forgotten
    once the drop leaves that strength: what is shorter than a pulse is none.

    Args:
        n_devices: how many.
        up_volts: amplitude of a full pulse that raises a conductance.
        down_volts: amplitude of one that lowers it, as a magnitude.
        width_seconds: of one pulse.
        least_shares: of the amplitude, for each strength, falling.

    Raises:
        ValueError: an amplitude or the width is not positive.
    """

    def __init__(
        self,
        n_devices: int,
        up_volts: float,
        down_volts: float,
        width_seconds: float,
        least_shares: Sequence[float],
    ) -> None:
        if min(up_volts, down_volts, width_seconds) <= 0.0:
            raise ValueError("amplitudes and the width of a pulse are positive")
        self._amplitudes = (up_volts, down_volts)
        self._width_seconds = width_seconds
        self._shares = tuple(least_shares)
        self._least_volts = min(least_shares) * min(up_volts, down_volts)
        self._dwell_seconds = np.zeros((2, len(self._shares), n_devices))
        self._is_idle = True

    def pulses(self, drops: Floats, seconds: float) -> list[tuple[Counts, Counts]]:
        """For each strength, (n,) pulses up and down that are complete now; empty if none can be.

        Args:
            drops: (n,) volts, tail minus head, for so long:
            seconds: the time that passed.
        """
        if self._is_idle and np.abs(drops).max(initial=0.0) < self._least_volts:
            return []
        found = []
        for index in range(len(self._shares)):
            counts = []
            for sign, amplitude in enumerate(self._amplitudes):
                dwell = self._dwell_seconds[sign, index]
                dwell[:] = np.where(
                    self._is_in(drops if sign == 0 else -drops, index, amplitude),
                    dwell + seconds,
                    0.0,
                )
                whole = np.floor(dwell / self._width_seconds + _WHOLE)
                dwell -= np.minimum(whole * self._width_seconds, dwell)
                counts.append(whole.astype(np.int64))
            found.append((counts[0], counts[1]))
        self._is_idle = not self._dwell_seconds.any()
        return found

    def _is_in(self, drops: Floats, index: int, amplitude: float) -> NDArray[np.bool_]:
        """Whether drops are of this strength and of no larger one."""
        above = drops >= self._shares[index] * amplitude
        if index:
            above &= drops < self._shares[index - 1] * amplitude
        return above


class PulsePhysics:
    """Devices that answer to every ``width_seconds`` above a threshold as to one pulse.

    See :class:`Dwell` for what is a pulse. A positive drop raises a conductance.

    Args:
        memristors: the devices.
        up_volts: amplitude of a full pulse that raises a conductance.
        down_volts: amplitude of one that lowers it, as a magnitude.
        width_seconds: of one pulse.
        rng: source of the spread from cycle to cycle.
        shares: strengths of weaker drops: least share of the amplitude, and share of a full
            pulse. None: full pulses from three quarters of the amplitude on, half-selected ones
            from 0.42, a third from 0.25, with the shares of the device model.

    Raises:
        ValueError: an amplitude or the width is not positive.
    """

    def __init__(
        self,
        memristors: Memristors,
        up_volts: float,
        down_volts: float,
        width_seconds: float,
        rng: np.random.Generator,
        shares: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self._memristors = memristors
        self._rng = rng
        if shares is None:
            disturb = memristors.model.disturb
            thirds = (0.25, disturb.third_select_share)
            shares = (0.75, 1.0), (0.42, disturb.half_select_share), thirds
        shares = sorted(shares, reverse=True)
        self._strengths = [strength for _, strength in shares]
        n = memristors.siemens().size
        least = [share for share, _ in shares]
        self._dwell = Dwell(n, up_volts, down_volts, width_seconds, least)
        self.counts = np.zeros((len(shares), n), np.int64)
        """Pulses so far, up minus down, of each strength (strongest first)."""

    def siemens(self) -> Floats:
        """(n_devices,) conductances now, without read noise."""
        return self._memristors.siemens()

    def lived(self, drops: Floats, seconds: float, now_seconds: float) -> bool:
        """See :class:`DevicePhysics`."""
        memristors = self._memristors
        pulses = self._dwell.pulses(drops, seconds)
        if not pulses and memristors.model.drift.none:
            memristors.wait_until(max(now_seconds, memristors.now_seconds))
            return False
        before = memristors.siemens()
        memristors.wait_until(max(now_seconds, memristors.now_seconds))
        for index, (up, down) in enumerate(pulses):
            net, strength = up - down, self._strengths[index]
            self.counts[index] += net
            if strength >= 1.0 and net.any():
                memristors.pulse(net, self._rng)
            elif up.any() or down.any():
                memristors.disturb(up, down, strength, self._rng)
        return bool(np.any(memristors.siemens() != before))
