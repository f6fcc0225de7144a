"""Phases: what is driven, in which order, with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hil.arrays import Floats
from hil.costs import Cost, PairedSquaredError, SquaredError
from hil.energy import ResistorEnergy
from hil.estimators import Centred, Estimator, FourPoint, OneSided, RandomSign
from hil.scheduler import Scheduler, output_volts
from hil.substrate import Drive, Settled, SubstrateSpec
from hil.topology import Edges, Topology
from tests.unit.dividers import BETA, INPUTS, TARGETS, Recorder


class FixedCoin:
    """Stands in for a generator whose next uniform number is known."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


HEADS: Any = FixedCoin(0.2)
TAILS: Any = FixedCoin(0.8)


def run(
    estimator: Estimator,
    rng: Any = HEADS,
    substrate: Recorder | None = None,
    cost: Cost | None = None,
    dtype: type = np.float64,
) -> tuple[Recorder, Any, Any, Any]:
    substrate = substrate or Recorder()
    scheduler = Scheduler(cost or SquaredError(), estimator, BETA)
    inputs, targets = INPUTS.astype(dtype), TARGETS.astype(dtype)
    free = scheduler.free(substrate, inputs, targets)
    terms, ok = scheduler.terms(substrate, inputs, free, rng)
    return substrate, free, terms, ok


SEQUENCES = [
    (OneSided(), HEADS, [1.0], [1.0, -1.0]),
    (RandomSign(), HEADS, [1.0], [1.0, -1.0]),
    (RandomSign(), TAILS, [-1.0], [-1.0, 1.0]),
    (Centred(), TAILS, [1.0, -1.0], [0.5, -0.5]),
    (Centred(alternate=True), TAILS, [1.0, -1.0], [0.5, -0.5]),
    (Centred(alternate=True), HEADS, [-1.0, 1.0], [-0.5, 0.5]),
    (FourPoint(), TAILS, [1.0, -1.0, 2.0, -2.0], [8 / 12, -8 / 12, -1 / 12, 1 / 12]),
]


@pytest.mark.parametrize(("estimator", "rng", "multiples", "weights"), SEQUENCES)
def test_drives_and_weights(
    estimator: Estimator, rng: Any, multiples: list[float], weights: list[float]
) -> None:
    substrate, free, terms, ok = run(estimator, rng)
    assert substrate.drives[0].nudge_amps is None
    error = output_volts(substrate, substrate.states[0]) - TARGETS
    np.testing.assert_array_equal(free.nudge_volts, -error)
    assert len(substrate.drives) == 1 + len(multiples)
    for drive, multiple in zip(substrate.drives[1:], multiples, strict=True):
        np.testing.assert_array_equal(drive.input_volts, INPUTS)
        assert drive.nudge_amps is not None
        np.testing.assert_allclose(drive.nudge_amps, -multiple * BETA * error, rtol=1e-14)
    np.testing.assert_allclose(
        [term.coefficient for term in terms], np.array(weights) / (BETA * 3), rtol=1e-14
    )
    assert ok.all()
    free_volts = substrate.states[0].node_volts
    states = [s.node_volts for s in substrate.states[1:]]
    if isinstance(estimator, OneSided | RandomSign):
        states.append(free_volts)
    for term, state in zip(terms, states, strict=True):
        np.testing.assert_array_equal(term.node_volts, state)


def test_an_estimators_weights_are_exact_for_polynomials() -> None:
    # sum w_k f(m_k beta) / beta is f'(0) up to the order each formula promises.
    rng = np.random.default_rng(0)
    for estimator, order in ((OneSided(), 1), (Centred(), 2), (FourPoint(), 4)):
        stencil = estimator.stencil(rng)
        for power in range(order + 1):
            total = sum(weight * multiple**power for multiple, weight in stencil)
            assert total == pytest.approx(1.0 if power == 1 else 0.0, abs=1e-15)
        total = sum(weight * multiple ** (order + 1) for multiple, weight in stencil)
        assert abs(total) > 0.5


def test_random_sign_draws_both_signs_equally_often() -> None:
    rng = np.random.default_rng(3)
    signs = [RandomSign().stencil(rng)[0][0] for _ in range(400)]
    assert set(signs) == {1.0, -1.0}
    assert abs(sum(signs)) < 5 * 20


def test_alternation_draws_both_orders() -> None:
    rng = np.random.default_rng(3)
    firsts = {Centred(alternate=True).stencil(rng)[0][0] for _ in range(30)}
    assert firsts == {1.0, -1.0}
    assert {Centred().stencil(rng)[0][0] for _ in range(30)} == {1.0}


def test_the_nudge_is_frozen_at_the_free_state() -> None:
    substrate, _, _, _ = run(FourPoint())
    nudges = [d.nudge_amps for d in substrate.drives[1:]]
    for nudge, multiple in zip(nudges, [1.0, -1.0, 2.0, -2.0], strict=True):
        np.testing.assert_array_equal(nudge, multiple * nudges[0])
    # Outputs did move in between, so a nudge that followed them would differ.
    moved = substrate.states[1].node_volts - substrate.states[0].node_volts
    assert np.abs(moved).max() > 1e-2


def test_phases_start_near_the_free_state_then_near_its_mirror() -> None:
    substrate, free, _, _ = run(FourPoint())
    assert substrate.nears[0] is None
    expected = [
        free.settled.node_volts,
        2 * free.settled.node_volts - substrate.states[1].node_volts,
        free.settled.node_volts,
        2 * free.settled.node_volts - substrate.states[3].node_volts,
    ]
    for near, volts in zip(substrate.nears[1:], expected, strict=True):
        assert near is not None
        np.testing.assert_allclose(near.node_volts, volts, rtol=1e-14)


class Exchanging(Recorder):
    """Settles several drives in one exchange; keeps how many at a time, and near what."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.exchanges: list[int] = []
        self.starts: list[Settled | None] = []

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        self.exchanges.append(len(drives))
        self.starts.append(near)
        return [self.settle(drive) for drive in drives]


@pytest.mark.parametrize("estimator", [OneSided(), RandomSign(), Centred(), FourPoint()])
@pytest.mark.parametrize("fails", [{}, {0: [1]}, {1: [0]}])
def test_one_exchange_has_all_nudged_phases(
    estimator: Estimator, fails: dict[int, list[int]]
) -> None:
    one, free, terms, ok = run(estimator, substrate=Exchanging(fails=fails))
    other, _, expected, other_ok = run(estimator, substrate=Recorder(fails=fails))
    assert isinstance(one, Exchanging)
    assert one.exchanges == [len(other.drives) - 1]
    assert one.starts == [free.settled]
    for here, there in zip(one.drives, other.drives, strict=True):
        np.testing.assert_array_equal(here.input_volts, there.input_volts)
        assert (here.nudge_amps is None) == (there.nudge_amps is None)
        if here.nudge_amps is not None and there.nudge_amps is not None:
            np.testing.assert_array_equal(here.nudge_amps, there.nudge_amps)
    np.testing.assert_array_equal(ok, other_ok)
    for term, wanted in zip(terms, expected, strict=True):
        assert term.coefficient == wanted.coefficient
        np.testing.assert_array_equal(term.node_volts, wanted.node_volts)


def test_paired_nudge_currents_by_hand() -> None:
    """Eq. (4.16): I+ = beta (Y + Y- - Y+), I- = beta (Y+ - Y- - Y)."""
    substrate = Recorder(1, 2)
    substrate.conductance[:] = 1e-3
    scheduler = Scheduler(PairedSquaredError(), Centred(), 2e-3)
    # Both outputs of a divider with one input sit at the bent input voltage; tell them apart
    # by a target alone: Y+ - Y- = 0 and Y = 1.
    inputs, targets = np.array([[0.5]]), np.array([[1.0]])
    free = scheduler.free(substrate, inputs, targets)
    scheduler.terms(substrate, inputs, free, HEADS)
    np.testing.assert_allclose(substrate.drives[1].nudge_amps, [[2e-3, -2e-3]], rtol=1e-15)
    np.testing.assert_allclose(substrate.drives[2].nudge_amps, [[-2e-3, 2e-3]], rtol=1e-15)
    cost = PairedSquaredError().value(free.output_volts, targets)
    assert cost == pytest.approx([0.5])
    # Y+ = 0.3 V, Y- = 0.1 V, Y = 1 V: 2 mS x 0.8 V = 1.6 mA.
    error = PairedSquaredError().gradient(np.array([[0.3, 0.1]]), targets)
    np.testing.assert_allclose(-2e-3 * error, [[1.6e-3, -1.6e-3]], rtol=1e-15)


@pytest.mark.parametrize("estimator", [OneSided(), Centred(), FourPoint()])
def test_types_follow_the_inputs(estimator: Estimator) -> None:
    substrate, _, terms, _ = run(estimator, dtype=np.float32)
    for drive in substrate.drives[1:]:
        assert drive.nudge_amps is not None
        assert drive.nudge_amps.dtype == np.float32
    assert all(near.node_volts.dtype == np.float32 for near in substrate.nears if near)
    assert all(term.node_volts.dtype == np.float32 for term in terms)


# --- failed examples ----------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [OneSided(), RandomSign(), Centred(), FourPoint()])
@pytest.mark.parametrize("phase", [0, 1])
def test_a_failed_example_contributes_nothing(estimator: Estimator, phase: int) -> None:
    substrate, free, terms, ok = run(estimator, substrate=Recorder(fails={phase: [1]}))
    np.testing.assert_array_equal(ok, [True, False, True])
    contrast = substrate.spec.energy.contrast(terms)
    assert np.isfinite(contrast).all()
    # The same batch without the failed example has the same mean gradient.
    other = Recorder()
    scheduler = Scheduler(SquaredError(), estimator, BETA)
    rest = np.array([0, 2])
    kept = scheduler.free(other, INPUTS[rest], TARGETS[rest])
    fewer, _ = scheduler.terms(other, INPUTS[rest], kept, HEADS)
    np.testing.assert_allclose(contrast, other.spec.energy.contrast(fewer), rtol=1e-12)
    if phase == 0:
        np.testing.assert_array_equal(free.nudge_volts[1], 0.0)
        for drive in substrate.drives[1:]:
            assert drive.nudge_amps is not None
            np.testing.assert_array_equal(drive.nudge_amps[1], 0.0)


def test_examples_failing_in_different_phases_are_all_left_out() -> None:
    _, _, terms, ok = run(Centred(), substrate=Recorder(fails={0: [0], 2: [2]}))
    np.testing.assert_array_equal(ok, [False, True, False])
    for term in terms:
        np.testing.assert_array_equal(term.node_volts[[0, 2]], 0.0)
        assert abs(term.coefficient) == pytest.approx(0.5 / BETA)


def test_held_states_are_not_changed_by_leaving_examples_out() -> None:
    _, free, _, _ = run(OneSided(), substrate=Recorder(fails={1: [1]}))
    assert np.abs(free.settled.node_volts[1]).max() > 0


def test_a_batch_that_failed_altogether_has_no_gradient() -> None:
    substrate, _, terms, ok = run(Centred(), substrate=Recorder(fails={1: [0, 1, 2]}))
    assert not ok.any()
    np.testing.assert_array_equal(substrate.spec.energy.contrast(terms), 0.0)


# --- comparisons --------------------------------------------------------------------------


def test_outputs_need_not_be_consecutive() -> None:
    topology = Topology(
        5, np.array([0]), np.array([4, 1, 3]), (Edges(np.array([0, 0]), np.array([1, 2])),)
    )

    class Still(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.spec = SubstrateSpec(
                "still", topology, ResistorEnergy(topology, (1.0,)), 1, 1, (0, 1), 1, 1e-9
            )

    volts: Floats = np.arange(10.0).reshape(2, 5)
    settled = Settled(volts, np.ones(2, bool))
    np.testing.assert_array_equal(output_volts(Still(), settled), [[4, 1, 3], [9, 6, 8]])
    np.testing.assert_array_equal(output_volts(Recorder(3, 2), settled), [[3.0, 4.0], [8.0, 9.0]])
