"""An emulated instrument on a TCP port, as ``TCPIP::host::port::SOCKET``."""

from __future__ import annotations

import contextlib
import socket
import threading

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.serving.interface import Wake, polling
from hil.errors import ConfigurationError

__all__ = ["TcpServer"]

CHUNK_BYTES = 64 * 1024
WAITING_CLIENTS = 8


class TcpServer:
    """Serves one client after another; a second one waits until the first has gone.

    Args:
        instrument: what answers.
        host: the interface to listen on. Anyone who reaches it can drive the instrument, hence
            the loopback interface unless another is named.
        port: 0 for one that is free.
        lock: held while the instrument works; instruments of one world share it.

    Raises:
        ConfigurationError: the port cannot be had.
    """

    def __init__(
        self,
        instrument: EmulatedInstrument,
        host: str = "127.0.0.1",
        port: int = 0,
        lock: threading.Lock | None = None,
    ) -> None:
        self._instrument = instrument
        self._lock = lock or threading.Lock()
        try:
            self._listener = socket.create_server((host, port), backlog=WAITING_CLIENTS)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error}): choose another port, 0 for a free one",
                host=host,
                port=port,
            ) from error
        self.host: str = host
        self.port: int = self._listener.getsockname()[1]
        self._wake = Wake(polling(instrument, self._lock))

    @property
    def address(self) -> str:
        """The VISA resource."""
        return f"TCPIP::{self.host}::{self.port}::SOCKET"

    def serve(self) -> None:
        """Serve until :meth:`stop`."""
        with self._listener:
            while self._wake.wait_for(self._listener.fileno()):
                client, _ = self._listener.accept()
                with client, contextlib.suppress(ConnectionError):
                    self._converse(client)
        self._wake.close()

    def stop(self) -> None:
        """End :meth:`serve`, even while a reply is under way to a client that does not read."""
        self._wake.stop()

    def _converse(self, client: socket.socket) -> None:
        """One client, until it hangs up."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._instrument.reset_session()
        client.setblocking(False)
        while self._wake.wait_for(client.fileno()):
            data = client.recv(CHUNK_BYTES)
            _acknowledge(client)
            if not data:
                return
            with self._lock:
                reply = self._instrument.receive(data)
            self._send(client, reply)

    def _send(self, client: socket.socket, reply: bytes) -> None:
        while reply:
            # Nearly always there is room; asking first would cost every reply a system call.
            with contextlib.suppress(BlockingIOError):
                reply = reply[client.send(reply) :]
            if reply and not self._wake.wait_to_write(client.fileno()):
                return


def _acknowledge(client: socket.socket) -> None:
    """Acknowledge at once where the system can be told to (Linux forgets after each segment).

    A client with Nagle's algorithm on, as pyvisa-py's, holds a query back until the write before
    it is acknowledged, which a system otherwise delays by 40 ms.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
