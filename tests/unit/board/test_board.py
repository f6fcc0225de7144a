"""A board as a whole: off, repeated, resumed, kept, and with the abilities of its network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.costs import SquaredError
from hil.energy import Term
from hil.errors import ConfigurationError, UsageError
from hil.estimators import Centred
from hil.rules import ComparisonRule, GradientRule
from hil.scheduler import Scheduler
from hil.substrate import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    Drive,
    KeepsState,
    LoadsConductance,
    ReadsConductance,
    SettlesEach,
)
from sim_backend.board.abilities import board_around
from sim_backend.board.adapter import BoardSubstrate
from sim_backend.board.config import BoardConfig
from sim_backend.drawing import DrawsCircuit
from sim_backend.memristors.interface import as_arrays, from_arrays
from sim_backend.nodal.elements import CurrentSource, VoltageSource
from tests.contract.wrappers import Bare
from tests.unit.board.rig import N_OUTPUTS, Linear, Rig, inputs

Build = Callable[..., Any]

FULL: dict[str, Any] = {
    "dac": {"bits": 12, "range_volts": 1.0, "gain_spread": 1e-3, "offset_volts": 1e-3,
            "inl_lsb": 1.0, "noise_volts": 1e-4},
    "nudge": {"bits": 12, "range_amps": 1e-2, "gain_spread": 1e-2, "offset_amps": 1e-7,
              "inl_lsb": 1.0, "noise_amps": 1e-8},
    "timing": {"wait_seconds": 3e-5, "acquisition_seconds": 1e-5, "read_seconds": 1e-4},
    "settling": {"node_farads": 1e-9},
    "hold": {"banks": 2, "tau_seconds": 2e-6, "step_volts": 5e-4, "step_spread_volts": 1e-4,
             "droop_volts_per_second": 8e-3, "droop_spread_volts_per_second": 8e-3,
             "offset_volts": 1e-3, "gain_spread": 1e-4, "noise_volts": 1e-4},
    "adc": {"bits": 12, "range_volts": 2.0, "gain_spread": 1e-3, "offset_volts": 2e-3,
            "inl_lsb": 1.0, "noise_volts": 2e-4, "conversion_seconds": 1e-6, "shared": False},
    "comparator": {"offset_volts": 2e-4, "noise_volts": 1e-4, "hysteresis_volts": 1e-4},
    "supply": {"lower_volts": -3.0, "upper_volts": 3.0},
}  # fmt: skip


def around(build: Build, board: dict[str, Any], seed: int = 3, **network: Any) -> Any:
    inner = build((5,), max_nudge_amps=1.0, max_input_volts=1.5, **network).substrate
    config = BoardConfig.model_validate(board)
    drawn = config.draw(inner.spec.topology, np.random.default_rng(seed))
    return board_around(inner, config, drawn, np.random.default_rng(seed + 1))


def learn(substrate: Any, steps: int, seed: int = 0) -> list[np.ndarray]:
    """Some steps of both kinds of rules, and everything read on the way."""
    scheduler = Scheduler(SquaredError(), Centred(), 1e-3)
    rng = np.random.default_rng(seed)
    rules = (GradientRule((1e-4,) * 2), ComparisonRule((1e-6,) * 2))
    found = []
    for _ in range(steps):
        volts, targets = rng.uniform(-0.5, 0.5, (4, 3)), rng.uniform(-0.1, 0.1, (4, 2))
        for rule in rules:
            free = scheduler.free(substrate, volts, targets)
            rule.learn(substrate, scheduler, volts, free, 1.0, rng)
            found.append(free.settled.node_volts.copy())
        found.append(substrate.read_conductance())
    return found


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("board", [{}, {"timing": FULL["timing"], "adc": {"shared": False}}])
def test_a_board_that_is_off_changes_no_bit(
    build: Build, precision: str, board: dict[str, Any]
) -> None:
    plain = build((5,), max_nudge_amps=1.0, max_input_volts=1.5, precision=precision).substrate
    off = around(build, board, precision=precision)
    for one, other in zip(learn(plain, 3), learn(off, 3), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    fields = {f.name for f in dataclasses.fields(plain.spec)} - {"topology", "energy"}
    for name in fields:
        assert getattr(plain.spec, name) == getattr(off.spec, name)


def test_a_seed_decides_everything_that_is_read(build: Build) -> None:
    one, same, other = (learn(around(build, FULL, seed), 3) for seed in (3, 3, 5))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(one, other, strict=True))


def test_what_is_learned_is_off_by_the_errors_only(build: Build) -> None:
    """Nothing is lost on the way: small errors give nearly the states of the ideal board."""
    ideal = learn(build((5,), max_nudge_amps=1.0, max_input_volts=1.5).substrate, 1)
    for a, b in zip(ideal, learn(around(build, FULL), 1), strict=True):
        assert np.abs(a - b).max() < 0.03


def test_a_run_resumes_bit_for_bit(build: Build) -> None:
    whole = around(build, FULL)
    learn(whole, 2)
    state, conductance = whole.state_arrays(), whole.read_conductance()
    resumed = around(build, FULL, seed=3)
    learn(resumed, 1, seed=9)
    resumed.load_conductance(conductance)
    resumed.load_state({name: values.copy() for name, values in state.items()})
    for a, b in zip(learn(whole, 2, seed=1), learn(resumed, 2, seed=1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert {name.partition("/")[0] for name in state} == {"board"}
    learn(whole, 1)
    later = whole.state_arrays()
    assert all(np.any(state[name] != later[name]) for name in state)


def test_outcomes_of_comparators_are_part_of_the_state() -> None:
    boards = [Rig(comparator={"hysteresis_volts": 1.0}).board for _ in range(2)]
    volts = np.full((1, 2), 2.0)
    strong = boards[0].accumulate_comparisons(Drive(0.01 * volts), Drive(volts), 0.0).votes
    weak = (Drive(volts), Drive(0.99 * volts))
    assert not boards[1].accumulate_comparisons(*weak, 0.0).votes.any()
    boards[1].load_state(boards[0].state_arrays())
    kept = boards[1].accumulate_comparisons(*weak, 0.0).votes
    assert strong.any()
    np.testing.assert_array_equal(kept, strong)


def test_sums_of_conductances_are_part_of_the_state() -> None:
    """So that resuming reads nothing that was not read before."""
    charging = {"settling": FULL["settling"], "timing": FULL["timing"]}
    one, other = Rig(**charging), Rig(**charging)
    found = one.read(inputs())
    other.board.load_state(one.board.state_arrays())
    np.testing.assert_array_equal(other.read(inputs()), found)
    assert other.inner.reads == 0


def test_whatever_programs_changes_how_nodes_charge(build: Build) -> None:
    charging = {"settling": {"node_farads": 1e-7}, "timing": FULL["timing"]}
    volts, nudge = np.full((2, 3), 0.1), np.full((2, 2), 1e-5)

    def descend(board: Any) -> None:
        states = board.settle_each([Drive(volts, nudge), Drive(volts, -nudge)])
        terms = [Term(c, s.node_volts) for c, s in zip((1.0, -1.0), states, strict=True)]
        board.descend(terms, [10.0, 10.0])

    def load(board: Any) -> None:
        board.load_conductance(np.full(25, 5e-4))

    for program in (descend, load):
        board, fresh = around(build, charging), around(build, charging)
        before = board.settle(Drive(volts)).node_volts
        program(board)
        after = board.settle(Drive(volts)).node_volts
        fresh.load_conductance(board.read_conductance())
        np.testing.assert_allclose(after, fresh.settle(Drive(volts)).node_volts, rtol=1e-12)
        assert np.abs(after - before).max() > 1e-6


def test_a_state_that_does_not_fit_is_refused_whole(build: Build) -> None:
    board = around(build, FULL)
    learn(board, 1)
    state = board.state_arrays()
    other = around(build, FULL)
    before = other.state_arrays()
    generator = state["board/generator"]
    wrong = [
        {k: v for k, v in state.items() if k != "board/held_volts"},
        {k: v for k, v in state.items() if k != "board/generator"},
        state | {"board/outcomes": state["board/outcomes"][1:]},
        state | {"board/node_siemens": np.zeros(1)},
        state | {"board/generator": generator[:-1]},
        state | {"board/generator": np.zeros(0, np.uint8)},
        state | {"board/generator": generator.astype(float)},
        state | {"board/generator": np.frombuffer(b"[1, 2]", np.uint8)},
    ]
    for arrays in wrong:
        with pytest.raises(UsageError):
            other.load_state(arrays)
        for name, values in before.items():
            np.testing.assert_array_equal(other.state_arrays()[name], values)
    other.load_state(state)


def test_other_generators_are_kept_too() -> None:
    for kind in (np.random.Philox, np.random.SFC64, np.random.MT19937):
        config = BoardConfig.model_validate({"adc": {"noise_volts": 1e-3}})
        boards = []
        for _ in range(2):
            inner = Linear()
            drawn = config.draw(inner.spec.topology, np.random.default_rng(0))
            boards.append(board_around(inner, config, drawn, np.random.Generator(kind(4))))
        boards[0].settle(Drive(inputs()))
        boards[1].load_state(boards[0].state_arrays())
        found = [board.settle(Drive(inputs())).node_volts for board in boards]
        np.testing.assert_array_equal(*found)


def test_the_state_of_the_network_inside_is_kept_along() -> None:
    class Drifting(Linear):
        def state_arrays(self) -> dict[str, np.ndarray]:
            return {"time_seconds": np.array(len(self.drives))}

        def load_state(self, arrays: Any) -> None:
            if set(arrays) != {"time_seconds"}:
                raise UsageError("not mine")
            self.drives = [Drive(inputs())] * int(arrays["time_seconds"])

    config = BoardConfig.model_validate({"adc": {"noise_volts": 1e-3}})
    boards = []
    for _ in range(2):
        inner = Drifting()
        drawn = config.draw(inner.spec.topology, np.random.default_rng(0))
        boards.append(board_around(inner, config, drawn, np.random.default_rng(1)))
    for _ in range(3):
        boards[0].settle(Drive(inputs()))
    state = boards[0].state_arrays()
    assert set(state) == {"time_seconds", "board/generator"}
    boards[1].load_state(state)
    assert isinstance(boards[1].inner, Drifting)
    assert len(boards[1].inner.drives) == 3
    kept = boards[1].state_arrays()["board/generator"]
    boards[0].settle(Drive(inputs()))
    spoilt = boards[0].state_arrays() | {"more": np.zeros(1)}
    with pytest.raises(UsageError, match="not mine"):
        boards[1].load_state(spoilt)
    np.testing.assert_array_equal(boards[1].state_arrays()["board/generator"], kept)


def test_what_was_drawn_is_kept_as_arrays_and_taken_back() -> None:
    config = BoardConfig.model_validate(FULL)
    graph = Linear().spec.topology
    drawn = config.draw(graph, np.random.default_rng(0))
    other = config.draw(graph, np.random.default_rng(1))
    taken = from_arrays(other, as_arrays(drawn))
    for name, values in as_arrays(drawn).items():
        np.testing.assert_array_equal(getattr(taken, name), values)
        assert np.any(getattr(other, name) != values)


def test_a_setting_changes_only_what_it_is_about() -> None:
    graph = Linear().spec.topology
    full = as_arrays(BoardConfig.model_validate(FULL).draw(graph, np.random.default_rng(0)))
    without = FULL | {"hold": FULL["hold"] | {"gain_spread": 0.0}}
    less = as_arrays(BoardConfig.model_validate(without).draw(graph, np.random.default_rng(0)))
    changed = [name for name in full if np.any(full[name] != less[name])]
    assert changed == ["hold_gain"]
    np.testing.assert_array_equal(less["hold_gain"], 1.0)


def test_constants_of_another_network_are_refused() -> None:
    config = BoardConfig.model_validate(FULL)
    drawn = config.draw(Linear(n_hidden=4).spec.topology, np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match="draw a board for this network"):
        board_around(Linear(), config, drawn, np.random.default_rng(0))


def test_a_board_has_the_abilities_of_its_network(build: Build) -> None:
    layered = around(build, FULL)
    for ability in (
        Adjusts, Descends, ReadsConductance, LoadsConductance, CountsWrites, SettlesEach,
        ComparesDrops, KeepsState, DrawsCircuit,
    ):  # fmt: skip
        assert isinstance(layered, ability)
    linear = Rig(adc={"noise_volts": 1e-3}).board
    for ability in (Adjusts, ReadsConductance, ComparesDrops, KeepsState):
        assert isinstance(linear, ability)
    for ability in (Descends, LoadsConductance, CountsWrites, SettlesEach, DrawsCircuit):
        assert not isinstance(linear, ability)
    config = BoardConfig()
    inner = Bare(Linear())
    drawn = config.draw(inner.spec.topology, np.random.default_rng(0))
    bare = board_around(inner, config, drawn, np.random.default_rng(0))
    assert not isinstance(bare, Adjusts)
    assert isinstance(bare, BoardSubstrate)
    # The order of phases is the board's own where it has a part in it.
    assert isinstance(Rig(hold={"banks": 2}).board, SettlesEach)


def test_descending_is_by_what_was_read(build: Build) -> None:
    board = around(build, FULL)
    volts, nudge = np.full((2, 3), 0.1), np.full((2, 2), 1e-5)
    states = board.settle_each([Drive(volts, nudge), Drive(volts, -nudge)])
    terms = [Term(c, s.node_volts) for c, s in zip((1.0, -1.0), states, strict=True)]
    before = board.read_conductance()
    board.descend(terms, [1e-4, 1e-4])
    expected = before - 1e-4 * board.spec.energy.contrast(terms)
    np.testing.assert_allclose(board.read_conductance(), expected, rtol=1e-9)


def test_the_circuit_drawn_has_the_levels_that_are_applied(build: Build) -> None:
    exact = {"dac": {"gain_spread": 0.01, "offset_volts": 0.01},
             "nudge": {"gain_spread": 0.1, "offset_amps": 1e-6}}  # fmt: skip
    board = around(build, exact)
    volts, amps = np.array([0.1, -0.2, 0.3]), np.array([1e-5, -2e-5])
    drawn = board._drawn
    volts_applied = volts * drawn.dac_gain + drawn.dac_offset_volts
    amps_applied = amps * drawn.nudge_gain + drawn.nudge_offset_amps
    for given, expected in ((amps, amps_applied), (None, None)):
        found = board.circuit(volts, given).elements
        sources = [e.volts for e in found if isinstance(e, VoltageSource)]
        np.testing.assert_allclose(sources, volts_applied, rtol=1e-12)
        nudges = [e.amps for e in found if isinstance(e, CurrentSource)]
        np.testing.assert_allclose(nudges, [] if expected is None else expected, rtol=1e-12)
    assert board.node_names() == board.inner.node_names()


def test_times_alone_leave_a_board_off() -> None:
    assert BoardConfig.model_validate({"timing": FULL["timing"], "hold": {"banks": 2}}).is_off
    for part in set(FULL) - {"timing"}:
        assert not BoardConfig.model_validate({"timing": FULL["timing"], part: FULL[part]}).is_off


def test_closing_a_board_closes_its_network() -> None:
    rig = Rig()
    rig.board.close()
    rig.board.make_safe()
    assert rig.inner._closed


def test_stated_noise_counts_what_differs_between_readings() -> None:
    nudged = Rig(nudge={"noise_amps": 1e-6}).board.spec
    middle = 0.5 * sum(nudged.window_siemens)
    assert nudged.noise_volts == pytest.approx(1e-6 / (middle * 3))  # three hidden nodes
    banks = Rig(hold={"banks": 2, "offset_volts": 3e-3, "step_spread_volts": 4e-3}).board.spec
    assert banks.noise_volts == pytest.approx(5e-3)
    constant = Rig(hold={"offset_volts": 3e-3}, adc={"gain_spread": 0.1}).board.spec
    assert constant.noise_volts == 0.0


def test_a_nudge_is_applied_as_its_code() -> None:
    rig = Rig(nudge={"bits": 4, "range_amps": 7e-3})
    rig.board.settle(Drive(inputs(1), np.array([[3.2e-3, -6.6e-3]])))
    np.testing.assert_allclose(rig.inner.drives[-1].nudge_amps, [[3e-3, -7e-3]])
    assert rig.inner.drives[-1].nudge_amps.shape == (1, N_OUTPUTS)
