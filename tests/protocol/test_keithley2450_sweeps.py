"""Sweeps and trigger models of an emulated 2450."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.emulated.world import VoltageForce
from tests.protocol.smus import Bench2450, watched

NONE = '0,"No error;0;0 0"'


@pytest.fixture
def bench() -> Bench2450:
    return Bench2450()


@pytest.mark.parametrize(
    ("sweep", "levels"),
    [
        (":SOUR:SWE:VOLT:LIN 0,1,5", np.linspace(0, 1, 5)),
        (":SOUR:SWE:VOLT:LIN 0,1,3,0,1,AUTO,ON,ON", [0, 0.5, 1, 1, 0.5, 0]),
        (":SOUR:SWE:VOLT:LIN 0,1,2,0,2", [0, 1, 0, 1]),
        (":SOUR:SWE:VOLT:LIN:STEP 1,-1,0.5", [1, 0.5, 0, -0.5, -1]),
        (":SOUR:SWE:VOLT:LOG 0.01,1,3", [0.01, 0.1, 1]),
        (":SOUR:LIST:VOLT 0.1,0.2;VOLT:APP 0.3;:SOUR:SWE:VOLT:LIST 2,50e-6", [0.2, 0.3]),
    ],
)
def test_sweeps(bench: Bench2450, sweep: str, levels: list[float]) -> None:
    bench.ask(f":SOUR:VOLT:ILIM 1e-2;{sweep};:INIT;*WAI")
    assert bench.ask(":SYST:ERR?;:OUTP?") == NONE + ";0"
    count = len(levels)
    assert bench.ask(":TRAC:ACT?") == str(count)
    data = bench.numbers(f':TRAC:DATA? 1,{count},"defbuffer1",READ,SOUR')
    assert data[::2] == pytest.approx(np.asarray(levels) / 1e4, abs=1e-12)
    assert data[1::2] == pytest.approx(np.asarray(levels), abs=1e-12)


@pytest.mark.parametrize(("abort", "count"), [("ON", 2), ("OFF", 3)])
def test_a_sweep_can_stop_at_the_limit(bench: Bench2450, abort: str, count: int) -> None:
    bench.ask(f":SOUR:LIST:VOLT 0.5,2,3;:SOUR:SWE:VOLT:LIST 1,0,1,{abort};:INIT")
    assert bench.ask(":TRAC:ACT?") == str(count)


def test_a_sweep_empties_its_buffer_and_the_world_sees_every_level(bench: Bench2450) -> None:
    steps = watched(bench.instrument.channel, bench.world)
    bench.ask(':TRAC:MAKE "mine",10;:OUTP ON;:READ? "mine"')
    steps.clear()
    bench.ask(':SOUR:SWE:VOLT:LIN 1,2,2,0.1,1,BEST,OFF,OFF,"mine";:INIT')
    assert bench.ask(':TRAC:ACT? "mine";:TRAC:ACT? "defbuffer1"') == "2;0"
    sourced = [step.volts for step in steps if isinstance(step.stance, VoltageForce)]
    assert [volts for volts in sourced if volts] == [1.0, 2.0]
    assert sourced[-1] == 0.0


@pytest.mark.parametrize(
    ("load", "count"),
    [
        (' "SimpleLoop",4,0.5', 4),
        (' "DurationLoop",1,0.5', 2),
        (':LOOP:SIMP 4,0.5,"defbuffer1"', 4),
        (":LOOP:DUR 1,0.5", 2),
    ],
)
def test_trigger_templates(bench: Bench2450, load: str, count: int) -> None:
    bench.ask(f":SENS:CURR:NPLC 0.01;:SOUR:VOLT 0.1;:OUTP ON;:TRIG:LOAD{load};:INIT;*WAI")
    assert bench.ask(":TRAC:ACT?;:OUTP?") == f"{count};1"
    times = bench.numbers(f':TRAC:DATA? 1,{count},"defbuffer1",REL')
    assert times[1] - times[0] == pytest.approx(0.501)


def test_a_trigger_model_made_of_blocks(bench: Bench2450) -> None:
    blocks = (
        ':TRIG:BLOC:BUFF:CLE 1,"defbuffer1"',
        ":TRIG:BLOC:SOUR:STAT 2,ON",
        ":TRIG:BLOC:DEL:CONS 3,0.1",
        ':TRIG:BLOC:MEAS 4,"defbuffer1"',
        ":TRIG:BLOC:BRAN:COUN 5,6,3",
        ":TRIG:BLOC:SOUR:STAT 6,OFF",
        ":TRIG:BLOC:NOP 7",
    )
    bench.ask(f':TRIG:LOAD "Empty";{";".join(blocks)};:SOUR:VOLT 0.5;:INIT')
    assert bench.ask(":TRAC:ACT?;:OUTP?;:TRIG:STAT?") == "6;0;IDLE;IDLE;7"
    assert bench.numbers(":TRAC:STAT:AVER?") == pytest.approx([5e-5])
