"""Our 2750 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import math

import pytest

from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.world import ScannerWorld
from drivers.instruments.keithley2750 import Keithley2750
from drivers.instruments.scanner import ScanSetup
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import InstrumentError, ProtocolError, TransportError, UsageError
from tests.protocol.scanners import asked

NONE = b'0,"No error"'
SETUP = ScanSetup((520, 101, 102), volts_range=10.0, settle_seconds=0.01)


def build() -> tuple[Keithley2750, EmulatedKeithley2750]:
    instrument = EmulatedKeithley2750(ScannerWorld({"101": 0.01, "102": -0.5, "520": 15.0}))
    return Keithley2750(MemoryTransport(instrument, "switch")), instrument


def test_the_dialogue() -> None:
    scan = b":SAMP:COUN 4;:READ?;:ROUT:OPEN:ALL;:SYST:ERR?"
    close = b":ROUT:MULT:CLOS (@101,205);:ROUT:MULT:CLOS:STAT? (@101,205);:SYST:ERR?"
    dialogue = [
        (scan, b"+1,+2,-9.9E+37,+4;" + NONE),
        (close, b"1, 1;" + NONE),
        (b":ROUT:MULT:CLOS?", b"(@101,205)"),
        (b":ROUT:MULT:CLOS?", b"(@)"),
        (b":ABOR", None),
        (b":ROUT:OPEN:ALL", None),
    ]
    with ScriptedTransport(dialogue) as transport:
        switch = Keithley2750(transport)
        assert switch.scan(2).tolist() == [[1, 2], [-math.inf, 4]]
        switch.close([101, 205])
        assert switch.closed() == [101, 205]
        assert switch.closed() == []
        switch.make_safe()


def test_scanning_and_measuring() -> None:
    switch, instrument = build()
    assert switch.prepare(SETUP).model == "MODEL 2750"
    assert switch.scan(2).tolist() == [[math.inf, 0.01, -0.5]] * 2
    assert switch.measure(102) == -0.5
    assert switch.scan().tolist() == [[math.inf, 0.01, -0.5]]
    assert instrument.closed == []
    switch.check()


def test_automatic_range_reaches_further() -> None:
    switch, _ = build()
    switch.prepare(ScanSetup((520, 101), volts_range=None, high_impedance=False))
    assert switch.scan().tolist() == [[15.0, 0.01]]


def test_switching() -> None:
    switch, instrument = build()
    switch.prepare()
    switch.close([101, 111])
    switch.open([101])
    assert switch.closed() == instrument.closed == [111]
    with pytest.raises(InstrumentError, match="-222"):
        switch.close([699])


def test_a_relay_that_does_not_move_is_reported() -> None:
    message = b":ROUT:MULT:OPEN (@101);:ROUT:MULT:CLOS:STAT? (@101);:SYST:ERR?"
    with (
        ScriptedTransport([(message, b"1;" + NONE)]) as transport,
        pytest.raises(InstrumentError, match="reads back as 1"),
    ):
        Keithley2750(transport).open([101])


def test_what_it_cannot_do() -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError, match="two channels"):
        Keithley2750(transport).prepare(ScanSetup((101,)))
    switch, _ = build()
    with pytest.raises(InstrumentError, match="reads back as 10"):
        switch.prepare(ScanSetup((101, 102), volts_range=2.0))
    with (
        ScriptedTransport([(b":ROUT:MULT:CLOS?", b"what?")]) as transport,
        pytest.raises(ProtocolError, match="no channel list"),
    ):
        Keithley2750(transport).closed()


def test_a_scan_that_fails_says_why() -> None:
    switch, instrument = build()
    switch.prepare(SETUP)
    asked(instrument, "INIT:CONT ON")
    with pytest.raises(InstrumentError, match="-213"):
        switch.scan()


def test_the_safe_state_is_written_only_and_attempts_everything() -> None:
    switch, instrument = build()
    asked(instrument, "ROUT:MULT:CLOS (@101,305)")
    switch.make_safe()
    assert instrument.closed == []
    dialogue = [(b":ABOR", TransportError("gone")), (b":ROUT:OPEN:ALL", None)]
    with ScriptedTransport(dialogue) as transport, pytest.raises(TransportError, match=":ABOR"):
        Keithley2750(transport).make_safe()
