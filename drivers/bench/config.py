"""``bench.toml``: instruments, wiring, limits, idle mode. Parsed once, frozen, checked as a whole.

Channels are written ``instrument.channel``: ``in1.a`` of a 2600B, ``smu.1`` of a B2900, ``smu`` of
an instrument that has one. Crosspoints are ``instrument.name`` in the same way. Lines of arrays
are ``a<k>.r<i>`` and ``a<k>.c<j>``. ``first:last`` is a range, see :mod:`drivers.bench.names`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from drivers.bench.names import expanded_all, line_names
from drivers.bench.network import NetworkConfig
from drivers.bench.tables import Table
from hil.model import NotNegative, Positive

__all__ = [
    "BUSES",
    "AccessConfig",
    "BenchConfig",
    "BoardPhasesConfig",
    "EnvelopeConfig",
    "InstrumentConfig",
    "MatrixBlockConfig",
    "ProgrammingConfig",
    "SmuPhasesConfig",
]


def _word(value: str) -> str:
    """A text without spaces around it."""
    word = value.strip()
    if not word:
        raise ValueError("it is empty: give it, or leave the key out if that is allowed")
    return word


SourceModel: TypeAlias = Literal[
    "keithley2400", "keithley2450", "keithley2600b", "keysightb2900", "keithley6221"
]
SwitchModel: TypeAlias = Literal["keithley707b", "keithley3706a", "keithley2750"]
MeterModel: TypeAlias = Literal["daq6510", "agilent34970a", "keithley2750"]
Names: TypeAlias = tuple[str, ...]
_Word: TypeAlias = Annotated[str, AfterValidator(_word)]

BUSES = ("high", "low", "ground", "soft", "third", "two_thirds", "work")
"""What a line can be joined to."""

_OPTIONAL_BUSES = ("soft", "third", "two_thirds", "work")


def _names(value: Any) -> Any:
    """A text of names and ranges, or a list of such texts."""
    if isinstance(value, str):
        return expanded_all([value])
    if isinstance(value, list | tuple):
        return expanded_all(map(str, value))
    return value


class InstrumentConfig(Table):
    """One instrument: who it is and what it may do at most."""

    model: SourceModel | SwitchModel | MeterModel | Literal["shboard"] = Field(
        description="Which driver."
    )
    address: _Word = Field(
        description="VISA resource such as TCPIP::192.168.0.11::5025::SOCKET, or a serial port "
        "such as /dev/ttyACM0 or COM5 for a board.",
    )
    idn: str | None = Field(
        default=None, description="Regular expression in *IDN?; that of the model if omitted."
    )
    serial: _Word | None = Field(default=None, description="Serial number; any if omitted.")
    visa_library: str = Field(default="@py", description="pyvisa's backend.")
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=5.0, description="For a reply."
    )
    baud_rate: Annotated[int, Field(ge=300, le=10_000_000)] = Field(
        default=3_000_000, description="Of a serial port."
    )
    volts_limit: Positive = Field(
        default=1.0, description="Largest level or compliance that is ever sent (sources)."
    )
    amps_limit: Positive = Field(default=1e-2, description="Likewise.")
    line_cycles: Annotated[float, Field(ge=0.001, le=100)] = Field(
        default=1.0, description="Integration time of measurements, power line cycles."
    )
    four_wire: bool = Field(default=False, description="Sense at the device.")
    off_mode: Literal["normal", "zero", "high_z"] = Field(
        default="normal", description="What outputs do while they are off."
    )
    volts_range: Positive | None = Field(
        default=None, description="Fixed range of a voltmeter; automatic if omitted."
    )
    high_impedance: bool = Field(default=True, description="Of a voltmeter: above 10 GOhm.")

    @field_validator("idn")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.strip():
            raise ValueError(
                "an empty expression is found in whatever any instrument answers: leave idn out "
                "for that of the model, or give a part of the reply to *IDN?"
            )
        try:
            re.compile(value, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(
                f"{value!r} is no regular expression ({error}): put a backslash before characters "
                "that stand for themselves, or leave idn out for that of the model"
            ) from error
        return value


class EnvelopeConfig(Table):
    """What a device may ever see; everything else follows from it and is refused before I/O."""

    read_volts: Positive = Field(
        description="Across a device in phases and when it is read, errors of sources included."
    )
    program_volts: Positive = Field(description="Likewise across a device that is programmed.")
    half_select_volts: Positive = Field(
        description="Likewise across a device that is not meant, while another one is programmed; "
        "it leaves devices as they are, so that phases and readings must not bring more."
    )
    source_amps: Positive = Field(description="Out of one source, in phases and readings.")
    program_amps: Positive = Field(description="Out of one source while programming.")


class SmuPhasesConfig(Table):
    """Wiring (a): a source an input line, a current source an output, a scanning voltmeter."""

    kind: Literal["smu"] = "smu"
    inputs: Names = Field(description="Source channel of each input line, in their order.")
    outputs: Names = Field(description="Current source channel of each output.")
    voltmeter: str = Field(description="Instrument.")
    voltmeter_channels: Names = Field(
        description="Its channel for each node that is no input, in their order."
    )
    max_input_volts: Positive = Field(description="Largest input level.")
    max_nudge_amps: Positive = Field(description="Largest nudge current.")
    input_limit_amps: Positive = Field(description="Compliance of the input sources.")
    nudge_limit_volts: Positive = Field(description="Compliance of the nudge sources.")
    settle_seconds: NotNegative | None = Field(
        default=None,
        description="From levels to readings; from conductances and network.node_farads if "
        "omitted.",
    )
    settle_tolerance: Annotated[float, Field(gt=0, lt=0.1)] = Field(
        default=1e-4, description="Share of a step that may be left then."
    )
    noise_volts: NotNegative = Field(description="Rms noise of one voltage read in a phase.")

    @field_validator("inputs", "outputs", "voltmeter_channels", mode="before")
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        return _names(value)


class BoardPhasesConfig(Table):
    """Wiring (b): a sample-and-hold board runs the phases and applies the pulses."""

    kind: Literal["board"] = "board"
    board: str = Field(description="Instrument.")
    max_input_volts: Positive = Field(description="Largest input level.")
    max_nudge_amps: Positive = Field(description="Largest nudge current.")
    nudge_limit_volts: Positive = Field(
        description="Voltage at which the board's nudge sources, or its supply, give up."
    )
    settle_seconds: NotNegative | None = Field(default=None, description="As of wiring (a).")
    settle_tolerance: Annotated[float, Field(gt=0, lt=0.1)] = Field(
        default=1e-4, description="Share of a step that may be left then."
    )
    acquire_seconds: Positive = Field(default=20e-6, description="For which a bank tracks.")
    dead_man_seconds: Annotated[float, Field(ge=0.05, le=60)] = Field(
        default=10.0, description="Silence after which the board makes itself safe."
    )
    noise_volts: NotNegative = Field(description="Rms noise of one voltage held and read.")


class AccessConfig(Table):
    """Sources that reach single devices through the matrix, and how one is read."""

    high: str = Field(description="Source channel of the row of a device.")
    low: str = Field(description="Source channel of its column, virtual ground in readings.")
    third: str | None = Field(default=None, description="For V/3: other rows.")
    two_thirds: str | None = Field(default=None, description="For V/3: other columns.")
    read_volts: Positive = Field(default=0.1, description="Across a device that is read.")
    read_amps: Positive = Field(
        default=1e-3,
        description="Compliance of readings; at least 1.05 times what a line of devices draws.",
    )
    read_siemens: NotNegative = Field(
        default=0.0, description="Rms error of one reading of a conductance."
    )


class ProgrammingConfig(Table):
    """Pulses."""

    scheme: Literal["half", "third", "gate"] = Field(
        default="half", description="V/2, V/3, or through 1T1R gates (boards)."
    )
    set_volts: Positive = Field(description="Amplitude that raises a conductance.")
    reset_volts: Positive = Field(description="Amplitude that lowers one.")
    set_gate_volts: NotNegative = Field(default=0.0, description="Of 1T1R gates.")
    reset_gate_volts: NotNegative = Field(default=0.0, description="Likewise.")
    width_seconds: Annotated[float, Field(ge=1e-6, le=1.0)] = Field(description="Of a pulse.")
    limit_amps: Positive = Field(default=1e-3, description="Compliance of the sources.")
    most_pulses: Annotated[int, Field(ge=1, le=127)] = Field(
        default=127,
        description="A device gets in one exchange; more are sent in further ones.",
    )
    budget_pulses: Annotated[int, Field(ge=1, le=10**12)] = Field(
        default=10**7, description="A device and session; programming stops there."
    )


class MatrixBlockConfig(Table):
    """Some lines and their crosspoints, in the same order: one card, say."""

    instrument: str = Field(description="Switching mainframe.")
    lines: Names = Field(description="Lines of arrays.")
    high: Names = Field(description="Crosspoints to the bus of access.high.")
    low: Names = Field(description="To the bus of access.low.")
    ground: Names = Field(description="To ground.")
    soft: Names = Field(default=(), description="To ground through a resistor.")
    third: Names = Field(default=(), description="To the bus of access.third.")
    two_thirds: Names = Field(default=(), description="To the bus of access.two_thirds.")
    work: Names = Field(
        default=(), description="To what the line works with in phases: source or neuron."
    )

    @field_validator(
        "lines", "high", "low", "ground", "soft", "third", "two_thirds", "work", mode="before"
    )
    @classmethod
    def _expanded(cls, value: Any) -> Any:
        return _names(value)

    @model_validator(mode="after")
    def _lengths(self) -> MatrixBlockConfig:
        for bus in BUSES:
            points = getattr(self, bus)
            if len(points) not in (len(self.lines), 0 if bus in _OPTIONAL_BUSES else -1):
                raise ValueError(
                    f"{bus} names {len(points)} crosspoints for {len(self.lines)} lines; give one "
                    "for each line, in the same order"
                )
        return self


class BenchConfig(Table):
    """A bench, complete."""

    kind: Literal["bench"] = "bench"
    description: str = Field(default="", description="For people.")
    network: NetworkConfig = Field(description="What is in the sockets.")
    envelope: EnvelopeConfig = Field(description="What devices may see.")
    instruments: dict[str, InstrumentConfig] = Field(description="By the names used here.")
    phases: Annotated[SmuPhasesConfig | BoardPhasesConfig, Field(discriminator="kind")] = Field(
        description="How free and nudged phases are run."
    )
    access: AccessConfig | None = Field(
        default=None, description="Reading and writing single devices; none if omitted."
    )
    matrix: tuple[MatrixBlockConfig, ...] = Field(default=(), description="What the switches join.")
    programming: ProgrammingConfig = Field(description="Pulses.")
    idle: Literal["float", "soft_ground", "hard_ground"] = Field(
        default="float", description="What lines are left on when nothing is done."
    )
    watchdog_seconds: Annotated[float, Field(gt=0, le=86400)] = Field(
        default=60.0,
        description="The bench is made safe when it is energised and nothing was asked of it for "
        "so long.",
    )
    emulation: dict[str, Any] = Field(
        default_factory=dict, description="What an emulated bench has in the sockets."
    )

    @property
    def n_crossbars(self) -> int:
        """How many pairs of bias lines there can be."""
        return len(self.network.hidden) + 1

    @property
    def n_groups(self) -> int:
        """How many groups of devices have a rate of their own."""
        return self.n_crossbars

    @model_validator(mode="after")
    def _whole(self) -> BenchConfig:
        from drivers.bench.consistency import check_bench

        check_bench(self)
        return self

    def lines(self) -> Names:
        """All lines of all arrays."""
        return line_names(self.network.topology)

    def crosspoints(self, bus: str) -> dict[str, tuple[str, str]]:
        """For each line that has one: instrument and crosspoint that join it to a bus.

        Args:
            bus: one of ``high low ground soft third two_thirds work``.
        """
        return {
            line: (block.instrument, point)
            for block in self.matrix
            for line, point in zip(block.lines, getattr(block, bus), strict=False)
        }
