"""An emulated instrument on a pseudo-terminal, which clients open as a serial port (POSIX)."""

from __future__ import annotations

import os
import threading
import tty

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.serving.interface import Wake, polling

__all__ = ["PtyServer"]

CHUNK_BYTES = 64 * 1024


class PtyServer:
    """Serves whoever opens the port; as on a real one, nobody hears of a client that leaves.

    Args:
        instrument: what answers.
        lock: held while the instrument works; instruments of one world share it.
    """

    def __init__(self, instrument: EmulatedInstrument, lock: threading.Lock | None = None) -> None:
        self._instrument = instrument
        self._lock = lock or threading.Lock()
        # The client's end stays open here too: without it, reading fails between two clients.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        self._wake = Wake(polling(instrument, self._lock))

    @property
    def address(self) -> str:
        """Name of the port."""
        return self._name

    def serve(self) -> None:
        """Serve until :meth:`stop`."""
        try:
            while self._wake.wait_for(self._master):
                data = os.read(self._master, CHUNK_BYTES)
                with self._lock:
                    reply = self._instrument.receive(data)
                self._send(reply)
        finally:
            os.close(self._master)
            os.close(self._slave)
            self._wake.close()

    def stop(self) -> None:
        """End :meth:`serve`, even while a reply waits for a client that does not read."""
        self._wake.stop()

    def _send(self, reply: bytes) -> None:
        while reply and self._wake.wait_to_write(self._master):
            reply = reply[os.write(self._master, reply) :]
