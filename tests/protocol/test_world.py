"""The worlds of single instruments: Ohm's law with limits, and voltages to be scanned."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.world import (
    Channel,
    CurrentForce,
    Meter,
    Open,
    Reading,
    ResistorWorld,
    ScannerWorld,
    Stance,
    VoltageForce,
)


def at(load_ohms: float, stance: Stance) -> Reading:
    channel = Channel("a")
    channel.stance = stance
    return ResistorWorld(load_ohms).reading(channel)


@pytest.mark.parametrize(
    ("load_ohms", "stance", "reading"),
    [
        (100.0, VoltageForce(1.0, 1.0), (1.0, 0.01, False)),
        (100.0, VoltageForce(-1.0, 1e-3), (-0.1, -1e-3, True)),
        (100.0, VoltageForce(1.0, 1.0, series_ohms=100.0), (0.5, 5e-3, False)),
        (math.inf, VoltageForce(1.0, 1e-3), (1.0, 0.0, False)),
        (0.0, VoltageForce(1.0, 1e-3), (0.0, 1e-3, True)),
        (0.0, VoltageForce(0.0, 1e-3), (0.0, 0.0, False)),
        (100.0, CurrentForce(0.01, 10.0), (1.0, 0.01, False)),
        (100.0, CurrentForce(-1.0, 10.0), (-10.0, -0.1, True)),
        (math.inf, CurrentForce(1e-6, 10.0), (10.0, 0.0, True)),
        (math.inf, CurrentForce(0.0, 10.0), (0.0, 0.0, False)),
        (100.0, Open(), (0.0, 0.0, False)),
        (100.0, Meter(1e7), (0.0, 0.0, False)),
    ],
)
def test_ohms_law_with_limits(load_ohms: float, stance: Stance, reading: object) -> None:
    assert at(load_ohms, stance) == pytest.approx(reading)


@given(
    load_ohms=st.floats(0, 1e12),
    volts=st.floats(-200, 200),
    limit_amps=st.floats(1e-9, 1),
)
def test_a_voltage_source_keeps_its_limit_and_the_resistor_its_law(
    load_ohms: float, volts: float, limit_amps: float
) -> None:
    reading = at(load_ohms, VoltageForce(volts, limit_amps))
    assert abs(reading.amps) <= limit_amps
    assert abs(reading.volts) <= abs(volts) * (1 + 1e-12) + 1e-300
    assert reading.volts == pytest.approx(reading.amps * load_ohms)
    assert reading.limited or reading.volts == pytest.approx(volts)


def test_every_change_of_a_stance_is_told_and_nothing_else() -> None:
    told: list[Stance] = []
    channel = Channel("a")
    channel.on_change = lambda changed: told.append(changed.stance)
    for stance in (VoltageForce(1.0, 1.0), VoltageForce(1.0, 1.0), Open()):
        channel.stance = stance
    assert told == [VoltageForce(1.0, 1.0), Open()]


def test_a_scanner_sees_what_is_stated_and_zero_elsewhere() -> None:
    world = ScannerWorld({"101": 0.25})
    world.elapse(2.0)
    assert world.now_seconds == 2.0
    assert world.reading(Channel("101")).volts == 0.25
    assert world.reading(Channel("102")).volts == 0.0
