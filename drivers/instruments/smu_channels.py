"""What drivers of source-measure units with several channels have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from drivers.instruments.base import refuse_beyond, tell
from drivers.instruments.smu import SmuLimits
from drivers.transport.interface import Transport
from hil.errors import UsageError

__all__ = ["ChannelSmu"]

N_RAMP_STEPS = 10
Key = TypeVar("Key", bound=Hashable)


class ChannelSmu(ABC, Generic[Key]):
    """A source-measure unit; nothing is sent before it is prepared.

    Args:
        transport: the session.
        limits: the envelope, by channel; the channels named are those that are used.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    volts_and_amps: ClassVar[tuple[str, str]]
    """How the instrument calls the two quantities."""
    largest_sweep: ClassVar[int]
    """Levels a sweep has at most."""

    def __init__(
        self,
        transport: Transport,
        limits: Mapping[Key, SmuLimits],
        idn_pattern: str,
        serial: str | None,
    ) -> None:
        self._transport = transport
        self._limits = dict(limits)
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._forget()

    def source_volts(
        self,
        channel: Key,
        volts: float,
        limit_amps: float,
        amps_range: float | None = None,
        largest_volts: float | None = None,
    ) -> None:
        """Source a voltage: the compliance first, then the ranges, then the level.

        Changing from amps to volts may switch the output off, as the instrument does.

        Args:
            channel: the channel.
            volts: the level.
            limit_amps: compliance.
            amps_range: a fixed measuring range; None: automatic.
            largest_volts: a fixed range that reaches this is sourced on, which keeps its offset
                and makes no glitch when the level changes; None: as it was.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        volt, amp = self.volts_and_amps
        self._refuse(channel, volt, volts)
        self._refuse(channel, amp, limit_amps)
        self._source_as(channel, volt, volts, limit_amps, amps_range, largest_volts)

    def source_amps(
        self,
        channel: Key,
        amps: float,
        limit_volts: float,
        volts_range: float | None = None,
        largest_amps: float | None = None,
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        volt, amp = self.volts_and_amps
        self._refuse(channel, amp, amps)
        self._refuse(channel, volt, limit_volts)
        self._source_as(channel, amp, amps, limit_volts, volts_range, largest_amps)

    def set_levels(self, levels: Mapping[Key, float]) -> None:
        """Change levels of the present sources only, in one message, writing only.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        tell(self._transport, self._level_commands(levels))
        self._levels.update(levels)

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring all channels to 0 in ten steps together, writing only; in one if they are there.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = dict(self._levels)
        moves = any(start.values())
        for step in range(N_RAMP_STEPS - 1 if moves else 0, -1, -1):
            self.set_levels({x: level * step / N_RAMP_STEPS for x, level in start.items()})
            if moves:
                sleep(step_seconds)

    @abstractmethod
    def _source_as(
        self,
        channel: Key,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        """Source a quantity within the envelope."""

    @abstractmethod
    def _level_message(self, channel: Key, level: float) -> str:
        """What sets the level of a channel's present source."""

    @abstractmethod
    def _joined(self, commands: Sequence[str]) -> str:
        """Commands as one message."""

    def _forget(self) -> None:
        """The state after a reset."""
        self._functions = dict.fromkeys(self._limits, self.volts_and_amps[0])
        self._levels = dict.fromkeys(self._limits, 0.0)

    def _level_commands(self, levels: Mapping[Key, float]) -> str:
        for channel, level in levels.items():
            self._refuse(channel, self._function(channel), level)
        return self._joined([self._level_message(x, level) for x, level in levels.items()])

    def _checked_length(self, levels: Mapping[Key, Sequence[float]]) -> int:
        lengths = {len(listed) for listed in levels.values()}
        if len(lengths) != 1 or not 1 <= min(lengths) <= self.largest_sweep:
            raise UsageError(
                f"a sweep has 1 to {self.largest_sweep} levels, as many for every channel; "
                f"here {sorted(lengths)}"
            )
        for channel, listed in levels.items():
            for level in listed:
                self._refuse(channel, self._function(channel), level)
        return lengths.pop()

    def _chosen(self, channels: Sequence[Key] | None) -> list[Key]:
        chosen = sorted(self._limits if channels is None else channels, key=str)
        for channel in chosen:
            self._function(channel)
        return chosen

    def _function(self, channel: Key) -> str:
        if channel not in self._functions:
            known = ", ".join(map(str, self._functions)) or "none"
            raise UsageError(
                f"{self._transport.address}: channel {channel} has no limits and is not used; the "
                f"channels are: {known}. Name it in the bench file"
            )
        return self._functions[channel]

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)

    def _refuse(self, channel: Key, function: str, value: float) -> None:
        self._function(channel)
        limits = self._limits[channel]
        address = f"{self._transport.address}, channel {channel}"
        if function == self.volts_and_amps[0]:
            refuse_beyond(address, "a voltage", value, limits.volts)
        else:
            refuse_beyond(address, "a current", value, limits.amps)
