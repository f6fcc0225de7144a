"""Every transport against one instrument that answers well, badly, partly and not at all."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import serial

from drivers.emulated.serving.pty import PtyServer
from drivers.emulated.serving.running import running
from drivers.transport.framing import read_reply
from drivers.transport.interface import Expect, Transport
from drivers.transport.memory import MemoryTransport
from drivers.transport.serial import SerialTransport
from drivers.transport.visa import VisaTransport, _End, _VisaSource
from hil.errors import ProtocolError, TransportError, TransportTimeoutError
from tests.protocol.served import served

BLOCK = b"\x00\n#1\xff"
LONG = b"7" * 100_000
REPLIES = {
    b"line?": b"hello\n",
    b"carriage?": b"hello\r\n",
    b"long?": LONG + b"\n",
    b"block?": b"#15" + BLOCK + b"\n",
    b"sized?": b"#0" + BLOCK + b"\n",
    b"none?": b"",
    b"part?": b"hel",
    b"part of a block?": b"#15ab",
    b"unterminated block?": b"#15abcdeX",
}


class Canned:
    """Answers from a table, once a request is complete."""

    def __init__(self) -> None:
        self.half = b""
        self.told: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        *requests, self.half = (self.half + data).split(b"\n")
        self.told += requests
        return b"".join(REPLIES.get(request, b"") for request in requests)

    def reset_session(self) -> None:
        self.half = b""


Opener = Callable[[Canned], AbstractContextManager[Transport]]


@contextmanager
def in_memory(instrument: Canned) -> Iterator[Transport]:
    yield MemoryTransport(instrument)


@contextmanager
def over_visa(instrument: Canned) -> Iterator[Transport]:
    with served(instrument) as address:
        transport = VisaTransport(address, timeout_seconds=2.0)
        yield transport
        transport.close()


@contextmanager
def over_serial(instrument: Canned) -> Iterator[Transport]:
    server = PtyServer(instrument)
    with running(server):
        transport = SerialTransport(server.address, timeout_seconds=2.0)
        yield transport
        transport.close()


@pytest.fixture(params=[in_memory, over_visa, over_serial], ids=["memory", "visa", "serial"])
def opener(request: pytest.FixtureRequest) -> Opener:
    opener: Opener = request.param
    return opener


@pytest.fixture
def transport(opener: Opener) -> Iterator[Transport]:
    with opener(Canned()) as opened:
        yield opened


SOON = Expect.LINE.within(0.05)


@pytest.mark.parametrize(
    ("request_", "expect", "reply"),
    [
        (b"line?", Expect.LINE, b"hello"),
        (b"carriage?", Expect.LINE, b"hello"),
        (b"long?", Expect.LINE, LONG),
        (b"block?", Expect.BLOCK, BLOCK),
        (b"sized?", Expect.block(5), BLOCK),
        (b"tell", Expect.NOTHING, b""),
    ],
)
def test_replies_come_without_their_frame(
    transport: Transport, request_: bytes, expect: Expect, reply: bytes
) -> None:
    assert transport.exchange(request_, expect) == reply
    assert transport.exchange(b"line?", Expect.LINE) == b"hello"  # nothing was left over


@pytest.mark.parametrize(
    ("request_", "expect", "received"),
    [
        (b"none?", SOON, b""),
        (b"part?", SOON, b"hel"),
        (b"part of a block?", Expect.BLOCK.within(0.05), b"#15ab"),
    ],
)
def test_a_late_reply_is_a_typed_error_with_its_evidence(
    transport: Transport, request_: bytes, expect: Expect, received: bytes
) -> None:
    with pytest.raises(TransportTimeoutError, match="busy") as caught:
        transport.exchange(request_, expect)
    assert caught.value.evidence == {
        "address": transport.address,
        "sent": request_,
        "received": received,
    }
    transport.clear()
    assert transport.exchange(b"line?", Expect.LINE) == b"hello"


@pytest.mark.parametrize(
    ("request_", "expect", "problem"),
    [
        (b"line?", Expect.BLOCK, "is not a definite-length block"),
        (b"line?", Expect.block(3), "is not a '#0' block"),
        (b"unterminated block?", Expect.BLOCK, "does not end after its 5 bytes"),
        (b"sized?", Expect.BLOCK, "is not a definite-length block"),
    ],
)
def test_a_reply_of_another_shape_is_a_protocol_error(
    transport: Transport, request_: bytes, expect: Expect, problem: str
) -> None:
    with pytest.raises(ProtocolError, match=problem) as caught:
        transport.exchange(request_, expect)
    assert caught.value.evidence["sent"] == request_
    transport.clear()
    assert transport.exchange(b"line?", Expect.LINE) == b"hello"


def test_closing_twice_is_fine_and_nothing_is_sent_afterwards(opener: Opener) -> None:
    instrument = Canned()
    with opener(instrument) as transport:
        assert transport.exchange(b"line?", Expect.LINE) == b"hello"
        transport.close()
        transport.close()
        with pytest.raises(TransportError, match="closed"):
            transport.exchange(b"tell", Expect.NOTHING)
    assert instrument.told == [b"line?"]


def test_socket_sessions_have_nagles_algorithm_off() -> None:
    with served(Canned()) as address:
        transport = VisaTransport(address)
        session = transport._resource.visalib.sessions[transport._resource.session]
        assert session.interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        transport.close()


@pytest.mark.parametrize(
    ("reads", "expect", "reply"),
    [
        ([(b"hel", _End.COUNT), (b"lo", _End.MESSAGE)], Expect.LINE, b"hello"),
        ([(b"hello\n", _End.MESSAGE)], Expect.LINE, b"hello"),
        ([(b"#1", _End.COUNT), (b"3", _End.COUNT), (b"abc", _End.MESSAGE)], Expect.BLOCK, b"abc"),
    ],
)
def test_the_end_of_a_message_stands_for_a_terminator(
    reads: list[tuple[bytes, _End]], expect: Expect, reply: bytes
) -> None:
    """USBTMC, VXI-11 and GPIB tell where a message ends; some instruments send nothing else."""
    coming = iter(reads)
    source = _VisaSource(lambda count: next(coming))
    assert read_reply(source, expect, "usb", b"?", 1.0) == reply


def test_a_lost_connection_is_a_transport_error() -> None:
    with served(Canned()) as address:
        transport = VisaTransport(address, timeout_seconds=0.2)
        assert transport.exchange(b"line?", Expect.LINE) == b"hello"
    with pytest.raises(TransportError) as caught:  # the server has gone
        transport.exchange(b"line?", Expect.LINE)
    assert caught.value.evidence["address"] == address
    transport.close()


@pytest.mark.parametrize(
    ("open_it", "remedy"),
    [
        (lambda: VisaTransport("TCPIP::127.0.0.1::1::SOCKET"), "Check the address"),
        (lambda: VisaTransport("nonsense"), "Check the address"),
        (lambda: VisaTransport("TCPIP::127.0.0.1::1::SOCKET", "/no/such@ivi"), "VISA library"),
        (lambda: SerialTransport("/dev/no such port"), "Check the name of the port"),
        (lambda: SerialTransport("hwgrep://("), "Check the name of the port"),
    ],
)
def test_what_cannot_be_opened_is_one_message_with_a_remedy(
    open_it: Callable[[], Transport], remedy: str
) -> None:
    with pytest.raises(TransportError, match=remedy):
        open_it()


@pytest.mark.parametrize(
    ("module", "open_it", "remedy"),
    [
        ("pyvisa", lambda: VisaTransport("TCPIP::h::1::SOCKET"), "pip install pyvisa pyvisa-py"),
        ("serial", lambda: SerialTransport("/dev/ttyS0"), "pip install pyserial"),
    ],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, open_it: Callable[[], object], remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TransportError, match=remedy):
        open_it()


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EACCES, "join its group"), (errno.EBUSY, "close it")]
)
def test_a_port_that_may_not_be_used_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(TransportError, match=remedy):
        SerialTransport("/dev/ttyUSB0")


def test_a_connection_that_the_instrument_closed_can_be_told_apart_from_silence() -> None:
    """Forgetting late replies must not wait for ever on a socket at its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        transport = VisaTransport(f"TCPIP::127.0.0.1::{port}::SOCKET")
        instrument, _ = listener.accept()
        instrument.sendall(b"late\n")
        transport.clear()
        instrument.sendall(b"in time\n")
        assert transport.exchange(b"?", Expect.LINE) == b"in time"
        instrument.close()
        with pytest.raises(TransportError, match="the connection failed at '<device clear>'"):
            transport.clear()
        transport.close()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_serial_port_has_one_host_at_a_time() -> None:
    server = PtyServer(Canned())
    with running(server):
        first = SerialTransport(server.address)
        with pytest.raises(TransportError, match="Another program holds the port: close it"):
            SerialTransport(server.address)
        first.close()
        SerialTransport(server.address).close()
