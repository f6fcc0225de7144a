"""Clauses on programming devices to given conductances, by pulses and readings in turn."""

from __future__ import annotations

from functools import partial

import numpy as np

from hil.arrays import BoolArray, Floats
from hil.contract.case import SIGMAS, Case, close, refuses, require
from hil.errors import ProgramError, UsageError
from hil.substrate import CountsWrites, ProgramsConductance, ReadsConductance

__all__ = ["CLAUSES"]


def _programming_arrives(case: Case) -> None:
    """Programmed conductances are as near as asked, and those that are there get no pulse.

    Where pulses are spread, devices that cannot be brought there are named, and those that were
    may be disturbed by pulses for others.
    """
    substrate, spec = case.substrate, case.spec
    if not isinstance(substrate, ProgramsConductance):
        return
    astray = spec.pulse_spread * spec.pulse_siemens
    asked = spec.pulse_siemens + astray + case.siemens_noise
    for _ in range(2):
        target = case.conductances(np.dtype(np.float64))
        kept = target.copy()
        found, arrived = _programmed(case, substrate, target, asked)
        require(np.array_equal(target, kept), "programming changed the array of its targets")
        allowed = asked + case.siemens_tolerance(found.dtype)
        close(found[arrived], kept[arrived], allowed, "returned by programming and asked", "S")
        if isinstance(substrate, ReadsConductance):
            fresh = substrate.read_conductance()
            slack = case.siemens_tolerance(found.dtype) + SIGMAS * astray
            what = "read after programming and "
            close(fresh[arrived], found[arrived], slack, what + "returned", "S")
            close(fresh[arrived], kept[arrived], asked + slack, what + "asked", "S")
    if astray == 0.0 and isinstance(substrate, CountsWrites):
        counts = substrate.write_counts()
        _programmed(case, substrate, kept, 2.0 * asked)
        require(np.array_equal(substrate.write_counts(), counts), "devices were there and pulsed")


def _programmed(
    case: Case, substrate: ProgramsConductance, target: Floats, tolerance: float
) -> tuple[Floats, BoolArray]:
    """(n_devices,) siemens returned, and which devices are said to have arrived."""
    arrived = np.ones(case.n_devices, np.bool_)
    try:
        found = substrate.program_conductance(target, tolerance)
    except ProgramError as error:
        if case.spec.pulse_spread == 0.0:
            raise
        found = error.evidence["readings"]
        arrived[error.evidence["devices"]] = False
        require(bool(arrived.any()), "programming brought no device to its target")
    require(found.shape == target.shape, f"programming returned shape {found.shape}")
    require(found.dtype.char in "fd", f"programming returned {found.dtype}")
    return found, arrived


def _wrong_targets_are_refused(case: Case) -> None:
    """Wrong targets of programming are usage errors and program nothing."""
    substrate = case.substrate
    if not isinstance(substrate, ProgramsConductance):
        return
    inputs = case.inputs()

    def tell() -> list[tuple[Floats, float]]:
        """What can be known of the devices, and how well."""
        known: list[tuple[Floats, float]] = []
        if isinstance(substrate, ReadsConductance):
            known.append((substrate.read_conductance(), case.siemens_noise))
        if isinstance(substrate, CountsWrites):
            known.append((substrate.write_counts().astype(np.float64), 0.0))
        return known

    volts, known = case.settle(inputs).node_volts, tell()
    low, high = case.spec.window_siemens
    good = case.conductances(np.dtype(np.float64))
    last = np.arange(good.size) == good.size - 1
    wrong = {
        "one target too many": np.append(good, good[:1]),
        "one target too few": good[1:],
        "a single target": good[:1],
        "targets with two axes": good[None],
        "a target above the window": np.where(last, 2.0 * high - low, good),
        "a target below the window": np.where(last, 2.0 * low - high, good),
        "a NaN target": np.where(last, np.nan, good),
    }
    step = case.spec.pulse_siemens
    for what, target in wrong.items():
        refuses(UsageError, what, partial(substrate.program_conductance, target, step))
    refuses(UsageError, "a NaN tolerance", partial(substrate.program_conductance, good, np.nan))
    case.same_volts(volts, case.settle(inputs).node_volts, "before and after refused targets")
    for (one, allowed), (other, _) in zip(known, tell(), strict=True):
        close(one, other, allowed, "conductances or counts around refused targets", "")


CLAUSES = (
    _programming_arrives,
    _wrong_targets_are_refused,
)
"""In the order in which they are checked."""
