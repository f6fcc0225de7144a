"""Our 34970A driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import math

import pytest

from drivers.emulated.agilent34970a import EmulatedAgilent34970A
from drivers.emulated.scanner_cards import CARD_34901A
from drivers.emulated.world import ScannerWorld
from drivers.instruments.agilent34970a import Agilent34970A
from drivers.instruments.scanner import ScanSetup
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import InstrumentError, TransportError, UsageError
from tests.protocol.scanners import asked

NONE = b'+0,"No error"'
SETUP = ScanSetup((320, 101, 102), volts_range=10.0)


def build() -> tuple[Agilent34970A, EmulatedAgilent34970A]:
    instrument = EmulatedAgilent34970A(ScannerWorld({"101": 0.01, "102": -0.5, "320": 15.0}))
    return Agilent34970A(MemoryTransport(instrument, "daq")), instrument


def test_the_dialogue() -> None:
    channels = "(@102,101)"
    setup = (
        f":CONF:VOLT:DC 1,DEF,{channels};:SENS:VOLT:DC:NPLC 0.2,{channels};"
        f":SENS:ZERO:AUTO OFF,{channels};:INP:IMP:AUTO ON,{channels};"
        f":ROUT:CHAN:DEL 0.002,{channels};:SYST:ERR?"
    )
    back = (
        f":ROUT:SCAN:SIZE?;:SENS:VOLT:DC:NPLC? {channels};:INP:IMP:AUTO? {channels};"
        f":SENS:VOLT:DC:RANG? {channels}"
    )
    dialogue = [
        (b"*IDN?", b"HEWLETT-PACKARD,34970A,0,13-2-2"),
        (b":ABOR;*RST;*CLS", None),
        (setup.encode(), NONE),
        (back.encode(), b"+2;+2.0E-01,+2.0E-01;1,1;+1.0E+00,+1.0E+00"),
        (b":TRIG:COUN 2;:READ?;:SYST:ERR?", b"+1,+2,-9.9E+37,+4;" + NONE),
        (b":ABOR", None),
        (b":ROUT:MON:STAT OFF", None),
        (b":SYST:CPON ALL", None),
    ]
    with ScriptedTransport(dialogue) as transport:
        meter = Agilent34970A(transport)
        meter.prepare(ScanSetup((102, 101), 1.0, 0.2, auto_zero=False, settle_seconds=0.002))
        assert meter.scan(2).tolist() == [[2, 1], [4, -math.inf]]
        meter.make_safe()


def test_readings_come_in_the_order_asked_for() -> None:
    meter, instrument = build()
    assert meter.prepare(SETUP).model == "34970A"
    assert meter.scan(2).tolist() == [[math.inf, 0.01, -0.5]] * 2
    assert meter.measure(102) == -0.5
    assert meter.scan().tolist() == [[math.inf, 0.01, -0.5]]
    assert instrument.closed == []
    meter.check()


def test_automatic_range_reaches_further() -> None:
    meter, _ = build()
    meter.prepare(ScanSetup((320,), volts_range=None, high_impedance=False))
    assert meter.scan().tolist() == [[15.0]]


def test_a_missing_channel_is_reported() -> None:
    instrument = EmulatedAgilent34970A(ScannerWorld({}), cards={1: CARD_34901A})
    with pytest.raises(InstrumentError, match="slot number out of range"):
        Agilent34970A(MemoryTransport(instrument)).prepare(SETUP)


@pytest.mark.parametrize(("volts_range", "cycles"), [(2.0, 1.0), (10.0, 5.0)])
def test_settings_it_does_not_have_are_reported(volts_range: float, cycles: float) -> None:
    meter, _ = build()
    with pytest.raises(InstrumentError, match="reads back as 10"):
        meter.prepare(ScanSetup((101,), volts_range, cycles))


def test_a_scan_that_fails_says_why() -> None:
    meter, instrument = build()
    meter.prepare(SETUP)
    asked(instrument, "ROUT:SCAN (@)")
    with pytest.raises(InstrumentError, match="empty scan list"):
        meter.scan()
    with ScriptedTransport([]) as transport, pytest.raises(UsageError):
        Agilent34970A(transport).scan(50_001)


def test_the_safe_state_is_written_only_and_attempts_everything() -> None:
    meter, instrument = build()
    asked(instrument, "ROUT:CLOS (@101,305);:ROUT:SCAN (@201);:ROUT:MON (@201);MON:STAT ON;DATA?")
    meter.make_safe()
    assert instrument.closed == []
    dialogue = [
        (b":ABOR", TransportError("gone")),
        (b":ROUT:MON:STAT OFF", TransportError("gone")),
        (b":SYST:CPON ALL", None),
    ]
    with ScriptedTransport(dialogue) as transport, pytest.raises(TransportError, match=":ABOR"):
        Agilent34970A(transport).make_safe()
