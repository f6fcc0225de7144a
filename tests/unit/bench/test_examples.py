"""Example bench files: accepted as they are, consistent, and refused where they would be absurd."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bench.config import BenchConfig
from drivers.bench.envelope import largest_phase_volts, phase_drop_volts, with_errors
from drivers.bench.examples import Sizes, bench_text
from drivers.bench.examples_values import above, ranges
from drivers.bench.names import expanded
from drivers.bench.phases_smu import can_be_limited, free_output_volts
from drivers.bench.settling import settle_seconds
from drivers.emulated.bench.chip import order_of
from drivers.emulated.bench.settings import emulation_of, substrate_of
from drivers.emulated.tsp.switch_cards import CARDS
from hil.bench.examples import write_example
from hil.composition import resolve
from hil.errors import ConfigurationError

Kind = Literal["smu", "board"]
KINDS: tuple[Kind, ...] = ("smu", "board")

IRIS = Sizes(
    n_signals=8,
    hidden=(10,),
    n_outputs=3,
    biased=(True, False),
    forward_gain=None,
    backward_gain=None,
    g_min_siemens=1e-8,
    g_max_siemens=1e-3,
    pulse_siemens=1e-6,
    max_input_volts=0.5,
    max_nudge_amps=1e-4,
    neuron_volts=0.0,
    substrate={"kind": "layered", "neurons": {"kind": "ideal_diodes"}},
)
DIGITS = replace(IRIS, n_signals=128, hidden=(32,), n_outputs=20, substrate={})


def bench(kind: Kind, sizes: Sizes) -> BenchConfig:
    return BenchConfig.model_validate(tomllib.loads(bench_text(kind, sizes)))


@st.composite
def small_sizes(draw: st.DrawFn) -> Sizes:
    hidden = draw(st.lists(st.integers(1, 5), max_size=3).map(tuple))
    g_max = draw(st.floats(1e-7, 2e-3))
    amplified = draw(st.booleans())
    return Sizes(
        n_signals=draw(st.integers(1, 56)),
        hidden=hidden,
        n_outputs=draw(st.integers(1, 6)),
        biased=draw(
            st.just(()) | st.tuples(*[st.booleans()] * (len(hidden) + 1)),
        ),
        forward_gain=draw(st.floats(0.5, 1.6)) if amplified else None,
        backward_gain=draw(st.floats(0.1, 4.0)) if amplified else None,
        g_min_siemens=g_max * draw(st.sampled_from([0.0, 1e-6, 0.01, 0.5])),
        g_max_siemens=g_max,
        pulse_siemens=g_max * draw(st.floats(1e-5, 0.1)),
        max_input_volts=draw(st.floats(1e-3, 0.8)),
        max_nudge_amps=draw(st.floats(1e-9, 1e-2)),
        neuron_volts=draw(st.sampled_from([0.0, 0.3, 0.7])),
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(sizes=small_sizes())
def test_a_bench_of_any_size_is_accepted_and_keeps_its_promises(kind: Kind, sizes: Sizes) -> None:
    config = bench(kind, sizes)
    envelope, programming = config.envelope, config.programming
    assert config.network.topology.n_devices == sizes.network().topology.n_devices
    assert config.network.pulse_siemens == sizes.pulse_siemens
    # Phases stay below what disturbs devices, and the envelope is no wider than they need.
    worst, erring = largest_phase_volts(config)
    assert worst < erring <= envelope.read_volts * (1 + 1e-9) <= 1.02 * erring
    assert envelope.read_volts <= 0.4001 * min(programming.set_volts, programming.reset_volts)
    assert envelope.program_volts <= 1.02 * with_errors(programming.set_volts)
    assert envelope.half_select_volts <= 1.02 * with_errors(programming.set_volts / 2)
    assert settle_seconds(config) <= 1.0
    # A nudge source that is off clamps nothing.
    assert config.phases.nudge_limit_volts >= 0.02
    assert len(config.crosspoints("soft")) == len(config.lines())


@settings(max_examples=60, deadline=None)
@given(sizes=small_sizes())
def test_smus_are_not_in_compliance_while_devices_are_in_their_window(sizes: Sizes) -> None:
    config = bench("smu", sizes)
    assert not can_be_limited(config).any()
    assert config.phases.kind == "smu"
    assert free_output_volts(config) <= config.phases.nudge_limit_volts * (1 + 1e-9)
    access = config.access
    assert access is not None
    longest = max(max(g.tails.size, g.heads.size) for g in config.network.topology.groups)
    assert access.read_amps >= access.read_volts * sizes.g_max_siemens * longest


@settings(max_examples=60, deadline=None)
@given(sizes=small_sizes())
def test_channels_exist_on_the_cards_that_the_comments_name(sizes: Sizes) -> None:
    config = bench("smu", sizes)
    known = {
        f"{slot}{row}{column:02d}" for slot in "123" for row in "123456" for column in range(1, 17)
    }
    known |= {f"{slot}{relay:03d}" for slot in "45" for relay in range(1, 33)}
    used = [getattr(block, bus) for block in config.matrix for bus in ("high", "soft", "work")]
    assert {point for points in used for point in points} <= known
    assert config.phases.kind == "smu"
    assert all(int(channel) % 100 <= 20 for channel in config.phases.voltmeter_channels)
    config = bench("board", sizes)
    for block in config.matrix:
        known = {point for slot in range(1, 7) for point in CARDS["7174A"].channels(slot)}
        assert {*block.high, *block.low, *block.ground, *block.soft} <= known


@pytest.mark.parametrize(("kind", "sizes"), [("smu", IRIS), ("board", IRIS), ("board", DIGITS)])
def test_what_is_in_the_sockets_agrees_with_the_network(kind: Kind, sizes: Sizes) -> None:
    config = bench(kind, sizes)
    substrate = substrate_of(config, emulation_of(config))
    assert substrate.hidden == sizes.hidden
    assert emulation_of(config).substrate == {"kind": "layered"} | sizes.substrate


def test_iris_on_smus_is_wired_in_order() -> None:
    config = bench("smu", IRIS)
    assert config.phases.kind == "smu"
    assert config.phases.inputs == tuple(f"in{k}.{x}" for k in range(1, 6) for x in "ab")
    assert config.phases.outputs == ("out1.a", "out1.b", "out2.a")
    assert config.phases.voltmeter_channels == tuple(str(n) for n in range(101, 114))
    assert config.crosspoints("high")["a0.c5"] == ("matrix1", "1116")
    assert config.crosspoints("low")["a0.c6"] == ("matrix1", "2201")
    assert config.crosspoints("work")["a0.c6"] == ("matrix1", "4017")
    assert config.crosspoints("work")["a1.c2"] == ("matrix1", "5001")
    assert config.envelope.read_volts == 1.01
    assert config.programming.set_volts == 2.53
    assert config.envelope.program_volts == 2.54
    assert config.envelope.half_select_volts == 1.28
    assert config.instruments["access"].volts_limit == 1.265
    assert config.instruments["meter"].volts_range == 1.0


def test_a_low_voltage_bench_programs_with_the_usual_amplitude() -> None:
    config = bench("smu", replace(IRIS, max_input_volts=0.2))
    assert config.envelope.read_volts == 0.405
    assert config.programming.set_volts == 1.2


def test_the_network_s_amplifiers_widen_the_ranges() -> None:
    sizes = replace(IRIS, hidden=(6,), forward_gain=4.0, backward_gain=0.25)
    config = bench("smu", sizes)
    assert phase_drop_volts(config) == pytest.approx((1.0, 4.0))
    assert config.phases.nudge_limit_volts == 2.0
    assert config.envelope.read_volts == 4.02
    assert config.programming.set_volts == 10.1
    assert config.instruments["meter"].volts_range == 10.0
    # Hidden neurons, the outputs of their amplifiers, outputs.
    assert config.phases.kind == "smu"
    assert len(config.phases.voltmeter_channels) == 6 + 6 + 3


def test_converters_of_an_emulated_board_reach_amplified_nodes() -> None:
    noisy = {"board": {"adc": {"bits": 14}, "hold": {"noise_volts": 1e-4}}}
    sizes = replace(IRIS, forward_gain=4.0, backward_gain=0.25, substrate=noisy)
    config = bench("board", sizes)
    board = substrate_of(config, emulation_of(config)).board
    assert (board.adc.range_volts, board.adc.bits, board.hold.noise_volts) == (2.0, 14, 1e-4)
    assert noisy["board"]["adc"] == {"bits": 14}
    assert "board" not in bench("board", IRIS).emulation["substrate"]


def test_more_than_48_lines_are_put_on_several_mainframes() -> None:
    config = bench("smu", replace(IRIS, n_signals=40))
    assert {block.instrument for block in config.matrix} == {"matrix1", "matrix2"}
    assert len(config.lines()) == 42 + 10 + 10 + 3
    assert config.crosspoints("high")["a0.c5"] == ("matrix1", "3116")
    assert config.crosspoints("high")["a0.c6"] == ("matrix2", "1101")
    assert config.crosspoints("work")["a0.c6"] == ("matrix2", "4001")


def test_digits_on_a_board_need_three_mainframes() -> None:
    config = bench("board", DIGITS)
    assert [block.instrument for block in config.matrix] == ["matrix1", "matrix2", "matrix3"]
    assert config.crosspoints("soft")["a0.r72"] == ("matrix2", "1D01")
    assert config.crosspoints("high")["a1.c19"] == ("matrix3", "6A10")
    assert config.phases.kind == "board"


@pytest.mark.parametrize("kind", KINDS)
def test_bias_lines_are_written_only_where_there_are_any(kind: Kind) -> None:
    assert "biased" not in bench_text(kind, replace(IRIS, biased=()))
    assert "\nbiased = [true, false] #" in bench_text(kind, IRIS)
    assert bench(kind, IRIS).network.biased == (True, False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("low_siemens", "longest"), [(0.0, "for ever"), (1e-9, r"\d[\d.]* s"), (1e-8, r"0\.\d+ s")]
)
def test_a_window_that_begins_low_waits_for_devices_at_a_hundredth(
    kind: Kind, low_siemens: float, longest: str
) -> None:
    sizes = replace(IRIS, g_min_siemens=low_siemens)
    config = bench(kind, sizes)
    waited = config.phases.settle_seconds
    assert waited is not None
    # What the network of such devices needs, rounded up.
    free = config.model_copy(
        update={"phases": config.phases.model_copy(update={"settle_seconds": None})}
    )
    needed = settle_seconds(free, np.full(config.network.topology.n_devices, 1e-5))
    assert needed <= waited <= 1.1 * needed < 1e-3
    text = bench_text(kind, sizes)
    assert re.search(f"at 1% of g_max_siemens or above;(.|\n)*nodes would take {longest}", text)
    assert "`hil check` states how long the\n# slowest node takes" in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_that_begins_high_leaves_the_settling_time_to_itself(kind: Kind) -> None:
    config = bench(kind, replace(IRIS, g_min_siemens=1e-5))
    assert config.phases.settle_seconds is None
    assert settle_seconds(config) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [IRIS, replace(IRIS, forward_gain=4.0, backward_gain=0.25)])
def test_the_text_is_readable(kind: Kind, sizes: Sizes) -> None:
    text = bench_text(kind, sizes)
    assert max(map(len, text.splitlines())) <= 100
    assert "{" not in text.replace("cards = {", "").replace("matrix1 = {", "").replace(
        "models = {", ""
    )
    for table in ("network", "envelope", "phases", "access", "programming", "emulation"):
        before = text.partition(f"\n[{table}]\n")[0].splitlines()[-1]
        assert before.startswith("#"), table
    assert 'lines = "a0.r0:a0.r9, a0.c0:a0.c' in text


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("smu", {"n_signals": 63}, "65 input lines would need 33 dual SMUs"),
        ("smu", {"hidden": (38,)}, "41 nodes are to be read"),
        ("smu", {"max_input_volts": 9.0}, "sources of the example give 40 V"),
        ("board", {"max_input_volts": 9.0}, "sources of the example give 40 V"),
        ("smu", {"g_max_siemens": 0.2}, "relays of the example stand 1 A"),
        ("smu", {"max_nudge_amps": 2.0}, "relays of the example stand 1 A"),
        (
            "smu",
            {"g_max_siemens": 0.09},
            "could carry 1\\.257 A while one of its devices is pulsed",
        ),
        ("board", {"n_signals": 2200}, "at most. Make layers smaller"),
        ("smu", {"g_min_siemens": 1e-3}, "g_min_siemens must be below g_max_siemens"),
        ("board", {"biased": (True,)}, "biased has 1 values for 2 crossbars"),
    ],
)
def test_what_cannot_be_built_is_refused(kind: Kind, changes: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        bench_text(kind, replace(IRIS, **changes))  # type: ignore[arg-type]


PULSES = [
    # Half a per cent of a window of 9.9e-4 S; as the experiment has it; as its devices have it,
    # to two digits.
    ({}, 5.0e-6),
    ({"substrate.pulse_siemens": 1.234e-7}, 1.234e-7),
    ({"substrate.devices": "reram-es"}, 8.6e-7),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("changes", "pulse_siemens"), PULSES)
def test_an_example_for_an_experiment_has_the_pulses_of_what_is_in_its_sockets(
    kind: Kind, changes: dict[str, Any], pulse_siemens: float, tmp_path: Path
) -> None:
    target = tmp_path / "bench.toml"
    experiment = resolve("iris", overrides={"substrate.g_min_siemens": 1e-5} | changes)
    write_example(kind, target, experiment)
    config = BenchConfig.model_validate(tomllib.loads(target.read_text("utf-8")))
    assert config.network.pulse_siemens == pytest.approx(pulse_siemens, rel=1e-9)
    sockets = substrate_of(config, emulation_of(config))
    assert sockets.pulse_siemens == config.network.pulse_siemens
    order = order_of(config, sockets, 0)
    made = sockets.make(order).substrate
    assert made.spec.pulse_siemens == pytest.approx(pulse_siemens, rel=0.05)


@given(st.lists(st.from_regex(r"\A[a-z]?[0-9]{0,3}\.[rc]?0{0,2}[0-9]{1,3}\Z"), min_size=1))
def test_ranges_are_read_as_they_were_written(names: list[str]) -> None:
    assert list(expanded(ranges(names))) == names


def test_ranges_are_as_short_as_they_can_be() -> None:
    assert ranges(["a0.r8", "a0.r9", "a0.r10", "a0.c0", "1A09", "1A10"]) == (
        "a0.r8:a0.r10, a0.c0, 1A09:1A10"
    )


@given(st.floats(1e-15, 1e12), st.integers(1, 4))
def test_rounding_up_never_rounds_down(value: float, digits: int) -> None:
    rounded = above(value, digits)
    assert value * (1 - 1e-9) <= rounded <= value * (1 + 10.0 ** (1 - digits) + 1e-9)
    assert above(rounded, digits) == rounded
