"""The emulated 3706A as QCoDeS's unmodified driver sees it, over TCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qcodes.instrument_drivers.Keithley import Keithley3706A

from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.tsp.switch_cards import CARDS
from drivers.emulated.world import ResistorWorld
from tests.protocol.served import served

CARD = CARDS["3730"]


@pytest.fixture
def switch() -> Iterator[Keithley3706A]:
    # Two cards: the driver lists every pair of channels, which takes long with six.
    instrument = EmulatedKeithley3706A(ResistorWorld(), {1: CARD, 4: CARD}, serial="42")
    with served(instrument) as address:
        driver = Keithley3706A("switch", address, visalib="@py", timeout=5)
        yield driver
        assert driver.ask("errorqueue.next()").startswith("0.000000000e+00")
        driver.close()


def test_identity_and_cards(switch: Keithley3706A) -> None:
    assert switch.get_idn()["serial"] == "42"
    cards = switch.get_switch_cards()
    assert [(card["slot_no"], card["model"]) for card in cards] == [("1", "3730"), ("4", "3730")]
    assert switch.get_interlock_state()[0]["state"] == "Both interlock 1 and 2 are engaged"
    assert switch.get_ip_address() == "127.0.0.1"
    assert switch.get_available_memory()
    assert len(switch.get_channels()) == 2 * 96


def test_closing(switch: Keithley3706A) -> None:
    assert switch.get_closed_channels("allslots") is None
    switch.close_channel("1101,4203")
    assert switch.get_closed_channels("allslots") == ["1101", "4203"]
    switch.exclusive_slot_close("1102")
    assert switch.get_closed_channels("allslots") == ["1102", "4203"]
    switch.exclusive_close("1105:1107")
    assert switch.get_closed_channels("slot1") == ["1105", "1106", "1107"]
    switch.close_channel("1911")
    assert switch.get_closed_channels("1911") == ["1911"]
    switch.open_channel("allslots")
    assert switch.get_closed_channels("allslots") is None


def test_settings(switch: Keithley3706A) -> None:
    switch.channel_connect_rule("MAKE_BEFORE_BREAK")
    assert switch.channel_connect_rule() == "MAKE_BEFORE_BREAK"
    switch.set_forbidden_channels("1101")
    assert switch.get_forbidden_channels("1101") == "1101"
    switch.clear_forbidden_channels("1101")
    switch.set_delay("1105", 0.1)
    assert switch.get_delay("1105") == [0.1]
    switch.set_backplane("1105", "1911")
    assert switch.get_backplane("1105") == "1911"
    switch.reset_channel("allslots")
    switch.gpib_enabled(False)
    assert switch.gpib_enabled() is False
    switch.gpib_address(7)
    assert switch.gpib_address() == 7
    assert switch.lan_enabled() is True
    switch.save_setup()
    switch.load_setup(1)
    switch.snapshot(update=True)
