"""Servers: clients one after another, state kept, an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import running
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.world import ResistorWorld
from drivers.transport.interface import Expect
from drivers.transport.serial import SerialTransport
from drivers.transport.visa import VisaTransport
from hil.errors import ConfigurationError

PROGRAM = """
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.serving.running import serve_until_signal
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.world import ResistorWorld
server = TcpServer(EmulatedKeithley2400(ResistorWorld()))
serve_until_signal([server], lambda: print(server.port, flush=True))
print("ended", flush=True)
"""


def instrument() -> EmulatedKeithley2400:
    return EmulatedKeithley2400(ResistorWorld(1e4))


def test_the_state_outlives_a_client_and_half_a_message_does_not() -> None:
    server = TcpServer(instrument())
    with running(server):
        first = VisaTransport(server.address)
        assert first.exchange(b":SOUR:VOLT 2;*OPC?", Expect.LINE) == b"1"
        first._resource.write_raw(b":SOUR:VOL")
        first.close()
        second = VisaTransport(server.address)
        assert second.exchange(b":SOUR:VOLT?;:SYST:ERR?", Expect.LINE) == (
            b'2.000000E+00;0,"No error"'
        )
        second.close()


def test_a_second_client_waits_for_the_first_to_leave() -> None:
    server = TcpServer(instrument())
    with running(server):
        first = socket.create_connection((server.host, server.port))
        second = socket.create_connection((server.host, server.port))
        second.sendall(b":SOUR:VOLT?\n")
        first.sendall(b":SOUR:VOLT 3;VOLT?\n")
        assert first.recv(100) == b"3.000000E+00\n"
        first.close()
        assert second.recv(100) == b"3.000000E+00\n"
        second.close()


def test_a_port_in_use_is_a_configuration_error() -> None:
    server = TcpServer(instrument())
    with running(server), pytest.raises(ConfigurationError, match="choose another port"):
        TcpServer(instrument(), port=server.port)


def test_stopping_does_not_wait_for_a_client_that_never_reads() -> None:
    server = TcpServer(instrument())
    with running(server):
        client = socket.create_connection((server.host, server.port))
        client.sendall(b"*IDN?\n" * 100)
        assert client.recv(1)
    client.close()


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")
def test_a_pseudo_terminal_serves_one_client_after_another() -> None:
    server = PtyServer(instrument())
    with running(server):
        for volts in (b"1.000000E+00", b"2.000000E+00"):
            port = SerialTransport(server.address)
            assert port.exchange(b":SOUR:VOLT " + volts + b";VOLT?", Expect.LINE) == volts
            port.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is a POSIX thing")
def test_sigterm_ends_a_server_in_order() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"*IDN?\n")
            assert client.recv(100).startswith(b"KEITHLEY")
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read() == "ended\n"
        assert process.wait() == 0
