"""Write-verify and noisy readings that are broken on purpose: proof that their clauses can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.bench.verify import write_verify
from hil.arrays import Floats, IntArray
from hil.contract import check_substrate
from hil.errors import ProgramError, UsageError
from hil.substrate import Substrate
from tests.contract.wrappers import Full

Build = Callable[..., Any]


class Programs(Full):
    """Write-verify by the pulses and readings of the substrate inside."""

    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        self._check_open()
        return self.checked(target_siemens, tolerance_siemens)

    def checked(self, target: Floats, tolerance: float) -> Floats:
        if np.isnan(tolerance) or target.shape != (self.n_devices,):
            raise UsageError("wrong")
        return self.verified(target, tolerance)

    @property
    def n_devices(self) -> int:
        return self.spec.topology.n_devices

    def verified(self, target: Floats, tolerance: float) -> Floats:
        window, step = self.spec.window_siemens, self.spec.pulse_siemens
        pulse = self.inner.pulse
        return write_verify(self.read, pulse, target, window, step, tolerance, most_rounds=60)

    def read(self, devices: IntArray) -> Floats:
        return self.read_conductance()[devices]


class ReadsNoisily(Programs):
    """Readings with an rms error of half a pulse; the spec says nothing of it."""

    stated = 0.0

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, read_siemens=self.stated * inner.spec.pulse_siemens)
        self.rng = np.random.default_rng(5)

    def read_conductance(self) -> Floats:
        exact = super().read_conductance()
        return exact + 0.5 * self.spec.pulse_siemens * self.rng.standard_normal(exact.size)


class StatesItsNoise(ReadsNoisily):
    stated = 0.5


class NegativeReadNoise(ReadsNoisily):
    stated = -0.5


class CountsNothing(StatesItsNoise):
    def write_counts(self) -> IntArray:
        return np.zeros(self.n_devices, np.int64)

    def load_write_counts(self, counts: IntArray) -> None:
        return


class CountsNeighbours(StatesItsNoise):
    def write_counts(self) -> IntArray:
        counts = super().write_counts()
        return counts + np.roll(counts, 1)


class StaysWhereItIs(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        return target.copy()


class StopsHalfWay(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        return super().verified(0.5 * (target + self.read_conductance()), tolerance)


class ForgetsTheLast(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        wanted = target.copy()
        wanted[-1] = self.read_conductance()[-1]
        return np.append(super().verified(wanted, tolerance)[:-1], target[-1])


class ToleratesMore(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        return super().verified(target, 4.0 * tolerance)


class TellsTargets(Programs):
    """As near as asked, but what it returns was never read."""

    def verified(self, target: Floats, tolerance: float) -> Floats:
        super().verified(target, tolerance)
        return target.copy()


class TellsTooFew(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        return super().verified(target, tolerance)[:-1]


class DisturbsAfterwards(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        found = super().verified(target, tolerance)
        self.inner.pulse(np.ones(self.n_devices, np.int64))
        return found


class WritesIntoTargets(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        target[:] = super().verified(target, tolerance)
        return target


class PulsesThoseThatAreThere(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        self.inner.pulse(np.ones(self.n_devices, np.int64))
        return super().verified(target, tolerance)


class GivesUp(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        devices = np.arange(self.n_devices)
        readings = self.read_conductance()
        raise ProgramError("too far", devices=devices, readings=readings, target=target)


class GivesUpOnAll(GivesUp):
    """Pulses that go astray are no excuse for bringing no device to its target."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, pulse_spread=0.5)


class BroadcastsTargets(Programs):
    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        target = np.ravel(target_siemens)
        if target.size == 1:
            target = np.repeat(target, self.n_devices)
        return super().program_conductance(target, tolerance_siemens)


class ClipsTargets(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        return super().verified(target.clip(*self.spec.window_siemens), tolerance)


class SkipsNaN(Programs):
    def verified(self, target: Floats, tolerance: float) -> Floats:
        where = np.isnan(target)
        return super().verified(np.where(where, self.read_conductance(), target), tolerance)


class AnyTolerance(Programs):
    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        tolerance = np.nan_to_num(tolerance_siemens, nan=np.inf)
        return super().program_conductance(target_siemens, float(tolerance))


class ProgramsBeforeChecking(Programs):
    """Refuses, but after the first device was programmed."""

    def verified(self, target: Floats, tolerance: float) -> Floats:
        try:
            return super().verified(target, tolerance)
        except UsageError:
            self.inner.pulse((np.arange(self.n_devices) == 0).astype(np.int64))
            raise


class ProgramsAfterClose(Programs):
    def program_conductance(self, target_siemens: Floats, tolerance_siemens: float) -> Floats:
        return self.checked(target_siemens, tolerance_siemens)

    def read(self, devices: IntArray) -> Floats:
        return self.inner.read_conductance()[devices]


BROKEN: list[tuple[Callable[[Any], Substrate], str]] = [
    (ReadsNoisily, "conductances or counts around zero pulses"),
    (NegativeReadNoise, "read_siemens is negative"),
    (CountsNothing, "miscounted"),
    (CountsNeighbours, "a device that got no pulse was counted"),
    (StaysWhereItIs, "read after programming and returned"),
    (StopsHalfWay, "returned by programming and asked"),
    (ForgetsTheLast, "read after programming and returned"),
    (ToleratesMore, "returned by programming and asked"),
    (TellsTargets, "read after programming and returned"),
    (TellsTooFew, "programming returned shape"),
    (DisturbsAfterwards, "read after programming and returned"),
    (WritesIntoTargets, "changed the array of its targets"),
    (PulsesThoseThatAreThere, "devices were there and pulsed"),
    (GivesUp, "unexpected ProgramError: too far"),
    (GivesUpOnAll, "programming brought no device to its target"),
    (BroadcastsTargets, "a single target was accepted"),
    (ClipsTargets, "a target above the window was accepted"),
    (SkipsNaN, "a NaN target was accepted"),
    (AnyTolerance, "a NaN tolerance was accepted"),
    (ProgramsBeforeChecking, "around refused targets|before and after refused targets"),
    (ProgramsAfterClose, "program_conductance after close was accepted"),
]


@pytest.mark.parametrize("honest", [Programs, StatesItsNoise])
def test_write_verify_honours_the_contract(build: Build, honest: Callable[[Any], Any]) -> None:
    check_substrate(lambda: honest(build((4,)).substrate))


@pytest.mark.parametrize(
    ("broken", "clause"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_broken_programming_is_caught(
    build: Build, broken: Callable[[Any], Substrate], clause: str
) -> None:
    with pytest.raises(AssertionError, match=clause):
        check_substrate(lambda: broken(build((4,)).substrate))
