"""The scripted transport's strictness and the wire log's lines."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from drivers.transport.interface import Expect
from drivers.transport.scripted import ScriptedTransport
from drivers.transport.wirelog import LoggedTransport, WireLog
from hil.errors import TransportError, TransportTimeoutError


def test_the_script_must_be_followed_to_its_end() -> None:
    with pytest.raises(AssertionError, match="never sent"):
        with ScriptedTransport([(b"a", None), (b"b", None)]) as transport:
            transport.exchange(b"a", Expect.NOTHING)


def test_another_message_is_shown_beside_the_one_wanted() -> None:
    transport = ScriptedTransport([(b"*IDN?", b"x")])
    with pytest.raises(AssertionError, match=r"message 0 is b'IDN', the script: b'\*IDN"):
        transport.exchange(b"IDN", Expect.LINE)


def test_a_message_after_the_end_and_an_unread_reply_are_failures() -> None:
    with ScriptedTransport([(b"a?", b"1")]) as transport:
        with pytest.raises(AssertionError, match="nobody reads"):
            ScriptedTransport([(b"a?", b"1")]).exchange(b"a?", Expect.NOTHING)
        assert transport.exchange(b"a?", Expect.LINE) == b"1"
        with pytest.raises(AssertionError, match="dialogue had ended"):
            transport.exchange(b"a?", Expect.LINE)


def test_the_script_can_be_silent_or_fail() -> None:
    lost = TransportError("gone")
    with ScriptedTransport([(b"a?", None), (b"b?", lost)]) as transport:
        with pytest.raises(TransportTimeoutError):
            transport.exchange(b"a?", Expect.LINE)
        with pytest.raises(TransportError, match="gone"):
            transport.exchange(b"b?", Expect.LINE)
        transport.close()
        with pytest.raises(AssertionError, match="closed"):
            transport.exchange(b"a?", Expect.LINE)


def test_every_message_is_on_record(tmp_path: Path) -> None:
    ticks = itertools.count(10.0)
    log = WireLog(tmp_path / "wire.jsonl", lambda: next(ticks))
    dialogue = [(b"a", None), (b"b?", b"1"), (b"c?", b"\x00\xff"), (b"d?", None)]
    with ScriptedTransport(dialogue, address="dmm") as inner:
        transport = LoggedTransport(inner, log)
        transport.exchange(b"a", Expect.NOTHING)
        transport.exchange(b"b?", Expect.LINE)
        transport.exchange(b"c?", Expect.block(2))
        with pytest.raises(TransportTimeoutError):
            transport.exchange(b"d?", Expect.LINE)
        transport.clear()
        transport.close()
    log.close()
    log.close()
    log.write("dmm", ">", b"a safe path after the end fails nowhere")
    lines = (tmp_path / "wire.jsonl").read_text("ascii").splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["seconds"] for entry in entries] == [10.0 + i for i in range(7)]
    assert {entry["address"] for entry in entries} == {"dmm"}
    shown = [(entry["direction"], entry.get("text", entry.get("base64"))) for entry in entries]
    assert shown[:6] == [
        (">", "a"),
        (">", "b?"),
        ("<", "1"),
        (">", "c?"),
        ("<", "AP8="),
        (">", "d?"),
    ]
    assert shown[6][0] == "!"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_cannot_be_written_stops_no_message(tmp_path: Path) -> None:
    """The way to safety leads through the log as well."""
    log = WireLog(tmp_path / "wire.jsonl", lambda: 0.0)
    script = ScriptedTransport([(b"first", b"1"), (b"second", b"2")])
    transport = LoggedTransport(script, log)
    assert transport.exchange(b"first", Expect.LINE) == b"1"
    log._file.close()
    log._file = open("/dev/full", "a", encoding="ascii")
    assert transport.exchange(b"second", Expect.LINE) == b"2"
    assert isinstance(log.failure, OSError)
    log.close()
    assert len((tmp_path / "wire.jsonl").read_text().splitlines()) == 2
