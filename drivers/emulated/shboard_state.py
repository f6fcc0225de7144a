"""What the board keeps between messages (SPECIFICATION.md, 6 to 10)."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.shboard_hardware import Codes, Hardware, Programming, Timing
from drivers.emulated.shboard_parser import TEXTS, BoardError

__all__ = ["BoardState", "Errors", "Limits"]

_ERRORS = 16


class Errors:
    """The error queue and the standard event register."""

    def __init__(self) -> None:
        self._codes: deque[int] = deque()
        self._events = 128  # power on

    def __len__(self) -> int:
        return len(self._codes)

    def put(self, code: int) -> None:
        """Queue an error; the sixteenth place tells of those that found none."""
        if len(self._codes) < _ERRORS - 1:
            self._codes.append(code)
        elif len(self._codes) == _ERRORS - 1:
            self._codes.append(-350)
        self._events |= 32 if -199 <= code <= -100 else 16 if -299 <= code <= -200 else 8

    def take(self) -> str:
        """The oldest one."""
        code = self._codes.popleft() if self._codes else 0
        return f'{code},"{TEXTS[code]}"'

    def take_events(self) -> int:
        """The register, which reading clears."""
        events, self._events = self._events, 0
        return events

    def clear(self) -> None:
        """``*CLS``."""
        self._codes.clear()
        self._events = 0


class Limits:
    """Largest absolute codes, and pulses a device and exchange; 0 refuses everything."""

    def __init__(self) -> None:
        self.input = self.nudge = self.program = self.pulses = 0


class BoardState:
    """Settings, levels and what was kept.

    Args:
        hardware: the electronics; made safe at once.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self.geometry = hardware.geometry
        self.errors = Errors()
        self.sequence = self.requested = self.applied = 0
        self.reset()

    def reset(self) -> None:
        """``*RST``: safe, and every setting as at power-up; errors and pulse sequence stay."""
        self.limits = Limits()
        self.timing = Timing()
        self.programming = Programming()
        self.dead_zone = 0
        self.dead_man_ms = 2000
        self.make_safe()

    def make_safe(self) -> None:
        """Everything off, disarmed; queries nothing, cannot fail."""
        g = self.geometry
        self.hardware.make_safe()
        self.armed = False
        self.isolated: NDArray[np.bool_] = np.ones(g.n_nodes, np.bool_)
        self.floating = False
        self.kept: Codes = np.zeros((0, g.n_inputs), np.int16)
        self.kept_tag: int | None = None
        self.idle()

    def idle(self) -> None:
        """Levels to 0, nudge sources open."""
        self.inputs: Codes = np.zeros(self.geometry.n_inputs, np.int16)
        self.nudges: Codes | None = None
        self.hardware.apply(self.inputs, None)

    def apply(self) -> None:
        """The steady levels."""
        self.hardware.apply(self.inputs, self.nudges)

    def switch(self) -> None:
        """Bring the switches where the state says."""
        self.hardware.switch(self.isolated, self.floating)

    def check_armed(self) -> None:
        """Refuse what energises.

        Raises:
            BoardError: 101 not armed, 102 interlock open.
        """
        if not self.armed:
            raise BoardError(101)
        if not self.hardware.interlock_closed():
            raise BoardError(102)

    def check_ready(self) -> None:
        """Refuse what drives the network.

        Raises:
            BoardError: as :meth:`check_armed`, or 109 for an isolated node or floating lines.
        """
        self.check_armed()
        if self.floating or self.isolated.any():
            raise BoardError(109)
