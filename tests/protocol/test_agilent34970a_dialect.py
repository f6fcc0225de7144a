"""What the manual says of a 34970A, asked of the emulated one in its own words."""

from __future__ import annotations

import numpy as np
import pytest
import pyvisa

from drivers.emulated.agilent34970a import EmulatedAgilent34970A
from drivers.emulated.scanner_cards import CARD_34901A
from drivers.emulated.world import Meter, Open, ScannerWorld
from tests.protocol.scanners import DividerWorld, asked
from tests.protocol.served import served

NONE = '+0,"No error"'
VOLTS = {"101": 0.01, "102": -0.5, "103": 2.5, "320": 250.0}


class Bench:
    """An instrument that sees voltages, spoken to in text."""

    def __init__(self, random: np.random.Generator | None = None) -> None:
        self.world = ScannerWorld(VOLTS)
        self.switched: list[frozenset[str]] = []
        self.instrument = EmulatedAgilent34970A(
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
    assert bench.ask("*IDN?") == "HEWLETT-PACKARD,34970A,0,13-2-2"
    assert bench.ask("SYST:CTYP? 300") == "HEWLETT-PACKARD,34901A,0,2.3"
    one_card = EmulatedAgilent34970A(ScannerWorld({}), cards={1: CARD_34901A})
    assert asked(one_card, "SYST:CTYP? 200") == "HEWLETT-PACKARD,0,0,0"
    assert bench.ask("SYST:VERS?;:INST:DMM?") == "1994.0;1"


def test_diagnostics(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101:102);:READ?;:READ?")
    assert bench.ask("DIAG:REL:CYCL? (@101:103);:DIAG:DMM:CYCL?") == "+2,+2,+0;+4,+0,+0"
    bench.ask("DIAG:POKE:SLOT:DATA 200,'node volts'")
    assert bench.ask("DIAG:PEEK:SLOT:DATA? 200;:DIAG:PEEK:SLOT:DATA? 100") == '"node volts";""'


def test_the_scan_list_is_a_block_in_ascending_order(bench: Bench) -> None:
    assert bench.ask("ROUT:SCAN?") == "#13(@)"
    bench.ask("ROUT:SCAN (@103,101:102)")
    assert bench.ask("ROUT:SCAN?") == "#214(@101,102,103)"
    assert bench.ask("ROUT:SCAN:SIZE?") == "+3"
    bench.ask("ROUT:SCAN (@)")
    assert bench.ask("ROUT:SCAN?") == "#13(@)"
    bench.ask("ROUT:SCAN (@101:305);*RST")
    assert bench.ask("ROUT:SCAN?") == "#13(@)"


def test_reading_without_memory(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101:103)")
    assert bench.ask("READ?") == "+1.00000000E-02,-5.00000000E-01,+2.50000000E+00"
    assert bench.ask("DATA:POIN?") == "+0"
    assert bench.instrument.closed == []  # the last channel opens, too


def test_memory(bench: Bench) -> None:
    bench.ask("CONF:VOLT:DC 10,0.00003,(@101:103);:TRIG:COUN 2;:INIT")
    assert bench.numbers("FETC?") == bench.numbers("FETC?") == [0.01, -0.5, 2.5] * 2
    assert bench.ask("DATA:POIN?") == "+6"
    assert bench.ask("R? 2") == "#231+1.00000000E-02,-5.00000000E-01"
    assert bench.numbers("DATA:REM? 1") == [2.5]
    assert bench.numbers("DATA:LAST? (@102)") == [-0.5]
    assert bench.numbers("CALC:AVER:MAX? (@101,103);") == [0.01, 2.5]
    assert bench.ask("DATA:POIN?") == "+3"
    bench.ask("INIT")
    assert bench.ask("DATA:POIN?") == "+6"  # a new scan clears what the last one left
    bench.ask("R?")
    assert bench.ask("R?") == "#10"
    bench.ask("SENS:VOLT:DC:NPLC 2;:FETC?")
    assert bench.ask("SYST:ERR?") == '-230,"Data stale"'


def test_format_of_readings(bench: Bench) -> None:
    bench.ask("CONF:VOLT:DC (@102);:FORM:READ:UNIT ON;TIME ON;CHAN ON;ALAR ON")
    assert bench.ask("READ?") == "-5.00000000E-01 VDC,000000000.038,102,0"
    bench.ask("FORM:READ:TIME:TYPE ABS;:FORM:READ:UNIT OFF;ALAR OFF;:INIT")
    assert bench.ask("FETC?") == "-5.00000000E-01,2026,01,01,00,00,00.080,102"
    bench.ask("CONF:VOLT:DC (@102)")
    assert bench.ask("READ?") == "-5.00000000E-01"


def test_measure_redefines_the_scan(bench: Bench) -> None:
    bench.ask("TRIG:COUN 5;:TRIG:SOUR BUS;:SENS:VOLT:NPLC 100,(@101)")
    assert bench.numbers("MEAS:VOLT:DC? (@101,320)") == [0.01, 250.0]
    assert bench.ask("ROUT:SCAN?;:TRIG:SOUR?") == "#210(@101,320);IMM"
    assert bench.numbers("TRIG:COUN?;") == [1]
    assert bench.numbers("SENS:VOLT:NPLC? (@101)") == [1]


def test_configuration(bench: Bench) -> None:
    bench.ask("CONF:VOLT:DC 1,0.000001,(@101);:ROUT:SCAN (@101:102)")
    assert bench.ask("CONF? (@101)") == '"VOLT +1.000000E+00,+1.000000E-06"'
    assert bench.ask("SENS:VOLT:DC:NPLC?") == "+1.00000000E+01,+1.00000000E+00"
    assert bench.ask("VOLT:RANG:AUTO? (@101,102)") == "0,1"
    bench.ask("VOLT:DC:NPLC 1.5;:VOLT:RANG 5,(@102)")  # without a list: the scan list
    assert bench.numbers("VOLT:DC:NPLC? (@101:103)") == [2, 2, 1]
    assert bench.numbers("VOLT:DC:RANG? (@102)") == [10]
    assert bench.ask("FUNC? (@101)") == '"VOLT"'


def test_over_range_and_scaling(bench: Bench) -> None:
    assert bench.numbers("MEAS:VOLT:DC? 0.1,(@101:103)") == [0.01, -9.9e37, 9.9e37]
    bench.ask("CALC:SCAL:STAT ON,(@101);:CALC:SCAL:GAIN 2,(@101);:CALC:SCAL:OFFS 1,(@101)")
    assert bench.numbers("READ?")[0] == pytest.approx(1.02)


@pytest.mark.parametrize(("state", "volts"), [("ON", 0.999), ("OFF", 0.5)])
def test_the_input_loads_what_it_measures(state: str, volts: float) -> None:
    instrument = EmulatedAgilent34970A(DividerWorld())
    asked(instrument, f"CONF:VOLT:DC 10,(@101:102);:INP:IMP:AUTO {state},(@101:102)")
    first, second = asked(instrument, "READ?").split(",")
    assert first == second
    assert float(first) == pytest.approx(volts, abs=1e-6)
    assert instrument.channels[101].stance == Open()


def test_time_passes(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101:102);:ROUT:CHAN:DEL 0.5,(@102);:ZERO:AUTO OFF")
    assert bench.ask("ROUT:CHAN:DEL:AUTO? (@101:102)") == "1,0"
    bench.ask("VOLT:NPLC 0.02;:READ?")
    relay, aperture = CARD_34901A.relay_seconds, 0.02 / 60
    assert bench.world.now_seconds == pytest.approx(4 * relay + 0.501 + 2 * aperture)
    assert bench.switched == [{"101"}, set(), {"102"}, set()]
    bench.ask("TRIG:SOUR TIM;:TRIG:TIM 60;:TRIG:COUN 3;:FORM:READ:TIME ON;:INIT")
    assert bench.numbers("FETC?")[9] == pytest.approx(120, abs=0.1)


def test_triggers(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101);:TRIG:SOUR BUS;:TRIG:COUN 2;:INIT")
    assert bench.ask("DATA:POIN?;:STAT:OPER:COND?") == "+0;+16"
    bench.ask("*TRG;*TRG")
    assert bench.ask("DATA:POIN?;:STAT:OPER:COND?;:SYST:ERR?") == f"+2;+0;{NONE}"
    bench.ask("*TRG")
    assert bench.ask("SYST:ERR?").startswith("-211")
    bench.ask("READ?")
    assert bench.ask("SYST:ERR?").startswith("-214")
    bench.ask("TRIG:SOUR IMM;:TRIG:COUN INF;:INIT")
    assert int(bench.ask("DATA:POIN?")) < int(bench.ask("DATA:POIN?"))
    assert bench.ask("TRIG:COUN?") == "+9.90000000E+37"
    bench.ask("INIT;:ABOR")
    assert bench.ask("SYST:ERR?").startswith("-213")
    assert bench.ask("DATA:POIN?") == bench.ask("DATA:POIN?")


def test_switching_and_the_scan_do_not_share_a_module(bench: Bench) -> None:
    bench.ask("ROUT:CLOS (@101,305);:ROUT:SCAN (@101:103)")
    assert bench.ask("ROUT:CLOS? (@101,305)") == "0,1"  # its module was reset
    bench.ask("ROUT:CLOS (@101)")
    assert bench.ask("SYST:ERR?") == '+301,"Module currently committed to scan"'
    bench.ask("ROUT:CLOS:EXCL (@306)")
    assert bench.ask("ROUT:CLOS? (@305,306);:ROUT:OPEN? (@306);:ROUT:DONE?") == "0,1;0;1"
    bench.ask("ROUT:OPEN (@306)")
    assert bench.instrument.closed == []
    bench.ask("ROUT:CLOS (@306);:SYST:CPON ALL")
    assert bench.ask("ROUT:SCAN?;:ROUT:CLOS? (@306)") == "#13(@);0"


def test_monitor(bench: Bench) -> None:
    assert bench.ask("ROUT:MON?") == "#13(@)"
    bench.ask("ROUT:MON (@103)")
    assert bench.ask("ROUT:MON?;:ROUT:MON:STAT?") == "#16(@103);0"
    assert bench.numbers("ROUT:MON:DATA?") == [9.91e37]
    bench.ask("ROUT:MON:STAT ON")
    assert bench.ask("ROUT:MON:DATA?") == "+2.50000000E+00"
    assert isinstance(bench.instrument.channels[103].stance, Meter)
    bench.ask("ROUT:MON:STAT OFF")
    assert bench.instrument.channels[103].stance == Open()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("FOO", '-113,"Undefined header"'),
        ("ROUT:SCAN (@401)", '+111,"Channel list: slot number out of range"'),
        ("ROUT:SCAN (@123)", '+112,"Channel list: channel number out of range"'),
        ("INIT", '+113,"Channel list: empty scan list"'),
        ("READ?", '+113,"Channel list: empty scan list"'),
        ("FETC?", '-230,"Data stale"'),
        ("DATA:REM? 1", '-222,"Data out of range"'),
        ("CONF:VOLT:DC 301,(@101)", '-222,"Data out of range"'),
        ("CONF:VOLT:DC", '-109,"Missing parameter"'),
        ("CONF:VOLT:DC (@121)", '+308,"Channel not able to perform requested operation"'),
        ("ROUT:MON (@101:102)", '+281,"Not able to perform on more than one channel"'),
        ("SYST:CTYP? 1", '-222,"Data out of range"'),
        ("ROUT:SCAN 101", '-104,"Data type error"'),
        ("*TRG", '-211,"Trigger ignored"'),
    ],
)
def test_errors(bench: Bench, message: str, error: str) -> None:
    assert bench.ask(message) == ""
    assert bench.ask("SYST:ERR?") == error
    assert bench.ask("SYST:ERR?") == NONE


def test_a_full_queue_says_so(bench: Bench) -> None:
    for _ in range(11):
        bench.ask("FOO")
    entries = [bench.ask("SYST:ERR?") for _ in range(10)]
    assert entries[-1] == '-350,"Too many errors"'
    assert bench.ask("SYST:ERR?") == NONE


def test_the_meter_strays_within_the_data_sheet() -> None:
    errors = []
    for seed in range(20):
        bench = Bench(np.random.default_rng(seed))
        errors.append(bench.numbers("MEAS:VOLT:DC? 10,(@103)")[0] - 2.5)
    limit = 35e-6 * 2.5 + 5e-6 * 10
    assert limit / 4 < np.abs(errors).max() < limit + 5 * 33e-6


def test_a_plain_pyvisa_session() -> None:
    manager = pyvisa.ResourceManager("@py")
    with served(EmulatedAgilent34970A(ScannerWorld(VOLTS))) as address:
        session = manager.open_resource(address, read_termination="\n", write_termination="\n")
        session.write("*RST")
        session.write("ROUTE:SCAN (@101:103)")
        session.write("INITIATE")
        assert session.query_ascii_values("FETCH?") == [0.01, -0.5, 2.5]
        assert session.query("SYSTEM:ERROR?") == NONE
        session.close()
    manager.close()


def test_a_channel_list_needs_no_scan_list(bench: Bench) -> None:
    assert bench.ask("ROUT:SCAN?") == "#13(@)"
    assert bench.numbers("VOLT:NPLC? (@101)") == [1.0]
    bench.ask("VOLT:NPLC?")
    assert bench.ask("SYST:ERR?").startswith("+113")


def test_limits_show_in_readings(bench: Bench) -> None:
    bench.ask("CONF:VOLT:DC (@101,102,103);:FORM:READ:ALAR ON")
    bench.ask("CALC:LIM:LOW 0,(@102);:CALC:LIM:LOW:STAT ON,(@102)")
    bench.ask("CALC:LIM:UPP 2,(@101,103);:CALC:LIM:UPP:STAT ON,(@101,103)")
    assert bench.numbers("READ?")[1::2] == [0, 1, 2]
    assert bench.numbers("CALC:LIM:UPP? (@102,103)") == [1e15, 2]
    assert bench.ask("SYST:ERR?") == NONE


def test_when_the_extremes_were(bench: Bench) -> None:
    bench.ask("ROUT:SCAN (@101,102);:FORM:READ:TIME ON;TIME:TYPE ABS;:INIT")
    first = bench.ask("FETC?").split(",")[1:7]
    assert bench.ask("CALC:AVER:MIN:TIME? (@101)").split(",") == first


def test_settings_that_other_clients_send(bench: Bench) -> None:
    bench.ask("VOLT:AC:BAND 200,(@101);:UNIT:TEMP F,(@101);:ROUT:CHAN:FWIR ON,(@101);*PSC 0")
    assert bench.numbers("VOLT:AC:BAND? (@101)") == [200]
    assert bench.ask("UNIT:TEMP? (@101);:ROUT:CHAN:FWIR? (@101);*PSC?") == "F;1;0"
