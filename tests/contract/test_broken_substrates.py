"""Substrates that are broken on purpose: proof that the contract check can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from hil.arrays import Floats, IntArray
from hil.contract import check_substrate
from hil.energy import ResistorEnergy, Term
from hil.errors import SafetyError
from hil.substrate import Comparisons, Drive, Settled, Substrate
from tests.contract.wrappers import Bare, Full, Terms

Build = Callable[..., Any]


class WrongShape(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        return Settled(settled.node_volts[:, :-1], settled.ok)


class OkIsNotBoolean(Full):
    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        return Settled(settled.node_volts, settled.ok.astype(np.int8))


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


class EachForgetsTheLast(Full):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        return super().settle_each(drives[:-1], near)


class EachInReverse(Full):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        return super().settle_each(drives, near)[::-1]


class EachTakesTheFirstInputs(Full):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        shared = [Drive(drives[0].input_volts, drive.nudge_amps) for drive in drives]
        return super().settle_each(shared, near)


class EachAddsUpNudges(Full):
    """The second of two drives still carries the current of the first."""

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        added, before = [], 0.0
        for drive in drives:
            if drive.nudge_amps is None:
                added.append(drive)
                continue
            added.append(Drive(drive.input_volts, drive.nudge_amps + before))
            before = drive.nudge_amps
        return super().settle_each(added, near)


class EachIntoOneBuffer(Full):
    buffer: Floats | None = None

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        states = super().settle_each(drives, near)
        if self.buffer is not None and len(states) == 2:
            self.buffer[:] = states[0].node_volts
            return [Settled(self.buffer, states[0].ok), states[1]]
        self.buffer = states[0].node_volts if len(states) == 2 else self.buffer
        return states


class EachUnchecked(Full):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        top = self.spec.max_input_volts
        shared = [Drive(d.input_volts.clip(-top, top), d.nudge_amps) for d in drives]
        return super().settle_each(shared, near)


class EachChecksAsItGoes(Full):
    """Refuses a wrong drive, but only after the ones before it have moved devices."""

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        try:
            return super().settle_each(drives, near)
        except SafetyError:
            self.inner.pulse(np.ones(self.spec.topology.n_devices, np.int32))
            raise


class EachAfterClose(Full):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        return self.inner.settle_each(drives, near)


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
    def descend(self, terms: Terms, rates: Sequence[float], **options: Any) -> None:
        super().descend(terms, [*rates[:-1], -rates[-1]], **options)


class SignOnlyIgnored(Full):
    def descend(self, terms: Terms, rates: Sequence[float], **options: Any) -> None:
        super().descend(terms, rates)


class DeadZoneIgnored(Full):
    def descend(self, terms: Terms, rates: Sequence[float], **options: Any) -> None:
        super().descend(terms, rates, sign_only=options.get("sign_only", False))


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

    def local_gradient_volts2(self, drop_volts: Floats) -> Floats:
        return self.energy.local_gradient_volts2(drop_volts)


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


class UnreadableBackwards(Bare):
    def _pulse(self, counts: IntArray) -> None:
        super()._pulse(-counts)


class UnreadableDeaf(Bare):
    def _pulse(self, counts: IntArray) -> None:
        pass


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
    (EachForgetsTheLast, "Settling each.*1 states of 2"),
    (EachInReverse, "two nudges, cold, state 0 of one exchange and on its own"),
    (EachTakesTheFirstInputs, "other inputs between, cold, state 1"),
    (EachAddsUpNudges, "two nudges, cold, state 1"),
    (EachIntoOneBuffer, "a later exchange changed a state"),
    (EachUnchecked, "an exchange with an input beyond the limit was accepted"),
    (EachChecksAsItGoes, "before and after an exchange with"),
    (EachAfterClose, "settle_each after close was accepted"),
    (PulsesBackwards, "Pulses move conductances in their direction.*pulses moved"),
    (PulsesDoNothing, "no effect"),
    (PulsesNeighbours, "Pulses move conductances in their direction"),
    (UnreadableBackwards, "the latter must not be larger"),
    (UnreadableDeaf, "changed the drop across none"),
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
