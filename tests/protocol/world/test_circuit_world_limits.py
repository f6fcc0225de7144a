"""Sources at their limits, alone and against each other."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.world import (
    Channel,
    CurrentForce,
    Meter,
    Open,
    Reading,
    ResistorWorld,
    Stance,
    VoltageForce,
)
from hil.errors import ConfigurationError, UsageError
from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    Resistor,
    VoltageControlledVoltage,
    VoltageSource,
)
from tests.protocol.world.checks import Bench


def against(load_ohms: float, *stances: Stance) -> list[Reading]:
    """Readings of channels that all hang on one net with a resistor to ground."""
    channels = [Channel(f"ch{k}", "a", GROUND) for k in range(len(stances))]
    resistors = [("a", GROUND, load_ohms)] if math.isfinite(load_ohms) else []
    bench = Bench(resistors, channels)
    for channel, stance in zip(channels, stances, strict=True):
        channel.stance = stance
    bench.assert_kirchhoff()
    bench.assert_laws()
    return [bench.world.reading(channel) for channel in channels]


@pytest.mark.parametrize(
    "stance",
    [
        VoltageForce(1.0, 1.0),
        VoltageForce(-1.0, 1e-3),
        VoltageForce(1.0, 1.0, series_ohms=100.0),
        VoltageForce(0.0, 1e-3),
        VoltageForce(1.0, 0.0),
        CurrentForce(0.01, 10.0),
        CurrentForce(-1.0, 10.0),
        CurrentForce(0.0, 10.0),
        CurrentForce(1.0, 0.0),
        Open(),
    ],
)
@pytest.mark.parametrize("load_ohms", [1e-2, 100.0, 1e9])
def test_one_resistor_is_the_resistor_world(load_ohms: float, stance: Stance) -> None:
    channel = Channel("a")
    channel.stance = stance
    expected = ResistorWorld(load_ohms).reading(channel)
    found = against(load_ohms, stance)[0]
    assert found[:2] == pytest.approx(expected[:2], rel=1e-4, abs=1e-12)
    assert found.limited == expected.limited


def test_what_is_open_reads_its_level_or_its_limit() -> None:
    assert against(math.inf, VoltageForce(1.0, 1e-3))[0] == pytest.approx((1.0, 1e-14, False))
    assert against(math.inf, CurrentForce(1e-6, 10.0))[0] == pytest.approx((10.0, 1e-13, True))
    assert against(math.inf, Meter(1e7))[0] == (0.0, 0.0, False)


@pytest.mark.parametrize(
    ("stances", "expected"),
    [
        # The weaker one goes to its limit.
        ((VoltageForce(1.0, 1e-3), VoltageForce(2.0, 1e-2)),
         [(2.0, -1e-3, True), (2.0, 3e-3, False)]),
        ((VoltageForce(1.0, 1e-2), VoltageForce(2.0, 1e-3)),
         [(1.0, 0.0, False), (1.0, 1e-3, True)]),
        # Both at their limits, and what is left flows through the resistor.
        ((VoltageForce(1.0, 1e-3), VoltageForce(2.0, 2.5e-3)),
         [(1.5, -1e-3, True), (1.5, 2.5e-3, True)]),
        ((VoltageForce(-2.0, 1e-3), VoltageForce(2.0, 1e-3), VoltageForce(0.5, 1e-2)),
         [(0.5, -1e-3, True), (0.5, 1e-3, True), (0.5, 0.5e-3, False)]),
        # A current source clamps at its own voltage, sinking what another one delivers.
        ((CurrentForce(1e-3, 0.5), VoltageForce(2.0, 4e-3)),
         [(0.5, 0.5e-3 - 4e-3, True), (0.5, 4e-3, True)]),
        ((CurrentForce(5e-3, 2.0), CurrentForce(-2e-3, 10.0)),
         [(2.0, 4e-3, True), (2.0, -2e-3, False)]),
        ((CurrentForce(1e-3, 10.0), CurrentForce(2e-3, 10.0)),
         [(3.0, 1e-3, False), (3.0, 2e-3, False)]),
        # With resistance in their leads both keep their levels.
        ((VoltageForce(1.0, 1.0, 1e3), VoltageForce(2.0, 1.0, 1e3)),
         [(1.0, 0.0, False), (1.0, 1e-3, False)]),
    ],
)  # fmt: skip
def test_sources_on_one_net(stances: tuple[Stance, ...], expected: list[Any]) -> None:
    readings = against(1e3, *stances)
    for reading, wanted in zip(readings, expected, strict=True):
        assert reading[:2] == pytest.approx(wanted[:2], rel=1e-9, abs=1e-12)
        assert reading.limited == wanted[2]


def test_equal_sources_share_what_the_net_takes() -> None:
    one, other = against(1e3, VoltageForce(1.5, 1e-3), VoltageForce(1.5, 1e-3))
    assert one.volts == pytest.approx(1.5)
    assert one.amps + other.amps == pytest.approx(1.5e-3)


def test_leaving_a_limit_finds_the_way_back() -> None:
    channel = Channel("a", "a", GROUND)
    bench = Bench([("a", GROUND, 1e3)], [channel])
    for limit, limited in ((1e-3, True), (1e-2, False), (1e-4, True), (1e-2, False)):
        channel.stance = VoltageForce(2.0, limit)
        reading = bench.world.reading(channel)
        assert reading.limited == limited
        assert reading.amps == pytest.approx(min(limit, 2e-3))


def test_sources_without_ground_float_in_the_middle() -> None:
    channel = Channel("a", "a", "b")
    bench = Bench([("a", "b", 1e3)], [channel])
    channel.stance = VoltageForce(1.0, 1.0)
    assert bench.world.reading(channel) == pytest.approx((1.0, 1e-3, False))
    assert bench.world.net_volts("a") == pytest.approx(0.5)
    assert bench.world.net_volts("b") == pytest.approx(-0.5)


def test_a_ring_of_sources_is_broken_by_their_limits() -> None:
    names = ["a", "b", "c"]
    channels = [Channel(f"{x}{y}", x, y) for x, y in zip(names, [*names[1:], "a"], strict=True)]
    bench = Bench([(name, GROUND, 1e3) for name in names], channels)
    for channel in channels:
        channel.stance = VoltageForce(1.0, 1e-2)
    readings = [bench.world.reading(channel) for channel in channels]
    assert sum(reading.volts for reading in readings) == pytest.approx(0.0, abs=1e-9)
    assert any(reading.limited for reading in readings)
    bench.assert_kirchhoff()
    bench.assert_laws()


def test_a_fixed_source_wins_against_limited_ones() -> None:
    channel = Channel("a", "a", GROUND)
    world = CircuitWorld(Circuit([VoltageSource("v", "a", GROUND, 3.0)]), channels=[channel])
    channel.stance = VoltageForce(1.0, 1e-3)
    assert world.reading(channel) == pytest.approx((3.0, -1e-3, True))


LEVELS = st.sampled_from([-2.0, -1.0, -0.3, 0.0, 0.2, 1.0, 1.5])
LIMITS = st.sampled_from([0.0, 1e-6, 1e-4, 1e-3, 0.1])
STANCES: st.SearchStrategy[Stance] = st.one_of(
    st.builds(VoltageForce, LEVELS, LIMITS, st.sampled_from([0.0, 0.0, 10.0, 1e4])),
    st.builds(
        CurrentForce,
        st.sampled_from([-1e-3, -1e-5, 0.0, 1e-9, 1e-4, 1e-2]),
        st.sampled_from([0.0, 0.1, 1.0, 5.0]),
    ),
    st.just(Open()),
    st.just(Meter(1e7)),
)


@st.composite
def benches(draw: st.DrawFn) -> tuple[Bench, list[list[Stance]]]:
    nets = ["a", "b", "c", "d"][: draw(st.integers(1, 4))]
    pair = st.permutations([*nets, GROUND]).map(lambda order: (order[0], order[1]))
    ohms = st.sampled_from([1.0, 50.0, 1e3, 3e4, 1e6])
    resistors = draw(st.lists(st.tuples(pair, ohms), max_size=6))
    diodes = draw(st.lists(pair, max_size=3))
    ideal = [
        (net, GROUND, draw(st.sampled_from([0.0, 0.4])))
        if draw(st.booleans())
        else (GROUND, net, draw(st.sampled_from([0.0, 0.4])))
        for net in draw(st.sets(st.sampled_from(nets), max_size=2))
    ]
    ends = draw(st.lists(pair, min_size=1, max_size=5))
    channels = [Channel(f"ch{k}", hi, lo) for k, (hi, lo) in enumerate(ends)]
    stances = st.lists(STANCES, min_size=len(channels), max_size=len(channels))
    bench = Bench([(a, b, r) for (a, b), r in resistors], channels, diodes, ideal)
    return bench, draw(st.lists(stances, min_size=1, max_size=3))


@settings(max_examples=150)
@given(benches())
def test_any_sources_keep_kirchhoffs_law_and_their_own(
    drawn: tuple[Bench, list[list[Stance]]],
) -> None:
    bench, rounds = drawn
    for stances in rounds:
        for channel, stance in zip(bench.channels, stances, strict=True):
            channel.stance = stance
        bench.assert_kirchhoff()
        bench.assert_laws()


def test_sources_that_contradict_each_other_without_limit_do_no_harm() -> None:
    short = [VoltageSource("v", "a", GROUND, 1.0), VoltageSource("w", "a", GROUND, 2.0)]
    world = CircuitWorld(Circuit(short))
    # Nothing limits them but the resistance assumed in loops of sources: no crash.
    assert 1.0 <= world.net_volts("a") <= 2.0


def test_a_channel_of_elsewhere_is_refused() -> None:
    world = CircuitWorld(Circuit([Resistor("r", "a", GROUND, 1.0)]))
    with pytest.raises(UsageError, match="not wired"):
        world.reading(Channel("b"))
    with pytest.raises(UsageError, match="no net"):
        world.net_volts("nowhere")


def test_other_elements_are_refused_by_name() -> None:
    circuit = Circuit([VoltageControlledVoltage("e1", "a", GROUND, "b", GROUND, 2.0)])
    with pytest.raises(ConfigurationError, match="e1 is a VoltageControlledVoltage"):
        CircuitWorld(circuit)
