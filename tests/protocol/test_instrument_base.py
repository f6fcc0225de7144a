"""What all drivers share, by its exact dialogue."""

from __future__ import annotations

import pytest

from drivers.instruments.base import drain_errors, identify
from drivers.instruments.scpi import Setting, apply
from drivers.transport.scripted import ScriptedTransport
from hil.errors import InstrumentError, ProtocolError, TransportTimeoutError

NONE = b'0,"No error"'
FAULT = b'-222,"Parameter data out of range"'


def test_the_queue_is_drained_in_order() -> None:
    replies = [FAULT, b'+803,"Not permitted with OUTPUT off"', NONE]
    with ScriptedTransport([(b":SYST:ERR?", reply) for reply in replies]) as transport:
        assert drain_errors(transport) == [
            (-222, "Parameter data out of range"),
            (803, "Not permitted with OUTPUT off"),
        ]


def test_a_queue_that_never_empties_is_left_after_32() -> None:
    with ScriptedTransport([(b":SYST:ERR?", FAULT)] * 32) as transport:
        assert len(drain_errors(transport)) == 32


@pytest.mark.parametrize("reply", [b"hello", b"a,b,c", b"\xff,b,c,d"])
def test_an_identity_has_four_fields_of_text(reply: bytes) -> None:
    with ScriptedTransport([(b"*IDN?", reply)]) as transport:
        with pytest.raises(ProtocolError, match="was expected"):
            identify(transport, ".*")


def test_an_error_in_the_reply_empties_the_queue() -> None:
    dialogue = [(b"A 1;A?;:SYST:ERR?", b"1;" + FAULT), (b":SYST:ERR?", NONE)]
    with ScriptedTransport(dialogue) as transport:
        with pytest.raises(InstrumentError, match="while testing: -222") as caught:
            apply(transport, "testing", [Setting("A", 1.0)])
    assert caught.value.evidence["faults"] == [(-222, "Parameter data out of range")]


def test_no_reply_and_an_error_in_the_queue_is_the_instruments_error() -> None:
    dialogue = [
        (b"A 1;A?;:SYST:ERR?", None),
        (b":SYST:ERR?", b'-113,"Undefined header"'),
        (b":SYST:ERR?", NONE),
    ]
    with ScriptedTransport(dialogue) as transport:
        with pytest.raises(InstrumentError, match="-113 Undefined header"):
            apply(transport, "testing", [Setting("A", 1.0)])


def test_no_reply_and_no_error_stays_a_timeout() -> None:
    dialogue = [(b"A 1;A?;:SYST:ERR?", None), (b":SYST:ERR?", NONE)]
    with ScriptedTransport(dialogue) as transport:
        with pytest.raises(TransportTimeoutError):
            apply(transport, "testing", [Setting("A", 1.0)])


@pytest.mark.parametrize("reply", [b"1", b"one;" + NONE, b"1,2;" + NONE, b"1;what"])
def test_replies_of_another_shape(reply: bytes) -> None:
    with ScriptedTransport([(b"A 1;A?;:SYST:ERR?", reply)]) as transport:
        with pytest.raises(ProtocolError):
            apply(transport, "testing", [Setting("A", 1.0)])
