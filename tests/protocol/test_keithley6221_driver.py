"""Our 6221 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.emulated.keithley6221 import EmulatedKeithley6221
from drivers.emulated.world import CurrentForce, Open, ResistorWorld
from drivers.instruments.keithley6221 import (
    CurrentSourceLimits,
    CurrentSourceSetup,
    Keithley6221,
)
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import InstrumentError, SafetyError

LIMITS = CurrentSourceLimits(amps=1e-3, volts=5.0)


def build() -> tuple[Keithley6221, EmulatedKeithley6221]:
    instrument = EmulatedKeithley6221(ResistorWorld(1e4))
    source = Keithley6221(MemoryTransport(instrument, "source"), LIMITS)
    source.prepare(CurrentSourceSetup(low_to_earth=True, filtered=True))
    return source, instrument


def test_compliance_then_range_then_level() -> None:
    message = (
        b":SOUR:CURR:COMP 2;:SOUR:CURR 0;:SOUR:CURR:RANG 0.001;:SOUR:CURR 0.0001;"
        b":SOUR:CURR:COMP?;:SOUR:CURR?;:SYST:ERR?"
    )
    reply = b'2.000000E+00;1.000000E-04;0,"No error"'
    with ScriptedTransport([(message, reply), (b":SOUR:CURR -5e-05", None)]) as transport:
        source = Keithley6221(transport, LIMITS)
        source.source_amps(1e-4, 2.0, 1e-3)
        source.set_amps(-5e-5)


def test_sourcing_and_compliance() -> None:
    source, instrument = build()
    source.source_amps(1e-4, 2.0, 1e-3)
    assert instrument.channel.stance == Open()
    source.switch(True)
    assert instrument.channel.stance == CurrentForce(1e-4, 2.0)
    assert not source.in_compliance()
    source.set_amps(5e-4)
    assert source.in_compliance()


@pytest.mark.parametrize(
    "call",
    [
        lambda source: source.source_amps(2e-3, 1.0, 2e-3),
        lambda source: source.source_amps(1e-4, 6.0, 1e-3),
        lambda source: source.set_amps(-2e-3),
    ],
)
def test_what_is_outside_the_envelope_is_never_sent(call: object) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(SafetyError, match="nothing was sent"):
        call(Keithley6221(transport, LIMITS))  # type: ignore[operator]


def test_safe_state() -> None:
    source, instrument = build()
    source.source_amps(1e-4, 2.0, 1e-3)
    source.switch(True)
    source.make_safe()
    assert not instrument.output_on
    assert instrument.receive(b":SOUR:CURR?;:SYST:ERR?\n") == b'0.000000E+00;0,"No error"\n'


def test_an_open_interlock_is_reported() -> None:
    source, instrument = build()
    instrument.set_interlock(False)
    with pytest.raises(InstrumentError, match="interlock"):
        source.switch(True)
