"""Sweeps, triggers and pulses of an emulated B2900."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.emulated.world import VoltageForce
from tests.protocol.smus import BenchB2900, watched

NONE = '+0,"No error"'
NAN = 9.91e37


@pytest.fixture
def bench() -> BenchB2900:
    return BenchB2900()


@pytest.mark.parametrize(
    ("setup", "levels"),
    [
        (":SOUR:VOLT:STAR 0;STOP 1;POIN 5;MODE SWE", np.linspace(0, 1, 5)),
        (":SOUR:VOLT:STAR 0;STOP 1;STEP 0.5;MODE SWE;:SOUR:SWE:DIR DOWN", [1, 0.5, 0]),
        (":SOUR:VOLT:CENT 0;SPAN 2;MODE SWE;:SOUR:SWE:POIN 3;STA DOUB", [-1, 0, 1, 1, 0, -1]),
        (":SOUR:VOLT:STAR 0.01;STOP 1;POIN 3;MODE SWE;:SOUR:SWE:SPAC LOG", [0.01, 0.1, 1]),
        (":SOUR:LIST:VOLT 0.1,0.2;VOLT:APP 0.3;:SOUR:VOLT:MODE LIST", [0.1, 0.2, 0.3]),
        (":SOUR:VOLT:TRIG 0.7", [0.7]),
    ],
)
def test_sweeps(bench: BenchB2900, setup: str, levels: list[float]) -> None:
    bench.ask(f":SENS:CURR:PROT 1e-2;:SOUR:VOLT 0.25;:OUTP ON;{setup};:TRIG:SOUR AINT")
    bench.ask(f":TRIG:COUN {len(levels)};:INIT (@1)")
    assert bench.ask(":SYST:ERR?;*OPC?;:IDLE?") == NONE + ";1;1"
    currents = np.asarray(levels) / 1e4
    assert bench.numbers(":FETC:ARR:CURR? (@1)") == pytest.approx(currents, abs=1e-12)
    assert bench.numbers(":FETC:ARR:SOUR? (@1)") == pytest.approx(np.asarray(levels), abs=1e-12)
    assert bench.numbers(":FETC:CURR?") == pytest.approx(currents[-1:], abs=1e-12)
    assert bench.stance() == VoltageForce(0.25, 1e-2)  # back at the programmed level
    bench.ask(":SOUR:FUNC:TRIG:CONT ON;:INIT")
    assert bench.stance() == VoltageForce(pytest.approx(levels[-1]), 1e-2)


def test_two_channels_step_together(bench: BenchB2900) -> None:
    bench.ask(":SENS1:CURR:PROT 1e-2;:SENS2:CURR:PROT 1e-2;:FORM:ELEM:SENS CURR,SOUR")
    bench.ask(":SOUR1:LIST:VOLT 1,2,3;:SOUR2:LIST:VOLT 4,5;:SOUR1:VOLT:MODE LIST")
    bench.ask(":SOUR2:VOLT:MODE LIST;:TRIG1:COUN 3;:TRIG2:COUN 2")
    forced: list[tuple[str, float]] = []
    for channel in bench.instrument.channels.values():
        channel.on_change = lambda c: (
            forced.append((c.name[-1], c.stance.volts))
            if isinstance(c.stance, VoltageForce)
            else None
        )
    bench.ask(":OUTP1 ON;:OUTP2 ON")
    forced.clear()
    assert bench.numbers(":READ:ARR? (@1,2)") == pytest.approx(
        [1e-4, 1, 4e-4, 4, 2e-4, 2, 5e-4, 5, 3e-4, 3, NAN, NAN]
    )
    assert forced[:5] == [("1", 1.0), ("2", 4.0), ("1", 2.0), ("2", 5.0), ("1", 3.0)]
    assert bench.numbers(":FETC? (@2,1)") == pytest.approx([3e-4, 3, 5e-4, 5])
    times = ":FETC:ARR:TIME? (@1:2)"
    assert bench.numbers(times)[0] == bench.numbers(times)[1]


def test_measurements_and_source_steps_alone(bench: BenchB2900) -> None:
    bench.ask(":SOUR:VOLT 0.5;:TRIG:ACQ:COUN 4;:TRIG:TRAN:COUN 2;:INIT:ACQ (@1)")
    assert len(bench.numbers(":FETC:ARR:CURR?")) == 4
    bench.ask(":SOUR:LIST:VOLT 0.1,0.2;:SOUR:VOLT:MODE LIST;:INIT:TRAN (@1)")
    assert bench.numbers(":FETC:ARR:CURR?") == [NAN]  # nothing was measured


def test_a_timer_gives_the_period(bench: BenchB2900) -> None:
    bench.ask(":SOUR:VOLT 0.5;:TRIG:SOUR TIM;TIM 0.25;COUN 3;:INIT;:SYST:TIME:TIM:COUN:RES")
    stamps = bench.numbers(":FETC:ARR:TIME?")
    assert np.diff(stamps) == pytest.approx([0.25, 0.25])


def test_a_bus_trigger_steps_what_waits(bench: BenchB2900) -> None:
    bench.ask(":SOUR:LIST:VOLT 0.1,0.2;:SOUR:VOLT:MODE LIST;:TRIG:SOUR BUS;COUN 2;:INIT")
    assert bench.ask(":IDLE? (@1);:IDLE? (@2)") == "0;1"
    bench.ask("*TRG")
    assert bench.numbers(":FETC:ARR:CURR?") == pytest.approx([1e-5])
    bench.ask(":TRIG (@1)")
    assert bench.numbers(":FETC:ARR:CURR?") == pytest.approx([1e-5, 2e-5])
    assert bench.ask(":IDLE?") == "1"
    bench.ask(":INIT;:ABOR (@1)")
    assert bench.ask(":IDLE?;:SYST:ERR?") == "1;" + NONE


@pytest.mark.parametrize("count", ["INF", "2147483647"])
def test_an_endless_run_is_busy_until_it_is_aborted(bench: BenchB2900, count: str) -> None:
    bench.ask(f":SOUR:LIST:VOLT 0.1,0.2,0.3;:SOUR:VOLT:MODE LIST;:TRIG:TRAN:COUN {count}")
    assert bench.ask(":TRIG:TRAN:COUN?;:TRIG:ACQ:COUN?") == "2147483647;1"
    bench.ask(":TRIG:ACQ:COUN 2;:INIT")
    assert bench.numbers(":FETC:ARR:CURR?") == pytest.approx([1e-5, 2e-5])
    assert bench.ask(":IDLE?") == "0"
    assert bench.stance() == VoltageForce(0.3, 1e-4)
    bench.ask(":INIT")
    assert bench.ask(":SYST:ERR?").startswith("-213")
    bench.ask(":ABOR")
    assert bench.ask(":IDLE?") == "1"
    assert bench.stance() == VoltageForce(0.0, 1e-4)


def test_pulses_have_their_width_and_return_to_the_level(bench: BenchB2900) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:SOUR:FUNC PULS;:SOUR:PULS:WIDT 0.01;DEL 0.002;:OUTP ON")
    bench.ask(":SOUR:LIST:VOLT 1,2;:SOUR:VOLT:MODE LIST;:TRIG:COUN 2;SOUR TIM;TIM 0.1")
    steps = watched(bench.instrument.channels[1], bench.world)
    assert bench.numbers(":READ:ARR:VOLT?") == pytest.approx([1.0, 2.0])
    assert [step.volts for step in steps] == [1.0, 0.0, 2.0, 0.0]
    assert [step.seconds for step in steps] == pytest.approx([0.002, 0.012, 0.102, 0.112])
