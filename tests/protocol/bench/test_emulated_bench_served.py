"""Instruments of one emulated bench on ports, and the card of isolated relays."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing

import pytest

from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import running
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.tsp.switch_cards import CARDS
from drivers.emulated.world import ResistorWorld
from drivers.transport.interface import Expect
from drivers.transport.serial import SerialTransport
from drivers.transport.visa import VisaTransport
from hil.errors import ConfigurationError
from tests.protocol.bench.emulated import bench_of
from tests.protocol.tsp.bench import ask, errors, say

PATIENCE_SECONDS = 60.0
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")


def query(transport: VisaTransport, text: str) -> str:
    return transport.exchange(text.encode(), Expect.LINE).decode()


def test_clients_of_different_instruments_meet_in_one_circuit() -> None:
    bench = bench_of("smu", emulation={"substrate": {"neurons": {"kind": "linear"}}})
    servers = bench.servers({"in1": None, "matrix": "127.0.0.1:0", "meter": None})
    assert bench.models == {
        "in1": "keithley2600b", "in2": "keithley2600b", "out1": "keithley2600b",
        "access": "keithley2600b", "matrix": "keithley3706a", "meter": "daq6510",
    }  # fmt: skip
    with running(*servers.values()):
        opened = {
            name: VisaTransport(server.address, timeout_seconds=PATIENCE_SECONDS)
            for name, server in servers.items()
        }
        with closing(opened["in1"]), closing(opened["matrix"]), closing(opened["meter"]):
            assert "2636B" in query(opened["in1"], "*IDN?")
            assert "3706A" in query(opened["matrix"], "*IDN?")
            before = float(query(opened["meter"], ":ROUT:CLOS (@101);:READ?"))
            on = "smua.source.levelv = 0.5 smua.source.output = 1 print(smua.source.output)"
            assert float(query(opened["in1"], on)) == 1.0
            # Row, column and output line to what they work with.
            closed = "channel.close('4001:4009') print(channel.getclose('allslots'))"
            assert query(opened["matrix"], closed).count(";") == 8
            after = float(query(opened["meter"], ":READ?"))
    assert before == 0.0
    assert 0.0 < after < 0.5
    assert bench.report().seconds > 0.0


@posix
def test_a_board_is_a_serial_port_and_falls_silent_with_its_host() -> None:
    bench = bench_of("board")
    (server,) = bench.servers({"board": None}).values()
    assert isinstance(server, PtyServer)
    with running(server):
        with closing(SerialTransport(server.address, timeout_seconds=PATIENCE_SECONDS)) as host:
            reply = host.exchange(b":DEAD 50;:ARM;:STAT?", Expect.LINE)
            assert reply.startswith(b"1,")
        # Nobody talks to it any more, and it notices by the time outside.
        end = time.monotonic() + PATIENCE_SECONDS
        while (board := bench.report().board) is not None and board.armed:
            assert time.monotonic() < end
    assert bench.report().events[-1].names[0] == "disarmed"


def test_addresses_are_checked_and_released() -> None:
    bench = bench_of("smu")
    with pytest.raises(ConfigurationError, match="no instrument 'smu'"):
        bench.servers({"smu": None})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConfigurationError, match="give HOST:PORT, or pty"):
        bench.servers({"in1": f"127.0.0.1:{port}", "in2": "5025"})
    # What was opened before the refusal is free again.
    (server,) = bench.servers({"in1": f"127.0.0.1:{port}"}).values()
    assert isinstance(server, TcpServer)
    with running(server):
        pass


@pytest.fixture
def mainframe() -> tuple[EmulatedKeithley3706A, list[frozenset[str]]]:
    """A 3706A with one card of isolated relays, and what it closed."""
    moved: list[frozenset[str]] = []
    cards = {2: CARDS["3730"], 4: CARDS["3740"]}
    return EmulatedKeithley3706A(ResistorWorld(), cards, on_change=moved.append), moved


def test_isolated_relays_have_names_of_three_digits(
    mainframe: tuple[EmulatedKeithley3706A, list[frozenset[str]]],
) -> None:
    frame, moved = mainframe
    say(frame, "channel.close('4001,4032,2116')")
    assert ask(frame, "channel.getclose('allslots')") == ["2116;4001;4032"]
    assert moved[-1] == {"2116", "4001", "4032"}
    say(frame, "channel.close('4033')")
    assert [code for code, _ in errors(frame)] == [1115]
    assert moved[-1] == {"2116", "4001", "4032"}
    say(frame, "channel.open('slot4')")
    assert frame.closed == {"2116"}


def test_the_card_says_what_it_is(
    mainframe: tuple[EmulatedKeithley3706A, list[frozenset[str]]],
) -> None:
    frame, _ = mainframe
    assert ask(frame, "slot[4].idn")[0].startswith("3740,32-Channel Isolated Switch,")
    assert ask(frame, "slot[4].isolated, slot[4].matrix, slot[4].multiplexer") == [
        ask(frame, "1")[0], "nil", "nil",
    ]  # fmt: skip
    assert ask(frame, "slot[4].endchannel.isolated") == ask(frame, "32")
    assert ask(frame, "slot[2].matrix") == ask(frame, "1")
