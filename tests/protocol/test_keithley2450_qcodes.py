"""The emulated 2450 as QCoDeS's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from qcodes.instrument_drivers.Keithley import Keithley2450

from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

LOAD_OHMS = 1e4


@pytest.fixture
def smu() -> Iterator[Keithley2450]:
    with served(EmulatedKeithley2450(ResistorWorld(LOAD_OHMS), serial="42")) as address:
        driver = Keithley2450("smu", address, visalib="@py", timeout=2)
        driver.reset()
        yield driver
        assert driver.ask("SYST:ERR?") == '0,"No error;0;0 0"'
        driver.close()


def test_identity(smu: Keithley2450) -> None:
    identity = smu.get_idn()
    assert identity["vendor"] == "KEITHLEY INSTRUMENTS"
    assert "2450" in (identity["model"] or "")
    assert identity["serial"] == "42"
    assert smu.line_frequency() == "60"


def test_sourcing_volts_and_measuring_amps(smu: Keithley2450) -> None:
    smu.sense_function("current")
    smu.source_function("voltage")
    smu.source.limit(1e-3)
    smu.source.range(2)
    smu.source.voltage(1.5)
    smu.sense.nplc(0.1)
    with pytest.raises(RuntimeError, match="Output needs to be on"):
        smu.sense.current()
    with smu.output_enabled.set_to(True):
        assert smu.sense.current() == pytest.approx(1.5 / LOAD_OHMS)
        assert not smu.source.limit_tripped()
        smu.source.limit(1e-5)
        assert smu.source.limit_tripped()
        assert smu.sense.current() == pytest.approx(1e-5)
    assert not smu.output_enabled()


def test_sourcing_amps_and_measuring_volts_and_ohms(smu: Keithley2450) -> None:
    smu.source_function("current")
    smu.sense_function("voltage")
    smu.source.limit(10)
    smu.source.current(2e-4)
    smu.sense.auto_range(True)
    smu.sense.four_wire_measurement(True)
    assert smu.sense.four_wire_measurement()
    with smu.output_enabled.set_to(True):
        assert smu.sense.voltage() == pytest.approx(2.0)
    smu.sense_function("resistance")
    with smu.output_enabled.set_to(True):
        assert smu.sense.resistance() == pytest.approx(LOAD_OHMS)


def test_settings_are_kept(smu: Keithley2450) -> None:
    smu.sense.range(1e-3)
    assert smu.sense.range() == pytest.approx(1e-3)
    assert not smu.sense.auto_range()
    smu.sense.auto_zero_enabled(False)
    smu.sense.auto_zero_once()
    assert not smu.sense.auto_zero_enabled()
    smu.sense.count(5)
    assert smu.sense.count() == "5"
    smu.sense.user_number(2)
    smu.sense.user_delay(0.5)
    assert smu.sense.user_delay() == pytest.approx(0.5)
    smu.source.delay(0.25)
    assert float(smu.source.delay()) == pytest.approx(0.25)
    assert not smu.source.auto_delay()
    smu.source.read_back_enabled(False)
    assert not smu.source.read_back_enabled()


def test_a_sweep_into_a_buffer_of_its_own(smu: Keithley2450) -> None:
    smu.sense_function("current")
    smu.source_function("voltage")
    smu.source.limit(1e-3)
    with smu.buffer("mine", size=100) as buffer:
        buffer.elements(["measurement", "source_value", "relative_time", "measurement_unit"])
        smu.source.sweep_setup(0, 1, 5, delay=0.01, buffer_name="mine")
        assert smu.sense.sweep() == pytest.approx(np.linspace(0, 1, 5) / LOAD_OHMS, abs=1e-12)
        assert buffer.size() == 100
        assert buffer.number_of_readings() == 0  # it is emptied after a sweep
        extra = smu.sense.sweep.get_selected()
    assert extra is not None
    assert len(extra) == 20
    assert extra[3::4] == ["Amp DC"] * 5
    assert [float(volts) for volts in extra[1::4]] == pytest.approx(np.linspace(0, 1, 5))
    assert not smu.output_enabled()  # the sweep switched it on, and off at its end


def test_the_buffer_by_hand(smu: Keithley2450) -> None:
    smu.sense_function("current")
    smu.source.voltage(0.1)
    smu.sense.count(3)
    with smu.output_enabled.set_to(True):
        buffer = smu.buffer("defbuffer1")
        buffer.clear_buffer()
        buffer.trigger_start()
    assert buffer.number_of_readings() == 3
    assert float(buffer.get_last_reading()) == pytest.approx(1e-5)
    assert buffer.get_data(1, 3, readings_only=True) == pytest.approx([1e-5] * 3)
