"""Messages over a serial port, by way of pyserial (imported when a port is opened)."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from drivers.transport import failures
from drivers.transport.framing import read_reply
from drivers.transport.interface import Expect
from hil.errors import TransportError

__all__ = ["SerialTransport", "discover"]


class SerialTransport:
    r"""A serial port; ``\n`` ends messages in both directions.

    Args:
        address: a port such as ``/dev/ttyUSB0``, ``COM3`` or any pyserial URL.
        baud_rate: bits per second; a USB device ignores it.
        timeout_seconds: for each reply unless the request says otherwise.
        monotonic: clock that times the reply.

    Raises:
        TransportError: no such package, port or permission.
    """

    def __init__(
        self,
        address: str,
        baud_rate: int = 115200,
        timeout_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._monotonic = monotonic
        self._port: Any = _opened(address, baud_rate, timeout_seconds)

    @property
    def address(self) -> str:
        """The port."""
        return self._address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """See :class:`~drivers.transport.interface.Transport`."""
        if self._port is None:
            raise failures.closed(self._address, request)
        seconds = expect.timeout_seconds or self._timeout_seconds
        source = _SerialSource(self._port, self._monotonic, seconds)
        try:
            self._port.write(request + b"\n")
            return read_reply(source, expect, self._address, request, seconds)
        except TransportError:
            raise
        except Exception as error:  # SerialException, termios.error, OSError
            raise failures.lost(self._address, request, source.received, error) from error

    def clear(self) -> None:
        """Drop what was received and not read."""
        if self._port is not None:
            try:
                self._port.reset_input_buffer()
            except Exception as error:
                raise failures.lost(self._address, b"<clear>", b"", error) from error

    def close(self) -> None:
        """Close the port, even if it was unplugged."""
        port, self._port = self._port, None
        if port is not None:
            try:
                port.close()
            except Exception as error:
                raise failures.lost(self._address, b"<close>", b"", error) from error


class _SerialSource:
    """Reads what is there in one call; pyserial's own read_until costs 4 us a byte."""

    def __init__(self, port: Any, monotonic: Callable[[], float], seconds: float) -> None:
        self._port = port
        self._monotonic = monotonic
        self._end = monotonic() + seconds
        self._seconds = seconds
        self.received = b""

    def take(self, count: int) -> bytes:
        while len(self.received) < count and self._more(count - len(self.received)):
            pass
        return self._cut(count)

    def take_line(self) -> bytes:
        while b"\n" not in self.received and self._more(max(1, self._port.in_waiting)):
            pass
        end = self.received.find(b"\n")
        return self._cut(len(self.received) if end < 0 else end + 1)

    def _more(self, count: int) -> bool:
        """Wait for up to ``count`` bytes; False if the time is up."""
        left = self._end - self._monotonic()
        if left <= 0:
            return False
        if self._port.timeout != self._seconds:
            self._port.timeout = self._seconds
        data = self._port.read(count)
        self.received += data
        return bool(data)

    def _cut(self, count: int) -> bytes:
        taken, self.received = self.received[:count], self.received[count:]
        return taken


def discover() -> list[tuple[str, str]]:
    """Names and descriptions of the serial ports of this machine; none is opened.

    Raises:
        TransportError: no such package.
    """
    try:
        ports = import_module("serial.tools.list_ports")
    except ImportError as error:
        raise failures.missing_package("serial ports", "serial", "pyserial") from error
    return [
        (port.device, "" if port.description == "n/a" else port.description)
        for port in sorted(ports.comports(), key=lambda port: port.device)
    ]


def _opened(address: str, baud_rate: int, timeout_seconds: float) -> Any:
    """An open pyserial port, with every reason for not getting one put in words."""
    try:
        serial = import_module("serial")
    except ImportError as error:
        raise failures.missing_package(address, "serial", "pyserial") from error
    try:
        # Two hosts would read each other's replies.
        exclusive = {"exclusive": True} if os.name == "posix" else {}
        return serial.serial_for_url(
            address, baudrate=baud_rate, timeout=timeout_seconds, **exclusive
        )
    except Exception as error:  # whatever a URL's handler raises: re.error of hwgrep://( is one
        raise TransportError(
            f"{address} could not be opened ({error}). {_remedy(getattr(error, 'errno', None))}",
            address=address,
        ) from error


def _remedy(number: int | None) -> str:
    """What to do about an operating system's error number."""
    if number in (errno.EACCES, errno.EPERM):
        return "Your account may not use this port: join its group (dialout, uucp), log in again"
    if number in (errno.EBUSY, errno.EAGAIN):
        return "Another program holds the port: close it"
    return "Check the name of the port, the cable and the power"
