"""What the manual says of a 2450, asked of the emulated one in its own words."""

from __future__ import annotations

import pytest

from drivers.emulated.keithley2450_models import MODEL_2460
from drivers.emulated.world import CurrentForce, Open, VoltageForce
from tests.protocol.smus import JUNK, Bench2450

NONE = '0,"No error;0;0 0"'


@pytest.fixture
def bench() -> Bench2450:
    return Bench2450()


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (":OUTP?", 0),
        (":SOUR:VOLT?", 0),
        (":SOUR:VOLT:ILIM?", 105e-6),
        (":SOUR:CURR:VLIM?", 21),
        (":SOUR:VOLT:RANG?", 0.02),
        (":SOUR:VOLT:RANG:AUTO?", 1),
        (":SENS:CURR:RANG?", 1e-4),
        (":SENS:VOLT:RANG?", 20),
        (":SENS:RES:RANG?", 2e5),
        (":SENS:CURR:RANG:AUTO?", 1),
        (":SENS:VOLT:RANG:AUTO:LLIM?", 0.02),
        (":SENS:CURR:NPLC?", 1),
        (":SENS:RES:AZER?", 1),
        (":SENS:CURR:RSEN?", 0),
        (":SENS:COUN?", 1),
        (":SENS:VOLT:AVER:COUN?", 10),
        (":SOUR:VOLT:READ:BACK?", 1),
        (":SOUR:CURR:DEL:AUTO?", 1),
        (":SOUR:VOLT:HIGH:CAP?", 0),
        (":TRAC:POIN?", 100000),
        (":TRAC:ACT?", 0),
        (":SOUR:LIST:VOLT:POIN?", 1),
        (":CURR:NPLC? MAX", 10),
        (":SENS:CURR:RANG? DEF", 1e-4),
        (":SOUR:VOLT:ILIM? MAX", 1.05),
    ],
)
def test_numbers_after_a_reset(bench: Bench2450, query: str, answer: float) -> None:
    bench.ask(":SOUR:VOLT 5;:SOUR:VOLT:ILIM 1e-2;:SENS:CURR:NPLC 5;:SENS:COUN 3;:SENS:CURR:RSEN 1")
    bench.ask(":SENS:CURR:RANG 1e-3;:SOUR:VOLT:RANG 20;:SOUR:VOLT:DEL 1;:SOUR:VOLT:READ:BACK 0")
    bench.ask(':OUTP ON;:READ?;:TRAC:POIN 50,"defbuffer1";:SOUR:LIST:VOLT 1,2;*RST')
    assert float(bench.ask(query)) == pytest.approx(answer)
    assert bench.ask(":SYST:ERR?") == NONE


def test_words_after_a_reset(bench: Bench2450) -> None:
    bench.ask(":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:OUTP:SMOD GUAR;:FORM REAL;*RST")
    assert bench.ask(":SOUR:FUNC?;:SENS:FUNC?;:OUTP:VOLT:SMOD?;:FORM?") == 'VOLT;"CURR:DC";NORM;ASC'
    assert bench.ask("*LANG?;:SOUR:VOLT:PROT?;:ROUT:TERM?;:FORM:BORD?") == "SCPI;NONE;FRON;SWAP"
    assert bench.ask(":TRIG:STAT?;:SENS:CURR:UNIT?") == "IDLE;IDLE;0;AMP"


@pytest.mark.parametrize(
    ("mode", "stance"),
    [
        ("NORM", VoltageForce(0.0, 1e-4)),  # a tenth of the 1 mA range
        ("ZERO", VoltageForce(0.0, 1e-3)),
        ("GUAR", CurrentForce(0.0, 0.2)),
        ("HIMP", Open()),
    ],
)
def test_the_output_off_states(bench: Bench2450, mode: str, stance: object) -> None:
    bench.ask(":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:SENS:CURR:RANG 1e-3;:OUTP ON")
    bench.ask(f":OUTP:VOLT:SMOD {mode};:OUTP OFF")
    assert bench.stance == stance
    assert bench.ask(":OUTP:CURR:SMOD?") == "NORM"  # each source function has its own


def test_the_limit_shows_in_its_query_and_in_the_reading(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT 10;:SOUR:VOLT:ILIM 1e-4;:OUTP ON")
    assert bench.ask(":SOUR:VOLT:ILIM:TRIP?;:SOUR:CURR:VLIM:TRIP?") == "1;0"
    amps, volts, status = bench.numbers(':READ? "defbuffer1",READ,SOUR,SOURSTAT')
    assert (amps, volts) == pytest.approx((1e-4, 1.0))  # the source is read back
    assert int(status) == 128 + 32 + 8
    bench.ask(":SOUR:VOLT:READ:BACK OFF")
    assert bench.numbers(':READ? "defbuffer1",SOUR') == [10.0]  # as programmed
    bench.ask(":SOUR:VOLT 0.5")
    assert bench.ask(":SOUR:VOLT:ILIM:TRIP?") == "0"


def test_a_fixed_range_overflows_and_holds_the_source(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT 10;:SOUR:VOLT:ILIM 1e-2;:SENS:CURR:RANG 1e-4;:OUTP ON")
    assert bench.numbers(":READ?") == [9.9e37]
    assert bench.world.reading(bench.instrument.channel).amps == pytest.approx(1.05e-4)
    assert bench.ask(":SOUR:VOLT:ILIM:TRIP?") == "0"
    bench.ask(":SENS:CURR:RANG:AUTO ON")
    assert bench.numbers(":READ?") == pytest.approx([1e-3])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", -222),
        (":SOUR:VOLT 211", -222),
        (":SOUR:VOLT 5;:SOUR:VOLT:RANG 0.2", -222),
        (":SOUR:VOLT:ILIM 2", -222),
        (":SOUR:VOLT:ILIM 1e-10", -222),
        (":SENS:CURR:RANG 1;:SOUR:VOLT:ILIM 1e-4", -222),  # a thousandth of the range
        (":SOUR:VOLT 100;:SOUR:VOLT:ILIM 1", -222),
        (":SENS:CURR:NPLC 11", -222),
        (":SENS:FUNC 'TEMP'", -224),
        (":SOUR:VOLT", -109),
        (":SOUR:VOLT 1,2", -108),
        (":SENS:CURR:PROT 1", -113),  # the 2400's way
        (":FORM:ELEM VOLT", -113),
        (":VOLT 1", -113),  # SOURce cannot be left out
        (":FETC?", -230),
        (':TRAC:DATA? 1,1,"defbuffer1"', -230),
        (':OUTP ON;:READ?;:TRAC:DATA? 1,2,"defbuffer1"', -222),
        (':READ? "nobody"', -224),
        (':READ? "defbuffer1",SPEED', 1133),
        (':FORM REAL;:READ? "defbuffer1",TIME', 1133),
        (':TRAC:MAKE "defbuffer1",100', -224),
        (':TRAC:DEL "defbuffer2"', -224),
        (":INIT", 2714),
        (":SOUR:SWE:VOLT:LIN 0,300,3", -222),
        (":SOUR:SWE:VOLT:LOG 0,1,3", -222),
        (":SOUR:SWE:VOLT:LIN 0,1,3,1e-6", -222),
        (":SOUR:SWE:CURR:LIN 0,1e-3,3;:INIT", -221),
        (":SOUR:LIST:VOLT " + ",".join(["1"] * 101), -108),
        (":TRIG:LOAD 'Nonsense'", -224),
        ("*LANG BASIC", -224),
    ],
)
def test_errors(bench: Bench2450, message: str, code: int) -> None:
    replies = bench.ask(message)
    assert "E+37" not in replies
    text = bench.ask(":SYST:ERR?")
    assert int(text.split(",")[0]) == code
    assert text.split(";")[-2] == "1"  # severity: error
    assert bench.ask(":SYST:ERR?") == NONE


def test_the_event_log_has_times_severities_and_warnings(bench: Bench2450) -> None:
    bench.world.elapse(1.5)
    bench.ask(":SOUR:VOLT")
    assert bench.ask(":SYST:ERR:COUN?;:SYST:EVEN:COUN?") == "1;1"
    assert bench.ask(":SYST:EVEN:NEXT?") == '-109,"Missing parameter;1;2020/01/01 00:00:01.500"'
    bench.ask(":SOUR:VOLT:ILIM 1;:SOUR:VOLT 100")  # no power for both
    assert float(bench.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(0.105)
    assert bench.ask(":SYST:ERR?;:SYST:EVEN:COUN? WARN") == NONE + ";1"
    bench.ask(":SYST:CLE")
    assert bench.ask(":SYST:EVEN:COUN? ALL;:SYST:EVEN:NEXT?") == "0;" + NONE


def test_errors_set_the_status_byte(bench: Bench2450) -> None:
    bench.ask("*CLS;:NONSENSE")
    assert int(bench.ask("*STB?")) & 4
    assert int(bench.ask("*ESR?")) == 1 << 5
    bench.ask("*CLS")
    assert bench.ask("*STB?;:SYST:ERR:CODE?") == "0;0"


def test_the_interlock() -> None:
    bench = Bench2450(1e6)
    bench.ask(":SOUR:VOLT 100;:OUTP ON")
    bench.instrument.set_interlock(False)
    assert bench.ask(":OUTP?;:OUTP:INT:TRIP?") == "1;0"
    assert bench.world.reading(bench.instrument.channel).volts == pytest.approx(42)
    bench.ask(":OUTP OFF;:OUTP ON")
    assert bench.ask(":SYST:EVEN:NEXT?").startswith("5074,")
    bench.ask(":OUTP:INT:STAT ON")
    bench.instrument.set_interlock(True)
    assert bench.ask(":OUTP?") == "0"  # any change of the line switches it off
    bench.instrument.set_interlock(False)
    bench.ask(":OUTP ON")
    assert bench.ask(":SYST:ERR?;:OUTP?").startswith("-221")
    assert bench.stance == Open()
    bench.ask("*RST")
    assert bench.ask(":OUTP:INT:STAT?") == "1"  # *RST does not touch it


def test_overvoltage_protection(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT:PROT PROT5;:SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 10;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([5e-4])
    assert bench.ask(":SOUR:VOLT:PROT?;:SOUR:VOLT:PROT:TRIP?") == "PROT5;1"
    bench.ask(":SOUR:VOLT 1")
    assert bench.ask(":SOUR:VOLT:PROT:TRIP?") == "0"


def test_what_switches_the_output_off(bench: Bench2450) -> None:
    for message in (":SENS:CURR:RSEN ON", ":ROUT:TERM REAR", ":SOUR:FUNC CURR", "*RST"):
        bench.ask(":OUTP ON")
        assert bench.ask(f"{message};:OUTP?") == "0"
    bench.ask(":OUTP ON")
    assert bench.ask(":SENS:CURR:RSEN OFF;:OUTP?") == "1"  # no change
    assert bench.ask(":READ?;:OUTP?").endswith(";1")


def test_reading_does_not_switch_the_output_on(bench: Bench2450) -> None:
    bench.ask(":SOUR:VOLT 1")
    assert bench.numbers(":READ?") == [0.0]
    assert bench.ask(":MEAS:VOLT?;:OUTP?") == "0.000000E+00;0"


def test_a_2460_has_its_own_ranges_and_power() -> None:
    bench = Bench2450(1.0, model=MODEL_2460)
    assert "MODEL 2460" in bench.ask("*IDN?")
    assert float(bench.ask(":SOUR:CURR:VLIM?")) == pytest.approx(7.35)
    assert float(bench.ask(":SOUR:VOLT 5;:SOUR:VOLT:RANG?")) == 7
    bench.ask(":SOUR:VOLT:ILIM 7;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([5.0])
    bench.ask(":SOUR:VOLT 50")
    assert float(bench.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(1.05)
    assert bench.ask(":SYST:ERR?") == NONE


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_an_error_and_nothing_more(bench: Bench2450, junk: bytes) -> None:
    bench.instrument.receive(junk)
    bench.instrument.reset_session()
    assert bench.ask("*CLS;*IDN?;:SYST:ERR?").endswith(NONE)
