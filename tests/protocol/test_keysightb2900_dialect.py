"""What the manual says of a B2900, asked of the emulated one in its own words."""

from __future__ import annotations

import pytest

from drivers.emulated.keysightb2900_models import B2901A, B2902A, B2912A
from drivers.emulated.world import Open, VoltageForce
from tests.protocol.smus import JUNK, BenchB2900

NONE = '+0,"No error"'


@pytest.fixture
def bench() -> BenchB2900:
    return BenchB2900()


@pytest.mark.parametrize("suffix", ["", "1", "2"])
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (":OUTP{}?", 0),
        (":OUTP{}:ON:AUTO?", 1),
        (":OUTP{}:OFF:AUTO?", 0),
        (":OUTP{}:PROT?", 0),
        (":SOUR{}:VOLT?", 0),
        (":SOUR{}:CURR?", 0),
        (":SOUR{}:VOLT:RANG:AUTO?", 1),
        (":SENS{}:CURR:PROT?", 1e-4),
        (":SENS{}:VOLT:PROT?", 2),
        (":SENS{}:CURR:RANG:AUTO?", 1),
        (":SENS{}:CURR:NPLC?", 0.1),
        (":SENS{}:VOLT:APER?", 0.1 / 60),
        (":SENS{}:CURR:NPLC:AUTO?", 1),
        (":SENS{}:REM?", 0),
        (":SENS{}:FUNC:COUN?", 3),
        (":TRIG{}:COUN?", 1),
        (":TRIG{}:ACQ:COUN?", 1),
        (":ARM{}:TRAN:COUN?", 1),
        (":TRIG{}:ACQ:DEL?", 0),
        (":TRAC{}:POIN?", 100000),
        (":SOUR{}:LIST:VOLT:POIN?", 1),
        (":SOUR{}:VOLT:POIN?", 1),
    ],
)
def test_numbers_after_a_reset(bench: BenchB2900, query: str, answer: float, suffix: str) -> None:
    for c in ("", "2"):
        bench.ask(
            f":OUTP{c}:ON:AUTO 0;:OUTP{c}:OFF:AUTO 1;:OUTP{c}:PROT 1;:SENS{c}:REM 1;CURR:NPLC 2"
        )
        bench.ask(
            f":SENS{c}:CURR:PROT 1e-2;:SENS{c}:VOLT:PROT 9;:SOUR{c}:VOLT 5;:SOUR{c}:CURR 1e-3"
        )
        bench.ask(f":SOUR{c}:VOLT:RANG 20;:SENS{c}:CURR:RANG 1e-3;:SENS{c}:FUNC:OFF 'RES'")
        bench.ask(f":TRIG{c}:COUN 5;:TRIG{c}:ACQ:DEL 1;:ARM{c}:COUN 2;:TRAC{c}:POIN 5;:OUTP{c} ON")
        bench.ask(f":SOUR{c}:LIST:VOLT 1,2;:SOUR{c}:VOLT:POIN 7")
    assert bench.ask(":SYST:ERR?") == NONE
    bench.ask("*RST")
    assert float(bench.ask(query.format(suffix))) == pytest.approx(answer)
    assert bench.ask(":SYST:ERR?") == NONE


def test_words_after_a_reset(bench: BenchB2900) -> None:
    bench.ask(":SOUR:FUNC:MODE CURR;:FORM REAL,32;:FORM:ELEM:SENS CURR;:OUTP:OFF:MODE HIZ")
    bench.ask(":TRIG:SOUR BUS;:SOUR:VOLT:MODE LIST;*RST")
    assert bench.ask(":SOUR:FUNC:MODE?;:OUTP:OFF:MODE?;:OUTP:LOW?;:FORM?") == "VOLT;NORM;FLO;ASC"
    assert bench.ask(":FORM:ELEM:SENS?") == "VOLT,CURR,RES,TIME,STAT,SOUR"
    assert (
        bench.ask(":SENS2:FUNC?;:TRIG2:SOUR?;:SOUR2:VOLT:MODE?") == '"VOLT","CURR","RES";AINT;FIX'
    )
    assert bench.ask(":FORM:BORD?;:SOUR:SWE:STA?;:SENS:RES:MODE?") == "NORM;SING;MAN"


@pytest.mark.parametrize(
    ("mode", "stance"), [("NORM", Open()), ("HIZ", Open()), ("ZERO", VoltageForce(0.0, 1e-4))]
)
def test_the_output_off_states(bench: BenchB2900, mode: str, stance: object) -> None:
    bench.ask(f":SOUR2:VOLT 1;:OUTP2 ON;:OUTP2:OFF:MODE {mode};:OUTP2 OFF")
    assert bench.stance(2) == stance


def test_init_and_read_energise_an_output_measure_does_not(bench: BenchB2900) -> None:
    bench.ask(":SOUR:VOLT 0.5;:SOUR2:VOLT 0.5")
    assert bench.numbers(":MEAS:VOLT? (@1,2)") == [0.0, 0.0]
    assert bench.ask(":OUTP1?;:OUTP2?") == "0;0"
    assert bench.numbers(":READ:VOLT? (@2)") == pytest.approx([0.5])
    assert bench.ask(":OUTP1?;:OUTP2?") == "0;1"
    bench.ask(":INIT")  # channel 1, unless others are named
    assert bench.ask(":OUTP1?") == "1"
    bench.ask(":OUTP1 OFF;:OUTP2 OFF;:OUTP1:ON:AUTO OFF;:OUTP2:ON:AUTO OFF;:INIT (@1,2)")
    assert bench.ask(":OUTP1?;:OUTP2?") == "0;0"
    assert bench.numbers(":READ:VOLT? (@1)") == [0.0]


def test_automatic_output_off(bench: BenchB2900) -> None:
    bench.ask(":OUTP:OFF:AUTO ON;:SOUR:VOLT 0.5")
    assert bench.numbers(":READ:CURR?") == pytest.approx([5e-5])
    assert bench.ask(":OUTP?") == "0"


def test_compliance_shows_in_its_query_and_in_the_status(bench: BenchB2900) -> None:
    bench.ask(":SOUR:VOLT 10;:OUTP ON")
    assert bench.ask(":SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "1;0"
    volts, amps, ohms, _, status, source = bench.numbers(":MEAS?")
    assert (volts, amps, ohms, source) == pytest.approx((1.0, 1e-4, 1e4, 10.0))
    assert int(status) & 0b111 == 0b010
    bench.ask(":SOUR:FUNC:MODE CURR;:SOUR:CURR 1e-3;:OUTP ON")
    assert bench.ask(":SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "0;1"
    assert int(bench.numbers(":MEAS:STAT?")[0]) & 0b111 == 0b011


def test_a_fixed_range_overflows_and_holds_the_source(bench: BenchB2900) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:SENS:CURR:RANG 1e-4;:SOUR:VOLT 10;:OUTP ON")
    assert bench.numbers(":MEAS:CURR?") == [9.9e37]
    assert int(bench.numbers(":MEAS:STAT?")[0]) & 1 << 13
    assert bench.world.reading(bench.instrument.channels[1]).amps == pytest.approx(1.06e-4)


def test_overcurrent_protection_switches_off_at_once(bench: BenchB2900) -> None:
    bench.ask(":OUTP:PROT ON;:SOUR:VOLT 0.5;:OUTP ON")
    assert bench.ask(":OUTP?;:SYST:ERR?") == "1;" + NONE
    bench.ask(":SOUR:VOLT 1.5")
    assert bench.ask(":OUTP?;:SOUR:VOLT?") == "0;0.000000E+00"
    assert "Emergency" in bench.ask(":SYST:ERR?")
    assert bench.stance() == Open()


def test_the_interlock() -> None:
    bench = BenchB2900(1e7)
    bench.ask(":SOUR:VOLT 100;:OUTP ON;:SOUR2:VOLT 10;:OUTP2 ON")
    assert bench.ask(":SYST:INT:TRIP?") == "0"
    bench.instrument.set_interlock(False)
    assert bench.ask(":SYST:INT:TRIP?;:OUTP1?;:OUTP2?") == "1;0;1"
    assert "Interlock" in bench.ask(":SYST:ERR?")
    bench.ask(":SOUR2:VOLT 50")
    assert "Interlock" in bench.ask(":SYST:ERR?")
    bench.ask(":SOUR2:LIST:VOLT 60;:SOUR2:VOLT:MODE LIST")
    assert bench.numbers(":READ:VOLT? (@2)") == pytest.approx([42.0])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:VOLT 211", -222),
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", -222),
        (":SOUR:VOLT 5;:SOUR:VOLT:RANG 0.2", -222),
        (":SENS:CURR:PROT 4", -222),
        (":SENS:CURR:PROT 1e-12", -222),
        (":SENS:CURR:PROT 1;:SOUR:VOLT 100", -221),
        (":SOUR:VOLT 100;:SENS:CURR:PROT 1", -221),
        (":SOUR2:FUNC:MODE POW", -224),
        (":SENS:FUNC 'TEMP'", -224),
        (":FORM:ELEM:SENS SPEED", -224),
        (":FORM REAL,16", -222),
        (":SOUR3:VOLT 1", -113),
        (":MEAS? (@3)", -222),
        (":MEAS? 1", -104),
        (":TRIG:COUN 0", -222),
        (":TRIG:SOUR NOBODY", -224),
        (":SOUR:LIST:VOLT 1,300", -222),
        (":SOUR:LIST:VOLT " + ",".join(["1"] * 2501), -108),
        (":SOUR:LIST:VOLT " + ",".join(["1"] * 2000) + ";VOLT:APP " + ",".join(["1"] * 501), -223),
        (":SOUR:SWE:SPAC LOG;:SOUR:VOLT:MODE SWE;STOP 1;:INIT", -221),
        (":TRIG:SOUR BUS;:INIT;:INIT", -213),
        ("*TRG", -211),
        (":TRAC:FEED:CONT NEXT;:TRAC:CLE", -221),
        (":SENS:RES:MODE AUTO", -224),
        (":SOUR:VOLT", -109),
        (":VOLT:ILIM 1", -113),
    ],
)
def test_errors(bench: BenchB2900, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert bench.error_code() == code
    assert bench.ask(":SYST:ERR?") == NONE


def test_models_differ_in_channels_and_ranges() -> None:
    one = BenchB2900(model=B2901A)
    assert one.ask("*IDN?").startswith("Keysight Technologies,B2901A,")
    assert one.ask(":OUTP2 ON;:SYST:ERR?") == ""
    assert one.ask(":SYST:ERR?").startswith("-113")
    assert one.ask(":SYST:CHAN:COUN?") == "1"
    assert float(one.ask(":SENS:CURR:RANG 1e-9;RANG?")) == 1e-7
    two = BenchB2900(model=B2902A)
    assert float(two.ask(":SENS2:CURR:RANG 1e-9;RANG?")) == 1e-7
    assert float(BenchB2900(model=B2912A).ask(":SENS2:CURR:RANG 1e-9;RANG?")) == 1e-8


@pytest.mark.parametrize(
    ("sent", "cycles"), [("NPLC 1", 1), ("NPLC 1e6", 120), ("NPLC MIN", 4.8e-4), ("APER 0.1", 6)]
)
def test_integration_time_is_one_setting_within_limits(
    bench: BenchB2900, sent: str, cycles: float
) -> None:
    bench.ask(f":SENS:CURR:{sent}")
    assert float(bench.ask(":SENS:VOLT:NPLC?")) == pytest.approx(cycles)
    assert float(bench.ask(":SENS:RES:APER?")) == pytest.approx(cycles / 60)
    assert bench.ask(":SENS:CURR:APER:AUTO?;:SYST:ERR?") == "0;" + NONE
    bench.ask(":SYST:LFR 50")
    assert float(bench.ask(":SENS:RES:APER?")) == pytest.approx(cycles / 50)


@pytest.mark.parametrize(
    ("header", "sent", "kept"),
    [
        (":outp1", "1.0", 1),
        (":outp2:prot", "1.0", 1),
        (":sens1:curr:range:auto", "0.0", 0),
        (":source2:voltage:level:immediate:amplitude", "1.5", 1.5),
        (":sour1:curr:trig", "0.002", 2e-3),
        (":sens1:curr:prot", "1e-06", 1e-6),
        (":sens2:volt:prot", "4", 4),
        (":sour2:pulse:widt", "0.5", 0.5),
        (":sens1:curr:range", "0.1", 0.1),
        (":sense1:voltage:dc:aperture", "0.0001", 1e-4),
        (":sens1:curr:nplc", "10", 10),
        (":trig1:tran:del", "0.5", 0.5),
        (":trig2:acq:tim", "10 ms", 0.01),
        (":trig1:tran:tim", "MIN", 1e-5),
        (":sour1:volt", "-250 mV", -0.25),
    ],
)
def test_spellings(bench: BenchB2900, header: str, sent: str, kept: float) -> None:
    bench.ask(f"{header} {sent}")
    assert float(bench.ask(f"{header}?")) == pytest.approx(kept)
    assert bench.ask(":SYST:ERR?") == NONE


def test_the_operation_status_shows_what_is_idle(bench: BenchB2900) -> None:
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 128 + 1024
    bench.ask(":TRIG2:SOUR BUS;:INIT (@2)")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16
    bench.ask(":ABOR:ALL (@2);:INIT:ACQ (@2)")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 1024
    bench.ask("*RST")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 128 + 1024


def test_errors_all_at_once_and_registers(bench: BenchB2900) -> None:
    bench.ask(":NONSENSE")
    bench.ask(":SOUR:VOLT")
    assert bench.ask(":SYST:ERR:COUN?;:SYST:ERR:ALL?") == (
        '2;-113,"Undefined header",-109,"Missing parameter"'
    )
    assert int(bench.ask("*ESR?")) & 1 << 5
    assert bench.ask("*ESE 61;:FORM:SREG HEX;*ESE?") == "#H3D"


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_an_error_and_nothing_more(bench: BenchB2900, junk: bytes) -> None:
    bench.instrument.receive(junk)
    bench.instrument.reset_session()
    assert bench.ask("*CLS;*IDN?;:SYST:ERR?").endswith(NONE)
