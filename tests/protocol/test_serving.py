"""Servers: clients one after another, state kept, an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.serving.interface import polling
from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import running
from drivers.emulated.serving.tcp import TcpServer
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_toy import ToyHardware
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


PATIENCE_SECONDS = 60.0
"""For what must happen; nothing waits that long but a test that fails."""

posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")
on_tcp_and_pty = pytest.mark.parametrize("serve", [TcpServer, pytest.param(PtyServer, marks=posix)])


class Clockwork:
    """Has something to do of its own accord; answers with as many bytes as it is asked for."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._wanted = 0
        self._enough = threading.Event()
        self.received = threading.Event()
        self.was_locked: list[bool] = []

    def receive(self, data: bytes) -> bytes:
        self.received.set()
        return b"x" * int(data)

    def reset_session(self) -> None:
        pass

    def poll(self) -> None:
        self.was_locked.append(self._lock.locked())
        if len(self.was_locked) >= self._wanted:
            self._enough.set()

    def polled(self, times: int) -> bool:
        """Whether it is polled so often again."""
        with self._lock:
            self._enough.clear()
            self._wanted = len(self.was_locked) + times
        return self._enough.wait(PATIENCE_SECONDS)


class WatchedBoard(ShBoard):
    """Tells when it has gone to the safe state without being told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.gone_safe = threading.Event()
        super().__init__(ToyHardware(), now=lambda: self.seconds)

    def poll(self) -> None:
        was_armed = self.state.armed
        super().poll()
        if was_armed and not self.state.armed:
            self.gone_safe.set()


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


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


@posix
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


@on_tcp_and_pty
def test_an_instrument_that_polls_is_polled_under_the_lock(
    serve: type[TcpServer] | type[PtyServer],
) -> None:
    lock = threading.Lock()
    clockwork = Clockwork(lock)
    with running(serve(clockwork, lock=lock)):
        assert clockwork.polled(3)
    assert all(clockwork.was_locked)


def test_polling_goes_on_before_during_and_after_a_client() -> None:
    lock = threading.Lock()
    clockwork = Clockwork(lock)
    server = TcpServer(clockwork, lock=lock)
    with running(server):
        assert clockwork.polled(2)
        with socket.create_connection((server.host, server.port)) as client:
            client.sendall(b"1")
            assert client.recv(100) == b"x"
            assert clockwork.polled(2)
        assert clockwork.polled(2)


def test_polling_goes_on_while_a_client_does_not_take_its_reply(cleanup: ExitStack) -> None:
    lock = threading.Lock()
    clockwork = Clockwork(lock)
    server = TcpServer(clockwork, lock=lock)
    cleanup.enter_context(running(server))
    client = cleanup.enter_context(socket.create_connection((server.host, server.port)))
    client.sendall(b"50000000")
    assert clockwork.received.wait(PATIENCE_SECONDS)
    assert clockwork.polled(3)
    n_bytes = 0
    while n_bytes < 50_000_000:
        n_bytes += len(client.recv(1 << 20))
    client.sendall(b"1")
    assert client.recv(100) == b"x"


@posix
def test_polling_goes_on_while_nobody_reads_a_pseudo_terminal(cleanup: ExitStack) -> None:
    lock = threading.Lock()
    clockwork = Clockwork(lock)
    server = PtyServer(clockwork, lock=lock)
    cleanup.enter_context(running(server))
    port = cleanup.enter_context(closing(SerialTransport(server.address)))
    port.exchange(b"1000000", Expect.NOTHING)
    assert clockwork.received.wait(PATIENCE_SECONDS)
    assert clockwork.polled(3)


def test_an_instrument_without_a_poll_is_left_alone() -> None:
    plain: EmulatedInstrument = instrument()
    assert polling(plain, threading.Lock()) is None


@on_tcp_and_pty
def test_an_armed_board_goes_safe_by_itself_once_its_host_is_silent(
    serve: type[TcpServer] | type[PtyServer], cleanup: ExitStack
) -> None:
    board = WatchedBoard()
    server = serve(board)
    cleanup.enter_context(running(server))
    transport = SerialTransport if serve is PtyServer else VisaTransport
    session = cleanup.enter_context(closing(transport(server.address)))
    assert session.exchange(b":ARM;:ARM?", Expect.LINE) == b"1"
    board.seconds = 1.999
    assert not board.gone_safe.is_set()
    assert session.exchange(b":STAT?", Expect.LINE) == b"1,0,0,1"
    board.seconds = 3.999
    assert board.gone_safe.wait(PATIENCE_SECONDS)
    assert session.exchange(b":STAT?;:SYST:ERR?", Expect.LINE) == b'0,5,0,1;103,"Dead-man expired"'
