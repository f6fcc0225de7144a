"""An example of wiring (a): SMUs, a matrix of reed relays, a scanning voltmeter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drivers.bench.examples_values import Values, as_list, instrument, ranges, rms
from hil.errors import ConfigurationError

__all__ = ["smu_instruments", "smu_matrix", "smu_phases", "smu_read_siemens"]

MOST_INPUTS = 64
"""Beyond that a board is what one wants: every two lines are an SMU."""
METER_CHANNELS = (*range(101, 121), *range(201, 221))
"""Voltage channels of two 7700 cards; 121, 122, 221 and 222 measure current."""
CARD_LINES = 16
MATRIX_CARDS = 3
RELAYS, RELAY_SLOT = 32, 4
"""Of a 3740 card; the first one's slot, whatever the number of matrix cards."""
MAINFRAME_LINES = MATRIX_CARDS * CARD_LINES
ROWS = {"high": 1, "low": 2, "ground": 3, "soft": 4}
PEAKS = 6.0
"""Peak to peak over rms of Gaussian noise, as data sheets have it."""

# Series 2600B data sheet, 2636B, 0.1 to 10 Hz, peak to peak; DAQ6510 data sheet, 1 PLC, rms.
SOURCE_NOISE_VOLTS = ((0.2, 20e-6), (2.0, 50e-6), (20.0, 300e-6))
SENSE_NOISE_AMPS = (
    (1e-6, 25e-12), (1e-5, 60e-12), (1e-4, 3e-9), (1e-3, 6e-9), (1e-2, 200e-9), (0.1, 600e-9),
    (1.0, 70e-6),
)  # fmt: skip
GAIN_ERROR = 2.5e-4  # of current and voltage together, one year, limit of error
METER_NOISE_VOLTS = ((1.0, 0.7e-6), (10.0, 4e-6))


class _Card(NamedTuple):
    """A matrix card: where it is, its lines, and the first of them among those of the mainframe."""

    mainframe: int
    slot: int
    first: int
    lines: tuple[str, ...]


def smu_instruments(values: Values) -> str:
    """Tables of all instruments.

    Raises:
        ConfigurationError: a network too large for this wiring.
    """
    _refuse(values)
    sizes, hosts = values.sizes, itertools.count(11)

    def at() -> str:
        return f"TCPIP::192.168.0.{next(hosts)}::5025::SOCKET"

    def smu(name: str, volts: float, amps: float) -> str:
        return instrument(
            name, model="keithley2600b", address=at(), volts_limit=volts, amps_limit=amps
        )

    topology = values.network.topology
    names = [f"in{k + 1}" for k in range(math.ceil(topology.inputs.size / 2))]
    parts = [_SOURCES, *(smu(x, sizes.max_input_volts, values.input_limit_amps) for x in names)]
    names = [f"out{k + 1}" for k in range(math.ceil(topology.outputs.size / 2))]
    parts += [_NUDGES, *(smu(x, values.nudge_limit_volts, sizes.max_nudge_amps) for x in names)]
    parts += [_ACCESS, smu("access", values.pulse_volts / 2.0, _access_amps(values))]
    parts += [_MATRIX]
    mainframes = sorted({card.mainframe for card in _cards(values.lines)})
    parts += [instrument(f"matrix{n}", model="keithley3706a", address=at()) for n in mainframes]
    volts_range, _ = _fitting(METER_NOISE_VOLTS, values.node_volts)
    parts += [_METER]
    parts += [
        instrument("meter", model="daq6510", address=at(), volts_range=volts_range, line_cycles=1.0)
    ]
    return "\n".join(parts)


def smu_phases(values: Values) -> str:
    """How free and nudged phases are run."""
    sizes, topology = values.sizes, values.network.topology
    n_read = values.network.read_nodes.size
    _, meter_volts = _fitting(METER_NOISE_VOLTS, values.node_volts)
    _, source_volts = _fitting(SOURCE_NOISE_VOLTS, sizes.max_input_volts)
    return _PHASES.format(
        inputs=_pairs("in", topology.inputs.size),
        outputs=_pairs("out", topology.outputs.size),
        channels=ranges([str(channel) for channel in METER_CHANNELS[:n_read]]),
        layers=_layers(values),
        max_input_volts=sizes.max_input_volts,
        max_nudge_amps=sizes.max_nudge_amps,
        input_limit_amps=values.input_limit_amps,
        nudge_limit_volts=values.nudge_limit_volts,
        noise_volts=rms(meter_volts, values.gain * source_volts / PEAKS),
        settle=values.settle_comment("smu"),
        meter_microvolts=f"{1e6 * meter_volts:.2g}",
        source_microvolts=f"{1e6 * source_volts / PEAKS:.2g}",
    )


def smu_read_siemens(values: Values) -> float:
    """Rms error of a conductance read at both polarities by the two channels of a 2636B.

    Offsets cancel. Noise of the current falls by averaging two readings; each of the two
    differences of voltages has the noise of two.
    """
    volts = values.access_volts
    _, current = _fitting(SENSE_NOISE_AMPS, volts * values.sizes.g_max_siemens)
    _, voltage = _fitting(SOURCE_NOISE_VOLTS, volts)
    relative = math.hypot(voltage / PEAKS / volts, GAIN_ERROR / math.sqrt(3.0))
    noise = current / PEAKS / volts / math.sqrt(2.0)
    return rms(noise, relative * values.sizes.g_max_siemens)


def smu_matrix(values: Values) -> str:
    """Which crosspoints a line has, card by card."""
    parts = [_CROSSPOINTS]
    for card in _cards(values.lines):
        places = range(card.first, card.first + len(card.lines))
        relays = [f"{RELAY_SLOT + k // RELAYS}{1 + k % RELAYS:03d}" for k in places]
        parts += [
            f"[[matrix]] # slot {card.slot} of matrix{card.mainframe}, relays in slot "
            f"{relays[0][0]}",
            f'instrument = "matrix{card.mainframe}"',
            f'lines = "{ranges(card.lines)}"',
            *(f'{bus} = "{_crosspoints(card, row)}"' for bus, row in ROWS.items()),
            f'work = "{ranges(relays)}"',
            "",
        ]
    return "\n".join(parts)


def _crosspoints(card: _Card, row: int) -> str:
    columns = range(1, len(card.lines) + 1)
    return ranges([f"{card.slot}{row}{column:02d}" for column in columns])


def _refuse(values: Values) -> None:
    n_inputs = values.network.topology.inputs.size
    if n_inputs > MOST_INPUTS:
        raise ConfigurationError(
            f"{n_inputs} input lines would need {math.ceil(n_inputs / 2)} dual SMUs; beyond "
            f"{MOST_INPUTS} lines use the wiring with a board (hil bench new board)",
            n_inputs=int(n_inputs),
        )
    n_read = values.network.read_nodes.size
    if n_read > len(METER_CHANNELS):
        raise ConfigurationError(
            f"{n_read} nodes are to be read and a DAQ6510 with two 7700 cards has "
            f"{len(METER_CHANNELS)} channels: make hidden layers smaller, or use the wiring with a "
            "board (hil bench new board)",
            n_read=int(n_read),
        )


def _access_amps(values: Values) -> float:
    return max(values.program_amps, values.read_amps)


def _cards(lines: Sequence[str]) -> Iterator[_Card]:
    """Mainframes one after another, each with three matrix cards and two relay cards at most."""
    for index, start in enumerate(range(0, len(lines), MAINFRAME_LINES)):
        part = lines[start : start + MAINFRAME_LINES]
        for k, first in enumerate(range(0, len(part), CARD_LINES)):
            yield _Card(index + 1, k + 1, first, tuple(part[first : first + CARD_LINES]))


def _fitting(table: Sequence[tuple[float, float]], value: float) -> tuple[float, float]:
    """The least range that reaches a value, the largest if none does, and its noise."""
    return next((row for row in table if value <= row[0] * (1 + 1e-9)), table[-1])


def _pairs(name: str, count: int) -> str:
    """Channels of dual SMUs, one instrument a line."""
    channels = [f"{name}{1 + k // 2}.{'ab'[k % 2]}" for k in range(count)]
    return as_list([", ".join(channels[k : k + 2]) for k in range(0, count, 2)])


def _layers(values: Values) -> str:
    """Which channels are which nodes."""
    parts, first = [], 0
    sizes = values.sizes
    for k, size in enumerate(sizes.hidden, start=1):
        parts.append((f"hidden layer {k}", size))
        if sizes.forward_gain is not None:
            parts.append(("outputs of its amplifiers", size))
    parts.append(("outputs", sizes.n_outputs))
    texts = []
    for what, size in parts:
        channels = [str(channel) for channel in METER_CHANNELS[first : first + size]]
        texts.append(f"#   {what}: {ranges(channels)}")
        first += size
    return "\n".join(texts)


_SOURCES = """\
# Input lines: dual SMUs, channels a and b, line by line; bias lines come last. A limit holds for
# level and compliance: nothing beyond it is ever sent. Add serial = "4012345" to make sure that it
# is the very instrument, and line_cycles, four_wire or off_mode ("normal", "zero", "high_z").
"""
_NUDGES = """\
# Nudge currents, one channel an output.
"""
_ACCESS = """\
# Reads and programs single devices: channel a is the bus "high", channel b the bus "low".
"""
_MATRIX = """\
# 3706A: 3730 matrix cards (6x16) in slots 1 to 3, 3740 relay cards (32 relays) in slots 4 and 5, as
# many as there are lines. Rows of the same number are one bus: join them from card to card, and
# from mainframe to mainframe.
"""
_METER = """\
# Scanning voltmeter with 7700 cards (20 channels for voltages each) in slots 1 and 2, LO of all
# channels at the common ground. A fixed range is faster and keeps its offset.
"""
_PHASES = """\
# --- phases -------------------------------------------------------------------------------------
# Free: inputs at their levels, nudges at 0 A. Nudged: the same with currents at the outputs.
[phases]
kind = "smu"
inputs = {inputs} # in the order of the lines
outputs = {outputs} # current sources, in the order of the outputs
voltmeter = "meter"
# Nodes that are no inputs, in their order:
{layers}
voltmeter_channels = "{channels}"
max_input_volts = {max_input_volts} # largest level
max_nudge_amps = {max_nudge_amps} # largest nudge current
# Compliance of the inputs: a row of devices at g_max_siemens with the largest voltage in phases
# across all of them.
input_limit_amps = {input_limit_amps}
# Compliance of the nudges: what outputs reach by themselves, so that nudges widen nothing.
nudge_limit_volts = {nudge_limit_volts}
{settle}settle_tolerance = 1e-4 # share of a step that may be left then
# Rms of one reading: {meter_microvolts} uV of the meter on its range at 1 power line cycle and
# {source_microvolts} uV of the sources from 0.1 to 10 Hz (data sheets), rounded up. Measure yours.
noise_volts = {noise_volts}
"""
_CROSSPOINTS = """\
# --- matrix -------------------------------------------------------------------------------------
# Row i of array k is a<k>.r<i>, column j a<k>.c<j>. Crosspoints are in the order of the lines.
#   high, low  buses of access.high and access.low
#   ground     0 V
#   soft       0 V through a resistor, some 1 MOhm
#   work       what the line works with in phases: its source, neuron or amplifier
# 1203 is slot 1, row 2, column 3 of a 3730; 4007 is slot 4, relay 7 of a 3740.
"""
