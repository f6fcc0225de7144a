"""Every instrument of a bench to its safe state, each by itself, whatever the others do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.consistency import CHANNELS, source_channels, split_channel
from drivers.bench.findings import Finding
from drivers.bench.identities import pattern_of
from drivers.bench.lines import crosspoints_of, idle_state
from drivers.bench.meters import METERS, make_voltmeter
from drivers.bench.sources import SOURCES, make_source
from drivers.bench.switches import make_switch
from drivers.board.driver import Board
from drivers.instruments.base import ask
from drivers.transport.interface import Transport
from hil.bench.reaching import Reached
from hil.errors import ConfigurationError, HilError, InstrumentError
from hil.interruption import deferred_signals

__all__ = ["make_all_safe"]

_BITS_OF_A_BYTE = 10


def make_all_safe(
    config: BenchConfig, reached: Reached, report: Callable[[Finding], None]
) -> list[str]:
    """Board and sources first, then switches, which move where nothing is driven, then meters.

    An instrument is asked who it is; another kind than the bench file names is left alone.
    Whatever fails, the next one is attempted, and requests to stop wait until all were: what
    ``report`` raises is raised in the end.

    Args:
        config: the bench file.
        reached: its instruments.
        report: is told what became of each.

    Returns:
        Names of the instruments that may not be safe.
    """
    failed: list[str] = []
    untold: list[Exception] = []
    with deferred_signals():
        for name in _in_order(config):
            finding = _attempt(config, name, reached)
            if not finding.ok:
                failed.append(name)
            try:
                report(finding)
            except Exception as error:  # a reader that went away is no reason to stop here
                untold.append(error)
    if untold:
        raise untold[0]
    return failed


def _attempt(config: BenchConfig, name: str, reached: Reached) -> Finding:
    instrument = config.instruments[name]
    where = f"{name} ({instrument.model} at {instrument.address})"
    try:
        with _session(reached, name, instrument) as session:
            return Finding(where, True, _made_safe(config, name, session, reached))
    except HilError as error:
        return Finding(where, False, error.message)
    except Exception as error:  # a fault of ours must not keep the others energised either
        return Finding(where, False, f"{type(error).__name__}: {error}")


def _in_order(config: BenchConfig) -> list[str]:
    """Names of the instruments: what drives, what switches, what only listens."""
    matrices = {block.instrument for block in config.matrix}

    def place(name: str) -> int:
        model = config.instruments[name].model
        if model == "shboard" or model in SOURCES:
            return 0
        return 1 if name in matrices or model not in METERS else 2

    return sorted(config.instruments, key=place)


@contextlib.contextmanager
def _session(reached: Reached, name: str, instrument: InstrumentConfig) -> Iterator[Transport]:
    session = reached.open_transport(name, instrument)
    try:
        yield session
    finally:
        with contextlib.suppress(Exception):
            session.close()


def _made_safe(config: BenchConfig, name: str, session: Transport, reached: Reached) -> str:
    """Make one instrument safe, and say what was done."""
    instrument = config.instruments[name]
    if instrument.model == "shboard":
        return _safe_board(instrument, session, reached)
    note = _identified(session, instrument)
    if instrument.model in SOURCES:
        return _safe_source(config, name, session) + note
    if instrument.model in METERS and not any(b.instrument == name for b in config.matrix):
        make_voltmeter(instrument, session).make_safe()
        return "channels open" + note
    return _safe_switch(config, name, session) + note


def _identified(session: Transport, instrument: InstrumentConfig) -> str:
    """A remark if it is of the right kind but not the one the bench file names.

    Raises:
        ConfigurationError: it is of another kind; nothing but ``*IDN?`` was sent.
    """
    session.clear()
    reply = ask(session, "*IDN?")
    kind = pattern_of(instrument.model_copy(update={"idn": None}))
    patterns = [kind] if instrument.idn is None else [kind, instrument.idn]
    if not any(re.search(pattern, reply, re.IGNORECASE) for pattern in patterns):
        raise ConfigurationError(
            f"{reply!r} answers where a {instrument.model} is expected; it was left as it is. "
            "Correct the address in the bench file, or switch it off by hand",
            address=session.address,
            received=reply,
        )
    serial = next(iter(reply.split(",")[2:]), "").strip()
    if instrument.serial not in (None, serial):
        return f" (serial number {serial}, the bench file says {instrument.serial})"
    if instrument.idn is not None and not re.search(instrument.idn, reply, re.IGNORECASE):
        return f" ({reply!r}, the bench file says /{instrument.idn}/)"
    return ""


def _safe_source(config: BenchConfig, name: str, session: Transport) -> str:
    instrument = config.instruments[name]
    used = {split_channel(channel) for channel in source_channels(config)}
    channels = sorted(letter for owner, letter in used if owner == name)
    source = make_source(instrument, session, channels or CHANNELS[instrument.model])
    with contextlib.suppress(InstrumentError):
        source.check()  # what an earlier session left in its queue
    source.make_safe()
    source.check()
    return "levels 0, outputs off"


def _safe_switch(config: BenchConfig, name: str, session: Transport) -> str:
    wanted = crosspoints_of(config, idle_state(config)).get(name, frozenset())
    switch = make_switch(config.instruments[name], session)
    with contextlib.suppress(InstrumentError):
        switch.check()
    switch.leave(wanted)
    switch.check()
    if switch.closed() != wanted:
        raise InstrumentError(
            f"{session.address}: other crosspoints are closed than the idle mode {config.idle} "
            "says. Reset it, then run hil safe again",
            address=session.address,
        )
    what = f"{len(wanted)} crosspoints closed" if wanted else "everything open"
    return f"idle mode {config.idle}: {what}"


def _safe_board(instrument: InstrumentConfig, session: Transport, reached: Reached) -> str:
    speed = instrument.baud_rate / _BITS_OF_A_BYTE
    board = Board(session, reached.sleep, bytes_per_second=speed)
    board.make_safe()
    state = board.state()
    if state.armed:
        raise InstrumentError(
            f"{session.address}: the board is still armed after :SAFE. Switch it off; its firmware "
            "does not follow the specification",
            address=session.address,
        )
    lid = "" if state.interlock_closed else "; its interlock is open"
    return f"safe state, {state.n_isolated} nodes isolated, not armed{lid}"
