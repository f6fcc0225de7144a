"""The emulated 2400 as QCoDeS's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qcodes.instrument_drivers.Keithley import Keithley2400

from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served


@pytest.fixture
def smu() -> Iterator[Keithley2400]:
    with served(EmulatedKeithley2400(ResistorWorld(1e4), serial="42")) as address:
        driver = Keithley2400("smu", address, visalib="@py", timeout=2)
        yield driver
        assert driver.ask("SYST:ERR?") == '0,"No error"'
        driver.close()


def test_identity(smu: Keithley2400) -> None:
    identity = smu.get_idn()
    assert identity["model"] == "2400"
    assert identity["serial"] == "42"


def test_volts(smu: Keithley2400) -> None:
    smu.reset()
    smu.mode("VOLT")
    smu.compliancei(1e-3)
    smu.rangev(2)
    smu.nplci(0.1)
    smu.volt(1.5)
    smu.output(True)
    assert smu.output() is True
    assert smu.curr() == pytest.approx(1.5e-4)
    assert smu.resistance() == pytest.approx(1e4)
    assert smu.compliancei() == pytest.approx(1e-3)
    assert smu.nplcv() == pytest.approx(0.1)
    smu.output(False)
    with pytest.raises(RuntimeError, match="output off"):
        smu.curr()


def test_amps(smu: Keithley2400) -> None:
    smu.reset()
    smu.mode("CURR")
    smu.compliancev(10)
    smu.curr(2e-4)
    smu.output(True)
    assert smu.volt() == pytest.approx(2.0)
    assert smu.mode() == "CURR"
    assert '"VOLT:DC"' in smu.sense()
    assert smu.rangei() > 0
    assert smu.rangev() > 0
    assert smu.compliancev() == pytest.approx(10)
