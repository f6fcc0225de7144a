"""What the manual says of a 2400, asked of the emulated one in its own words."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.emulated.keithley2400_models import MODEL_2410
from drivers.emulated.world import CurrentForce, Open, VoltageForce
from tests.protocol.smus import Bench2400, watched

NONE = '0,"No error"'


@pytest.fixture
def bench() -> Bench2400:
    return Bench2400()


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (":OUTP?", 0),
        (":SOUR:VOLT?", 0),
        (":SOUR:CURR?", 0),
        (":SENS:CURR:PROT?", 105e-6),
        (":SENS:VOLT:PROT?", 21),
        (":SOUR:VOLT:RANG?", 21),
        (":SOUR:VOLT:RANG:AUTO?", 1),
        (":SENS:CURR:RANG?", 1.05e-4),
        (":SENS:CURR:NPLC?", 1),
        (":SENS:FUNC:CONC?", 1),
        (":SYST:RSEN?", 0),
        (":SYST:AZER?", 1),
        (":TRIG:COUN?", 1),
        (":ARM:COUN?", 1),
        (":SOUR:SWE:POIN?", 2500),
        (":SOUR:DEL:AUTO?", 1),
        (":SOUR:CLE:AUTO?", 0),
    ],
)
def test_numbers_after_a_reset(bench: Bench2400, query: str, answer: float) -> None:
    bench.ask(":SOUR:VOLT 5;:SENS:CURR:PROT 1;:TRIG:COUN 3;:SYST:RSEN 1;:SENS:CURR:NPLC 5")
    bench.ask(":SENS:FUNC:CONC 0;:SYST:AZER 0;:SOUR:CLE:AUTO 1;:SOUR:DEL 1;:OUTP ON;*RST")
    assert float(bench.ask(query)) == pytest.approx(answer)
    assert bench.ask(":SYST:ERR?") == NONE


def test_words_after_a_reset(bench: Bench2400) -> None:
    assert bench.ask(":SOUR:FUNC?;:SENS:FUNC?;:OUTP:SMOD?;:FORM:DATA?") == 'VOLT;"CURR:DC";NORM;ASC'
    assert bench.ask(":FORM:ELEM?") == "VOLT,CURR,RES,TIME,STAT"
    assert Bench2400(model=MODEL_2410).ask(":OUTP:SMOD?;*IDN?").startswith("GUAR;KEITHLEY INSTR")


@pytest.mark.parametrize(
    ("mode", "stance"),
    [
        ("NORM", VoltageForce(0.0, 0.005 * 1e-4)),
        ("ZERO", VoltageForce(0.0, 105e-6)),
        ("GUAR", CurrentForce(0.0, 0.005 * 2)),
        ("HIMP", Open()),
    ],
)
def test_the_output_off_states(bench: Bench2400, mode: str, stance: object) -> None:
    bench.ask(f":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:OUTP ON;:OUTP:SMOD {mode};:OUTP OFF")
    assert bench.stance == stance


def test_compliance_shows_in_the_query_the_status_word_and_the_register(bench: Bench2400) -> None:
    bench.ask(":SOUR:VOLT 10;:SENS:CURR:PROT 1e-4;:OUTP ON")
    assert bench.ask(":SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "1;0"
    assert int(bench.ask(":STAT:MEAS:COND?")) & 1 << 14
    volts, amps, _, _, status = bench.numbers(":READ?")
    assert volts == pytest.approx(10)  # not measured: the programmed value
    assert amps == pytest.approx(1e-4)
    assert int(status) & (1 << 3 | 1 << 14 | 1 << 16) == 1 << 3 | 1 << 14
    bench.ask(":SOUR:VOLT 0.5")
    assert bench.ask(":SENS:CURR:PROT:TRIP?") == "0"
    assert int(bench.numbers(":READ?")[4]) & 1 << 3 == 0


def test_range_compliance_has_its_own_bit(bench: Bench2400) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:SENS:CURR:RANG 1e-4;:SOUR:VOLT 10;:OUTP ON")
    status = int(bench.numbers(":READ?")[4])
    assert status & (1 << 3 | 1 << 16) == 1 << 16
    assert bench.ask(":SENS:CURR:PROT:TRIP?") == "0"


def test_what_is_neither_sourced_nor_measured_is_no_number(bench: Bench2400) -> None:
    bench.ask(":SOUR:FUNC CURR;:SOUR:CURR 1e-5;:OUTP ON")
    volts, amps, ohms, _, _ = bench.numbers(":READ?")
    assert volts == ohms == 9.91e37
    assert amps == pytest.approx(1e-5)


def test_overflow_on_a_fixed_range() -> None:
    bench = Bench2400(1e4)
    bench.ask(":SOUR:FUNC CURR;:SENS:VOLT:PROT 20;:SENS:FUNC 'VOLT';:SENS:VOLT:RANG 20")
    bench.ask(":SOUR:CURR 1e-3;:OUTP ON")
    assert bench.numbers(":READ?")[0] == pytest.approx(10.0)
    bench.ask(":SENS:VOLT:RANG 2")
    volts, *_, status = bench.numbers(":READ?")
    assert volts == pytest.approx(2.1)  # the source is held back at the range's end
    assert int(status) & 1 << 16


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":READ?", 803),
        (":INIT", 803),
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", -222),
        (":SOUR:VOLT 211", -222),
        (":SOUR:VOLT 5;:SOUR:VOLT:RANG 0.2", -222),
        (":SENS:CURR:RANG 1e-3", 824),
        (":SENS:CURR:PROT 1;:SENS:CURR:RANG 1;:SENS:CURR:PROT 1e-5", 822),
        (":SENS:CURR:PROT 1;:SOUR:VOLT 100", 826),
        (":SOUR:VOLT 100;:SENS:CURR:PROT 1", 826),
        (":SENS:CURR:PROT 1e-10", -222),
        (":SENS:CURR:NPLC 11", -222),
        (":TRIG:COUN 2501", -222),
        (":ARM:COUN 2;:TRIG:COUN 2000", -222),
        (":ARM:SOUR BUS;:OUTP ON;:READ?", -214),
        (":ARM:COUN INF;:OUTP ON;:READ?", 830),
        (":ARM:SOUR BUS;:OUTP ON;:INIT;:INIT", -213),
        ("*TRG", -211),
        (":FETC?", -230),
        (":TRAC:DATA?", -230),
        (":SENS:FUNC 'TEMP'", -224),
        (":SENS:FUNC:CONC 0;:SENS:FUNC 'VOLT','CURR'", -221),
        (":SOUR:LIST:VOLT 300", -222),
        (":SOUR:LIST:VOLT " + ",".join(["1"] * 101), -108),
        (":SOUR:VOLT", -109),
        (":FORM:ELEM VOLT,SPEED", -224),
        (":SOUR:SWE:SPAC LOG;:SOUR:VOLT:MODE SWE;:SOUR:VOLT:STOP 1;:OUTP ON;:READ?", -221),
    ],
)
def test_errors(bench: Bench2400, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert bench.error_code() == code
    assert bench.ask(":SYST:ERR?") == NONE


def test_a_2410_has_its_own_ranges_and_power() -> None:
    bench = Bench2400(model=MODEL_2410)
    assert "MODEL 2410" in bench.ask("*IDN?")
    assert float(bench.ask(":SENS:CURR:PROT 0.021;:SOUR:VOLT 1000;:SOUR:VOLT:RANG?")) == 1100
    assert float(bench.ask(":SENS:CURR:RANG 0.02;RANG?")) == pytest.approx(0.021)
    bench.ask(":SENS:CURR:PROT 0.1")
    assert bench.ask(":SYST:ERR?") == '+826,"Attempt to exceed power limit"'


def test_the_output_enable_line(bench: Bench2400) -> None:
    bench.ask(":OUTP ON")
    bench.instrument.set_output_enable(False)
    assert bench.ask(":OUTP?;:OUTP:ENAB:TRIP?") == "1;0"  # not enabled, so it does not count
    bench.ask(":OUTP:ENAB ON")
    bench.instrument.set_output_enable(False)
    assert bench.ask(":OUTP?") == "0"
    bench.ask(":OUTP ON")
    assert bench.ask(":SYST:ERR?") == '+802,"OUTPUT blocked by output enable"'
    assert bench.stance == Open()


def test_measure_resets_the_function_and_energises_read_does_not(bench: Bench2400) -> None:
    bench.ask(":SOUR:VOLT 0.5;:SENS:CURR:NPLC 5;:TRIG:COUN 4")
    values = bench.numbers(":MEAS:CURR?")
    assert len(values) == 5
    assert values[1] == pytest.approx(5e-5)
    assert bench.ask(":OUTP?;:SENS:CURR:NPLC?;:TRIG:COUN?") == "1;1.000000E+00;1"
    bench.ask(":OUTP OFF;:CONF:VOLT")
    assert bench.ask(":OUTP?;:CONF?") == '1;"VOLT:DC"'  # manual, table 17-1: output turns on


@pytest.mark.parametrize(
    ("setup", "levels"),
    [
        (
            ":SOUR:VOLT:STAR 0;STOP 1;STEP 0.25;:SOUR:VOLT:MODE SWE;:TRIG:COUN 5",
            np.linspace(0, 1, 5),
        ),
        (
            ":SOUR:VOLT:SPAN 2;CENT 0;:SOUR:SWE:POIN 3;DIR DOWN;:SOUR:VOLT:MODE SWE;:TRIG:COUN 3",
            [1, 0, -1],
        ),
        (
            ":SOUR:VOLT:STAR 0.01;STOP 1;MODE SWE;:SOUR:SWE:SPAC LOG;POIN 3;:TRIG:COUN 3",
            [0.01, 0.1, 1],
        ),
        (
            ":SOUR:LIST:VOLT 0.1,0.2;VOLT:APP 0.3;:SOUR:LIST:VOLT:STAR 2;"
            ":SOUR:VOLT:MODE LIST;:TRIG:COUN 4",
            [0.2, 0.3, 0.1, 0.2],
        ),
        (":SOUR:VOLT:TRIG 0.7;:ARM:COUN 2", [0.7, 0.7]),
    ],
)
def test_sweeps(bench: Bench2400, setup: str, levels: list[float]) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:FORM:ELEM CURR;:OUTP ON")
    bench.ask(setup)
    assert bench.ask(":SYST:ERR?") == NONE
    assert bench.numbers(":READ?") == pytest.approx(np.asarray(levels) / 1e4, abs=1e-12)
    assert bench.numbers(":FETC?") == pytest.approx(np.asarray(levels) / 1e4, abs=1e-12)
    assert bench.numbers(":SENS:DATA?") == pytest.approx([levels[-1] / 1e4], abs=1e-12)


def test_a_sweep_can_stop_at_compliance(bench: Bench2400) -> None:
    bench.ask(":SOUR:LIST:VOLT 0.5,2,3;:SOUR:VOLT:MODE LIST;:TRIG:COUN 3;:SOUR:SWE:CAB EARL")
    assert len(bench.numbers(":FORM:ELEM CURR;:OUTP ON;:READ?")) == 2


def test_automatic_output_off(bench: Bench2400) -> None:
    bench.ask(":SOUR:CLE:AUTO ON;:SOUR:VOLT 0.5")
    assert bench.numbers(":FORM:ELEM CURR;:READ?") == pytest.approx([5e-5])
    assert bench.ask(":OUTP?") == "0"


def test_a_trigger_sources_nothing_once_the_output_is_off(bench: Bench2400) -> None:
    bench.ask(":ARM:SOUR BUS;:SOUR:VOLT 1;:OUTP ON;:INIT;:OUTP OFF")
    off = bench.stance
    steps = watched(bench.instrument.channel, bench.world)
    bench.ask("*TRG")
    assert bench.ask(":SYST:ERR?").startswith("-211")
    assert steps == []
    assert bench.stance == off


def test_a_run_that_is_refused_halfway_leaves_the_instrument_idle(bench: Bench2400) -> None:
    bench.ask(":SOUR:CLE:AUTO ON;:OUTP:ENAB ON")
    bench.instrument.set_output_enable(False)
    assert bench.ask(":READ?") == ""
    assert bench.ask(":SYST:ERR?").startswith("+802")
    assert int(bench.ask(":STAT:OPER:COND?")) == 1 << 10
    assert bench.stance == Open()


def test_where_both_roots_may_be_left_out_sense_is_meant(bench: Bench2400) -> None:
    bench.ask(':FUNC:CONC 0;:FUNC "VOLT"')
    assert bench.ask(":SENS:FUNC?;:SOUR:FUNC?") == '"VOLT:DC";VOLT'
    bench.ask("VOLTAGE:PROTECTION 5;:CURRENT:PROTECTION 1e-3")
    assert bench.numbers(":SENS:VOLT:PROT?") == [5]
    assert bench.numbers(":SENS:CURR:PROT?") == [1e-3]
    assert bench.numbers(":SOUR:VOLT:PROT?") == [210]
    assert bench.ask(":SYST:ERR?") == NONE


def test_the_clock_of_time_stamps(bench: Bench2400) -> None:
    bench.ask(":SYST:TIME:RES;:OUTP ON")
    assert bench.numbers(":SYST:TIME?") == [0]
    stamp = bench.numbers(":FORM:ELEM TIME;:READ?")[0]
    assert bench.numbers(":SYST:TIME?")[0] == pytest.approx(stamp)
