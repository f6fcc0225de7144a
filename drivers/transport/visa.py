"""Messages over VISA: TCP sockets, VXI-11, HiSLIP, USBTMC, GPIB, by way of pyvisa.

The backend is pyvisa-py unless another library string is given (``""`` for the one pyvisa
finds, ``path@ivi`` for a vendor's). pyvisa is imported when the first session is opened.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import warnings
from collections.abc import Callable
from enum import Enum
from importlib.util import find_spec
from typing import Any, TypeAlias

from drivers.transport import failures
from drivers.transport.framing import read_reply
from drivers.transport.interface import Expect
from hil.errors import TransportError

__all__ = ["VisaTransport", "discover"]

CHUNK_BYTES = 64 * 1024
_QUIET_SECONDS = 0.1


class VisaTransport:
    r"""A pyvisa session; ``\n`` ends messages in both directions.

    Args:
        address: a VISA resource, such as ``TCPIP::192.168.0.5::5025::SOCKET``.
        library: pyvisa's library string.
        timeout_seconds: for opening, and for each reply unless the request says otherwise.

    Raises:
        TransportError: no such package, library, resource or permission.
    """

    def __init__(self, address: str, library: str = "@py", timeout_seconds: float = 5.0) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._resource: Any = _opened(address, library, timeout_seconds)
        self._set_timeout(timeout_seconds)
        self._resource.read_termination = "\n"
        self._resource.write_termination = ""
        _without_delay(self._resource, address)

    @property
    def address(self) -> str:
        """The VISA resource."""
        return self._address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """See :class:`~drivers.transport.interface.Transport`."""
        if self._resource is None:
            raise failures.closed(self._address, request)
        seconds = expect.timeout_seconds or self._timeout_seconds
        source = _VisaSource(_reader(self._resource))
        try:
            self._set_timeout(seconds)
            self._resource.write_raw(request + b"\n")
            return read_reply(source, expect, self._address, request, seconds)
        except TransportError:
            raise
        except Exception as error:  # pyvisa and its backends raise their own and OSError
            raise failures.lost(self._address, request, source.received, error) from error

    def clear(self) -> None:
        """Send a device clear, or empty the socket; costs 0.1 s on a socket."""
        if self._resource is not None:
            try:
                own = _own_socket(self._resource)
                if own is None:
                    self._resource.clear()
                else:
                    _empty(self._resource, own)
            except Exception as error:
                raise failures.lost(self._address, b"<device clear>", b"", error) from error

    def close(self) -> None:
        """Release the session, even if the instrument is gone."""
        resource, self._resource = self._resource, None
        if resource is not None:
            try:
                resource.close()
            except Exception as error:
                raise failures.lost(self._address, b"<close>", b"", error) from error

    def _set_timeout(self, seconds: float) -> None:
        milliseconds = max(1, round(seconds * 1000))
        if self._resource.timeout != milliseconds:
            self._resource.timeout = milliseconds


class _End(Enum):
    """Why a read of a VISA session came back."""

    COUNT = "count"  # as much as was asked for, or the terminator
    MESSAGE = "message"  # the instrument said that its message ends here
    TIME = "time"


_Read: TypeAlias = Callable[[int], tuple[bytes, _End]]


class _VisaSource:
    """The read side of a session; keeps what came before the time was up."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._late = False
        self._unterminated = False
        self.received = b""

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count and not self._late:
            taken += self._next(count - len(taken))
        return taken

    def take_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and not self._late:
            line += self._next(CHUNK_BYTES)
        return line

    def _next(self, count: int) -> bytes:
        """Some more bytes; a message that ends without a terminator gets one."""
        if self._unterminated:
            self._unterminated = False
            return b"\n"
        data, end = self._read(min(count, CHUNK_BYTES))
        self.received += data
        self._late = end is _End.TIME
        self._unterminated = end is _End.MESSAGE and not data.endswith(b"\n")
        return data


def _reader(resource: Any) -> _Read:
    """A function that reads up to a count of bytes.

    pyvisa drops the part of a reply that came before a time-out; the session of pyvisa-py, when
    asked itself, hands it over.
    """
    from pyvisa.constants import StatusCode
    from pyvisa.errors import VisaIOError

    session = getattr(resource.visalib, "sessions", {}).get(resource.session)
    ends = {StatusCode.success: _End.MESSAGE, StatusCode.error_timeout: _End.TIME}

    def read(count: int) -> tuple[bytes, _End]:
        try:
            if session is not None:
                data, status = session.read(count)
            else:
                data, status = resource.visalib.read(resource.session, count)
        except VisaIOError as error:
            if error.error_code != StatusCode.error_timeout:
                raise
            return b"", _End.TIME
        if status < 0 and status != StatusCode.error_timeout:
            raise VisaIOError(status)
        return bytes(data), ends.get(status, _End.COUNT)

    return read


def discover(library: str = "@py") -> list[str]:
    """VISA resources that make themselves known, but for serial ports; takes some seconds.

    Instruments on a bare TCP socket never do. Nothing is asked of any; those on the network are
    looked for by broadcasts. Interfaces that are not installed here are passed over.

    Args:
        library: pyvisa's library string.

    Raises:
        TransportError: no such package or library.
    """
    manager = _manager("VISA resources", library)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = manager.list_resources("?*::INSTR")
            gc.collect()  # pyvisa-py (0.8) leaves sockets to the collector, which warns of them
    except Exception as error:
        raise TransportError(
            f"the VISA library {library!r} cannot list its resources ({error}). Name another, or "
            "give addresses in the bench file without looking for them",
            library=library,
        ) from error
    return [address for address in found if not address.upper().startswith("ASRL")]


def _manager(address: str, library: str) -> Any:
    """A resource manager, with every reason for not getting one put in words."""
    try:
        import pyvisa
    except ImportError as error:
        raise failures.missing_package(address, "pyvisa", "pyvisa pyvisa-py") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # backends warn of interfaces not installed here
            return pyvisa.ResourceManager(library)
    except Exception as error:
        if library == "@py" and find_spec("pyvisa_py") is None:
            raise failures.missing_package(address, "pyvisa_py", "pyvisa-py") from error
        raise TransportError(
            f"{address}: pyvisa cannot load the VISA library {library!r} ({error}). Install it, "
            "or name another in the bench file; '@py' needs no vendor's library",
            address=address,
            library=library,
        ) from error


def _opened(address: str, library: str, timeout_seconds: float) -> Any:
    """A pyvisa resource, with every reason for not getting one put in words."""
    manager = _manager(address, library)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resource = manager.open_resource(
                address, open_timeout=max(1, round(timeout_seconds * 1000))
            )
        _check_connected(resource)
    except Exception as error:
        raise TransportError(
            f"{address} could not be opened ({error}). Check the address against the "
            "instrument's own menu, its power and cable, that no other program holds the "
            "session, and, for USB and GPIB, that you may use the device",
            address=address,
            library=library,
        ) from error
    return resource


def _own_socket(resource: Any) -> socket.socket | None:
    """The socket of a pyvisa-py socket session; None for every other session."""
    session = getattr(resource.visalib, "sessions", {}).get(resource.session)
    interface = getattr(session, "interface", None)
    return interface if isinstance(interface, socket.socket) else None


def _empty(resource: Any, own: socket.socket) -> None:
    """Forget what came until the socket is quiet for 0.1 s.

    pyvisa-py's (0.8) own clear never ends where the instrument has closed the connection.

    Raises:
        ConnectionError: it has.
    """
    session = resource.visalib.sessions[resource.session]
    getattr(session, "_pending_buffer", bytearray()).clear()
    while select.select([own], [], [], _QUIET_SECONDS)[0]:
        if not own.recv(CHUNK_BYTES):
            raise ConnectionError("the instrument has closed the connection")


def _check_connected(resource: Any) -> None:
    """Raise what connecting failed with: pyvisa-py (0.8) calls a refused connection a success."""
    own = _own_socket(resource)
    number = own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if own is not None else 0
    if number:
        resource.close()
        raise OSError(number, os.strerror(number))


def _without_delay(resource: Any, address: str) -> None:
    """Turn Nagle's algorithm off: with it a write followed by a query takes 44 ms on loopback.

    pyvisa-py (0.8) refuses the VISA attribute on sockets, hence the session's own socket.
    """
    if not address.upper().endswith("::SOCKET"):
        return
    own = _own_socket(resource)
    if own is not None:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        from pyvisa.constants import ResourceAttribute

        resource.set_visa_attribute(ResourceAttribute.tcpip_nodelay, True)
