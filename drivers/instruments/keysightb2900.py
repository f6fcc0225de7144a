"""Keysight B2900 source-measure units and the B2962A source, SCPI.

The instrument is told first of all not to switch outputs on by itself, which INIT and READ do
after a reset.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    check_errors,
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
    checked,
    known_limit,
)
from drivers.instruments.smu_channels import ChannelSmu
from drivers.instruments.smu_single import SENSED
from drivers.transport.interface import Expect, Transport
from hil.errors import HilError, UsageError

__all__ = ["KeysightB2900", "SmuB2900Setup"]

ELEMENTS = "VOLT,CURR,TIME,STAT"
N_ELEMENTS = 4
OVERFLOW = 9.9e37
COMPLIANCE_BITS, OVERFLOW_BIT = 0b110, 1 << 13
TIMING = HeldTiming(
    shortest_seconds=100e-6,
    shortest_cycles=0.0005,
    n_integrations=1,
    n_zeroed=1,
    point_seconds=30e-6,
    timed=True,
)
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


class KeysightB2900(ChannelSmu[int]):
    """A source-measure unit; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope, by channel; the channels named are those that are used.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    largest = SmuLimits(volts=210.0, amps=3.03)
    """What any of the family can source and hold."""

    volts_and_amps = ("VOLT", "CURR")
    largest_sweep = 2500
    _on: set[int]

    def __init__(
        self,
        transport: Transport,
        limits: Mapping[int, SmuLimits],
        idn_pattern: str = r"(AGILENT|KEYSIGHT).*B29\d\d",
        serial: str | None = None,
    ) -> None:
        super().__init__(transport, limits, idn_pattern, serial)

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

    def step_levels(self, levels: Mapping[int, float]) -> dict[int, bool]:
        """Set levels of the present sources; whether they were in compliance just before.

        One exchange, in which errors are asked for as well.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: a level was refused.
        """
        if not levels:
            return {}
        commands = self._level_commands(levels)
        asked = [f":SENS{c}:{SENSED[self._function(c)]}:PROT:TRIP?" for c in levels]
        message = ";".join([*asked, commands, ":SYST:ERR?"])
        self._levels.update(levels)
        replies = checked(
            self._transport, message, "levels were set", Expect.LINE, n_replies=len(levels)
        )
        numbers = parsed_numbers(self._transport, message, ",".join(replies), len(levels))
        return {c: number != 0.0 for c, number in zip(levels, numbers, strict=True)}

    def measure(self, channels: Sequence[int] | None = None) -> dict[int, SmuReading]:
        """One reading of each channel at its present level, in one exchange."""
        return self._read("", self._chosen(channels))

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
        ready = [f":TRIG{c}:ACQ:DEL {number(delay_seconds)}" for c in levels]
        back = [f":TRIG{c}:ACQ:DEL 0" for c in levels]
        return self._swept(levels, (ready, back), self._expected(count, delay_seconds))

    def sweep_held(
        self, levels: Mapping[int, Sequence[float]], dwell_seconds: float
    ) -> dict[int, list[SmuReading]]:
        """As :meth:`sweep`, each level held for a time that a timer of the instrument keeps.

        A dwell with room for it is read as :meth:`prepare` said, with automatic range; a shorter
        one on the range of the compliance, with an aperture of at most half of it.

        Args:
            levels: by channel, 1 to 2500 levels of its present source, as many for each.
            dwell_seconds: 100 us or more.

        Raises:
            UsageError: none or too many levels, unequal lists, too short a dwell, or an output
                is off.
            SafetyError: one is outside the envelope; nothing was sent.
            InstrumentError: refused; the outputs are off.
        """
        count = self._checked_length(levels)
        address = self._transport.address
        held = Held.fitting(address, dwell_seconds, self._line_cycles, TIMING)
        ready = [part for c in levels for part in self._readied(c, held)]
        back = [part for c in levels for part in self._back(c, held)]
        expect = Expect.LINE.within(max(5.0, 1.0 + 2 * count * dwell_seconds))
        return self._swept(levels, (ready, back), expect)

    def _swept(
        self,
        levels: Mapping[int, Sequence[float]],
        around: tuple[Sequence[str], Sequence[str]],
        expect: Expect,
    ) -> dict[int, list[SmuReading]]:
        """Sweep with commands before and after it; the outputs are off after errors."""
        message = self._sweep_message(levels, *around)
        count = len(next(iter(levels.values())))
        try:
            (reply,) = checked(self._transport, message, "it swept", expect)
            return self._readings(message, reply, count, sorted(levels))
        except HilError:
            with contextlib.suppress(HilError):
                off = [f":OUTP{channel} OFF" for channel in levels]
                tell(self._transport, ";".join([f":ABOR {_listed(levels)}", *off]))
            self._on -= set(levels)
            raise

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
        super()._forget()
        nothing: tuple[float | None, float | None] = None, None
        self._sensing = dict.fromkeys(self._limits, nothing)
        self._on = set()

    def _level_message(self, channel: int, level: float) -> str:
        return f":SOUR{channel}:{self._functions[channel]} {number(level)}"

    def _joined(self, commands: Sequence[str]) -> str:
        return ";".join(commands)

    def _checked_length(self, levels: Mapping[int, Sequence[float]]) -> int:
        count = super()._checked_length(levels)
        if off := sorted(set(levels) - self._on):
            raise UsageError(f"channels {off} are off: switch them on before a sweep")
        return count

    def _source_as(
        self,
        channel: int,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        sensed = SENSED[source]
        settings = [Setting(f":SOUR{channel}:FUNC:MODE", source)]
        settings.append(Setting(f":SENS{channel}:{sensed}:PROT", limit))
        if fixed is None:
            settings.append(Setting(f":SENS{channel}:{sensed}:RANG:AUTO", 1.0))
        else:
            settings.append(Setting(f":SENS{channel}:{sensed}:RANG", number(fixed)))
        if largest is not None:
            # A range that does not reach the level of long ago would be refused.
            settings.append(Setting(f":SOUR{channel}:{source}", "0"))
            settings.append(Setting(f":SOUR{channel}:{source}:RANG", number(largest)))
        settings.append(Setting(f":SOUR{channel}:{source}", level))
        if source != self._functions[channel]:
            self._on.discard(channel)
        apply(self._transport, f"{source} was sourced on channel {channel}", settings)
        self._functions[channel], self._levels[channel] = source, level
        self._sensing[channel] = limit, fixed

    def _read(self, commands: str, channels: Sequence[int]) -> dict[int, SmuReading]:
        message = ";".join([*([commands] if commands else []), f":MEAS? {_listed(channels)}"])
        reply = ask(self._transport, message, self._expected(1, 0.0))
        rows = self._readings(message, reply, 1, channels)
        return {channel: readings[0] for channel, readings in rows.items()}

    def _sweep_message(
        self,
        levels: Mapping[int, Sequence[float]],
        ready: Sequence[str],
        back: Sequence[str],
    ) -> str:
        parts = []
        for c, listed in levels.items():
            source = self._function(c)
            parts += [
                f":SOUR{c}:LIST:{source} {','.join(map(number, listed))}",
                f":SOUR{c}:{source}:MODE LIST",
                f":TRIG{c}:COUN {len(listed)}",
            ]
        channels = _listed(levels)
        parts += [*ready, f":INIT {channels}", "*WAI"]
        for c in levels:
            parts += [f":SOUR{c}:{self._function(c)}:MODE FIX", f":TRIG{c}:COUN 1"]
        return ";".join([*parts, *back, f":FETC:ARR? {channels}", ":SYST:ERR?"])

    def _readied(self, c: int, held: Held) -> list[str]:
        """Steps in time with a timer, no waits of the instrument's own."""
        parts = [f":TRIG{c}:SOUR TIM", f":TRIG{c}:TIM {number(held.dwell_seconds)}"]
        parts += [f":TRIG{c}:ACQ:DEL {number(held.wait_seconds)}"]
        parts += [f":SOUR{c}:WAIT OFF", f":SENS{c}:WAIT OFF"]
        if held.quick:
            sense = f":SENS{c}:{SENSED[self._function(c)]}"
            limit = known_limit(self._transport.address, self._sensing[c][0])
            parts += [f"{sense}:NPLC {number(held.line_cycles)}", f"{sense}:RANG {number(limit)}"]
        return parts

    def _back(self, c: int, held: Held) -> list[str]:
        """Everything as it was before a sweep."""
        parts = [f":TRIG{c}:SOUR AINT", f":TRIG{c}:ACQ:DEL 0"]
        parts += [f":SOUR{c}:WAIT ON", f":SENS{c}:WAIT ON"]
        if held.quick:
            sense = f":SENS{c}:{SENSED[self._function(c)]}"
            _, fixed = self._sensing[c]
            parts += [f"{sense}:NPLC {number(self._line_cycles)}"]
            parts += [f"{sense}:RANG{':AUTO ON' if fixed is None else f' {number(fixed)}'}"]
        return parts

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
                self._reading(message, reply, numbers[first : first + N_ELEMENTS])
                for first in range(place * N_ELEMENTS, count * width, width)
            ]
            for place, channel in enumerate(channels)
        }

    def _reading(self, message: str, reply: str, elements: Sequence[float]) -> SmuReading:
        volts, amps, seconds, status = elements
        word = parsed_integer(self._transport, message, reply, status)
        overflow = bool(word & OVERFLOW_BIT) or max(abs(volts), abs(amps)) >= OVERFLOW
        return SmuReading(volts, amps, seconds, bool(word & COMPLIANCE_BITS), overflow)


def _listed(channels: Sequence[int] | Mapping[int, object]) -> str:
    return f"(@{','.join(map(str, sorted(channels)))})"
