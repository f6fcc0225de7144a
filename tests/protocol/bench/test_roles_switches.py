"""Switching mainframes in their role."""

from __future__ import annotations

import pytest

from drivers.bench.roles import Switch
from drivers.bench.switches import make_switch
from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.world import ResistorWorld
from drivers.transport.interface import Transport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import ConfigurationError, InstrumentError, TransportError, UsageError
from tests.protocol.bench.instruments import Recorded, entry, session

KINDS = {
    "keithley707b": EmulatedKeithley707B,
    "keithley3706a": EmulatedKeithley3706A,
    "keithley2750": EmulatedKeithley2750,
}
NAMES = {
    "keithley707b": ("1A01", "2B12", "1C03"),
    "keithley3706a": ("1101", "2616", "1203"),
    "keithley2750": ("101", "112", "203"),
}
BAD = {"keithley707b": "101", "keithley3706a": "1A01", "keithley2750": "1101"}


def build(model: str, **values: object) -> tuple[Switch, Recorded]:
    spoken = session(KINDS[model](ResistorWorld()))
    return make_switch(entry(model, **values), spoken), spoken


def made(model: str, transport: Transport) -> Switch:
    return make_switch(entry(model), transport)


@pytest.mark.parametrize("model", KINDS)
def test_closing_exactly_is_one_exchange(model: str) -> None:
    switch, spoken = build(model)
    switch.prepare()
    first, second, third = NAMES[model]
    assert switch.closed() == frozenset()
    for names in ([second, first], [second, third], [], [first]):
        sent = len(spoken.sent)
        switch.close_exactly(names)
        assert len(spoken.sent) == sent + 1
        assert switch.closed() == set(names)
    switch.check()
    switch.prepare()
    assert switch.closed() == frozenset()
    switch.close()
    assert spoken.closed


@pytest.mark.parametrize("model", KINDS)
def test_leaving_only_writes(model: str) -> None:
    switch, spoken = build(model)
    switch.prepare()
    first, second, third = NAMES[model]
    switch.close_exactly([first, second])
    for names in ([third, first], [second], []):
        queries = spoken.queries
        switch.leave(names)
        assert spoken.queries == queries
        assert switch.closed() == set(names)
    switch.check()


@pytest.mark.parametrize("model", KINDS)
def test_what_is_no_channel_is_not_closed(model: str) -> None:
    switch, spoken = build(model)
    switch.prepare()
    first, *_ = NAMES[model]
    switch.close_exactly([first])
    sent = len(spoken.sent)
    with pytest.raises(UsageError, match="no channel"):
        switch.close_exactly([BAD[model]])
    assert len(spoken.sent) == sent
    # On the way to safety everything is opened all the same.
    with pytest.raises((UsageError, TransportError)):
        switch.leave([BAD[model]])
    assert switch.closed() == frozenset()


@pytest.mark.parametrize("model", KINDS)
def test_another_serial_number_is_refused(model: str) -> None:
    switch, _ = build(model, serial="0")
    with pytest.raises(ConfigurationError, match="serial number 0"):
        switch.prepare()


def test_a_channel_that_does_not_exist_is_told_by_the_2750() -> None:
    switch, _ = build("keithley2750")
    switch.prepare()
    with pytest.raises(InstrumentError):
        switch.close_exactly(["599"])


LEAVING = {
    "keithley707b": [b"abort", b"channel.open('allslots')", b"channel.close('1A01,1C03')"],
    "keithley3706a": [b"abort", b"channel.open('allslots')", b"channel.close('1101,1203')"],
    "keithley2750": [b":ABOR", b":ROUT:OPEN:ALL", b":ROUT:MULT:CLOS (@101,203)"],
}


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_every_step_of_leaving_is_attempted(model: str, lost: int) -> None:
    gone = TransportError("gone")
    dialogue = [(request, gone if k == lost else None) for k, request in enumerate(LEAVING[model])]
    first, _, third = NAMES[model]
    with ScriptedTransport(dialogue) as transport:
        with pytest.raises(TransportError, match="may not be safe"):
            made(model, transport).leave([third, first])


def test_the_2750_reads_back_in_the_same_message() -> None:
    request = b":ROUT:OPEN:ALL;:ROUT:MULT:CLOS (@101,203);:ROUT:MULT:CLOS?;:SYST:ERR?"
    none = b'0,"No error"'
    with ScriptedTransport([(request, b"(@101,203);" + none)]) as transport:
        made("keithley2750", transport).close_exactly(["203", "101"])
    with ScriptedTransport([(request, b"(@101);" + none)]) as transport:
        with pytest.raises(InstrumentError, match=r"\[101\] are closed where \[101, 203\]"):
            made("keithley2750", transport).close_exactly(["203", "101"])
    nothing = [(b":ROUT:OPEN:ALL;:ROUT:MULT:CLOS?;:SYST:ERR?", b"(@);" + none)]
    with ScriptedTransport(nothing) as transport:
        made("keithley2750", transport).close_exactly([])
