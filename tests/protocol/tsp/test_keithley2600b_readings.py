"""Readings of an emulated 2600B: meters, their errors, buffers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley2600b_models import MODELS
from drivers.emulated.world import Channel, Reading, ResistorWorld
from tests.protocol.smus import smu_2600b
from tests.protocol.tsp.bench import ask, errors, say, value


def test_time_passes_while_it_measures() -> None:
    world = ResistorWorld(1e3)
    smu = EmulatedKeithley2600B(world, MODELS["2602B"])
    say(smu, "smua.measure.autozero = 0 smua.measure.nplc = 6 smua.measure.i()")
    assert world.now_seconds == pytest.approx(0.1)
    say(smu, "smua.measure.delay = 0.5 smua.measure.count = 3 smua.measure.v()")
    assert world.now_seconds == pytest.approx(0.1 + 3 * 0.6)


def test_relative_readings() -> None:
    smu = smu_2600b()
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
    smu = smu_2600b()
    say(smu, "smua.source.levelv = 1 smub.source.levelv = -2")
    say(smu, "smua.source.output = 1 smub.source.output = 1")
    assert [float(x) for x in ask(smu, "smua.measure.v(), smub.measure.v()")] == [1, -2]


def test_measure_and_step() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.levelv = 1 smua.source.output = 1")
    assert ask(smu, "smua.measureiandstep(2)") == ["1.00000e-03"]
    assert value(smu, "smua.measure.v()") == 2


def test_a_buffer_keeps_what_it_was_told_to() -> None:
    smu = smu_2600b()
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
    smu = smu_2600b()
    say(smu, "smua.measure.i(smua.nvbuffer1) smua.measure.i(smua.nvbuffer1)")
    assert value(smu, "smua.nvbuffer1.n") == 1
    say(smu, "smua.nvbuffer1.appendmode = 1 smua.measure.i(smua.nvbuffer1)")
    assert value(smu, "smua.nvbuffer1.n") == 2


def test_a_buffer_of_one_s_own_is_full_at_its_capacity() -> None:
    smu = smu_2600b()
    say(smu, "mine = smub.makebuffer(2) mine.appendmode = 1 smub.measure.count = 3")
    say(smu, "smub.measure.v(mine)")
    assert [code for code, _ in errors(smu)] == [4915]
    assert ask(smu, "mine.n, mine.capacity") == ["2.00000e+00", "2.00000e+00"]
    say(smu, "smua.measure.v(smua)")
    assert [code for code, _ in errors(smu)] == [-104]


def test_the_status_of_a_reading_tells_of_compliance() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.limiti = 1e-4 smua.source.levelv = 1 smua.source.output = 1")
    say(smu, "smua.measure.i(smua.nvbuffer1)")
    assert int(value(smu, "smua.nvbuffer1.statuses[1]")) & 64
    say(smu, "smua.source.levelv = 0.05 smua.measure.i(smua.nvbuffer1)")
    assert not int(value(smu, "smua.nvbuffer1.statuses[1]")) & 64


class BrokenWorld(ResistorWorld):
    """A circuit that cannot be solved."""

    def reading(self, channel: Channel) -> Reading:
        raise ArithmeticError("no solution")


def test_a_circuit_without_solution_is_an_error_of_the_instrument() -> None:
    smu = EmulatedKeithley2600B(BrokenWorld())
    assert ask(smu, "smua.measure.i()") == ["nil"]
    assert len(errors(smu)) == 1
    assert math.isfinite(value(smu, "smua.source.levelv"))
