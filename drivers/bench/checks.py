"""Whether a bench is what its file says: who answers, self-tests, limits, wiring.

Nothing here changes a device: at most one is read at ``access.read_volts``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeAlias

from drivers.bench.config import BenchConfig
from drivers.bench.continuity import check_continuity
from drivers.bench.envelope import half_select_volts, phase_drop_volts
from drivers.bench.equipment import Equipment, TransportFactory
from drivers.bench.findings import Finding
from drivers.bench.phases_board import BoardPhases
from drivers.bench.roles import Aim, Sleep
from drivers.bench.settling import meter_loading, settle_seconds
from drivers.bench.shutdown import make_safe_after, shut_down
from drivers.bench.sources import Aimed
from drivers.bench.substrate import open_bench
from drivers.instruments.base import ask
from drivers.transport.interface import Expect
from hil.errors import ConfigurationError, HilError, InstrumentError
from hil.interruption import deferred_signals, interrupted_once

__all__ = ["Finding", "check_equipment", "check_wiring"]

Report: TypeAlias = Callable[[Finding], None]

_TESTED = {"keithley2400", "keithley2450", "keithley6221", "keithley2750", "daq6510", "shboard"}
"""Their ``*TST?`` looks at memory only; a B2900's and a 34970A's want their leads taken off, and
TSP instruments have none."""

_TEST_SECONDS = 60.0
_LOADED_OHMS, _UNLOADED_OHMS = 10e6, 10e9
_UNLOADED_VOLTS = 10.0
"""Highest range on which meters have their high input resistance."""


def check_equipment(
    config: BenchConfig, open_transport: TransportFactory, sleep: Sleep, report: Report
) -> None:
    """Connect, compare identities, reset, test, set limits and read them back; energise nothing.

    Args:
        config: the bench file.
        open_transport: opens a session with an instrument.
        sleep: waits.
        report: is told of every finding as it is made.

    Raises:
        ConfigurationError: another instrument than expected.
        InstrumentError: an interlock is open, or an instrument refuses to be reset.
        TransportError: an instrument does not answer.
    """
    with interrupted_once():
        equipment = Equipment.connect(config, open_transport, sleep)
        try:
            equipment.identify()
            try:
                equipment.reset()
                for finding in _findings(config, equipment, sleep):
                    report(finding)
            except BaseException as error:
                make_safe_after(error, config, equipment, sleep)
                raise
            with deferred_signals():
                shut_down(config, equipment, sleep)
            _refuse_open_interlock(config, equipment)
        finally:
            with suppress(HilError):
                equipment.close()


def check_wiring(
    config: BenchConfig, open_transport: TransportFactory, sleep: Sleep, report: Report
) -> None:
    """Energise the bench at 0 V and read a device of every line; it is made safe in the end.

    Args:
        config: see :func:`check_equipment`, as of the other arguments.
        open_transport: opens a session with an instrument.
        sleep: waits.
        report: is told of every finding.

    Raises:
        HilError: see :func:`drivers.bench.substrate.open_bench`.
    """
    with open_bench(config, open_transport, sleep) as bench:
        report(Finding("energised", True, "at 0 V and 0 A; limits set and read back"))
        for finding in check_continuity(config, bench):
            report(finding)
    report(Finding("safe", True, f"brought to zero, outputs off, lines in idle mode {config.idle}"))


def _findings(config: BenchConfig, equipment: Equipment, sleep: Sleep) -> Iterator[Finding]:
    for name, identity in equipment.identities.items():
        instrument = config.instruments[name]
        known = "" if instrument.serial is not None else "; any serial number is accepted"
        told = f"{identity.maker} {identity.model}, {identity.serial}, {identity.firmware}{known}"
        yield Finding(name, True, told)
    for name, instrument in config.instruments.items():
        if instrument.model in _TESTED:
            yield _self_test(equipment, name)
    for (name, channel), aims in _aims(config).items():
        yield _limits(equipment, name, channel, aims)
    if equipment.board is not None:
        yield _board(config, equipment, sleep)
    yield _envelope(config)
    yield _settling(config)
    if config.phases.kind == "smu":
        yield _loading(config)


def _self_test(equipment: Equipment, name: str) -> Finding:
    reply = ask(equipment.sessions[name], "*TST?", Expect.LINE.within(_TEST_SECONDS))
    passed = reply.lstrip("+") == "0"
    what = (
        "passed" if passed else f"failed: it answers {reply!r}; see its manual, or have it served"
    )
    return Finding(f"{name} self-test", passed, what)


def _aims(config: BenchConfig) -> dict[tuple[str, str], list[Aim]]:
    """What each source channel will be asked for, by instrument and channel."""
    aims: dict[str, list[Aim]] = {}
    phases, access, programming = config.phases, config.access, config.programming
    if phases.kind == "smu":
        inputs = Aimed("volts", phases.input_limit_amps, phases.max_input_volts)
        nudges = Aimed("amps", phases.nudge_limit_volts, phases.max_nudge_amps)
        aims |= {channel: [inputs] for channel in phases.inputs}
        aims |= {channel: [nudges] for channel in phases.outputs}
    if access is not None:
        reading = Aimed("volts", access.read_amps, access.read_volts)
        largest = max(programming.set_volts, programming.reset_volts)
        by_board = phases.kind == "board"
        # High and low go to V/2 either way, the others of V/3 to V/6.
        shares = {access.high: 2.0, access.low: 2.0, access.third: 6.0, access.two_thirds: 6.0}
        for channel, parts in shares.items():
            if channel is not None:
                pulsing = Aimed("volts", programming.limit_amps, largest / parts)
                aims[channel] = [reading] if by_board else [pulsing, reading]
    found: dict[tuple[str, str], list[Aim]] = {}
    for channel, wanted in aims.items():
        name, _, letter = channel.partition(".")
        found[name, letter] = wanted
    return found


def _limits(equipment: Equipment, name: str, channel: str, aims: list[Aim]) -> Finding:
    title = f"{name}.{channel} limits" if channel else f"{name} limits"
    try:
        for aim in aims:
            equipment.sources[name].aim(channel, aim)
    except InstrumentError as error:
        return Finding(title, False, error.message)
    last = aims[-1]
    unit, other = ("V", "A") if last.quantity == "volts" else ("A", "V")
    told = f"up to {last.largest:.4g} {unit}, compliance {last.limit:.4g} {other}, read back"
    return Finding(title, True, told)


def _board(config: BenchConfig, equipment: Equipment, sleep: Sleep) -> Finding:
    assert equipment.board is not None
    name = _board_name(config)
    try:
        BoardPhases(config, equipment, sleep)
    except ConfigurationError as error:
        return Finding(f"{name} fits", False, error.message)
    closed = equipment.board.state().interlock_closed
    told = "sizes, ranges and times fit; interlock closed" if closed else "its interlock is open"
    return Finding(f"{name} fits", closed, told)


def _board_name(config: BenchConfig) -> str:
    return config.phases.board if config.phases.kind == "board" else "board"


def _refuse_open_interlock(config: BenchConfig, equipment: Equipment) -> None:
    board = equipment.board
    if board is not None and not board.state().interlock_closed:
        raise InstrumentError(
            f"{_board_name(config)} at {board.session.address}: its interlock is open, so that "
            "nothing can be energised; nothing was. Close the lid or the key switch, check again",
            address=board.session.address,
        )


def _envelope(config: BenchConfig) -> Finding:
    envelope, programming = config.envelope, config.programming
    largest = max(programming.set_volts, programming.reset_volts)
    return Finding(
        "envelope",
        True,
        f"devices see at most {max(phase_drop_volts(config)):.4g} V in phases "
        f"(allowed {envelope.read_volts:.4g}), {largest:.4g} V when programmed "
        f"({envelope.program_volts:.4g}), {half_select_volts(programming):.4g} V when "
        f"half-selected ({envelope.half_select_volts:.4g})",
    )


def _settling(config: BenchConfig) -> Finding:
    given, tolerance = config.phases.settle_seconds, config.phases.settle_tolerance
    free = config.phases.model_copy(update={"settle_seconds": None})
    try:
        needed = settle_seconds(config.model_copy(update={"phases": free}))
    except ConfigurationError as error:
        if given is None:
            return Finding("settling", False, error.message)
        needed = math.inf
    slowest = (
        f"with all devices at the lower end of their window {needed:.3g} s would be needed for "
        f"{tolerance:g} of a step"
    )
    if given is None:
        return Finding("settling", True, f"{needed:.3g} s, worked out: {slowest}")
    told = f"{given:.3g} s, as the file says; {slowest}"
    if given >= needed:
        return Finding("settling", True, told)
    remedy = (
        "right only if training keeps conductances above that end; else raise "
        "phases.settle_seconds, or leave it out"
    )
    return Finding("settling", None, f"{told}: {remedy}")


def _loading(config: BenchConfig) -> Finding:
    """How much the voltmeter of the phases changes what it measures, at worst."""
    assert config.phases.kind == "smu"
    meter = config.instruments[config.phases.voltmeter]
    fixed = meter.volts_range is not None and meter.volts_range <= _UNLOADED_VOLTS
    ohms = _UNLOADED_OHMS if meter.high_impedance and fixed else _LOADED_OHMS
    share = meter_loading(config, None, ohms)
    return Finding(
        "meter loading",
        True,
        f"at most {100 * share:.3g} % of a node's voltage, with {ohms:.3g} Ohm across it and all "
        "devices at the lower end of their window",
    )
