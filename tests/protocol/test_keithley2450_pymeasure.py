"""The emulated 2450 as PyMeasure's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import Keithley2450

from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.world import ResistorWorld
from drivers.transport.interface import Expect
from drivers.transport.visa import VisaTransport
from tests.protocol.served import served

LOAD_OHMS = 10e3


def opened(address: str) -> Keithley2450:
    return Keithley2450(address, visa_library="@py", read_termination="\n", write_termination="\n")


@pytest.fixture
def smu() -> Iterator[Keithley2450]:
    with served(EmulatedKeithley2450(ResistorWorld(LOAD_OHMS))) as address:
        driver = opened(address)
        driver.reset()
        yield driver
        assert driver.check_errors() == []
        driver.adapter.close()


def test_state_after_reset(smu: Keithley2450) -> None:
    assert smu.id.startswith("KEITHLEY INSTRUMENTS,MODEL 2450,")
    assert smu.source_mode == "voltage"
    assert not smu.source_enabled
    assert smu.compliance_current == pytest.approx(105e-6)
    assert smu.compliance_voltage == pytest.approx(21)
    assert smu.source_voltage == 0
    assert smu.current_nplc == pytest.approx(1)
    assert smu.wires == 2
    assert smu.voltage_output_off_state == "NORM"
    assert smu.complete == "1"


def test_sourcing_volts_and_measuring_amps(smu: Keithley2450) -> None:
    smu.apply_voltage(compliance_current=1e-3)
    smu.measure_current(nplc=0.1)
    smu.source_voltage = 0.5
    smu.enable_source()
    assert smu.source_enabled
    assert smu.current == pytest.approx(0.5 / LOAD_OHMS)
    smu.ramp_to_voltage(1.0, steps=3, pause=0)
    assert smu.current == pytest.approx(1.0 / LOAD_OHMS)
    smu.compliance_current = 1e-5
    assert smu.current == pytest.approx(1e-5)
    smu.disable_source()
    assert not smu.source_enabled


def test_sourcing_amps_and_measuring_volts(smu: Keithley2450) -> None:
    smu.apply_current(current_range=1e-3, compliance_voltage=5)
    smu.measure_voltage(voltage=20, auto_range=False)
    smu.source_current = 1e-4
    smu.enable_source()
    assert smu.voltage == pytest.approx(1.0)
    smu.source_current = 1e-3
    assert smu.voltage == pytest.approx(5.0)  # at its limit


@pytest.mark.parametrize("automatic", [True, False])
def test_measuring_ohms(smu: Keithley2450, automatic: bool) -> None:
    smu.measure_resistance(resistance=2e4, auto_range=automatic)
    smu.enable_source()
    assert smu.resistance == pytest.approx(LOAD_OHMS)
    assert smu.resistance_range == pytest.approx(2e4)


def test_settings_are_kept(smu: Keithley2450) -> None:
    for name, value in {
        "current_range": 1e-3,
        "voltage_range": 2.0,
        "source_voltage_range": 20.0,
        "source_current_range": 1e-2,
        "voltage_nplc": 5.0,
        "resistance_nplc": 0.1,
        "source_voltage_delay": 0.5,
        "source_current_delay_auto": False,
        "wires": 4,
        "current_filter_type": "MOV",
        "current_filter_count": 20,
        "voltage_filter_count": 3,
        "current_output_off_state": "HIMP",
        "voltage_output_off_state": "ZERO",
        "buffer_points": 500,
    }.items():
        setattr(smu, name, value)
        kept = getattr(smu, name)
        assert kept == pytest.approx(value) if isinstance(value, float) else kept == value, name
    assert smu.source_voltage_delay_auto is False


def test_statistics_of_the_buffer(smu: Keithley2450) -> None:
    smu.source_voltage = 0.5
    smu.enable_source()
    for _ in range(3):
        assert smu.current == pytest.approx(5e-5)
    assert smu.means == pytest.approx(5e-5)
    assert smu.maximums == smu.minimums == pytest.approx(5e-5)
    assert smu.standard_devs == pytest.approx(0.0, abs=1e-12)


def test_housekeeping(smu: Keithley2450) -> None:
    smu.beep(1000, 0.1)
    smu.use_rear_terminals()
    smu.use_front_terminals()
    smu.trigger()


def test_its_shutdown_ramps_to_zero_and_switches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the steps of its ramp
    with served(EmulatedKeithley2450(ResistorWorld(LOAD_OHMS))) as address:
        smu = opened(address)
        smu.source_voltage = 2.0
        smu.enable_source()
        smu.shutdown()
        smu.adapter.close()
        after = VisaTransport(address)  # waits until all that was written before is carried out
        assert after.exchange(b":OUTP?;:SOUR:VOLT?;:SYST:ERR?", Expect.LINE) == (
            b'0;0.000000E+00;0,"No error;0;0 0"'
        )
        after.close()
