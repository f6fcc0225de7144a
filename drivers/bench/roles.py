"""What a bench needs of its instruments, whatever their dialect.

Every call is as few messages as its name says; what is written to make something safe asks
nothing. Channels are named as in the bench file, without their instrument: ``a``, ``1``, or ``""``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from drivers.instruments.base import Identity
from drivers.instruments.scanner import ScanningVoltmeter
from drivers.instruments.smu import SmuReading

__all__ = ["Aim", "Quantity", "Sleep", "Source", "Switch", "Voltmeter"]

Quantity: TypeAlias = Literal["volts", "amps"]
Sleep: TypeAlias = Callable[[float], None]
Voltmeter: TypeAlias = ScanningVoltmeter


class Aim(Protocol):
    """What a channel sources, and within which limits; see ``drivers.bench.sources.Aimed``."""

    @property
    def quantity(self) -> Quantity:
        """What is sourced."""
        ...

    @property
    def limit(self) -> float:
        """Compliance: amps for a voltage source, volts for a current source."""
        ...

    @property
    def largest(self) -> float:
        """Largest level to come, for fixed ranges."""
        ...


class Source(Protocol):
    """One instrument with one or more source channels."""

    @property
    def address(self) -> str:
        """Where the instrument is."""
        ...

    def prepare(self) -> Identity:
        """Check who it is, reset it: outputs off, levels 0, errors cleared."""
        ...

    def aim(self, channel: str, aim: Aim) -> None:
        """Level 0, compliance, ranges; read back, errors asked for. One exchange or two.

        Raises:
            SafetyError: beyond the instrument's limits in the bench file; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        ...

    def switch(self, on: bool) -> None:
        """All channels that were aimed, on or off; checked. One exchange."""
        ...

    def step(self, levels: Mapping[str, float]) -> Mapping[str, bool]:
        """Set levels in one exchange; whether these channels were in compliance just before.

        Raises:
            SafetyError: a level beyond the limits; nothing was sent.
        """
        ...

    def measure(self, channels: Sequence[str]) -> Mapping[str, SmuReading]:
        """Read channels at their present levels, in one exchange."""
        ...

    def sweep(
        self, levels: Mapping[str, Sequence[float]], dwell_seconds: float
    ) -> Mapping[str, Sequence[SmuReading]]:
        """Step channels through lists together, read each at every step; back to the levels before.

        One exchange for lists of up to 100 levels. Every level is held for ``dwell_seconds``,
        integration time included, or a little longer: less than half as much again.

        Raises:
            UsageError: an instrument that cannot sweep, such as a 6221; lists of different
                lengths; a dwell shorter than the integration time.
        """
        ...

    def ramp_to_zero(self, sleep: Sleep) -> None:
        """Bring all channels to 0 in steps, writing only."""
        ...

    def make_safe(self) -> None:
        """Levels 0, outputs off, writing only; every step is attempted."""
        ...

    def check(self) -> None:
        """Raise if the instrument has errors to report."""
        ...

    def close(self) -> None:
        """End the session; the instrument keeps its state."""
        ...


class Switch(Protocol):
    """One switching mainframe."""

    @property
    def address(self) -> str:
        """Where the instrument is."""
        ...

    def prepare(self) -> Identity:
        """Check who it is, open everything, break before make."""
        ...

    def close_exactly(self, names: Collection[str]) -> None:
        """Close these and open all others, read back; one exchange.

        Raises:
            InstrumentError: refused, or other ones are closed.
        """
        ...

    def closed(self) -> frozenset[str]:
        """What is closed now; one exchange."""
        ...

    def leave(self, names: Collection[str]) -> None:
        """As :meth:`close_exactly`, writing only: open all, then close these."""
        ...

    def check(self) -> None:
        """Raise if the instrument has errors to report."""
        ...

    def close(self) -> None:
        """End the session; the relays stay."""
        ...
