"""What the manual says of a 6221, asked of the emulated one in its own words."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.emulated.keithley6221 import EmulatedKeithley6221
from drivers.emulated.world import Channel, CurrentForce, Open, ResistorWorld

NONE = '0,"No error"'


class Bench:
    """An instrument with a resistor, spoken to in text."""

    def __init__(self, random: np.random.Generator | None = None) -> None:
        self.world = ResistorWorld(1e4)
        self.instrument = EmulatedKeithley6221(self.world, random=random)
        self.forced: list[float] = []
        self.instrument.channel.on_change = self._note

    def _note(self, channel: Channel) -> None:
        if isinstance(channel.stance, CurrentForce):
            self.forced.append(channel.stance.amps)

    def ask(self, message: str) -> str:
        return self.instrument.receive(message.encode() + b"\n").decode().rstrip("\n")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_after_a_reset(bench: Bench) -> None:
    bench.ask(":SOUR:CURR:COMP 50;:SOUR:CURR 1e-3;:OUTP:LTE 1;:OUTP ON;*RST")
    assert [float(x) for x in bench.ask(":SOUR:CURR?;CURR:COMP?;:OUTP?;:OUTP:LTE?").split(";")] == [
        0.0,
        10.0,
        0.0,
        0.0,
    ]
    assert bench.instrument.channel.stance == Open()


@pytest.mark.parametrize(
    ("wanted", "taken"), [("1e-9", 2e-9), ("2.1e-6", 2e-6), ("2.2e-6", 2e-5), ("0.1", 0.1)]
)
def test_a_range_is_the_lowest_that_reaches(bench: Bench, wanted: str, taken: float) -> None:
    assert float(bench.ask(f":SOUR:CURR:RANG {wanted};RANG?")) == pytest.approx(taken)
    assert bench.ask(":SOUR:CURR:RANG:AUTO?") == "0"


def test_the_range_follows_the_level_when_automatic(bench: Bench) -> None:
    bench.ask(":SOUR:CURR:RANG:AUTO ON;:SOUR:CURR 5E-5")
    assert float(bench.ask(":SOUR:CURR:RANG?")) == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:CURR:RANG 1e-6;:SOUR:CURR 1e-5", -222),
        (":SOUR:CURR 1e-3;:SOUR:CURR:RANG 1e-6", -222),
        (":SOUR:CURR 0.2", -222),
        (":SOUR:CURR:COMP 106", -222),
        (":SOUR:CURR:COMP 0.05", -222),
        (":INIT", -213),
        (":SOUR:WAVE:INIT", -213),
        (":SOUR:SWE:COUN 9999;POIN 1000;ARM;:INIT", -225),
        (":SOUR:DELT:ARM", -241),
        (":SENS:DATA?", -230),
        (":TRAC:DATA?", -230),
        (":SOUR:WAVE:FUNC TRIANGLE", -224),
        (":SOUR:VOLT 1", -113),
        ("*TRG", -211),
    ],
)
def test_errors(bench: Bench, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert int(bench.ask(":SYST:ERR?").split(",")[0]) == code
    assert bench.ask(":SYST:ERR?") == NONE


def test_compliance_and_interlock_are_conditions(bench: Bench) -> None:
    bench.ask(":SOUR:CURR:COMP 1;:SOUR:CURR 1e-3;:OUTP ON;:STAT:MEAS:ENAB 8;*SRE 1")
    assert bench.ask(":STAT:MEAS:COND?;:OUTP:INT:TRIP?") == "8;1"
    assert bench.ask("*STB?") == "65"
    bench.instrument.set_interlock(False)
    assert bench.ask(":OUTP?;:STAT:MEAS:COND?;:OUTP:INT?") == "0;2;0"
    bench.ask(":OUTP ON")
    assert bench.ask(":SYST:ERR?").startswith("+802")


@pytest.mark.parametrize(
    ("setup", "amps", "seconds"),
    [
        (":SOUR:CURR:STAR 0;STOP 1e-4;:SOUR:SWE:POIN 3;:SOUR:DEL 0.5", [0, 5e-5, 1e-4], 1.5),
        (
            ":SOUR:CURR:STAR 1e-6;STOP 1e-4;:SOUR:SWE:SPAC LOG;POIN 3;COUN 2;:SOUR:DEL 0.1",
            [1e-6, 1e-5, 1e-4, 1e-6, 1e-5, 1e-4],
            0.6,
        ),
        (
            ":SOUR:LIST:CURR 1e-5,3e-5;CURR:APP 2e-5;:SOUR:LIST:DEL 0.1,0.2;"
            ":SOUR:LIST:COMP 10;:SOUR:SWE:SPAC LIST",
            [1e-5, 3e-5, 2e-5],
            0.5,
        ),
    ],
)
def test_sweeps(bench: Bench, setup: str, amps: list[float], seconds: float) -> None:
    bench.ask(setup + ";:SOUR:SWE:ARM")
    assert bench.ask(":SOUR:SWE:ARM?;:OUTP?") == "1;1"
    bench.ask(":SOUR:CURR 0")
    bench.forced.clear()
    bench.ask(":INIT")
    assert bench.ask(":SYST:ERR?") == NONE
    n_same = 1 if amps[0] == 0 else 0  # the source was at 0 already: no change to see
    assert bench.forced == pytest.approx(amps[n_same:])
    assert bench.world.now_seconds == pytest.approx(seconds)
    assert int(bench.ask(":STAT:OPER?")) & 2
    assert float(bench.ask(":SOUR:CURR?")) == pytest.approx(amps[-1])
    bench.ask(":SOUR:SWE:ABOR")
    assert bench.ask(":OUTP?") == "0"


def test_clear_zeroes_and_switches_off(bench: Bench) -> None:
    bench.ask(":SOUR:CURR 1e-3;:OUTP ON;:SOUR:CLE")
    assert bench.ask(":SOUR:CURR?;:OUTP?") == "0.000000E+00;0"


def test_the_source_strays_within_the_data_sheet() -> None:
    errors = []
    for seed in range(20):
        bench = Bench(np.random.default_rng(seed))
        bench.ask(":SOUR:CURR:RANG 1e-4;:SOUR:CURR 1e-4;:OUTP ON")
        errors.append(bench.world.reading(bench.instrument.channel).amps - 1e-4)
    assert 50e-9 < np.abs(errors).max() < 0.0005 * 1e-4 + 100e-9 + 5 * 4e-9


def test_elements_of_readings(bench: Bench) -> None:
    assert bench.ask("FORM:ELEM?") == "READ,TST"
    bench.ask("FORM:ELEM SOUR,READ,RNUM")
    assert bench.ask("FORM:ELEM?") == "READ,RNUM,SOUR"
    assert bench.ask("FORM:ELEM ALL;ELEM?") == "READ,TST,UNIT,RNUM,SOUR,COMP,AVOL"
    assert bench.ask("FORM:ELEM DEF;ELEM?;:TRAC:POIN:ACT?") == "READ,TST;0"


@pytest.mark.parametrize(
    ("kind", "answer"), [("ASC", "128"), ("BIN", "#B10000000"), ("HEX", "#H80"), ("OCT", "#Q200")]
)
def test_registers_in_other_notations(bench: Bench, kind: str, answer: str) -> None:
    assert bench.ask(f"FORM:SREG {kind};*ESR?") == answer


def test_nobody_at_the_serial_port(bench: Bench) -> None:
    bench.ask('SYST:COMM:SER:SEND "VOLT:NPLC 1"')
    assert bench.ask("SYST:COMM:SER:ENT?;:SOUR:DELT:NVPR?") == ";0"
    assert bench.ask("SYST:BEEP:STAT OFF;STAT?;:SYST:ERR?") == f"0;{NONE}"
