"""The emulated DAQ6510 as PyMeasure's and QCoDeS's unmodified drivers see it, over TCP.

The DMM6500 has the same command set; its drivers know more of it than that of the DAQ6510.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import KeithleyDAQ6510, KeithleyDMM6500
from qcodes.instrument_drivers.Keithley import Keithley6500

from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.world import ScannerWorld
from tests.protocol.served import served

VOLTS = {"101": 0.01, "102": -0.5, "133": 9.0, "205": 12.0}


@pytest.fixture
def address() -> Iterator[str]:
    with served(EmulatedKeithleyDaq6510(ScannerWorld(VOLTS))) as address:
        yield address


@pytest.fixture
def daq(address: str) -> Iterator[KeithleyDAQ6510]:
    driver = KeithleyDAQ6510(
        address, visa_library="@py", read_termination="\n", write_termination="\n"
    )
    driver.reset()
    yield driver
    assert driver.check_errors() == []
    driver.adapter.close()


@pytest.fixture
def dmm(address: str) -> Iterator[KeithleyDMM6500]:
    driver = KeithleyDMM6500(address, visa_library="@py", write_termination="\n")
    driver.reset()
    yield driver
    assert driver.check_errors() == []
    driver.adapter.close()


def test_identity(daq: KeithleyDAQ6510) -> None:
    assert "MODEL DAQ6510" in daq.id
    assert daq.complete == "1"
    daq.beep(440, 0.1)


def test_volts_of_closed_channels(daq: KeithleyDAQ6510) -> None:
    daq.measure_voltage(nplc=0.1, voltage=10, auto_range=False)
    daq.close_channel(101)
    assert daq.voltage == pytest.approx(0.01)
    daq.open_channel(101)
    daq.close_channel(102)
    assert daq.voltage == pytest.approx(-0.5)
    assert daq.ask(":ROUT:CLOS?").strip() == "(@102)"
    daq.open_channels([101, 102])
    assert daq.ask(":ROUT:CLOS?").strip() == "(@)"
    assert daq.voltage_range == pytest.approx(10)
    assert daq.voltage_nplc == pytest.approx(0.1)


def test_settings_of_other_functions(daq: KeithleyDAQ6510) -> None:
    daq.sense_mode = "current"
    daq.current_range = 1e-3
    daq.current_nplc = 2
    assert daq.current_range == pytest.approx(1e-3)
    assert daq.current_nplc == pytest.approx(2)
    daq.measure_resistance(nplc=0.5, resistance=1e4, auto_range=False)
    assert daq.resistance_range == pytest.approx(1e4)
    assert daq.resistance_nplc == pytest.approx(0.5)
    daq.offset_compensated = "ON"
    assert daq.offset_compensated == "ON"
    daq.sense_mode = "voltage"


def test_the_dmm_driver_measures_and_sets_up(dmm: KeithleyDMM6500) -> None:
    assert dmm.command_set == "SCPI"
    assert dmm.mode == "voltage"
    assert dmm.terminals_used == "REAR"
    dmm.write("ROUT:CLOS (@102)")
    dmm.range = 1
    dmm.nplc = 0.5
    dmm.digits = 5
    dmm.autozero_enabled = False
    assert (dmm.range, dmm.nplc, dmm.digits) == (1, 0.5, 5)
    assert dmm.autozero_enabled is False
    assert dmm.autorange_enabled is False
    assert dmm.aperture == pytest.approx(0.5 / 60)
    assert dmm.voltage == pytest.approx(-0.5)
    assert dmm.acquire_relative() == pytest.approx(-0.5)
    dmm.enable_relative()
    assert dmm.voltage == pytest.approx(0)
    assert dmm.enable_filter(type="moving", count=10) == "1"
    assert dmm.disable_filter() == "0"
    dmm.mode = "resistance 4W"
    assert dmm.mode == "resistance 4W"
    dmm.displayed_text("hello", "there")
    assert dmm.line_frequency == 60


def test_the_dmm_driver_scans(dmm: KeithleyDMM6500) -> None:
    dmm.scan_channels = "101:103,205"
    assert dmm.scan_channels_list == [101, 102, 103, 205]
    assert dmm.scan_id.startswith("7700")
    assert (dmm.scan_vch_start, dmm.scan_vch_end, dmm.scan_card_vmax) == (101, 120, 300)
    dmm.scan_start(count=3, interval=1)
    assert dmm.points_in_buffer == 12
    data = dmm.scanned_data()
    assert data == [[0.01] * 3, [-0.5] * 3, [0.0] * 3, [12.0] * 3]
    dmm.scan_start(block_communication=False, count=1)
    assert dmm.scan_iscomplete
    dmm.scan_stop()


def test_qcodes(address: str) -> None:
    dmm = Keithley6500("dmm", address, visalib="@py", timeout=2, reset_device=True)
    dmm.write("ROUT:CLOS (@101)")
    assert dmm.mode() == "dc voltage"
    dmm.nplc(0.1)
    dmm.range(1)
    assert dmm.nplc() == pytest.approx(0.1)
    assert dmm.range() == pytest.approx(1)
    assert dmm.amplitude() == pytest.approx(0.01)
    dmm.averaging_type("moving")
    dmm.averaging_count(5)
    dmm.averaging_enabled(True)
    assert (dmm.averaging_type(), dmm.averaging_count()) == ("moving", 5)
    dmm.trigger_count(7)
    dmm.trigger_timer(2.5)
    assert (dmm.trigger_count(), dmm.trigger_timer()) == (7, pytest.approx(2.5))
    dmm.trigger2_source("bus")
    dmm.trigger2_delay(0.5)
    assert (dmm.trigger2_source(), dmm.trigger2_delay()) == ("bus", pytest.approx(0.5))
    dmm.display_backlight("On 75")
    assert dmm.display_backlight() == "On 75"
    assert dmm.get_idn()["model"] == "DAQ6510"
    assert dmm.ask("SYST:ERR?") == '0,"No error;0;0 0"'
    dmm.close()
