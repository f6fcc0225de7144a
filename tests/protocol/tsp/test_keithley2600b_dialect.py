"""The emulated 2600B in its own dialect: source, compliance, ranges."""

from __future__ import annotations

import pytest

from drivers.emulated.world import CurrentForce, Open, VoltageForce
from tests.protocol.smus import smu_2600b
from tests.protocol.tsp.bench import ask, errors, say, value

CONDITION = "status.measurement.instrument.smua.condition"


def test_after_power_on() -> None:
    smu = smu_2600b()
    assert value(smu, "smua.source.func") == 1
    assert value(smu, "smua.source.output") == 0
    assert value(smu, "smua.source.limiti") == pytest.approx(0.1)
    assert value(smu, "smua.source.limitv") == 20
    assert value(smu, "smua.source.offlimiti") == pytest.approx(1e-3)
    assert smu.channels["a"].stance == VoltageForce(0.0, 1e-3)


def test_a_voltage_into_a_resistor() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.limiti = 0.01 smua.source.levelv = 1.5 smua.source.output = 1")
    assert smu.channels["a"].stance == VoltageForce(1.5, 0.01)
    assert [float(x) for x in ask(smu, "smua.measure.iv()")] == pytest.approx([1.5e-3, 1.5])
    assert value(smu, "smua.measure.r()") == pytest.approx(1e3)
    assert value(smu, "smua.measure.p()") == pytest.approx(2.25e-3)
    assert ask(smu, f"{CONDITION}, smua.source.compliance") == ["0.00000e+00", "false"]


def test_current_compliance() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.limiti = 1e-4 smua.source.levelv = 1 smua.source.output = 1")
    assert value(smu, "smua.measure.v()") == pytest.approx(0.1)
    assert ask(smu, f"{CONDITION}, smua.source.compliance") == ["2.00000e+00", "true"]
    assert value(smu, "status.measurement.current_limit.condition") == 2
    assert value(smu, "status.measurement.voltage_limit.condition") == 0


def test_voltage_compliance() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.func = smua.OUTPUT_DCAMPS smua.source.limitv = 0.5")
    say(smu, "smua.source.leveli = -1e-3 smua.source.output = smua.OUTPUT_ON")
    assert smu.channels["a"].stance == CurrentForce(-1e-3, 0.5)
    assert value(smu, "smua.measure.v()") == pytest.approx(-0.5)
    assert value(smu, CONDITION) == 1


def test_enabled_conditions_reach_the_status_byte() -> None:
    smu = smu_2600b()
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
    smu = smu_2600b()
    say(smu, f"smua.source.limiti = 0.01 smua.source.offlimiti = 2e-3 smua.source.offmode = {mode}")
    say(smu, "smua.source.levelv = 1 smua.source.output = 1")
    assert smu.channels["a"].stance == VoltageForce(1.0, 0.01)
    say(smu, "smua.source.output = 0")
    assert smu.channels["a"].stance == stance


def test_off_as_a_current_source() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.offfunc = smua.OUTPUT_DCAMPS smua.source.offlimitv = 5")
    assert smu.channels["a"].stance == CurrentForce(0.0, 5.0)


@pytest.mark.parametrize(("level", "nominal"), [(0.2, 0.2), (0.21, 2), (-20.1, 20), (150, 200)])
def test_the_source_range_follows_the_level(level: float, nominal: float) -> None:
    smu = smu_2600b()
    say(smu, f"smua.source.levelv = {level}")
    assert value(smu, "smua.source.rangev") == pytest.approx(nominal)


def test_a_fixed_source_range_refuses_what_it_does_not_reach() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.rangev = 1.5")
    assert ask(smu, "smua.source.rangev, smua.source.autorangev") == ["2.00000e+00", "0.00000e+00"]
    say(smu, "smua.source.levelv = 3")
    assert [code for code, _ in errors(smu)] == [5005]
    assert value(smu, "smua.source.levelv") == 0
    say(smu, "smua.source.autorangev = 1 smua.source.levelv = 3 smua.source.rangev = 2")
    assert [code for code, _ in errors(smu)] == [5005]
    assert value(smu, "smua.source.rangev") == 20


def test_a_fixed_measuring_range_limits_and_overflows() -> None:
    smu = smu_2600b()
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
    smu = smu_2600b(model=model)
    say(smu, lines)
    assert [found for found, _ in errors(smu)] == [code]


def test_the_interlock() -> None:
    smu = smu_2600b()
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
    smu = smu_2600b(model="2602B")
    smu.set_interlock(False)
    say(smu, "smua.source.levelv = 40 smua.source.output = 1")
    assert smu.output_on("a")


def test_reset_takes_everything_back() -> None:
    smu = smu_2600b()
    say(smu, "smua.source.levelv = 3 smua.source.output = 1 smua.measure.nplc = 10 smua.sense = 1")
    say(smu, "smua.reset()")
    assert smu.channels["a"].stance == VoltageForce(0.0, 1e-3)
    assert ask(smu, "smua.measure.nplc, smua.sense") == ["1.00000e+00", "0.00000e+00"]
    say(smu, "smub.source.levelv = 3 smub.source.output = 1", "*RST")
    assert not smu.output_on("b")
