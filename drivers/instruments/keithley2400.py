"""Keithley 2400 and 2410 SourceMeters, SCPI.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K.
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
from hil.errors import HilError, UsageError

__all__ = ["Keithley2400"]

ELEMENTS = "VOLT,CURR,TIME,STAT"
N_ELEMENTS = 4
OVERFLOW_BIT, COMPLIANCE_BITS = 1 << 0, 1 << 3 | 1 << 16
TIMING = HeldTiming(
    shortest_seconds=2e-3,
    shortest_cycles=0.01,
    n_integrations=2,
    n_zeroed=6,
    point_seconds=1e-3,
    timed=False,
)


class Keithley2400(SingleSmu):
    """A SourceMeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    largest = SmuLimits(volts=1100.0, amps=1.05)
    """What any of the family can source: volts of a 2410, amps of a 2400."""

    def __init__(
        self,
        transport: Transport,
        limits: SmuLimits,
        idn_pattern: str = r"KEITHLEY.*MODEL 24[01]\d",
        serial: str | None = None,
    ) -> None:
        super().__init__(transport, limits, idn_pattern, serial)

    def prepare(self, setup: SmuSetup) -> Identity:
        """Check the identity, reset to 0 V with the output off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, ":ABOR;:OUTP OFF;*RST;*CLS;:STAT:PRES")
        self._source, self._level, self._limit = "VOLT", 0.0, None
        settings = [
            Setting(":OUTP:SMOD", setup.off_mode),
            Setting(":SENS:FUNC:CONC", "ON"),
            Setting(":SENS:FUNC", '"VOLT","CURR"'),
            Setting(":FORM:ELEM", ELEMENTS),
            Setting(":SYST:RSEN", float(setup.four_wire)),
            Setting(":SENS:CURR:NPLC", setup.line_cycles),
        ]
        apply(self._transport, "being set up", settings)
        self._line_cycles = setup.line_cycles
        return identity

    def switch(self, on: bool) -> None:
        """Output on or off, checked.

        Raises:
            InstrumentError: refused, as with the output enable line open (802).
        """
        apply(self._transport, "the output was switched", [Setting(":OUTP", float(on))])

    def measure(self) -> SmuReading:
        """One reading at the present level; the output must be on."""
        return self._read(":READ?", 1)[0]

    def measure_at(self, level: float) -> SmuReading:
        """Set the level of the present source and read, in one exchange.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        self._refuse_level(level)
        reading = self._read(f":SOUR:{self._source} {number(level)};:READ?", 1)[0]
        self._level = level
        return reading

    def sweep(
        self, levels: Sequence[float], delay_seconds: float | None = None
    ) -> list[SmuReading]:
        """Source each level in turn and read at each, in one run of the instrument.

        Afterwards the source is back at the level it had. Each level is held for the delay and
        the integration time, which makes a list of levels a train of pulses.

        Args:
            levels: 1 to 2500 levels of the present source.
            delay_seconds: from sourcing to reading; None: as the instrument chooses.

        Raises:
            UsageError: none, or too many.
            SafetyError: one is outside the envelope; nothing was sent.
        """
        self._check_sweep(levels)
        for command in self._list_commands(levels):
            tell(self._transport, command)
        mode = f":SOUR:{self._source}:MODE"
        delay = ":SOUR:DEL:AUTO ON" if delay_seconds is None else f":SOUR:DEL {delay_seconds:.9g}"
        message = f"{delay};{mode} LIST;:TRIG:COUN {len(levels)};:READ?"
        try:
            return self._read(message, len(levels), delay_seconds or 0.0)
        finally:
            tell(self._transport, f"{mode} FIX;:TRIG:COUN 1;:SOUR:DEL:AUTO ON")

    def sweep_held(self, levels: Sequence[float], dwell_seconds: float) -> list[SmuReading]:
        """As :meth:`sweep`, each level held for a time, or a little longer.

        A dwell with room for it is read as :meth:`prepare` said, with automatic zero and range; a
        shorter one on the range of the compliance, with integrations of at most half of it. Up to
        100 levels take one exchange, more of them writes before it.

        Args:
            levels: 1 to 2500 levels of the present source.
            dwell_seconds: 2 ms or more.

        Raises:
            UsageError: none, or too many levels; too short a dwell.
            SafetyError: one is outside the envelope; nothing was sent.
            InstrumentError: the instrument reported errors.
        """
        self._check_sweep(levels)
        address = self._transport.address
        held = Held.fitting(address, dwell_seconds, self._line_cycles, TIMING)
        lists = self._lists_ahead(levels)
        mode, back = f":SOUR:{self._source}:MODE", self._back(held)
        wait = f":SOUR:DEL {number(held.wait_seconds)}"
        parts = [*lists, *self._readied(held), wait, f"{mode} LIST;:TRIG:COUN {len(levels)}"]
        message = ";".join([*parts, ":READ?", back, ":SYST:ERR?"])
        expect = Expect.LINE.within(max(5.0, 1.0 + 2 * len(levels) * dwell_seconds))
        try:
            (reply,) = checked(self._transport, message, "it swept", expect)
            return self._readings(message, reply, len(levels))
        except HilError:
            with contextlib.suppress(HilError):
                tell(self._transport, f":ABOR;{back}")
            raise

    def make_safe(self) -> None:
        """Source 0 and switch the output off: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; the output may be on.
        """
        fixed = (":ABOR", ":SOUR:VOLT:MODE FIX", ":SOUR:CURR:MODE FIX")
        messages = (*fixed, ":SOUR:VOLT 0", ":SOUR:CURR 0", ":OUTP OFF")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._level = 0.0

    def _compliance_query(self) -> str:
        return f":SENS:{SENSED[self._source]}:PROT:TRIP?"

    def _source_as(
        self,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        sensed = SENSED[source]
        settings = [Setting(":SOUR:FUNC", source), Setting(f":SENS:{sensed}:PROT", limit)]
        if fixed is None:
            settings.append(Setting(f":SENS:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS:{sensed}:RANG", number(fixed)))
        if largest is not None:
            # A range that does not reach the level of long ago would be refused.
            settings.append(Setting(f":SOUR:{source}", "0"))
            settings.append(Setting(f":SOUR:{source}:RANG", number(largest)))
        settings.append(Setting(f":SOUR:{source}", level))
        apply(self._transport, f"{source} was sourced", settings)
        self._source, self._level = source, level
        self._limit, self._fixed = limit, fixed

    def _read(self, message: str, count: int, delay_seconds: float = 0.0) -> list[SmuReading]:
        # Two functions and autozero: up to six integrations a reading, and some overhead.
        seconds = 1.0 + count * (0.01 + delay_seconds + 6 * self._line_cycles * LINE_SECONDS)
        reply = ask(self._transport, message, Expect.LINE.within(max(5.0, seconds)))
        return self._readings(message, reply, count)

    def _readings(self, message: str, reply: str, count: int) -> list[SmuReading]:
        numbers = parsed_numbers(self._transport, message, reply, count * N_ELEMENTS)
        return [
            self._reading(message, reply, numbers[i : i + N_ELEMENTS])
            for i in range(0, len(numbers), N_ELEMENTS)
        ]

    def _reading(self, message: str, reply: str, elements: Sequence[float]) -> SmuReading:
        volts, amps, seconds, status = elements
        word = parsed_integer(self._transport, message, reply, status)
        limited, over = bool(word & COMPLIANCE_BITS), bool(word & OVERFLOW_BIT)
        return SmuReading(volts, amps, seconds, limited, over)

    def _check_sweep(self, levels: Sequence[float]) -> None:
        if not 1 <= len(levels) <= LARGEST_SWEEP:
            raise UsageError(f"a sweep has 1 to {LARGEST_SWEEP} levels, not {len(levels)}")
        for level in levels:
            self._refuse_level(level)

    def _readied(self, held: Held) -> list[str]:
        """One range for a whole quick sweep: that of the compliance, which reads everything."""
        if not held.quick:
            return []
        sense = f":SENS:{SENSED[self._source]}"
        limit = known_limit(self._transport.address, self._limit)
        cycles = f"{sense}:NPLC {number(held.line_cycles)}"
        return [f"{cycles};:SYST:AZER OFF;{sense}:RANG {number(limit)}"]

    def _back(self, held: Held) -> str:
        """Everything as it was before a sweep."""
        parts = [f":SOUR:{self._source}:MODE FIX;:TRIG:COUN 1;:SOUR:DEL:AUTO ON"]
        if held.quick:
            sense = f":SENS:{SENSED[self._source]}"
            parts += [f"{sense}:NPLC {number(self._line_cycles)};:SYST:AZER ON"]
            parts += [self._sense_range(self._fixed)]
        return ";".join(parts)
