"""Keithley 2450 and 2460 SourceMeters, SCPI command set.

A reading holds one measured quantity and the source read back, which together are both volts and
amps. The instrument's own sweeps end with the output off: a sweep here switches it on again at
the level it had, in the same message.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    identify,
    parsed_integer,
    parsed_numbers,
    tell,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.instruments.smu import (
    LINE_SECONDS,
    Held,
    HeldTiming,
    SmuLimits,
    SmuReading,
    SmuSetup,
    checked,
    known_limit,
)
from drivers.instruments.smu_single import LARGEST_SWEEP, SENSED, SingleSmu
from drivers.transport.interface import Expect, Transport
from hil.errors import ConfigurationError, HilError, UsageError

__all__ = ["Keithley2450"]

BUFFER = '"defbuffer1"'
ELEMENTS = "READ,SOUR,SEC,FRAC,SOURSTAT"
N_ELEMENTS = 5
OVERFLOW = 9.9e37
LIMITED_BIT = 32  # of SOURSTAT
SHORTEST_DELAY_SECONDS = 50e-6
LIMITS = {"VOLT": "ILIM", "CURR": "VLIM"}
TIMING = HeldTiming(
    shortest_seconds=2e-3,
    shortest_cycles=0.01,
    n_integrations=2,
    n_zeroed=6,
    point_seconds=1e-3,
    timed=False,
)


class Keithley2450(SingleSmu):
    """A SourceMeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    largest = SmuLimits(volts=210.0, amps=7.35)
    """What any of the family can source: volts of a 2450, amps of a 2460."""

    def __init__(
        self,
        transport: Transport,
        limits: SmuLimits,
        idn_pattern: str = r"KEITHLEY.*MODEL 24[56]\d",
        serial: str | None = None,
    ) -> None:
        super().__init__(transport, limits, idn_pattern, serial)
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
        parts = self._sweep_commands(len(levels), delay_seconds or 0.0)
        return self._swept(levels, [*parts, ":SYST:ERR?"], delay_seconds or 0.0)

    def sweep_held(self, levels: Sequence[float], dwell_seconds: float) -> list[SmuReading]:
        """As :meth:`sweep`, each level held for a time, or a little longer.

        A dwell with room for it is read as :meth:`prepare` said, with automatic zero and range; a
        shorter one on the range of the limit, with integrations of at most half of it.

        Args:
            levels: 1 to 2500 levels of the present source.
            dwell_seconds: 2 ms or more.

        Raises:
            UsageError: none or too many levels, a dwell too short, or the output is off.
            SafetyError: one is outside the envelope; nothing was sent.
            InstrumentError: refused; the output is off.
        """
        self._check_sweep(levels, None)
        address = self._transport.address
        held = Held.fitting(address, dwell_seconds, self._line_cycles, TIMING)
        sweep = self._sweep_commands(len(levels), held.wait_seconds)
        parts = [*self._readied(held), *sweep, *self._back(held), ":SYST:ERR?"]
        return self._swept(levels, parts, dwell_seconds)

    def _swept(
        self, levels: Sequence[float], parts: Sequence[str], step_seconds: float
    ) -> list[SmuReading]:
        """Send long lists ahead, sweep, and give the readings; the output is off after errors."""
        message = ";".join([*self._lists_ahead(levels), *parts])
        expect = self._expected(len(levels), step_seconds)
        try:
            (reply,) = checked(self._transport, message, "it swept", expect)
            return self._readings(message, reply, len(levels))
        except HilError:
            self._on = False
            with contextlib.suppress(HilError):
                tell(self._transport, ":ABOR;:OUTP OFF")
            raise

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

    def _forget(self) -> None:
        """The state after a reset."""
        self._source, self._level, self._on = "VOLT", 0.0, False
        self._limit, self._fixed = None, None

    def _compliance_query(self) -> str:
        return f":SOUR:{self._source}:{LIMITS[self._source]}:TRIP?"

    def _source_as(
        self,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        sensed = SENSED[source]
        settings = [Setting(":SOUR:FUNC", source), Setting(":SENS:FUNC", f'"{sensed}"')]
        # The range goes before the limit, which must not be a small part of it.
        if fixed is None:
            settings.append(Setting(f":SENS:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS:{sensed}:RANG", number(fixed)))
        settings.append(Setting(f":SOUR:{source}:{LIMITS[source]}", limit))
        if largest is not None:
            # A range that does not reach the level of long ago would be refused.
            settings.append(Setting(f":SOUR:{source}", "0"))
            settings.append(Setting(f":SOUR:{source}:RANG", number(largest)))
        settings.append(Setting(f":SOUR:{source}", level))
        if source != self._source:
            self._on = False
        apply(self._transport, f"{source} was sourced", settings)
        self._source, self._level = source, level
        self._limit, self._fixed = limit, fixed

    def _check_sweep(self, levels: Sequence[float], delay_seconds: float | None) -> None:
        if not 1 <= len(levels) <= LARGEST_SWEEP:
            raise UsageError(f"a sweep has 1 to {LARGEST_SWEEP} levels, not {len(levels)}")
        if delay_seconds is not None and 0 < delay_seconds < SHORTEST_DELAY_SECONDS:
            raise UsageError(f"the shortest delay of a sweep is {SHORTEST_DELAY_SECONDS:g} s")
        for level in levels:
            self._refuse_level(level)
        if not self._on:
            raise UsageError("a sweep switches the output on: switch it on first if that is meant")

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
        ]

    def _readied(self, held: Held) -> list[str]:
        """No delay of the source's own; for a quick sweep the range of the limit, no zeroing."""
        parts = [f":SOUR:{self._source}:DEL 0"]
        if held.quick:
            sense = f":SENS:{SENSED[self._source]}"
            parts += [f"{sense}:NPLC {number(held.line_cycles)}", f"{sense}:AZER OFF"]
            limit = known_limit(self._transport.address, self._limit)
            parts += [f"{sense}:RANG {number(limit)}"]
        return parts

    def _back(self, held: Held) -> list[str]:
        """Everything as it was before a sweep."""
        parts = [f":SOUR:{self._source}:DEL:AUTO ON"]
        if held.quick:
            sense = f":SENS:{SENSED[self._source]}"
            parts += [f"{sense}:NPLC {number(self._line_cycles)}", f"{sense}:AZER ON"]
            parts += [self._sense_range(self._fixed)]
        return parts

    def _read(self, message: str, count: int) -> list[SmuReading]:
        return self._readings(message, ask(self._transport, message, self._expected(count)), count)

    def _expected(self, count: int, delay_seconds: float = 0.0) -> Expect:
        # Source and measurement, each with autozero: up to six integrations a reading.
        seconds = 1.0 + count * (0.01 + delay_seconds + 6 * self._line_cycles * LINE_SECONDS)
        return Expect.LINE.within(max(5.0, seconds))

    def _readings(self, message: str, reply: str, count: int) -> list[SmuReading]:
        numbers = parsed_numbers(self._transport, message, reply, count * N_ELEMENTS)
        return [
            self._reading(message, reply, numbers[i : i + N_ELEMENTS])
            for i in range(0, len(numbers), N_ELEMENTS)
        ]

    def _reading(self, message: str, reply: str, elements: Sequence[float]) -> SmuReading:
        """A reading; its seconds count from the first one after :meth:`prepare`."""
        measured, sourced, seconds, fraction, status = elements
        word = parsed_integer(self._transport, message, reply, status)
        if self._origin_seconds is None:
            self._origin_seconds = seconds + fraction
        volts, amps = (sourced, measured) if self._source == "VOLT" else (measured, sourced)
        return SmuReading(
            volts,
            amps,
            seconds + fraction - self._origin_seconds,
            bool(word & LIMITED_BIT),
            max(abs(measured), abs(sourced)) >= OVERFLOW,
        )
