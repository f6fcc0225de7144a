r"""VTEAM: a device with voltage thresholds, driven by pulse amplitude and width.

Kvatinsky et al., IEEE TCAS-II 62 (2015) 786.  With ``x`` the state, 0 at the lowest resistance and
1 at the highest one (the paper's ``(w - w_on) / (w_off - w_on)``),

.. math::
    \dot x = k_{off} (v / v_{off} - 1)^{\alpha_{off}} f_{off}(x), \; v > v_{off} > 0; \quad
    \dot x = k_{on} (v / v_{on} - 1)^{\alpha_{on}} f_{on}(x), \; v < v_{on} < 0,

and 0 between the thresholds.  Resistance is linear in ``x`` or exponential.  Up pulses raise the
conductance and are therefore negative voltages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.interface import Counts, Floats, Window, take
from sim_backend.memristors.rosenbrock import integrate

__all__ = ["StateWindow", "Vteam", "VteamChip"]


@dataclass(frozen=True, slots=True)
class StateWindow:
    """Slowing down towards the ends of the state.

    Attributes:
        kind: ``none``; ``joglekar``, ``1 - (2x - 1)^2p``, zero at both ends, which a device never
            leaves again; ``biolek``, ``1 - (x - stp)^2p``, zero only at the end ahead; or
            ``kvatinsky``, ``exp(-exp((x - off_end) / width))`` towards off and
            ``exp(-exp((on_end - x) / width))`` towards on (TEAM, Kvatinsky et al. 2013).
        power: p.
        off_end: a_off as a share of the state's range.
        on_end: a_on likewise.
        width: w_c likewise.
    """

    kind: Literal["none", "joglekar", "biolek", "kvatinsky"] = "none"
    power: int = 1
    off_end: float = 1.0
    on_end: float = 0.0
    width: float = 0.1

    def factor(self, x: Floats, towards_off: NDArray[np.bool_]) -> Floats:
        """(m,) factor of the speed at states x, within 0..1."""
        match self.kind:
            case "joglekar":
                return 1.0 - (2.0 * x - 1.0) ** (2 * self.power)
            case "biolek":
                return 1.0 - (x - np.where(towards_off, 0.0, 1.0)) ** (2 * self.power)
            case "kvatinsky":
                beyond = np.where(towards_off, x - self.off_end, self.on_end - x) / self.width
                return np.exp(-np.exp(np.minimum(beyond, 700.0)))
            case "none":
                return np.ones_like(x)


@dataclass(frozen=True, slots=True)
class VteamChip:
    """Parameters of n devices; every array is (n,).

    Attributes:
        low_siemens: conductance at x = 1, 1 / R_off.
        high_siemens: conductance at x = 0, 1 / R_on.
        off_volts: v_off, positive.
        on_volts: v_on, negative.
        off_per_second: k_off of the state's range, positive.
        on_per_second: k_on likewise, negative.
    """

    low_siemens: Floats
    high_siemens: Floats
    off_volts: Floats
    on_volts: Floats
    off_per_second: Floats
    on_per_second: Floats


@dataclass(frozen=True, slots=True)
class Vteam:
    """The model and the pulses that program it; see the module.

    R_on and R_off are the ends of the conductance window.

    Attributes:
        off_per_second: k_off / (w_off - w_on), above 0.
        on_per_second: k_on / (w_off - w_on), below 0.
        off_exponent: alpha_off.
        on_exponent: alpha_on.
        off_volts: v_off, above 0.
        on_volts: v_on, below 0.
        up_volts: amplitude of a pulse that raises the conductance, below 0.
        down_volts: amplitude of one that lowers it, above 0.
        pulse_seconds: width of a pulse.
        state_window: slowing down towards the ends.
        exponential: resistance exponential in the state instead of linear.
        series_ohms: access resistance while programming.
        speed_spread: of both speeds together from device to device, log-normal.
        threshold_spread: of each threshold, relative.
        low_spread: of the least conductance, log-normal.
        high_spread: of the largest conductance, log-normal; both are cut off at the window.
        cycle_spread: of the effective width from pulse to pulse, relative.
        tolerance: of the state, each step of the integration.
    """

    off_per_second: float
    on_per_second: float
    off_exponent: float
    on_exponent: float
    off_volts: float
    on_volts: float
    up_volts: float
    down_volts: float
    pulse_seconds: float
    state_window: StateWindow = StateWindow()
    exponential: bool = False
    series_ohms: float = 0.0
    speed_spread: float = 0.0
    threshold_spread: float = 0.0
    low_spread: float = 0.0
    high_spread: float = 0.0
    cycle_spread: float = 0.0
    tolerance: float = 1e-7

    def draw(self, n: int, window_siemens: Window, rng: np.random.Generator) -> VteamChip:
        """Parameters of ``n`` devices."""
        low, high = window_siemens
        lowest = low * np.exp(self.low_spread * rng.standard_normal(n))
        highest = high * np.exp(self.high_spread * rng.standard_normal(n))
        lowest, highest = np.minimum(lowest, highest), np.maximum(lowest, highest)
        speed = np.exp(self.speed_spread * rng.standard_normal(n))
        off = np.abs(1.0 + self.threshold_spread * rng.standard_normal(n))
        on = np.abs(1.0 + self.threshold_spread * rng.standard_normal(n))
        return VteamChip(
            low_siemens=np.clip(lowest, low, high),
            high_siemens=np.clip(highest, low, high),
            off_volts=self.off_volts * off,
            on_volts=self.on_volts * on,
            off_per_second=self.off_per_second * speed,
            on_per_second=self.on_per_second * speed,
        )

    def pulse(
        self,
        chip: VteamChip,
        siemens: Floats,
        counts: Counts,
        rng: np.random.Generator,
        share: float = 1.0,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`; ``share`` is one of width.

        The state moves by itself under a constant voltage, so that pulses of one sign are one
        long pulse, and spread from cycle to cycle is one of its length.
        """
        result = np.array(siemens, np.float64)
        at = np.flatnonzero(counts)
        pulses = np.abs(counts[at]).astype(np.float64)
        if self.cycle_spread > 0.0:
            noise = self.cycle_spread * np.sqrt(pulses) * rng.standard_normal(at.size)
            pulses = np.maximum(pulses + noise, 0.0)
        volts = np.where(counts[at] > 0, self.up_volts, self.down_volts)
        seconds = pulses * (share * self.pulse_seconds)
        result[at] = self.expose(take(chip, at), result[at], volts, seconds)
        return result

    def disturb(
        self,
        chip: VteamChip,
        siemens: Floats,
        up: Counts,
        down: Counts,
        rng: np.random.Generator,
        share: float,
    ) -> Floats:
        """See :class:`sim_backend.memristors.interface.PulseModel`; those up come first."""
        raised = self.pulse(chip, siemens, up, rng, share)
        return self.pulse(chip, raised, np.negative(down, dtype=np.int64), rng, share)

    def expose(self, chip: VteamChip, siemens: Floats, volts: Floats, seconds: Floats) -> Floats:
        """Apply a constant voltage each, positive ones towards off: pulses, reads, half-selects.

        Args:
            chip: of n devices.
            siemens: (n,) conductances before.
            volts: (n,) across device and access resistance.
            seconds: (n,) durations.

        Returns:
            (n,) conductances after.

        Raises:
            StepsError: the exposure is absurdly long for its voltage.
        """
        x = self.state(chip, siemens)
        if self.state_window.kind == "none" and self.series_ohms == 0.0:
            moved = x + seconds * self._speed(chip, volts)
        else:
            moved = integrate(self._rate(chip, volts), x, seconds, self.tolerance)
        # A device that did not move keeps its bits.
        after = np.where(moved == x, siemens, self.siemens(chip, np.clip(moved, 0.0, 1.0)))
        return np.clip(after, chip.low_siemens, chip.high_siemens)

    def siemens(self, chip: VteamChip, x: Floats) -> Floats:
        """(n,) conductances at states x."""
        if self.exponential:
            return np.asarray(
                chip.high_siemens * (chip.low_siemens / chip.high_siemens) ** x, np.float64
            )
        on, off = 1.0 / chip.high_siemens, 1.0 / chip.low_siemens
        return 1.0 / (on + (off - on) * x)

    def state(self, chip: VteamChip, siemens: Floats) -> Floats:
        """(n,) states, 0 (on) to 1 (off)."""
        ratio = chip.high_siemens / siemens
        range_ = chip.high_siemens / chip.low_siemens
        if self.exponential:
            ratio, range_ = np.log(ratio), np.log(range_)
            x = np.divide(ratio, range_, out=np.zeros_like(ratio), where=range_ > 0.0)
        else:
            x = np.divide(ratio - 1.0, range_ - 1.0, out=np.zeros_like(ratio), where=range_ > 1.0)
        return np.clip(x, 0.0, 1.0)

    def nominal_siemens(self, window_siemens: Window) -> float:
        """Mean of an up and a down pulse from the middle of the window, without spread."""
        bare = dataclasses.replace(
            self, speed_spread=0.0, threshold_spread=0.0, low_spread=0.0, high_spread=0.0,
            cycle_spread=0.0,
        )  # fmt: skip
        rng = np.random.default_rng(0)  # draws nothing that counts
        chip = bare.draw(2, window_siemens, rng)
        middle = np.full(2, 0.5 * sum(window_siemens))
        return float(np.abs(bare.pulse(chip, middle, np.array([1, -1]), rng) - middle).mean())

    def _speed(self, chip: VteamChip, volts: Floats) -> Floats:
        """(m,) dx/dt where the window does not slow it down."""
        off = np.maximum(volts / chip.off_volts - 1.0, 0.0) ** self.off_exponent
        on = np.maximum(volts / chip.on_volts - 1.0, 0.0) ** self.on_exponent
        return np.where(
            volts > chip.off_volts,
            chip.off_per_second * off,
            np.where(volts < chip.on_volts, chip.on_per_second * on, 0.0),
        )

    def _rate(self, chip: VteamChip, volts: Floats) -> Callable[[Floats, NDArray[np.intp]], Floats]:
        def rate(x: Floats, rows: NDArray[np.intp]) -> Floats:
            part, applied = take(chip, rows), volts[rows]
            across = applied / (1.0 + self.series_ohms * self.siemens(part, x))
            speed = self._speed(part, across)
            return speed * self.state_window.factor(x, speed > 0.0)

        return rate
