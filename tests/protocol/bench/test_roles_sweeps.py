"""Sweeps of sources in their role: how long levels last, what devices see, what is read."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

import numpy as np
import pytest

from drivers.bench.sources import Aimed
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.keysightb2900_models import B2912A
from drivers.emulated.world import Channel, ResistorWorld, VoltageForce
from drivers.instruments.keithley2400 import Keithley2400
from drivers.instruments.keithley2600b import Keithley2600B
from drivers.instruments.keysightb2900 import KeysightB2900, SmuB2900Setup
from drivers.instruments.smu import SmuLimits, SmuSetup
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import InstrumentError, UsageError
from tests.protocol.bench.sources import (
    DUAL,
    SHORTEST_SECONDS,
    SMUS,
    Rig,
    device_world,
    rig,
    wire,
)

SMU_LIMITS = SmuLimits(volts=3.0, amps=1e-3)
VOLTS = Aimed("volts", limit=1e-3, largest=1.0)
WIDTHS = [(model, width) for model in SMUS for width in (SHORTEST_SECONDS[model], 1e-2, 0.2)]
WIDTHS += [(model, 1e-3) for model in DUAL]


def aimed(bench: Rig, aim: Aimed = VOLTS) -> None:
    for channel in bench.channels:
        bench.source.aim(channel, aim)
    bench.source.switch(True)


def everywhere(bench: Rig, levels: Sequence[float]) -> dict[str, Sequence[float]]:
    return {x: list(levels) for x in bench.channels}


@pytest.mark.parametrize(("model", "width_seconds"), WIDTHS)
@pytest.mark.parametrize("n_pulses", [1, 3, 50])
def test_pulses_are_counted_as_what_they_are(
    model: str, width_seconds: float, n_pulses: int
) -> None:
    """Half of the amplitude from each side, or all of it from one."""
    dual = model in DUAL
    world, physics = device_world(1.0, width_seconds, grounded=not dual)
    bench = rig(model, world)
    for channel, net in zip(bench.channels.values(), "ab", strict=False):
        wire(world, channel, net)
    aimed(bench)
    parts = dict(zip(bench.channels, (0.5, -0.5) if dual else (1.0,), strict=True))
    before = world.device_siemens[0]
    sent = bench.n_exchanges()
    readings = bench.source.sweep(
        {x: [volts, 0.0] * n_pulses for x, volts in parts.items()}, width_seconds
    )
    assert bench.n_exchanges() == sent + 1
    assert physics.counts[0].tolist() == [n_pulses]
    assert not physics.counts[1:].any()
    assert world.device_siemens[0] > before
    first = next(iter(parts))
    assert readings[first][0].amps == pytest.approx(before, rel=0.05)
    bench.source.sweep({x: [-volts, 0.0] * n_pulses for x, volts in parts.items()}, width_seconds)
    assert physics.counts[0].tolist() == [0]
    bench.source.check()


@pytest.mark.parametrize(("model", "dwell_seconds"), WIDTHS)
@pytest.mark.parametrize("line_cycles", [0.01, 1.0, 10.0])
def test_levels_are_held_for_the_dwell(
    model: str, dwell_seconds: float, line_cycles: float
) -> None:
    world = ResistorWorld(1e4)
    bench = rig(model, world, line_cycles=line_cycles)
    aimed(bench)
    seen: dict[str, list[tuple[float, float]]] = {x: [] for x in bench.channels}

    def note(name: str, channel: Channel) -> None:
        if isinstance(channel.stance, VoltageForce):
            seen[name].append((world.now_seconds, channel.stance.volts))

    levels = [0.2, 0.4, 0.6, 0.8]
    for x, channel in bench.channels.items():
        bench.source.step({x: 0.1})
        channel.on_change = lambda channel, x=x: note(x, channel)  # type: ignore[misc]
    readings = bench.source.sweep(everywhere(bench, levels), dwell_seconds)
    for x in bench.channels:
        times, volts = zip(*_steps(seen[x]), strict=True)
        assert volts == pytest.approx([*levels, 0.1])
        held = np.diff(times)
        assert held.min() >= dwell_seconds * (1 - 1e-9)
        assert held.max() < 1.5 * dwell_seconds
        assert [r.amps for r in readings[x]] == pytest.approx([v / 1e4 for v in levels], rel=1e-4)
        assert [r.volts for r in readings[x]] == pytest.approx(levels, rel=1e-4)
    starts = {x: next(t for t, v in seen[x] if v == pytest.approx(0.2)) for x in seen}
    assert max(starts.values()) == min(starts.values())


def _steps(seen: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without repeats, and without what an instrument does between sweep and level."""
    found = [next(group) for _, group in itertools.groupby(seen, key=lambda part: part[1])]
    first = next(k for k, (_, volts) in enumerate(found) if volts == pytest.approx(0.2))
    steps = found[first : first + 4]
    return [*steps, (found[first + 4][0], found[-1][1])]


@pytest.mark.parametrize("model", SMUS)
def test_settings_are_as_before_afterwards(model: str) -> None:
    """Readings after a quick sweep take as long as before, on the range that fits."""
    world = ResistorWorld(1e8)
    bench = rig(model, world)
    aimed(bench)

    def measured() -> tuple[float, float]:
        bench.source.step(dict.fromkeys(bench.channels, 0.5))
        start = world.now_seconds
        amps = bench.source.measure(list(bench.channels))[next(iter(bench.channels))].amps
        return world.now_seconds - start, amps

    before = measured()
    bench.source.sweep(everywhere(bench, [0.0, 1.0]), SHORTEST_SECONDS[model])
    assert measured() == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize("model", SMUS)
def test_compliance_is_seen_step_by_step(model: str) -> None:
    bench = rig(model, ResistorWorld(1e2))
    aimed(bench)
    for dwell_seconds in (2e-3, 0.5):
        readings = bench.source.sweep(everywhere(bench, [0.05, 1.0, 0.0]), dwell_seconds)
        for x in bench.channels:
            assert [r.in_compliance for r in readings[x]] == [False, True, False]


@pytest.mark.parametrize("model", SMUS)
@pytest.mark.parametrize("n_levels", [100, 101, 230])
def test_long_sweeps(model: str, n_levels: int) -> None:
    bench = rig(model)
    aimed(bench)
    levels = np.linspace(-1.0, 1.0, n_levels)
    sent, queries = bench.n_exchanges(), bench.session.queries
    readings = bench.source.sweep(everywhere(bench, levels), 2e-3)
    for x in bench.channels:
        volts = [reading.volts for reading in readings[x]]
        np.testing.assert_allclose(volts, levels, atol=1e-6)
    assert bench.session.queries == queries + 1
    if n_levels == 100:
        assert bench.n_exchanges() == sent + 1
    bench.source.check()


@pytest.mark.parametrize("model", SMUS)
def test_too_short_a_dwell_says_what_is_the_shortest(model: str) -> None:
    bench = rig(model)
    aimed(bench)
    sent = bench.n_exchanges()
    shortest = SHORTEST_SECONDS[model]
    for dwell_seconds in (0.9 * shortest, 0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match=f"shortest is {shortest:g} s"):
            bench.source.sweep(everywhere(bench, [0.0]), dwell_seconds)
    assert bench.n_exchanges() == sent


@pytest.mark.parametrize("model", SMUS)
def test_lists_that_cannot_work_are_refused(model: str) -> None:
    bench = rig(model)
    aimed(bench)
    sent = bench.n_exchanges()
    x = list(bench.channels)
    wrong = [{}, {x[0]: []}, {"z": [0.0]}]
    if len(x) == 2:
        wrong.append({x[0]: [0.0], x[1]: [0.0, 0.0]})
    for levels in wrong:
        with pytest.raises(UsageError):
            bench.source.sweep(levels, 0.1)
    assert bench.n_exchanges() == sent


@pytest.mark.parametrize("model", SMUS)
def test_what_was_not_aimed_does_not_sweep(model: str) -> None:
    bench = rig(model)
    sent = bench.n_exchanges()
    with pytest.raises(UsageError, match="aimed"):
        bench.source.sweep(everywhere(bench, [0.0]), 0.1)
    assert bench.n_exchanges() == sent


def test_a_quick_sweep_needs_a_limit_to_read_on() -> None:
    """The drivers themselves refuse it, too: the range after a reset is another one."""
    smu = Keithley2400(MemoryTransport(EmulatedKeithley2400(ResistorWorld(1e4))), SMU_LIMITS)
    smu.prepare(SmuSetup())
    smu.switch(True)
    with pytest.raises(UsageError, match="with its limit"):
        smu.sweep_held([0.0], 2e-3)
    dual = KeysightB2900(
        MemoryTransport(EmulatedKeysightB2900(ResistorWorld(1e4), B2912A)), {1: SMU_LIMITS}
    )
    dual.prepare(SmuB2900Setup())
    dual.switch(True)
    with pytest.raises(UsageError, match="with its limit"):
        dual.sweep_held({1: [0.0]}, 2e-3)


@pytest.mark.parametrize("model", SMUS)
def test_errors_of_a_sweep_are_told(model: str) -> None:
    """Something was changed behind the back of the host."""
    bench = rig(model)
    for x in bench.channels:
        bench.source.aim(x, Aimed("volts", 1e-3, 0.1))
    bench.source.switch(True)
    upset = {
        "keithley2400": b":OUTP OFF\n",
        "keithley2450": b":SOUR:FUNC CURR\n",
        "keithley2600b": b"smua.source.rangev=0.2\n",
        "keysightb2900": b":ARM1:SOUR BUS;:INIT (@1)\n",
    }
    bench.instrument.receive(upset[model])
    with pytest.raises(InstrumentError):
        bench.source.sweep(everywhere(bench, [0.1, 4.0]), 0.01)


def test_two_channels_of_a_2600b_are_pulsed_by_exactly_this() -> None:
    message = (
        b"hila={0.5,0} hilb={-0.5,0} smua.nvbuffer1.clear() smua.nvbuffer2.clear() "
        b"smub.nvbuffer1.clear() smub.nvbuffer2.clear() "
        + b"".join(_readied(x) for x in (b"a", b"b"))
        + b"trigger.timer[1].reset() trigger.timer[1].delay=0.001 trigger.timer[1].count=1 "
        b"trigger.timer[1].stimulus=smua.trigger.SOURCE_COMPLETE_EVENT_ID "
        b"smua.trigger.initiate() smub.trigger.initiate() "
        b"trigger.generator[1].assert() waitcomplete() "
        b"hile={} for k=1,2 do hile[k]=errorqueue.count end "
        + b"".join(_restored(x) for x in (b"a", b"b"))
        + b"format.byteorder=format.LITTLEENDIAN format.data=format.REAL32 "
        b"printbuffer(1,2,smua.nvbuffer1,smua.nvbuffer2,smua.nvbuffer1.statuses,"
        b"smub.nvbuffer1,smub.nvbuffer2,smub.nvbuffer1.statuses,hile) format.data=format.ASCII"
    )
    payload = struct.pack("<14f", 1e-3, 0.5, 76, -1e-3, -0.5, 12, 0, 0, 0, 12, 0, 0, 12, 0)
    with ScriptedTransport([(message, payload)]) as transport:
        smu = Keithley2600B(transport, {"a": SMU_LIMITS, "b": SMU_LIMITS})
        readings = smu.sweep_held({"a": [0.5, 0.0], "b": [-0.5, 0.0]}, 1e-3)
    assert [reading.in_compliance for reading in readings["a"]] == [True, False]
    assert readings["b"][0][:2] == pytest.approx((-0.5, -1e-3))


def _readied(x: bytes) -> bytes:
    return (
        b"hild@=smu@.measure.delay smu@.measure.delay=0.00044 "
        b"smu@.measure.nplc=0.025 smu@.measure.autozero=1 hilr@=smu@.measure.autorangei "
        b"smu@.measure.rangei=smu@.source.limiti "
        b"smu@.trigger.source.listv(hil@) smu@.trigger.source.limiti=0 "
        b"smu@.trigger.measure.iv(smu@.nvbuffer1,smu@.nvbuffer2) "
        b"smu@.trigger.source.action=1 smu@.trigger.measure.action=1 "
        b"smu@.trigger.endpulse.action=1 smu@.trigger.endsweep.action=0 "
        b"smu@.trigger.count=2 smu@.trigger.arm.count=1 "
        b"smu@.trigger.arm.stimulus=trigger.generator[1].EVENT_ID "
        b"smu@.trigger.source.stimulus=0 smu@.trigger.measure.stimulus=0 "
        b"smu@.trigger.endpulse.stimulus=trigger.timer[1].EVENT_ID "
    ).replace(b"@", x)


def _restored(x: bytes) -> bytes:
    return (
        b"smu@.measure.delay=hild@ smu@.measure.nplc=1 smu@.measure.autozero=2 "
        b"smu@.measure.autorangei=hilr@ "
    ).replace(b"@", x)
