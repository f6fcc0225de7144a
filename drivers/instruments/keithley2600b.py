"""Keithley 2600B SourceMeters with one or two channels, TSP.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from drivers.instruments import keithley2600b_sweeps as sweeps
from drivers.instruments import tsp
from drivers.instruments.base import Identity, attempt_all, identify, parsed_integer, tell
from drivers.instruments.keithley2600b_sweeps import N_COLUMNS, Letter
from drivers.instruments.smu import LINE_SECONDS, Held, SmuLimits, SmuReading
from drivers.instruments.smu_channels import ChannelSmu
from drivers.instruments.tsp import Setting, number
from drivers.transport.interface import Expect, Transport
from hil.errors import ProtocolError, TransportTimeoutError

__all__ = ["Keithley2600B", "Smu2600Setup"]

OVERFLOW = 9.9e37
COMPLIANCE_CONDITIONS = 0b11  # voltage limit, current limit
COMPLIANCE_STATUS = 1 << 6  # of a buffer's statuses
OffMode: TypeAlias = Literal["NORMAL", "ZERO", "HIGH_Z"]
OFF_MODES: dict[OffMode, float] = {"NORMAL": 0, "ZERO": 1, "HIGH_Z": 2}


@dataclass(frozen=True, slots=True)
class Smu2600Setup:
    """What stays the same for a run.

    Attributes:
        line_cycles: integration time in power line cycles, 0.001 to 25.
        four_wire: sense at the device, not at the terminals.
        off_mode: what the terminals do while the output is off; ``HIGH_Z`` wears a relay.
    """

    line_cycles: float = 1.0
    four_wire: bool = False
    off_mode: OffMode = "NORMAL"


class Keithley2600B(ChannelSmu[Letter]):
    """A SourceMeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope, by channel; the channels named are those that are used.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    largest = SmuLimits(volts=202.0, amps=3.03)
    """What any of the family can source: volts of a 2636B, amps of a 2602B."""

    volts_and_amps = ("v", "i")
    largest_sweep = 10_000

    def __init__(
        self,
        transport: Transport,
        limits: Mapping[Letter, SmuLimits],
        idn_pattern: str = r"KEITHLEY.*MODEL 26[0135]\d[AB]",
        serial: str | None = None,
    ) -> None:
        super().__init__(transport, limits, idn_pattern, serial)

    def prepare(self, setup: Smu2600Setup) -> Identity:
        """Check the identity, reset to 0 V with the outputs off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, "abort")
        tell(self._transport, "reset() errorqueue.clear() status.reset()")
        self._forget()
        settings = [Setting("format.asciiprecision", 10)]
        for letter in self._limits:
            settings += [
                Setting(f"smu{letter}.source.offmode", OFF_MODES[setup.off_mode]),
                Setting(f"smu{letter}.sense", float(setup.four_wire)),
                Setting(f"smu{letter}.measure.nplc", setup.line_cycles),
                Setting(f"smu{letter}.nvbuffer1.appendmode", 1),
                Setting(f"smu{letter}.nvbuffer2.appendmode", 1),
            ]
        tsp.apply(self._transport, "being set up", settings)
        self._line_cycles = setup.line_cycles
        return identity

    def switch(self, on: bool, letters: Sequence[Letter] | None = None) -> None:
        """Outputs on or off in one message, checked.

        Args:
            on: what they are to be.
            letters: channels; None: all that are used.

        Raises:
            InstrumentError: refused, as with the interlock open (802).
        """
        settings = [Setting(f"smu{x}.source.output", float(on)) for x in self._chosen(letters)]
        tsp.apply(self._transport, "the output was switched", settings)

    def step_levels(self, levels: Mapping[Letter, float]) -> dict[Letter, bool]:
        """Set levels of the present sources; whether they were in compliance just before.

        One exchange, in which errors are asked for as well.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: a level was refused.
        """
        if not levels:
            return {}
        before = [f"c{x}" for x in levels]
        asked = ",".join(f"smu{x}.source.compliance" for x in levels)
        commands = f"{','.join(before)}={asked} {self._level_commands(levels)}"
        self._levels.update(levels)
        values = tsp.run(self._transport, "levels were set", commands, before)
        if not set(values) <= {"true", "false"}:
            raise ProtocolError(
                f"{self._transport.address} answered {values} where true or false was expected "
                "for each channel. Probably a late reply to an earlier message: clear the session",
                address=self._transport.address,
                sent=commands,
                received=values,
            )
        return {x: value == "true" for x, value in zip(levels, values, strict=True)}

    def measure(self, letters: Sequence[Letter] | None = None) -> dict[Letter, SmuReading]:
        """One reading of each channel at the present levels, in one exchange."""
        return self._read("", self._chosen(letters))

    def measure_at(
        self,
        levels: Mapping[Letter, float],
        letters: Sequence[Letter] | None = None,
        delay_seconds: float = 0.0,
    ) -> dict[Letter, SmuReading]:
        """Set levels, wait, and read channels, in one exchange.

        Args:
            levels: of the present sources, by channel.
            letters: channels that are read; None: all that are used.
            delay_seconds: from the last level to the first reading, kept by the instrument.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        commands = self._level_commands(levels)
        if delay_seconds:
            commands += f" delay({number(delay_seconds)})"
        readings = self._read(commands, self._chosen(letters), delay_seconds)
        self._levels.update(levels)
        return readings

    def sweep(
        self, levels: Mapping[Letter, Sequence[float]], delay_seconds: float = 0.0
    ) -> dict[Letter, list[SmuReading]]:
        """Step channels through lists together and read each at every step, in one exchange.

        Lists of more than 100 levels go ahead in messages of their own. Afterwards the sources
        are back at the levels they had. Each level is held for the delay and the integration
        time, which makes a list of levels a train of pulses.

        Args:
            levels: lists of one length, by channel.
            delay_seconds: from sourcing to reading.

        Raises:
            UsageError: no channel, lists of different lengths, or too long.
            SafetyError: a level is outside the envelope; nothing was sent.
            InstrumentError: the instrument reported errors during the sweep.
        """
        n_steps = self._checked_length(levels)
        back = self._back(levels)
        message = sweeps.stepped(levels, self._level_names(levels), back, delay_seconds)
        step_seconds = 0.01 + delay_seconds + 3 * self._line_cycles * LINE_SECONDS
        return self._swept(levels, message, n_steps * step_seconds)

    def sweep_held(
        self, levels: Mapping[Letter, Sequence[float]], dwell_seconds: float
    ) -> dict[Letter, list[SmuReading]]:
        """As :meth:`sweep`, each level held for a time that a timer of the instrument keeps.

        The channels step together, within some microseconds. A dwell with room for it is read
        as :meth:`prepare` said, with automatic zero and range; a shorter one on the range of the
        compliance with an aperture of at most half of it. Everything is as before afterwards.

        Args:
            levels: lists of one length, by channel.
            dwell_seconds: 100 us or more.

        Raises:
            UsageError: no channel, lists of different lengths, or too long; too short a dwell.
            SafetyError: a level is outside the envelope; nothing was sent.
            InstrumentError: the instrument reported errors during the sweep.
        """
        n_steps = self._checked_length(levels)
        held = Held.fitting(
            self._transport.address, dwell_seconds, self._line_cycles, sweeps.TIMING
        )
        message = sweeps.held(levels, self._functions, held, self._line_cycles)
        return self._swept(levels, message, n_steps * dwell_seconds)

    def _swept(
        self, levels: Mapping[Letter, Sequence[float]], message: str, seconds: float
    ) -> dict[Letter, list[SmuReading]]:
        """Send long lists ahead, run a sweep, and take its block of readings apart."""
        for ahead in sweeps.long_lists(levels):
            tell(self._transport, ahead)
        width = N_COLUMNS * len(levels) + 1
        n_bytes = 4 * width * len(next(iter(levels.values())))
        expect = Expect.block(n_bytes).within(max(5.0, 1.0 + seconds))
        try:
            payload = self._transport.exchange(message.encode("ascii"), expect)
        except TransportTimeoutError:
            # A runtime error ends the message: no block comes, and the queue says why.
            self._transport.clear()
            tsp.check_errors(self._transport, "sweeping")
            raise
        rows = list(struct.iter_unpack(f"<{width}f", payload))
        if rows[-1][-1]:
            tsp.check_errors(self._transport, "sweeping")
        return {
            letter: [
                self._buffered(message, row[N_COLUMNS * place : N_COLUMNS * (place + 1)])
                for row in rows
            ]
            for place, letter in enumerate(levels)
        }

    def make_safe(self) -> None:
        """Source 0 and switch the outputs off: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; an output may be on.
        """
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        messages = ["abort"]
        for command in ("abort()", "source.levelv=0", "source.leveli=0", "source.output=0"):
            messages += [f"smu{letter}.{command}" for letter in self._limits]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)
        self._levels = dict.fromkeys(self._limits, 0.0)

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        tsp.check_errors(self._transport, "it was last used")

    def _level_message(self, channel: Letter, level: float) -> str:
        return f"smu{channel}.source.level{self._functions[channel]}={number(level)}"

    def _joined(self, commands: Sequence[str]) -> str:
        return " ".join(commands)

    def _source_as(
        self,
        channel: Letter,
        source: str,
        level: float,
        limit: float,
        fixed: float | None,
        largest: float | None,
    ) -> None:
        sensed = "i" if source == "v" else "v"
        smu = f"smu{channel}"
        settings = [Setting(f"{smu}.source.limit{sensed}", limit)]
        if fixed is None:
            settings.append(Setting(f"{smu}.measure.autorange{sensed}", 1))
        else:
            settings.append(Setting(f"{smu}.measure.range{sensed}", fixed, confirmed=False))
        if largest is not None:
            # A range that does not reach the level of long ago would be refused.
            settings.append(Setting(f"{smu}.source.level{source}", 0.0, confirmed=False))
            settings.append(Setting(f"{smu}.source.range{source}", largest, confirmed=False))
        # The level before the function: a level of long ago must not come out in between.
        settings.append(Setting(f"{smu}.source.level{source}", level))
        settings.append(Setting(f"{smu}.source.func", float(source == "v")))
        tsp.apply(self._transport, f"{smu} was set to source", settings)
        self._functions[channel], self._levels[channel] = source, level

    def _read(
        self, commands: str, letters: Sequence[Letter], delay_seconds: float = 0.0
    ) -> dict[Letter, SmuReading]:
        measure = " ".join(f"i{x},v{x}=smu{x}.measure.iv()" for x in letters)
        condition = "status.measurement.instrument.smu{}.condition"
        expressions = [e for x in letters for e in (f"v{x}", f"i{x}", condition.format(x))]
        seconds = 1.0 + delay_seconds + 3 * len(letters) * self._line_cycles * LINE_SECONDS
        expect = Expect.LINE.within(max(5.0, seconds))
        values = tsp.run_numbers(
            self._transport, "measuring", f"{commands} {measure}".strip(), expressions, expect
        )
        return {
            letter: self._read_now(measure, values[3 * place : 3 * place + 3])
            for place, letter in enumerate(letters)
        }

    def _level_names(self, letters: Iterable[Letter]) -> dict[Letter, str]:
        return {x: f"smu{x}.source.level{self._functions[x]}" for x in letters}

    def _back(self, letters: Iterable[Letter]) -> list[str]:
        """Commands that bring levels back to what they are now."""
        return [self._level_message(x, self._levels[x]) for x in letters]

    def _read_now(self, message: str, values: Sequence[float]) -> SmuReading:
        volts, amps, condition = values
        word = parsed_integer(self._transport, message, str(values), condition)
        limited = bool(word & COMPLIANCE_CONDITIONS)
        return SmuReading(volts, amps, 0.0, limited, _overflowed(volts, amps))

    def _buffered(self, message: str, values: Sequence[float]) -> SmuReading:
        amps, volts, status = values
        word = parsed_integer(self._transport, message, str(values), status)
        limited = bool(word & COMPLIANCE_STATUS)
        return SmuReading(volts, amps, 0.0, limited, _overflowed(volts, amps))


def _overflowed(volts: float, amps: float) -> bool:
    return max(abs(volts), abs(amps)) >= OVERFLOW
