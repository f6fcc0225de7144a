"""Update rules: what is programmed, and what is kept for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from hil.arrays import Floats, IntArray
from hil.costs import SquaredError
from hil.energy import ResistorEnergy, Term
from hil.errors import ConfigurationError
from hil.estimators import Centred
from hil.rules import ComparisonRule, GradientRule, SignRule, UpdateRule, per_group
from hil.scheduler import FreePhase, Scheduler
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Crossbar, Topology

PULSE = 1e-5
BETA = 1e-3


class Pulsed(Substrate):
    """Two groups of dividers from two inputs; it can settle and be pulsed, nothing else."""

    def __init__(self) -> None:
        inputs, first, second = np.array([0, 1]), np.array([2, 3]), np.array([4])
        topology = Topology(
            5, inputs, np.array([2, 3, 4]), (Crossbar(inputs, first), Crossbar(inputs, second))
        )
        super().__init__(
            SubstrateSpec(
                "pulsed",
                topology,
                ResistorEnergy(topology, (1.0, 1.0)),
                max_input_volts=10.0,
                max_nudge_amps=1.0,
                window_siemens=(1e-4, 3e-3),
                pulse_siemens=PULSE,
                settle_tolerance=1e-12,
            )
        )
        self.g = np.linspace(1e-3, 2e-3, 6)
        self.pulses: list[IntArray] = []

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        matrix = np.concatenate([self.g[:4].reshape(2, 2), self.g[4:].reshape(2, 1)], axis=1)
        push = drive.input_volts @ matrix
        if drive.nudge_amps is not None:
            push = push + drive.nudge_amps
        volts = np.concatenate([drive.input_volts, push / matrix.sum(axis=0)], axis=1)
        return Settled(volts, np.ones(len(volts), bool))

    def _pulse(self, counts: IntArray) -> None:
        self.pulses.append(counts.copy())
        low, high = self.spec.window_siemens
        self.g = np.clip(self.g + PULSE * counts, low, high)

    def _make_safe(self) -> None: ...


class Adjustable(Pulsed):
    """Can also be adjusted."""

    def __init__(self) -> None:
        super().__init__()
        self.adjustments: list[Floats] = []

    def adjust(self, delta_siemens: Floats) -> None:
        self.adjustments.append(delta_siemens.copy())


class Descending(Adjustable):
    """Can also descend."""

    def __init__(self) -> None:
        super().__init__()
        self.descents: list[tuple[Sequence[Term], list[float], bool]] = []

    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        self.descents.append((terms, list(rates), sign_only))


class Voting(Pulsed):
    """Hands out votes that the test chose."""

    def __init__(self, votes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.votes = iter(votes)
        self.asked: list[tuple[float, bool]] = []

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        self.asked.append((dead_zone_volts, first.nudge_amps is None))
        ok = np.array([True, False, True])
        return Comparisons(np.array(next(self.votes), np.int32), ok)


class AdjustableVoting(Voting):
    """Hands out votes and can be adjusted."""

    adjusted: Floats

    def adjust(self, delta_siemens: Floats) -> None:
        self.adjusted = delta_siemens.copy()


INPUTS = np.array([[0.5, -0.25], [0.1, 0.2], [-0.4, 0.3]])
TARGETS = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5], [1.0, 0.0, 0.0]])
SCHEDULER = Scheduler(SquaredError(), Centred(), BETA)
RNG = np.random.default_rng(0)


def learn(rule: UpdateRule, substrate: Substrate, factor: float = 1.0) -> np.ndarray:
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    return rule.learn(substrate, SCHEDULER, INPUTS, free, factor, RNG)


def gradient(substrate: Substrate) -> Floats:
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    terms, _ = SCHEDULER.terms(substrate, INPUTS, free, RNG)
    return substrate.spec.energy.contrast(terms)


def spread(values: tuple[float, float]) -> Floats:
    return np.repeat(values, (4, 2))


# --- gradient -----------------------------------------------------------------------------

RATES = (2e-7, 5e-7)


def test_gradient_rule_descends_where_it_can() -> None:
    substrate = Descending()
    ok = learn(GradientRule(RATES), substrate, factor=0.5)
    ((terms, rates, sign_only),) = substrate.descents
    np.testing.assert_allclose(rates, [1e-7, 2.5e-7])
    assert not sign_only
    np.testing.assert_allclose(substrate.spec.energy.contrast(terms), gradient(substrate))
    assert substrate.pulses == substrate.adjustments == []
    assert ok.all()


def test_gradient_rule_adjusts_where_it_cannot_descend() -> None:
    substrate = Adjustable()
    learn(GradientRule(RATES), substrate, factor=0.5)
    (delta,) = substrate.adjustments
    np.testing.assert_allclose(delta, -0.5 * spread(RATES) * gradient(substrate), rtol=1e-12)
    assert substrate.pulses == []


def test_gradient_rule_pulses_where_nothing_else_is_possible() -> None:
    substrate = Pulsed()
    wish = -spread((2e-6, 5e-6)) * gradient(substrate)
    assert (np.abs(wish) > 2 * PULSE).any()
    assert (wish > PULSE).any()
    assert (wish < -PULSE).any()
    learn(GradientRule((2e-6, 5e-6)), substrate)
    (counts,) = substrate.pulses
    assert counts.dtype.kind == "i"
    np.testing.assert_array_equal(counts, np.trunc(wish / PULSE))


@pytest.mark.parametrize("kind", [Pulsed, Adjustable, Descending])
def test_quantised_rules_always_pulse(kind: type[Pulsed]) -> None:
    substrate = kind()
    learn(GradientRule((2e-6, 5e-6), quantised=True), substrate)
    learn(SignRule((3e-5, 3e-5), quantised=True), substrate)
    assert len(substrate.pulses) == 2
    assert all(counts.any() for counts in substrate.pulses)
    assert not getattr(substrate, "adjustments", [])
    assert not getattr(substrate, "descents", [])


def test_the_remainder_of_quantised_steps_is_carried() -> None:
    substrate = Pulsed()
    rule = GradientRule((3e-7, 3e-7))
    wish = np.zeros(6)
    for _ in range(40):
        wish += -3e-7 * gradient(substrate)
        learn(rule, substrate)
        total = np.sum(substrate.pulses, axis=0)
        # What was pulsed never lags behind what was wished for by a whole pulse.
        np.testing.assert_array_less(np.abs(wish - PULSE * total), PULSE * (1 + 1e-9))
    assert (np.sum(np.abs(substrate.pulses), axis=0) >= 3).any()
    assert min(np.count_nonzero(counts) for counts in substrate.pulses) == 0


def test_a_resumed_rule_goes_on_where_it_stopped() -> None:
    straight, broken = Pulsed(), Pulsed()
    one, other = GradientRule((3e-7, 3e-7)), GradientRule((3e-7, 3e-7))
    assert one.memory() == {}
    for step in range(20):
        learn(one, straight)
        if step == 9:
            kept = {name: array.copy() for name, array in other.memory().items()}
            assert set(kept) == {"remainder"}
            other = GradientRule((3e-7, 3e-7))
            other.recall(kept)
        learn(other, broken)
    np.testing.assert_array_equal(straight.pulses, broken.pulses)
    other.recall({})
    assert other.memory() == {}


def test_zero_error_programs_nothing() -> None:
    substrate = Pulsed()
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    settled = FreePhase(free.settled, free.output_volts, 0 * free.nudge_volts)
    for rule in (GradientRule((1e3, 1e3)), SignRule((1e-3, 1e-3)), ComparisonRule((1e-3, 1e-3))):
        rule.learn(substrate, SCHEDULER, INPUTS, settled, 1.0, RNG)
    np.testing.assert_array_equal(substrate.pulses, np.zeros((3, 6)))


# --- sign ---------------------------------------------------------------------------------

STEPS = (1e-5, 4e-5)


def test_sign_rule_descends_where_it_can() -> None:
    substrate = Descending()
    learn(SignRule(STEPS), substrate, factor=2.0)
    ((terms, steps, sign_only),) = substrate.descents
    np.testing.assert_allclose(steps, [2e-5, 8e-5])
    assert sign_only
    np.testing.assert_allclose(substrate.spec.energy.contrast(terms), gradient(substrate))


def test_sign_rule_adjusts_by_its_step_against_the_gradient() -> None:
    substrate = Adjustable()
    learn(SignRule(STEPS), substrate, factor=2.0)
    (delta,) = substrate.adjustments
    sign = np.sign(gradient(substrate))
    assert set(sign) == {-1.0, 1.0}
    np.testing.assert_allclose(delta, -2.0 * spread(STEPS) * sign, rtol=1e-12)


def test_sign_rule_pulses_by_whole_steps() -> None:
    substrate = Pulsed()
    sign = np.sign(gradient(substrate))
    learn(SignRule((2.0 * PULSE, 5.0 * PULSE)), substrate)
    np.testing.assert_array_equal(substrate.pulses, [-spread((2, 5)) * sign])


def test_sign_steps_below_a_pulse_add_up() -> None:
    substrate = Pulsed()
    rule = SignRule((0.4 * PULSE, 0.0))
    for _ in range(5):
        sign = np.sign(gradient(substrate))
        learn(rule, substrate)
    # 0.4, 0.8, 1.2 -> 1, 0.6, 1.0 (or one rounding below it) -> 1
    total = np.sum(substrate.pulses, axis=0)
    np.testing.assert_array_equal(substrate.pulses[0], 0)
    np.testing.assert_array_equal(substrate.pulses[1], 0)
    np.testing.assert_array_equal(substrate.pulses[2], -spread((1, 0)) * sign)
    assert np.all(np.isin(total[:4] * -sign[:4], (1, 2)))


# --- comparison ---------------------------------------------------------------------------


def test_every_vote_counts_without_a_threshold() -> None:
    substrate = Voting([[1, -1, 0, 3, -2, 0]])
    ok = learn(ComparisonRule((2 * PULSE, 3 * PULSE)), substrate)
    # More than the threshold is one write.
    np.testing.assert_array_equal(substrate.pulses, [[-2, 2, 0, -2, 3, 0]])
    np.testing.assert_array_equal(ok, [True, False, True])


def test_counters_trigger_at_the_threshold_and_keep_less_than_it() -> None:
    substrate = Voting([[2, -2, 4, 1, 0, 7], [1, 0, 1, -2, 0, 0], [1, -1, 1, -2, 0, 0]])
    rule = ComparisonRule((PULSE, PULSE), threshold_votes=3)
    for _ in range(3):
        learn(rule, substrate)
    np.testing.assert_array_equal(
        substrate.pulses,
        [
            [0, 0, -1, 0, 0, -1],  # counters 2 -2 1 1 0 4, cut to 2
            [-1, 0, 0, 0, 0, 0],  # counters 0 -2 2 -1 0 2
            [0, 1, -1, 1, 0, 0],  # counters 1 0 0 0 0 2
        ],
    )
    np.testing.assert_array_equal(rule.memory()["counters"], [1, 0, 0, 0, 0, 2])


def test_comparison_memory_resumes() -> None:
    votes = [[2, -2, 4, 1, 0, 7]] * 6
    straight, broken = Voting(votes), Voting(votes)
    arguments: Any = ((0.7 * PULSE, PULSE), 3)
    one, other = ComparisonRule(*arguments), ComparisonRule(*arguments)
    for step in range(6):
        if step == 3:
            kept = {name: array.copy() for name, array in other.memory().items()}
            assert set(kept) == {"counters", "remainder"}
            other = ComparisonRule(*arguments)
            other.recall(kept)
        learn(one, straight)
        learn(other, broken)
    np.testing.assert_array_equal(straight.pulses, broken.pulses)


def test_comparison_adjusts_where_it_can_unless_quantised() -> None:
    votes = [[1, -1, 0, 1, -1, 0]]
    substrate = AdjustableVoting(votes)
    learn(ComparisonRule(STEPS), substrate, factor=0.5)
    np.testing.assert_allclose(
        substrate.adjusted, -0.5 * spread(STEPS) * votes[0], rtol=1e-12, atol=0
    )
    assert substrate.pulses == []
    substrate = AdjustableVoting(votes)
    learn(ComparisonRule((PULSE, PULSE), quantised=True), substrate)
    np.testing.assert_array_equal(substrate.pulses, -np.array(votes))


@pytest.mark.parametrize("against_free", [True, False])
def test_dead_zone_and_reference_reach_the_substrate(against_free: bool) -> None:
    substrate = Voting([[0] * 6])
    rule = ComparisonRule(STEPS, dead_zone_volts=3e-3, against_free=against_free)
    learn(rule, substrate)
    assert substrate.asked == [(3e-3, against_free)]


def test_comparison_works_from_held_drops_and_respects_the_dead_zone() -> None:
    substrate = Pulsed()
    free = SCHEDULER.free(substrate, INPUTS, TARGETS)
    votes = SCHEDULER.compare(substrate, INPUTS, free, 0.0, against_free=False).votes
    assert set(np.sign(votes)) >= {-1, 1}
    learn(ComparisonRule((PULSE, PULSE)), substrate)
    np.testing.assert_array_equal(substrate.pulses, [-np.sign(votes)])
    fresh = Pulsed()
    learn(ComparisonRule((PULSE, PULSE), dead_zone_volts=10.0), fresh)
    np.testing.assert_array_equal(fresh.pulses, np.zeros((1, 6)))


# --- on a simulated network ---------------------------------------------------------------

RULES: dict[str, Callable[[bool], UpdateRule]] = {
    "gradient": lambda q: GradientRule((3e-3, 3e-3), quantised=q),
    "sign": lambda q: SignRule((4e-4, 4e-4), quantised=q),
    "comparison": lambda q: ComparisonRule((4e-4, 4e-4), quantised=q),
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("quantised", [True, False])
@pytest.mark.parametrize("name", RULES)
def test_windows_hold_and_writes_are_counted(
    build: Callable[..., Any], name: str, quantised: bool, precision: str
) -> None:
    substrate = build((4,), n_signals=3, n_outputs=2, precision=precision).substrate
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (5, 3)).astype(precision)
    targets = rng.uniform(-1, 1, (5, 2)).astype(precision)
    rule = RULES[name](quantised)
    low, high = (np.dtype(precision).type(g) for g in substrate.spec.window_siemens)
    at_an_end = False
    expected = np.zeros(substrate.spec.topology.n_devices, int)
    for _ in range(12):
        free = SCHEDULER.free(substrate, inputs, targets)
        before = substrate.read_conductance()
        rule.learn(substrate, SCHEDULER, inputs, free, 1.0, rng)
        after = substrate.read_conductance()
        expected += after != before
        assert after.min() >= low
        assert after.max() <= high
        at_an_end |= bool(((after == low) | (after == high)).any())
    assert at_an_end
    np.testing.assert_array_equal(substrate.write_counts(), expected)
    assert 0 < expected.min()
    assert expected.min() < expected.max()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_lowers_the_cost(build: Callable[..., Any], name: str) -> None:
    substrate = build((6,), n_signals=4, n_outputs=2, seed=4).substrate
    rng = np.random.default_rng(1)
    inputs = rng.uniform(-1, 1, (4, 4))
    targets = np.array([[0.1, 0.0], [0.0, 0.1], [0.1, 0.0], [0.0, 0.1]])
    scheduler = Scheduler(SquaredError(), Centred(), 1e-5)
    rule: UpdateRule = {
        "gradient": GradientRule((1e-5, 1e-5)),
        "sign": SignRule((1e-5, 1e-5)),
        "comparison": ComparisonRule((1e-5, 1e-5)),
    }[name]
    costs = []
    for step in range(30):
        free = scheduler.free(substrate, inputs, targets)
        costs.append(float(scheduler.cost.value(free.output_volts, targets).sum()))
        rule.learn(substrate, scheduler, inputs, free, 0.95**step, rng)
    assert costs[-1] < 0.8 * costs[0]


@pytest.mark.parametrize("name", RULES)
def test_a_failed_batch_programs_nothing(build: Callable[..., Any], name: str) -> None:
    # One Newton step is never enough.
    substrate = build((3,), max_iterations=1).substrate
    inputs, targets = INPUTS[:, [0, 1, 0]], TARGETS[:, :2]
    start = substrate.read_conductance()
    free = SCHEDULER.free(substrate, inputs, targets)
    assert not free.settled.ok.any()
    RULES[name](False).learn(substrate, SCHEDULER, inputs, free, 1.0, RNG)
    np.testing.assert_array_equal(substrate.read_conductance(), start)
    np.testing.assert_array_equal(substrate.write_counts(), 0)


# --- one value a group --------------------------------------------------------------------


def test_per_group_values() -> None:
    assert per_group((0.5,), 3, "rates") == (0.5, 0.5, 0.5)
    assert per_group((0.5, 0.25), 2, "rates") == (0.5, 0.25)
    assert per_group((0.5,), 1, "rates") == (0.5,)
    for values, groups in (((1.0, 2.0), 3), ((1.0, 2.0), 1), ((), 2)):
        with pytest.raises(ConfigurationError, match="rates has"):
            per_group(values, groups, "rates")
