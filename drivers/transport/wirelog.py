"""Every message of a run, as JSON lines: for a lab book, and for the day something went wrong."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from drivers.transport.interface import Expect, Framing, Transport
from hil.errors import TransportError

__all__ = ["LoggedTransport", "WireLog"]


class WireLog:
    """An append-only file of messages, shared by all transports of a bench.

    A line is an object with ``seconds`` (of the clock), ``name`` of the instrument if it was
    given, ``address``, ``direction`` (``>`` sent,
    ``<`` received, ``!`` failed) and ``text``, or ``base64`` where the bytes are not printable
    ASCII. Every line is flushed: what was sent before a crash is on record.

    Args:
        path: the file; appended to.
        clock: the time written beside each message.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._file: TextIO = path.open("a", encoding="ascii")
        self._clock = clock
        self._lock = threading.Lock()
        self.failure: OSError | None = None
        """Why the log ends early, such as a full disk."""

    def write(self, address: str, direction: str, message: bytes, name: str = "") -> None:
        """Append one message; after :meth:`close` or a failure, nothing.

        Never raises for what the disk does: the way to safety leads through here as well.
        """
        entry: dict[str, object] = {
            "seconds": self._clock(),
            **({"name": name} if name else {}),
            "address": address,
            "direction": direction,
        }
        entry.update(_spelled(message))
        with self._lock:
            if self.failure is not None or self._file.closed:
                return
            try:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()
            except OSError as error:
                self.failure = error

    def close(self) -> None:
        """Close the file; may be called again, and never raises: see :attr:`failure`."""
        with self._lock:
            try:
                self._file.close()
            except OSError as error:
                self.failure = self.failure or error


class LoggedTransport:
    """A transport that writes every message of another one to a wire log.

    Args:
        inner: the other one.
        log: where messages go.
        name: of the instrument.
    """

    def __init__(self, inner: Transport, log: WireLog, name: str = "") -> None:
        self._inner = inner
        self._log = log
        self._name = name

    @property
    def address(self) -> str:
        """The address of the transport inside."""
        return self._inner.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """Log the request before it goes out, then the reply or the failure."""
        self._log.write(self.address, ">", request, self._name)
        try:
            reply = self._inner.exchange(request, expect)
        except TransportError as error:
            self._log.write(self.address, "!", error.message.encode("ascii", "replace"), self._name)
            raise
        if expect.framing is not Framing.NOTHING:
            self._log.write(self.address, "<", reply, self._name)
        return reply

    def clear(self) -> None:
        """Clear the transport inside."""
        self._inner.clear()

    def close(self) -> None:
        """Close the transport inside; the log stays open for the others."""
        self._inner.close()


def _spelled(message: bytes) -> dict[str, str]:
    """Printable ASCII as text, anything else as base64."""
    if all(32 <= byte < 127 or byte in (9, 10, 13) for byte in message):
        return {"text": message.decode("ascii")}
    return {"base64": base64.b64encode(message).decode("ascii")}
