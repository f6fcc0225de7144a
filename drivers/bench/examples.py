"""Example bench files, commented, for a network: what ``hil bench new`` writes."""

from __future__ import annotations

from typing import Any, Literal

import tomli_w

from drivers.bench.examples_board import (
    board_instruments,
    board_matrix,
    board_phases,
    board_substrate,
)
from drivers.bench.examples_smu import (
    smu_instruments,
    smu_matrix,
    smu_phases,
    smu_read_siemens,
)
from drivers.bench.examples_values import NODE_FARADS, Sizes, Values

__all__ = ["Sizes", "bench_text"]


def bench_text(kind: Literal["smu", "board"], sizes: Sizes) -> str:
    """A complete bench file that says what each of its values is for.

    Args:
        kind: ``smu``, wiring (a): dual SMUs, matrix and relay cards, scanning voltmeter; ``board``,
            wiring (b): a sample-and-hold board, and an SMU that reads single devices.
        sizes: the network and its levels.

    Returns:
        TOML that :class:`drivers.bench.config.BenchConfig` accepts.

    Raises:
        ConfigurationError: the network is too large for the instruments of the example, or its
            voltages or currents are.
    """
    values = Values(sizes, has_input_smus=kind == "smu")
    if kind == "smu":
        middle, matrix = [smu_instruments(values), smu_phases(values)], smu_matrix(values)
        substrate = sizes.substrate
    else:
        middle, matrix = [board_instruments(values), board_phases(values)], board_matrix(values)
        substrate = board_substrate(values)
    parts = [
        _head(kind),
        _network(kind, sizes),
        _envelope(values),
        _INSTRUMENTS,
        *middle,
        _access(values),
        matrix,
        _programming(kind, values),
        _emulation(kind, substrate),
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _head(kind: str) -> str:
    what = {
        "smu": "SMUs on every line, matrix of relays, scanning voltmeter",
        "board": "sample-and-hold board, matrix of relays to an SMU",
    }[kind]
    return _HEAD.format(what=what)


def _network(kind: str, sizes: Sizes) -> str:
    biased = ""
    if sizes.biased:
        flags = ", ".join(str(bool(has)).lower() for has in sizes.biased)
        biased = f"biased = [{flags}] # for each crossbar, whether it has a pair of bias lines\n"
    gains = ""
    if sizes.forward_gain is not None:
        gains = _AMPLIFIERS.format(forward=sizes.forward_gain, backward=sizes.backward_gain)
    return _NETWORK.format(
        n_signals=sizes.n_signals,
        hidden=list(sizes.hidden),
        n_outputs=sizes.n_outputs,
        biased=biased,
        neuron_volts=float(sizes.neuron_volts),
        g_min_siemens=float(sizes.g_min_siemens),
        g_max_siemens=float(sizes.g_max_siemens),
        pulse_siemens=float(sizes.pulse_siemens),
        node_farads=NODE_FARADS[kind],
        amplifiers=gains,
    )


def _envelope(values: Values) -> str:
    return _ENVELOPE.format(
        read_volts=values.read_volts,
        program_volts=values.program_volts,
        half_volts=values.half_select_volts,
        source_amps=values.source_amps,
        program_amps=values.program_amps,
    )


def _access(values: Values) -> str:
    return _ACCESS.format(
        read_volts=values.access_volts,
        read_amps=values.read_amps,
        read_siemens=smu_read_siemens(values),
    )


def _programming(kind: str, values: Values) -> str:
    who = {"smu": "the access SMU", "board": "the board's programming drivers"}[kind]
    return _PROGRAMMING.format(
        volts=values.pulse_volts,
        limit_amps=values.program_amps,
        read_volts=values.read_volts,
        who=who,
    )


def _emulation(kind: str, substrate: dict[str, Any]) -> str:
    cards = {
        "smu": '1 = "3730", 2 = "3730", 3 = "3730", 4 = "3740", 5 = "3740"',
        "board": '1 = "7174A", 2 = "7072"',
    }[kind]
    table = {"kind": "layered"} | substrate
    return _EMULATION.format(cards=cards) + tomli_w.dumps({"emulation": {"substrate": table}})


_HEAD = """\
# A bench: {what}.
# An example to start from: replace addresses, limits and figures by those of your bench.
# drivers/bench/BENCHES.md explains every key; `hil check FILE` compares it with the instruments.
# SI units throughout. first:last is a range of names: "a0.r0:a0.r9" is ten lines.
kind = "bench"
description = "{what}"

# What lines are left on when nothing is done: "soft_ground" (through a resistor), "float" (all
# relays open) or "hard_ground".
idle = "soft_ground"
# idle = "float"
watchdog_seconds = 60.0 # energised and nothing asked for so long: the bench is made safe
"""
_NETWORK = """\
# --- network ------------------------------------------------------------------------------------
# What is in the sockets: a stack of crossbars, each layer fully joined to the next.
[network]
kind = "layered"
n_signals = {n_signals} # input lines that carry data
hidden = {hidden} # sizes of the hidden layers
n_outputs = {n_outputs}
{biased}neuron_volts = {neuron_volts} # largest voltage in series with a neuron's diode
# The window of the devices, and the nominal change by one pulse.
g_min_siemens = {g_min_siemens}
g_max_siemens = {g_max_siemens}
pulse_siemens = {pulse_siemens}
# Of a node with its lines, cables and switches; with the conductances it gives the settling time.
node_farads = {node_farads}
{amplifiers}"""
_AMPLIFIERS = """
# Bidirectional amplifiers behind each hidden layer: voltage gain forward, current gain backward.
[network.amplifiers]
forward_gain = {forward}
backward_gain = {backward}
"""
_ENVELOPE = """\
# --- envelope -----------------------------------------------------------------------------------
# What a device may ever see, errors of sources included (0.1 % of a level and 2 mV each). Whatever
# else this file asks for is refused if it could exceed it, before anything is sent.
[envelope]
# Across a device in phases and readings. No node leaves the range of what is forced on the network
# (inputs, diodes' sources, compliance of the nudges), and a device spans that range at most.
read_volts = {read_volts}
# Across a device that is programmed, and across the others meanwhile (V/2), which must stay as they
# are; phases and readings must not bring more than the latter either.
program_volts = {program_volts}
half_select_volts = {half_volts}
source_amps = {source_amps} # out of one source in phases and readings
program_amps = {program_amps} # out of one source while programming
"""
_INSTRUMENTS = """\
# --- instruments --------------------------------------------------------------------------------
# Names are yours; the tables below use them. Addresses are VISA resources or serial ports.
"""
_ACCESS = """\
# --- access to single devices -------------------------------------------------------------------
# A device is read with its row on the bus high, its column on the bus low (virtual ground), and all
# other lines on ground.
[access]
high = "access.a"
low = "access.b"
read_volts = {read_volts} # across the device
read_amps = {read_amps} # compliance: a line of devices at g_max_siemens, all but one on ground
# Rms error of one reading at both polarities, at g_max_siemens: noise of current and voltage from
# 0.1 to 10 Hz and the errors of their gains (data sheet), rounded up. Measure yours.
read_siemens = {read_siemens}
"""
_PROGRAMMING = """\
# --- programming --------------------------------------------------------------------------------
# Pulses come from {who}. Phases and readings must leave devices as they
# are: choose amplitudes so that envelope.read_volts stays below 0.42 of them, less than what
# half-selected devices see (0.5). {read_volts} V in phases asks for {read_volts} V / 0.4 or more.
[programming]
scheme = "half" # V/2: row at half the amplitude, column at minus half, all other lines at 0 V
set_volts = {volts} # raises a conductance
reset_volts = {volts} # lowers one
width_seconds = 1e-3
# Compliance: all devices of the largest array at g_max_siemens in one pulse, at most 1 A. It spares
# sources and relays; a single device that breaks down is not protected by it.
limit_amps = {limit_amps}
most_pulses = 127 # a device and exchange; more are sent in further ones
budget_pulses = 10_000_000 # a device and session; programming stops there
"""
_EMULATION = """\
# --- emulation ----------------------------------------------------------------------------------
# What `hil emulate bench` and `hil train --emulated` put into the sockets; real instruments never
# hear of it.
[emulation]
noise = "data_sheet" # errors and noise of the instruments; "none": ideal ones
# switch_ohms = 0.5 # of a closed crosspoint
# soft_ground_ohms = 1e6
# node_farads = 0.0 # in place of network.node_farads; 0: nodes settle at once
# models = {{ access = "2602B" }} # another one of the family
# cards = {{ matrix1 = {{ {cards} }} }} # by slot

# As [substrate] of an experiment; what this file says of the network is filled in.
"""
