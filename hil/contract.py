"""What every substrate must do, as one reusable check.

:func:`check_substrate` puts any substrate (simulated, on a bench, calibrated, replaying)
through a list of clauses.  It uses only the public interface and what the spec states:
voltages are compared within the stated settling tolerance and noise, conductances within the
rounding of the type they are read in.  Abilities that a substrate does not have are not
asked for.  Kirchhoff's laws are left to checks that know the circuit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from hil.arrays import Floats, IntArray
from hil.energy import Term
from hil.errors import ClosedError, SafetyError, UsageError
from hil.substrate import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    Drive,
    LoadsConductance,
    ReadsConductance,
    Settled,
    Substrate,
)

__all__ = ["check_substrate"]

_MARGIN = 100.0
"""Safety factor on the settling tolerance and on rounding: an error of a voltage is a residual
times the condition of the circuit."""
_SIGMAS = 10.0
"""Safety factor on the stated rms noise, for differences of many noisy readings."""
_BATCH = 4
"""Examples settled at once."""
_CROSSINGS = 10.0
"""Nominal pulses in "absurdly many", in widths of the window."""


def check_substrate(
    factory: Callable[[], Substrate], rng: np.random.Generator | None = None
) -> None:
    """Check that what ``factory`` makes honours the substrate contract.

    Each clause gets a substrate of its own, which is closed before the next one is made.
    Devices are programmed to the ends of their window.  Inputs reach the stated limit, and
    nudges move an output by up to about half of that.

    Args:
        factory: makes a substrate; its start conductances must leave no node floating.
        rng: draws drives and programming; a fixed seed if omitted, so that a recording of
            one check answers the next.

    Raises:
        AssertionError: a clause is violated; the message names it.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    for clause in _CLAUSES:
        title = (clause.__doc__ or "").strip().rstrip(".")
        substrate = factory()
        try:
            try:
                clause(_Case(substrate, rng))
            finally:
                substrate.close()
        except AssertionError as error:
            raise AssertionError(f"clause {title!r}: {error}") from error
        except Exception as error:
            message = f"clause {title!r}: unexpected {type(error).__name__}: {error}"
            raise AssertionError(message) from error


class _Case:
    """A fresh substrate and moderate drives for it."""

    def __init__(self, substrate: Substrate, rng: np.random.Generator) -> None:
        self.substrate = substrate
        self.rng = rng
        self.spec = substrate.spec
        self.topology = substrate.spec.topology
        self.n_devices = self.topology.n_devices
        self.n_outputs = self.topology.outputs.size
        low, high = self.spec.window_siemens
        self.many_pulses = int(np.ceil(_CROSSINGS * (high - low) / self.spec.pulse_siemens))
        self.siemens_noise = _SIGMAS * self.spec.noise_volts / self.spec.max_input_volts * high

    def inputs(self, batch: int = _BATCH) -> Floats:
        """Inputs up to half the limit, (batch, n_inputs)."""
        half = 0.5 * self.spec.max_input_volts
        return self.rng.uniform(-half, half, (batch, self.topology.inputs.size))

    def settle(
        self, inputs: Floats, nudge: Floats | None = None, near: Settled | None = None
    ) -> Settled:
        """Settle and require that every example did."""
        settled = self.substrate.settle(Drive(inputs, nudge), near)
        _require(bool(np.all(settled.ok)), "an example at moderate drive did not settle")
        return settled

    def outputs(self, settled: Settled) -> Floats:
        """(batch, n_outputs) volts."""
        return settled.node_volts[:, self.topology.outputs]

    def volts_tolerance(self, *volts: Floats) -> float:
        """Largest difference of two readings of one state."""
        scale = max(float(np.max(np.abs(v))) for v in volts)
        return _SIGMAS * self.spec.noise_volts + _MARGIN * self.spec.settle_tolerance * scale

    def siemens_tolerance(self, dtype: np.dtype[np.floating]) -> float:
        """Rounding and noise of a programmed conductance."""
        rounding = _MARGIN * float(np.finfo(dtype).eps) * self.spec.window_siemens[1]
        return rounding + self.siemens_noise

    def same_volts(self, one: Floats, other: Floats, what: str) -> None:
        """Require equal voltages within what the spec states."""
        _close(one, other, self.volts_tolerance(one, other), what, "V")

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


def _require(condition: bool | np.bool_, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _close(one: Floats, other: Floats, allowed: float, what: str, unit: str) -> None:
    gap = float(np.max(np.abs(one - other), initial=0.0))
    _require(gap <= allowed, f"{what}: {gap:.3g} {unit} apart, {allowed:.3g} {unit} allowed")


def _refuses(kind: type[Exception], what: str, act: Callable[[], object]) -> None:
    """Require that ``act`` raises ``kind``."""
    try:
        act()
    except kind:
        return
    except Exception as error:
        message = f"{what} raised {type(error).__name__}, not {kind.__name__}: {error}"
        raise AssertionError(message) from error
    raise AssertionError(f"{what} was accepted; expected {kind.__name__}")


# --- the spec and settling ----------------------------------------------------------------


def _spec_is_consistent(case: _Case) -> None:
    """The spec is consistent."""
    spec, topology = case.spec, case.topology
    _require(isinstance(spec.kind, str) and spec.kind != "", "kind is empty")
    low, high = spec.window_siemens
    _require(0.0 <= low < high < np.inf, f"window {spec.window_siemens} is not 0 <= low < high")
    _require(0.0 < spec.max_input_volts < np.inf, "max_input_volts is not positive and finite")
    _require(spec.max_nudge_amps > 0.0, "max_nudge_amps is not positive")
    _require(0.0 < spec.pulse_siemens < np.inf, "pulse_siemens is not positive and finite")
    _require(0.0 < spec.settle_tolerance < 1.0, "settle_tolerance is not between 0 and 1")
    _require(0.0 <= spec.noise_volts < np.inf, "noise_volts is negative or not finite")
    roles = np.concatenate([topology.inputs, topology.outputs, topology.hidden])
    _require(
        np.array_equal(np.sort(roles), np.arange(topology.n_nodes)),
        "inputs, outputs and hidden nodes do not make up the nodes",
    )
    shape = (topology.n_devices,)
    _require(topology.tails.shape == shape, "topology.tails is not one node a device")
    _require(topology.heads.shape == shape, "topology.heads is not one node a device")
    zeros = np.zeros((1, topology.n_nodes))
    contrast = spec.energy.contrast([Term(1.0, zeros), Term(-1.0, zeros)])
    _require(contrast.shape == shape, f"energy.contrast has shape {contrast.shape}, not {shape}")


def _settle_returns_what_it_promises(case: _Case) -> None:
    """Settle returns the promised shapes and types, inputs at their nodes."""
    for dtype in (np.float32, np.float64):
        for batch in (1, 3):
            inputs: Floats = case.inputs(batch).astype(dtype)
            given = inputs.copy()
            settled = case.substrate.settle(Drive(inputs))
            shape = (batch, case.topology.n_nodes)
            volts, ok = settled.node_volts, settled.ok
            _require(volts.shape == shape, f"node_volts has shape {volts.shape}, not {shape}")
            _require(volts.dtype.char in "fd", f"node_volts is {volts.dtype}")
            _require(ok.shape == (batch,), f"ok has shape {ok.shape}, not {(batch,)}")
            _require(ok.dtype == np.bool_, f"ok is {ok.dtype}")
            _require(np.array_equal(inputs, given), "settle changed the drive it was given")
            _require(bool(ok.all()), "an example at half the input limit did not settle")
            case.same_volts(volts[:, case.topology.inputs], inputs, "input nodes off their drive")
    case.settle(np.full((1, case.topology.inputs.size), case.spec.max_input_volts))


def _settling_repeats(case: _Case) -> None:
    """Equal drives settle to equal states, and a held state stays as it was."""
    inputs = case.inputs()
    first = case.settle(inputs)
    held = first.node_volts.copy()
    case.settle(-inputs[::-1])
    _require(np.array_equal(first.node_volts, held), "a later settle changed an earlier state")
    case.same_volts(held, case.settle(inputs).node_volts, "the same drive settled twice")


def _companions_do_not_matter(case: _Case) -> None:
    """An example settles the same alone and in any batch."""
    inputs = case.inputs()
    level = case.level(inputs)
    nudge = case.rng.uniform(-level, level, (len(inputs), case.n_outputs))
    together = case.settle(inputs, nudge).node_volts
    for b in range(len(inputs)):
        alone = case.settle(inputs[b : b + 1], nudge[b : b + 1]).node_volts
        case.same_volts(together[b], alone[0], f"example {b} in a batch and alone")


def _near_does_not_matter(case: _Case) -> None:
    """A state believed to be near never changes the answer."""
    drives, (free, up, down) = case.phases()
    inputs, nudge = drives[1].input_volts, drives[1].nudge_amps
    failed = np.arange(len(inputs)) == 1
    nears = {
        "the free state": free,
        "an opposite state": down,
        "other examples": Settled(free.node_volts[::-1].copy(), free.ok),
        "zero": Settled(np.zeros_like(free.node_volts), free.ok),
        "a failed example": Settled(np.where(failed[:, None], np.nan, up.node_volts), ~failed),
    }
    for name, near in nears.items():
        kept = near.node_volts.copy()
        warm = case.settle(inputs, nudge, near).node_volts
        case.same_volts(up.node_volts, warm, f"started near {name} and cold")
        unchanged = np.array_equal(near.node_volts, kept, equal_nan=True)
        _require(unchanged, "settle changed the near state")


def _zero_nudge_is_free(case: _Case) -> None:
    """Zero nudge current is the free phase."""
    inputs = case.inputs()
    nudged = case.settle(inputs, np.zeros((len(inputs), case.n_outputs)))
    case.same_volts(case.settle(inputs).node_volts, nudged.node_volts, "free and zero nudge")


def _nudge_acts(case: _Case) -> None:
    """A nudge current moves its output in its own direction."""
    chosen = np.arange(min(case.n_outputs, 8))
    inputs = np.repeat(case.inputs(1), chosen.size, axis=0)
    level = case.level(inputs)
    unit = np.eye(case.n_outputs)[chosen]
    free = case.settle(inputs)
    for sign in (1.0, -1.0):
        nudged = case.settle(inputs, sign * level * unit)
        rise = sign * (case.outputs(nudged) - case.outputs(free))[chosen, chosen]
        least = case.volts_tolerance(free.node_volts, nudged.node_volts)
        k = int(rise.argmin())
        _require(
            rise[k] > least,
            f"{sign * level:.3g} A into output {k} moved it by {sign * rise[k]:.3g} V; "
            f"expected the sign of the current and more than {least:.3g} V",
        )


def _wrong_arrays_are_refused(case: _Case) -> None:
    """Wrong shapes and types are usage errors."""
    inputs = case.inputs()
    nudge = np.zeros((len(inputs), case.n_outputs))
    wrong: dict[str, tuple[Any, Any]] = {
        "an empty batch": (inputs[:0], None),
        "inputs with one axis": (inputs[0], None),
        "inputs with three axes": (inputs[None], None),
        "inputs without an axis": (np.array(0.0), None),
        "one input too many": (np.concatenate([inputs, inputs[:, :1]], axis=1), None),
        "one input too few": (inputs[:, 1:], None),
        "integer inputs": (np.zeros(inputs.shape, np.int64), None),
        "half-precision inputs": (np.zeros(inputs.shape, np.float16), None),
        "a nudge for one example less": (inputs, nudge[1:]),
        "a nudge with one axis": (inputs, nudge[0]),
        "one nudge too many": (inputs, np.concatenate([nudge, nudge[:, :1]], axis=1)),
        "an integer nudge": (inputs, nudge.astype(np.int64)),
    }
    for what, arrays in wrong.items():
        _refuses(UsageError, what, partial(case.substrate.settle, Drive(*arrays)))


def _limits_hold(case: _Case) -> None:
    """Levels that are too large or not finite are safety errors, and nothing is applied."""
    inputs = case.inputs()
    nudge = np.zeros((len(inputs), case.n_outputs))
    before = case.settle(inputs).node_volts
    limits = {"input": case.spec.max_input_volts, "nudge": case.spec.max_nudge_amps}
    for name, limit in limits.items():
        beyond = float(np.nextafter(limit, np.inf))
        for level in (np.nan, np.inf, -np.inf, beyond, -beyond):
            volts, amps = inputs.copy(), nudge.copy()
            (volts if name == "input" else amps)[1, -1] = level
            what = f"{name} level {level:.6g} beyond {limit:.6g}"
            _refuses(SafetyError, what, partial(case.substrate.settle, Drive(volts, amps)))
            after = case.settle(inputs).node_volts
            case.same_volts(before, after, f"before and after the refused {what}")


# --- programming --------------------------------------------------------------------------


def _wrong_pulses_are_refused(case: _Case) -> None:
    """Wrong pulse counts are usage errors and program nothing."""
    n, inputs = case.n_devices, case.inputs()
    before = case.settle(inputs).node_volts
    wrong: dict[str, Any] = {
        "a pulse count too many": np.ones(n + 1, np.int32),
        "a pulse count too few": np.ones(n - 1, np.int32),
        "pulse counts with two axes": np.ones((1, n), np.int32),
        "fractional pulse counts": np.ones(n),
        "boolean pulse counts": np.ones(n, np.bool_),
    }
    for what, counts in wrong.items():
        _refuses(UsageError, what, partial(case.substrate.pulse, counts))
    case.same_volts(before, case.settle(inputs).node_volts, "before and after refused pulses")


def _no_pulse_no_change(case: _Case) -> None:
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
        _close(one, other, case.siemens_noise, "conductances or counts around zero pulses", "")


def _pulses_go_their_way(case: _Case) -> None:
    """Pulses move conductances in their direction and never out of the window."""
    substrate = case.substrate
    if not isinstance(substrate, ReadsConductance):
        return
    n, slack = case.n_devices, case.siemens_noise
    start = substrate.read_conductance()
    _require(start.shape == (n,), f"read_conductance has shape {start.shape}, not {(n,)}")
    _require(start.dtype.char in "fd", f"read_conductance is {start.dtype}")
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
        worst = float(moved.min())
        _require(worst >= -slack, f"{count} pulses moved a conductance {-worst:.3g} S back")
        _close(after[counts == 0], before[counts == 0], slack, "a device that got no pulse", "S")
        _require(
            bool(np.all((after >= low - slack) & (after <= high + slack))),
            f"{count} pulses left the window {low:.6g}..{high:.6g} S: "
            f"{float(after.min()):.6g}..{float(after.max()):.6g} S",
        )
        means.append(float(after.mean()))
    _require(means[3] > means[4] + slack, "pulses have no effect on any conductance")


def _adjust_adds(case: _Case) -> None:
    """Adjust adds what is asked, confined to the window."""
    substrate = case.substrate
    if not isinstance(substrate, Adjusts) or not isinstance(substrate, ReadsConductance):
        return
    low, high = case.spec.window_siemens
    n = case.n_devices
    for reach in (0.1, 2.0):
        before = substrate.read_conductance()
        delta = case.rng.uniform(-reach, reach, n) * (high - low)
        substrate.adjust(delta.astype(before.dtype))
        allowed = case.siemens_tolerance(before.dtype)
        expected = np.clip(before + delta, low, high)
        _close(substrate.read_conductance(), expected, allowed, "adjusted and expected", "S")
    before = substrate.read_conductance()
    broken = np.where(np.arange(n) == n - 1, np.nan, 0.0)
    _refuses(UsageError, "one adjustment too many", partial(substrate.adjust, np.zeros(n + 1)))
    _refuses(UsageError, "a NaN adjustment", partial(substrate.adjust, broken))
    after = substrate.read_conductance()
    _close(before, after, case.siemens_noise, "around refused adjustments", "S")


def _loading_restores(case: _Case) -> None:
    """Loaded conductances read back exactly and settle as before."""
    substrate = case.substrate
    if not isinstance(substrate, LoadsConductance) or not isinstance(substrate, ReadsConductance):
        return
    inputs = case.inputs()
    given = case.conductances(substrate.read_conductance().dtype)
    kept = given.copy()
    substrate.load_conductance(given)
    noise = case.siemens_noise
    _close(substrate.read_conductance(), given, noise, "loaded and read", "S")
    before = case.settle(inputs).node_volts
    substrate.pulse(case.rng.integers(-3, 4, given.size))
    _require(np.array_equal(given, kept), "pulses changed the array that was loaded")
    substrate.load_conductance(given)
    after = case.settle(inputs).node_volts
    case.same_volts(before, after, "with the same conductances loaded twice")
    low, high = case.spec.window_siemens
    last = np.arange(given.size) == given.size - 1
    wrong = {
        "one conductance too many": np.append(given, given[:1]),
        "a conductance outside the window": np.where(last, 2.0 * high - low, given),
        "a NaN conductance": np.where(last, np.nan, given),
    }
    for what, load in wrong.items():
        _refuses(UsageError, what, partial(substrate.load_conductance, load.astype(given.dtype)))
    _close(substrate.read_conductance(), given, noise, "around refused loads", "S")


def _descend_is_adjust(case: _Case) -> None:
    """Descend adjusts by minus the rate times the contrast, or its sign."""
    substrate = case.substrate
    if not (
        isinstance(substrate, Descends)
        and isinstance(substrate, Adjusts)
        and isinstance(substrate, ReadsConductance)
        and isinstance(substrate, LoadsConductance)
    ):
        return
    _, (free, up, down) = case.phases()
    start = case.conductances(substrate.read_conductance().dtype)
    low, high = case.spec.window_siemens
    n_groups = len(case.topology.groups)
    steps = np.linspace(0.05, 0.1, n_groups) * (high - low)
    for combination in ([(0.5, up), (-0.5, down)], [(1.0, up), (-1.0, free)], [(1.0, up)]):
        terms = [Term(c, settled.node_volts) for c, settled in combination]
        contrast = case.spec.energy.contrast(terms)
        largest = [float(np.max(np.abs(contrast[part]))) for part in case.topology.slices]
        rounding = _MARGIN * float(np.finfo(contrast.dtype).eps) * case.spread(largest)
        median = float(np.median(np.abs(contrast)))
        for sign_only, dead_zone in ((False, 0.0), (True, 0.0), (True, median)):
            rates = [float(s if sign_only else s / m) for s, m in zip(steps, largest, strict=True)]
            steep = np.abs(contrast) > dead_zone
            wish = np.where(steep, np.sign(contrast), 0.0) if sign_only else contrast
            substrate.load_conductance(start)
            substrate.adjust((-case.spread(rates) * wish).astype(start.dtype))
            expected = substrate.read_conductance()
            substrate.load_conductance(start)
            substrate.descend(terms, rates, sign_only=sign_only, dead_zone=dead_zone)
            found = substrate.read_conductance()
            if sign_only:  # what rounding decides may be either way
                close = np.abs(np.abs(contrast) - dead_zone) <= rounding
                found = np.where(close, expected, found)
            what = f"descend(sign_only={sign_only}, dead_zone={dead_zone:.3g}) and adjust"
            _close(found, expected, case.siemens_tolerance(start.dtype), what, "S")
    _refuses(UsageError, "a rate too many", partial(substrate.descend, terms, [0.0, *rates]))


def _writes_are_counted(case: _Case) -> None:
    """Write counts rise by one exactly where programming changed a conductance."""
    substrate, n = case.substrate, case.n_devices
    if not isinstance(substrate, CountsWrites) or not isinstance(substrate, ReadsConductance):
        return
    start = substrate.write_counts()
    _require(start.shape == (n,), f"write_counts has shape {start.shape}, not {(n,)}")
    _require(start.dtype.kind in "iu", f"write_counts is {start.dtype}")
    _, states = case.phases()
    step = case.spec.pulse_siemens
    acts: dict[str, Callable[[], None]] = {
        "pulses": partial(substrate.pulse, case.rng.integers(-1, 2, n)),
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
        _require(np.all(rise >= 0), f"{name} lowered a write count")
        if case.spec.noise_volts == 0.0:  # else what changed cannot be read
            changed = substrate.read_conductance() != before
            if name == "pulses to the upper end":  # a call may count as one event or several
                rise = np.minimum(rise, 1)
            wrong = int(np.count_nonzero(rise != changed))
            _require(wrong == 0, f"{name} miscounted {wrong} of {n} devices")
    given = case.rng.integers(0, 1000, n)
    substrate.load_write_counts(given)
    _require(np.array_equal(substrate.write_counts(), given), "loaded write counts differ")


def _comparisons_match_held_drops(case: _Case) -> None:
    """Comparisons say what two settled states say, outside the tolerance."""
    substrate, topology = case.substrate, case.topology
    if not isinstance(substrate, ComparesDrops):
        return
    drives, states = case.phases()
    slack = 2.0 * case.volts_tolerance(*(s.node_volts for s in states))
    drops = [
        np.abs(s.node_volts[:, topology.tails] - s.node_volts[:, topology.heads]) for s in states
    ]

    def vote(rise: Floats, dead_zone: float) -> IntArray:
        more, less = rise > dead_zone, rise < -dead_zone
        return np.asarray(np.count_nonzero(more, axis=0) - np.count_nonzero(less, axis=0))

    for i, j in ((2, 1), (0, 1), (1, 1)):
        rise = drops[j] - drops[i]
        for dead_zone in (0.0, float(np.quantile(np.abs(rise), 0.6))):
            result = substrate.accumulate_comparisons(drives[i], drives[j], dead_zone, states[0])
            votes, ok = result.votes, result.ok
            _require(votes.shape == (case.n_devices,), f"votes have shape {votes.shape}")
            _require(votes.dtype.kind == "i", f"votes are {votes.dtype}")
            _require(ok.shape == (len(rise),) and bool(np.all(ok)), "not every example took part")
            least, most = vote(rise - slack, dead_zone), vote(rise + slack, dead_zone)
            wrong = int(np.count_nonzero((votes < least) | (votes > most)))
            _require(
                wrong == 0,
                f"{wrong} of {votes.size} devices voted other than their held drops "
                f"(dead zone {dead_zone:.3g} V)",
            )
    limit = np.full_like(drives[0].input_volts, np.nextafter(case.spec.max_input_volts, np.inf))
    for pair in ((Drive(limit), drives[1]), (drives[1], Drive(limit))):
        compare = partial(substrate.accumulate_comparisons, *pair, 0.0)
        _refuses(SafetyError, "comparing beyond the input limit", compare)


def _energy_is_local(case: _Case) -> None:
    """The energy's contrast is what each device's own drops say."""
    energy, topology = case.spec.energy, case.topology
    _, (free, up, down) = case.phases()
    volts = case.rng.normal(size=(3, 2, topology.n_nodes))
    combinations = {
        "two nudges": [Term(0.5, up.node_volts), Term(-0.5, down.node_volts)],
        "one nudge": [Term(3.0, up.node_volts), Term(-3.0, free.node_volts)],
        "one state": [Term(-2.0, free.node_volts)],
        "random voltages": [Term(c, v) for c, v in zip((1.0, -0.7, -0.3), volts, strict=True)],
        "unbalanced weights": [Term(c, v) for c, v in zip((1.0, 2.0, -0.5), volts, strict=True)],
    }
    weights = case.spread(getattr(energy, "weights", (1.0,) * len(topology.groups)))
    for name, terms in combinations.items():
        found = energy.contrast(terms)
        direct, scale = _half_squared_drops(case, terms)
        allowed = _MARGIN * float(np.finfo(found.dtype).eps) * scale
        what = f"contrast of {name} and the devices' own half squared drops"
        _close(found / weights, direct, allowed, what, "V^2")


def _half_squared_drops(case: _Case, terms: Sequence[Term]) -> tuple[Floats, float]:
    """``sum_k c_k sum_b dV^2 / 2`` device by device, and the scale of what is summed."""
    total, scale = np.zeros(case.n_devices), 0.0
    for term in terms:
        for volts in term.node_volts.astype(np.float64):
            drop = volts[case.topology.tails] - volts[case.topology.heads]
            total += term.coefficient * 0.5 * drop**2
            scale += abs(term.coefficient) * float(np.max(volts**2))
    return total, scale


# --- the end ------------------------------------------------------------------------------


def _can_be_made_safe_twice(case: _Case) -> None:
    """Making safe and closing may be repeated."""
    case.settle(case.inputs())
    case.substrate.make_safe()
    case.substrate.make_safe()
    case.substrate.close()
    case.substrate.make_safe()
    case.substrate.close()


def _closed_is_closed(case: _Case) -> None:
    """After close every method raises ClosedError."""
    substrate, n = case.substrate, case.n_devices
    drives, states = case.phases()
    terms = [Term(1.0, states[1].node_volts), Term(-1.0, states[2].node_volts)]
    rates = [0.0] * len(case.topology.groups)
    middle = np.full(n, 0.5 * sum(case.spec.window_siemens))
    substrate.close()
    acts: dict[str, Callable[[], object]] = {
        "settle": partial(substrate.settle, drives[0]),
        "pulse": partial(substrate.pulse, np.zeros(n, np.int32)),
    }
    if isinstance(substrate, Adjusts):
        acts["adjust"] = partial(substrate.adjust, np.zeros(n))
    if isinstance(substrate, Descends):
        acts["descend"] = partial(substrate.descend, terms, rates)
    if isinstance(substrate, LoadsConductance):
        acts["load_conductance"] = partial(substrate.load_conductance, middle)
    if isinstance(substrate, ReadsConductance):
        acts["read_conductance"] = substrate.read_conductance
    if isinstance(substrate, CountsWrites):
        acts["write_counts"] = substrate.write_counts
        acts["load_write_counts"] = partial(substrate.load_write_counts, np.zeros(n, np.int64))
    if isinstance(substrate, ComparesDrops):
        compare = partial(substrate.accumulate_comparisons, drives[2], drives[1], 0.0)
        acts["accumulate_comparisons"] = compare
    for name, act in acts.items():
        _refuses(ClosedError, f"{name} after close", act)


def _is_a_context_manager(case: _Case) -> None:
    """A substrate is a context manager that closes however it is left."""
    drive = Drive(case.inputs())
    try:
        with case.substrate as entered:
            _require(entered is case.substrate, "entering returned something else")
            raise _Left
    except _Left:
        pass
    else:
        raise AssertionError("leaving the context swallowed an exception")
    _refuses(ClosedError, "settle after leaving", partial(case.substrate.settle, drive))


class _Left(Exception):  # noqa: N818
    """Raised to leave a context early."""


_CLAUSES: tuple[Callable[[_Case], None], ...] = (
    _spec_is_consistent,
    _settle_returns_what_it_promises,
    _settling_repeats,
    _companions_do_not_matter,
    _near_does_not_matter,
    _zero_nudge_is_free,
    _nudge_acts,
    _wrong_arrays_are_refused,
    _limits_hold,
    _wrong_pulses_are_refused,
    _no_pulse_no_change,
    _pulses_go_their_way,
    _adjust_adds,
    _loading_restores,
    _descend_is_adjust,
    _writes_are_counted,
    _comparisons_match_held_drops,
    _energy_is_local,
    _can_be_made_safe_twice,
    _closed_is_closed,
    _is_a_context_manager,
)
