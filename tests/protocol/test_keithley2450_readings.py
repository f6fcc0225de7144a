"""Readings of an emulated 2450: ohms, buffers, formats, time and accuracy."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from tests.protocol.smus import Bench2450, errors_of_one_volt


@pytest.fixture
def bench() -> Bench2450:
    return Bench2450()


@pytest.mark.parametrize("load_ohms", [1.0, 47.0, 1e3, 3.3e5, 1e7])
def test_automatic_ohms(load_ohms: float) -> None:
    bench = Bench2450(load_ohms)
    bench.ask(":SENS:FUNC 'RES';:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([load_ohms])
    assert bench.ask(":SOUR:FUNC?") == "CURR"


def test_open_terminals_read_overflow_in_ohms() -> None:
    bench = Bench2450(math.inf)
    assert bench.numbers(":SENS:FUNC 'RES';:OUTP ON;:READ?") == [9.9e37]


def test_manual_ohms_and_relative_readings(bench: Bench2450) -> None:
    bench.ask(":SENS:CURR:UNIT OHM;:SOUR:VOLT 0.5;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([1e4])
    assert bench.ask(':FETC? "defbuffer1",UNIT') == "Ohm"
    bench.ask(":SENS:CURR:UNIT AMP;:SENS:CURR:REL:ACQ")
    assert float(bench.ask(":SENS:CURR:REL?")) == pytest.approx(5e-5)
    assert bench.numbers(":READ?") == pytest.approx([0.0], abs=1e-12)


def test_several_readings_are_kept_and_the_last_is_answered(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT 0.5;:SENS:COUN 3;:OUTP ON")
    assert len(bench.numbers(":READ?")) == 1
    assert bench.ask(":TRAC:ACT?;ACT:STAR?;:TRAC:ACT:END?") == "3;1;3"
    assert len(bench.numbers(':TRAC:DATA? 1,3,"defbuffer1",REL')) == 3
    for name, value in (("MIN", 5e-5), ("MAX", 5e-5), ("SPAN", 0.0), ("STDD", 0.0)):
        assert bench.numbers(f":TRAC:STAT:{name}?") == pytest.approx([value], abs=1e-12)
    bench.ask(":TRAC:CLE")
    assert bench.ask(":TRAC:ACT?") == "0"


def test_a_buffer_that_is_full_stops_or_goes_on(bench: Bench2450) -> None:
    bench.ask(':TRAC:MAKE "mine",10,FULL;:SENS:COUN 15;:OUTP ON;:TRAC:TRIG "mine"')
    assert bench.ask(':TRAC:ACT? "mine";:TRAC:FILL:MODE? "mine"') == "10;ONCE"
    last = bench.ask(':FETC? "mine",TST')
    bench.ask(':TRAC:FILL:MODE CONT,"mine";:TRAC:TRIG "mine"')
    assert bench.ask(':TRAC:ACT? "mine"') == "10"
    assert bench.ask(':FETC? "mine",TST') > last > "01/01/2020"
    bench.ask(':TRAC:POIN 20,"mine"')
    assert bench.ask(':TRAC:POIN? "mine";:TRAC:ACT? "mine"') == "20;0"
    bench.ask(':TRAC:DEL "mine"')
    assert bench.ask(':TRAC:ACT? "mine"') == ""


@pytest.mark.parametrize(("kind", "code"), [("REAL", "d"), ("SRE", "f")])
@pytest.mark.parametrize(("border", "order"), [("NORM", ">"), ("SWAP", "<")])
def test_binary_readings(bench: Bench2450, kind: str, code: str, border: str, order: str) -> None:
    bench.ask(f":SOUR:VOLT 0.5;:OUTP ON;:FORM {kind};:FORM:BORD {border}")
    reply = bench.instrument.receive(b':READ? "defbuffer1",READ,SOUR\n')
    assert reply[:2] == b"#0"
    assert reply[-1:] == b"\n"
    assert struct.unpack(f"{order}2{code}", reply[2:-1]) == pytest.approx((5e-5, 0.5))


def test_precision_of_text(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT 0.5;:OUTP ON;:FORM:ASC:PREC 3")
    assert bench.ask(":READ?") == "5.00E-05"


def test_time_passes_as_the_settings_say(bench: Bench2450) -> None:
    bench.ask(":SENS:CURR:AZER OFF;:SENS:CURR:NPLC 6;:SOUR:VOLT:READ:BACK OFF;:SOUR:VOLT:DEL 0.2")
    bench.ask(":OUTP ON;:READ?")
    start = bench.world.now_seconds
    bench.ask(":READ?")
    assert bench.world.now_seconds - start == pytest.approx(6 / 60)
    bench.ask(":SOUR:VOLT 1;:READ?")  # the source delay follows a change of the source
    assert bench.world.now_seconds - start == pytest.approx(2 * 6 / 60 + 0.2)


def test_readings_stray_within_the_data_sheet_and_the_offset_stays() -> None:
    offsets = []
    for seed in range(20):
        bench = Bench2450(math.inf, random=np.random.default_rng(seed))
        bench.ask(":SOUR:VOLT:ILIM 1e-6;:SENS:CURR:RANG 1e-6;:SENS:COUN 100;:OUTP ON;:READ?")
        readings = np.array(bench.numbers(':TRAC:DATA? 1,100,"defbuffer1"'))
        assert 2.5e-12 < readings.std() < 10e-12  # 5 pA
        offsets.append(readings.mean())
        bench.ask(":TRAC:CLE;:READ?")
        again = np.array(bench.numbers(':TRAC:DATA? 1,100,"defbuffer1"'))
        assert again.mean() == pytest.approx(offsets[-1], abs=4e-12)
    assert np.abs(offsets).max() < 300e-12 + 2e-12
    assert np.std(offsets) > 50e-12


def test_the_source_strays_within_the_data_sheet() -> None:
    setup = ":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:SOUR:VOLT:ILIM 1e-3;:OUTP ON"
    errors = errors_of_one_volt(Bench2450, setup)
    assert 100e-6 < np.abs(errors).max() <= 500e-6  # 0.02 % + 300 uV
