"""Whether a bench file agrees with itself; nothing that does not is ever sent to an instrument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from drivers.bench.consistency_levels import wrong_levels
from drivers.bench.consistency_names import (
    CHANNELS,
    is_channel,
    is_model,
    listed,
    repeated,
    source_channels,
    split_channel,
)
from drivers.bench.names import plain_address

if TYPE_CHECKING:
    from drivers.bench.config import AccessConfig, BenchConfig, SmuPhasesConfig

__all__ = ["CHANNELS", "check_bench", "source_channels", "split_channel"]

_SWITCHES = ("keithley707b", "keithley3706a", "keithley2750")
_METERS = ("daq6510", "agilent34970a", "keithley2750")
_IDLE_BUSES = {"soft_ground": "soft", "hard_ground": "ground"}


def check_bench(config: BenchConfig) -> None:
    """Check references, numbers of channels, and everything against the envelope.

    Raises:
        ValueError: with all that is wrong, one a line.
    """
    wrong = [
        *_phases(config), *_access(config), *_matrix(config), *_twice(config), *_uses(config)
    ]  # fmt: skip
    if not wrong:
        wrong = list(wrong_levels(config))
    if wrong:
        raise ValueError("\n    ".join(wrong))


def _phases(config: BenchConfig) -> Iterator[str]:
    phases, network = config.phases, config.network
    if network.node_farads > 0.0 and network.g_min_siemens == 0.0 and phases.settle_seconds is None:
        yield (
            "phases.settle_seconds is missing: with devices down to 0 S (network.g_min_siemens) "
            "and capacitances (network.node_farads) no time can be worked out. Give it, or a "
            "lower end above 0"
        )
    if phases.kind == "board":
        yield from is_model(config, "phases.board", phases.board, ("shboard",))
        return
    yield from _smu_phases(config, phases)
    if config.access is None:
        yield "wiring with SMUs programs through access.high and access.low; describe them"


def _smu_phases(config: BenchConfig, phases: SmuPhasesConfig) -> Iterator[str]:
    topology = config.network.topology
    for name, found, wanted in (
        ("inputs", phases.inputs, topology.inputs.size),
        ("outputs", phases.outputs, topology.outputs.size),
        ("voltmeter_channels", phases.voltmeter_channels, config.network.read_nodes.size),
    ):
        if len(found) != wanted:
            yield f"phases.{name} has {len(found)} channels where the network has {wanted}"
    for channel in (*phases.inputs, *phases.outputs):
        yield from is_channel(config, "phases", channel)
    for channel in phases.inputs:
        if _is_current_source(config, channel):
            yield f"phases.inputs: {channel} is a current source; inputs are voltages"
    yield from is_model(config, "phases.voltmeter", phases.voltmeter, _METERS)
    for name in phases.voltmeter_channels:
        if not name.isdecimal():
            yield f"phases.voltmeter_channels: {name!r} is no channel number such as 101"


def _access(config: BenchConfig) -> Iterator[str]:
    access, scheme = config.access, config.programming.scheme
    by_board = config.phases.kind == "board"
    if scheme == "gate" and not by_board:
        yield "programming.scheme = gate needs the gate drivers of a board"
    if access is None:
        return
    for role, channel in _access_channels(access):
        yield from is_channel(config, "access", channel)
        if _is_current_source(config, channel):
            yield (
                f"access.{role}: {channel} is a current source (keithley6221), which neither "
                "brings volts nor measures; name a channel of an SMU"
            )
    if scheme == "third" and not by_board and None in (access.third, access.two_thirds):
        yield "programming.scheme = third needs access.third and access.two_thirds"


def _access_channels(access: AccessConfig) -> Iterator[tuple[str, str]]:
    """Keys and channels of the sources that reach single devices."""
    for role in ("high", "low", "third", "two_thirds"):
        channel = getattr(access, role)
        if channel is not None:
            yield role, channel


def _is_current_source(config: BenchConfig, channel: str) -> bool:
    instrument = config.instruments.get(split_channel(channel)[0])
    return instrument is not None and instrument.model == "keithley6221"


def _matrix(config: BenchConfig) -> Iterator[str]:
    for block in config.matrix:
        yield from is_model(config, "matrix.instrument", block.instrument, _SWITCHES)
    if config.access is None and not config.matrix:
        if config.idle in _IDLE_BUSES:
            yield (
                f"idle = {config.idle} joins lines to ground, and there is no [[matrix]] to do so: "
                "describe it, or set idle = float"
            )
        return
    lines, wired = set(config.lines()), Counter(x for b in config.matrix for x in b.lines)
    if missing := sorted(lines - wired.keys()):
        yield f"matrix: {listed(missing)} not wired; every line needs its crosspoints"
    if unknown := sorted(wired.keys() - lines):
        yield f"matrix: {listed(unknown)}: the network has no such lines"
    if twice := [line for line, n in wired.items() if n > 1]:
        yield f"matrix: {listed(twice)} wired twice"
    needed = {"work"} if config.phases.kind == "smu" else set()
    if config.idle == "soft_ground":
        needed.add("soft")
    if config.programming.scheme == "third" and config.phases.kind == "smu":
        needed |= {"third", "two_thirds"}
    for bus in sorted(needed):
        # Lines that are not wired at all were told of above.
        if lacking := sorted((lines & wired.keys()) - config.crosspoints(bus).keys()):
            why = f" (idle = {config.idle})" if bus == "soft" else ""
            yield (
                f"matrix: every line needs its crosspoint {bus} here{why}; "
                f"{listed(lacking)} lack it"
            )


def _twice(config: BenchConfig) -> Iterator[str]:
    channels: list[str] = []
    if config.phases.kind == "smu":
        channels += [*config.phases.inputs, *config.phases.outputs]
        scanned = [name for name in config.phases.voltmeter_channels if name.isdecimal()]
        # 0101 is 101 to a meter.
        yield from repeated("voltmeter channel", (str(int(name)) for name in scanned))
    if config.access is not None:
        channels += [channel for _, channel in _access_channels(config.access)]
    yield from repeated("source channel", channels)
    points = [
        f"{block.instrument}.{point}"
        for block in config.matrix
        for bus in ("high", "low", "ground", "soft", "third", "two_thirds", "work")
        for point in getattr(block, bus)
    ]
    yield from repeated("crosspoint", points)
    by_address: dict[str, list[str]] = {}
    for name, instrument in config.instruments.items():
        by_address.setdefault(plain_address(instrument.address), []).append(name)
    for names in by_address.values():
        if len(names) > 1:
            address = config.instruments[names[0]].address
            yield f"address {address} used twice, by {listed(names)}; each instrument has its own"


def _uses(config: BenchConfig) -> Iterator[str]:
    """Every instrument has one use, and one only."""
    phases = config.phases
    matrices = {block.instrument for block in config.matrix}
    used = matrices | {split_channel(channel)[0] for channel in source_channels(config)}
    used.add(phases.voltmeter if phases.kind == "smu" else phases.board)
    if phases.kind == "smu" and phases.voltmeter in matrices:
        yield (
            f"{phases.voltmeter} is phases.voltmeter and in matrix: a scan opens all of its "
            "channels, crosspoints too. Use another instrument for one of them"
        )
    for name, instrument in config.instruments.items():
        if name in used:
            continue
        if instrument.model == "shboard":
            yield (
                f"instruments.{name} is a board that no phases use: name it in phases.board, or "
                "take it out"
            )
        else:
            yield f"instruments.{name} is used nowhere: name it where it belongs, or take it out"
