"""Our 2450 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.world import ResistorWorld, VoltageForce
from drivers.instruments.keithley2450 import Keithley2450
from drivers.instruments.smu import SmuSetup
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    SafetyError,
    TransportError,
    UsageError,
)
from tests.protocol.smus import BEYOND_LIMITS, LIMITS, Counting, lost_at, watched

IDN = b"KEITHLEY INSTRUMENTS,MODEL 2450,123,1.7.12b"
NONE = b'0,"No error;0;0 0"'
SWITCHED = (b":OUTP 1;:OUTP?;:SYST:ERR?", b"1;" + NONE)


def build(load_ohms: float = 1e4) -> tuple[Keithley2450, EmulatedKeithley2450, Counting]:
    instrument = EmulatedKeithley2450(ResistorWorld(load_ohms))
    transport = Counting(instrument, "smu")
    smu = Keithley2450(transport, LIMITS)
    smu.prepare(SmuSetup())
    return smu, instrument, transport


def test_preparing_says_exactly_this() -> None:
    dialogue = [
        (b"*IDN?", IDN),
        (b"*LANG?", b"SCPI"),
        (b":ABOR;:OUTP OFF;*RST;*CLS;:STAT:PRES", None),
        (
            b":OUTP:SMOD HIMP;:SOUR:VOLT:READ:BACK 1;:SENS:VOLT:RSEN 1;:SENS:VOLT:NPLC 0.1;"
            b":SOUR:CURR:READ:BACK 1;:SENS:CURR:RSEN 1;:SENS:CURR:NPLC 0.1;"
            b":SOUR:VOLT:READ:BACK?;:SENS:VOLT:RSEN?;:SENS:VOLT:NPLC?;"
            b":SOUR:CURR:READ:BACK?;:SENS:CURR:RSEN?;:SENS:CURR:NPLC?;:SYST:ERR?",
            b"1;1;1.000000E-01;1;1;1.000000E-01;" + NONE,
        ),
    ]
    with ScriptedTransport(dialogue) as transport:
        smu = Keithley2450(transport, LIMITS, serial="123")
        identity = smu.prepare(SmuSetup(line_cycles=0.1, four_wire=True, off_mode="HIMP"))
    assert identity.serial == "123"


def test_the_limit_goes_before_the_level() -> None:
    message = (
        b':SOUR:FUNC VOLT;:SENS:FUNC "CURR";:SENS:CURR:RANG 0.0001;:SOUR:VOLT:ILIM 0.0001;'
        b":SOUR:VOLT 0.5;:SOUR:VOLT:ILIM?;:SOUR:VOLT?;:SYST:ERR?"
    )
    with ScriptedTransport([(message, b"1.000000E-04;5.000000E-01;" + NONE)]) as transport:
        Keithley2450(transport, LIMITS).source_volts(0.5, 1e-4, amps_range=1e-4)


@pytest.mark.parametrize("reply", [IDN.replace(b"2450", b"2000"), IDN.replace(b"123", b"7")])
def test_another_instrument_is_refused(reply: bytes) -> None:
    with ScriptedTransport([(b"*IDN?", reply)]) as transport:
        smu = Keithley2450(transport, LIMITS, serial="123")
        with pytest.raises(ConfigurationError, match="expected there"):
            smu.prepare(SmuSetup())


def test_another_command_set_is_refused() -> None:
    with ScriptedTransport([(b"*IDN?", IDN), (b"*LANG?", b"TSP")]) as transport:
        with pytest.raises(ConfigurationError, match=r"TSP.*\*LANG SCPI"):
            Keithley2450(transport, LIMITS).prepare(SmuSetup())


@pytest.mark.parametrize("call", BEYOND_LIMITS)
def test_what_is_outside_the_envelope_is_never_sent(call: object) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(SafetyError, match="nothing was sent"):
        call(Keithley2450(transport, LIMITS))  # type: ignore[operator]


def test_making_safe_asks_nothing_and_tries_every_step() -> None:
    messages = [b":ABOR", b":SOUR:VOLT 0", b":SOUR:CURR 0", b":OUTP OFF"]
    with ScriptedTransport(lost_at(b"VOLT 0", messages)) as transport:
        with pytest.raises(TransportError, match="may not be safe") as caught:
            Keithley2450(transport, LIMITS).make_safe()
    assert list(caught.value.evidence["failures"]) == [":SOUR:VOLT 0"]


def test_sourcing_volts_on_the_emulated_instrument() -> None:
    smu, instrument, transport = build()
    smu.source_volts(1.0, 1e-3)
    smu.switch(True)
    assert instrument.output_on
    reading = smu.measure()
    assert (reading.volts, reading.amps) == pytest.approx((1.0, 1e-4))
    assert not reading.in_compliance
    before = transport.n_exchanges
    later = smu.measure_at(2.0)
    assert transport.n_exchanges == before + 1
    assert later.amps == pytest.approx(2e-4)
    assert later.seconds > reading.seconds == 0.0
    smu.source_volts(1.0, 1e-5)
    assert smu.measure().in_compliance
    smu.check()


def test_sourcing_amps_on_the_emulated_instrument() -> None:
    smu, _, _ = build()
    smu.source_amps(1e-4, 2.0, volts_range=2.0)
    smu.switch(True)
    reading = smu.measure()
    assert (reading.volts, reading.amps) == pytest.approx((1.0, 1e-4))
    assert smu.measure_at(5e-4).in_compliance


def test_a_fixed_range_below_the_limit_overflows() -> None:
    smu, _, _ = build()
    smu.source_volts(1.0, 1e-3, amps_range=1e-5)
    smu.switch(True)
    reading = smu.measure()
    assert reading.overflow
    assert reading.in_compliance


def test_a_limit_the_instrument_refuses_is_an_error() -> None:
    smu, _, _ = build()
    with pytest.raises(InstrumentError, match="-222"):
        smu.source_volts(1.0, 1e-12)


@pytest.mark.parametrize(("n_levels", "n_exchanges"), [(5, 1), (100, 1), (250, 4)])
def test_a_sweep_returns_to_the_level_and_stays_on(n_levels: int, n_exchanges: int) -> None:
    smu, instrument, transport = build()
    smu.source_volts(0.5, 1e-3)
    smu.switch(True)
    levels = [0.001 * step for step in range(n_levels)]
    before = transport.n_exchanges
    readings = smu.sweep(levels)
    assert transport.n_exchanges == before + n_exchanges
    assert [reading.volts for reading in readings] == pytest.approx(levels)
    assert [reading.amps for reading in readings] == pytest.approx([v / 1e4 for v in levels])
    assert readings[-1].seconds > readings[0].seconds
    assert instrument.channel.stance == VoltageForce(0.5, 1e-3)
    assert smu.measure().volts == pytest.approx(0.5)


def test_a_list_is_a_train_of_pulses_of_known_length() -> None:
    smu, instrument, transport = build()
    world = instrument._sense._world
    smu.source_volts(0.0, 1e-3)
    smu.switch(True)
    steps = watched(instrument.channel, world)
    before = transport.n_exchanges
    smu.sweep([1.5, 0.0, 1.5, 0.0], delay_seconds=0.25)
    assert transport.n_exchanges == before + 1
    width = 0.001 + 0.25 + 2 * 3 / 60  # its own delay, ours, and two quantities with autozero
    assert [step.volts for step in steps][:4] == [1.5, 0.0, 1.5, 0.0]
    assert [step.seconds for step in steps][:4] == pytest.approx([0, width, 2 * width, 3 * width])
    assert {step.volts for step in steps[4:]} == {0.0}  # off at the end, and on again at 0 V


def test_a_sweep_does_not_switch_an_output_on() -> None:
    smu, instrument, _ = build()
    smu.source_volts(0.5, 1e-3)
    with pytest.raises(UsageError, match="switch it on first"):
        smu.sweep([0.1])
    assert not instrument.output_on
    smu.switch(True)
    smu.source_amps(1e-5, 1.0)  # the instrument goes off here
    with pytest.raises(UsageError, match="switch it on first"):
        smu.sweep([0.0])


def test_a_refused_sweep_runs_nothing_and_ends_with_the_output_off() -> None:
    smu, instrument, _ = build()
    smu.source_volts(0.5, 1e-3)
    smu.switch(True)
    smu.sweep([0.1, 0.2])
    instrument.receive(b':SOUR:FUNC CURR;:OUTP ON;:TRAC:CLE "defbuffer1"\n')  # somebody else
    with pytest.raises(InstrumentError, match="-221"):
        smu.sweep([0.3])
    assert not instrument.output_on


@pytest.mark.parametrize("n_levels", [0, 2501])
def test_sweeps_have_bounds(n_levels: int) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError):
        Keithley2450(transport, LIMITS).sweep([0.0] * n_levels)


def test_the_shortest_delay() -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError, match="shortest"):
        Keithley2450(transport, LIMITS).sweep([0.0], delay_seconds=1e-6)


def test_ramp_and_safe_state() -> None:
    smu, instrument, _ = build()
    smu.source_volts(2.0, 1e-3)
    smu.switch(True)
    slept: list[float] = []
    smu.ramp_to_zero(slept.append, 0.02)
    assert slept == [0.02] * 10
    assert instrument.channel.stance == VoltageForce(0.0, 1e-3)
    smu.make_safe()
    assert not instrument.output_on


def test_an_open_interlock_is_reported() -> None:
    smu, instrument, _ = build()
    instrument.receive(b":OUTP:INT:STAT ON\n")
    instrument.set_interlock(False)
    with pytest.raises(InstrumentError, match="interlock"):
        smu.switch(True)
    assert not instrument.output_on


def test_switching_says_exactly_this() -> None:
    with ScriptedTransport([SWITCHED]) as transport:
        Keithley2450(transport, LIMITS).switch(True)
