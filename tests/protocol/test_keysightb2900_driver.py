"""Our B2900 driver: its exact dialogue, and the emulated instrument behind it."""

from __future__ import annotations

import pytest

from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.keysightb2900_models import B2912A
from drivers.emulated.world import ResistorWorld, VoltageForce
from drivers.instruments.keysightb2900 import KeysightB2900, SmuB2900Setup
from drivers.instruments.smu import SmuLimits
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    SafetyError,
    TransportError,
    UsageError,
)
from tests.protocol.smus import Counting, lost_at, watched

LIMITS = {1: SmuLimits(volts=3.0, amps=1e-3), 2: SmuLimits(volts=1.0, amps=1e-4)}
IDN = b"Keysight Technologies,B2912A,MY123,3.4"
NONE = b'+0,"No error"'


def build(load_ohms: float = 1e4) -> tuple[KeysightB2900, EmulatedKeysightB2900, Counting]:
    instrument = EmulatedKeysightB2900(ResistorWorld(load_ohms), B2912A)
    transport = Counting(instrument, "smu")
    smu = KeysightB2900(transport, LIMITS)
    smu.prepare(SmuB2900Setup())
    return smu, instrument, transport


def test_preparing_says_exactly_this() -> None:
    dialogue = [
        (b"*IDN?", IDN),
        (
            b":OUTP2:ON:AUTO OFF;:ABOR (@2);:OUTP2 OFF;*RST;*CLS;:STAT:PRES;:OUTP2:ON:AUTO OFF",
            None,
        ),
        (
            b":FORM:ELEM:SENS VOLT,CURR,TIME,STAT;:OUTP2:ON:AUTO 0;:OUTP2:OFF:MODE HIZ;"
            b':SENS2:FUNC "VOLT","CURR";:SENS2:FUNC:OFF "RES";:SENS2:REM 1;'
            b":SENS2:CURR:NPLC 0.1;:TRIG2:SOUR AINT;:OUTP2:ON:AUTO?;:SENS2:REM?;"
            b":SENS2:CURR:NPLC?;:SYST:ERR?",
            b"0;1;1.000000E-01;" + NONE,
        ),
    ]
    with ScriptedTransport(dialogue) as transport:
        smu = KeysightB2900(transport, {2: LIMITS[2]}, serial="MY123")
        setup = SmuB2900Setup(line_cycles=0.1, four_wire=True, off_mode="HIZ")
        assert smu.prepare(setup).model == "B2912A"


def test_preparing_leaves_nothing_that_would_switch_on() -> None:
    _, instrument, _ = build()
    assert instrument.receive(b":OUTP1:ON:AUTO?;:OUTP2:ON:AUTO?\n") == b"0;0\n"
    instrument.receive(b":INIT (@1,2)\n")
    assert not instrument.output_on(1)
    assert not instrument.output_on(2)


def test_the_limit_goes_before_the_level() -> None:
    message = (
        b":SOUR1:FUNC:MODE VOLT;:SENS1:CURR:PROT 0.0001;:SENS1:CURR:RANG 0.0001;:SOUR1:VOLT 0.5;"
        b":SENS1:CURR:PROT?;:SOUR1:VOLT?;:SYST:ERR?"
    )
    with ScriptedTransport([(message, b"1.000000E-04;5.000000E-01;" + NONE)]) as transport:
        KeysightB2900(transport, LIMITS).source_volts(1, 0.5, 1e-4, amps_range=1e-4)


def test_both_channels_go_in_one_message() -> None:
    reply = b"+0.5,+5E-05,+1,+0,-0.25,-2.5E-05,+1,+2"
    dialogue = [(b":SOUR1:VOLT 0.5;:SOUR2:VOLT -0.25;:MEAS? (@1,2)", reply)]
    with ScriptedTransport(dialogue) as transport:
        readings = KeysightB2900(transport, LIMITS).measure_at({1: 0.5, 2: -0.25})
    assert readings[1].volts == 0.5
    assert readings[2].amps == -2.5e-5
    assert not readings[1].in_compliance
    assert readings[2].in_compliance


@pytest.mark.parametrize("reply", [IDN.replace(b"B2912A", b"34401A"), IDN.replace(b"123", b"7")])
def test_another_instrument_is_refused(reply: bytes) -> None:
    with ScriptedTransport([(b"*IDN?", reply)]) as transport:
        smu = KeysightB2900(transport, LIMITS, serial="MY123")
        with pytest.raises(ConfigurationError, match="expected there"):
            smu.prepare(SmuB2900Setup())


@pytest.mark.parametrize(
    "call",
    [
        lambda smu: smu.source_volts(1, 3.1, 1e-4),
        lambda smu: smu.source_volts(1, 1.0, 2e-3),
        lambda smu: smu.source_volts(2, 1.1, 1e-5),
        lambda smu: smu.source_volts(2, float("nan"), 1e-5),
        lambda smu: smu.source_amps(2, -2e-4, 0.5),
        lambda smu: smu.source_amps(1, 1e-4, 5.0),
        lambda smu: smu.set_levels({1: 0.0, 2: 2.0}),
        lambda smu: smu.measure_at({1: -3.5}),
        lambda smu: smu.sweep({1: [0.1, 0.2], 2: [0.1, 1.5]}),
    ],
)
def test_what_is_outside_the_envelope_is_never_sent(call: object) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(SafetyError, match="nothing was sent"):
        call(KeysightB2900(transport, LIMITS))  # type: ignore[operator]


@pytest.mark.parametrize(
    "call",
    [
        lambda smu: smu.source_volts(2, 0.0, 1e-5),
        lambda smu: smu.measure([2]),
        lambda smu: smu.switch(True, [2]),
        lambda smu: smu.set_levels({2: 0.0}),
    ],
)
def test_a_channel_without_limits_is_not_used(call: object) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError, match="no limits"):
        call(KeysightB2900(transport, {1: LIMITS[1]}))  # type: ignore[operator]


def test_making_safe_asks_nothing_and_tries_every_step() -> None:
    messages = [b":ABOR (@2)", b":OUTP2:ON:AUTO OFF", b":SOUR2:VOLT:MODE FIX"]
    messages += [b":SOUR2:CURR:MODE FIX", b":SOUR2:VOLT 0", b":SOUR2:CURR 0", b":OUTP2 OFF"]
    with ScriptedTransport(lost_at(b"VOLT 0", messages)) as transport:
        with pytest.raises(TransportError, match="may not be safe") as caught:
            KeysightB2900(transport, {2: LIMITS[2]}).make_safe()
    assert list(caught.value.evidence["failures"]) == [":SOUR2:VOLT 0"]


def test_sourcing_on_both_channels_of_the_emulated_instrument() -> None:
    smu, instrument, transport = build()
    smu.source_volts(1, 1.0, 1e-3)
    smu.source_amps(2, 5e-5, 1.0, volts_range=2.0)
    assert not instrument.output_on(1)
    smu.switch(True)
    before = transport.n_exchanges
    readings = smu.measure()
    assert transport.n_exchanges == before + 1
    assert (readings[1].volts, readings[1].amps) == pytest.approx((1.0, 1e-4))
    assert (readings[2].volts, readings[2].amps) == pytest.approx((0.5, 5e-5))
    readings = smu.measure_at({1: 2.0, 2: 1e-4})
    assert transport.n_exchanges == before + 2
    assert readings[1].amps == pytest.approx(2e-4)
    assert readings[2].volts == pytest.approx(1.0)
    smu.source_volts(1, 1.0, 1e-5)
    assert smu.measure([1])[1].in_compliance
    smu.check()
    smu.switch(False, [1])
    assert (instrument.output_on(1), instrument.output_on(2)) == (False, True)


def test_a_fixed_range_below_the_compliance_overflows() -> None:
    smu, _, _ = build()
    smu.source_volts(1, 1.0, 1e-3, amps_range=1e-5)
    smu.switch(True, [1])
    reading = smu.measure([1])[1]
    assert reading.overflow
    assert reading.in_compliance


def test_a_limit_the_instrument_refuses_is_an_error() -> None:
    smu, _, _ = build()
    with pytest.raises(InstrumentError, match="-222"):
        smu.source_volts(1, 1.0, 1e-13)


@pytest.mark.parametrize("n_levels", [1, 2500])
def test_a_sweep_of_both_channels_is_one_exchange(n_levels: int) -> None:
    smu, instrument, transport = build()
    smu.source_volts(1, 0.5, 1e-3)
    smu.source_volts(2, 0.25, 1e-4)
    smu.switch(True)
    levels = {1: [1e-4 * k for k in range(n_levels)], 2: [-1e-4 * k for k in range(n_levels)]}
    before = transport.n_exchanges
    readings = smu.sweep(levels)
    assert transport.n_exchanges == before + 1
    for channel in (1, 2):
        assert [r.volts for r in readings[channel]] == pytest.approx(levels[channel])
    assert instrument.channels[1].stance == VoltageForce(0.5, 1e-3)
    assert instrument.channels[2].stance == VoltageForce(0.25, 1e-4)
    assert smu.measure()[2].volts == pytest.approx(0.25)


def test_a_list_is_a_train_of_pulses_of_known_length() -> None:
    smu, instrument, _ = build()
    world = instrument._runner._world
    smu.source_volts(1, 0.0, 1e-3)
    smu.switch(True, [1])
    steps = watched(instrument.channels[1], world)
    smu.sweep({1: [1.5, 0.0, 1.5, 0.0]}, delay_seconds=0.25)
    width = 0.001 + 0.25 + 1 / 60  # its own wait, ours, and one line cycle
    assert [step.volts for step in steps] == [1.5, 0.0, 1.5, 0.0]
    assert [step.seconds for step in steps] == pytest.approx([0, width, 2 * width, 3 * width])


def test_a_sweep_does_not_switch_an_output_on() -> None:
    smu, instrument, _ = build()
    smu.switch(True, [1])
    with pytest.raises(UsageError, match=r"\[2\] are off"):
        smu.sweep({1: [0.1], 2: [0.1]})
    smu.source_amps(1, 1e-5, 1.0)  # the instrument goes off here
    with pytest.raises(UsageError, match=r"\[1\] are off"):
        smu.sweep({1: [0.0]})
    assert not instrument.output_on(1)


@pytest.mark.parametrize("levels", [{}, {1: []}, {1: [0.0] * 2501}, {1: [0.1, 0.2], 2: [0.1]}])
def test_sweeps_have_bounds(levels: dict[int, list[float]]) -> None:
    with ScriptedTransport([]) as transport, pytest.raises(UsageError):
        KeysightB2900(transport, LIMITS).sweep(levels)


def test_a_refused_sweep_ends_with_the_outputs_off() -> None:
    smu, instrument, _ = build()
    smu.source_volts(1, 0.5, 1e-3)
    smu.switch(True)
    instrument.receive(b":TRIG1:TRAN:SOUR BUS;:INIT (@1)\n")  # somebody else
    with pytest.raises(InstrumentError, match="-213"):
        smu.sweep({1: [0.1]})
    assert not instrument.output_on(1)
    assert instrument.output_on(2)


def test_ramp_and_safe_state() -> None:
    smu, instrument, _ = build()
    smu.source_volts(1, 2.0, 1e-3)
    smu.source_volts(2, -1.0, 1e-4)
    smu.switch(True)
    slept: list[float] = []
    smu.ramp_to_zero(slept.append, 0.02)
    assert slept == [0.02] * 10
    assert instrument.channels[1].stance == VoltageForce(0.0, 1e-3)
    assert instrument.channels[2].stance == VoltageForce(0.0, 1e-4)
    smu.make_safe()
    assert not instrument.output_on(1)
    assert not instrument.output_on(2)
