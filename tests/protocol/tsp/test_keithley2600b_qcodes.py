"""The emulated 2600B as QCoDeS's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from qcodes.dataset import LinSweep
from qcodes.instrument_drivers.Keithley import Keithley2602B, Keithley2636B

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley2600b_models import MODELS
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served


@pytest.fixture
def driver() -> Iterator[Keithley2636B]:
    with served(EmulatedKeithley2600B(ResistorWorld(1e4), serial="42")) as address:
        driver = Keithley2636B("smu", address, visalib="@py", timeout=5)
        driver.reset()
        yield driver
        assert driver.ask("errorqueue.next()").startswith("0.00000e+00")
        driver.close()


def test_identity(driver: Keithley2636B) -> None:
    identity = driver.get_idn()
    assert (identity["model"], identity["serial"]) == ("2636B", "42")


def test_volts_and_compliance(driver: Keithley2636B) -> None:
    smu = driver.smua
    smu.mode("voltage")
    smu.limiti(1e-3)
    smu.volt(1.5)
    smu.output("on")
    assert smu.curr() == pytest.approx(1.5e-4)
    assert smu.curr.measurement_status == "No error occured."
    assert smu.res() == pytest.approx(1e4)
    smu.limiti(1e-5)
    assert smu.volt() == pytest.approx(0.1)
    assert smu.volt.measurement_status == "Reached current compliance limit."


def test_amps(driver: Keithley2636B) -> None:
    smu = driver.smub
    smu.mode("current")
    smu.limitv(5)
    smu.curr(2e-4)
    smu.output("on")
    assert smu.volt() == pytest.approx(2.0)
    assert smu.mode() == "current"


def test_ranges(driver: Keithley2636B) -> None:
    smu = driver.smua
    smu.sourcerange_v(20)
    smu.measurerange_i(1e-3)
    smu.nplc(0.5)
    smu.fourprobe("on") if "fourprobe" in smu.parameters else None
    assert (smu.sourcerange_v(), smu.measurerange_i(), smu.nplc()) == (20, 1e-3, 0.5)


def test_sweeps_in_the_instrument(driver: Keithley2636B) -> None:
    driver.smua.setup_fastsweep(LinSweep(driver.smua.volt, 0, 1, 5))
    np.testing.assert_allclose(driver.smua.fastsweep(), np.linspace(0, 1e-4, 5), atol=1e-9)
    driver.smua.setup_fastsweep(
        LinSweep(driver.smua.volt, 0, 1, 5, 0.01), LinSweep(driver.smub.volt, 0, 1, 3, 0.01)
    )
    np.testing.assert_allclose(driver.smua.fastsweep(), [np.linspace(0, 1e-4, 5)] * 3, atol=1e-9)


def test_a_trace_over_time(driver: Keithley2636B) -> None:
    driver.smua.limiti(1e-3)
    driver.smua.volt(1.0)
    driver.smua.output("on")
    driver.smua.timetrace_npts(7)
    driver.smua.timetrace_dt(0.05)
    driver.smua.timetrace_mode("current")
    np.testing.assert_allclose(driver.smua.timetrace(), [1e-4] * 7, rtol=1e-6)


def test_every_parameter_can_be_read(driver: Keithley2636B) -> None:
    driver.display_settext("hello")
    driver.display_clear()
    driver.display_normal()
    driver.exit_key()
    driver.smub.reset()
    snapshot = driver.snapshot(update=True)
    assert snapshot["submodules"]["smua"]["parameters"]["limiti"]["value"] == pytest.approx(0.1)


def test_another_model() -> None:
    instrument = EmulatedKeithley2600B(ResistorWorld(1e4), MODELS["2602B"])
    with served(instrument) as address:
        driver = Keithley2602B("other", address, visalib="@py", timeout=5)
        driver.smub.volt(6.0)
        driver.smub.output("on")
        assert driver.smub.curr() == pytest.approx(6e-4)
        driver.close()
