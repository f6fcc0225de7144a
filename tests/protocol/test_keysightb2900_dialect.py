"""What the manual says of a B2900, asked of the emulated one in its own words."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.keysightb2900_models import B2901A, B2902A, B2912A
from drivers.emulated.world import Open, ResistorWorld, VoltageForce

NONE = '+0,"No error"'
NAN = 9.91e37


class Bench:
    """An instrument with a resistor on each channel, spoken to in text."""

    def __init__(self, load_ohms: float = 1e4, **options: object) -> None:
        self.world = ResistorWorld(load_ohms)
        self.instrument = EmulatedKeysightB2900(self.world, **options)  # type: ignore[arg-type]

    def ask(self, message: str) -> str:
        return self.instrument.receive(message.encode() + b"\n").decode().rstrip("\n")

    def numbers(self, message: str) -> list[float]:
        return [float(field) for field in self.ask(message).split(",")]

    def stance(self, number: int = 1) -> object:
        return self.instrument.channels[number].stance


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
def test_numbers_after_a_reset(bench: Bench, query: str, answer: float, suffix: str) -> None:
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


def test_words_after_a_reset(bench: Bench) -> None:
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
def test_the_output_off_states(bench: Bench, mode: str, stance: object) -> None:
    bench.ask(f":SOUR2:VOLT 1;:OUTP2 ON;:OUTP2:OFF:MODE {mode};:OUTP2 OFF")
    assert bench.stance(2) == stance


def test_init_and_read_energise_an_output_measure_does_not(bench: Bench) -> None:
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


def test_automatic_output_off(bench: Bench) -> None:
    bench.ask(":OUTP:OFF:AUTO ON;:SOUR:VOLT 0.5")
    assert bench.numbers(":READ:CURR?") == pytest.approx([5e-5])
    assert bench.ask(":OUTP?") == "0"


def test_compliance_shows_in_its_query_and_in_the_status(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 10;:OUTP ON")
    assert bench.ask(":SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "1;0"
    volts, amps, ohms, _, status, source = bench.numbers(":MEAS?")
    assert (volts, amps, ohms, source) == pytest.approx((1.0, 1e-4, 1e4, 10.0))
    assert int(status) & 0b111 == 0b010
    bench.ask(":SOUR:FUNC:MODE CURR;:SOUR:CURR 1e-3;:OUTP ON")
    assert bench.ask(":SENS:CURR:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "0;1"
    assert int(bench.numbers(":MEAS:STAT?")[0]) & 0b111 == 0b011


def test_a_fixed_range_overflows_and_holds_the_source(bench: Bench) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:SENS:CURR:RANG 1e-4;:SOUR:VOLT 10;:OUTP ON")
    assert bench.numbers(":MEAS:CURR?") == [9.9e37]
    assert int(bench.numbers(":MEAS:STAT?")[0]) & 1 << 13
    assert bench.world.reading(bench.instrument.channels[1]).amps == pytest.approx(1.06e-4)


def test_overcurrent_protection_switches_off_at_once(bench: Bench) -> None:
    bench.ask(":OUTP:PROT ON;:SOUR:VOLT 0.5;:OUTP ON")
    assert bench.ask(":OUTP?;:SYST:ERR?") == "1;" + NONE
    bench.ask(":SOUR:VOLT 1.5")
    assert bench.ask(":OUTP?;:SOUR:VOLT?") == "0;0.000000E+00"
    assert "Emergency" in bench.ask(":SYST:ERR?")
    assert bench.stance() == Open()


def test_the_interlock() -> None:
    bench = Bench(1e7)
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
def test_errors(bench: Bench, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert int(bench.ask(":SYST:ERR?").split(",")[0]) == code
    assert bench.ask(":SYST:ERR?") == NONE


def test_models_differ_in_channels_and_ranges() -> None:
    one = Bench(model=B2901A)
    assert one.ask("*IDN?").startswith("Keysight Technologies,B2901A,")
    assert one.ask(":OUTP2 ON;:SYST:ERR?") == ""
    assert one.ask(":SYST:ERR?").startswith("-113")
    assert one.ask(":SYST:CHAN:COUN?") == "1"
    assert float(one.ask(":SENS:CURR:RANG 1e-9;RANG?")) == 1e-7
    two = Bench(model=B2902A)
    assert float(two.ask(":SENS2:CURR:RANG 1e-9;RANG?")) == 1e-7
    assert float(Bench(model=B2912A).ask(":SENS2:CURR:RANG 1e-9;RANG?")) == 1e-8


@pytest.mark.parametrize(
    ("sent", "cycles"), [("NPLC 1", 1), ("NPLC 1e6", 120), ("NPLC MIN", 4.8e-4), ("APER 0.1", 6)]
)
def test_integration_time_is_one_setting_within_limits(
    bench: Bench, sent: str, cycles: float
) -> None:
    bench.ask(f":SENS:CURR:{sent}")
    assert float(bench.ask(":SENS:VOLT:NPLC?")) == pytest.approx(cycles)
    assert float(bench.ask(":SENS:RES:APER?")) == pytest.approx(cycles / 60)
    assert bench.ask(":SENS:CURR:APER:AUTO?;:SYST:ERR?") == "0;" + NONE
    bench.ask(":SYST:LFR 50")
    assert float(bench.ask(":SENS:RES:APER?")) == pytest.approx(cycles / 50)


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
def test_sweeps(bench: Bench, setup: str, levels: list[float]) -> None:
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


def test_two_channels_step_together(bench: Bench) -> None:
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


def test_measurements_and_source_steps_alone(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 0.5;:TRIG:ACQ:COUN 4;:TRIG:TRAN:COUN 2;:INIT:ACQ (@1)")
    assert len(bench.numbers(":FETC:ARR:CURR?")) == 4
    bench.ask(":SOUR:LIST:VOLT 0.1,0.2;:SOUR:VOLT:MODE LIST;:INIT:TRAN (@1)")
    assert bench.numbers(":FETC:ARR:CURR?") == [NAN]  # nothing was measured


def test_a_timer_gives_the_period(bench: Bench) -> None:
    bench.ask(":SOUR:VOLT 0.5;:TRIG:SOUR TIM;TIM 0.25;COUN 3;:INIT;:SYST:TIME:TIM:COUN:RES")
    stamps = bench.numbers(":FETC:ARR:TIME?")
    assert np.diff(stamps) == pytest.approx([0.25, 0.25])


def test_a_bus_trigger_steps_what_waits(bench: Bench) -> None:
    bench.ask(":SOUR:LIST:VOLT 0.1,0.2;:SOUR:VOLT:MODE LIST;:TRIG:SOUR BUS;COUN 2;:INIT")
    assert bench.ask(":IDLE? (@1);:IDLE? (@2)") == "0;1"
    bench.ask("*TRG")
    assert bench.numbers(":FETC:ARR:CURR?") == pytest.approx([1e-5])
    bench.ask(":TRIG (@1)")
    assert bench.numbers(":FETC:ARR:CURR?") == pytest.approx([1e-5, 2e-5])
    assert bench.ask(":IDLE?") == "1"
    bench.ask(":INIT;:ABOR (@1)")
    assert bench.ask(":IDLE?;:SYST:ERR?") == "1;" + NONE


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
def test_spellings(bench: Bench, header: str, sent: str, kept: float) -> None:
    bench.ask(f"{header} {sent}")
    assert float(bench.ask(f"{header}?")) == pytest.approx(kept)
    assert bench.ask(":SYST:ERR?") == NONE


def test_the_operation_status_shows_what_is_idle(bench: Bench) -> None:
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 128 + 1024
    bench.ask(":TRIG2:SOUR BUS;:INIT (@2)")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16
    bench.ask(":ABOR:ALL (@2);:INIT:ACQ (@2)")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 1024
    bench.ask("*RST")
    assert int(bench.ask(":STAT:OPER:COND?")) == 2 + 16 + 128 + 1024


@pytest.mark.parametrize("count", ["INF", "2147483647"])
def test_an_endless_run_is_busy_until_it_is_aborted(bench: Bench, count: str) -> None:
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


def test_pulses_have_their_width_and_return_to_the_level(bench: Bench) -> None:
    bench.ask(":SENS:CURR:PROT 1e-2;:SOUR:FUNC PULS;:SOUR:PULS:WIDT 0.01;DEL 0.002;:OUTP ON")
    bench.ask(":SOUR:LIST:VOLT 1,2;:SOUR:VOLT:MODE LIST;:TRIG:COUN 2;SOUR TIM;TIM 0.1")
    seen: list[tuple[float, float]] = []
    start = bench.world.now_seconds

    def note(channel: object) -> None:
        stance = channel.stance  # type: ignore[attr-defined]
        seen.append((stance.volts, bench.world.now_seconds - start))

    bench.instrument.channels[1].on_change = note
    assert bench.numbers(":READ:ARR:VOLT?") == pytest.approx([1.0, 2.0])
    assert [volts for volts, _ in seen] == [1.0, 0.0, 2.0, 0.0]
    assert [at for _, at in seen] == pytest.approx([0.002, 0.012, 0.102, 0.112])


def test_what_is_not_measured_or_not_there_is_no_number(bench: Bench) -> None:
    bench.ask(':SENS:FUNC:OFF:ALL;:SENS:FUNC "CURR";:SOUR:VOLT 0.5;:OUTP ON')
    volts, amps, ohms, *_ = bench.numbers(":MEAS?")
    assert (volts, amps, ohms) == pytest.approx((NAN, 5e-5, NAN))
    assert bench.ask(":SENS:FUNC:OFF?;:SENS:FUNC:STAT? CURR") == '"VOLT","RES";1'
    assert bench.numbers(":FETC:VOLT? (@2)") == [NAN]


@pytest.mark.parametrize(("bits", "code"), [(32, "f"), (64, "d")])
@pytest.mark.parametrize(("border", "order"), [("NORM", ">"), ("SWAP", "<")])
def test_binary_data(bench: Bench, bits: int, code: str, border: str, order: str) -> None:
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


def test_data_by_offset_and_the_trace_buffer(bench: Bench) -> None:
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


def test_errors_all_at_once_and_registers(bench: Bench) -> None:
    bench.ask(":NONSENSE")
    bench.ask(":SOUR:VOLT")
    assert bench.ask(":SYST:ERR:COUN?;:SYST:ERR:ALL?") == (
        '2;-113,"Undefined header",-109,"Missing parameter"'
    )
    assert int(bench.ask("*ESR?")) & 1 << 5
    assert bench.ask("*ESE 61;:FORM:SREG HEX;*ESE?") == "#H3D"


def test_readings_stray_within_the_data_sheet_and_the_offset_stays() -> None:
    offsets = []
    for seed in range(20):
        bench = Bench(math.inf, random=np.random.default_rng(seed))
        bench.ask(":SENS:CURR:PROT 1e-6;RANG 1e-6;NPLC 1;:OUTP ON;:TRIG:ACQ:COUN 100")
        readings = np.array(bench.numbers(":READ:ARR:CURR?"))
        assert 2e-12 < readings.std() < 6e-12  # 25 pA peak to peak
        offsets.append(readings.mean())
        assert np.mean(bench.numbers(":READ:ARR:CURR?")) == pytest.approx(offsets[-1], abs=3e-12)
    assert np.abs(offsets).max() < 500e-12 + 2e-12
    assert np.std(offsets) > 100e-12


def test_the_two_channels_have_errors_of_their_own() -> None:
    bench = Bench(math.inf, random=np.random.default_rng(1))
    bench.ask(":SOUR1:VOLT 1;:SOUR2:VOLT 1;:OUTP1 ON;:OUTP2 ON")
    volts = [bench.world.reading(c).volts for c in bench.instrument.channels.values()]
    assert volts[0] != volts[1]
    assert np.abs(np.array(volts) - 1.0).max() <= 550e-6  # 0.02 % + 350 uV


@pytest.mark.parametrize(
    "junk", [b"\xff\x00;;;\n", b":SOUR:VOLT #19\n", b":TRAC:DATA? (@,'\n", b"*IDN?;" * 3 + b":X?\n"]
)
def test_junk_is_an_error_and_nothing_more(bench: Bench, junk: bytes) -> None:
    bench.instrument.receive(junk)
    bench.instrument.reset_session()
    assert bench.ask("*CLS;*IDN?;:SYST:ERR?").endswith(NONE)
