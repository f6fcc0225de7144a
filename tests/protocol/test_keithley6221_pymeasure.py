"""The emulated 6221 as PyMeasure's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import Keithley6221

from drivers.emulated.keithley6221 import EmulatedKeithley6221
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

World = ResistorWorld(1e4)

SETTINGS = [
    ("source_auto_range", True),
    ("output_low_grounded", True),
    ("shield_to_guard_enabled", True),
    ("source_delay", 0.5),
    ("delta_unit", "Ohms"),
    ("delta_high_source", 1e-3),
    ("delta_low_source", -2e-3),
    ("delta_delay", 0.1),
    ("delta_cycles", 10),
    ("delta_measurement_sets", 3),
    ("delta_compliance_abort_enabled", True),
    ("delta_cold_switch_enabled", True),
    ("delta_buffer_points", 10),
    ("waveform_function", "square"),
    ("waveform_frequency", 347.0),
    ("waveform_amplitude", 0.05),
    ("waveform_offset", 1e-3),
    ("waveform_dutycycle", 25.0),
    ("waveform_duration_time", 0.5),
    ("waveform_duration_cycles", 100.0),
    ("waveform_ranging", "fixed"),
    ("waveform_use_phasemarker", True),
    ("waveform_phasemarker_phase", 90.0),
    ("waveform_phasemarker_line", 4),
    ("display_enabled", False),
    ("measurement_event_enabled", 8),
    ("operation_event_enabled", 128),
    ("questionable_event_enabled", 16),
    ("srq_event_enabled", 128),
]


@pytest.fixture
def instrument() -> EmulatedKeithley6221:
    return EmulatedKeithley6221(World)


@pytest.fixture
def source(instrument: EmulatedKeithley6221) -> Iterator[Keithley6221]:
    with served(instrument) as address:
        driver = Keithley6221(
            address, visa_library="@py", read_termination="\n", write_termination="\n"
        )
        driver.reset()
        yield driver
        assert driver.check_errors() == []
        driver.adapter.close()


def test_identity_and_state_after_reset(source: Keithley6221) -> None:
    assert "MODEL 6221" in source.id
    assert source.source_enabled is False
    assert source.source_current == 0
    assert source.source_compliance == pytest.approx(10)
    assert source.output_low_grounded is False
    assert source.complete == "1"


def test_direct_current(source: Keithley6221, instrument: EmulatedKeithley6221) -> None:
    source.source_compliance = 5.0
    source.source_range = 1e-3
    assert source.source_range == pytest.approx(2e-3)
    assert source.source_auto_range is False
    source.source_current = 1e-4
    source.enable_source()
    assert source.source_enabled
    assert World.reading(instrument.channel).volts == pytest.approx(1.0)
    assert source.measurement_events & 8 == 0
    source.source_current = 1e-3
    assert source.source_current == pytest.approx(1e-3)
    assert World.reading(instrument.channel).volts == pytest.approx(5.0)
    assert source.measurement_events & 8  # in compliance
    source.disable_source()
    assert source.source_enabled is False
    assert instrument.output_on is False


def test_settings_are_kept(source: Keithley6221) -> None:
    for name, value in SETTINGS:
        setattr(source, name, value)
        kept = getattr(source, name)
        assert kept == (pytest.approx(value) if isinstance(value, float) else value), name


def test_a_finite_waveform_tells_of_its_end(source: Keithley6221) -> None:
    source.define_arbitary_waveform([-1, 0, 0.5, 1], location=2)
    assert source.waveform_function == "arbitrary2"
    source.waveform_duration_cycles = 10
    source.operation_event_enabled = 128
    source.waveform_arm()
    assert source.source_enabled
    source.waveform_start()
    assert source.operation_events & 128
    source.waveform_abort()
    assert source.source_enabled is False


def test_triggers_and_housekeeping(source: Keithley6221) -> None:
    source.trigger_immediately()
    source.trigger_on_bus()
    source.set_timed_arm(0.25)
    source.trigger_on_external(2)
    source.output_trigger_on_external(1)
    source.disable_output_trigger()
    source.disable_buffer()
    source.beep(1000, 0.1)
    assert source.standard_events == 0
