"""Keithley 2400 and 2410 SourceMeters, SCPI.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    check_errors,
    identify,
    parsed_numbers,
    refuse_beyond,
    tell,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.instruments.smu import SmuLimits, SmuReading, SmuSetup
from drivers.transport.interface import Expect, Transport
from hil.errors import UsageError

__all__ = ["Keithley2400"]

LARGEST_SWEEP = 2500  # readings of one arm x trigger run
LARGEST_LIST = 100  # values one LIST command takes
ELEMENTS = "VOLT,CURR,TIME,STAT"
N_ELEMENTS = 4
OVERFLOW_BIT, COMPLIANCE_BITS = 1 << 0, 1 << 3 | 1 << 16
LINE_SECONDS = 0.02
N_RAMP_STEPS = 10


class Keithley2400:
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
        idn_pattern: str = r"KEITHLEY.*MODEL 24[01]\d",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._source = "VOLT"
        self._level = 0.0

    def prepare(self, setup: SmuSetup) -> Identity:
        """Check the identity, reset to 0 V with the output off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, ":ABOR;:OUTP OFF;*RST;*CLS;:STAT:PRES")
        self._source, self._level = "VOLT", 0.0
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

    def source_volts(
        self, volts: float, limit_amps: float, amps_range: float | None = None
    ) -> None:
        """Source a voltage: the compliance first, then the range, then the level.

        Args:
            volts: the level.
            limit_amps: compliance.
            amps_range: a fixed measuring range; None: automatic.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse_volts(volts)
        self._refuse_amps(limit_amps)
        self._source_as("VOLT", volts, "CURR", limit_amps, amps_range)

    def source_amps(
        self, amps: float, limit_volts: float, volts_range: float | None = None
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        self._refuse_amps(amps)
        self._refuse_volts(limit_volts)
        self._source_as("CURR", amps, "VOLT", limit_volts, volts_range)

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
        if not 1 <= len(levels) <= LARGEST_SWEEP:
            raise UsageError(f"a sweep has 1 to {LARGEST_SWEEP} levels, not {len(levels)}")
        for level in levels:
            self._refuse_level(level)
        for first in range(0, len(levels), LARGEST_LIST):
            values = ",".join(map(number, levels[first : first + LARGEST_LIST]))
            append = ":APP" if first else ""
            tell(self._transport, f":SOUR:LIST:{self._source}{append} {values}")
        mode = f":SOUR:{self._source}:MODE"
        delay = ":SOUR:DEL:AUTO ON" if delay_seconds is None else f":SOUR:DEL {delay_seconds:.9g}"
        message = f"{delay};{mode} LIST;:TRIG:COUN {len(levels)};:READ?"
        try:
            return self._read(message, len(levels), delay_seconds or 0.0)
        finally:
            tell(self._transport, f"{mode} FIX;:TRIG:COUN 1;:SOUR:DEL:AUTO ON")

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
        fixed = (":ABOR", ":SOUR:VOLT:MODE FIX", ":SOUR:CURR:MODE FIX")
        messages = (*fixed, ":SOUR:VOLT 0", ":SOUR:CURR 0", ":OUTP OFF")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._level = 0.0

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _source_as(
        self, source: str, level: float, sensed: str, limit: float, fixed: float | None
    ) -> None:
        settings = [Setting(":SOUR:FUNC", source), Setting(f":SENS:{sensed}:PROT", limit)]
        if fixed is None:
            settings.append(Setting(f":SENS:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS:{sensed}:RANG", number(fixed)))
        settings.append(Setting(f":SOUR:{source}", level))
        apply(self._transport, f"{source} was sourced", settings)
        self._source, self._level = source, level

    def _read(self, message: str, count: int, delay_seconds: float = 0.0) -> list[SmuReading]:
        # Two functions and autozero: up to six integrations a reading, and some overhead.
        seconds = 1.0 + count * (0.01 + delay_seconds + 6 * self._line_cycles * LINE_SECONDS)
        reply = ask(self._transport, message, Expect.LINE.within(max(5.0, seconds)))
        numbers = parsed_numbers(self._transport, message, reply, count * N_ELEMENTS)
        return [_reading(numbers[i : i + N_ELEMENTS]) for i in range(0, len(numbers), N_ELEMENTS)]

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


def _reading(elements: Sequence[float]) -> SmuReading:
    volts, amps, seconds, status = elements
    word = int(status)
    return SmuReading(volts, amps, seconds, bool(word & COMPLIANCE_BITS), bool(word & OVERFLOW_BIT))
