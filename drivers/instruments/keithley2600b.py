"""Keithley 2600B SourceMeters with one or two channels, TSP.

Source: Series 2600B Reference Manual, 2600BS-901-01 Rev. F.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from drivers.instruments import tsp
from drivers.instruments.base import Identity, attempt_all, identify, refuse_beyond, tell
from drivers.instruments.smu import SmuLimits, SmuReading
from drivers.instruments.tsp import Setting, number
from drivers.transport.interface import Expect, Transport
from hil.errors import TransportTimeoutError, UsageError

__all__ = ["Keithley2600B", "Smu2600Setup"]

LARGEST_SWEEP = 10_000
LARGEST_LIST = 100  # values that go into one message
N_RAMP_STEPS = 10
OVERFLOW = 9.9e37
COMPLIANCE_CONDITIONS = 0b11  # voltage limit, current limit
COMPLIANCE_STATUS = 1 << 6  # of a buffer's statuses
LINE_SECONDS = 0.02
N_COLUMNS = 3  # amps, volts and status of a channel
Letter: TypeAlias = Literal["a", "b"]
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


class Keithley2600B:
    """A SourceMeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        limits: the envelope, by channel; the channels named are those that are used.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        limits: Mapping[Letter, SmuLimits],
        idn_pattern: str = r"KEITHLEY.*MODEL 26[0135]\d[AB]",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._limits = dict(limits)
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._line_cycles = 1.0
        self._functions = dict.fromkeys(self._limits, "v")
        self._levels = dict.fromkeys(self._limits, 0.0)

    def prepare(self, setup: Smu2600Setup) -> Identity:
        """Check the identity, reset to 0 V with the outputs off, and set up.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, "abort")
        tell(self._transport, "reset() errorqueue.clear() status.reset()")
        self._functions = dict.fromkeys(self._limits, "v")
        self._levels = dict.fromkeys(self._limits, 0.0)
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

    def source_volts(
        self, letter: Letter, volts: float, limit_amps: float, amps_range: float | None = None
    ) -> None:
        """Source a voltage: the compliance first, then the range, then the level.

        Args:
            letter: the channel.
            volts: the level.
            limit_amps: compliance.
            amps_range: a fixed measuring range; None: automatic.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
            InstrumentError: refused, or read back differently.
        """
        self._refuse(letter, "v", volts)
        self._refuse(letter, "i", limit_amps)
        self._source_as(letter, "v", volts, limit_amps, amps_range)

    def source_amps(
        self, letter: Letter, amps: float, limit_volts: float, volts_range: float | None = None
    ) -> None:
        """Source a current; see :meth:`source_volts`."""
        self._refuse(letter, "i", amps)
        self._refuse(letter, "v", limit_volts)
        self._source_as(letter, "i", amps, limit_volts, volts_range)

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

    def set_levels(self, levels: Mapping[Letter, float]) -> None:
        """Change levels of the present sources only, in one message, writing only.

        Raises:
            SafetyError: outside the envelope; nothing was sent.
        """
        tell(self._transport, self._level_commands(levels))
        self._levels.update(levels)

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
        if n_steps > LARGEST_LIST:
            self._send_lists(levels)
        message = self._sweep_message(levels, n_steps, delay_seconds)
        step_seconds = 0.01 + delay_seconds + 3 * self._line_cycles * LINE_SECONDS
        n_values = n_steps * (N_COLUMNS * len(levels) + 1)
        expect = Expect.block(4 * n_values).within(max(5.0, 1.0 + n_steps * step_seconds))
        try:
            payload = self._transport.exchange(message.encode("ascii"), expect)
        except TransportTimeoutError:
            # A runtime error ends the message: no block comes, and the queue says why.
            self._transport.clear()
            tsp.check_errors(self._transport, "sweeping")
            raise
        rows = list(struct.iter_unpack(f"<{N_COLUMNS * len(levels) + 1}f", payload))
        if rows[-1][-1]:
            tsp.check_errors(self._transport, "sweeping")
        return {
            letter: [_buffered(row[N_COLUMNS * place : N_COLUMNS * (place + 1)]) for row in rows]
            for place, letter in enumerate(levels)
        }

    def ramp_to_zero(self, sleep: Callable[[float], None], step_seconds: float = 0.01) -> None:
        """Bring all channels to 0 in ten steps together, writing only.

        Args:
            sleep: waits between steps.
            step_seconds: how long.
        """
        start = dict(self._levels)
        for step in range(N_RAMP_STEPS - 1, -1, -1):
            self.set_levels({x: level * step / N_RAMP_STEPS for x, level in start.items()})
            sleep(step_seconds)

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

    def _source_as(
        self, letter: Letter, source: str, level: float, limit: float, fixed: float | None
    ) -> None:
        sensed = "i" if source == "v" else "v"
        smu = f"smu{letter}"
        settings = [Setting(f"{smu}.source.limit{sensed}", limit)]
        if fixed is None:
            settings.append(Setting(f"{smu}.measure.autorange{sensed}", 1))
        else:
            settings.append(Setting(f"{smu}.measure.range{sensed}", fixed, confirmed=False))
        # The level before the function: a level of long ago must not come out in between.
        settings.append(Setting(f"{smu}.source.level{source}", level))
        settings.append(Setting(f"{smu}.source.func", float(source == "v")))
        tsp.apply(self._transport, f"{smu} was set to source", settings)
        self._functions[letter], self._levels[letter] = source, level

    def _level_commands(self, levels: Mapping[Letter, float]) -> str:
        for letter, level in levels.items():
            self._refuse(letter, self._function(letter), level)
        return " ".join(
            f"smu{letter}.source.level{self._functions[letter]}={number(level)}"
            for letter, level in levels.items()
        )

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
            letter: _read_now(values[3 * place : 3 * place + 3])
            for place, letter in enumerate(letters)
        }

    def _sweep_message(
        self, levels: Mapping[Letter, Sequence[float]], n_steps: int, delay_seconds: float
    ) -> str:
        """The whole sweep as one line of Lua; ``e`` counts errors step by step."""
        lists, clears, steps, reads, backs, columns = [], [], [], [], [], []
        for x, values in levels.items():
            smu, level = f"smu{x}", f"smu{x}.source.level{self._functions[x]}"
            if n_steps <= LARGEST_LIST:
                lists.append(f"hil{x}={{{','.join(map(number, values))}}}")
            clears.append(f"{smu}.nvbuffer1.clear() {smu}.nvbuffer2.clear()")
            steps.append(f"{level}=hil{x}[k]")
            reads.append(f"{smu}.measure.overlappediv({smu}.nvbuffer1,{smu}.nvbuffer2)")
            backs.append(f"{level}={number(self._levels[x])}")
            columns.append(f"{smu}.nvbuffer1,{smu}.nvbuffer2,{smu}.nvbuffer1.statuses")
        loop = " ".join((*steps, f"delay({number(delay_seconds)})", *reads, "waitcomplete()"))
        return " ".join(
            (
                *lists,
                *clears,
                f"hile={{}} for k=1,{n_steps} do {loop} hile[k]=errorqueue.count end",
                *backs,
                "format.byteorder=format.LITTLEENDIAN format.data=format.REAL32",
                f"printbuffer(1,{n_steps},{','.join(columns)},hile) format.data=format.ASCII",
            )
        )

    def _send_lists(self, levels: Mapping[Letter, Sequence[float]]) -> None:
        for letter, values in levels.items():
            for first in range(0, len(values), LARGEST_LIST):
                chunk = ",".join(map(number, values[first : first + LARGEST_LIST]))
                tell(self._transport, _append_command(letter, chunk, first))

    def _checked_length(self, levels: Mapping[Letter, Sequence[float]]) -> int:
        lengths = {len(values) for values in levels.values()}
        if len(lengths) != 1 or not 1 <= min(lengths) <= LARGEST_SWEEP:
            raise UsageError(
                f"a sweep has lists of one length from 1 to {LARGEST_SWEEP}, not {sorted(lengths)}"
            )
        for letter, values in levels.items():
            for level in values:
                self._refuse(letter, self._function(letter), level)
        return lengths.pop()

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)

    def _chosen(self, letters: Sequence[Letter] | None) -> list[Letter]:
        return list(self._limits) if letters is None else [x for x in letters if self._function(x)]

    def _function(self, letter: Letter) -> str:
        if letter not in self._functions:
            raise UsageError(
                f"{self._transport.address}: channel {letter} has no limits and is not used; the "
                f"channels are {', '.join(self._functions)}"
            )
        return self._functions[letter]

    def _refuse(self, letter: Letter, function: str, value: float) -> None:
        self._function(letter)
        limits = self._limits[letter]
        if function == "v":
            refuse_beyond(self._transport.address, "a voltage", value, limits.volts)
        else:
            refuse_beyond(self._transport.address, "a current", value, limits.amps)


def _append_command(letter: Letter, values: str, first: int) -> str:
    """Lua that puts further values into a channel's list, the first ones into a new list."""
    if first == 0:
        return f"hil{letter}={{{values}}}"
    return f"for _,x in ipairs({{{values}}}) do table.insert(hil{letter},x) end"


def _read_now(values: Sequence[float]) -> SmuReading:
    volts, amps, condition = values
    limited = bool(int(condition) & COMPLIANCE_CONDITIONS)
    return SmuReading(volts, amps, 0.0, limited, _overflowed(volts, amps))


def _buffered(values: Sequence[float]) -> SmuReading:
    amps, volts, status = values
    limited = bool(int(status) & COMPLIANCE_STATUS)
    return SmuReading(volts, amps, 0.0, limited, _overflowed(volts, amps))


def _overflowed(volts: float, amps: float) -> bool:
    return max(abs(volts), abs(amps)) >= OVERFLOW
