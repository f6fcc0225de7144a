"""The emulated 2400 as PyMeasure's unmodified driver sees it, over TCP."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import Keithley2400

from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import running
from drivers.emulated.world import ResistorWorld
from drivers.transport.interface import Expect
from drivers.transport.visa import VisaTransport
from tests.protocol.served import served

LOAD_OHMS = 10e3


@pytest.fixture
def smu() -> Iterator[Keithley2400]:
    with served(EmulatedKeithley2400(ResistorWorld(LOAD_OHMS))) as address:
        driver = opened(address)
        driver.reset()
        driver.reset_data_format()
        yield driver
        assert driver.check_errors() == []
        driver.adapter.close()


def test_identity_and_state_after_reset(smu: Keithley2400) -> None:
    assert smu.id.startswith("KEITHLEY INSTRUMENTS INC.,MODEL 2400,")
    assert smu.source_mode == "voltage"
    assert smu.source_enabled is False
    assert smu.compliance_current == pytest.approx(105e-6)
    assert smu.compliance_voltage == pytest.approx(21)
    assert smu.source_voltage_range == pytest.approx(21)
    assert smu.current_range == pytest.approx(1.05e-4)
    assert smu.source_voltage_range_auto_enabled
    assert smu.source_delay_auto_enabled
    assert smu.output_off_state == "normal"
    assert smu.wires == 2
    assert smu.trigger_count == smu.arm_count == 1
    assert smu.complete == "1"


def test_sourcing_volts_and_measuring_amps(smu: Keithley2400) -> None:
    smu.source_mode = "voltage"
    smu.compliance_current = 1e-3
    smu.source_voltage = 0.5
    smu.enable_source()
    assert smu.current == pytest.approx(0.5 / LOAD_OHMS)
    assert smu.voltage == pytest.approx(0.5)
    assert smu.resistance == pytest.approx(LOAD_OHMS)
    smu.disable_source()
    assert smu.source_enabled is False


def test_everything_at_once(smu: Keithley2400) -> None:
    smu.compliance_current = 10e-6
    smu.source_voltage = 1.0
    smu.enable_source()
    values = smu.measure_all()
    assert values["current"] == pytest.approx(10e-6)
    assert values["voltage"] == pytest.approx(0.1)
    assert values["resistance"] >= 9.9e37  # no ohms while the source is at its limit
    assert values["status"] & 1 << 3


def test_sourcing_amps(smu: Keithley2400) -> None:
    smu.source_mode = "current"
    smu.compliance_voltage = 5.0
    smu.source_current = 1e-4
    smu.enable_source()
    assert smu.voltage == pytest.approx(1.0)
    smu.ramp_to_current(2e-4, steps=3, pause=0)
    assert smu.voltage == pytest.approx(2.0)
    smu.source_current = 1e-3
    assert smu.voltage == pytest.approx(5.0)  # at its limit


def test_settings_are_kept(smu: Keithley2400) -> None:
    for name, value in {
        "current_nplc": 0.1,
        "wires": 4,
        "output_off_state": "zero",
        "filter_enabled": True,
        "filter_count": 20,
        "repeat_filter_enabled": False,
        "source_delay": 0.01,
        "auto_zero_enabled": False,
        "line_frequency": 50,
        "front_terminals_enabled": False,
        "display_enabled": False,
        "trigger_delay": 0.25,
        "trigger_source": "trigger_link",
        "arm_source": "bus",
        "arm_timer": 0.5,
        "trigger_output_event": "sense",
        "arm_output_event": "trigger_exit",
        "trigger_input_line": 3,
        "trigger_output_line": 4,
        "auto_output_off_enabled": True,
        "resistance_mode_auto_enabled": False,
        "voltage_range_auto_enabled": False,
        "source_current_range": 0.105,
    }.items():
        setattr(smu, name, value)
        kept = getattr(smu, name)
        assert kept == pytest.approx(value) if isinstance(value, float) else kept == value, name
    assert smu.voltage_nplc == smu.resistance_nplc == pytest.approx(0.1)  # one for all
    assert smu.source_delay_auto_enabled is False


def test_buffer_and_statistics(smu: Keithley2400) -> None:
    smu.compliance_current = 1e-3
    smu.source_voltage = 1.0
    smu.enable_source()
    smu.config_buffer(5)
    assert not smu.is_buffer_full()
    smu.start_buffer()
    assert smu.is_buffer_full()
    data = smu.buffer_data.reshape(5, 5)
    assert data[:, 1] == pytest.approx(1e-4)
    assert smu.mean_current == pytest.approx(1e-4)
    assert smu.std_current == pytest.approx(0.0)
    smu.disable_buffer()


def test_a_bus_trigger_starts_a_waiting_run(smu: Keithley2400) -> None:
    smu.compliance_current = 1e-3
    smu.source_voltage = 1.0
    smu.enable_source()
    smu.trigger_on_bus()
    smu.config_buffer(2)
    smu.start_buffer()
    assert not smu.is_buffer_full()
    smu.trigger()
    assert smu.is_buffer_full()
    smu.trigger_immediately()


def test_housekeeping(smu: Keithley2400) -> None:
    smu.beep(1000, 0.1)
    smu.auto_zero_once()
    smu.clear_trigger()
    smu.reset_trigger()
    assert smu.options == "0"


def opened(address: str) -> Keithley2400:
    return Keithley2400(address, visa_library="@py", read_termination="\n", write_termination="\n")


def test_its_shutdown_ramps_to_zero_and_switches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the steps of its ramp
    with served(EmulatedKeithley2400(ResistorWorld(LOAD_OHMS))) as address:
        smu = opened(address)
        smu.source_voltage = 2.0
        smu.enable_source()
        smu.shutdown()
        smu.adapter.close()
        after = VisaTransport(address)  # waits until all that was written before is carried out
        assert after.exchange(b":OUTP?;:SOUR:VOLT?;:SYST:ERR?", Expect.LINE) == (
            b'0;0.000000E+00;0,"No error"'
        )
        after.close()


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")
def test_over_a_pseudo_terminal() -> None:
    server = PtyServer(EmulatedKeithley2400(ResistorWorld(LOAD_OHMS)))
    with running(server):
        smu = opened(f"ASRL{server.address}::INSTR")
        smu.source_voltage = 0.5
        smu.enable_source()
        assert smu.current == pytest.approx(0.5 / LOAD_OHMS)
        assert smu.check_errors() == []
        smu.adapter.close()
