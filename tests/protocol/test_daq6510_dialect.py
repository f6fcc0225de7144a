"""What the manual says of a DAQ6510, asked of the emulated one in its own words."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.scanner_cards import CARD_7700
from drivers.emulated.world import Meter, Open, ResistorWorld, ScannerWorld
from sim_backend.nodal.elements import GROUND, Circuit, Resistor, VoltageSource
from tests.protocol.scanners import DividerWorld, Later, asked

NONE = '0,"No error;0;0 0"'
VOLTS = {"101": 0.01, "102": -0.5, "103": 2.5, "220": 250.0}


class Bench:
    """An instrument that sees voltages, spoken to in text."""

    def __init__(self, random: np.random.Generator | None = None) -> None:
        self.world = ScannerWorld(VOLTS)
        self.switched: list[frozenset[str]] = []
        self.instrument = EmulatedKeithleyDaq6510(
            self.world, random=random, on_switch=self.switched.append
        )

    def ask(self, message: str) -> str:
        return asked(self.instrument, message)

    def numbers(self, message: str) -> list[float]:
        return [float(field) for field in self.ask(message).split(",")]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_identity_language_and_cards(bench: Bench) -> None:
    assert bench.ask("*IDN?").startswith("KEITHLEY INSTRUMENTS,MODEL DAQ6510,")
    assert bench.ask("*LANG?") == "SCPI"
    for slot in (1, 2):
        assert bench.ask(f"SYST:CARD{slot}:IDN?").startswith("7700,20Ch Mux w/CJC,")
    assert bench.ask("SYST:CARD2:VCH:STAR?;:SYST:CARD2:VCH:END?;:SYST:CARD2:VMAX?") == "201;220;300"
    assert bench.ask("ROUT:TERM?") == "REAR"


def test_an_empty_slot_says_so() -> None:
    instrument = EmulatedKeithleyDaq6510(ScannerWorld({}), cards={1: CARD_7700})
    assert asked(instrument, "SYST:CARD2:IDN?") == "Empty Slot"
    asked(instrument, "ROUT:CLOS (@201)")
    assert asked(instrument, "SYST:ERR?").startswith("-222")


@pytest.mark.parametrize("header", ["ROUT:SCAN:CRE", ":ROUTE:SCAN", "rout:scan:create"])
def test_a_scan(bench: Bench, header: str) -> None:
    bench.ask(f"SENS:FUNC 'VOLT:DC',(@101:110);:{header.lstrip(':')} (@101:103,220)")
    assert bench.ask("ROUT:SCAN:CRE?;COUN:STEP?") == "(@101:103,220);4"
    bench.ask("ROUT:SCAN:COUN:SCAN 2")
    bench.ask("ROUT:SCAN:INT 10")
    bench.ask("INIT")
    bench.ask("*WAI")
    assert bench.ask("TRAC:ACT?;:TRAC:ACT:STAR?;END?") == "8;1;8"
    numbers = bench.numbers('TRAC:DATA? 1,8,"defbuffer1",READ,CHAN,REL')
    assert numbers[0::3] == [0.01, -0.5, 2.5, 250.0] * 2
    assert numbers[1::3] == [101, 102, 103, 220] * 2
    assert numbers[2] == 0.0
    assert numbers[3 * 4 + 2] == pytest.approx(10.0, abs=5e-3)  # from scan to scan
    assert bench.ask("ROUT:SCAN:STAT?;:SYST:ERR?") == f"SUCCESS;2;4;{NONE}"


def test_elements_of_a_reading(bench: Bench) -> None:
    bench.ask("ROUT:SCAN:CRE (@102);:INIT;:FORM:ASC:PREC 4")
    elements = "READ,UNIT,CHAN,STAT,REL,DATE,TST"
    assert bench.ask(f'trac:data? 1,1,"DEFBUFFER1",{elements}') == (
        "-5.000E-01,Volt DC,102,0,0.000000000,01/01/2026,01/01/2026 00:00:00.037333000"
    )


def test_relays_take_time_and_one_channel_is_measured_at_a_time(bench: Bench) -> None:
    bench.ask("VOLT:NPLC 0.6,(@101:102);:VOLT:AZER OFF,(@101:102);:VOLT:DEL:AUTO OFF,(@101:102)")
    bench.ask("ROUT:DEL 0.5,(@102);:ROUT:SCAN:CRE (@101:102);:INIT")
    close = CARD_7700.relay_seconds
    # Close 101 with 125, read 10 ms; open, close 102, its delay, read 10 ms.
    assert bench.world.now_seconds == pytest.approx(3 * close + 0.5 + 0.02)
    assert bench.switched == [{"101", "125"}, {"125"}, {"102", "125"}]


def test_closing_for_the_meter_opens_what_interferes(bench: Bench) -> None:
    channels = bench.instrument.channels
    assert bench.ask("ROUT:CLOS?") == "(@)"
    bench.ask("ROUT:CLOS (@101)")
    assert bench.ask("ROUT:CLOS?;:ROUT:MULT:CLOS?") == "(@101);(@101,125)"
    assert isinstance(channels[101].stance, Meter)
    bench.ask("ROUT:CLOS (@103)")
    assert bench.ask("ROUT:CLOS?;:READ?") == "(@103);2.500000000E+00"
    assert channels[101].stance == Open()
    assert bench.ask("ROUT:STAT? (@101:104)") == "0,0,1,0"
    bench.ask("ROUT:OPEN (@103)")
    assert bench.ask("ROUT:MULT:CLOS?") == "(@)"
    assert channels[103].stance == Open()


def test_closing_several_leaves_the_others_alone(bench: Bench) -> None:
    bench.ask("ROUT:MULT:CLOS (@101);CLOS (@205)")
    assert bench.ask("ROUT:CLOS?") == "(@101,205)"
    assert float(bench.ask("READ?")) == 0.0  # the backplane relays are open
    bench.ask("ROUT:MULT:CLOS (@125)")
    assert float(bench.ask("READ?")) == 0.01
    bench.ask("ROUT:OPEN:ALL")
    assert bench.ask("ROUT:CLOS?") == "(@)"
    assert bench.switched[-1] == frozenset()


def test_settings_belong_to_channels(bench: Bench) -> None:
    bench.ask("SENS:VOLT:NPLC 5,(@101,103);:SENS:VOLT:NPLC 0.1;:VOLT:RANG 5,(@102)")
    assert bench.numbers("SENS:VOLT:NPLC? (@101:103)") == [5, 1, 5]
    assert bench.numbers("VOLT:DC:NPLC?") == [0.1]
    assert bench.ask("SENS:VOLT:RANG:AUTO? (@101:102)") == "1,0"
    assert bench.numbers("SENS:VOLT:RANG? (@102)") == [10]
    assert bench.numbers("SENS:VOLT:APER? (@101)") == [pytest.approx(5 / 60)]
    assert bench.numbers("SENS:VOLT:NPLC? MAX,(@101)") == [15]
    bench.ask("SENS:FUNC 'RES',(@SLOT2)")
    assert bench.ask("SENS:FUNC? (@101,201,222);FUNC?") == "VOLT:DC,RES,RES;VOLT:DC"
    bench.ask("*RST")
    assert bench.numbers("SENS:VOLT:NPLC? (@101)") == [1]


@pytest.mark.parametrize(("setting", "volts"), [("AUTO", 0.999), ("MOHM10", 0.5)])
def test_the_input_loads_what_it_measures(setting: str, volts: float) -> None:
    instrument = EmulatedKeithleyDaq6510(DividerWorld())
    asked(instrument, f"VOLT:INP {setting},(@101:102);:ROUT:SCAN:CRE (@101:102);:INIT")
    first, second = asked(instrument, "TRAC:DATA? 1,2").split(",")
    assert first == second
    assert float(first) == pytest.approx(volts, abs=1e-6)


def test_in_a_circuit_only_what_is_wired_is_seen() -> None:
    """1 V behind 10 MOhm: the meter's divider halves it, and only while its channel is closed."""
    made: list[CircuitWorld] = []
    instrument = EmulatedKeithleyDaq6510(Later(made))
    wired = instrument.channels[102]
    wired.hi, wired.lo = "node", GROUND
    circuit = Circuit([VoltageSource("v", "top", GROUND, 1.0), Resistor("r", "top", "node", 1e-7)])
    made.append(CircuitWorld(circuit, channels=[wired]))
    assert asked(instrument, "VOLT:INP MOHM10,(@101:102)") == ""
    asked(instrument, "ROUT:SCAN:CRE (@101:102);:INIT")
    readings = [float(field) for field in asked(instrument, "TRAC:DATA? 1,2").split(",")]
    assert readings == pytest.approx([0.0, 0.5])
    assert made[0].net_volts("node") == pytest.approx(0.5)
    asked(instrument, "ROUT:OPEN:ALL")
    assert made[0].net_volts("node") == pytest.approx(1.0, abs=1e-6)


def test_over_range(bench: Bench) -> None:
    bench.ask("VOLT:RANG 0.1,(@101:103);:ROUT:SCAN:CRE (@101:103);:INIT")
    assert bench.numbers("TRAC:DATA? 1,3") == [0.01, -9.9e37, 9.9e37]
    assert bench.ask('TRAC:DATA? 2,2,"defbuffer1",STAT') == "8"


@pytest.mark.parametrize(
    ("kind", "order", "letter"),
    [("REAL", "SWAP", "<d"), ("REAL", "NORM", ">d"), ("SREAL", "SWAP", "<f")],
)
def test_binary_readings(bench: Bench, kind: str, order: str, letter: str) -> None:
    bench.ask(f"FORM:DATA {kind};BORD {order};:ROUT:SCAN:CRE (@101:103);:INIT")
    reply = bench.instrument.receive(b'TRAC:DATA? 1,3,"defbuffer1",READ,REL\n')
    assert reply[:2] == b"#0"
    assert reply[-1:] == b"\n"
    numbers = struct.unpack(f"{letter[0]}6{letter[1]}", reply[2:-1])
    assert numbers[0::2] == pytest.approx([0.01, -0.5, 2.5])
    assert bench.ask("FORM?") == {"REAL": "REAL", "SREAL": "SRE"}[kind]


def test_buffers(bench: Bench) -> None:
    bench.ask('TRAC:MAKE "mine",100;:ROUT:SCAN:BUFF "mine";:ROUT:SCAN:CRE (@101,103);:INIT')
    assert bench.ask('TRAC:ACT? "mine";:TRAC:ACT?;:TRAC:POIN? "mine"') == "2;0;100"
    assert bench.numbers('TRAC:STAT:AVER? "mine"') == [pytest.approx(1.255)]
    assert bench.ask('READ? "mine",READ,CHAN;:FETC? "mine",CHAN') == "2.500000000E+00,103;103"
    bench.ask('TRAC:CLE "mine"')
    assert bench.ask('TRAC:ACT? "mine"') == "0"
    bench.ask('TRAC:FILL:MODE ONCE,"mine";:TRAC:POIN 10,"mine";:ROUT:SCAN:COUN:SCAN 6;:INIT')
    assert bench.ask("SYST:ERR?").startswith("4915,")
    bench.ask('TRAC:DEL "mine"')
    assert bench.ask("SYST:ERR:COUN?") == "0"


def test_an_endless_scan_goes_on_while_it_is_looked_at(bench: Bench) -> None:
    bench.ask("ROUT:SCAN:CRE (@101:102);:ROUT:SCAN:COUN:SCAN 0;:INIT")
    assert int(bench.ask("TRAC:ACT?")) < int(bench.ask("TRAC:ACT?"))
    assert bench.ask("ROUT:SCAN:STAT?").startswith("RUNNING")
    bench.ask("ABOR")
    assert bench.ask("TRAC:ACT?") == bench.ask("TRAC:ACT?")


def test_a_scan_can_wait_for_a_trigger(bench: Bench) -> None:
    bench.ask("ROUT:SCAN:CRE (@101:102);:ROUT:SCAN:STAR:STIM COMM;:INIT")
    assert bench.ask("TRAC:ACT?") == "0"
    bench.ask("*TRG")
    assert bench.ask("TRAC:ACT?;:SYST:ERR?") == f"2;{NONE}"


def test_relative(bench: Bench) -> None:
    bench.ask("ROUT:CLOS (@103);:VOLT:REL:ACQ;:VOLT:REL:STAT 1")
    assert bench.numbers("READ?") == [0]


@pytest.mark.parametrize(("ohms", "reading"), [(4700.0, 4700.0), (1e9, 9.9e37)])
def test_resistance(ohms: float, reading: float) -> None:
    instrument = EmulatedKeithleyDaq6510(ResistorWorld(ohms))
    asked(instrument, "SENS:FUNC 'RES';:ROUT:CLOS (@103)")
    assert float(asked(instrument, "READ?")) == pytest.approx(reading)
    assert float(asked(instrument, "MEAS:VOLT? 'defbuffer1'")) == 0.0
    assert float(asked(instrument, "MEAS:CURR:DC?")) == 0.0


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("FOO", -113),
        ("ROUT:CLOS (@130)", -222),
        ("ROUT:CLOS (@101:130)", -222),
        ("ROUT:CLOS 101", -104),
        ("ROUT:CLOS (@1x1)", -171),
        ("ROUT:CLOS", -109),
        ("ROUT:SCAN:CRE (@125)", -222),
        ("SENS:VOLT:NPLC 16,(@101)", -222),
        ("SENS:VOLT:RANG 1001", -222),
        ("SENS:FUNC 'TEMP'", -224),
        ("SENS:FUNC VOLT", -104),
        ("INIT", -213),
        ("*TRG", -211),
        ("FETC?", -230),
        ("TRAC:DATA? 1,1", -222),
        ("TRAC:CLE 'other'", 1133),
        ("SYST:TIME 2026,2,30,0,0,0", -222),
    ],
)
def test_errors_have_severity_and_time(bench: Bench, message: str, code: int) -> None:
    assert bench.ask(message) == ""
    assert bench.ask("SYST:ERR:COUN?") == "1"
    number, _, text = bench.ask("SYST:ERR?").partition(",")
    assert int(number) == code
    _, severity, stamp = text.strip('"').rsplit(";", 2)
    assert severity == "1"
    assert stamp.startswith("2026/01/01 00:00:00.")
    assert bench.ask("SYST:ERR?") == NONE


def test_binary_has_no_channels(bench: Bench) -> None:
    bench.ask('ROUT:SCAN:CRE (@101);:INIT;:FORM REAL;:TRAC:DATA? 1,1,"defbuffer1",CHAN')
    assert bench.ask("SYST:EVEN:NEXT?").startswith('1133,"Parameter 4, Syntax error')


def test_the_meter_strays_within_the_data_sheet() -> None:
    errors = []
    for seed in range(20):
        bench = Bench(np.random.default_rng(seed))
        bench.ask("VOLT:RANG 10,(@103);:ROUT:SCAN:CRE (@103);:INIT")
        errors.append(bench.numbers("TRAC:DATA? 1,1")[0] - 2.5)
    limit = 25e-6 * 2.5 + 5e-6 * 10
    assert limit / 4 < np.abs(errors).max() < limit + 5 * 4e-6


def test_errors_repeat_and_noise_does_not() -> None:
    bench = Bench(np.random.default_rng(1))
    bench.ask("VOLT:RANG 10,(@101);:ROUT:SCAN:CRE (@101);:ROUT:SCAN:COUN:SCAN 400;:INIT")
    readings = np.array(bench.numbers("TRAC:DATA? 1,400"))
    assert readings.std() == pytest.approx(4e-6, rel=0.2)
    assert abs(readings.mean() - 0.01) > 1e-6


def test_triggering_into_a_buffer(bench: Bench) -> None:
    bench.ask('TRAC:MAKE "mine", 100;:SENS:COUN 3;:ROUT:CLOS (@101);:TRAC:TRIG "mine"')
    assert bench.ask('TRAC:ACT? "mine";:TRAC:ACT?') == "3;0"
    bench.ask('TRAC:TRIG "nobody\'s"')
    assert bench.ask("SYST:ERR?") != NONE
