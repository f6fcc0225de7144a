"""Keithley 6221 (and 6220) current source, SCPI.

Source: Model 6220/6221 Reference Manual, 622x-901-01 Rev. C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    check_errors,
    identify,
    parsed_integer,
    parsed_numbers,
    refuse_beyond,
    tell,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.instruments.smu import SmuLimits, checked
from drivers.transport.interface import Transport

__all__ = ["CurrentSourceLimits", "CurrentSourceSetup", "Keithley6221"]

N_RAMP_STEPS = 10
COMPLIANCE_BIT = 1 << 3  # measurement condition register (manual, figure 11-6)


@dataclass(frozen=True, slots=True)
class CurrentSourceLimits:
    """The envelope: nothing beyond it is ever sent, as level or as compliance."""

    amps: float
    volts: float


@dataclass(frozen=True, slots=True)
class CurrentSourceSetup:
    """What stays the same for a run.

    Attributes:
        low_to_earth: connect the low side of the output to earth.
        filtered: analog filter, for less noise and slower settling.
    """

    low_to_earth: bool = False
    filtered: bool = False


class Keithley6221:
    """A current source; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    largest = SmuLimits(volts=105.0, amps=0.105)
    """What any of the family can source."""

    def __init__(
        self,
        transport: Transport,
        limits: CurrentSourceLimits,
        idn_pattern: str = r"KEITHLEY.*MODEL 622[01]",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._amps = 0.0

    def prepare(self, setup: CurrentSourceSetup) -> Identity:
        """Check the identity, reset to 0 A with the output off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, ":SOUR:CLE;*RST;*CLS;:STAT:PRES")
        self._amps = 0.0
        settings = [
            Setting(":OUTP:LTE", float(setup.low_to_earth)),
            Setting(":SOUR:CURR:FILT", float(setup.filtered)),
        ]
        apply(self._transport, "being set up", settings)
        return identity

    def source_amps(self, amps: float, limit_volts: float, largest_amps: float) -> None:
        """Source a current: the compliance first, then a fixed range, then the level.

        Args:
            amps: the level.
            limit_volts: compliance, 0.1 to 105 V.
            largest_amps: the range is chosen to reach this; a fixed range keeps its offset and
                makes no glitch when the level changes.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse(amps)
        refuse_beyond(self._transport.address, "a compliance", limit_volts, self._limits.volts)
        settings = [
            Setting(":SOUR:CURR:COMP", limit_volts),
            Setting(":SOUR:CURR", "0"),  # a level the new range does not reach is an error
            Setting(":SOUR:CURR:RANG", number(largest_amps)),
            Setting(":SOUR:CURR", amps),
        ]
        self._amps = amps
        apply(self._transport, "a current was sourced", settings)

    def set_amps(self, amps: float) -> None:
        """Change the level only, writing only.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        self._refuse(amps)
        self._amps = amps
        tell(self._transport, f":SOUR:CURR {number(amps)}")

    def step_level(self, amps: float) -> bool:
        """Change the level only; whether the source was in compliance just before.

        One exchange, in which errors are asked for as well.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: the level was refused.
        """
        self._refuse(amps)
        message = f":STAT:MEAS:COND?;:SOUR:CURR {number(amps)};:SYST:ERR?"
        self._amps = amps
        (reply,) = checked(self._transport, message, "a level was set")
        return self._limited(message, reply)

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring the source to 0 in ten steps, writing only; in one if it is there already.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = self._amps
        for step in range(N_RAMP_STEPS - 1 if start else 0, -1, -1):
            self.set_amps(start * step / N_RAMP_STEPS)
            if start:
                sleep(step_seconds)

    def switch(self, on: bool) -> None:
        """Output on or off, checked.

        Raises:
            InstrumentError: refused, as with the interlock open.
        """
        apply(self._transport, "the output was switched", [Setting(":OUTP", float(on))])

    def in_compliance(self) -> bool:
        """Whether the voltage limit holds the current back."""
        query = ":STAT:MEAS:COND?"
        return self._limited(query, ask(self._transport, query))

    def make_safe(self) -> None:
        """Source 0 A and switch the output off: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; the output may be on.
        """
        messages = (":SOUR:SWE:ABOR", ":SOUR:WAVE:ABOR", ":SOUR:CURR 0", ":OUTP OFF")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._amps = 0.0

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _limited(self, message: str, reply: str) -> bool:
        (bits,) = parsed_numbers(self._transport, message, reply, 1)
        return bool(parsed_integer(self._transport, message, reply, bits) & COMPLIANCE_BIT)

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)

    def _refuse(self, amps: float) -> None:
        refuse_beyond(self._transport.address, "a current", amps, self._limits.amps)
