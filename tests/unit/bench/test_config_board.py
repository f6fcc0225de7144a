"""Mistakes in files of benches with a board: each is told, in words that name it."""

from __future__ import annotations

import re

import pytest

from tests.unit.bench.spoiling import (
    Change,
    both,
    drop,
    extra_source,
    refusal,
    set_at,
)

BOARD_MISTAKES: dict[str, tuple[Change, str]] = {
    "no such board": (
        set_at("phases.board", "shb"),
        r"phases\.board: there is no instrument 'shb'; there are: board, access, matrix1",
    ),
    "a board that is none": (
        set_at("phases.board", "access"),
        r"phases\.board: access is a keithley2600b; one of shboard is needed",
    ),
    "access without a matrix": (
        set_at("matrix", []),
        r"matrix: a0\.c0, a0\.c1, a0\.c2, a0\.r0 and 10 more not wired",
    ),
    "no soft ground to idle on": (
        drop("matrix.0.soft"),
        r"matrix: every line needs its crosspoint soft here",
    ),
    "inputs too high for devices": (
        set_at("phases.max_input_volts", 0.6),
        r"devices could see 1\.2 V \(1\.2052 V with the errors of sources\) in a phase",
    ),
    "amplifiers too high for devices": (
        set_at("network.amplifiers", {"forward_gain": 4.0, "backward_gain": 0.25}),
        r"devices could see 4 V \(4\.02 V with the errors of sources\) in a phase",
    ),
    "nudges of too much current": (
        set_at("phases.max_nudge_amps", 0.5),
        r"phases\.max_nudge_amps of 0\.5 A is beyond envelope\.source_amps of 0\.0001 A",
    ),
    "a second board": (
        extra_source("other", model="shboard"),
        r"instruments\.other is a board that no phases use",
    ),
    "nothing to idle on ground with": (
        both(
            drop("access"),
            drop("matrix"),
            drop("instruments.access"),
            drop("instruments.matrix1"),
        ),
        r"idle = soft_ground joins lines to ground, and there is no \[\[matrix\]\] to do so: "
        r"describe it, or set idle = float",
    ),
    "nothing to idle on hard ground with": (
        both(
            drop("access"),
            drop("matrix"),
            set_at("idle", "hard_ground"),
            drop("instruments.access"),
            drop("instruments.matrix1"),
        ),
        r"idle = hard_ground joins lines to ground, and there is no",
    ),
    "readings of too little current": (
        set_at("access.read_amps", 5e-5),
        r"a line of 6 devices at network\.g_max_siemens could draw 6\.3e-05 A",
    ),
    "access by a board": (
        set_at("access.high", "board"),
        r"access: board is a shboard; one of keithley2400, .* is needed",
    ),
    "reading beyond the volts of its instrument": (
        set_at("access.read_volts", 0.2),
        r"access\.b: access\.read_volts of 0\.2 V is beyond instruments\.access\.volts_limit of "
        r"0\.1 V",
    ),
    "pulses too high": (
        set_at("programming.set_volts", 3.0),
        r"devices could see 3 V \(3\.007 V with the errors of sources\) when they are programmed, "
        r"envelope\.program_volts is 2\.54 V: lower programming\.set_volts and",
    ),
    "the board's port in two spellings": (
        set_at("instruments.access.address", " /dev/ttyacm0"),
        r"address /dev/ttyACM0 used twice, by board, access",
    ),
    "a time in quotation marks": (
        set_at("phases.dead_man_seconds", "10"),
        r"dead_man_seconds: expected a number, not the text '10'",
    ),
    "more volts than any SMU has": (
        set_at("instruments.access.volts_limit", 265.0),
        r"instruments\.access\.volts_limit of 265 V is beyond what any keithley2600b can source",
    ),
    "dead-man timer too short": (
        set_at("phases.dead_man_seconds", 0.01),
        r"phases\.board\.dead_man_seconds\n\s+Input should be greater than or equal to 0\.05",
    ),
}


@pytest.mark.parametrize("mistake", BOARD_MISTAKES)
def test_a_mistake_on_a_bench_with_a_board_is_told(mistake: str) -> None:
    change, told = BOARD_MISTAKES[mistake]
    message = refusal("board", change)
    assert re.search(told, message), message
