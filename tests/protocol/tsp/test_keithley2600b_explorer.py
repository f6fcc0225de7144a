"""The emulated 2600B as the package keithley2600 sees it, which explores the Lua tables.

It walks ``next(_G)`` and the metatables, and sweeps with event blenders and ``*TRG``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

pytestmark = [
    pytest.mark.skipif(
        sys.version_info >= (3, 13), reason="keithley2600 2.1 imports xdrlib, gone in Python 3.13"
    ),
    pytest.mark.filterwarnings("ignore:'xdrlib' is deprecated:DeprecationWarning"),
]


@pytest.fixture
def driver() -> Iterator[Any]:
    from keithley2600 import Keithley2600

    with served(EmulatedKeithley2600B(ResistorWorld(1e4))) as address:
        driver = Keithley2600(
            address, visa_library="@py", raise_keithley_errors=True, write_termination="\n"
        )
        yield driver
        assert driver.read_error_queue() == []
        driver.disconnect()


def test_attributes_are_found(driver: Any) -> None:
    driver.smua.source.levelv = 1
    driver.smua.source.output = driver.smua.OUTPUT_ON
    assert driver.smua.measure.iv() == (pytest.approx(1e-4), 1)
    assert driver.localnode.model == "2636B"
    assert "source" in dir(driver.smub)
    with pytest.raises(AttributeError, match="read-only"):
        driver.smua.source.compliance = True


def test_sweeps_of_one_and_two_channels(driver: Any) -> None:
    volts, amps = driver.voltage_sweep_single_smu(driver.smua, [0, 0.1, 0.2], 0.01, -1, False)
    assert volts == pytest.approx([0, 0.1, 0.2])
    assert amps == pytest.approx([0, 1e-5, 2e-5])
    first, _, second, amps = driver.voltage_sweep_dual_smu(
        driver.smua, driver.smub, [0, 0.1, 0.2], [1, 2, 3], 0.01, 0, True
    )
    assert first == pytest.approx([0, 0.1, 0.2])
    assert second == pytest.approx([1, 2, 3])
    assert amps == pytest.approx([1e-4, 2e-4, 3e-4])
