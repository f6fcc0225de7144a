"""Gradient and sign rules: what they ask of a substrate."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import ConfigurationError
from hil.rules import ComparisonRule, GradientRule, SignRule, per_group
from hil.scheduler import FreePhase
from tests.unit.recorders import (
    INPUTS,
    PULSE,
    RNG,
    SCHEDULER,
    TARGETS,
    Adjustable,
    Descending,
    Pulsed,
    gradient,
    learn,
    spread,
)

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


# --- one value a group --------------------------------------------------------------------


def test_per_group_values() -> None:
    assert per_group((0.5,), 3, "rates") == (0.5, 0.5, 0.5)
    assert per_group((0.5, 0.25), 2, "rates") == (0.5, 0.25)
    assert per_group((0.5,), 1, "rates") == (0.5,)
    for values, groups in (((1.0, 2.0), 3), ((1.0, 2.0), 1), ((), 2)):
        with pytest.raises(ConfigurationError, match="rates has"):
            per_group(values, groups, "rates")
