"""Write and verify: pulses and readings in turn until every device is where it should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.arrays import BoolArray, Floats, IntArray
from hil.errors import ProgramError, UsageError

__all__ = ["checked_targets", "write_verify"]

Values = NDArray[np.float64]

_STEP_BOUNDS = (0.2, 5.0)
"""Of the change by one pulse that is reckoned with, in nominal ones."""
_TRUST = 0.5
"""Weight of the latest response against those before."""
_DAMPING = 0.8
"""Share of the way that is gone at once, so that a stronger answer does not lead beyond."""
_MOST_PULSES = 1000
"""A device and round."""
_LEAST_RESPONSE = 0.02
"""Change by one pulse, in nominal ones, below which a device counts as not moving."""
_MOST_STILL = 6
"""Rounds in a row without moving until a device is given up."""
_MOST_CROSSINGS = 16
"""Single pulses in a row that led past the target, until a device is given up."""


def write_verify(
    read: Callable[[IntArray], Floats],
    pulse: Callable[[IntArray], None],
    target_siemens: Floats,
    window_siemens: tuple[float, float],
    pulse_siemens: float,
    tolerance_siemens: float,
    most_rounds: int,
) -> Floats:
    """Bring every device within a tolerance of its target.

    Each round reads the devices that are not there yet and pulses those that still are not, as
    often as their own responses so far suggest (up and down apart, as real devices differ), at
    least once. When all are inside, those read before the last pulses are read once more, since
    pulses disturb their neighbours; what has left goes on.

    Args:
        read: conductances of the devices whose numbers it gets, siemens in their order.
        pulse: applies (n_devices,) signed pulses, all of them.
        target_siemens: (n_devices,).
        window_siemens: (g_min, g_max) that targets lie in.
        pulse_siemens: nominal change by one pulse.
        tolerance_siemens: allowed deviation of the last reading; below twice the error of a
            reading it may take for ever.
        most_rounds: readings of a device at most.

    Returns:
        (n_devices,) conductances as they were read last, all within the tolerance.

    Raises:
        UsageError: targets outside the window or not finite, or a tolerance that is not positive.
        ProgramError: devices that do not move, or swing about their targets, or are not there
            after ``most_rounds``; the others were brought there. ``evidence`` has ``devices``,
            ``readings``, all (n_devices,), and ``target``.
    """
    target = checked_targets(target_siemens, tolerance_siemens, window_siemens)
    if not (pulse_siemens > 0.0 and most_rounds >= 1):
        raise UsageError(
            "write-verify needs a nominal pulse above 0 S and at least one round; got "
            f"{pulse_siemens} and {most_rounds}"
        )
    state = _Progress(target, pulse_siemens, tolerance_siemens)
    rechecked = False
    for _ in range(most_rounds):
        devices = np.flatnonzero(state.open)
        if not devices.size:
            stale = np.flatnonzero(state.read_before_pulses & ~state.given_up)
            if rechecked or not stale.size:
                break
            rechecked, devices = True, stale
        state.take(devices, np.asarray(read(devices), np.float64))
        counts = state.next_counts()
        if counts.any():
            pulse(counts)
            state.pulsed(counts)
    failed = np.flatnonzero(state.open | state.given_up)
    if failed.size:
        raise _failure(failed, state)
    return state.readings


def checked_targets(
    target_siemens: Floats, tolerance_siemens: float, window_siemens: tuple[float, float]
) -> Values:
    """Targets of programming as an array of their own, (n_devices,).

    Args:
        target_siemens: (n_devices,) as they were given.
        tolerance_siemens: allowed deviation from them.
        window_siemens: (g_min, g_max) that they lie in.

    Raises:
        UsageError: not real numbers, two axes, outside the window or not finite; a tolerance that
            is no number above 0.
    """
    low, high = window_siemens
    try:
        given = np.asarray(target_siemens)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    if given.dtype.kind not in "iuf" or given.ndim != 1:
        raise UsageError(
            "targets are real numbers, one conductance a device; got an array of "
            f"{given.dtype} of shape {given.shape}"
        )
    target = given.astype(np.float64)
    if not np.all((target >= low) & (target <= high)):
        raise UsageError(
            f"targets are one conductance a device from {low:.4g} to {high:.4g} S, the window; "
            "correct those outside, or those that are not numbers"
        )
    if not isinstance(tolerance_siemens, Real) or not tolerance_siemens > 0.0:
        raise UsageError(f"the tolerance is a number above 0 S; got {tolerance_siemens!r}")
    return target


@dataclass
class _Progress:
    """What is known of every device, arrays of (n_devices,)."""

    target: Values
    nominal_siemens: float
    tolerance_siemens: float
    readings: Values = field(init=False)
    open: BoolArray = field(init=False)
    given_up: BoolArray = field(init=False)
    read_before_pulses: BoolArray = field(init=False)
    _last_counts: NDArray[np.int64] = field(init=False)
    _steps: Values = field(init=False)
    _still: NDArray[np.int64] = field(init=False)
    _crossings: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        n = self.target.size
        self.readings = np.full(n, np.nan)
        self.open = np.ones(n, np.bool_)
        self.given_up = np.zeros(n, np.bool_)
        self.read_before_pulses = np.zeros(n, np.bool_)
        self._last_counts, self._still, self._crossings = np.zeros((3, n), np.int64)
        self._steps = np.full((2, n), self.nominal_siemens)  # up, down

    def take(self, devices: IntArray, siemens: Values) -> None:
        """Learn from readings of some devices who is there, and how they answered."""
        counts, before = self._last_counts[devices], self.readings[devices]
        answered = counts != 0
        self._learn(devices[answered], (siemens - before)[answered], counts[answered])
        self._note_crossings(devices[answered], siemens[answered])
        self.readings[devices] = siemens
        self._last_counts[devices] = 0
        self.read_before_pulses[devices] = False
        self.open[devices] = np.abs(siemens - self.target[devices]) > self.tolerance_siemens
        hopeless = (self._still >= _MOST_STILL) | (self._crossings >= _MOST_CROSSINGS)
        self.given_up |= self.open & hopeless
        self.open &= ~self.given_up

    def next_counts(self) -> NDArray[np.int64]:
        """(n_devices,) signed pulses that should bring open devices near their targets."""
        counts = np.zeros(self.target.size, np.int64)
        devices = np.flatnonzero(self.open)
        away = self.target[devices] - self.readings[devices]
        steps = self._steps[(away < 0.0).astype(np.intp), devices]
        sizes = np.rint(_DAMPING * np.abs(away) / steps)
        counts[devices] = np.sign(away) * np.clip(sizes, 1, _MOST_PULSES)
        return counts

    def pulsed(self, counts: NDArray[np.int64]) -> None:
        """Pulses were applied."""
        self._last_counts[:] = counts
        self.read_before_pulses |= counts == 0

    def _learn(self, devices: IntArray, moved: Values, counts: NDArray[np.int64]) -> None:
        """Secant: the mean change by one pulse of the last round, bounded and damped."""
        responses = moved / counts / self.nominal_siemens
        still = responses < _LEAST_RESPONSE
        self._still[devices] = np.where(still, self._still[devices] + 1, 0)
        bounded = np.clip(responses, *_STEP_BOUNDS) * self.nominal_siemens
        side = (counts < 0).astype(np.intp)
        self._steps[side, devices] += _TRUST * (bounded - self._steps[side, devices])

    def _note_crossings(self, devices: IntArray, siemens: Values) -> None:
        """Count single pulses in a row that led from one side of the target to the other."""
        target, counts = self.target[devices], self._last_counts[devices]
        crossed = (np.abs(counts) == 1) & (np.sign(target - siemens) == -np.sign(counts))
        self._crossings[devices] = np.where(crossed, self._crossings[devices] + 1, 0)


def _failure(failed: IntArray, state: _Progress) -> ProgramError:
    shown = ", ".join(
        f"{k} (read {state.readings[k]:.4g} S, target {state.target[k]:.4g} S)"
        for k in failed[:5].tolist()
    )
    more = f" and {failed.size - 5} more" if failed.size > 5 else ""
    n_given_up = int(np.count_nonzero(state.given_up))
    evidence: dict[str, Any] = {
        "devices": failed,
        "readings": state.readings,
        "target": state.target,
    }
    return ProgramError(
        f"{failed.size} of {state.target.size} devices cannot be brought within "
        f"{state.tolerance_siemens:.4g} S of their targets: {shown}{more}. {n_given_up} were given "
        "up because they do not move or swing about the target, the rest ran out of rounds. Stuck "
        "devices, a range narrower than the window, or steps and readings too coarse for the "
        "tolerance: choose other targets or a wider tolerance",
        **evidence,
    )
