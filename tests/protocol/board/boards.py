"""The two boards that the protocol tests drive: emulated, and the firmware on a pseudo-terminal."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Protocol

import pytest

from drivers.board.blocks import definite
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_toy import ToyHardware
from drivers.transport.interface import Transport
from drivers.transport.memory import MemoryTransport
from drivers.transport.serial import SerialTransport

FIRMWARE = Path(__file__).parents[3] / "drivers" / "firmware"
PATIENCE_SECONDS = 20.0


class AnyBoard(Protocol):
    """A board, its clock and its interlock."""

    transport: Transport

    def raw(self, data: bytes) -> bytes:
        """Send bytes; what came back once the board has dealt with them."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def set_interlock(self, closed: bool) -> None: ...

    def close(self) -> None: ...


class EmulatedBoard:
    """In process."""

    def __init__(self, opens_after: int | None = None) -> None:
        self.seconds = 0.0
        self.hardware = ToyHardware(opens_after=opens_after)
        self.board = ShBoard(self.hardware, lambda: self.seconds)
        self.transport: Transport = MemoryTransport(self.board)

    def raw(self, data: bytes) -> bytes:
        return self.board.receive(data)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def set_interlock(self, closed: bool) -> None:
        self.hardware.interlock = closed

    def close(self) -> None:
        pass


class FirmwareBoard:
    """The C core in a process of its own; its clock is a file."""

    def __init__(self, program: Path, folder: Path, opens_after: int | None = None) -> None:
        self._clock = os.open(folder / "clock", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._ms = 0
        self._to_board = 0
        self._put(0, 0)
        words = [str(program), "--pty", "--clock", str(folder / "clock")]
        if opens_after is not None:
            words += ["--opens-after", str(opens_after)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        address = self._process.stdout.readline().decode().strip()
        self._serial = SerialTransport(address, timeout_seconds=5.0)
        self._port = self._serial._port
        self._write = self._port.write
        self._port.write = self._counted_write
        self.transport: Transport = self._serial

    def raw(self, data: bytes) -> bytes:
        self._finish()
        before = self._count(8)
        self._port.write(data)
        received = self._finish()
        return received + self._port.read(self._count(8) - before - len(received))

    def advance(self, seconds: float) -> None:
        self._finish()
        self._ms += round(seconds * 1000)
        self._put(0, self._ms)

    def set_interlock(self, closed: bool) -> None:
        self._finish()
        self._put(4, 0 if closed else 1)

    def _counted_write(self, data: bytes) -> int:
        self._to_board += len(data)
        written: int = self._write(data)
        return written

    def _finish(self) -> bytes:
        """Wait until the board has dealt with all bytes; what it sent meanwhile."""
        end = time.monotonic() + PATIENCE_SECONDS
        received = b""
        while self._count(12) != self._to_board:
            assert time.monotonic() < end, "the firmware does not go on"
            received += self._port.read(self._port.in_waiting)
        return received

    def close(self) -> None:
        self._serial.close()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=PATIENCE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        os.close(self._clock)
        assert code == 0

    def _put(self, offset: int, value: int) -> None:
        os.pwrite(self._clock, struct.pack("<I", value), offset)

    def _count(self, offset: int) -> int:
        """Bytes the board has sent (8) or dealt with (12)."""
        return int.from_bytes(os.pread(self._clock, 4, offset), "little")


def build_firmware(folder: Path, *flags: str) -> Path:
    """The native program; skips the test where none can be built."""
    if os.name != "posix" or not shutil.which("cc") or not shutil.which("make"):
        pytest.skip("the reference firmware needs a C compiler (cc), make and POSIX terminals")
    words = ["make", "-s", "-C", str(FIRMWARE), f"BUILD={folder}", f"CONFIG={' '.join(flags)}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "shboard"


def run_block(tag: int, rows: list[list[int]]) -> bytes:
    """The block of a run: what is sent of each example."""
    flat = [code for row in rows for code in row]
    return definite(struct.pack(f"<HH{len(flat)}h", tag, len(rows), *flat))


def pulse_block(sequence: int, first: int, counts: list[int], total: int | None = None) -> bytes:
    """The block of pulses."""
    total = sum(map(abs, counts)) if total is None else total
    return definite(struct.pack(f"<III{len(counts)}b", sequence, first, total, *counts))
