"""Clauses on programming pulses and on how writes are counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from hil.arrays import BoolArray, Floats, IntArray
from hil.contract.case import SIGMAS, Case, close, refuses, require
from hil.energy import Term
from hil.errors import UsageError
from hil.substrate import Adjusts, CountsWrites, Descends, ReadsConductance

__all__ = ["CLAUSES"]

_TRIED = 32
"""Devices that are pulsed one by one until one shows it."""


def _wrong_pulses_are_refused(case: Case) -> None:
    """Wrong pulse counts are usage errors and program nothing."""
    n, inputs = case.n_devices, case.inputs()
    before = case.settle(inputs).node_volts
    wrong: dict[str, Any] = {
        "a pulse count too many": np.ones(n + 1, np.int32),
        "a pulse count too few": np.ones(n - 1, np.int32),
        "pulse counts with two axes": np.ones((1, n), np.int32),
        "fractional pulse counts": np.ones(n),
        "a list of pulse counts": [1] * n,
        "boolean pulse counts": np.ones(n, np.bool_),
    }
    for what, counts in wrong.items():
        refuses(UsageError, what, partial(case.substrate.pulse, counts))
    case.same_volts(before, case.settle(inputs).node_volts, "before and after refused pulses")


def _no_pulse_no_change(case: Case) -> None:
    """Zero pulses change nothing."""
    substrate, inputs = case.substrate, case.inputs()

    def tell() -> list[Floats]:
        known: list[Floats] = []
        if isinstance(substrate, ReadsConductance):
            known.append(substrate.read_conductance())
        if isinstance(substrate, CountsWrites):
            known.append(substrate.write_counts().astype(np.float64))
        return known

    volts, known = case.settle(inputs).node_volts, tell()
    for dtype in (np.int8, np.int32, np.int64, np.uint8):
        substrate.pulse(np.zeros(case.n_devices, dtype))
    case.same_volts(volts, case.settle(inputs).node_volts, "before and after zero pulses")
    for one, other in zip(known, tell(), strict=True):
        close(one, other, case.siemens_noise, "conductances or counts around zero pulses", "")


def _pulses_go_their_way(case: Case) -> None:
    """Pulses move conductances in their direction and never out of the window.

    Where pulses are spread, those that many devices get do so on average, and what other devices
    get is within the spread.
    """
    substrate = case.substrate
    if not isinstance(substrate, ReadsConductance):
        return
    n, slack = case.n_devices, case.siemens_noise
    spread = case.spec.pulse_spread
    require(0.0 <= spread < np.inf, f"pulse_spread is {spread}, negative or not finite")
    astray = SIGMAS * spread * case.spec.pulse_siemens
    start = substrate.read_conductance()
    require(start.shape == (n,), f"read_conductance has shape {start.shape}, not {(n,)}")
    require(start.dtype.char in "fd", f"read_conductance is {start.dtype}")
    low, high = (start.dtype.type(g) for g in case.spec.window_siemens)
    means = []
    for count in (1, -1, case.many_pulses, case.many_pulses, -case.many_pulses, 1):
        counts = np.full(n, count)
        if abs(count) == 1:
            counts[case.rng.random(n) < 0.5] = 0
        before = substrate.read_conductance()
        substrate.pulse(counts)
        after = substrate.read_conductance()
        moved = np.sign(count) * (after - before)
        if astray > 0.0:
            mean, allowed = float(moved.mean()), slack + astray / n**0.5
            require(mean >= -allowed, f"{count} pulses moved the mean {-mean:.3g} S back")
        else:
            worst = float(moved.min())
            require(worst >= -slack, f"{count} pulses moved a conductance {-worst:.3g} S back")
        others = counts == 0
        what = "a device that got no pulse"
        close(after[others], before[others], slack + astray, what, "S")
        require(
            bool(np.all((after >= low - slack) & (after <= high + slack))),
            f"{count} pulses left the window {low:.6g}..{high:.6g} S: "
            f"{float(after.min()):.6g}..{float(after.max()):.6g} S",
        )
        means.append(float(after.mean()))
    require(means[3] > means[4] + slack, "pulses have no effect on any conductance")


def _pulses_can_be_seen(case: Case) -> None:
    """Pulses that raise a conductance lower the drop across it.

    What needs no reading: the absolute drop across a device of a passive network falls as its own
    conductance rises, because the rest of the network is a source with an inner resistance.  That
    resistance can be zero, at a node that a diode holds; so one device that shows it is enough.
    """
    topology, limit = case.topology, case.spec.max_input_volts
    drives, _ = case.phases()

    def drops() -> Floats:
        volts = case.settle(drives[1].input_volts, drives[1].nudge_amps).node_volts
        across: Floats = np.abs(volts[:, topology.tails] - volts[:, topology.heads])
        return np.asarray(across.sum(axis=0))

    held = np.isin(topology.tails, topology.inputs) & np.isin(topology.heads, topology.inputs)
    start = np.where(held, 0.0, drops())
    least = 4 * (SIGMAS * case.spec.noise_volts + case.spec.settle_tolerance * limit)
    tried = [int(d) for d in np.argsort(-start)[:_TRIED] if start[d] > 0.01 * limit]
    for device in tried:
        counts = np.zeros(case.n_devices, np.int64)
        seen = []
        for count in (-case.many_pulses, case.many_pulses):
            counts[device] = count
            case.substrate.pulse(counts)
            seen.append(float(drops()[device]))
        require(
            seen[1] <= seen[0] + least,
            f"with device {device} at its lowest and its highest conductance the drops across it "
            f"sum to {seen[0]:.4g} V and {seen[1]:.4g} V; the latter must not be larger",
        )
        if seen[1] < seen[0] - least:
            return
    require(not tried, f"pulses on {len(tried)} devices changed the drop across none of them")


def _writes_are_counted(case: Case) -> None:
    """Write counts rise by one exactly where programming changed a conductance.

    Where pulses are spread, disturbances change conductances, too; they are no writes.  Where
    readings are noisy, changes that stand out are counted.
    """
    substrate, n = case.substrate, case.n_devices
    if not isinstance(substrate, CountsWrites) or not isinstance(substrate, ReadsConductance):
        return
    start = substrate.write_counts()
    require(start.shape == (n,), f"write_counts has shape {start.shape}, not {(n,)}")
    require(start.dtype.kind in "iu", f"write_counts is {start.dtype}")
    _, states = case.phases()
    step = case.spec.pulse_siemens
    signs = case.rng.integers(-1, 2, n)
    acts: dict[str, Callable[[], None]] = {
        "pulses": partial(substrate.pulse, signs),
        "pulses to the upper end": partial(substrate.pulse, np.full(n, case.many_pulses)),
        "pulses at the upper end": partial(substrate.pulse, np.ones(n, np.int32)),
    }
    if isinstance(substrate, Adjusts):
        delta = step * case.rng.integers(-2, 3, n).astype(np.float64)
        acts["adjust"] = partial(substrate.adjust, delta)
    if isinstance(substrate, Descends):
        terms = [Term(1.0, states[1].node_volts), Term(-1.0, states[2].node_volts)]
        rates = [step] * len(case.topology.groups)
        acts["descend"] = partial(substrate.descend, terms, rates, sign_only=True)
    for name, act in acts.items():
        counts, before = substrate.write_counts(), substrate.read_conductance()
        act()
        rise = substrate.write_counts().astype(np.int64) - counts.astype(np.int64)
        require(np.all(rise >= 0), f"{name} lowered a write count")
        if name == "pulses to the upper end":  # a call may count as one event or several
            rise = np.minimum(rise, 1)
        moved = np.abs(substrate.read_conductance() - before)
        wrong = int(np.count_nonzero(_miscounted(case, rise, moved)))
        require(wrong == 0, f"{name} miscounted {wrong} of {n} devices")
        if name == "pulses":
            require(not np.any(rise[signs == 0]), "a device that got no pulse was counted")
    given = case.rng.integers(0, 1000, n)
    substrate.load_write_counts(given)
    require(np.array_equal(substrate.write_counts(), given), "loaded write counts differ")


def _miscounted(case: Case, rise: IntArray, moved: Floats) -> BoolArray:
    """(n_devices,) whether a count rose without a change, or did not in spite of one."""
    slack = 0.0 if case.siemens_noise == 0.0 else case.siemens_tolerance(moved.dtype)
    missed = (rise == 0) & (moved > slack)
    if case.spec.pulse_spread > 0.0:
        missed[:] = False  # may be a disturbance
    idle = (rise > (moved > 0.0)) if slack == 0.0 else np.zeros_like(missed)
    return np.asarray(missed | idle)


CLAUSES = (
    _wrong_pulses_are_refused,
    _no_pulse_no_change,
    _pulses_go_their_way,
    _pulses_can_be_seen,
    _writes_are_counted,
)
"""In the order in which they are checked."""
