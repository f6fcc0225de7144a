"""Our 2400 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.world import ResistorWorld, VoltageForce
from drivers.instruments.keithley2400 import Keithley2400
from drivers.instruments.smu import SmuSetup
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    SafetyError,
    TransportError,
    TransportTimeoutError,
    UsageError,
)
from tests.protocol.smus import BEYOND_LIMITS, LIMITS, lost_at, watched

IDN = b"KEITHLEY INSTRUMENTS INC.,MODEL 2400,123,C32"
NONE = b'0,"No error"'


def build(load_ohms: float = 1e4) -> tuple[Keithley2400, EmulatedKeithley2400]:
    instrument = EmulatedKeithley2400(ResistorWorld(load_ohms))
    smu = Keithley2400(MemoryTransport(instrument, "smu"), LIMITS)
    smu.prepare(SmuSetup())
    return smu, instrument


def test_preparing_says_exactly_this() -> None:
    dialogue = [
        (b"*IDN?", IDN),
        (b":ABOR;:OUTP OFF;*RST;*CLS;:STAT:PRES", None),
        (
            b':OUTP:SMOD HIMP;:SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR";'
            b":FORM:ELEM VOLT,CURR,TIME,STAT;:SYST:RSEN 1;:SENS:CURR:NPLC 0.1;"
            b":SYST:RSEN?;:SENS:CURR:NPLC?;:SYST:ERR?",
            b"1;1.000000E-01;" + NONE,
        ),
    ]
    with ScriptedTransport(dialogue) as transport:
        smu = Keithley2400(transport, LIMITS, serial="123")
        identity = smu.prepare(SmuSetup(line_cycles=0.1, four_wire=True, off_mode="HIMP"))
    assert identity.serial == "123"


def test_the_limit_goes_before_the_level() -> None:
    message = (
        b":SOUR:FUNC VOLT;:SENS:CURR:PROT 0.0001;:SENS:CURR:RANG 0.0001;:SOUR:VOLT 0.5;"
        b":SENS:CURR:PROT?;:SOUR:VOLT?;:SYST:ERR?"
    )
    with ScriptedTransport([(message, b"1.000000E-04;5.000000E-01;" + NONE)]) as transport:
        Keithley2400(transport, LIMITS).source_volts(0.5, 1e-4, amps_range=1e-4)


@pytest.mark.parametrize("reply", [IDN.replace(b"2400", b"2000"), IDN.replace(b"123", b"7")])
def test_another_instrument_is_refused(reply: bytes) -> None:
    with ScriptedTransport([(b"*IDN?", reply)]) as transport:
        smu = Keithley2400(transport, LIMITS, serial="123")
        with pytest.raises(ConfigurationError, match="expected there"):
            smu.prepare(SmuSetup())


def test_a_value_read_back_differently_is_an_error() -> None:
    smu_says = b"1.000000E-03;5.000000E-01;" + NONE
    message = (
        b":SOUR:FUNC VOLT;:SENS:CURR:PROT 0.0001;:SENS:CURR:RANG:AUTO 1;:SOUR:VOLT 0.5;"
        b":SENS:CURR:PROT?;:SENS:CURR:RANG:AUTO?;:SOUR:VOLT?;:SYST:ERR?"
    )
    with ScriptedTransport([(message, smu_says.replace(b";5", b";1;5"))]) as transport:
        with pytest.raises(InstrumentError, match=r"reads back as 0\.001"):
            Keithley2400(transport, LIMITS).source_volts(0.5, 1e-4)


@pytest.mark.parametrize("call", BEYOND_LIMITS)
def test_what_is_outside_the_envelope_is_never_sent(call: object) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(SafetyError, match="nothing was sent"):
        call(Keithley2400(transport, LIMITS))  # type: ignore[operator]


def test_making_safe_asks_nothing_and_tries_every_step() -> None:
    messages = [b":ABOR", b":SOUR:VOLT:MODE FIX", b":SOUR:CURR:MODE FIX"]
    messages += [b":SOUR:VOLT 0", b":SOUR:CURR 0", b":OUTP OFF"]
    with ScriptedTransport(lost_at(b"VOLT 0", messages)) as transport:
        with pytest.raises(TransportError, match="may not be safe") as caught:
            Keithley2400(transport, LIMITS).make_safe()
    assert list(caught.value.evidence["failures"]) == [":SOUR:VOLT 0"]


def test_sourcing_volts_on_the_emulated_instrument() -> None:
    smu, instrument = build()
    smu.source_volts(1.0, 1e-3)
    smu.switch(True)
    assert instrument.output_on
    reading = smu.measure()
    assert (reading.volts, reading.amps) == pytest.approx((1.0, 1e-4))
    assert not reading.in_compliance
    assert smu.measure_at(2.0).amps == pytest.approx(2e-4)
    smu.source_volts(1.0, 1e-5)
    assert smu.measure().in_compliance
    smu.check()


def test_sourcing_amps_on_the_emulated_instrument() -> None:
    smu, _ = build()
    smu.source_amps(1e-4, 2.0, volts_range=2.0)
    smu.switch(True)
    assert smu.measure().volts == pytest.approx(1.0)
    assert smu.measure_at(5e-4).in_compliance


def test_a_fixed_range_below_the_compliance_counts_as_compliance() -> None:
    smu, _ = build()
    smu.source_volts(1.0, 1e-3, amps_range=1e-5)
    smu.switch(True)
    reading = smu.measure()
    assert reading.in_compliance
    assert reading.amps == pytest.approx(1.05e-5)


def test_a_long_list_goes_out_in_pieces_and_the_source_returns() -> None:
    smu, instrument = build()
    smu.source_volts(0.5, 1e-3)
    smu.switch(True)
    levels = [0.001 * step for step in range(250)]
    readings = smu.sweep(levels)
    assert [reading.volts for reading in readings] == pytest.approx(levels)
    assert readings[-1].seconds > readings[0].seconds
    assert smu.measure().volts == pytest.approx(0.5)
    assert instrument.channel.stance == VoltageForce(0.5, 1e-3)


def test_a_list_is_a_train_of_pulses_of_known_length() -> None:
    smu, instrument = build()
    world = instrument._meter._world
    smu.source_volts(0.0, 1e-3)
    smu.switch(True)
    steps = watched(instrument.channel, world)
    smu.sweep([1.5, 0.0, 1.5, 0.0], delay_seconds=0.25)
    aperture = 2 * 3 / 60  # two functions, with autozero, at 60 Hz
    width = 0.25 + aperture
    assert [step.volts for step in steps] == [1.5, 0.0, 1.5, 0.0]
    assert [step.seconds for step in steps] == pytest.approx([0, width, 2 * width, 3 * width])


@pytest.mark.parametrize("n_levels", [0, 2501])
def test_sweeps_have_bounds(n_levels: int) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError):
        Keithley2400(transport, LIMITS).sweep([0.0] * n_levels)


def test_ramp_and_safe_state() -> None:
    smu, instrument = build()
    smu.source_volts(2.0, 1e-3)
    smu.switch(True)
    slept: list[float] = []
    smu.ramp_to_zero(slept.append, 0.02)
    assert slept == [0.02] * 10
    assert instrument.channel.stance == VoltageForce(0.0, 1e-3)
    smu.make_safe()
    assert not instrument.output_on


def test_an_open_output_enable_line_is_reported() -> None:
    smu, instrument = build()
    instrument.receive(b":OUTP:ENAB ON\n")
    instrument.set_output_enable(False)
    with pytest.raises(InstrumentError, match="802 OUTPUT blocked by output enable"):
        smu.switch(True)
    assert not instrument.output_on


def test_reading_with_the_output_off_times_out_and_leaves_its_reason() -> None:
    smu, _ = build()
    with pytest.raises(TransportTimeoutError):
        smu.measure()
    with pytest.raises(InstrumentError, match="803 Not permitted with OUTPUT off"):
        smu.check()
