"""Readings of an emulated 2400: ohms, the buffer, formats, time and accuracy."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.emulated.world import VoltageForce
from tests.protocol.smus import Bench2400, errors_of_one_volt


@pytest.fixture
def bench() -> Bench2400:
    return Bench2400()


@pytest.mark.parametrize("load_ohms", [1.0, 47.0, 1e3, 3.3e5, 1e7, 1e8])
def test_automatic_ohms(load_ohms: float) -> None:
    bench = Bench2400(load_ohms)
    bench.ask(":SOUR:VOLT 0.5")
    ohms, _, status = bench.numbers(":FORM:ELEM RES,TIME,STAT;:MEAS:RES?")
    assert ohms == pytest.approx(load_ohms)
    assert int(status) & 1 << 10
    assert bench.stance == VoltageForce(0.5, 105e-6)  # its own source is left as programmed


def test_open_terminals_read_overflow_in_ohms() -> None:
    bench = Bench2400(math.inf)
    assert bench.numbers(":FORM:ELEM RES;:MEAS:RES?") == [9.9e37]


def test_manual_ohms_divide_what_is_sourced_and_measured(bench: Bench2400) -> None:
    bench.ask(":SENS:FUNC 'RES';:SENS:RES:MODE MAN;:SOUR:VOLT 1;:SENS:CURR:PROT 1e-3;:OUTP ON")
    assert bench.numbers(":FORM:ELEM RES;:READ?") == pytest.approx([1e4])


def test_the_buffer(bench: Bench2400) -> None:
    bench.ask(":SOUR:VOLT 1;:SENS:CURR:PROT 1e-3;:FORM:ELEM CURR;:OUTP ON")
    bench.ask(":TRAC:POIN 4;FEED SENS;FEED:CONT NEXT;:TRIG:COUN 6;:STAT:MEAS:ENAB 512")
    assert int(bench.ask("*STB?")) & 1 == 0
    bench.ask(":INIT")
    assert int(bench.ask("*STB?")) & 1
    assert bench.ask(":TRAC:FREE?;POIN?;FEED:CONT?;:TRAC:POIN:ACT?") == "0,96;4;NEV;4"
    assert bench.numbers(":TRAC:DATA?") == pytest.approx([1e-4] * 4)
    assert bench.numbers(":DATA:DATA?") == pytest.approx([1e-4] * 4)
    assert bench.numbers(":CALC3:FORM PKPK;:CALC3:DATA?")[1] == 0.0
    bench.ask("*RST")
    assert bench.ask(":TRAC:POIN:ACT?") == "4"  # *RST does not touch the buffer
    assert bench.ask(":TRAC:CLE;POIN:ACT?") == "0"


@pytest.mark.parametrize(("border", "order"), [("NORM", ">"), ("SWAP", "<")])
def test_binary_readings(bench: Bench2400, border: str, order: str) -> None:
    bench.ask(":SOUR:VOLT 0.5;:OUTP ON;:FORM:DATA REAL,32;:FORM:ELEM VOLT,CURR")
    reply = bench.instrument.receive(f":FORM:BORD {border};:READ?\n".encode())
    assert reply[:2] == b"#0"
    assert reply[-1:] == b"\n"
    assert struct.unpack(f"{order}2f", reply[2:-1]) == pytest.approx((0.5, 5e-5))


def test_registers_in_other_radices(bench: Bench2400) -> None:
    assert bench.ask("*ESE 61;:FORM:SREG HEX;*ESE?;:FORM:SREG OCT;*ESE?;:FORM:SREG BIN;*ESE?") == (
        "#H3D;#Q75;#B111101"
    )


def test_time_passes_as_the_settings_say(bench: Bench2400) -> None:
    bench.ask(":SYST:AZER OFF;:SOUR:DEL 0.1;:SENS:CURR:NPLC 6;:FORM:ELEM TIME;:OUTP ON")
    first, second = (bench.numbers(":READ?")[0] for _ in range(2))
    assert second - first == pytest.approx(0.1 + 6 / 60)
    bench.ask(":SYST:TIME:RES")
    assert bench.numbers(":READ?")[0] == pytest.approx(0.2)


def test_readings_stray_within_the_data_sheet_and_the_offset_stays() -> None:
    offsets = []
    for seed in range(20):
        bench = Bench2400(math.inf, random=np.random.default_rng(seed))
        bench.ask(":SOUR:VOLT:RANG 2;:SENS:CURR:PROT 1e-6;:SENS:CURR:RANG 1e-6;:OUTP ON")
        bench.ask(":FORM:ELEM CURR;:TRIG:COUN 100")
        readings = np.array(bench.numbers(":READ?"))
        assert 0 < readings.std() < 5e-12
        offsets.append(readings.mean())
        assert bench.numbers(":READ?") != readings.tolist()
        assert np.mean(bench.numbers(":READ?")) == pytest.approx(offsets[-1], abs=2e-12)
    assert np.abs(offsets).max() < 300e-12 + 1e-12
    assert np.std(offsets) > 50e-12


def test_the_source_strays_within_the_data_sheet() -> None:
    setup = ":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:SENS:CURR:PROT 1e-3;:OUTP ON"
    errors = errors_of_one_volt(Bench2400, setup)
    assert 100e-6 < np.abs(errors).max() <= 800e-6  # 0.02 % + 600 uV
