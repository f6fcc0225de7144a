"""Phases by SMUs: what is sent, when, and what is made of the answers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from drivers.bench.config import BenchConfig
from drivers.bench.phases_smu import SmuPhases, can_be_limited, free_output_volts
from drivers.bench.settling import settle_seconds
from drivers.bench.sources import Aimed
from hil.arrays import Floats
from hil.errors import ConfigurationError, TransportError
from hil.substrate import Drive
from tests.protocol.bench.fakes import FakeBench
from tests.protocol.bench.files import board_bench, smu_bench

INPUTS = np.array([[0.1, -0.2], [0.3, 0.4], [-0.1, 0.2]])
NUDGES = 1e-5 * np.array([[1.0], [-2.0], [3.0]])


def parsed(text: str) -> BenchConfig:
    return BenchConfig.model_validate(tomllib.loads(text))


def small(**phases: Any) -> BenchConfig:
    """Two inputs on one SMU, two hidden nodes, one output."""
    return parsed(smu_bench(2, [2], 1, phases=phases))


class Rig:
    """Phases on a fake bench, energised; what was said before is forgotten."""

    def __init__(self, config: BenchConfig) -> None:
        self.bench = FakeBench(config)
        self.slept: list[float] = []
        self.phases = SmuPhases(config, self.bench.equipment, self.slept.append)
        self.phases.energise()
        self.energising = list(self.bench.said)
        self.bench.said.clear()


def nodes(levels: Mapping[str, float]) -> Floats:
    """Two hidden nodes and an output, some function of the levels."""
    a, b, nudge = levels["in1.a"], levels["in1.b"], levels["out1.a"]
    return np.array([a + b, a - b, 0.5 * a + 1e3 * nudge])


def test_limits_are_set_and_all_are_at_zero_before_any_output_is_on() -> None:
    said = Rig(small()).energising
    assert [what for _, what, _ in said] == ["aim"] * 3 + ["switch"] * 2
    volts, amps = Aimed("volts", 1e-2, 0.5), Aimed("amps", 0.5, 1e-4)
    assert [(who, *content) for who, what, content in said if what == "aim"] == [
        ("out1", "a", amps),
        ("in1", "a", volts),
        ("in1", "b", volts),
    ]
    assert [(who, on) for who, what, on in said if what == "switch"] == [
        ("out1", True),
        ("in1", True),
    ]


def test_states_are_in_the_order_of_nodes() -> None:
    rig = Rig(small())
    rig.bench.volts = nodes
    free, up, down = rig.phases.settle_each(
        [Drive(INPUTS), Drive(INPUTS, NUDGES), Drive(INPUTS.astype(np.float32), -NUDGES)]
    )
    for state, nudge in ((free, 0.0 * NUDGES), (up, NUDGES), (down, -NUDGES)):
        a, b = INPUTS.T
        wanted = np.stack([a, b, a + b, a - b, 0.5 * a + 1e3 * nudge[:, 0]], axis=1)
        assert state.node_volts == pytest.approx(wanted, abs=1e-7)
        assert state.node_volts.dtype == np.float64
        assert state.ok.tolist() == [True] * 3
    assert np.array_equal(free.node_volts[:, :2], INPUTS)


def test_the_drives_of_an_example_follow_each_other_and_only_changes_are_sent() -> None:
    rig = Rig(small())
    rig.phases.settle_each([Drive(INPUTS[:2], -NUDGES[:2]), Drive(INPUTS[:2], NUDGES[:2])])
    assert [(who, content) for who, _, content in rig.bench.said] == [
        ("out1", {"a": -1e-5}), ("in1", {"a": 0.1, "b": -0.2}), ("meter", None),
        ("out1", {"a": 1e-5}), ("meter", None),
        ("out1", {"a": 2e-5}), ("in1", {"a": 0.3, "b": 0.4}), ("meter", None),
        ("out1", {"a": -2e-5}), ("meter", None),
        ("out1", {"a": 0.0}), ("in1", {"a": 0.0, "b": 0.0}),
    ]  # fmt: skip
    rig.bench.said.clear()
    rig.phases.rest()
    assert rig.bench.said == []


def test_levels_that_stay_are_not_sent() -> None:
    rig = Rig(small())
    inputs = np.array([[0.1, 0.2], [0.1, 0.3], [0.1, 0.3]])
    rig.phases.settle_each([Drive(inputs)])
    assert rig.bench.stepped() == [
        ("in1", {"a": 0.1, "b": 0.2}),
        ("in1", {"b": 0.3}),
        ("in1", {"a": 0.0, "b": 0.0}),
    ]
    assert rig.bench.count("scan") == 3


def test_an_instrument_may_drive_an_input_and_an_output() -> None:
    config = parsed(smu_bench(3, [2], 1, phases={"outputs": ["in2.b"]}))
    rig = Rig(config)
    inputs = np.hstack([INPUTS, [[0.1], [0.1], [0.2]]])[1:]
    rig.phases.settle_each([Drive(inputs, -NUDGES[1:]), Drive(inputs, NUDGES[1:])])
    assert [(who, content) for who, _, content in rig.bench.said if who != "meter"] == [
        ("in2", {"a": 0.1, "b": 2e-5}), ("in1", {"a": 0.3, "b": 0.4}),
        ("in2", {"b": -2e-5}),
        ("in2", {"a": 0.2, "b": -NUDGES[2, 0]}), ("in1", {"a": -0.1, "b": 0.2}),
        ("in2", {"b": NUDGES[2, 0]}),
        ("in2", {"a": 0.0, "b": 0.0}), ("in1", {"a": 0.0, "b": 0.0}),
    ]  # fmt: skip


def test_messages_of_a_batch_of_iris() -> None:
    """Eight signals and a pair of bias lines on five dual SMUs, three outputs on two."""
    rig = Rig(parsed(smu_bench(8, [10], 3, (True, False))))
    rng = np.random.default_rng(0)
    inputs = np.hstack([rng.uniform(-0.4, 0.4, (32, 8)), np.tile([0.5, -0.5], (32, 1))])
    nudges = rng.uniform(-1e-4, 1e-4, (32, 3))
    rig.phases.settle_each([Drive(inputs)])
    assert len(rig.bench.said) == 32 * (4 + 1) + 1 + 5
    rig.bench.said.clear()
    rig.phases.settle_each([Drive(inputs, -nudges), Drive(inputs, nudges)])
    assert len(rig.bench.said) == 32 * (4 + 2 * (2 + 1)) + 1 + 7


def test_waits_once_a_drive() -> None:
    rig = Rig(small(settle_seconds=2e-3))
    rig.phases.settle_each([Drive(INPUTS), Drive(INPUTS, NUDGES)])
    assert rig.slept == [2e-3] * 6
    rig = Rig(small(settle_seconds=0.0))
    rig.phases.settle_each([Drive(INPUTS)])
    assert rig.slept == []


def test_waits_longer_for_devices_below_their_window() -> None:
    config = parsed(smu_bench(2, [2], 1, network={"node_farads": 1e-9}))
    rig = Rig(config)
    rig.phases.know(np.full(6, 1e-4))
    rig.phases.settle_each([Drive(INPUTS[:1])])
    rig.phases.know(np.full(6, 1e-7))
    rig.phases.settle_each([Drive(INPUTS[:1])])
    before, after = settle_seconds(config), settle_seconds(config, np.full(6, 1e-7))
    assert rig.slept == [before, after]
    assert after > 9 * before


# --- compliance and range ---------------------------------------------------------------------


def both_ok(rig: Rig, inputs: Floats = INPUTS, nudges: Floats = NUDGES) -> list[list[bool]]:
    pair = [Drive(inputs, -nudges), Drive(inputs, nudges)]
    return [state.ok.tolist() for state in rig.phases.settle_each(pair)]


def test_an_input_in_compliance_spoils_its_example() -> None:
    rig = Rig(small())
    rig.bench.limited = lambda levels: {"in1.b"} if levels["in1.b"] == 0.4 else set()
    assert both_ok(rig) == [[True, False, True]] * 2
    assert both_ok(rig, INPUTS[1:], NUDGES[1:]) == [[False, True]] * 2  # nothing is carried over


@pytest.mark.parametrize("example", range(3))
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_nudge_in_compliance_spoils_its_drive(example: int, sign: int) -> None:
    rig = Rig(small())
    bad = sign * NUDGES[example, 0]
    rig.bench.limited = lambda levels: {"out1.a"} if levels["out1.a"] == bad else set()
    wanted = [[True] * 3, [True] * 3]
    wanted[(sign + 1) // 2][example] = False
    assert both_ok(rig) == wanted


def test_a_source_that_stays_the_same_spoils_all_drives_since_it_was_asked() -> None:
    rig = Rig(small())
    inputs = np.array([[0.1, 0.2], [0.3, 0.2], [0.4, 0.2], [0.4, 0.3]])
    rig.bench.limited = lambda levels: {"in1.b"} if levels["in1.a"] == 0.4 else set()
    (state,) = rig.phases.settle_each([Drive(inputs)])
    assert state.ok.tolist() == [False] * 4


def test_sources_that_can_reach_their_limit_are_asked_about_every_drive() -> None:
    # Two devices of at most 1e-4 S, across at most 1 V.
    assert can_be_limited(small(input_limit_amps=2e-4)).tolist() == [False, False]
    config = small(input_limit_amps=1.9e-4)
    assert can_be_limited(config).tolist() == [True, True]
    rig = Rig(config)
    inputs = np.array([[0.1, 0.2], [0.3, 0.2], [0.4, 0.2], [0.3, 0.2]])
    nudges = np.full((4, 1), 1e-5)

    def limited(levels: Mapping[str, float]) -> set[str]:
        return {"in1.b"} if levels["in1.a"] == 0.4 and levels["out1.a"] > 0.0 else set()

    rig.bench.limited = limited
    up, down = rig.phases.settle_each([Drive(inputs, nudges), Drive(inputs, -nudges)])
    assert up.ok.tolist() == [True, True, False, True]
    assert down.ok.tolist() == [True] * 4
    assert rig.bench.count("measure") == 8
    assert all(content == ["a", "b"] for _, what, content in rig.bench.said if what == "measure")


def test_bias_lines_count_the_crossbar_that_they_are_in() -> None:
    amplifiers = {"forward_gain": 4.0, "backward_gain": 0.25}
    config = parsed(
        smu_bench(
            2, [3], 1, (False, True), network={"amplifiers": amplifiers},
            phases={"nudge_limit_volts": 2.0, "input_limit_amps": 3.5e-4},
            envelope={"read_volts": 4.02},
            instruments={"out1": {"volts_limit": 4.0}, "meter": {"volts_range": 10.0}},
        )
    )  # fmt: skip
    # Signals: three devices across 1 V. Bias lines: one across 4 V.
    assert can_be_limited(config).tolist() == [False, False, True, True]


def test_beyond_the_range_spoils_a_drive() -> None:
    rig = Rig(small())

    def volts(levels: Mapping[str, float]) -> Floats:
        over = levels["in1.a"] == 0.3 and levels["out1.a"] > 0.0
        return np.array([np.inf if over else 0.1, 0.2, 0.3])

    rig.bench.volts = volts
    down, up = rig.phases.settle_each([Drive(INPUTS, NUDGES), Drive(INPUTS, -NUDGES)])
    assert down.ok.tolist() == [True] * 3
    assert up.ok.tolist() == [True, False, True]
    assert np.isnan(up.node_volts[1, 2])
    assert np.isfinite(np.delete(up.node_volts.ravel(), 7)).all()


def test_an_output_at_the_compliance_of_its_nudge_is_seen_in_the_scan() -> None:
    """Also where the source never tells, because its level stays."""
    rig = Rig(small())
    rig.bench.volts = lambda levels: np.array([0.1, 0.1, levels["in1.a"]])
    inputs = np.array([[0.1, 0.0], [-0.499, 0.0], [0.48, 0.0], [0.5, 0.0]])
    nudges = np.array([[1e-5], [1e-5], [1e-5], [0.0]])
    (state,) = rig.phases.settle_each([Drive(inputs, nudges)])
    # Without a nudge inputs of at most 0.5 V cannot bring an output to its compliance of 0.5 V.
    assert free_output_volts(small()) == 0.5
    assert state.ok.tolist() == [True, False, True, True]


def test_a_resting_nudge_source_can_clamp_what_inputs_bring_there() -> None:
    rig = Rig(small(nudge_limit_volts=0.3))
    rig.bench.volts = lambda levels: np.array([0.4, 0.4, -levels["in1.a"]])
    inputs = np.array([[0.1, 0.0], [0.299, 0.0], [0.2, 0.0]])
    (state,) = rig.phases.settle_each([Drive(inputs)])
    assert state.ok.tolist() == [True, False, True]


# --- failures ---------------------------------------------------------------------------------


def test_after_a_failure_levels_are_not_taken_for_granted() -> None:
    rig = Rig(small())
    rig.bench.fails = "in1"
    with pytest.raises(TransportError, match="in1 is silent"):
        rig.phases.settle_each([Drive(INPUTS, NUDGES)])
    rig.bench.fails = None
    rig.bench.said.clear()
    rig.phases.rest()
    assert rig.bench.stepped() == [("out1", {"a": 0.0}), ("in1", {"a": 0.0, "b": 0.0})]
    rig.phases.rest()
    assert len(rig.bench.said) == 2


def test_no_drives_no_messages() -> None:
    rig = Rig(small())
    assert rig.phases.settle_each([]) == []
    assert rig.bench.said == []


def test_another_wiring_is_refused() -> None:
    config = parsed(board_bench(2, [2], 1))
    with pytest.raises(ConfigurationError, match="smu is needed"):
        SmuPhases(config, FakeBench(small()).equipment, lambda _: None)


def test_comparisons_are_made_of_what_was_scanned() -> None:
    config = small()
    rig = Rig(config)
    rig.bench.volts = nodes
    rig.bench.limited = lambda levels: {"out1.a"} if levels["out1.a"] == NUDGES[2, 0] else set()
    found = rig.phases.compare(Drive(INPUTS, -NUDGES), Drive(INPUTS, NUDGES), 0.01)
    assert found.ok.tolist() == [True, True, False]
    topology, wanted = config.network.topology, np.zeros(6)
    for (a, b), (nudge,) in zip(INPUTS[:2], NUDGES[:2], strict=True):
        first, second = (
            np.array([a, b, a + b, a - b, 0.5 * a + 1e3 * amps]) for amps in (-nudge, nudge)
        )
        rise = np.abs(second[topology.tails] - second[topology.heads])
        rise -= np.abs(first[topology.tails] - first[topology.heads])
        wanted += np.sign(rise) * (np.abs(rise) > 0.01)
    assert found.votes.tolist() == wanted.tolist()
    assert np.abs(wanted).max() > 0
    wide = rig.phases.compare(Drive(INPUTS, -NUDGES), Drive(INPUTS, NUDGES), 0.05)
    assert not wide.votes.any()
