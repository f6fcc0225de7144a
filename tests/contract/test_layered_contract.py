"""The substrate contract on simulated layered networks, and proof that it can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
import pytest

from hil.arrays import Floats, IntArray
from hil.contract import check_substrate
from hil.energy import ResistorEnergy, Term
from hil.substrate import Comparisons, Drive, Settled, Substrate

Build = Callable[..., Any]

KINDS: dict[str, dict[str, Any]] = {
    "ideal_one_hidden": {"hidden": (6,)},
    "ideal_two_hidden_biased": {"hidden": (5, 4), "biased": (True, True, True)},
    "ideal_last_biased": {"hidden": (4,), "biased": (False, True)},
    "linear_no_hidden": {"hidden": (), "neurons": "linear"},
    "linear_one_hidden": {"hidden": (3,), "neurons": "linear", "n_signals": 1},
    "shockley_amplified": {"hidden": (5,), "neurons": "shockley_pairs", "gains": (4.0, 0.25)},
    "shockley_two_hidden_amplified": {
        "hidden": (4, 3),
        "neurons": "shockley_pairs",
        "gains": (4.0, 0.25),
        "biased": (True, False, True),
    },
    "many_outputs": {"hidden": (7,), "n_outputs": 66},
    "limited_nudge": {"hidden": (4,), "max_nudge_amps": 1e-4, "max_input_volts": 0.5},
    "more_threads_than_rows": {"hidden": (1, 2), "n_signals": 1, "n_outputs": 1, "threads": 4},
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_layered_substrates_honour_the_contract(build: Build, kind: str, precision: str) -> None:
    check_substrate(lambda: build(**KINDS[kind], precision=precision).substrate)


@pytest.mark.parametrize("seed", [1, 2])
def test_other_draws_honour_the_contract_too(build: Build, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check_substrate(lambda: build((5,), seed=int(rng.integers(1000))).substrate, rng)


def test_parallel_kernels_honour_the_contract(build: Build) -> None:
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    try:
        check_substrate(lambda: build((5,), threads=3).substrate)
    finally:
        numba.set_num_threads(before)


def test_equal_row_blocks_give_equal_bits(build: Build) -> None:
    """Whatever the number of threads that work on them."""
    results = []
    before = numba.get_num_threads()
    for threads in (1, 2):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            substrate = build((7, 5), n_signals=9, n_outputs=3, threads=2).substrate
            rng = np.random.default_rng(0)
            inputs = rng.uniform(-1.0, 1.0, (4, 9))
            nudge = rng.uniform(-1e-4, 1e-4, (4, 3))
            states = [substrate.settle(Drive(inputs, n)) for n in (nudge, -nudge)]
            terms = [Term(c, s.node_volts) for c, s in zip((1.0, -1.0), states, strict=True)]
            substrate.descend(terms, [1e-3, 1e-3, 1e-3])
            results.append([s.node_volts for s in states] + [substrate.read_conductance()])
        finally:
            numba.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


class Bare(Substrate):
    """Settles and pulses by handing on to another substrate; no further ability."""

    def __init__(self, inner: Any, **spec: Any) -> None:
        super().__init__(dataclasses.replace(inner.spec, **spec))
        self.inner = inner

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self.inner.settle(drive, near)

    def _pulse(self, counts: IntArray) -> None:
        self.inner.pulse(counts)

    def _make_safe(self) -> None:
        self.inner.make_safe()


class Full(Bare):
    """Hands on every ability."""

    def adjust(self, delta_siemens: Floats) -> None:
        self._check_open()
        self.inner.adjust(delta_siemens)

    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        self._check_open()
        self.inner.descend(terms, rates, sign_only=sign_only, dead_zone=dead_zone)

    def read_conductance(self) -> Floats:
        self._check_open()
        return self.inner.read_conductance()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        self._check_open()
        self.inner.load_conductance(conductance_siemens)

    def write_counts(self) -> IntArray:
        self._check_open()
        return self.inner.write_counts()

    def load_write_counts(self, counts: IntArray) -> None:
        self._check_open()
        self.inner.load_write_counts(counts)

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        self._check_open()
        return self.inner.accumulate_comparisons(first, second, dead_zone_volts, near)


class Noisy(Bare):
    """Held voltages carry noise."""

    rms_volts = 2e-4

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        noise = np.random.default_rng(5).normal(0.0, self.rms_volts, settled.node_volts.shape)
        noise *= np.where(self._flip(), 1.0, -1.0)
        return Settled(settled.node_volts + noise, settled.ok)

    def _flip(self) -> bool:
        self._calls = getattr(self, "_calls", 0) + 1
        return self._calls % 2 == 0


def test_a_wrapper_honours_the_contract(build: Build) -> None:
    check_substrate(lambda: Full(build((4, 3)).substrate))


def test_a_substrate_without_abilities_honours_the_contract(build: Build) -> None:
    check_substrate(lambda: Bare(build((4,)).substrate))


def test_stated_noise_is_allowed_and_understated_noise_is_not(build: Build) -> None:
    check_substrate(lambda: Noisy(build((4,)).substrate, noise_volts=Noisy.rms_volts))
    with pytest.raises(AssertionError, match="V apart"):
        check_substrate(lambda: Noisy(build((4,)).substrate, noise_volts=1e-3 * Noisy.rms_volts))


# --- substrates that are broken on purpose ------------------------------------------------


class WrongShape(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        return Settled(settled.node_volts[:, :-1], settled.ok)


class OkIsNotBoolean(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        return Settled(settled.node_volts, settled.ok.astype(np.int8))  # type: ignore[arg-type]


class InputsOff(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return super()._settle(Drive(1.001 * drive.input_volts, drive.nudge_amps), near)


class NeverSettles(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        return Settled(settled.node_volts, np.zeros_like(settled.ok))


class OneBuffer(Full):
    buffer: Floats | None = None

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        if self.buffer is None or self.buffer.shape != settled.node_volts.shape:
            self.buffer = settled.node_volts
        self.buffer[:] = settled.node_volts
        return Settled(self.buffer, settled.ok)


class CrossTalk(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        volts = settled.node_volts.copy()
        outputs = self.spec.topology.outputs
        volts[1:, outputs] += 1e-6 * volts[:-1, outputs]
        return Settled(volts, settled.ok)


class TrustsNear(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        if near is None:
            return settled
        volts = settled.node_volts + 1e-6 * (near.node_volts - settled.node_volts)
        return Settled(volts, settled.ok)


class ZeroNudgeLeaks(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        amps = drive.nudge_amps
        return super()._settle(
            Drive(drive.input_volts, None if amps is None else amps + 1e-7), near
        )


class NudgeDeaf(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return super()._settle(Drive(drive.input_volts), near)


class NudgeBackwards(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        amps = drive.nudge_amps
        return super()._settle(Drive(drive.input_volts, None if amps is None else -amps), near)


class NoLimits(Full):
    def _check_drive(self, drive: Drive) -> None:
        top = self.spec.max_input_volts
        volts = drive.input_volts
        super()._check_drive(Drive(np.minimum(volts, volts.dtype.type(top)), drive.nudge_amps))

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        top = self.spec.max_input_volts
        return super()._settle(Drive(drive.input_volts.clip(-top, top), drive.nudge_amps), near)


class ClipsNaN(Full):
    def _check_drive(self, drive: Drive) -> None:
        super()._check_drive(Drive(np.nan_to_num(drive.input_volts), drive.nudge_amps))

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return super()._settle(Drive(np.nan_to_num(drive.input_volts), drive.nudge_amps), near)


class AppliesBeforeChecking(Full):
    def _check_drive(self, drive: Drive) -> None:
        if drive.input_volts.ndim == 2 and np.isnan(drive.input_volts).any():
            self.inner.pulse(np.ones(self.spec.topology.n_devices, np.int32))
        super()._check_drive(drive)


class PulsesBackwards(Full):
    def _pulse(self, counts: IntArray) -> None:
        super()._pulse(-counts)


class PulsesDoNothing(Full):
    def _pulse(self, counts: IntArray) -> None:
        return


class PulsesNeighbours(Full):
    def _pulse(self, counts: IntArray) -> None:
        super()._pulse(np.roll(counts, 1))


class ZeroPulsesDisturb(Full):
    def _pulse(self, counts: IntArray) -> None:
        super()._pulse(counts + (not counts.any()))


class LeavesWindow(Full):
    def __init__(self, inner: Any) -> None:
        low, high = inner.spec.window_siemens
        super().__init__(inner, window_siemens=(low, 0.9 * high))


class AdjustsHalf(Full):
    def adjust(self, delta_siemens: Floats) -> None:
        super().adjust(0.5 * delta_siemens)


class LoadsRounded(Full):
    def load_conductance(self, conductance_siemens: Floats) -> None:
        super().load_conductance(conductance_siemens.astype(np.float32).astype(np.float64))


class AscendsTheLast(Full):
    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        super().descend(terms, [*rates[:-1], -rates[-1]], sign_only=sign_only, dead_zone=dead_zone)


class SignOnlyIgnored(Full):
    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        super().descend(terms, rates)


class DeadZoneIgnored(Full):
    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        super().descend(terms, rates, sign_only=sign_only)


class CountsEveryPulse(Full):
    """Counts devices that were pulsed although they were at the end of their window."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.extra = np.zeros(inner.spec.topology.n_devices, np.int64)

    def _pulse(self, counts: IntArray) -> None:
        before = self.inner.read_conductance()
        super()._pulse(counts)
        self.extra += (counts != 0) & (before == self.inner.read_conductance())

    def write_counts(self) -> IntArray:
        return super().write_counts() + self.extra


class MissesOneWrite(Full):
    def write_counts(self) -> IntArray:
        counts = super().write_counts()
        counts[-1] = 0
        return counts


class VotesBackwards(Full):
    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        return super().accumulate_comparisons(second, first, dead_zone_volts, near)


class NoDeadZone(Full):
    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        return super().accumulate_comparisons(first, second, 0.0, near)


class WholeDropEnergy(Bare):
    """An energy of dV^2 instead of half of it."""

    def __init__(self, inner: Any) -> None:
        energy = ResistorEnergy(inner.spec.topology, inner.spec.energy.weights)
        super().__init__(inner, energy=Doubled(energy))


@dataclasses.dataclass
class Doubled:
    energy: ResistorEnergy

    def contrast(self, terms: Sequence[Term]) -> Floats:
        return 2.0 * self.energy.contrast(terms)


class UsableAfterClose(Full):
    def _check_open(self) -> None:
        return


class ReadsAfterClose(Full):
    def read_conductance(self) -> Floats:
        return self.inner.read_conductance()


class Swallows(Full):
    def __exit__(self, *error: Any) -> Any:
        super().__exit__(*error)
        return True


class UnsafeTwice(Full):
    safe = False

    def _make_safe(self) -> None:
        if self.safe:
            raise RuntimeError("already safe")
        self.safe = True


class BadSpec(Full):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner, settle_tolerance=0.0)


BROKEN: list[tuple[Callable[[Any], Substrate], str]] = [
    (WrongShape, "promised shapes and types.*node_volts has shape"),
    (OkIsNotBoolean, "promised shapes and types.*ok is int8"),
    (InputsOff, "input nodes off their drive"),
    (NeverSettles, "did not settle"),
    (OneBuffer, "a later settle changed an earlier state"),
    (CrossTalk, "alone and in any batch"),
    (TrustsNear, "never changes the answer"),
    (ZeroNudgeLeaks, "Zero nudge current is the free phase"),
    (NudgeDeaf, "moves its output in its own direction"),
    (NudgeBackwards, "moves its output in its own direction"),
    (NoLimits, "input level .* was accepted"),
    (ClipsNaN, "input level nan beyond .* was accepted"),
    (AppliesBeforeChecking, "nothing is applied.*before and after the refused"),
    (PulsesBackwards, "Pulses move conductances in their direction.*pulses moved"),
    (PulsesDoNothing, "no effect"),
    (PulsesNeighbours, "Pulses move conductances in their direction"),
    (ZeroPulsesDisturb, "Zero pulses change nothing"),
    (LeavesWindow, "left the window"),
    (AdjustsHalf, "Adjust adds what is asked"),
    (LoadsRounded, "loaded and read"),
    (AscendsTheLast, "Descend adjusts by minus the rate"),
    (SignOnlyIgnored, r"Descend.*sign_only=True"),
    (DeadZoneIgnored, r"Descend.*sign_only=True, dead_zone=0[.][0-9]"),
    (CountsEveryPulse, "pulses at the upper end miscounted"),
    (MissesOneWrite, "miscounted"),
    (VotesBackwards, "voted other than their held drops"),
    (NoDeadZone, "voted other than their held drops"),
    (WholeDropEnergy, "contrast of"),
    (UsableAfterClose, "settle after close was accepted"),
    (ReadsAfterClose, "read_conductance after close was accepted"),
    (Swallows, "swallowed an exception"),
    (UnsafeTwice, "unexpected RuntimeError"),
    (BadSpec, "settle_tolerance is not"),
]


@pytest.mark.parametrize(
    ("broken", "clause"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_broken_substrates_are_caught(
    build: Build, broken: Callable[[Any], Substrate], clause: str
) -> None:
    with pytest.raises(AssertionError, match=clause):
        check_substrate(lambda: broken(build((4,)).substrate))
