"""Readings of an emulated B2900: what is measured, formats, the trace, accuracy."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from tests.protocol.smus import BenchB2900

NAN = 9.91e37


@pytest.fixture
def bench() -> BenchB2900:
    return BenchB2900()


def test_what_is_not_measured_or_not_there_is_no_number(bench: BenchB2900) -> None:
    bench.ask(':SENS:FUNC:OFF:ALL;:SENS:FUNC "CURR";:SOUR:VOLT 0.5;:OUTP ON')
    volts, amps, ohms, *_ = bench.numbers(":MEAS?")
    assert (volts, amps, ohms) == pytest.approx((NAN, 5e-5, NAN))
    assert bench.ask(":SENS:FUNC:OFF?;:SENS:FUNC:STAT? CURR") == '"VOLT","RES";1'
    assert bench.numbers(":FETC:VOLT? (@2)") == [NAN]


@pytest.mark.parametrize(("bits", "code"), [(32, "f"), (64, "d")])
@pytest.mark.parametrize(("border", "order"), [("NORM", ">"), ("SWAP", "<")])
def test_binary_data(bench: BenchB2900, bits: int, code: str, border: str, order: str) -> None:
    bench.ask(f":SOUR:VOLT 0.5;:OUTP ON;:FORM REAL,{bits};:FORM:BORD {border}")
    bench.ask(":FORM:ELEM:SENS VOLT,CURR;:SENS:FUNC:OFF 'VOLT'")
    reply = bench.instrument.receive(b":MEAS?\n")
    size = 2 * bits // 8
    header = f"#{len(str(size))}{size}".encode()
    assert reply.startswith(header)
    assert reply.endswith(b"\n")
    volts, amps = struct.unpack(f"{order}2{code}", reply[len(header) : -1])
    assert math.isnan(volts)
    assert amps == pytest.approx(5e-5)


def test_data_by_offset_and_the_trace_buffer(bench: BenchB2900) -> None:
    bench.ask(":FORM:ELEM:SENS CURR;:TRAC:POIN 3;:TRAC:FEED SENS;:TRAC:FEED:CONT NEXT")
    bench.ask(":SENS:CURR:PROT 1e-2;:SOUR:LIST:VOLT 1,2,3,4,5;:SOUR:VOLT:MODE LIST;:TRIG:COUN 5")
    bench.ask(":INIT")
    assert bench.numbers(":SENS:DATA? 1,2") == pytest.approx([2e-4, 3e-4])
    assert bench.numbers(":SENS:DATA? STAR") == pytest.approx([1e-4, 2e-4, 3e-4, 4e-4, 5e-4])
    assert bench.numbers(":SENS:DATA? CURR") == bench.numbers(":SENS:DATA:LAT?")
    assert bench.ask(":TRAC:POIN:ACT?;:TRAC:FREE?;FEED:CONT?") == "3;0,3;NEV"
    assert bench.numbers(":TRAC:DATA?") == pytest.approx([1e-4, 2e-4, 3e-4])
    assert bench.numbers(":TRAC:STAT:DATA?") == pytest.approx([2e-4])
    bench.ask(":TRAC:STAT:FORM SDEV;:SENS:DATA:CLE")
    assert bench.numbers(":TRAC:STAT:DATA?") == pytest.approx([1e-4])
    assert bench.numbers(":FETC:ARR?") == [NAN]
    assert bench.ask(":TRAC:CLE;:TRAC:POIN:ACT?") == "0"


def test_readings_stray_within_the_data_sheet_and_the_offset_stays() -> None:
    offsets = []
    for seed in range(20):
        bench = BenchB2900(math.inf, random=np.random.default_rng(seed))
        bench.ask(":SENS:CURR:PROT 1e-6;RANG 1e-6;NPLC 1;:OUTP ON;:TRIG:ACQ:COUN 100")
        readings = np.array(bench.numbers(":READ:ARR:CURR?"))
        assert 2e-12 < readings.std() < 6e-12  # 25 pA peak to peak
        offsets.append(readings.mean())
        assert np.mean(bench.numbers(":READ:ARR:CURR?")) == pytest.approx(offsets[-1], abs=3e-12)
    assert np.abs(offsets).max() < 500e-12 + 2e-12
    assert np.std(offsets) > 100e-12


def test_the_two_channels_have_errors_of_their_own() -> None:
    bench = BenchB2900(math.inf, random=np.random.default_rng(1))
    bench.ask(":SOUR1:VOLT 1;:SOUR2:VOLT 1;:OUTP1 ON;:OUTP2 ON")
    volts = [bench.world.reading(c).volts for c in bench.instrument.channels.values()]
    assert volts[0] != volts[1]
    assert np.abs(np.array(volts) - 1.0).max() <= 550e-6  # 0.02 % + 350 uV
