"""An example of wiring (b): a sample-and-hold board, a matrix to an SMU for single devices."""

from __future__ import annotations

import itertools
import math
from typing import Any

from drivers.bench.examples_values import Values, above, instrument, ranges, rms
from hil.errors import ConfigurationError

__all__ = ["board_instruments", "board_matrix", "board_phases", "board_substrate"]

COLUMNS, SLOTS = 12, 6
MAINFRAME_LINES = COLUMNS * SLOTS
MOST_MAINFRAMES = 30
ROWS = {"high": "A", "low": "B", "ground": "C", "soft": "D"}
HOLD_VOLTS = 50e-6
ADC_BITS = 16


def board_instruments(values: Values) -> str:
    """Tables of all instruments.

    Raises:
        ConfigurationError: more lines than mainframes can be had for.
    """
    n_mainframes = math.ceil(len(values.lines) / MAINFRAME_LINES)
    if n_mainframes > MOST_MAINFRAMES:
        raise ConfigurationError(
            f"{len(values.lines)} lines would need {n_mainframes} switching mainframes; an example "
            f"has {MOST_MAINFRAMES} at most. Make layers smaller, or write a bench file without "
            "[access] and [[matrix]]: the board programs, and no single device is read",
            n_lines=len(values.lines),
        )
    hosts = itertools.count(11)

    def at() -> str:
        return f"TCPIP::192.168.0.{next(hosts)}::5025::SOCKET"

    parts = [_BOARD, instrument("board", model="shboard", address="/dev/ttyACM0"), _ACCESS]
    parts += [
        instrument(
            "access",
            model="keithley2600b",
            address=at(),
            volts_limit=values.access_volts,
            amps_limit=values.read_amps,
        ),
        _MATRIX,
    ]
    parts += [
        instrument(f"matrix{n + 1}", model="keithley707b", address=at())
        for n in range(n_mainframes)
    ]
    return "\n".join(parts)


def board_phases(values: Values) -> str:
    """How free and nudged phases are run."""
    sizes = values.sizes
    range_volts = _adc_volts(values)
    step_volts = 2.0 * range_volts / 2**ADC_BITS / math.sqrt(12.0)
    return _PHASES.format(
        max_input_volts=sizes.max_input_volts,
        max_nudge_amps=sizes.max_nudge_amps,
        nudge_limit_volts=values.nudge_limit_volts,
        noise_volts=rms(step_volts, HOLD_VOLTS),
        settle=values.settle_comment("board"),
        range_volts=range_volts,
        hold_microvolts=f"{1e6 * HOLD_VOLTS:g}",
    )


def board_matrix(values: Values) -> str:
    """Which crosspoints a line has, mainframe by mainframe."""
    parts = [_CROSSPOINTS]
    for index, first in enumerate(range(0, len(values.lines), MAINFRAME_LINES)):
        lines = values.lines[first : first + MAINFRAME_LINES]
        parts += [
            f'[[matrix]]\ninstrument = "matrix{index + 1}"',
            f'lines = "{ranges(lines)}"',
            *(f'{bus} = "{_crosspoints(row, len(lines))}"' for bus, row in ROWS.items()),
            "",
        ]
    return "\n".join(parts)


def board_substrate(values: Values) -> dict[str, Any]:
    """What is in the emulated sockets: converters that reach as far as amplified nodes do."""
    table = dict(values.sizes.substrate)
    if _adc_volts(values) > 2.0 * values.sizes.max_input_volts:
        board = dict(table.get("board", {}))
        board["adc"] = {"range_volts": _adc_volts(values)} | board.get("adc", {})
        table["board"] = board
    return table


def _adc_volts(values: Values) -> float:
    """Range of the converters: twice the inputs, or what nodes can reach if that is more."""
    return max(2.0 * values.sizes.max_input_volts, above(values.node_volts))


def _crosspoints(row: str, count: int) -> str:
    return ranges([f"{1 + k // COLUMNS}{row}{1 + k % COLUMNS:02d}" for k in range(count)])


_BOARD = """\
# The sample-and-hold board, drivers/board/SPECIFICATION.md: it runs the phases, compares, and
# applies the pulses. Add serial = "000123" to make sure that it is the very board.
"""
_ACCESS = """\
# Reads single devices: channel a is the bus "high", channel b the bus "low". A limit holds for
# level and compliance: nothing beyond it is ever sent.
"""
_MATRIX = """\
# 707B with 7174A or 7072 matrix cards (8x12) in the slots that are used. Rows of the same letter
# are one bus: join them from card to card, and from mainframe to mainframe.
"""
_PHASES = """\
# --- phases -------------------------------------------------------------------------------------
# Free: inputs at their levels, nudge sources open. Nudged: the same with currents at the outputs.
[phases]
kind = "board"
board = "board"
max_input_volts = {max_input_volts} # largest level; the board's input DACs must reach it
max_nudge_amps = {max_nudge_amps} # largest nudge current; likewise
# Where the board's nudge sources, or its supply, give up: what outputs reach by themselves, so that
# nudges widen nothing.
nudge_limit_volts = {nudge_limit_volts}
{settle}settle_tolerance = 1e-4 # share of a step that may be left then
acquire_seconds = 2e-5 # for which a bank tracks, LF398 with 10 nF
dead_man_seconds = 10.0 # silence after which the board makes itself safe
# Rms of one voltage held and read: {hold_microvolts} uV of the holds, and a step of a converter of
# 16 bits and +-{range_volts} V divided by sqrt(12), rounded up. Measure yours.
noise_volts = {noise_volts}
"""
_CROSSPOINTS = """\
# --- matrix -------------------------------------------------------------------------------------
# Row i of array k is a<k>.r<i>, column j a<k>.c<j>. Crosspoints are in the order of the lines.
#   high, low  buses of access.high and access.low
#   ground     0 V
#   soft       0 V through a resistor, some 1 MOhm
# 2B05 is slot 2, row B, column 5. What lines work with in phases is wired to them for good: the
# board isolates its nodes and floats its lines while a single device is read.
"""
