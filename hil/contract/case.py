"""What every clause works with: a fresh substrate, moderate drives, and requirements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hil.arrays import Floats
from hil.substrate import Drive, Settled, Substrate

__all__ = ["MARGIN", "SIGMAS", "Case", "close", "refuses", "require"]

MARGIN = 100.0
"""Safety factor on the settling tolerance and on rounding: an error of a voltage is a residual
times the condition of the circuit."""
SIGMAS = 10.0
"""Safety factor on the stated rms noise, for differences of many noisy readings."""
BATCH = 4
"""Examples settled at once."""
CROSSINGS = 10.0
"""Nominal pulses in "absurdly many", in widths of the window."""


class Case:
    """A fresh substrate and moderate drives for it."""

    def __init__(self, substrate: Substrate, rng: np.random.Generator) -> None:
        self.substrate = substrate
        self.rng = rng
        self.spec = substrate.spec
        self.topology = substrate.spec.topology
        self.n_devices = self.topology.n_devices
        self.n_outputs = self.topology.outputs.size
        low, high = self.spec.window_siemens
        self.many_pulses = int(np.ceil(CROSSINGS * (high - low) / self.spec.pulse_siemens))
        through_volts = self.spec.noise_volts / self.spec.max_input_volts * high
        self.siemens_noise = SIGMAS * (through_volts + self.spec.read_siemens)

    def inputs(self, batch: int = BATCH) -> Floats:
        """Inputs up to half the limit, (batch, n_inputs)."""
        half = 0.5 * self.spec.max_input_volts
        return self.rng.uniform(-half, half, (batch, self.topology.inputs.size))

    def settle(
        self, inputs: Floats, nudge: Floats | None = None, near: Settled | None = None
    ) -> Settled:
        """Settle and require that every example did."""
        settled = self.substrate.settle(Drive(inputs, nudge), near)
        require(bool(np.all(settled.ok)), "an example at moderate drive did not settle")
        return settled

    def outputs(self, settled: Settled) -> Floats:
        """(batch, n_outputs) volts."""
        return settled.node_volts[:, self.topology.outputs]

    def volts_tolerance(self, *volts: Floats) -> float:
        """Largest difference of two readings of one state."""
        scale = max(float(np.max(np.abs(v))) for v in volts)
        return SIGMAS * self.spec.noise_volts + MARGIN * self.spec.settle_tolerance * scale

    def least_move(self, *states: Settled) -> float:
        """Change of an output, volts, that is more than noise and an unfinished settling.

        Without the safety factor: where settling is coarse, a nudge must still be seen.
        """
        scale = max(float(np.max(np.abs(self.outputs(state)))) for state in states)
        return SIGMAS * self.spec.noise_volts + self.spec.settle_tolerance * scale

    def siemens_tolerance(self, dtype: np.dtype[np.floating]) -> float:
        """Rounding and noise of a programmed conductance."""
        rounding = MARGIN * float(np.finfo(dtype).eps) * self.spec.window_siemens[1]
        return rounding + self.siemens_noise

    def same_volts(self, one: Floats, other: Floats, what: str) -> None:
        """Require equal voltages within what the spec states."""
        close(one, other, self.volts_tolerance(one, other), what, "V")

    def level(self, inputs: Floats) -> float:
        """A current, amps, that moves the first output by 10 to 50 % of the input limit."""
        base = self.outputs(self.settle(inputs[:1]))[0, 0]
        nudge = np.zeros((1, self.n_outputs))
        limit = self.spec.max_nudge_amps
        level = min(limit, self.spec.max_input_volts * self.spec.pulse_siemens)
        for _ in range(30):
            nudge[0, 0] = level
            moved = self.outputs(self.settle(inputs[:1], nudge))[0, 0]
            share = abs(float(moved - base)) / self.spec.max_input_volts
            if 0.1 <= share <= 0.5 or (share < 0.1 and level == limit):
                break
            level = min(4.0 * level, limit) if share < 0.1 else 0.25 * level
        return level

    def phases(self) -> tuple[list[Drive], list[Settled]]:
        """A free phase and two that are nudged in opposite ways, not equally far."""
        inputs = self.inputs()
        level = self.level(inputs)
        nudge = self.rng.uniform(-level, level, (len(inputs), self.n_outputs))
        drives = [Drive(inputs), Drive(inputs, nudge), Drive(inputs, -0.5 * nudge)]
        return drives, [self.settle(d.input_volts, d.nudge_amps) for d in drives]

    def spread(self, per_group: Sequence[float]) -> Floats:
        """One value a device, (n_devices,), from one a group."""
        sizes = [group.n_devices for group in self.topology.groups]
        return np.repeat(np.asarray(per_group, np.float64), sizes)

    def conductances(self, dtype: np.dtype[np.floating]) -> Floats:
        """Random ones in the middle eight tenths of the window, (n_devices,)."""
        low, high = self.spec.window_siemens
        edge = 0.1 * (high - low)
        return self.rng.uniform(low + edge, high - edge, self.n_devices).astype(dtype)


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with ``message`` unless ``condition``."""
    if not condition:
        raise AssertionError(message)


def close(one: Floats, other: Floats, allowed: float, what: str, unit: str) -> None:
    """Require that no two elements differ by more than ``allowed``."""
    gap = float(np.max(np.abs(one - other), initial=0.0))
    require(gap <= allowed, f"{what}: {gap:.3g} {unit} apart, {allowed:.3g} {unit} allowed")


def refuses(kind: type[Exception], what: str, act: Callable[[], object]) -> None:
    """Require that ``act`` raises ``kind``."""
    try:
        act()
    except kind:
        return
    except Exception as error:
        message = f"{what} raised {type(error).__name__}, not {kind.__name__}: {error}"
        raise AssertionError(message) from error
    raise AssertionError(f"{what} was accepted; expected {kind.__name__}")
