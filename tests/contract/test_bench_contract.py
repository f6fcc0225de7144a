"""The substrate contract on emulated benches: SMUs on every line, and a board.

What the bench files state is what the data sheets of the emulated instruments say, in V and S rms.
An error that stays the same as long as a level does cancels where two states of equal drives are
compared; it counts where equal drives meet different parts (two banks of holds, a nudge source at
0 A or open), where an input is compared with a node, and a conductance with the window.
"""

from __future__ import annotations

import math
import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.substrate import open_bench
from drivers.emulated.bench import EmulatedBench
from drivers.emulated.serving.running import running
from drivers.transport.interface import Transport
from drivers.transport.serial import SerialTransport
from drivers.transport.visa import VisaTransport
from hil.contract import check_substrate
from hil.substrate import Substrate
from sim_backend.memristors.config import DeviceConfig
from sim_backend.memristors.response import pulse_spread
from tests.protocol.bench.files import board_bench, merged, smu_bench

Factory = Callable[[], Substrate]

PATIENCE_SECONDS = 60.0
SMALL = (2, [3], 2, [True, False])
TEXTS = {"smu": smu_bench, "board": board_bench}

G_MIN, G_MAX = 1e-5, 1e-4
MOST_OUTPUT_OHMS = (1.0 + 1.0 / 4.0) / (3 * G_MIN)  # three devices, four more behind each of them
PEAKS = 6.0  # peak to peak over rms

# Wiring (a). DAQ6510, 1 V range, 1 power line cycle: 0.7 uV. Inputs, 2636B on 2 V: 50 uV peak to
# peak from 0.1 to 10 Hz. Nudges, 2636B on 10 uA: 60 pA likewise, across an output. Offsets of 600
# uV and 5 nA are the same for equal drives: ranges are fixed, and nudges stay on at 0 A.
SMU_VOLTS = math.hypot(0.7e-6, 50e-6 / PEAKS, 60e-12 / PEAKS * MOST_OUTPUT_OHMS)
# Access, 2636B, 0.1 V at both polarities, up to 10 uA: noise of currents on 10 uA (60 pA) and of
# voltages on 200 mV (20 uV), two readings each, of two channels; gain errors of 0.025 % and 0.015 %
# at most, evenly spread.
READ_SIEMENS = math.hypot(
    60e-12 / PEAKS / 0.1 / math.sqrt(2.0),
    20e-6 / PEAKS / 0.1 * G_MAX,
    4e-4 / math.sqrt(3.0) * G_MAX,
)

# Wiring (b). Parts of a board, LF398 and 16 bits. Errors that stay the same differ between banks
# (offsets, steps), between a free phase and a nudge of 0 A (offset of the nudge), and between an
# input, known by its code, and a node that is read, which counts where a drop changes its sign.
BOARD: dict[str, Any] = {
    "dac": {
        "bits": 16,
        "range_volts": 0.5,
        "gain_spread": 2e-4,
        "offset_volts": 1e-4,
        "inl_lsb": 1.0,
        "noise_volts": 2e-5,
    },
    "nudge": {
        "bits": 16,
        "range_amps": 1e-5,
        "gain_spread": 1e-2,
        "offset_amps": 1e-9,
        "inl_lsb": 1.0,
        "noise_amps": 2e-10,
    },
    "timing": {"acquisition_seconds": 2e-5, "read_seconds": 1e-4},
    "hold": {
        "tau_seconds": 2e-6,
        "step_volts": 5e-4,
        "step_spread_volts": 1e-4,
        "droop_volts_per_second": 8e-3,
        "droop_spread_volts_per_second": 8e-3,
        "offset_volts": 1e-4,
        "gain_spread": 2e-5,
        "noise_volts": 5e-5,
    },
    "adc": {
        "bits": 16,
        "range_volts": 1.0,
        "gain_spread": 2e-4,
        "offset_volts": 1e-4,
        "inl_lsb": 1.0,
        "noise_volts": 5e-5,
    },
    "comparator": {"offset_volts": 2e-4, "noise_volts": 1e-4, "hysteresis_volts": 1e-4},
}
# Codes of the converter, +-1 V, and of the inputs, +-0.5 V.
STEPS_VOLTS = math.hypot(1.0, 0.5) / 2**15 / math.sqrt(12.0)
BOARD_VOLTS = math.hypot(
    math.sqrt(2.0) * 1e-4,  # offset and step of one hold against another one
    5e-5,  # noise of holds
    5e-5,  # noise of the converter
    2e-5,  # noise of the inputs
    math.sqrt(2.0) * math.hypot(1e-4, 2e-4 * 0.5),  # offset, gain: inputs against the converter
    math.exp(-20e-6 / 2e-6) * 0.5,  # what acquisition leaves of a step of the holds
    math.hypot(1e-9, 2e-10) * MOST_OUTPUT_OHMS,
    STEPS_VOLTS,
)

# Without errors replies are rounded.
QUIET_VOLTS = {"smu": 1e-7, "board": STEPS_VOLTS}
QUIET_SIEMENS = 1e-11

CHANGES: dict[str, Any] = {
    # Ten pulses from end to end, because the check asks for ten windows' worth.
    "network": {"g_min_siemens": G_MIN, "g_max_siemens": G_MAX, "pulse_siemens": 9e-6},
    # Outputs are nudged beyond what inputs bring them to.
    "phases": {"max_nudge_amps": 1e-5, "nudge_limit_volts": 1.0, "settle_tolerance": 1e-9},
    "envelope": {"read_volts": 2.1, "program_volts": 4.1, "half_select_volts": 2.1},
    "programming": {"set_volts": 4.0, "reset_volts": 4.0},
    "instruments": {"access": {"line_cycles": 1.0}},
}


def bench(kind: str, errors: bool, **changes: Any) -> BenchConfig:
    """A bench file, and in its sockets instruments with errors or ideal ones."""
    volts = ({"smu": SMU_VOLTS, "board": BOARD_VOLTS} if errors else QUIET_VOLTS)[kind]
    stated: dict[str, Any] = {
        "phases": {"noise_volts": volts},
        "access": {"read_siemens": READ_SIEMENS if errors else QUIET_SIEMENS},
        "emulation": {"noise": "data_sheet" if errors else "none"},
    }
    if kind == "smu":
        stated["instruments"] = {"meter": {"line_cycles": 1.0}}
    elif errors:
        stated["emulation"]["substrate"] = {"board": BOARD}
    every = merged(merged(CHANGES, stated), changes)
    return BenchConfig.model_validate(tomllib.loads(TEXTS[kind](*SMALL, **every)))


def check(config: BenchConfig, seed: int = 3) -> EmulatedBench:
    """Check one bench that is opened for each clause anew, and left as the last one left it."""
    emulated = EmulatedBench(config, seed)
    check_substrate(lambda: open_bench(config, emulated.transport, emulated.sleep))
    return emulated


posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")


class Prompt(VisaTransport):
    """Emulated instruments have no late replies, which clearing a socket waits 0.1 s for."""

    def clear(self) -> None:
        return


@contextmanager
def served(config: BenchConfig, seed: int = 3) -> Iterator[tuple[EmulatedBench, Factory]]:
    """An emulated bench on sockets and pseudo-terminals, and what opens it there."""
    emulated = EmulatedBench(config, seed)
    servers = emulated.servers(dict.fromkeys(config.instruments))

    def session(name: str, instrument: InstrumentConfig) -> Transport:
        kind = SerialTransport if instrument.model == "shboard" else Prompt
        return kind(servers[name].address, timeout_seconds=PATIENCE_SECONDS)

    with running(*servers.values()):
        # Ramps need no time of ours: it passes in the emulated world.
        yield emulated, lambda: open_bench(quiet(emulated).config, session, emulated.sleep)


def quiet(emulated: EmulatedBench) -> EmulatedBench:
    """The same bench, once what was written to it last has been carried out."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        report = emulated.report()
        if report.is_safe and not any(switch.closed for switch in report.switches.values()):
            return emulated
        assert time.monotonic() < end, report


def left_safe(emulated: EmulatedBench) -> None:
    """Nothing is on or joined, and no device has seen more than the envelope allows."""
    report = emulated.report()
    assert report.is_safe
    assert report.n_violations == 0
    assert all(not switch.closed and switch.n_hot == 0 for switch in report.switches.values())
    assert np.abs(emulated.take_drops()).max() <= emulated.config.envelope.program_volts


@pytest.mark.parametrize("kind", TEXTS)
def test_ideal_instruments_in_memory(kind: str) -> None:
    left_safe(check(bench(kind, errors=False)))


@pytest.mark.parametrize("kind", TEXTS)
def test_errors_of_data_sheets_in_memory_and_a_third_of_the_voltage(kind: str) -> None:
    left_safe(check(bench(kind, errors=True, programming={"scheme": "third"})))


@pytest.mark.parametrize("kind", ["smu", pytest.param("board", marks=posix)])
def test_errors_of_data_sheets_over_sockets_and_terminals(kind: str) -> None:
    with served(bench(kind, errors=True)) as (emulated, opened):
        check_substrate(opened)
        left_safe(quiet(emulated))


def test_nodes_that_take_time_to_settle() -> None:
    board = {"settling": {"node_farads": 1e-10}, "timing": {"wait_seconds": 1e-3}}
    config = bench(
        "board",
        errors=True,
        network={"node_farads": 1e-10},
        phases={"settle_tolerance": 1e-6},
        emulation={"substrate": {"board": board}},
    )
    left_safe(check(config))


def test_devices_that_are_stuck_uneven_and_disturbed() -> None:
    devices = {
        "g_min_siemens": G_MIN,
        "g_max_siemens": G_MAX,
        "pulses": {"kind": "linear_step", "step_weight": 0.2, "cycle_spread": 1.0},
        "stuck": {"high": 0.05, "low": 0.05},
        "disturb": {"scheme": "half", "half_select_share": 1e-3},
    }
    built = DeviceConfig.model_validate(devices).build()
    config = bench(
        "board",
        errors=True,
        network={"pulse_spread": pulse_spread(built, (G_MIN, G_MAX))},
        emulation={"substrate": {"devices": devices}},
    )
    left_safe(check(config))


@pytest.mark.parametrize("kind", TEXTS)
def test_benches_that_state_too_little_noise(kind: str) -> None:
    with pytest.raises(AssertionError, match="the same drive settled twice"):
        check(bench(kind, errors=True, phases={"noise_volts": QUIET_VOLTS[kind]}))
    # Less across a device brings out the noise of the access source.
    access = {"read_volts": 3e-4, "read_siemens": QUIET_SIEMENS}
    with pytest.raises(AssertionError, match="conductances or counts around zero pulses"):
        check(bench(kind, errors=True, access=access))
