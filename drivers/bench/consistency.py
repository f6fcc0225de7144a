"""Whether a bench file agrees with itself; nothing that does not is ever sent to an instrument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from drivers.bench.envelope import half_select_volts, phase_drop_volts

if TYPE_CHECKING:
    from drivers.bench.config import BenchConfig, InstrumentConfig

__all__ = ["CHANNELS", "check_bench", "split_channel"]

CHANNELS: dict[str, tuple[str, ...]] = {
    "keithley2400": ("",),
    "keithley2450": ("",),
    "keithley2600b": ("a", "b"),
    "keysightb2900": ("1", "2"),
    "keithley6221": ("",),
}
"""Names of a source's channels by model."""

_SWITCHES = ("keithley707b", "keithley3706a", "keithley2750")
_METERS = ("daq6510", "agilent34970a", "keithley2750")
_SLACK = 1.0 + 1e-9


def split_channel(channel: str) -> tuple[str, str]:
    """``in1.a`` as instrument and channel; the channel of ``smu`` is ``""``."""
    instrument, _, name = channel.partition(".")
    return instrument, name


def check_bench(config: BenchConfig) -> None:
    """Check references, numbers of channels, and everything against the envelope.

    Raises:
        ValueError: with all that is wrong, one a line.
    """
    wrong = [*_phases(config), *_access(config), *_matrix(config), *_twice(config)]
    if not wrong:
        wrong = [*_levels(config), *_programming(config)]
    if wrong:
        raise ValueError("\n    ".join(wrong))


def source_channels(config: BenchConfig) -> dict[str, str]:
    """What each source channel is for, by channel."""
    used: dict[str, str] = {}
    if config.phases.kind == "smu":
        used |= dict.fromkeys(config.phases.inputs, "input")
        used |= dict.fromkeys(config.phases.outputs, "nudge")
    access = config.access
    if access is not None:
        for name in (access.high, access.low, access.third, access.two_thirds):
            if name is not None:
                used[name] = "access"
    return used


def _phases(config: BenchConfig) -> Iterator[str]:
    phases, topology = config.phases, config.network.topology
    if phases.kind == "board":
        yield from _is_model(config, "phases.board", phases.board, ("shboard",))
        return
    for name, found, wanted in (
        ("inputs", phases.inputs, topology.inputs.size),
        ("outputs", phases.outputs, topology.outputs.size),
        ("voltmeter_channels", phases.voltmeter_channels, config.network.read_nodes.size),
    ):
        if len(found) != wanted:
            yield f"phases.{name} has {len(found)} channels where the network has {wanted}"
    for channel in (*phases.inputs, *phases.outputs):
        yield from _is_channel(config, "phases", channel)
    for channel in phases.inputs:
        instrument = config.instruments.get(split_channel(channel)[0])
        if instrument is not None and instrument.model == "keithley6221":
            yield f"phases.inputs: {channel} is a current source; inputs are voltages"
    yield from _is_model(config, "phases.voltmeter", phases.voltmeter, _METERS)
    for name in phases.voltmeter_channels:
        if not name.isdecimal():
            yield f"phases.voltmeter_channels: {name!r} is no channel number such as 101"
    if config.access is None:
        yield "wiring with SMUs programs through access.high and access.low; describe them"


def _access(config: BenchConfig) -> Iterator[str]:
    access, scheme = config.access, config.programming.scheme
    by_board = config.phases.kind == "board"
    if scheme == "gate" and not by_board:
        yield "programming.scheme = gate needs the gate drivers of a board"
    if access is None:
        return
    for channel in source_channels(config):
        if source_channels(config)[channel] == "access":
            yield from _is_channel(config, "access", channel)
    if scheme == "third" and not by_board and None in (access.third, access.two_thirds):
        yield "programming.scheme = third needs access.third and access.two_thirds"


def _matrix(config: BenchConfig) -> Iterator[str]:
    for block in config.matrix:
        yield from _is_model(config, "matrix.instrument", block.instrument, _SWITCHES)
    if config.access is None and not config.matrix:
        return
    lines, wired = set(config.lines()), Counter(x for b in config.matrix for x in b.lines)
    if missing := sorted(lines - wired.keys()):
        yield f"matrix: {_some(missing)} not wired; every line needs its crosspoints"
    if unknown := sorted(wired.keys() - lines):
        yield f"matrix: {_some(unknown)}: the network has no such lines"
    if twice := [line for line, n in wired.items() if n > 1]:
        yield f"matrix: {_some(twice)} wired twice"
    needed = {"work"} if config.phases.kind == "smu" else set()
    if config.idle == "soft_ground":
        needed.add("soft")
    if config.programming.scheme == "third" and config.phases.kind == "smu":
        needed |= {"third", "two_thirds"}
    for bus in sorted(needed):
        if len(config.crosspoints(bus)) < len(lines):
            yield f"matrix: every line needs its crosspoint {bus} here"


def _twice(config: BenchConfig) -> Iterator[str]:
    channels: list[str] = []
    if config.phases.kind == "smu":
        channels += [*config.phases.inputs, *config.phases.outputs]
    if config.access is not None:
        access = config.access
        channels += [
            x for x in (access.high, access.low, access.third, access.two_thirds) if x is not None
        ]
    yield from _repeated("source channel", channels)
    if config.phases.kind == "smu":
        yield from _repeated("voltmeter channel", config.phases.voltmeter_channels)
    points = [
        f"{block.instrument}.{point}"
        for block in config.matrix
        for bus in ("high", "low", "ground", "soft", "third", "two_thirds", "work")
        for point in getattr(block, bus)
    ]
    yield from _repeated("crosspoint", points)
    addresses = [instrument.address for instrument in config.instruments.values()]
    yield from _repeated("address", addresses)


def _levels(config: BenchConfig) -> Iterator[str]:
    envelope, phases = config.envelope, config.phases
    worst = max(phase_drop_volts(config))
    if worst > envelope.read_volts * _SLACK:
        yield (
            f"devices could see {worst:.4g} V in a phase, envelope.read_volts is "
            f"{envelope.read_volts:.4g} V: lower phases.max_input_volts or "
            "phases.nudge_limit_volts, or widen the envelope if the devices bear it"
        )
    access = config.access
    if access is not None:
        yield from _above("access.read_volts", access.read_volts, envelope.read_volts, "read_volts")
        yield from _above("access.read_amps", access.read_amps, envelope.source_amps, "source_amps")
    if phases.kind == "smu":
        largest = envelope.source_amps
        yield from _above("phases.max_nudge_amps", phases.max_nudge_amps, largest, "source_amps")
        limit = phases.input_limit_amps
        yield from _above("phases.input_limit_amps", limit, largest, "source_amps")
        for channel in phases.inputs:
            yield from _fits(config, channel, phases.max_input_volts, limit)
        for channel in phases.outputs:
            yield from _fits(config, channel, phases.nudge_limit_volts, phases.max_nudge_amps)


def _programming(config: BenchConfig) -> Iterator[str]:
    programming, envelope = config.programming, config.envelope
    largest = max(programming.set_volts, programming.reset_volts)
    yield from _above("programming voltage", largest, envelope.program_volts, "program_volts")
    half = half_select_volts(programming)
    yield from _above(
        "half-selected devices", half, envelope.half_select_volts, "half_select_volts"
    )
    amps = programming.limit_amps
    yield from _above("programming.limit_amps", amps, envelope.program_amps, "program_amps")
    access = config.access
    if access is None:
        return
    if config.phases.kind == "smu":
        share = 0.5 if programming.scheme == "half" else 1.0
        for channel in (access.high, access.low):
            yield from _fits(config, channel, share * largest, amps)
    for channel in (access.high, access.low):
        yield from _fits(config, channel, access.read_volts, access.read_amps)


def _fits(config: BenchConfig, channel: str, volts: float, amps: float) -> Iterator[str]:
    """Whether an instrument's own limits allow what its channel is for."""
    name, _ = split_channel(channel)
    limits: InstrumentConfig = config.instruments[name]
    yield from _above(channel, volts, limits.volts_limit, f"instruments.{name}.volts_limit")
    yield from _above(channel, amps, limits.amps_limit, f"instruments.{name}.amps_limit")


def _above(what: str, value: float, limit: float, name: str) -> Iterator[str]:
    if value > limit * _SLACK:
        shown = name if "." in name else f"envelope.{name}"
        yield f"{what} of {value:.4g} is beyond {shown} of {limit:.4g}"


def _is_model(config: BenchConfig, where: str, name: str, models: Iterable[str]) -> Iterator[str]:
    instrument = config.instruments.get(name)
    if instrument is None:
        known = ", ".join(config.instruments) or "none"
        yield f"{where}: there is no instrument {name!r}; there are: {known}"
    elif instrument.model not in models:
        yield f"{where}: {name} is a {instrument.model}; one of {', '.join(models)} is needed"


def _is_channel(config: BenchConfig, where: str, channel: str) -> Iterator[str]:
    name, letter = split_channel(channel)
    yield from _is_model(config, where, name, CHANNELS)
    instrument = config.instruments.get(name)
    if instrument is not None and instrument.model in CHANNELS:
        names = CHANNELS[instrument.model]
        if letter not in names:
            known = ", ".join(f"{name}.{x}" if x else name for x in names)
            yield f"{where}: {channel} is no channel of a {instrument.model}; it has: {known}"


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        yield f"{what} {_some(twice)} used twice"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
