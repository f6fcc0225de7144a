"""The emulated 2600B as PyMeasure's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import Keithley2600

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

# PyMeasure says of its own driver that nobody told it whether it speaks SCPI.
pytestmark = pytest.mark.filterwarnings("ignore:It is not known whether:FutureWarning")


@pytest.fixture
def driver() -> Iterator[Keithley2600]:
    with served(EmulatedKeithley2600B(ResistorWorld(1e4))) as address:
        driver = Keithley2600(
            address, visa_library="@py", read_termination="\n", write_termination="\n"
        )
        yield driver
        assert driver.next_error == (0, "Queue Is Empty")
        driver.adapter.close()


def test_volts(driver: Keithley2600) -> None:
    channel = driver.ChA
    channel.apply_voltage(20, 1e-2)
    channel.source_voltage = 2
    channel.source_output = "ON"
    channel.measure_current(nplc=0.1)
    assert channel.current == pytest.approx(2e-4)
    assert channel.resistance == pytest.approx(1e4)
    assert channel.source_mode == "voltage"
    assert channel.compliance_current == pytest.approx(1e-2)
    assert channel.source_voltage_range == 20


def test_amps(driver: Keithley2600) -> None:
    channel = driver.ChB
    channel.apply_current(1e-3, 10)
    channel.source_current = 5e-4
    channel.source_output = "ON"
    channel.measure_voltage(nplc=1)
    channel.wires_mode = "4"
    assert channel.voltage == pytest.approx(5.0)
    assert channel.wires_mode == "4"
    channel.ramp_to_current(0, 3, 0)
    assert channel.voltage == 0
    channel.source_output = "OFF"


def test_errors(driver: Keithley2600) -> None:
    driver.write("smua.source.levelv = 1e9")
    assert driver.next_error == (1101, "Parameter too big")
