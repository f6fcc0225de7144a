"""What drivers of SCPI source-measure units with one channel have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from drivers.instruments.base import check_errors, parsed_numbers, refuse_beyond, tell
from drivers.instruments.scpi import number
from drivers.instruments.smu import SmuLimits, checked
from drivers.transport.interface import Transport

__all__ = ["LARGEST_SWEEP", "SENSED", "SingleSmu"]

LARGEST_SWEEP = 2500
LARGEST_LIST = 100  # values one LIST command takes
N_RAMP_STEPS = 10
SENSED = {"VOLT": "CURR", "CURR": "VOLT"}


class SingleSmu(ABC):
    """A source-measure unit; nothing is sent before it is prepared.

    Args:
        transport: the session.
        limits: the envelope.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self, transport: Transport, limits: SmuLimits, idn_pattern: str, serial: str | None
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._source = "VOLT"
        self._level = 0.0
        self._limit: float | None = None
        self._fixed: float | None = None

    def source_volts(
        self,
        volts: float,
        limit_amps: float,
        amps_range: float | None = None,
        largest_volts: float | None = None,
    ) -> None:
        """Source a voltage: limit and ranges first, then the level.

        Changing from amps to volts may switch the output off, as the instrument does.

        Args:
            volts: the level.
            limit_amps: compliance.
            amps_range: a fixed measuring range; None: automatic.
            largest_volts: a fixed range that reaches this is sourced on, which keeps its offset
                and makes no glitch when the level changes; None: as it was.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse_volts(volts)
        self._refuse_amps(limit_amps)
        self._source_as("VOLT", volts, limit_amps, amps_range, largest_volts)

    def source_amps(
        self,
        amps: float,
        limit_volts: float,
        volts_range: float | None = None,
        largest_amps: float | None = None,
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        self._refuse_amps(amps)
        self._refuse_volts(limit_volts)
        self._source_as("CURR", amps, limit_volts, volts_range, largest_amps)

    def step_level(self, level: float) -> bool:
        """Set the level of the present source; whether it was in compliance just before.

        One exchange, in which errors are asked for as well.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: the level was refused.
        """
        self._refuse_level(level)
        message = f"{self._compliance_query()};:SOUR:{self._source} {number(level)};:SYST:ERR?"
        self._level = level
        (tripped,) = checked(self._transport, message, "a level was set")
        return parsed_numbers(self._transport, message, tripped, 1) != [0.0]

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring the source to 0 in ten steps, writing only; in one if it is there already.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = self._level
        for step in range(N_RAMP_STEPS - 1 if start else 0, -1, -1):
            level = start * step / N_RAMP_STEPS
            tell(self._transport, f":SOUR:{self._source} {number(level)}")
            self._level = level
            if start:
                sleep(step_seconds)

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    @abstractmethod
    def _source_as(
        self,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        """Source a quantity within the envelope."""

    @abstractmethod
    def _compliance_query(self) -> str:
        """What asks whether the present source is in compliance."""

    def _list_commands(self, levels: Sequence[float]) -> list[str]:
        commands = []
        for first in range(0, len(levels), LARGEST_LIST):
            values = ",".join(map(number, levels[first : first + LARGEST_LIST]))
            commands.append(f":SOUR:LIST:{self._source}{':APP' if first else ''} {values}")
        return commands

    def _lists_ahead(self, levels: Sequence[float]) -> list[str]:
        """The list as part of a message; one too long for that is sent ahead."""
        commands = self._list_commands(levels)
        if len(commands) == 1:
            return commands
        for command in commands:
            tell(self._transport, command)
        return []

    def _sense_range(self, fixed: float | None) -> str:
        """What makes the measuring range fixed or automatic."""
        header = f":SENS:{SENSED[self._source]}:RANG"
        return f"{header}:AUTO ON" if fixed is None else f"{header} {number(fixed)}"

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)

    def _refuse_level(self, level: float) -> None:
        if self._source == "VOLT":
            self._refuse_volts(level)
        else:
            self._refuse_amps(level)

    def _refuse_volts(self, volts: float) -> None:
        refuse_beyond(self._transport.address, "a voltage", volts, self._limits.volts)

    def _refuse_amps(self, amps: float) -> None:
        refuse_beyond(self._transport.address, "a current", amps, self._limits.amps)
