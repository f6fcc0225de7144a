"""The emulated 2750 as PyMeasure's unmodified drivers see it, over TCP.

The driver of the 2700, a smaller 2750, knows more commands than that of the 2750.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from pymeasure.instruments.keithley import Keithley2700, Keithley2750
from pymeasure.instruments.keithley.keithley2750 import clean_closed_channels

from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.scanner_cards import CARD_7700
from drivers.emulated.world import ScannerWorld
from tests.protocol.served import served

TERMINATIONS = {"read_termination": "\n", "write_termination": "\n"}
# The 2700's driver knows the channels of no card but the 7709 matrix.
CARD_7709 = dataclasses.replace(
    CARD_7700,
    model="7709",
    title="6x8 Matrix",
    n_volts_channels=48,
    amps_channels=(),
    other_relays=(49, 50),
    input_relay=49,
)


@pytest.fixture
def switch() -> Iterator[Keithley2750]:
    with served(EmulatedKeithley2750(ScannerWorld({"101": 0.01}))) as address:
        driver = Keithley2750(address, visa_library="@py", **TERMINATIONS)
        driver.reset()
        yield driver
        assert driver.check_errors() == []
        driver.adapter.close()


def closed(switch: Keithley2750) -> list[int]:
    """The driver leaves a list of one or none as it came."""
    channels = switch.closed_channels
    return clean_closed_channels(channels) if isinstance(channels, str) else channels


def test_switching(switch: Keithley2750) -> None:
    assert "MODEL 2750" in switch.id
    assert closed(switch) == []
    switch.close(101)
    assert closed(switch) == [101]
    switch.close(205)
    switch.close(520)
    assert closed(switch) == [101, 205, 520]
    switch.open(205)
    assert closed(switch) == [101, 520]
    switch.open_all()
    assert closed(switch) == []


def test_reading_through_it(switch: Keithley2750) -> None:
    switch.write(":FORM:ELEM READ;:ROUT:CLOS (@101)")
    assert switch.values(":READ?") == [pytest.approx(0.01)]


def test_the_driver_of_the_2700() -> None:
    instrument = EmulatedKeithley2750(ScannerWorld({}), cards={1: CARD_7709})
    with served(instrument) as address:
        switch = Keithley2700(address, visa_library="@py", **TERMINATIONS)
        assert switch.options == ["7709", "NONE", "NONE", "NONE", "NONE"]
        switch.close_rows_to_columns(1, [1, 2], slot=1)
        assert switch.closed_channels == [101, 102]
        assert switch.get_state_of_channels([101, 103]) == "1,0"
        switch.open_rows_to_columns(1, 2, slot=1)
        assert switch.closed_channels == [101]
        switch.display_closed_channels()
        assert switch.display_text == "Closed: 1"
        switch.open_all_channels()
        assert switch.closed_channels == []
        switch.config_buffer(points=3)
        for _ in range(3):
            assert not switch.is_buffer_full()
            switch.start_buffer()
        assert switch.is_buffer_full()
        switch.write("FORM:ELEM READ")
        assert switch.buffer_data.tolist() == [0, 0, 0]
        switch.reset_buffer()
        assert not switch.is_buffer_full()
        switch.disable_buffer()
        switch.beep(440, 0.1)
        assert switch.check_errors() == []
        switch.adapter.close()
