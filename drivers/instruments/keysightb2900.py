"""Keysight B2900 source-measure units and the B2962A source, SCPI.

The instrument is told first of all not to switch outputs on by itself, which INIT and READ do
after a reset.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

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
from drivers.instruments.smu import SmuLimits, SmuReading
from drivers.transport.interface import Expect, Transport
from hil.errors import HilError, TransportTimeoutError, UsageError

__all__ = ["KeysightB2900", "SmuB2900Setup"]

LARGEST_SWEEP = 2500
ELEMENTS = "VOLT,CURR,TIME,STAT"
N_ELEMENTS = 4
OVERFLOW = 9.9e37
COMPLIANCE_BITS, OVERFLOW_BIT = 0b110, 1 << 13
LINE_SECONDS = 0.02
N_RAMP_STEPS = 10
SENSED = {"VOLT": "CURR", "CURR": "VOLT"}
OffMode: TypeAlias = Literal["NORM", "HIZ", "ZERO"]


@dataclass(frozen=True, slots=True)
class SmuB2900Setup:
    """What stays the same for a run.

    Attributes:
        line_cycles: integration time in power line cycles, 0.0005 to 100.
        four_wire: sense at the device, not at the terminals.
        off_mode: what the terminals do while an output is off; ``NORM`` goes to 0 V and opens
            the relay, ``HIZ`` only opens it, ``ZERO`` keeps it closed at 0 V.
    """

    line_cycles: float = 1.0
    four_wire: bool = False
    off_mode: OffMode = "NORM"


class KeysightB2900:
    """A source-measure unit; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope, by channel; the channels named are those that are used.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        limits: Mapping[int, SmuLimits],
        idn_pattern: str = r"(AGILENT|KEYSIGHT).*B29\d\d",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._limits = dict(limits)
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._on: set[int] = set()
        self._forget()

    def prepare(self, setup: SmuB2900Setup) -> Identity:
        """Check the identity, reset to 0 V with the outputs off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        no_surprise = [f":OUTP{c}:ON:AUTO OFF" for c in self._limits]
        off = [f":OUTP{c} OFF" for c in self._limits]
        reset = [f":ABOR {_listed(self._limits)}", *off, "*RST;*CLS;:STAT:PRES"]
        tell(self._transport, ";".join([*no_surprise, *reset, *no_surprise]))
        self._forget()
        settings = [Setting(":FORM:ELEM:SENS", ELEMENTS)]
        for channel in self._limits:
            settings += [
                Setting(f":OUTP{channel}:ON:AUTO", 0.0),
                Setting(f":OUTP{channel}:OFF:MODE", setup.off_mode),
                Setting(f":SENS{channel}:FUNC", '"VOLT","CURR"'),
                Setting(f":SENS{channel}:FUNC:OFF", '"RES"'),
                Setting(f":SENS{channel}:REM", float(setup.four_wire)),
                Setting(f":SENS{channel}:CURR:NPLC", setup.line_cycles),
                Setting(f":TRIG{channel}:SOUR", "AINT"),
            ]
        apply(self._transport, "being set up", settings)
        self._line_cycles = setup.line_cycles
        return identity

    def source_volts(
        self, channel: int, volts: float, limit_amps: float, amps_range: float | None = None
    ) -> None:
        """Source a voltage: the compliance first, then the range, then the level.

        Changing from amps to volts leaves the output off.

        Args:
            channel: the channel.
            volts: the level.
            limit_amps: compliance.
            amps_range: a fixed measuring range; None: automatic.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse(channel, "VOLT", volts)
        self._refuse(channel, "CURR", limit_amps)
        self._source_as(channel, "VOLT", volts, limit_amps, amps_range)

    def source_amps(
        self, channel: int, amps: float, limit_volts: float, volts_range: float | None = None
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        self._refuse(channel, "CURR", amps)
        self._refuse(channel, "VOLT", limit_volts)
        self._source_as(channel, "CURR", amps, limit_volts, volts_range)

    def switch(self, on: bool, channels: Sequence[int] | None = None) -> None:
        """Outputs on or off, checked.

        Args:
            on: whether on.
            channels: which; None: all that are used.

        Raises:
            InstrumentError: refused, as with the interlock open.
        """
        chosen = self._chosen(channels)
        settings = [Setting(f":OUTP{channel}", float(on)) for channel in chosen]
        apply(self._transport, "the outputs were switched", settings)
        self._on = self._on | set(chosen) if on else self._on - set(chosen)

    def set_levels(self, levels: Mapping[int, float]) -> None:
        """Set levels of the present sources in one message, unchecked by the instrument.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        tell(self._transport, ";".join(self._level_commands(levels)))
        self._levels.update(levels)

    def measure(self, channels: Sequence[int] | None = None) -> dict[int, SmuReading]:
        """One reading of each channel at its present level, in one exchange."""
        return self._read([], self._chosen(channels))

    def measure_at(
        self, levels: Mapping[int, float], channels: Sequence[int] | None = None
    ) -> dict[int, SmuReading]:
        """Set levels of the present sources and read, all channels in one exchange.

        Args:
            levels: by channel.
            channels: which to read; None: all that are used.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        readings = self._read(self._level_commands(levels), self._chosen(channels))
        self._levels.update(levels)
        return readings

    def sweep(
        self, levels: Mapping[int, Sequence[float]], delay_seconds: float = 0.0
    ) -> dict[int, list[SmuReading]]:
        """Source lists of levels and read at each, the channels in step, in one exchange.

        Afterwards the sources are back at the levels they had. Each level is held for the delay
        and the integration time, which makes a list of levels a train of pulses.

        Args:
            levels: by channel, 1 to 2500 levels of its present source, as many for each.
            delay_seconds: from sourcing to reading, besides the instrument's own.

        Raises:
            UsageError: none or too many levels, unequal lists, or an output is off.
            SafetyError: one is outside the envelope; nothing was sent.
            InstrumentError: refused; the outputs are off.
        """
        count = self._checked_length(levels)
        try:
            return self._swept(levels, count, delay_seconds)
        except HilError:
            with contextlib.suppress(HilError):
                off = [f":OUTP{channel} OFF" for channel in levels]
                tell(self._transport, ";".join([f":ABOR {_listed(levels)}", *off]))
            self._on -= set(levels)
            raise

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring all sources to 0 in ten steps, writing only.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = dict(self._levels)
        for step in range(N_RAMP_STEPS - 1, -1, -1):
            self.set_levels({c: level * step / N_RAMP_STEPS for c, level in start.items()})
            sleep(step_seconds)

    def make_safe(self) -> None:
        """Source 0 and switch the outputs off: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; outputs may be on.
        """
        messages = [f":ABOR {_listed(self._limits)}"]
        for c in self._limits:
            messages += [f":OUTP{c}:ON:AUTO OFF", f":SOUR{c}:VOLT:MODE FIX"]
            messages += [f":SOUR{c}:CURR:MODE FIX", f":SOUR{c}:VOLT 0", f":SOUR{c}:CURR 0"]
            messages += [f":OUTP{c} OFF"]
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._levels = dict.fromkeys(self._limits, 0.0)
        self._on = set()

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _forget(self) -> None:
        """The state after a reset."""
        self._sources = dict.fromkeys(self._limits, "VOLT")
        self._levels = dict.fromkeys(self._limits, 0.0)
        self._on = set()

    def _source_as(
        self, channel: int, source: str, level: float, limit: float, fixed: float | None
    ) -> None:
        sensed = SENSED[source]
        settings = [Setting(f":SOUR{channel}:FUNC:MODE", source)]
        settings.append(Setting(f":SENS{channel}:{sensed}:PROT", limit))
        if fixed is None:
            settings.append(Setting(f":SENS{channel}:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS{channel}:{sensed}:RANG", number(fixed)))
        settings.append(Setting(f":SOUR{channel}:{source}", level))
        if source != self._sources[channel]:
            self._on.discard(channel)
        apply(self._transport, f"{source} was sourced on channel {channel}", settings)
        self._sources[channel], self._levels[channel] = source, level

    def _level_commands(self, levels: Mapping[int, float]) -> list[str]:
        for channel, level in levels.items():
            self._refuse(channel, self._source(channel), level)
        return [f":SOUR{c}:{self._source(c)} {number(level)}" for c, level in levels.items()]

    def _read(self, commands: list[str], channels: Sequence[int]) -> dict[int, SmuReading]:
        message = ";".join([*commands, f":MEAS? {_listed(channels)}"])
        reply = ask(self._transport, message, self._expected(1, 0.0))
        rows = self._readings(message, reply, 1, channels)
        return {channel: readings[0] for channel, readings in rows.items()}

    def _swept(
        self, levels: Mapping[int, Sequence[float]], count: int, delay_seconds: float
    ) -> dict[int, list[SmuReading]]:
        message = self._sweep_message(levels, count, delay_seconds)
        try:
            reply = ask(self._transport, message, self._expected(count, delay_seconds))
        except TransportTimeoutError:
            self._transport.clear()
            check_errors(self._transport, "it swept")
            raise
        # Without data the reply is the error alone.
        alone = re.match(r'[+-]?\d+,"', reply) is not None
        data, _, fault = ("", "", reply) if alone else reply.partition(";")
        check_errors(self._transport, "it swept", parsed_fault(self._transport, fault))
        return self._readings(message, data, count, sorted(levels))

    def _sweep_message(
        self, levels: Mapping[int, Sequence[float]], count: int, delay_seconds: float
    ) -> str:
        parts = []
        for c, listed in levels.items():
            source = self._source(c)
            parts += [
                f":SOUR{c}:LIST:{source} {','.join(map(number, listed))}",
                f":SOUR{c}:{source}:MODE LIST",
                f":TRIG{c}:COUN {count}",
                f":TRIG{c}:ACQ:DEL {number(delay_seconds)}",
            ]
        channels = _listed(levels)
        parts += [f":INIT {channels}", "*WAI"]
        for c in levels:
            parts += [f":SOUR{c}:{self._source(c)}:MODE FIX", f":TRIG{c}:COUN 1"]
            parts += [f":TRIG{c}:ACQ:DEL 0"]
        return ";".join([*parts, f":FETC:ARR? {channels}", ":SYST:ERR?"])

    def _checked_length(self, levels: Mapping[int, Sequence[float]]) -> int:
        lengths = {len(listed) for listed in levels.values()}
        if len(lengths) != 1 or not 1 <= min(lengths) <= LARGEST_SWEEP:
            raise UsageError(
                f"a sweep has 1 to {LARGEST_SWEEP} levels, as many for every channel; "
                f"here {sorted(lengths)}"
            )
        for channel, listed in levels.items():
            for level in listed:
                self._refuse(channel, self._source(channel), level)
        if off := sorted(set(levels) - self._on):
            raise UsageError(f"channels {off} are off: switch them on before a sweep")
        return lengths.pop()

    def _expected(self, count: int, delay_seconds: float) -> Expect:
        seconds = 1.0 + count * (0.01 + delay_seconds + 2 * self._line_cycles * LINE_SECONDS)
        return Expect.LINE.within(max(5.0, seconds))

    def _readings(
        self, message: str, reply: str, count: int, channels: Sequence[int]
    ) -> dict[int, list[SmuReading]]:
        """Readings by channel; the instrument sends them side by side."""
        width = N_ELEMENTS * len(channels)
        numbers = parsed_numbers(self._transport, message, reply, count * width)
        return {
            channel: [
                _reading(numbers[row * width + place * N_ELEMENTS :][:N_ELEMENTS])
                for row in range(count)
            ]
            for place, channel in enumerate(channels)
        }

    def _chosen(self, channels: Sequence[int] | None) -> list[int]:
        chosen = sorted(self._limits if channels is None else channels)
        for channel in chosen:
            self._source(channel)
        return chosen

    def _source(self, channel: int) -> str:
        if channel not in self._sources:
            raise UsageError(
                f"{self._transport.address}: channel {channel} has no limits set, only "
                f"{sorted(self._sources)}: name it in the bench file"
            )
        return self._sources[channel]

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)

    def _refuse(self, channel: int, function: str, value: float) -> None:
        self._source(channel)
        limits = self._limits[channel]
        address = f"{self._transport.address}, channel {channel}"
        if function == "VOLT":
            refuse_beyond(address, "a voltage", value, limits.volts)
        else:
            refuse_beyond(address, "a current", value, limits.amps)


def _listed(channels: Sequence[int] | Mapping[int, object]) -> str:
    return f"(@{','.join(map(str, sorted(channels)))})"


def _reading(elements: Sequence[float]) -> SmuReading:
    volts, amps, seconds, status = elements
    word = int(status)
    overflow = bool(word & OVERFLOW_BIT) or max(abs(volts), abs(amps)) >= OVERFLOW
    return SmuReading(volts, amps, seconds, bool(word & COMPLIANCE_BITS), overflow)
