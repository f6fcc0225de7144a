"""Keithley 2450 and 2460 SourceMeters, SCPI command set.

A reading holds one measured quantity and the source read back, which together are both volts and
amps. The instrument's own sweeps end with the output off: a sweep here switches it on again at
the level it had, in the same message.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    check_errors,
    identify,
    parsed_fault,
    parsed_numbers,
    refuse_beyond,
    tell,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.instruments.smu import SmuLimits, SmuReading, SmuSetup
from drivers.transport.interface import Expect, Transport
from hil.errors import ConfigurationError, HilError, TransportTimeoutError, UsageError

__all__ = ["Keithley2450"]

LARGEST_SWEEP = 2500
LARGEST_LIST = 100  # values one LIST command takes
BUFFER = '"defbuffer1"'
ELEMENTS = "READ,SOUR,SEC,FRAC,SOURSTAT"
N_ELEMENTS = 5
OVERFLOW = 9.9e37
LIMITED_BIT = 32  # of SOURSTAT
LINE_SECONDS = 0.02
SHORTEST_DELAY_SECONDS = 50e-6
N_RAMP_STEPS = 10
LIMITS = {"VOLT": "ILIM", "CURR": "VLIM"}
SENSED = {"VOLT": "CURR", "CURR": "VOLT"}


class Keithley2450:
    """A SourceMeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        limits: SmuLimits,
        idn_pattern: str = r"KEITHLEY.*MODEL 24[56]\d",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._origin_seconds: float | None = None
        self._forget()

    def prepare(self, setup: SmuSetup) -> Identity:
        """Check the identity, reset to 0 V with the output off, and set up.

        Raises:
            ConfigurationError: another instrument, or another command set than SCPI.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        language = ask(self._transport, "*LANG?")
        if language != "SCPI":
            raise ConfigurationError(
                f"{self._transport.address} speaks its {language} command set, this driver SCPI: "
                "send *LANG SCPI, or choose it in the instrument's system menu, and restart it",
                address=self._transport.address,
                received=language,
            )
        tell(self._transport, ":ABOR;:OUTP OFF;*RST;*CLS;:STAT:PRES")
        self._forget()
        self._origin_seconds = None
        settings = [Setting(":OUTP:SMOD", setup.off_mode)]
        for function in SENSED:
            settings += [
                Setting(f":SOUR:{function}:READ:BACK", 1.0),
                Setting(f":SENS:{function}:RSEN", float(setup.four_wire)),
                Setting(f":SENS:{function}:NPLC", setup.line_cycles),
            ]
        apply(self._transport, "being set up", settings)
        self._line_cycles = setup.line_cycles
        return identity

    def source_volts(
        self, volts: float, limit_amps: float, amps_range: float | None = None
    ) -> None:
        """Source a voltage: the range and the limit first, then the level.

        Changing from amps to volts switches the output off, as the instrument does.

        Args:
            volts: the level.
            limit_amps: source limit.
            amps_range: a fixed measuring range; None: automatic.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse_volts(volts)
        self._refuse_amps(limit_amps)
        self._source_as("VOLT", volts, limit_amps, amps_range)

    def source_amps(
        self, amps: float, limit_volts: float, volts_range: float | None = None
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        self._refuse_amps(amps)
        self._refuse_volts(limit_volts)
        self._source_as("CURR", amps, limit_volts, volts_range)

    def switch(self, on: bool) -> None:
        """Output on or off, checked.

        Raises:
            InstrumentError: refused, as with the interlock open.
        """
        apply(self._transport, "the output was switched", [Setting(":OUTP", float(on))])
        self._on = on

    def measure(self) -> SmuReading:
        """One reading at the present level."""
        return self._read(f":READ? {BUFFER},{ELEMENTS}", 1)[0]

    def measure_at(self, level: float) -> SmuReading:
        """Set the level of the present source and read, in one exchange.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        self._refuse_level(level)
        message = f":SOUR:{self._source} {number(level)};:READ? {BUFFER},{ELEMENTS}"
        reading = self._read(message, 1)[0]
        self._level = level
        return reading

    def sweep(
        self, levels: Sequence[float], delay_seconds: float | None = None
    ) -> list[SmuReading]:
        """Source each level in turn and read at each, in one run of the instrument.

        Each level is held for the delay and the integration time, which makes a list of levels a
        train of pulses. Afterwards the source is back at the level it had, the output having been
        off for a moment. Up to 100 levels take one exchange, more of them writes before it.

        Args:
            levels: 1 to 2500 levels of the present source.
            delay_seconds: from sourcing to reading, besides the instrument's own; None: none.

        Raises:
            UsageError: none or too many levels, a delay too short, or the output is off.
            SafetyError: one is outside the envelope; nothing was sent.
            InstrumentError: refused; the output is off.
        """
        self._check_sweep(levels, delay_seconds)
        lists = self._list_commands(levels)
        if len(lists) > 1:
            for command in lists:
                tell(self._transport, command)
            lists = []
        parts = [*lists, *self._sweep_commands(len(levels), delay_seconds or 0.0)]
        try:
            return self._swept(";".join(parts), len(levels), delay_seconds or 0.0)
        except HilError:
            self._on = False
            with contextlib.suppress(HilError):
                tell(self._transport, ":ABOR;:OUTP OFF")
            raise

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring the source to 0 in ten steps, writing only.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = self._level
        for step in range(N_RAMP_STEPS - 1, -1, -1):
            level = start * step / N_RAMP_STEPS
            tell(self._transport, f":SOUR:{self._source} {number(level)}")
            self._level = level
            sleep(step_seconds)

    def make_safe(self) -> None:
        """Source 0 and switch the output off: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; the output may be on.
        """
        messages = (":ABOR", ":SOUR:VOLT 0", ":SOUR:CURR 0", ":OUTP OFF")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._level, self._on = 0.0, False

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _forget(self) -> None:
        """The state after a reset."""
        self._source, self._level, self._on = "VOLT", 0.0, False

    def _source_as(self, source: str, level: float, limit: float, fixed: float | None) -> None:
        sensed = SENSED[source]
        settings = [Setting(":SOUR:FUNC", source), Setting(":SENS:FUNC", f'"{sensed}"')]
        # The range goes before the limit, which must not be a small part of it.
        if fixed is None:
            settings.append(Setting(f":SENS:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS:{sensed}:RANG", number(fixed)))
        settings.append(Setting(f":SOUR:{source}:{LIMITS[source]}", limit))
        settings.append(Setting(f":SOUR:{source}", level))
        if source != self._source:
            self._on = False
        apply(self._transport, f"{source} was sourced", settings)
        self._source, self._level = source, level

    def _check_sweep(self, levels: Sequence[float], delay_seconds: float | None) -> None:
        if not 1 <= len(levels) <= LARGEST_SWEEP:
            raise UsageError(f"a sweep has 1 to {LARGEST_SWEEP} levels, not {len(levels)}")
        if delay_seconds is not None and 0 < delay_seconds < SHORTEST_DELAY_SECONDS:
            raise UsageError(f"the shortest delay of a sweep is {SHORTEST_DELAY_SECONDS:g} s")
        for level in levels:
            self._refuse_level(level)
        if not self._on:
            raise UsageError("a sweep switches the output on: switch it on first if that is meant")

    def _list_commands(self, levels: Sequence[float]) -> list[str]:
        commands = []
        for first in range(0, len(levels), LARGEST_LIST):
            values = ",".join(map(number, levels[first : first + LARGEST_LIST]))
            commands.append(f":SOUR:LIST:{self._source}{':APP' if first else ''} {values}")
        return commands

    def _sweep_commands(self, count: int, delay_seconds: float) -> list[str]:
        # Without the empty model a refused sweep would leave INIT an older one to run.
        return [
            ':TRIG:LOAD "Empty"',
            f":SOUR:SWE:{self._source}:LIST 1,{number(delay_seconds)},1,OFF,{BUFFER}",
            ":INIT",
            "*WAI",
            f":SOUR:{self._source} {number(self._level)}",
            ":OUTP ON",
            f":TRAC:DATA? 1,{count},{BUFFER},{ELEMENTS}",
            ":SYST:ERR?",
        ]

    def _swept(self, message: str, count: int, delay_seconds: float) -> list[SmuReading]:
        expect = self._expected(count, delay_seconds)
        try:
            reply = ask(self._transport, message, expect)
        except TransportTimeoutError:
            self._transport.clear()
            check_errors(self._transport, "it swept")
            raise
        # Without data the reply is the error alone, and its text has semicolons, too.
        alone = re.match(r'[+-]?\d+,"', reply) is not None
        data, _, fault = ("", "", reply) if alone else reply.partition(";")
        check_errors(self._transport, "it swept", parsed_fault(self._transport, fault))
        return self._readings(message, data, count)

    def _read(self, message: str, count: int) -> list[SmuReading]:
        return self._readings(message, ask(self._transport, message, self._expected(count)), count)

    def _expected(self, count: int, delay_seconds: float = 0.0) -> Expect:
        # Source and measurement, each with autozero: up to six integrations a reading.
        seconds = 1.0 + count * (0.01 + delay_seconds + 6 * self._line_cycles * LINE_SECONDS)
        return Expect.LINE.within(max(5.0, seconds))

    def _readings(self, message: str, reply: str, count: int) -> list[SmuReading]:
        numbers = parsed_numbers(self._transport, message, reply, count * N_ELEMENTS)
        return [
            self._reading(numbers[i : i + N_ELEMENTS]) for i in range(0, len(numbers), N_ELEMENTS)
        ]

    def _reading(self, elements: Sequence[float]) -> SmuReading:
        """A reading; its seconds count from the first one after :meth:`prepare`."""
        measured, sourced, seconds, fraction, status = elements
        if self._origin_seconds is None:
            self._origin_seconds = seconds + fraction
        volts, amps = (sourced, measured) if self._source == "VOLT" else (measured, sourced)
        return SmuReading(
            volts,
            amps,
            seconds + fraction - self._origin_seconds,
            bool(int(status) & LIMITED_BIT),
            max(abs(measured), abs(sourced)) >= OVERFLOW,
        )

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
