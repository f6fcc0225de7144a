"""Our drivers of TSP instruments: their exact dialogue, and the emulated instruments behind it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.world import Channel, ResistorWorld, VoltageForce
from drivers.instruments.keithley707b import Keithley707B
from drivers.instruments.keithley2600b import Keithley2600B, Smu2600Setup
from drivers.instruments.keithley3706a import Keithley3706A
from drivers.instruments.smu import SmuLimits
from drivers.instruments.tsp_switch import ConnectRule
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    ProtocolError,
    SafetyError,
    TransportError,
    TransportTimeoutError,
    UsageError,
)

LIMITS = SmuLimits(volts=3.0, amps=1e-3)
IDN = b"Keithley Instruments Inc., Model 2636B, 123, 3.3.5"
SWITCH_IDN = b"Keithley Instruments Inc., Model 707B, 9, 1.1"
EMPTY = b"0.0e+00\tQueue Is Empty\t0.0e+00\t1.0e+00"


def build(load_ohms: float = 1e4) -> tuple[Keithley2600B, EmulatedKeithley2600B]:
    instrument = EmulatedKeithley2600B(ResistorWorld(load_ohms))
    smu = Keithley2600B(MemoryTransport(instrument, "smu"), {"a": LIMITS, "b": LIMITS})
    smu.prepare(Smu2600Setup())
    return smu, instrument


# -- SourceMeter: the dialogue


def test_preparing_says_exactly_this() -> None:
    dialogue = [
        (b"*IDN?", IDN),
        (b"abort", None),
        (b"reset() errorqueue.clear() status.reset()", None),
        (
            b"format.asciiprecision=10 smua.source.offmode=2 smua.sense=1 smua.measure.nplc=0.1 "
            b"smua.nvbuffer1.appendmode=1 smua.nvbuffer2.appendmode=1 "
            b"print(format.asciiprecision,smua.source.offmode,smua.sense,smua.measure.nplc,"
            b"smua.nvbuffer1.appendmode,smua.nvbuffer2.appendmode,errorqueue.count)",
            b"1.0e+01\t2.0e+00\t1.0e+00\t1.0e-01\t1.0e+00\t1.0e+00\t0.0e+00",
        ),
    ]
    with ScriptedTransport(dialogue) as transport:
        smu = Keithley2600B(transport, {"a": LIMITS}, serial="123")
        identity = smu.prepare(Smu2600Setup(0.1, four_wire=True, off_mode="HIGH_Z"))
    assert identity.model == "Model 2636B"


def test_the_limit_goes_before_the_level_and_the_level_before_the_function() -> None:
    message = (
        b"smub.source.limiti=0.0001 smub.measure.rangei=0.0001 smub.source.levelv=0.5 "
        b"smub.source.func=1 print(smub.source.limiti,smub.source.levelv,smub.source.func,"
        b"errorqueue.count)"
    )
    with ScriptedTransport([(message, b"1.0e-04\t5.0e-01\t1.0e+00\t0.0e+00")]) as transport:
        smu = Keithley2600B(transport, {"b": LIMITS})
        smu.source_volts("b", 0.5, 1e-4, amps_range=1e-4)


def test_both_channels_in_one_exchange() -> None:
    message = (
        b"smua.source.levelv=0.1 smub.source.levelv=-0.2 delay(0.01) "
        b"ia,va=smua.measure.iv() ib,vb=smub.measure.iv() "
        b"print(va,ia,status.measurement.instrument.smua.condition,"
        b"vb,ib,status.measurement.instrument.smub.condition,errorqueue.count)"
    )
    reply = b"1e-1\t1e-5\t0e0\t-1e-1\t-1e-5\t2e0\t0e0"
    with ScriptedTransport([(message, reply)]) as transport:
        smu = Keithley2600B(transport, {"a": LIMITS, "b": LIMITS})
        readings = smu.measure_at({"a": 0.1, "b": -0.2}, delay_seconds=0.01)
    assert readings["a"][:2] == (0.1, 1e-5)
    assert not readings["a"].in_compliance
    assert readings["b"].in_compliance


def test_a_sweep_is_one_message() -> None:
    message = (
        b"hila={0,0.5} smua.nvbuffer1.clear() smua.nvbuffer2.clear() "
        b"hile={} for k=1,2 do smua.source.levelv=hila[k] delay(0.001) "
        b"smua.measure.overlappediv(smua.nvbuffer1,smua.nvbuffer2) waitcomplete() "
        b"hile[k]=errorqueue.count end smua.source.levelv=0 "
        b"format.byteorder=format.LITTLEENDIAN format.data=format.REAL32 "
        b"printbuffer(1,2,smua.nvbuffer1,smua.nvbuffer2,smua.nvbuffer1.statuses,hile) "
        b"format.data=format.ASCII"
    )
    payload = struct.pack("<8f", 0, 0, 12, 0, 1e-3, 0.25, 76, 0)
    with ScriptedTransport([(message, payload)]) as transport:
        smu = Keithley2600B(transport, {"a": LIMITS})
        readings = smu.sweep({"a": [0, 0.5]}, delay_seconds=0.001)["a"]
    assert [reading.volts for reading in readings] == [0, 0.25]
    assert [reading.in_compliance for reading in readings] == [False, True]


def test_safe_writes_only_and_attempts_everything() -> None:
    lost = TransportError("gone")
    commands = [b"smua.abort()", b"smua.source.levelv=0", b"smua.source.leveli=0"]
    dialogue = [
        (b"abort", None),
        (commands[0], lost),
        (commands[1], None),
        (commands[2], lost),
        (b"smua.source.output=0", None),
    ]
    with ScriptedTransport(dialogue) as transport:
        smu = Keithley2600B(transport, {"a": LIMITS})
        with pytest.raises(TransportError, match="may not be safe") as caught:
            smu.make_safe()
    assert set(caught.value.evidence["failures"]) == {"smua.abort()", "smua.source.leveli=0"}


def test_no_reply_means_that_the_queue_is_asked() -> None:
    query = b"print(errorqueue.next())"
    fault = b"-2.86e+02\tTSP Runtime error at line 1: oh\t2.0e+01\t1.0e+00"
    late = TransportTimeoutError("late")
    measure = (
        b"ia,va=smua.measure.iv() "
        b"print(va,ia,status.measurement.instrument.smua.condition,errorqueue.count)"
    )
    with ScriptedTransport([(measure, late), (query, fault), (query, EMPTY)]) as transport:
        with pytest.raises(InstrumentError, match="-286 TSP Runtime error at line 1: oh"):
            Keithley2600B(transport, {"a": LIMITS}).measure()
    with ScriptedTransport([(measure, late), (query, EMPTY)]) as transport:
        with pytest.raises(TransportTimeoutError):
            Keithley2600B(transport, {"a": LIMITS}).measure()


def test_a_late_reply_is_noticed() -> None:
    measure = (
        b"ia,va=smua.measure.iv() "
        b"print(va,ia,status.measurement.instrument.smua.condition,errorqueue.count)"
    )
    with ScriptedTransport([(measure, b"1\t2")]) as transport:
        with pytest.raises(ProtocolError, match="late reply"):
            Keithley2600B(transport, {"a": LIMITS}).measure()


# -- SourceMeter: with the emulated instrument


def test_sourcing_and_measuring() -> None:
    smu, instrument = build()
    smu.source_volts("a", 1.0, 5e-4)
    smu.source_amps("b", 1e-4, 2.0)
    smu.switch(True)
    assert instrument.channels["a"].stance == VoltageForce(1.0, 5e-4)
    readings = smu.measure()
    assert readings["a"].amps == pytest.approx(1e-4)
    assert readings["b"].volts == pytest.approx(1.0)
    assert smu.measure_at({"a": -2.0}, ["a"])["a"].amps == pytest.approx(-2e-4)
    smu.switch(False, ["a"])
    assert not instrument.output_on("a")
    assert instrument.output_on("b")


def test_compliance_and_overflow_are_told() -> None:
    smu, _ = build(load_ohms=1e3)
    smu.source_volts("a", 1.0, 1e-4)
    smu.switch(True, ["a"])
    assert smu.measure(["a"])["a"].in_compliance
    assert smu.sweep({"a": [0.05, 1.0]})["a"][1].in_compliance
    assert not smu.sweep({"a": [0.05, 1.0]})["a"][0].in_compliance


@pytest.mark.parametrize("n_steps", [1, 100, 101, 250])
def test_sweeps_of_any_length(n_steps: int) -> None:
    smu, instrument = build()
    for x in ("a", "b"):
        smu.source_volts(x, 0.5, 1e-3)
    smu.switch(True)
    levels = np.linspace(-1, 2, n_steps)
    readings = smu.sweep({"a": levels, "b": -levels}, delay_seconds=1e-3)
    for x, wanted in (("a", levels), ("b", -levels)):
        volts = np.array([reading.volts for reading in readings[x]])
        np.testing.assert_allclose(volts, wanted, atol=1e-6)
    assert instrument.channels["a"].stance == VoltageForce(0.5, 1e-3)
    smu.check()


def test_errors_during_a_sweep_are_raised() -> None:
    smu, instrument = build()
    smu.source_volts("a", 0.0, 1e-3)
    instrument.receive(b"smua.source.rangev=0.2\n")
    with pytest.raises(InstrumentError, match="5005"):
        smu.sweep({"a": [0.1, 1.0]})


@pytest.mark.parametrize(
    "act",
    [
        lambda smu: smu.source_volts("a", 3.1, 1e-4),
        lambda smu: smu.source_volts("a", 1.0, 2e-3),
        lambda smu: smu.source_amps("b", 2e-3, 1.0),
        lambda smu: smu.measure_at({"a": -3.1}),
        lambda smu: smu.set_levels({"b": float("nan")}),
        lambda smu: smu.sweep({"a": [0.1, 4.0]}),
    ],
)
def test_nothing_outside_the_envelope_is_sent(act) -> None:
    with ScriptedTransport([]) as transport:
        with pytest.raises(SafetyError, match="nothing was sent"):
            act(Keithley2600B(transport, {"a": LIMITS, "b": LIMITS}))


@pytest.mark.parametrize(
    "act",
    [
        lambda smu: smu.measure(["b"]),
        lambda smu: smu.set_levels({"b": 0.0}),
        lambda smu: smu.sweep({}),
        lambda smu: smu.sweep({"a": []}),
        lambda smu: smu.sweep({"a": [0.0] * 10_001}),
    ],
)
def test_calls_that_cannot_work_are_refused(act) -> None:
    with ScriptedTransport([]) as transport:
        with pytest.raises(UsageError):
            act(Keithley2600B(transport, {"a": LIMITS}))


def test_an_open_interlock_is_told() -> None:
    instrument = EmulatedKeithley2600B(ResistorWorld(1e6))
    smu = Keithley2600B(MemoryTransport(instrument), {"a": SmuLimits(200.0, 1e-3)})
    smu.prepare(Smu2600Setup())
    smu.source_volts("a", 100.0, 1e-3)
    instrument.set_interlock(False)
    with pytest.raises(InstrumentError, match="802"):
        smu.switch(True)


def test_ramp_and_safe() -> None:
    smu, instrument = build()
    levels: list[float] = []

    def note(channel: Channel) -> None:
        assert isinstance(channel.stance, VoltageForce)
        levels.append(channel.stance.volts)

    smu.source_volts("a", 1.0, 1e-3)
    smu.switch(True)
    instrument.channels["a"].on_change = note
    waits: list[float] = []
    smu.ramp_to_zero(waits.append, 0.05)
    assert levels == pytest.approx(np.linspace(0.9, 0, 10))
    assert waits == [0.05] * 10
    smu.source_volts("a", 1.0, 1e-3)
    smu.make_safe()
    assert not instrument.output_on("a")
    assert not instrument.output_on("b")
    smu.check()


@pytest.mark.parametrize("reply", [IDN.replace(b"2636B", b"2450"), IDN.replace(b"123", b"7")])
def test_another_instrument_is_refused(reply: bytes) -> None:
    with ScriptedTransport([(b"*IDN?", reply)]) as transport:
        with pytest.raises(ConfigurationError, match="nothing was switched on"):
            Keithley2600B(transport, {"a": LIMITS}, serial="123").prepare(Smu2600Setup())


# -- switches


def test_preparing_a_switch_says_exactly_this() -> None:
    dialogue = [
        (b"*IDN?", SWITCH_IDN),
        (b"abort", None),
        (b"channel.open('allslots') reset() errorqueue.clear()", None),
        (
            b"channel.connectrule=1 channel.connectsequential=0 "
            b"print(channel.connectrule,channel.connectsequential,errorqueue.count)",
            b"1.0e+00\t0.0e+00\t0.0e+00",
        ),
        (b"channel.setforbidden('1A01,1B01') print(errorqueue.count)", b"0.0e+00"),
    ]
    with ScriptedTransport(dialogue) as transport:
        Keithley707B(transport).prepare(forbidden=["1B01", "1A01"])


def test_closing_exactly_is_one_exchange() -> None:
    message = (
        b"channel.exclusiveclose('1A01,2B12') print(channel.getclose('allslots'),errorqueue.count)"
    )
    with ScriptedTransport([(message, b"1A01;2B12\t0.0e+00")]) as transport:
        Keithley707B(transport).close_exactly(["2B12", "1A01"])
    with ScriptedTransport([(message, b"1A01\t0.0e+00")]) as transport:
        with pytest.raises(InstrumentError, match="1A01 is closed where 1A01, 2B12"):
            Keithley707B(transport).close_exactly(["2B12", "1A01"])


def test_a_switch_made_safe_is_asked_nothing() -> None:
    with ScriptedTransport([(b"abort", None), (b"channel.open('allslots')", None)]) as transport:
        Keithley707B(transport).make_safe()


@pytest.mark.parametrize("name", ["1A1", "1101", "A01", "1A01')", "", "7A01", "slot1"])
def test_what_is_no_channel_is_not_sent(name: str) -> None:
    with ScriptedTransport([]) as transport:
        with pytest.raises(UsageError, match="no channel"):
            Keithley707B(transport).close_exactly([name])


def test_switching_the_emulated_matrix() -> None:
    instrument = EmulatedKeithley707B(ResistorWorld())
    switch = Keithley707B(MemoryTransport(instrument))
    identity = switch.prepare(ConnectRule.BREAK_BEFORE_MAKE, forbidden=["1H12"])
    assert identity.model == "Model 707B"
    switch.close_exactly(["1A01", "2B02"])
    switch.close_exactly(["1A01", "3C03"])
    assert switch.closed() == instrument.closed == {"1A01", "3C03"}
    assert [(set(o.opened), set(o.closed)) for o in instrument.relays.log] == [
        (set(), {"1A01", "2B02"}),
        ({"2B02"}, set()),
        (set(), {"3C03"}),
    ]
    with pytest.raises(InstrumentError, match="1114"):
        switch.close_exactly(["1H12"])
    switch.close_exactly(["1A01"])
    switch.open_all()
    assert instrument.closed == frozenset()
    switch.close_exactly(["1A01"])
    switch.make_safe()
    assert instrument.closed == frozenset()
    switch.check()


def test_switching_the_emulated_3706a() -> None:
    instrument = EmulatedKeithley3706A(ResistorWorld())
    switch = Keithley3706A(MemoryTransport(instrument), serial="4300001")
    switch.prepare()
    switch.close_exactly(["1101", "6616"])
    assert instrument.closed == {"1101", "6616"}
    instrument.receive(b"channel.setbackplane('1102', '1911')\n")
    with pytest.raises(InstrumentError, match="1102, 1911 is closed"):
        switch.close_exactly(["1102"])
