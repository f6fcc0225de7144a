"""The emulated B2962A as QCoDeS's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qcodes.instrument_drivers.Keysight import KeysightB2962A

from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

LOAD_OHMS = 1e4


@pytest.fixture
def source() -> Iterator[KeysightB2962A]:
    with served(EmulatedKeysightB2900(ResistorWorld(LOAD_OHMS), serial="MY42")) as address:
        driver = KeysightB2962A("source", address, visalib="@py", timeout=2)
        yield driver
        assert driver.ask("SYST:ERR?") == '+0,"No error"'
        driver.close()


def test_identity(source: KeysightB2962A) -> None:
    assert source.get_idn() == {
        "vendor": "Keysight Technologies",
        "model": "B2962A",
        "serial": "MY42",
        "firmware": "3.4.2011.5100",
    }


@pytest.mark.parametrize("name", ["ch1", "ch2"])
def test_a_channel_sources_volts(source: KeysightB2962A, name: str) -> None:
    channel = source.submodules[name]
    channel.source_mode("voltage")
    channel.current_limit(1e-3)
    channel.source_voltage(1.5)
    assert channel.enable() is False
    channel.enable(True)
    assert channel.enable() is True
    assert channel.voltage() == pytest.approx(1.5)
    assert channel.current() == pytest.approx(1.5 / LOAD_OHMS)
    assert channel.resistance() == pytest.approx(LOAD_OHMS)
    channel.current_limit(1e-5)
    assert channel.current() == pytest.approx(1e-5)
    assert channel.voltage() == pytest.approx(0.1)
    channel.enable(False)
    assert channel.voltage() == 0.0


def test_a_channel_sources_amps(source: KeysightB2962A) -> None:
    channel = source.submodules["ch2"]
    channel.source_mode("current")
    assert channel.source_mode() == "current"
    channel.voltage_limit(5)
    channel.source_current(2e-4)
    channel.remote_sensing(True)
    assert channel.remote_sensing() is True
    channel.enable(True)
    assert channel.voltage() == pytest.approx(2.0)
    assert channel.source_current() == pytest.approx(2e-4)
    assert channel.voltage_limit() == pytest.approx(5)
    assert source.submodules["ch1"].enable() is False


def test_a_snapshot_asks_for_everything_and_changes_nothing(source: KeysightB2962A) -> None:
    snapshot = source.snapshot(update=True)
    parameters = snapshot["submodules"]["ch1"]["parameters"]
    assert parameters["current_limit"]["value"] == pytest.approx(1e-4)
    assert parameters["voltage_limit"]["value"] == pytest.approx(2.0)
    assert source.submodules["ch1"].enable() is False
