"""Sources in their role: levels, compliance, ramps, and how little is said for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.bench.roles import Source
from drivers.bench.sources import Aimed, make_source
from drivers.emulated.world import CurrentForce, ResistorWorld, VoltageForce
from drivers.transport.scripted import ScriptedTransport
from hil.errors import ConfigurationError, InstrumentError, ProtocolError, SafetyError, UsageError
from tests.protocol.bench.instruments import entry
from tests.protocol.bench.sources import CHANNELS, DUAL, LIMITS, SMUS, Rig, rig

VOLTS = Aimed("volts", limit=1e-3, largest=1.0)
AMPS = Aimed("amps", limit=1.0, largest=1e-4)


def aimed(bench: Rig, aim: Aimed) -> None:
    for channel in bench.channels:
        bench.source.aim(channel, aim)
    bench.source.switch(True)


@pytest.mark.parametrize("model", SMUS)
def test_compliance_is_told_of_the_levels_before(model: str) -> None:
    bench = rig(model, ResistorWorld(1e2))
    aimed(bench, VOLTS)
    channels = list(bench.channels)
    sent = bench.n_exchanges()
    assert bench.source.step(dict.fromkeys(channels, 1.0)) == dict.fromkeys(channels, False)
    assert bench.n_exchanges() == sent + 1
    # 1 V at 100 Ohm takes 10 mA and there is 1 mA.
    assert bench.source.step(dict.fromkeys(channels, 0.05)) == dict.fromkeys(channels, True)
    assert bench.source.step(dict.fromkeys(channels, 0.0)) == dict.fromkeys(channels, False)
    bench.source.check()


@pytest.mark.parametrize("model", SMUS)
def test_levels_arrive_and_are_read(model: str) -> None:
    bench = rig(model)
    aimed(bench, VOLTS)
    for place, channel in enumerate(bench.channels):
        level = 0.5 - 0.75 * place
        bench.source.step({channel: level})
        stance = bench.channels[channel].stance
        assert isinstance(stance, VoltageForce)
        assert stance.volts == pytest.approx(level)
    sent = bench.n_exchanges()
    readings = bench.source.measure(list(bench.channels))
    assert bench.n_exchanges() == sent + 1
    for place, channel in enumerate(bench.channels):
        level = 0.5 - 0.75 * place
        assert readings[channel].amps == pytest.approx(level / 1e4, rel=1e-4)
        assert readings[channel].volts == pytest.approx(level, rel=1e-4)


@pytest.mark.parametrize("model", CHANNELS)
def test_current_sources(model: str) -> None:
    bench = rig(model)
    aimed(bench, AMPS)
    channel = next(iter(bench.channels))
    assert bench.source.step({channel: 5e-5}) == {channel: False}
    stance = bench.channels[channel].stance
    assert isinstance(stance, CurrentForce)
    assert stance.amps == pytest.approx(5e-5)
    assert stance.limit_volts == pytest.approx(1.0)
    bench.source.check()


@pytest.mark.parametrize("model", CHANNELS)
def test_current_sources_in_compliance(model: str) -> None:
    bench = rig(model, ResistorWorld(1e5))
    aimed(bench, AMPS)
    channel = next(iter(bench.channels))
    # 100 uA through 100 kOhm are 10 V and there is 1 V.
    assert bench.source.step({channel: 1e-4}) == {channel: False}
    assert bench.source.step({channel: 1e-6}) == {channel: True}
    assert bench.source.step({channel: 0.0}) == {channel: False}


@pytest.mark.parametrize("model", CHANNELS)
def test_a_level_that_is_refused_is_told_in_the_same_exchange(model: str) -> None:
    bench = rig(model)
    channel = next(iter(bench.channels))
    if model == "keithley6221":
        bench.source.aim(channel, Aimed("amps", 1.0, 1e-6))
        level = 1e-3
    else:
        bench.source.aim(channel, Aimed("volts", 1e-3, 0.1))
        level = 4.9
    bench.source.switch(True)
    with pytest.raises(InstrumentError, match="set"):
        bench.source.step({channel: level})


@pytest.mark.parametrize("model", SMUS)
@pytest.mark.parametrize(
    "act",
    [
        lambda source, x: source.aim(x, Aimed("volts", 1e-3, 5.1)),
        lambda source, x: source.aim(x, Aimed("volts", 2e-2, 1.0)),
        lambda source, x: source.aim(x, Aimed("amps", 5.1, 1e-3)),
        lambda source, x: source.aim(x, Aimed("amps", 1.0, 2e-2)),
        lambda source, x: source.step({x: 5.1}),
        lambda source, x: source.step({x: float("nan")}),
        lambda source, x: source.sweep({x: [0.0, -5.1]}, 0.1),
    ],
)
def test_nothing_beyond_the_limits_is_sent(model: str, act: Callable[[Source, str], None]) -> None:
    bench = rig(model)
    aimed(bench, VOLTS)
    sent = bench.n_exchanges()
    with pytest.raises(SafetyError, match="nothing was sent"):
        act(bench.source, next(iter(bench.channels)))
    assert bench.n_exchanges() == sent


@pytest.mark.parametrize("model", CHANNELS)
def test_ramps_only_write_and_end_at_zero(model: str) -> None:
    bench = rig(model)
    aim, top = (AMPS, 1e-4) if model == "keithley6221" else (VOLTS, 1.0)
    aimed(bench, aim)
    bench.source.step(dict.fromkeys(bench.channels, top))
    levels: list[float] = []
    channel = next(iter(bench.channels.values()))

    def note(changed: object) -> None:
        stance = channel.stance
        levels.append(stance.volts if isinstance(stance, VoltageForce) else stance.amps)  # type: ignore[union-attr]

    channel.on_change = note
    queries, waits = bench.session.queries, list[float]()
    bench.source.ramp_to_zero(waits.append)
    assert bench.session.queries == queries
    assert levels == pytest.approx([top * k / 10 for k in range(9, -1, -1)])
    assert len(waits) == 10
    bench.source.check()


@pytest.mark.parametrize("model", CHANNELS)
def test_making_safe_only_writes_and_switches_off(model: str) -> None:
    bench = rig(model, off_mode="normal")
    aim, top = (AMPS, 1e-4) if model == "keithley6221" else (VOLTS, 1.0)
    aimed(bench, aim)
    bench.source.step(dict.fromkeys(bench.channels, top))
    queries = bench.session.queries
    bench.source.make_safe()
    assert bench.session.queries == queries
    for channel in bench.channels.values():
        stance = channel.stance
        driven = getattr(stance, "volts", 0.0) or getattr(stance, "amps", 0.0)
        assert driven == 0.0
    bench.source.check()
    bench.source.close()
    assert bench.session.closed


@pytest.mark.parametrize("model", SMUS)
@pytest.mark.parametrize("off_mode", ["normal", "zero", "high_z"])
def test_every_off_mode_is_understood(model: str, off_mode: str) -> None:
    bench = rig(model, off_mode=off_mode, four_wire=True, line_cycles=0.1)
    aimed(bench, VOLTS)
    bench.source.check()


@pytest.mark.parametrize("model", CHANNELS)
def test_channels_that_were_not_aimed_stay_off(model: str) -> None:
    bench = rig(model)
    sent = bench.n_exchanges()
    bench.source.switch(True)
    assert bench.n_exchanges() == sent
    first, *others = bench.channels
    bench.source.aim(first, AMPS)
    bench.source.switch(True)
    assert isinstance(bench.channels[first].stance, CurrentForce)
    for other in others:
        assert getattr(bench.channels[other].stance, "volts", 0.0) == 0.0
    with pytest.raises(UsageError):
        bench.source.step({"z": 0.0})


@pytest.mark.parametrize("model", DUAL)
def test_only_channels_that_are_used_are_spoken_of(model: str) -> None:
    second = CHANNELS[model][1]
    bench = rig(model)
    source = make_source(entry(model, **LIMITS), bench.session, [second])
    bench.session.sent.clear()
    source.prepare()
    source.aim(second, VOLTS)
    source.switch(True)
    source.step({second: 0.5})
    source.make_safe()
    absent = "smua" if model == "keithley2600b" else ":SOUR1"
    assert not any(absent in message for message in bench.session.sent)


def test_no_levels_are_no_message() -> None:
    for model in CHANNELS:
        bench = rig(model)
        sent = bench.n_exchanges()
        assert bench.source.step({}) == {}
        assert bench.n_exchanges() == sent


# -- what a current source cannot do


def test_what_a_6221_cannot_do_is_refused() -> None:
    bench = rig("keithley6221")
    sent = bench.n_exchanges()
    with pytest.raises(UsageError, match="amps only"):
        bench.source.aim("", VOLTS)
    with pytest.raises(UsageError, match="cannot measure"):
        bench.source.measure([""])
    with pytest.raises(UsageError, match="sweep"):
        bench.source.sweep({"": [0.0]}, 1.0)
    assert bench.n_exchanges() == sent
    for values in ({"off_mode": "zero"}, {"four_wire": True}):
        with pytest.raises(ConfigurationError, match="leave both out"):
            make_source(entry("keithley6221", **values), bench.session, [""])


# -- the dialogue


@pytest.mark.parametrize(
    ("model", "request_", "reply", "levels"),
    [
        (
            "keithley2600b",
            b"ca,cb=smua.source.compliance,smub.source.compliance smua.source.levelv=0.5 "
            b"smub.source.levelv=-0.5 print(ca,cb,errorqueue.count)",
            b"true\tfalse\t0.0e+00",
            {"a": 0.5, "b": -0.5},
        ),
        (
            "keysightb2900",
            b":SENS1:CURR:PROT:TRIP?;:SENS2:CURR:PROT:TRIP?;:SOUR1:VOLT 0.5;:SOUR2:VOLT -0.5;"
            b":SYST:ERR?",
            b'1;0;+0,"No error"',
            {"1": 0.5, "2": -0.5},
        ),
        (
            "keithley2400",
            b":SENS:CURR:PROT:TRIP?;:SOUR:VOLT 0.5;:SYST:ERR?",
            b'1;0,"No error"',
            {"": 0.5},
        ),
        (
            "keithley2450",
            b":SOUR:VOLT:ILIM:TRIP?;:SOUR:VOLT 0.5;:SYST:ERR?",
            b'1;0,"No error;0;0 0"',
            {"": 0.5},
        ),
        (
            "keithley6221",
            b":STAT:MEAS:COND?;:SOUR:CURR 0.0005;:SYST:ERR?",
            b'8;0,"No error"',
            {"": 5e-4},
        ),
    ],
)
def test_a_step_is_exactly_one_message(
    model: str, request_: bytes, reply: bytes, levels: dict[str, float]
) -> None:
    with ScriptedTransport([(request_, reply)]) as transport:
        source = make_source(entry(model, **LIMITS), transport, list(levels))
        assert list(source.step(levels).values()) == [True, False][: len(levels)]
    late = b"1\t2\t0" if model == "keithley2600b" else b'0,"No error"'
    with ScriptedTransport([(request_, late)]) as transport:
        source = make_source(entry(model, **LIMITS), transport, list(levels))
        with pytest.raises(ProtocolError, match="late reply"):
            source.step(levels)
