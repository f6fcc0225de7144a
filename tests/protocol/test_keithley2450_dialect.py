"""What the manual says of a 2450, asked of the emulated one in its own words."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.keithley2450_models import MODEL_2460
from drivers.emulated.world import CurrentForce, Open, ResistorWorld, VoltageForce

NONE = '0,"No error;0;0 0"'


class Bench:
    """An instrument with a resistor, spoken to in text."""

    def __init__(self, load_ohms: float = 1e4, **options: object) -> None:
        self.world = ResistorWorld(load_ohms)
        self.instrument = EmulatedKeithley2450(self.world, **options)  # type: ignore[arg-type]

    def ask(self, message: str) -> str:
        return self.instrument.receive(message.encode() + b"\n").decode().rstrip("\n")

    def numbers(self, message: str) -> list[float]:
        return [float(field) for field in self.ask(message).split(",")]

    @property
    def stance(self) -> object:
        return self.instrument.channel.stance


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
def test_numbers_after_a_reset(bench: Bench, query: str, answer: float) -> None:
    bench.ask(":SOUR:VOLT 5;:SOUR:VOLT:ILIM 1e-2;:SENS:CURR:NPLC 5;:SENS:COUN 3;:SENS:CURR:RSEN 1")
    bench.ask(":SENS:CURR:RANG 1e-3;:SOUR:VOLT:RANG 20;:SOUR:VOLT:DEL 1;:SOUR:VOLT:READ:BACK 0")
    bench.ask(':OUTP ON;:READ?;:TRAC:POIN 50,"defbuffer1";:SOUR:LIST:VOLT 1,2;*RST')
    assert float(bench.ask(query)) == pytest.approx(answer)
    assert bench.ask(":SYST:ERR?") == NONE


def test_words_after_a_reset(bench: Bench) -> None:
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
def test_the_output_off_states(bench: Bench, mode: str, stance: object) -> None:
    bench.ask(":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:SENS:CURR:RANG 1e-3;:OUTP ON")
    bench.ask(f":OUTP:VOLT:SMOD {mode};:OUTP OFF")
    assert bench.stance == stance
    assert bench.ask(":OUTP:CURR:SMOD?") == "NORM"  # each source function has its own


def test_the_limit_shows_in_its_query_and_in_the_reading(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 10;:SOUR:VOLT:ILIM 1e-4;:OUTP ON")
    assert bench.ask(":SOUR:VOLT:ILIM:TRIP?;:SOUR:CURR:VLIM:TRIP?") == "1;0"
    amps, volts, status = bench.numbers(':READ? "defbuffer1",READ,SOUR,SOURSTAT')
    assert (amps, volts) == pytest.approx((1e-4, 1.0))  # the source is read back
    assert int(status) == 128 + 32 + 8
    bench.ask(":SOUR:VOLT:READ:BACK OFF")
    assert bench.numbers(':READ? "defbuffer1",SOUR') == [10.0]  # as programmed
    bench.ask(":SOUR:VOLT 0.5")
    assert bench.ask(":SOUR:VOLT:ILIM:TRIP?") == "0"


def test_a_fixed_range_overflows_and_holds_the_source(bench: Bench) -> None:
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
def test_errors(bench: Bench, message: str, code: int) -> None:
    replies = bench.ask(message)
    assert "E+37" not in replies
    text = bench.ask(":SYST:ERR?")
    assert int(text.split(",")[0]) == code
    assert text.split(";")[-2] == "1"  # severity: error
    assert bench.ask(":SYST:ERR?") == NONE


def test_the_event_log_has_times_severities_and_warnings(bench: Bench) -> None:
    bench.world.elapse(1.5)
    bench.ask(":SOUR:VOLT")
    assert bench.ask(":SYST:ERR:COUN?;:SYST:EVEN:COUN?") == "1;1"
    assert bench.ask(":SYST:EVEN:NEXT?") == '-109,"Missing parameter;1;2020/01/01 00:00:01.500"'
    bench.ask(":SOUR:VOLT:ILIM 1;:SOUR:VOLT 100")  # no power for both
    assert float(bench.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(0.105)
    assert bench.ask(":SYST:ERR?;:SYST:EVEN:COUN? WARN") == NONE + ";1"
    bench.ask(":SYST:CLE")
    assert bench.ask(":SYST:EVEN:COUN? ALL;:SYST:EVEN:NEXT?") == "0;" + NONE


def test_errors_set_the_status_byte(bench: Bench) -> None:
    bench.ask("*CLS;:NONSENSE")
    assert int(bench.ask("*STB?")) & 4
    assert int(bench.ask("*ESR?")) == 1 << 5
    bench.ask("*CLS")
    assert bench.ask("*STB?;:SYST:ERR:CODE?") == "0;0"


def test_the_interlock() -> None:
    bench = Bench(1e6)
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


def test_overvoltage_protection(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT:PROT PROT5;:SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 10;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([5e-4])
    assert bench.ask(":SOUR:VOLT:PROT?;:SOUR:VOLT:PROT:TRIP?") == "PROT5;1"
    bench.ask(":SOUR:VOLT 1")
    assert bench.ask(":SOUR:VOLT:PROT:TRIP?") == "0"


def test_what_switches_the_output_off(bench: Bench) -> None:
    for message in (":SENS:CURR:RSEN ON", ":ROUT:TERM REAR", ":SOUR:FUNC CURR", "*RST"):
        bench.ask(":OUTP ON")
        assert bench.ask(f"{message};:OUTP?") == "0"
    bench.ask(":OUTP ON")
    assert bench.ask(":SENS:CURR:RSEN OFF;:OUTP?") == "1"  # no change
    assert bench.ask(":READ?;:OUTP?").endswith(";1")


def test_reading_does_not_switch_the_output_on(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 1")
    assert bench.numbers(":READ?") == [0.0]
    assert bench.ask(":MEAS:VOLT?;:OUTP?") == "0.000000E+00;0"


@pytest.mark.parametrize("load_ohms", [1.0, 47.0, 1e3, 3.3e5, 1e7])
def test_automatic_ohms(load_ohms: float) -> None:
    bench = Bench(load_ohms)
    bench.ask(":SENS:FUNC 'RES';:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([load_ohms])
    assert bench.ask(":SOUR:FUNC?") == "CURR"


def test_open_terminals_read_overflow_in_ohms() -> None:
    bench = Bench(math.inf)
    assert bench.numbers(":SENS:FUNC 'RES';:OUTP ON;:READ?") == [9.9e37]


def test_manual_ohms_and_relative_readings(bench: Bench) -> None:
    bench.ask(":SENS:CURR:UNIT OHM;:SOUR:VOLT 0.5;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([1e4])
    assert bench.ask(':FETC? "defbuffer1",UNIT') == "Ohm"
    bench.ask(":SENS:CURR:UNIT AMP;:SENS:CURR:REL:ACQ")
    assert float(bench.ask(":SENS:CURR:REL?")) == pytest.approx(5e-5)
    assert bench.numbers(":READ?") == pytest.approx([0.0], abs=1e-12)


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
def test_sweeps(bench: Bench, sweep: str, levels: list[float]) -> None:
    bench.ask(f":SOUR:VOLT:ILIM 1e-2;{sweep};:INIT;*WAI")
    assert bench.ask(":SYST:ERR?;:OUTP?") == NONE + ";0"
    count = len(levels)
    assert bench.ask(":TRAC:ACT?") == str(count)
    data = bench.numbers(f':TRAC:DATA? 1,{count},"defbuffer1",READ,SOUR')
    assert data[::2] == pytest.approx(np.asarray(levels) / 1e4, abs=1e-12)
    assert data[1::2] == pytest.approx(np.asarray(levels), abs=1e-12)


@pytest.mark.parametrize(("abort", "count"), [("ON", 2), ("OFF", 3)])
def test_a_sweep_can_stop_at_the_limit(bench: Bench, abort: str, count: int) -> None:
    bench.ask(f":SOUR:LIST:VOLT 0.5,2,3;:SOUR:SWE:VOLT:LIST 1,0,1,{abort};:INIT")
    assert bench.ask(":TRAC:ACT?") == str(count)


def test_a_sweep_empties_its_buffer_and_the_world_sees_every_level(bench: Bench) -> None:
    seen: list[object] = []
    bench.instrument.channel.on_change = lambda channel: seen.append(channel.stance)
    bench.ask(':TRAC:MAKE "mine",10;:OUTP ON;:READ? "mine"')
    seen.clear()
    bench.ask(':SOUR:SWE:VOLT:LIN 1,2,2,0.1,1,BEST,OFF,OFF,"mine";:INIT')
    assert bench.ask(':TRAC:ACT? "mine";:TRAC:ACT? "defbuffer1"') == "2;0"
    sourced = [stance.volts for stance in seen if isinstance(stance, VoltageForce)]
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
def test_trigger_templates(bench: Bench, load: str, count: int) -> None:
    bench.ask(f":SENS:CURR:NPLC 0.01;:SOUR:VOLT 0.1;:OUTP ON;:TRIG:LOAD{load};:INIT;*WAI")
    assert bench.ask(":TRAC:ACT?;:OUTP?") == f"{count};1"
    times = bench.numbers(f':TRAC:DATA? 1,{count},"defbuffer1",REL')
    assert times[1] - times[0] == pytest.approx(0.501)


def test_a_trigger_model_made_of_blocks(bench: Bench) -> None:
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


def test_several_readings_are_kept_and_the_last_is_answered(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 0.5;:SENS:COUN 3;:OUTP ON")
    assert len(bench.numbers(":READ?")) == 1
    assert bench.ask(":TRAC:ACT?;ACT:STAR?;:TRAC:ACT:END?") == "3;1;3"
    assert len(bench.numbers(':TRAC:DATA? 1,3,"defbuffer1",REL')) == 3
    for name, value in (("MIN", 5e-5), ("MAX", 5e-5), ("SPAN", 0.0), ("STDD", 0.0)):
        assert bench.numbers(f":TRAC:STAT:{name}?") == pytest.approx([value], abs=1e-12)
    bench.ask(":TRAC:CLE")
    assert bench.ask(":TRAC:ACT?") == "0"


def test_a_buffer_that_is_full_stops_or_goes_on(bench: Bench) -> None:
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
def test_binary_readings(bench: Bench, kind: str, code: str, border: str, order: str) -> None:
    bench.ask(f":SOUR:VOLT 0.5;:OUTP ON;:FORM {kind};:FORM:BORD {border}")
    reply = bench.instrument.receive(b':READ? "defbuffer1",READ,SOUR\n')
    assert reply[:2] == b"#0"
    assert reply[-1:] == b"\n"
    assert struct.unpack(f"{order}2{code}", reply[2:-1]) == pytest.approx((5e-5, 0.5))


def test_precision_of_text(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 0.5;:OUTP ON;:FORM:ASC:PREC 3")
    assert bench.ask(":READ?") == "5.00E-05"


def test_time_passes_as_the_settings_say(bench: Bench) -> None:
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
        bench = Bench(math.inf, random=np.random.default_rng(seed))
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
    errors = []
    for seed in range(20):
        bench = Bench(random=np.random.default_rng(seed))
        bench.ask(":SOUR:VOLT:RANG 2;:SOUR:VOLT 1;:SOUR:VOLT:ILIM 1e-3;:OUTP ON")
        errors.append(bench.world.reading(bench.instrument.channel).volts - 1.0)
    assert 100e-6 < np.abs(errors).max() <= 500e-6  # 0.02 % + 300 uV


def test_a_2460_has_its_own_ranges_and_power() -> None:
    bench = Bench(1.0, model=MODEL_2460)
    assert "MODEL 2460" in bench.ask("*IDN?")
    assert float(bench.ask(":SOUR:CURR:VLIM?")) == pytest.approx(7.35)
    assert float(bench.ask(":SOUR:VOLT 5;:SOUR:VOLT:RANG?")) == 7
    bench.ask(":SOUR:VOLT:ILIM 7;:OUTP ON")
    assert bench.numbers(":READ?") == pytest.approx([5.0])
    bench.ask(":SOUR:VOLT 50")
    assert float(bench.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(1.05)
    assert bench.ask(":SYST:ERR?") == NONE


@pytest.mark.parametrize(
    "junk", [b"\xff\x00;;;\n", b":SOUR:VOLT #19\n", b":TRAC:DATA? (@,'\n", b"*IDN?;" * 3 + b":X?\n"]
)
def test_junk_is_an_error_and_nothing_more(bench: Bench, junk: bytes) -> None:
    bench.instrument.receive(junk)
    bench.instrument.reset_session()
    assert bench.ask("*CLS;*IDN?;:SYST:ERR?").endswith(NONE)
