"""Our DAQ6510 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import math
import struct

import pytest

from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.scanner_cards import CARD_7700
from drivers.emulated.world import ScannerWorld
from drivers.instruments.keithleydaq6510 import KeithleyDaq6510
from drivers.instruments.scanner import ScanSetup
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from drivers.transport.visa import VisaTransport
from hil.errors import ConfigurationError, InstrumentError, TransportError, UsageError
from tests.protocol.scanners import asked
from tests.protocol.served import served

IDENTITY = b"KEITHLEY INSTRUMENTS,MODEL DAQ6510,1,1.7"
SETUP = ScanSetup((102, 101, 220), volts_range=10.0)


def build() -> tuple[KeithleyDaq6510, EmulatedKeithleyDaq6510]:
    instrument = EmulatedKeithleyDaq6510(ScannerWorld({"101": 0.01, "102": -0.5, "220": 15.0}))
    return KeithleyDaq6510(MemoryTransport(instrument, "daq")), instrument


def test_the_dialogue() -> None:
    channels = "(@101,102)"
    setup = (
        f':FORM:DATA REAL;:FORM:BORD SWAP;:SENS:FUNC "VOLT:DC",{channels};'
        f":SENS:VOLT:INP MOHM10,{channels};:SENS:VOLT:NPLC 0.1,{channels};"
        f":SENS:VOLT:AZER 0,{channels};:SENS:VOLT:RANG 1,{channels};"
        f":SENS:VOLT:DEL:AUTO OFF,{channels};:ROUT:DEL 0.002,{channels};"
        f":ROUT:SCAN:CRE {channels};:SYST:ERR?"
    )
    back = (
        f":SENS:VOLT:NPLC? {channels};:SENS:VOLT:INP? {channels};:ROUT:SCAN:COUN:STEP?;"
        f":SENS:VOLT:RANG? {channels}"
    )
    scan = (
        ":ROUT:SCAN:COUN:SCAN 2;:TRAC:CLE;:INIT;*WAI;"
        ':TRAC:DATA? 1,4,"defbuffer1",READ;:ROUT:OPEN:ALL'
    )
    dialogue = [
        (b"*IDN?", IDENTITY),
        (b"*LANG?", b"SCPI"),
        (b":ABOR;*RST;*CLS;:ROUT:OPEN:ALL", None),
        (setup.encode(), b'0,"No error;0;0 0"'),
        (back.encode(), b"0.1,0.1;MOHM10,MOHM10;2;1,1"),
        (scan.encode(), struct.pack("<4d", 0.1, 0.2, -9.9e37, 0.4)),
        (b":ABOR", None),
        (b":ROUT:OPEN:ALL", None),
    ]
    with ScriptedTransport(dialogue) as transport:
        meter = KeithleyDaq6510(transport)
        meter.prepare(
            ScanSetup(
                (101, 102), 1.0, 0.1, high_impedance=False, auto_zero=False, settle_seconds=0.002
            )
        )
        assert meter.scan(2).tolist() == [[0.1, 0.2], [-math.inf, 0.4]]
        meter.make_safe()


def test_scanning_in_the_order_asked_for() -> None:
    meter, instrument = build()
    assert meter.prepare(SETUP).model == "MODEL DAQ6510"
    assert meter.scan(2).tolist() == [[-0.5, 0.01, math.inf]] * 2
    assert meter.measure(101) == 0.01
    assert instrument.closed == []
    meter.check()


def test_automatic_range_reaches_further() -> None:
    meter, _ = build()
    meter.prepare(ScanSetup((220,), volts_range=None))
    assert meter.scan().tolist() == [[15.0]]


def test_over_tcp_with_line_feeds_in_the_payload() -> None:
    volts = struct.unpack("<d", b"\n\n\n\n\n\n\xe0\x3f")[0]  # about 0.5
    instrument = EmulatedKeithleyDaq6510(ScannerWorld({"101": volts}))
    with served(instrument) as address:
        transport = VisaTransport(address)
        meter = KeithleyDaq6510(transport)
        meter.prepare(ScanSetup((101, 102)))
        assert meter.scan().tolist() == [[volts, 0.0]]
        meter.make_safe()
        transport.close()


def test_a_missing_channel_is_reported() -> None:
    instrument = EmulatedKeithleyDaq6510(ScannerWorld({}), cards={1: CARD_7700})
    with pytest.raises(InstrumentError, match="-222"):
        KeithleyDaq6510(MemoryTransport(instrument)).prepare(SETUP)


def test_a_range_it_does_not_have_is_reported() -> None:
    meter, _ = build()
    with pytest.raises(InstrumentError, match="reads back as 10"):
        meter.prepare(ScanSetup((101,), volts_range=2.0))


def test_a_scan_that_fails_says_why() -> None:
    meter, instrument = build()
    meter.prepare(SETUP)
    asked(instrument, "ROUT:SCAN:CRE (@)")
    with pytest.raises(InstrumentError, match="-213"):
        meter.scan()


@pytest.mark.parametrize("n_scans", [0, 50_000])
def test_impossible_scans_are_not_sent(n_scans: int) -> None:
    with ScriptedTransport([]) as transport:
        meter = KeithleyDaq6510(transport)
        meter._setup = SETUP
        with pytest.raises(UsageError, match="scan several times"):
            meter.scan(n_scans)


@pytest.mark.parametrize("channels", [(), (101, 101)])
def test_impossible_channel_lists(channels: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="each channel once"):
        ScanSetup(channels)


def test_another_language_is_refused() -> None:
    with (
        ScriptedTransport([(b"*IDN?", IDENTITY), (b"*LANG?", b"TSP")]) as transport,
        pytest.raises(ConfigurationError, match=r"\*LANG SCPI"),
    ):
        KeithleyDaq6510(transport).prepare(SETUP)


def test_the_safe_state_is_written_only_and_attempts_everything() -> None:
    meter, instrument = build()
    asked(instrument, "ROUT:MULT:CLOS (@101,205)")
    meter.make_safe()
    assert instrument.closed == []
    dialogue = [(b":ABOR", TransportError("gone")), (b":ROUT:OPEN:ALL", None)]
    with (
        ScriptedTransport(dialogue) as transport,
        pytest.raises(TransportError, match=":ABOR"),
    ):
        KeithleyDaq6510(transport).make_safe()
