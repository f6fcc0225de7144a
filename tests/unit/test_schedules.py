"""Step schedules by hand."""

from __future__ import annotations

import math

import pytest

from hil.schedules import Constant, Cosine, Exponential, Staircase


@pytest.mark.parametrize("epoch", [0.0, 0.5, 7.0, 10.0])
def test_constant(epoch: float) -> None:
    assert Constant().factor(epoch, 10) == 1.0


def test_exponential_decays_within_an_epoch_too() -> None:
    schedule = Exponential(0.81)
    assert schedule.factor(0.0, 10) == 1.0
    assert schedule.factor(0.5, 10) == pytest.approx(0.9, rel=1e-15)
    assert schedule.factor(2.0, 10) == pytest.approx(0.6561, rel=1e-15)
    assert schedule.factor(2.0, 100) == schedule.factor(2.0, 10)


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [(0.0, 1.0), (1.99, 1.0), (2.0, 0.1), (4.999, 0.1), (5.0, 0.01), (9.0, 0.01)],
)
def test_staircase_steps_when_a_milestone_is_reached(epoch: float, factor: float) -> None:
    assert Staircase(0.1, (2.0, 5.0)).factor(epoch, 10) == pytest.approx(factor, rel=1e-14)


def test_staircase_without_milestones_is_constant() -> None:
    assert Staircase(0.1, ()).factor(5.0, 10) == 1.0


def test_cosine_falls_from_one_to_its_floor() -> None:
    schedule = Cosine(0.2)
    assert schedule.factor(0.0, 8) == 1.0
    assert schedule.factor(4.0, 8) == pytest.approx(0.6, rel=1e-14)
    assert schedule.factor(2.0, 8) == pytest.approx(0.2 + 0.4 * (1 + math.sqrt(0.5)), rel=1e-14)
    assert schedule.factor(8.0, 8) == pytest.approx(0.2, rel=1e-14)


def test_cosine_stays_at_its_floor_afterwards() -> None:
    assert Cosine(0.2).factor(9.0, 8) == pytest.approx(0.2, rel=1e-14)
    assert Cosine(0.0).factor(0.0, 0) == 1.0
