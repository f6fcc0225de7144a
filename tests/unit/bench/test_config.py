"""Bench files as they should be, and what their levels come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import pytest

import drivers.bench.config
from drivers.bench.config import (
    AccessConfig,
    BenchConfig,
    BoardPhasesConfig,
    EnvelopeConfig,
    InstrumentConfig,
    MatrixBlockConfig,
    ProgrammingConfig,
    SmuPhasesConfig,
)
from drivers.bench.consistency_names import CHANNELS
from drivers.bench.envelope import half_select_volts, largest_phase_volts, phase_drop_volts
from drivers.bench.identities import DRIVERS
from drivers.bench.names import plain_address
from drivers.bench.network import AmplifiersConfig, NetworkConfig
from drivers.emulated.bench.settings import EmulationConfig
from hil.model import Model
from tests.unit.bench.spoiling import (
    both,
    by_thirds,
    drop,
    refusal,
    set_at,
    table,
)


@pytest.mark.parametrize("kind", ["smu", "board"])
def test_the_examples_are_fine(kind: Literal["smu", "board"]) -> None:
    config = BenchConfig.model_validate(table(kind))
    assert len(config.lines()) == 14
    assert config.crosspoints("high")["a1.c1"] == ("matrix1", "1114" if kind == "smu" else "2A02")


def test_programming_by_a_third_is_fine_if_it_is_wired() -> None:
    found = table("smu")
    by_thirds()(found)
    config = BenchConfig.model_validate(found)
    assert half_select_volts(config.programming) == pytest.approx(2.53 / 3)


def test_all_mistakes_are_told_at_once() -> None:
    message = refusal(
        "smu",
        both(
            set_at("phases.inputs.0", "inn1.a"),
            set_at("matrix.0.high.1", "1101"),
            drop("matrix.0.soft"),
        ),
    )
    for told in ("no instrument 'inn1'", "crosspoint matrix1.1101", "crosspoint soft"):
        assert told in message


def test_levels_are_judged_only_where_the_wiring_makes_sense() -> None:
    message = refusal(
        "smu", both(set_at("phases.inputs.0", "inn1.a"), set_at("phases.max_input_volts", 5.0))
    )
    assert "no instrument 'inn1'" in message
    assert "devices could see" not in message


# A board needs no other instrument, and may program as it likes.


def test_a_board_alone_is_a_bench() -> None:
    found = table("board")
    for change in (
        drop("access"),
        drop("matrix"),
        set_at("idle", "float"),
        set_at("programming.limit_amps", 1e-9),
    ):
        change(found)
    found["instruments"] = {"board": found["instruments"]["board"]}
    config = BenchConfig.model_validate(found)
    assert config.access is None
    assert config.crosspoints("high") == {}


@pytest.mark.parametrize("scheme", ["third", "gate"])
def test_a_board_brings_its_own_sources_for_other_schemes(scheme: str) -> None:
    found = table("board")
    set_at("programming.scheme", scheme)(found)
    config = BenchConfig.model_validate(found)
    assert half_select_volts(config.programming) <= config.envelope.half_select_volts


# The envelope of a network with amplifiers, crossbar by crossbar.


def test_the_bound_grows_by_the_gain_of_the_amplifiers() -> None:
    found = table("board")
    for change in (
        set_at("network.amplifiers", {"forward_gain": 4.0, "backward_gain": 0.25}),
        set_at("envelope.read_volts", 4.02),
        set_at("envelope.half_select_volts", 6.03),
        set_at("phases.nudge_limit_volts", 2.0),
    ):
        change(found)
    assert phase_drop_volts(BenchConfig.model_validate(found)) == pytest.approx((1.0, 4.0))
    # A compliance beyond what the network reaches by itself is felt all the way back to the inputs.
    for change in (
        set_at("phases.nudge_limit_volts", 3.0),
        set_at("envelope.read_volts", 6.03),
    ):
        change(found)
    config = BenchConfig.model_validate(found)
    assert phase_drop_volts(config) == pytest.approx((1.5, 6.0))
    # 1.5 mV and 4 mV of errors at the inputs are amplified, too.
    assert largest_phase_volts(config) == pytest.approx((6.0, 6.0 + 4 * 5.5e-3))


def test_bias_lines_behind_an_attenuating_amplifier_widen_the_bound() -> None:
    found = table("board")
    gains = {"forward_gain": 0.5, "backward_gain": 1}
    found["network"] |= {"biased": [False, True], "amplifiers": gains}
    found["matrix"][0]["lines"] = "a0.r0:a0.r3, a0.c0:a0.c2, a1.r0:a1.r4, a1.c0:a1.c1"
    found["phases"]["nudge_limit_volts"] = 0.25
    found["envelope"] |= {"read_volts": 2.01, "half_select_volts": 2.01}
    config = BenchConfig.model_validate(found)
    assert phase_drop_volts(config) == pytest.approx((2.0, 1.0))
    assert largest_phase_volts(config) == pytest.approx((2.0, 2.006))


@pytest.mark.parametrize("flags", [[True, False], [1, 0], [1, False]])
def test_what_is_true_or_false_may_be_written_so_or_as_numbers(flags: list[Any]) -> None:
    found = table("smu")
    found["network"]["biased"] = flags
    assert BenchConfig.model_validate(found).network.biased == (True, False)


def test_every_channel_of_the_meter_may_have_zeros_before_it() -> None:
    found = table("smu")
    found["phases"]["voltmeter_channels"] = ["0101", "102", "0103", "104", "105"]
    assert BenchConfig.model_validate(found).phases.kind == "smu"


def test_spaces_around_addresses_and_serial_numbers_mean_nothing() -> None:
    found = table("smu")
    found["instruments"]["in1"] |= {"address": " TCPIP::h::5025::SOCKET\t", "serial": " 401 "}
    instrument = BenchConfig.model_validate(found).instruments["in1"]
    assert (instrument.address, instrument.serial) == ("TCPIP::h::5025::SOCKET", "401")


def test_whole_numbers_are_numbers_and_whole_ones_may_have_a_point() -> None:
    found = table("smu")
    found["instruments"]["in1"] |= {"volts_limit": 1, "timeout_seconds": 5}
    found["programming"]["budget_pulses"] = 1e6
    config = BenchConfig.model_validate(found)
    assert config.instruments["in1"].volts_limit == 1.0
    assert config.programming.budget_pulses == 10**6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TCPIP::h::5025::SOCKET", "tcpip0::H::05025::socket"),
        ("TCPIP::h", "TCPIP0::h::inst0::INSTR"),
        ("GPIB::24", "gpib00::024::instr"),
        ("USB::0x05E6::0x2450::04012345::INSTR", "USB0::1510::9296::04012345::0::INSTR"),
        ("ASRL3", "ASRL03::INSTR"),
        ("COM5", "com5"),
    ],
)
def test_addresses_are_the_same_in_every_spelling(one: str, other: str) -> None:
    assert plain_address(one) == plain_address(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TCPIP::h::5025::SOCKET", "TCPIP1::h::5025::SOCKET"),
        ("TCPIP::h::5025::SOCKET", "TCPIP::h::5026::SOCKET"),
        ("TCPIP::h::inst0::INSTR", "TCPIP::h::inst1::INSTR"),
        ("TCPIP::10::5025::SOCKET", "TCPIP::010::5025::SOCKET"),
        ("GPIB::24", "GPIB::2"),
        ("GPIB::24", "GPIB::24::1::INSTR"),
        ("USB::0x05E6::0x2450::04012345::INSTR", "USB::0x05E6::0x2450::4012345::INSTR"),
        ("COM5", "COM50"),
        ("", "::"),
    ],
)
def test_other_addresses_stay_apart(one: str, other: str) -> None:
    assert plain_address(one) != plain_address(other)


@pytest.mark.parametrize("model", CHANNELS)
def test_every_source_knows_what_it_can_do(model: str) -> None:
    largest = getattr(DRIVERS[model], "largest")  # noqa: B009
    assert 1.0 < largest.volts < 2000.0
    assert 0.01 < largest.amps < 10.0


DOCUMENTED = (
    BenchConfig, NetworkConfig, AmplifiersConfig, EnvelopeConfig, InstrumentConfig,
    SmuPhasesConfig, BoardPhasesConfig, AccessConfig, MatrixBlockConfig, ProgrammingConfig,
    EmulationConfig,
)  # fmt: skip


@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[Model]) -> None:
    text = (Path(drivers.bench.config.__file__).parent / "BENCHES.md").read_text("utf-8")
    missing = []
    for key, field in model.model_fields.items():
        known = (f"`{key}`", f"`amplifiers.{key}`", f"[{key}]", f"[{key}.NAME]")
        if not any(name in text for name in known):
            missing.append(key)
        values = [value for value in get_args(field.annotation) if isinstance(value, str)]
        missing += [value for value in values if value not in text]
    assert not missing
