"""What the manual says of a 2750, asked of the emulated one in its own words."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.scanner_cards import CARD_7700
from drivers.emulated.world import Meter, Open, ScannerWorld
from tests.protocol.scanners import DividerWorld, asked

NONE = '0,"No error"'
VOLTS = {"101": 0.01, "102": -0.5, "103": 2.5, "520": 250.0}


class Bench:
    """An instrument that sees voltages, spoken to in text."""

    def __init__(self, random: np.random.Generator | None = None) -> None:
        self.world = ScannerWorld(VOLTS)
        self.switched: list[frozenset[str]] = []
        self.instrument = EmulatedKeithley2750(
            self.world, random=random, on_switch=self.switched.append
        )

    def ask(self, message: str) -> str:
        return asked(self.instrument, message)

    def numbers(self, message: str) -> list[float]:
        return [float(field) for field in self.ask(message).split(",")]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_identity_and_cards(bench: Bench) -> None:
    assert bench.ask("*IDN?").startswith("KEITHLEY INSTRUMENTS INC.,MODEL 2750,")
    assert bench.ask("*OPT?") == "7700,7700,7700,7700,7700"
    assert bench.ask(":SYST:CARD1:VMAX?;MUX?;VCH:END?;:SYST:CARD5:ACH?") == "300;1;20;21"
    one = EmulatedKeithley2750(ScannerWorld({}), cards={2: CARD_7700})
    assert asked(one, "*OPT?") == "NONE,7700,NONE,NONE,NONE"


def test_multiple_channel_operation(bench: Bench) -> None:
    assert bench.ask(":ROUT:CLOS?;:ROUT:MULT:CLOS?") == "(@);(@)"
    bench.ask(":ROUT:MULT:CLOS (@101,111,123)")
    assert bench.ask(":ROUT:MULT:CLOS?;:ROUT:CLOS?") == "(@101,111,123);(@101,111)"
    bench.ask(":ROUTE:MULTIPLE:CLOSE (@205)")
    assert bench.ask(":ROUT:MULT:CLOS:STAT? (@101,102,205)") == "1,0,1"
    bench.ask(":ROUT:MULT:OPEN (@101)")
    assert bench.ask(":ROUT:CLOS?") == "(@111,205)"
    bench.ask(":ROUT:OPEN:ALL")
    assert bench.ask(":ROUT:CLOS?") == "(@)"
    assert bench.switched == [
        {"101", "111", "123"},
        {"101", "111", "123", "205"},
        {"111", "123", "205"},
        set(),
    ]


def test_the_backplane_relay_isolates_the_meter(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:MULT:CLOS (@103)")
    assert bench.numbers("READ?") == [0.0]
    bench.ask("ROUT:MULT:CLOS (@125)")
    assert bench.numbers("READ?") == [2.5]


def test_system_channel_operation(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ,CHAN;:ROUT:CLOS (@103)")
    assert bench.ask("ROUT:CLOS?;:ROUT:MULT:CLOS?;:READ?") == (
        "(@103);(@103,125);+2.50000000E+00,103"
    )
    assert isinstance(bench.instrument.channels[103].stance, Meter)
    bench.ask("ROUT:CLOS (@520)")
    assert bench.ask("ROUT:CLOS:STAT? (@103,520);:ROUT:CLOS:COUN? (@103)") == "0,1;1"
    assert bench.instrument.channels[103].stance == Open()
    assert bench.world.now_seconds > 4 * CARD_7700.relay_seconds


def test_a_scan(bench: Bench) -> None:
    bench.ask("*RST;:FORM:ELEM READ,CHAN")
    bench.ask("SENS:FUNC 'VOLT',(@101:110);:SENS:VOLT:NPLC 1,(@101:110)")
    bench.ask("ROUT:SCAN (@101:103,520);:ROUT:SCAN:TSO IMM;:ROUT:SCAN:LSEL INT")
    assert bench.ask("ROUT:SCAN?") == "(@101:103,520)"
    bench.ask("TRIG:COUN 1;:SAMP:COUN 4")
    numbers = bench.numbers("READ?")
    assert numbers[0::2] == [0.01, -0.5, 2.5, 250.0]
    assert numbers[1::2] == [101, 102, 103, 520]
    assert bench.numbers("FETC?") == bench.numbers("TRAC:DATA?") == numbers
    assert bench.numbers("SENS:DATA?") == [250.0, 520]
    assert bench.ask("TRAC:POIN:ACT?;:SYST:ERR?") == f"4;{NONE}"
    bench.ask("SAMP:COUN 8;:INIT")
    assert bench.numbers("FETC?")[0::2] == [0.01, -0.5, 2.5, 250.0] * 2


def test_scans_need_not_ascend_and_timers_space_them(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:SCAN (@103:101);:ROUT:SCAN:LSEL INT;:SAMP:COUN 3")
    bench.ask("TRIG:SOUR TIM;TIM 10;COUN 3")
    assert bench.numbers("READ?") == [2.5, -0.5, 0.01]
    assert bench.world.now_seconds == pytest.approx(20, abs=1)


def test_elements_of_a_reading(bench: Bench) -> None:
    bench.ask("ROUT:CLOS (@102);:SENS:VOLT:NPLC 0.6;:SYST:AZER OFF")
    assert bench.ask("READ?") == "-5.00000000E-01VDC,+0.014SECS,+00000RDNG#"
    bench.ask("FORM:ELEM LIM,CHAN,RNUM,TST,UNIT,READ")
    assert bench.ask("READ?") == ("-5.00000000E-01VDC,+0.025SECS,+00001RDNG#,102,0000LIMITS")
    assert bench.ask("FORM:ELEM READ;ELEM?") == "READ,,,,,"


@pytest.mark.parametrize(("kind", "letter"), [("SREAL", "f"), ("DREAL", "d"), ("REAL,64", "d")])
def test_binary_readings(bench: Bench, kind: str, letter: str) -> None:
    bench.ask(f"FORM:ELEM READ,CHAN;:FORM {kind};:FORM:BORD SWAP;:ROUT:CLOS (@102)")
    reply = bench.instrument.receive(b"READ?\n")
    assert reply[:2] == b"#0"
    assert struct.unpack(f"<2{letter}", reply[2:-1]) == (-0.5, 102.0)


def test_settings_belong_to_channels(bench: Bench) -> None:
    bench.ask("SENS:VOLT:NPLC 0.1;:SENS:VOLT:NPLC 2,(@101);:SENS:VOLT:RANG 5,(@101)")
    assert bench.numbers("VOLT:NPLC?") == [0.1]
    assert bench.numbers("VOLT:NPLC? (@101:102)") == [2, 5]
    assert bench.ask("VOLT:RANG:AUTO? (@101:102)") == "0,1"
    assert bench.numbers("VOLT:RANG? (@101)") == [10]
    assert bench.ask("SENS:FUNC?") == '"VOLT:DC"'


@pytest.mark.parametrize(("state", "volts"), [("OFF", 0.999), ("ON", 0.5)])
def test_the_input_divider_loads_what_it_measures(state: str, volts: float) -> None:
    instrument = EmulatedKeithley2750(DividerWorld())
    asked(instrument, f"FORM:ELEM READ;:ROUT:CLOS (@101);:VOLT:IDIV {state}")
    assert float(asked(instrument, "READ?")) == pytest.approx(volts, abs=1e-6)


def test_over_range(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:CLOS (@102);:VOLT:RANG 0.1")
    assert bench.numbers("READ?") == [-9.9e37]
    bench.ask("VOLT:RANG:AUTO ON")
    assert bench.numbers("READ?") == [-0.5]


def test_measure_with_and_without_channels(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:CLOS (@103);:SAMP:COUN 5")
    assert bench.numbers("MEAS:VOLT:DC?") == [2.5]
    assert bench.numbers("MEAS:VOLT? (@101:102)") == [0.01, -0.5]
    bench.ask("CONF:VOLT:AC")
    assert bench.ask("SENS:FUNC?") == '"VOLT:AC"'
    assert bench.numbers("READ?") == [0.0]


def test_the_buffer_fills_reading_by_reading(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:CLOS (@101);:TRAC:POIN 2;FEED SENS;FEED:CONT NEXT")
    bench.ask("INIT;:INIT;:INIT")
    assert bench.numbers("TRAC:DATA?") == [0.01, 0.01]
    assert bench.ask("TRAC:FEED:CONT?") == "NEV"
    bench.ask("TRAC:CLE")
    assert bench.ask("TRAC:POIN:ACT?") == "0"


def test_bus_trigger(bench: Bench) -> None:
    bench.ask("FORM:ELEM READ;:ROUT:CLOS (@103);:TRIG:SOUR BUS;:INIT;:FETC?")
    assert bench.ask("SYST:ERR?").startswith("-230")
    bench.ask("*TRG")
    assert bench.ask("FETC?;:SYST:ERR?") == f"+2.50000000E+00;{NONE}"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("FOO", -113),
        ("ROUT:CLOS (@601)", -222),
        ("ROUT:CLOS (@125)", -222),
        ("ROUT:CLOS (@101,102)", -223),
        ("ROUT:CLOS:STAT? (@125)", -222),
        ("ROUT:SCAN (@101)", -221),
        ("ROUT:SCAN (@101,124)", -222),
        ("ROUT:SCAN:LSEL INT;:READ?", -221),
        ("INIT:CONT ON;:READ?", -213),
        ("TRIG:SOUR BUS;:READ?", -214),
        ("*TRG", -211),
        ("TRAC:DATA?", -230),
        ("SENS:FUNC 'TEMP'", -224),
        ("SENS:VOLT:NPLC 61", -222),
        ("FORM:ELEM VOLT", -224),
        ("SYST:CARD6:VMAX?", -113),
    ],
)
def test_errors(bench: Bench, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert int(bench.ask("SYST:ERR?").split(",")[0]) == code
    assert bench.ask("SYST:ERR?") == NONE


def test_the_meter_strays_within_the_data_sheet() -> None:
    errors = []
    for seed in range(20):
        bench = Bench(np.random.default_rng(seed))
        bench.ask("FORM:ELEM READ;:ROUT:CLOS (@103);:VOLT:RANG 10;NPLC 1")
        errors.append(bench.numbers("READ?")[0] - 2.5)
    limit = 30e-6 * 2.5 + 5e-6 * 10
    assert limit / 4 < np.abs(errors).max() < limit + 5 * 4e-6


def test_letters_stand_behind_numbers_only_among_units(bench: Bench) -> None:
    bench.ask(":ROUT:CLOS (@101)")
    assert bench.ask("READ?").endswith("SECS,+00000RDNG#")
    bench.ask("FORM:ELEM READ,TST,CHAN,RNUM")
    assert [float(field) for field in bench.ask("READ?").split(",")][2:] == [1, 101]


def test_a_scanning_logger_counts_on_the_notify_bit(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101:103);:ROUT:SCAN:LSEL INT;:TRIG:COUN 2;:SAMP:COUN 3")
    bench.ask("TRAC:CLE;POIN 6;NOTify 5;FEED SENS;FEED:CONT NEXT")
    bench.ask("STAT:PRES;*CLS;:STAT:MEAS:ENAB 64;*SRE 1;:FORM:ELEM READ")
    assert bench.ask("*STB?") == "0"
    bench.ask("INIT")
    assert bench.ask("*STB?;:TRAC:NOT?;POIN:ACT?") == "65;5;6"
    full = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 12 | 1 << 13
    assert int(bench.ask("STAT:MEAS?")) == full
    assert bench.numbers("TRAC:DATA?") == pytest.approx(2 * [0.01, -0.5, 2.5])
    assert bench.numbers("TRAC:DATA:SEL? 4,2") == pytest.approx([-0.5, 2.5])
    for wrong in ("TRAC:NOT 6", "TRAC:DATA:SEL? 6,1", "TRAC:DATA:SEL? 4,3"):
        bench.ask(wrong)
        assert bench.ask("SYST:ERR?").startswith("-222")


def test_continuous_initiation_measures_whenever_somebody_looks(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101,102);:ROUT:SCAN:LSEL INT;:SAMP:COUN 2;:FORM:ELEM READ")
    bench.ask("TRAC:POIN 3;FEED SENS;FEED:CONT ALW;:TRIG:COUN INF;:INIT:CONT ON")
    assert bench.ask("TRAC:FEED:CONT?;:TRIG:COUN?") == "ALW;9.9E37"
    assert bench.ask("TRAC:NEXT?") == "2"
    assert bench.ask("TRAC:NEXT?") == "1"  # it wraps around, and the oldest give way
    assert bench.numbers("FETC?") == pytest.approx([0.01, -0.5])
    bench.ask("INIT:CONT OFF")
    assert bench.numbers("TRAC:DATA?") == pytest.approx([-0.5, 0.01, -0.5])
    assert bench.ask("SYST:ERR?") == NONE


def test_configure_asked(bench: Bench) -> None:
    bench.ask("CONF:VOLT:AC")
    assert bench.ask("CONF?") == '"VOLT:AC"'
