"""Sweeps and pulses of an emulated 2600B, by its trigger model and by factory scripts."""

from __future__ import annotations

import pytest

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.world import ResistorWorld, VoltageForce
from tests.protocol.smus import smu_2600b, watched
from tests.protocol.tsp.bench import ask, errors, say, value


def sweep_setup(smu: EmulatedKeithley2600B, levels: str, count: int) -> None:
    for x in "ab":
        say(smu, f"smu{x}.trigger.source.listv({{{levels}}}) smu{x}.trigger.source.action = 1")
        say(smu, f"smu{x}.trigger.measure.iv(smu{x}.nvbuffer1, smu{x}.nvbuffer2)")
        say(smu, f"smu{x}.trigger.measure.action = smu{x}.ENABLE smu{x}.trigger.count = {count}")
        say(smu, f"smu{x}.trigger.endpulse.action = smu{x}.SOURCE_HOLD")
        say(smu, f"smu{x}.source.output = 1")


def columns(smu: EmulatedKeithley2600B, x: str, count: int) -> tuple[list[float], list[float]]:
    reply = say(smu, f"printbuffer(1, {count}, smu{x}.nvbuffer1, smu{x}.nvbuffer2.readings)")
    numbers = [float(field) for field in reply.split(",")]
    return numbers[::2], numbers[1::2]


def test_a_list_sweep_of_the_trigger_model() -> None:
    smu = smu_2600b()
    sweep_setup(smu, "0.1, 0.2, 0.3", 3)
    assert ask(smu, "smua.nvbuffer1.n") == ["0.00000e+00"]
    say(smu, "smua.trigger.initiate() waitcomplete()")
    amps, volts = columns(smu, "a", 3)
    assert volts == pytest.approx([0.1, 0.2, 0.3])
    assert amps == pytest.approx([1e-4, 2e-4, 3e-4])
    assert value(smu, "status.operation.sweeping.condition") == 0
    assert smu.channels["a"].stance == VoltageForce(0.0, 0.1)  # SOURCE_IDLE after the sweep
    assert not errors(smu)


def test_linear_and_logarithmic_sweeps() -> None:
    smu = smu_2600b()
    sweep_setup(smu, "0", 4)
    say(smu, "smua.trigger.source.linearv(-1, 2, 4) smua.trigger.initiate() waitcomplete()")
    assert columns(smu, "a", 4)[1] == pytest.approx([-1, 0, 1, 2])
    say(smu, "smua.trigger.source.logv(1e-3, 1, 4, 0) smua.trigger.initiate() waitcomplete()")
    assert columns(smu, "a", 4)[1] == pytest.approx([1e-3, 1e-2, 1e-1, 1])


def test_one_channel_waits_for_the_other() -> None:
    """Both step on channel a's events; a blender waits until both have measured."""
    smu = smu_2600b()
    sweep_setup(smu, "1, 2", 2)
    lines = (
        "smua.trigger.arm.stimulus = trigger.EVENT_ID",
        "trigger.blender[1].orenable = true",
        "trigger.blender[1].stimulus[1] = smua.trigger.ARMED_EVENT_ID",
        "trigger.blender[1].stimulus[2] = smua.trigger.PULSE_COMPLETE_EVENT_ID",
        "smua.trigger.source.stimulus = trigger.blender[1].EVENT_ID",
        "smub.trigger.source.stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID",
        "trigger.blender[2].stimulus[1] = smua.trigger.MEASURE_COMPLETE_EVENT_ID",
        "trigger.blender[2].stimulus[2] = smub.trigger.MEASURE_COMPLETE_EVENT_ID",
        "smua.trigger.endpulse.stimulus = trigger.blender[2].EVENT_ID",
        "smua.trigger.initiate() smub.trigger.initiate()",
    )
    say(smu, *lines)
    assert value(smu, "status.operation.sweeping.condition") == 6
    assert value(smu, "smua.nvbuffer1.n") == 0
    say(smu, "*TRG")
    assert value(smu, "status.operation.sweeping.condition") == 0
    for x in "ab":
        assert columns(smu, x, 2)[1] == pytest.approx([1, 2])
    assert not errors(smu)


def test_pulses_as_the_circuit_sees_them() -> None:
    """Timers set period and width; the world's clock and the stances tell what came out."""
    world = ResistorWorld(1e3)
    smu = EmulatedKeithley2600B(world)
    steps = watched(smu.channels["a"], world)
    lines = (
        "smua.source.levelv = 0 smua.source.output = 1 smua.source.limiti = 0.01",
        "smua.trigger.source.listv({1, -2}) smua.trigger.source.action = 1",
        "smua.trigger.count = 2 smua.trigger.endpulse.action = smua.SOURCE_IDLE",
        "trigger.timer[1].delay = 0.1 trigger.timer[1].count = 1",
        "trigger.timer[1].passthrough = true",
        "trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID",
        "trigger.timer[2].delay = 0.02",
        "trigger.timer[2].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID",
        "smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID",
        "smua.trigger.endpulse.stimulus = trigger.timer[2].EVENT_ID",
    )
    say(smu, *lines)
    steps.clear()
    say(smu, "smua.trigger.initiate() waitcomplete()")
    assert [step.seconds for step in steps] == pytest.approx([0, 0.02, 0.1, 0.12])
    levels = [step.volts for step in steps]
    assert levels == [1, 0, -2, 0]
    assert not errors(smu)


def test_a_sweep_that_nobody_triggers() -> None:
    smu = smu_2600b()
    sweep_setup(smu, "1", 1)
    say(smu, "smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()")
    say(smu, "smua.trigger.initiate()")
    say(smu, "smua.measure.i()")
    say(smu, "waitcomplete()")
    assert [code for code, _ in errors(smu)] == [5041, 5041, -221]
    say(smu, "smua.abort()")
    assert value(smu, "status.operation.sweeping.condition") == 0
    say(smu, "smua.trigger.arm.set() smua.trigger.initiate()", "smua.trigger.arm.set()")
    assert value(smu, "smua.nvbuffer1.n") == 1


def test_a_sweep_that_just_ended_is_seen_once_by_those_who_poll() -> None:
    smu = smu_2600b()
    sweep_setup(smu, "1", 1)
    say(smu, "smua.trigger.initiate()")
    assert value(smu, "smua.nvbuffer1.n") == 1
    assert value(smu, "status.operation.sweeping.condition") == 2
    assert value(smu, "status.operation.sweeping.condition") == 0


@pytest.mark.parametrize(
    ("call", "volts"),
    [
        ("SweepVLinMeasureI(smua, 0, 1, 0.01, 3)", [0, 0.5, 1]),
        ("SweepVLogMeasureI(smua, 0.01, 1, 0.01, 3)", [0.01, 0.1, 1]),
        ("SweepVListMeasureI(smua, {1, 3, 2}, 0.01, 3)", [1, 3, 2]),
        ("PulseVMeasureI(smua, 0, 1, 0.001, 0.01, 3)", [1, 1, 1]),
    ],
)
def test_factory_scripts(call: str, volts: list[float]) -> None:
    smu = smu_2600b()
    say(smu, call)
    assert not errors(smu)
    reply = say(smu, "printbuffer(1, 3, smua.nvbuffer1.sourcevalues, smua.nvbuffer1)")
    numbers = [float(field) for field in reply.split(",")]
    assert numbers[::2] == pytest.approx(volts)
    assert numbers[1::2] == pytest.approx([v / 1e3 for v in volts])
    assert not smu.output_on("a")
    assert value(smu, "smua.source.levelv") == 0


def test_pulse_tests() -> None:
    world = ResistorWorld(1e3)
    smu = EmulatedKeithley2600B(world)
    lines = (
        "smua.source.limiti = 1e-3 smua.source.rangev = 2 smua.measure.nplc = 0.001",
        "smua.measure.delay = 0 smua.source.output = 1 smub.source.output = 1",
        "print(ConfigPulseVMeasureI(smua.nvbuffer1, 0, 1, 0.01, 0.02, 0.08, 2, 1))",
        "print(ConfigPulseVMeasureISweepLin(smub.makebuffer(9), 0, 1, 2, 0.01, 0.02, 0.08, 2, 2))",
        "print(ConfigPulseVMeasureI({}, 0, 1, 0.01, 0.02, 0.08, 2, 3))",
    )
    assert say(smu, *lines).splitlines() == [
        "true\tSuccess",
        "true\tSuccess",
        "false\tthe buffer is not one of a channel",
    ]
    steps = watched(smu.channels["a"], world)
    assert ask(smu, "InitiatePulseTest(1)") == ["true", "Success"]
    stances = [step.stance for step in steps]
    pulse = [VoltageForce(0.0, 0.01), VoltageForce(1.0, 0.01)]
    rest = [VoltageForce(0.0, 0.01), VoltageForce(0.0, 1e-3)]
    assert stances == [*pulse, *rest] * 2
    assert steps[4].seconds - steps[0].seconds == pytest.approx(0.1, rel=1e-3)
    assert ask(smu, "smua.nvbuffer1.n, smua.nvbuffer1[2]") == ["2.00000e+00", "1.00000e-03"]
    assert ask(smu, "InitiatePulseTestDual(1, 2)")[0] == "true"
    assert ask(smu, "InitiatePulseTest(7)")[0] == "false"
    assert not errors(smu)


def test_a_current_sweep() -> None:
    smu = smu_2600b()
    say(smu, "SweepILinMeasureV(smub, 0, 1e-3, 0, 3)")
    reply = say(smu, "printbuffer(1, 3, smub.nvbuffer1)")
    assert [float(field) for field in reply.split(",")] == pytest.approx([0, 0.5, 1])
    assert value(smu, "smub.source.func") == 1
