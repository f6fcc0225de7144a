"""The emulated 2600B in its own dialect: source, compliance, meters, buffers, sweeps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley2600b_models import MODELS
from drivers.emulated.world import (
    Channel,
    CurrentForce,
    Open,
    Reading,
    ResistorWorld,
    VoltageForce,
)
from tests.protocol.tsp.bench import ask, errors, say, value

CONDITION = "status.measurement.instrument.smua.condition"


def build(load_ohms: float = 1e3, model: str = "2636B") -> EmulatedKeithley2600B:
    return EmulatedKeithley2600B(ResistorWorld(load_ohms), MODELS[model])


class Step(NamedTuple):
    """What a channel imposed, and since when."""

    seconds: float
    stance: object


class RecordingWorld(ResistorWorld):
    """Notes every stance of one channel."""

    def __init__(self) -> None:
        super().__init__(1e3)
        self.steps: list[Step] = []

    def note(self, channel: Channel) -> None:
        self.steps.append(Step(self.now_seconds, channel.stance))


# -- source and compliance


def test_after_power_on() -> None:
    smu = build()
    assert value(smu, "smua.source.func") == 1
    assert value(smu, "smua.source.output") == 0
    assert value(smu, "smua.source.limiti") == pytest.approx(0.1)
    assert value(smu, "smua.source.limitv") == 20
    assert value(smu, "smua.source.offlimiti") == pytest.approx(1e-3)
    assert smu.channels["a"].stance == VoltageForce(0.0, 1e-3)


def test_a_voltage_into_a_resistor() -> None:
    smu = build()
    say(smu, "smua.source.limiti = 0.01 smua.source.levelv = 1.5 smua.source.output = 1")
    assert smu.channels["a"].stance == VoltageForce(1.5, 0.01)
    assert [float(x) for x in ask(smu, "smua.measure.iv()")] == pytest.approx([1.5e-3, 1.5])
    assert value(smu, "smua.measure.r()") == pytest.approx(1e3)
    assert value(smu, "smua.measure.p()") == pytest.approx(2.25e-3)
    assert ask(smu, f"{CONDITION}, smua.source.compliance") == ["0.00000e+00", "false"]


def test_current_compliance() -> None:
    smu = build()
    say(smu, "smua.source.limiti = 1e-4 smua.source.levelv = 1 smua.source.output = 1")
    assert value(smu, "smua.measure.v()") == pytest.approx(0.1)
    assert ask(smu, f"{CONDITION}, smua.source.compliance") == ["2.00000e+00", "true"]
    assert value(smu, "status.measurement.current_limit.condition") == 2
    assert value(smu, "status.measurement.voltage_limit.condition") == 0


def test_voltage_compliance() -> None:
    smu = build()
    say(smu, "smua.source.func = smua.OUTPUT_DCAMPS smua.source.limitv = 0.5")
    say(smu, "smua.source.leveli = -1e-3 smua.source.output = smua.OUTPUT_ON")
    assert smu.channels["a"].stance == CurrentForce(-1e-3, 0.5)
    assert value(smu, "smua.measure.v()") == pytest.approx(-0.5)
    assert value(smu, CONDITION) == 1


def test_enabled_conditions_reach_the_status_byte() -> None:
    smu = build()
    registers = "status.measurement.instrument"
    say(smu, f"{registers}.smua.enable = {registers}.smua.ILMT")
    say(smu, f"{registers}.enable = {registers}.SMUA status.measurement.enable = 8192")
    assert say(smu, "*STB?") == "0\n"
    say(smu, "smua.source.limiti = 1e-6 smua.source.levelv = 1 smua.source.output = 1")
    assert say(smu, "*STB?") == "1\n"
    say(smu, "smua.source.output = 0")
    assert value(smu, f"{registers}.smua.event") == 2
    assert value(smu, f"{registers}.smua.event") == 0


@pytest.mark.parametrize(
    ("mode", "stance"),
    [
        ("smua.OUTPUT_NORMAL", VoltageForce(0.0, 2e-3)),
        ("smua.OUTPUT_ZERO", VoltageForce(0.0, 0.01)),
        ("smua.OUTPUT_HIGH_Z", Open()),
    ],
)
def test_off_modes(mode: str, stance: object) -> None:
    smu = build()
    say(smu, f"smua.source.limiti = 0.01 smua.source.offlimiti = 2e-3 smua.source.offmode = {mode}")
    say(smu, "smua.source.levelv = 1 smua.source.output = 1")
    assert smu.channels["a"].stance == VoltageForce(1.0, 0.01)
    say(smu, "smua.source.output = 0")
    assert smu.channels["a"].stance == stance


def test_off_as_a_current_source() -> None:
    smu = build()
    say(smu, "smua.source.offfunc = smua.OUTPUT_DCAMPS smua.source.offlimitv = 5")
    assert smu.channels["a"].stance == CurrentForce(0.0, 5.0)


# -- ranges


@pytest.mark.parametrize(("level", "nominal"), [(0.2, 0.2), (0.21, 2), (-20.1, 20), (150, 200)])
def test_the_source_range_follows_the_level(level: float, nominal: float) -> None:
    smu = build()
    say(smu, f"smua.source.levelv = {level}")
    assert value(smu, "smua.source.rangev") == pytest.approx(nominal)


def test_a_fixed_source_range_refuses_what_it_does_not_reach() -> None:
    smu = build()
    say(smu, "smua.source.rangev = 1.5")
    assert ask(smu, "smua.source.rangev, smua.source.autorangev") == ["2.00000e+00", "0.00000e+00"]
    say(smu, "smua.source.levelv = 3")
    assert [code for code, _ in errors(smu)] == [5005]
    assert value(smu, "smua.source.levelv") == 0
    say(smu, "smua.source.autorangev = 1 smua.source.levelv = 3 smua.source.rangev = 2")
    assert [code for code, _ in errors(smu)] == [5005]
    assert value(smu, "smua.source.rangev") == 20


def test_a_fixed_measuring_range_limits_and_overflows() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 1 smua.measure.rangei = 1e-4 smua.source.output = 1")
    assert smu.channels["a"].stance == VoltageForce(1.0, pytest.approx(1.01e-4))
    assert value(smu, "smua.measure.i()") == pytest.approx(1.01e-4)
    assert value(smu, CONDITION) == 2
    say(smu, "smua.measure.autorangei = 1")
    assert value(smu, "smua.measure.i()") == pytest.approx(1e-3)
    assert value(smu, "smua.measure.rangei") == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("model", "lines", "code"),
    [
        ("2636B", "smua.source.levelv = 203", 1101),
        ("2636B", "smua.source.limiti = 1.6", 1101),
        ("2636B", "smua.source.limiti = 1e-11", 1102),
        ("2636B", "smua.source.limiti = 1 smua.source.levelv = 30", 5007),
        ("2636B", "smua.source.levelv = 30 smua.source.limiti = 1", 5007),
        ("2636B", "smua.source.limitv = 100 smua.source.func = 0 smua.source.leveli = 1", 5007),
        ("2602B", "smua.source.levelv = 41", 1101),
        ("2602B", "smua.source.limiti = 3 smua.source.levelv = 10", 5007),
        ("2636B", "smua.measure.rangei = 2", 1101),
    ],
)
def test_the_safe_operating_area(model: str, lines: str, code: int) -> None:
    smu = build(model=model)
    say(smu, lines)
    assert [found for found, _ in errors(smu)] == [code]


def test_the_interlock() -> None:
    smu = build()
    smu.set_interlock(False)
    say(smu, "smua.source.limiti = 0.01 smua.source.levelv = 100 smua.source.output = 1")
    assert [code for code, _ in errors(smu)] == [802]
    assert not smu.output_on("a")
    say(smu, "smua.source.levelv = 10 smua.source.output = 1")
    assert smu.output_on("a")
    say(smu, "smua.source.levelv = 100")
    assert [code for code, _ in errors(smu)] == [802]
    assert not smu.output_on("a")
    smu.set_interlock(True)
    say(smu, "smua.source.levelv = 100 smua.source.output = 1")
    assert smu.output_on("a")
    smu.set_interlock(False)
    assert not smu.output_on("a")
    assert smu.channels["a"].stance == VoltageForce(0.0, 1e-3)
    assert not errors(smu)


def test_a_40_volt_model_has_no_interlock() -> None:
    smu = build(model="2602B")
    smu.set_interlock(False)
    say(smu, "smua.source.levelv = 40 smua.source.output = 1")
    assert smu.output_on("a")


def test_reset_takes_everything_back() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 3 smua.source.output = 1 smua.measure.nplc = 10 smua.sense = 1")
    say(smu, "smua.reset()")
    assert smu.channels["a"].stance == VoltageForce(0.0, 1e-3)
    assert ask(smu, "smua.measure.nplc, smua.sense") == ["1.00000e+00", "0.00000e+00"]
    say(smu, "smub.source.levelv = 3 smub.source.output = 1", "*RST")
    assert not smu.output_on("b")


# -- meters


def test_time_passes_while_it_measures() -> None:
    world = ResistorWorld(1e3)
    smu = EmulatedKeithley2600B(world, MODELS["2602B"])
    say(smu, "smua.measure.autozero = 0 smua.measure.nplc = 6 smua.measure.i()")
    assert world.now_seconds == pytest.approx(0.1)
    say(smu, "smua.measure.delay = 0.5 smua.measure.count = 3 smua.measure.v()")
    assert world.now_seconds == pytest.approx(0.1 + 3 * 0.6)


def test_relative_readings() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 1 smua.source.output = 1")
    say(smu, "smua.measure.rel.leveli = smua.measure.i() smua.measure.rel.enablei = 1")
    assert value(smu, "smua.measure.i()") == 0
    assert value(smu, "smua.measure.v()") == 1


def test_errors_stay_and_noise_falls_with_the_aperture() -> None:
    random = np.random.default_rng(5)
    smu = EmulatedKeithley2600B(ResistorWorld(1e5), random=random)
    say(smu, "format.asciiprecision = 16 smua.measure.count = 200")
    say(smu, "smua.source.levelv = 1 smua.measure.rangei = 1e-5 smua.source.output = 1")
    spread = []
    for line_cycles in (0.01, 1):
        say(smu, f"smua.measure.nplc = {line_cycles} smua.nvbuffer1.clear()")
        say(smu, "smua.measure.i(smua.nvbuffer1)")
        reply = say(smu, "printbuffer(1, 200, smua.nvbuffer1.readings)")
        readings = np.array([float(field) for field in reply.split(",")])
        source_error, meter_error = 0.0002 + 600e-6, 0.00025 * 1e-5 + 1.5e-9
        assert abs(readings.mean() - 1e-5) < 1e-5 * source_error + meter_error
        assert readings.mean() != 1e-5
        spread.append(readings.std())
    assert spread[0] / spread[1] == pytest.approx(10, rel=0.3)


def test_both_channels_are_on_their_own() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 1 smub.source.levelv = -2")
    say(smu, "smua.source.output = 1 smub.source.output = 1")
    assert [float(x) for x in ask(smu, "smua.measure.v(), smub.measure.v()")] == [1, -2]


# -- buffers


def test_a_buffer_keeps_what_it_was_told_to() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 2 smua.source.output = 1 smua.measure.count = 3")
    say(smu, "smua.nvbuffer1.collectsourcevalues = 1 smua.measure.i(smua.nvbuffer1)")
    assert ask(smu, "smua.nvbuffer1.n, smua.nvbuffer1[3], smua.nvbuffer1.readings[1]") == [
        "3.00000e+00",
        "2.00000e-03",
        "2.00000e-03",
    ]
    assert ask(smu, "smua.nvbuffer1.sourcevalues[2], smua.nvbuffer1.timestamps[2]") == [
        "2.00000e+00",
        "nil",
    ]
    assert say(smu, "printbuffer(1, 2, smua.nvbuffer1.sourcefunctions)") == "Voltage, Voltage\n"
    say(smu, "smua.nvbuffer1.collecttimestamps = 1")
    assert [code for code, _ in errors(smu)] == [-221]
    say(smu, "smua.nvbuffer1.clear() smua.nvbuffer1.collecttimestamps = 1")
    say(smu, "smua.measure.interval = 0.5 smua.measure.i(smua.nvbuffer1)")
    stamps = say(smu, "printbuffer(1, 3, smua.nvbuffer1.timestamps)").split(",")
    assert [float(stamp) for stamp in stamps] == pytest.approx([0, 0.5, 1.0])


def test_append_mode() -> None:
    smu = build()
    say(smu, "smua.measure.i(smua.nvbuffer1) smua.measure.i(smua.nvbuffer1)")
    assert value(smu, "smua.nvbuffer1.n") == 1
    say(smu, "smua.nvbuffer1.appendmode = 1 smua.measure.i(smua.nvbuffer1)")
    assert value(smu, "smua.nvbuffer1.n") == 2


def test_a_buffer_of_one_s_own_is_full_at_its_capacity() -> None:
    smu = build()
    say(smu, "mine = smub.makebuffer(2) mine.appendmode = 1 smub.measure.count = 3")
    say(smu, "smub.measure.v(mine)")
    assert [code for code, _ in errors(smu)] == [4915]
    assert ask(smu, "mine.n, mine.capacity") == ["2.00000e+00", "2.00000e+00"]
    say(smu, "smua.measure.v(smua)")
    assert [code for code, _ in errors(smu)] == [-104]


def test_the_status_of_a_reading_tells_of_compliance() -> None:
    smu = build()
    say(smu, "smua.source.limiti = 1e-4 smua.source.levelv = 1 smua.source.output = 1")
    say(smu, "smua.measure.i(smua.nvbuffer1)")
    assert int(value(smu, "smua.nvbuffer1.statuses[1]")) & 64
    say(smu, "smua.source.levelv = 0.05 smua.measure.i(smua.nvbuffer1)")
    assert not int(value(smu, "smua.nvbuffer1.statuses[1]")) & 64


# -- sweeps


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
    smu = build()
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
    smu = build()
    sweep_setup(smu, "0", 4)
    say(smu, "smua.trigger.source.linearv(-1, 2, 4) smua.trigger.initiate() waitcomplete()")
    assert columns(smu, "a", 4)[1] == pytest.approx([-1, 0, 1, 2])
    say(smu, "smua.trigger.source.logv(1e-3, 1, 4, 0) smua.trigger.initiate() waitcomplete()")
    assert columns(smu, "a", 4)[1] == pytest.approx([1e-3, 1e-2, 1e-1, 1])


def test_one_channel_waits_for_the_other() -> None:
    """Both step on channel a's events; a blender waits until both have measured."""
    smu = build()
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
    world = RecordingWorld()
    smu = EmulatedKeithley2600B(world)
    smu.channels["a"].on_change = world.note
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
    world.steps.clear()
    say(smu, "smua.trigger.initiate() waitcomplete()")
    assert [step.seconds for step in world.steps] == pytest.approx([0, 0.02, 0.1, 0.12])
    levels = [step.stance.volts for step in world.steps if isinstance(step.stance, VoltageForce)]
    assert levels == [1, 0, -2, 0]
    assert not errors(smu)


def test_a_sweep_that_nobody_triggers() -> None:
    smu = build()
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
    smu = build()
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
    smu = build()
    say(smu, call)
    assert not errors(smu)
    reply = say(smu, "printbuffer(1, 3, smua.nvbuffer1.sourcevalues, smua.nvbuffer1)")
    numbers = [float(field) for field in reply.split(",")]
    assert numbers[::2] == pytest.approx(volts)
    assert numbers[1::2] == pytest.approx([v / 1e3 for v in volts])
    assert not smu.output_on("a")
    assert value(smu, "smua.source.levelv") == 0


def test_pulse_tests() -> None:
    world = RecordingWorld()
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
    smu.channels["a"].on_change = world.note
    assert ask(smu, "InitiatePulseTest(1)") == ["true", "Success"]
    stances = [step.stance for step in world.steps]
    pulse = [VoltageForce(0.0, 0.01), VoltageForce(1.0, 0.01)]
    rest = [VoltageForce(0.0, 0.01), VoltageForce(0.0, 1e-3)]
    assert stances == [*pulse, *rest] * 2
    assert world.steps[4].seconds - world.steps[0].seconds == pytest.approx(0.1, rel=1e-3)
    assert ask(smu, "smua.nvbuffer1.n, smua.nvbuffer1[2]") == ["2.00000e+00", "1.00000e-03"]
    assert ask(smu, "InitiatePulseTestDual(1, 2)")[0] == "true"
    assert ask(smu, "InitiatePulseTest(7)")[0] == "false"
    assert not errors(smu)


def test_a_current_sweep() -> None:
    smu = build()
    say(smu, "SweepILinMeasureV(smub, 0, 1e-3, 0, 3)")
    reply = say(smu, "printbuffer(1, 3, smub.nvbuffer1)")
    assert [float(field) for field in reply.split(",")] == pytest.approx([0, 0.5, 1])
    assert value(smu, "smub.source.func") == 1


def test_measure_and_step() -> None:
    smu = build()
    say(smu, "smua.source.levelv = 1 smua.source.output = 1")
    assert ask(smu, "smua.measureiandstep(2)") == ["1.00000e-03"]
    assert value(smu, "smua.measure.v()") == 2


class BrokenWorld(ResistorWorld):
    """A circuit that cannot be solved."""

    def reading(self, channel: Channel) -> Reading:
        raise ArithmeticError("no solution")


def test_a_circuit_without_solution_is_an_error_of_the_instrument() -> None:
    smu = EmulatedKeithley2600B(BrokenWorld())
    assert ask(smu, "smua.measure.i()") == ["nil"]
    assert len(errors(smu)) == 1
    assert math.isfinite(value(smu, "smua.source.levelv"))
