"""Levels of a bench file: against its envelope, and against what each instrument may do.

Drops are compared with the errors of sources added, see :func:`drivers.bench.envelope.with_errors`;
an instrument's own limits are of levels as they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drivers.bench.consistency_names import split_channel
from drivers.bench.envelope import (
    half_select_volts,
    largest_phase_volts,
    pass_amps,
    phase_drop_volts,
    with_errors,
)
from drivers.bench.identities import DRIVERS

if TYPE_CHECKING:
    from drivers.bench.config import AccessConfig, BenchConfig, SmuPhasesConfig
    from drivers.instruments.smu import SmuLimits

__all__ = ["READ_MARGIN", "wrong_levels"]

READ_MARGIN = 1.05
"""Of the current into a line that is read, for offsets, and devices beyond their window."""

_SLACK = 1.0 + 1e-9
_LOWER_PHASES = "lower phases.max_input_volts, phases.nudge_limit_volts or network.neuron_volts"


def wrong_levels(config: BenchConfig) -> Iterator[str]:
    """All that is too high, in a file whose names make sense."""
    yield from _models(config)
    yield from _phases(config)
    yield from _readings(config)
    yield from _programming(config)


def _models(config: BenchConfig) -> Iterator[str]:
    """Limits that no instrument of the family could reach are slips: millivolts for volts."""
    for name, instrument in config.instruments.items():
        largest: SmuLimits | None = getattr(DRIVERS.get(instrument.model), "largest", None)
        if largest is None:
            continue
        for key, limit, most, unit in (
            ("volts_limit", instrument.volts_limit, largest.volts, "V"),
            ("amps_limit", instrument.amps_limit, largest.amps, "A"),
        ):
            if limit > most * _SLACK:
                yield (
                    f"instruments.{name}.{key} of {limit:.6g} {unit} is beyond what any "
                    f"{instrument.model} can source, {most:.6g} {unit}: give it in {unit}, not in "
                    f"m{unit}, or name the right model"
                )


def _phases(config: BenchConfig) -> Iterator[str]:
    envelope, phases = config.envelope, config.phases
    worst, erring = largest_phase_volts(config)
    seen = f"devices could see {_erring(worst, erring)}"
    if erring > envelope.read_volts * _SLACK:
        yield (
            f"{seen} in a phase, envelope.read_volts is {envelope.read_volts:.6g} V: "
            f"{_LOWER_PHASES}, or widen the envelope if the devices bear it"
        )
    yield from _must_not_program(config, f"{seen} in a phase", erring, _LOWER_PHASES)
    yield from _amps_of_sources(config, "phases.max_nudge_amps", phases.max_nudge_amps)
    if phases.kind == "smu":
        limit = phases.input_limit_amps
        yield from _amps_of_sources(config, "phases.input_limit_amps", limit)
        yield from _smu_instruments(config, phases)


def _smu_instruments(config: BenchConfig, phases: SmuPhasesConfig) -> Iterator[str]:
    for channel in phases.inputs:
        yield from _fits(
            config, channel,
            ("phases.max_input_volts", phases.max_input_volts),
            ("phases.input_limit_amps", phases.input_limit_amps),
        )  # fmt: skip
    for channel in phases.outputs:
        yield from _fits(
            config, channel,
            ("phases.nudge_limit_volts", phases.nudge_limit_volts),
            ("phases.max_nudge_amps", phases.max_nudge_amps),
        )  # fmt: skip
    node_volts = max(phase_drop_volts(config)) / 2.0
    range_volts = config.instruments[phases.voltmeter].volts_range
    if range_volts is not None and node_volts > range_volts * _SLACK:
        yield (
            f"nodes could reach {node_volts:.4g} V in a phase, instruments."
            f"{phases.voltmeter}.volts_range is {range_volts:.4g} V: choose a higher range, or "
            f"{_LOWER_PHASES}"
        )


def _readings(config: BenchConfig) -> Iterator[str]:
    access, envelope = config.access, config.envelope
    if access is None:
        return
    volts = access.read_volts
    erring = with_errors(volts)
    seen = f"devices could see {_erring(volts, erring)} when they are read (access.read_volts)"
    if erring > envelope.read_volts * _SLACK:
        yield (
            f"{seen}, envelope.read_volts is {envelope.read_volts:.6g} V: lower access.read_volts, "
            "or widen the envelope if the devices bear it"
        )
    yield from _must_not_program(config, seen, erring, "lower access.read_volts")
    yield from _amps_of_sources(config, "access.read_amps", access.read_amps)
    yield from _read_amps(config, access)
    for channel in (access.high, access.low):
        yield from _fits(
            config, channel,
            ("access.read_volts", volts), ("access.read_amps", access.read_amps),
        )  # fmt: skip


def _must_not_program(
    config: BenchConfig, seen: str, erring_volts: float, remedy: str
) -> Iterator[str]:
    """Neither phases nor readings mean to program: what they bring must be harmless."""
    harmless = config.envelope.half_select_volts
    if erring_volts > harmless * _SLACK:
        yield (
            f"{seen}, and only up to envelope.half_select_volts of {harmless:.6g} V are devices "
            f"sure to stay as they are: {remedy}, or raise envelope.half_select_volts if the "
            "devices bear it"
        )


def _read_amps(config: BenchConfig, access: AccessConfig) -> Iterator[str]:
    """A source that reads a device has its whole line to feed."""
    arrays = config.network.topology.groups
    longest = max(max(array.tails.size, array.heads.size) for array in arrays)
    amps = READ_MARGIN * access.read_volts * config.network.g_max_siemens * longest
    if amps > access.read_amps * _SLACK:
        yield (
            f"a line of {longest} devices at network.g_max_siemens could draw {amps:.4g} A at "
            f"access.read_volts of {access.read_volts:.4g} V, {READ_MARGIN - 1:.0%} of margin "
            f"included; access.read_amps is {access.read_amps:.4g} A: raise it, or lower "
            "access.read_volts"
        )


def _programming(config: BenchConfig) -> Iterator[str]:
    programming, envelope = config.programming, config.envelope
    largest = max(programming.set_volts, programming.reset_volts)
    lower = "lower programming.set_volts and programming.reset_volts"
    erring = with_errors(largest)
    if erring > envelope.program_volts * _SLACK:
        yield (
            f"devices could see {_erring(largest, erring)} when they are programmed, "
            f"envelope.program_volts is {envelope.program_volts:.6g} V: {lower}, or widen the "
            "envelope if the devices bear it"
        )
    half = half_select_volts(programming)
    erring = with_errors(half) if half > 0.0 else 0.0
    if erring > envelope.half_select_volts * _SLACK:
        yield (
            f"half-selected devices could see {_erring(half, erring)}, envelope.half_select_volts "
            f"is {envelope.half_select_volts:.6g} V: {lower}, or widen the envelope if the devices "
            "bear it"
        )
    yield from _above(
        "programming.limit_amps", programming.limit_amps,
        "envelope.program_amps", envelope.program_amps, "A",
    )  # fmt: skip
    if config.phases.kind == "smu" and config.access is not None:
        yield from _pulses(config, config.access, largest)


def _pulses(config: BenchConfig, access: AccessConfig, volts: float) -> Iterator[str]:
    """Pulses through the matrix: a device's lines, and what their sources bring."""
    programming = config.programming
    limit = ("programming.limit_amps", programming.limit_amps)
    for channel in (access.high, access.low):
        # Whatever the scheme, see drivers.bench.access_pulses.
        yield from _fits(config, channel, ("half a programming amplitude", volts / 2.0), limit)
    if programming.scheme == "third":
        for other in (access.third, access.two_thirds):
            if other is not None:
                yield from _fits(config, other, ("V/6 while programming,", volts / 6.0))
    for k, array in enumerate(config.network.topology.groups):
        row, column = pass_amps(config, (array.tails.size, array.heads.size), 1, 1)
        amps, line = max((row, "row"), (column, "column"))
        if amps > programming.limit_amps * _SLACK:
            yield (
                f"one {line} of array {k} could draw {amps:.4g} A while a single one of its "
                "devices is pulsed (all of them at network.g_max_siemens), programming.limit_amps "
                f"is {programming.limit_amps:.4g} A: raise programming.limit_amps, and with it "
                "envelope.program_amps and the amps_limit of the access sources, if the lines bear "
                "it"
            )


def _amps_of_sources(config: BenchConfig, key: str, amps: float) -> Iterator[str]:
    yield from _above(key, amps, "envelope.source_amps", config.envelope.source_amps, "A")


def _fits(
    config: BenchConfig,
    channel: str,
    volts: tuple[str, float],
    amps: tuple[str, float] | None = None,
) -> Iterator[str]:
    """Whether an instrument's own limits allow what its channel is for; each with its name."""
    name, _ = split_channel(channel)
    limits = config.instruments[name]
    key = f"instruments.{name}"
    what, level = volts
    yield from _above(f"{channel}: {what}", level, f"{key}.volts_limit", limits.volts_limit, "V")
    if amps is not None:
        what, level = amps
        yield from _above(f"{channel}: {what}", level, f"{key}.amps_limit", limits.amps_limit, "A")


def _above(what: str, value: float, limit_name: str, limit: float, unit: str) -> Iterator[str]:
    if value > limit * _SLACK:
        yield (
            f"{what} of {value:.6g} {unit} is beyond {limit_name} of {limit:.6g} {unit}: lower "
            "the former, or raise the latter if lines and devices bear it"
        )


def _erring(nominal: float, with_errors_volts: float) -> str:
    return f"{nominal:.6g} V ({with_errors_volts:.6g} V with the errors of sources)"
