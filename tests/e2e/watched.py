"""A bench of emulated instruments that a test keeps hold of, and sessions interfered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.emulated.bench import EmulatedBench
from drivers.emulated.bench.report import BenchReport, Event
from drivers.transport.interface import Expect, Transport
from hil.bench.reaching import Reached
from hil.composition import ExperimentConfig, resolve
from tests.protocol.bench.files import board_bench, smu_bench

KINDS = ("smu", "board")
IDLES = ("float", "soft_ground", "hard_ground")
TEXTS = {"smu": smu_bench, "board": board_bench}
SHAPE = (4, [2], 2, [True, False])
"""What exclusive or needs: two doubled signals, a pair of bias lines, two classes."""

_EXPERIMENT = {
    "batch_size": 2,
    "epochs": 1,
    "estimator.beta_siemens": 5e-6,
    "rule.rates": [4e-9, 4e-9],
}
"""Outputs at 1 uS are nudged by tens of millivolts, and devices take a few pulses."""


def bench_text(kind: str, idle: str = "float", **changes: Any) -> str:
    """A bench file that fits :func:`experiment_on`; ideal instruments unless changed."""
    emulation = {"noise": "none"} | changes.pop("emulation", {})
    return TEXTS[kind](*SHAPE, idle=idle, emulation=emulation, **changes)


def experiment_on(path: Path, text: str, **overrides: Any) -> ExperimentConfig:
    """Exclusive or on the bench that a text describes.

    Args:
        path: where to write the text.
        text: of a bench.
        overrides: of the experiment.
    """
    path.write_text(text)
    return resolve(preset="xor", bench=path, overrides=_EXPERIMENT | overrides)


Interfere = Callable[["Lab", str, bytes, Callable[[], bytes]], bytes]
"""Is given the lab, an instrument, a message to it, and what sends it and has the reply."""


@dataclass
class Lab:
    """A way to emulated instruments that remembers them; give its :meth:`reach` to ``build``.

    Attributes:
        interfere: is called in place of every exchange.
        n_exchanges: so far.
        marked: events before something that a test is interested in.
        sent: instrument and message of each exchange.
        addresses: of instruments, where a test says them.
    """

    interfere: Interfere | None = None
    n_exchanges: int = 0
    marked: int = 0
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    _bench: EmulatedBench | None = None

    @property
    def bench(self) -> EmulatedBench:
        """The bench; there is one once the way was gone."""
        assert self._bench is not None
        return self._bench

    @property
    def was_reached(self) -> bool:
        """Whether anybody asked for the bench."""
        return self._bench is not None

    @property
    def n_events(self) -> int:
        """Events so far."""
        return len(self.bench.report().events)

    def reach(self, config: BenchConfig, seed: int) -> Reached:
        """See :mod:`hil.bench.reaching`."""
        self._bench = EmulatedBench(config, seed)

        def opened(name: str, instrument: InstrumentConfig) -> Transport:
            return _Session(self, name, self.bench.transport(name, instrument))

        return Reached(opened, self._bench.sleep)


class _Session:
    """A transport that tells the lab of every exchange."""

    def __init__(self, lab: Lab, name: str, inner: Transport) -> None:
        self._lab, self._name, self._inner = lab, name, inner

    @property
    def address(self) -> str:
        return self._inner.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        lab = self._lab
        lab.n_exchanges += 1
        lab.sent.append((self._name, request))

        def send() -> bytes:
            return self._inner.exchange(request, expect)

        return send() if lab.interfere is None else lab.interfere(lab, self._name, request, send)

    def clear(self) -> None:
        self._inner.clear()

    def close(self) -> None:
        self._inner.close()


def failures(bench: EmulatedBench, since: int | None = None, tolerance: float = 1e-12) -> list[str]:
    """What is wrong with how a bench was left, and with the order in which it was made safe.

    Args:
        bench: after it was closed.
        since: number of events before it was to be made safe; None: unknown, the ramps are not
            looked at.
        tolerance: volts or amps that are nothing.
    """
    report = bench.report()
    wrong = [*_state(bench, tolerance), *_order(report, tolerance)]
    if since is not None:
        wrong += _ramps(report.events[:since], report.events[since:], tolerance)
    if report.n_violations:
        wrong.append(f"{report.n_violations} violations")
    return wrong


def hot(bench: EmulatedBench) -> int:
    """Relays that moved under voltage."""
    return sum(switch.n_hot or 0 for switch in bench.report().switches.values())


def _state(bench: EmulatedBench, tolerance: float) -> Iterator[str]:
    config, report = bench.config, bench.report()
    for where, source in report.sources.items():
        if source.output_on or abs(source.level) > tolerance:
            yield f"{where} was left at {source}"
    bus = {"float": None, "soft_ground": "soft", "hard_ground": "ground"}[config.idle]
    for name, switch in report.switches.items():
        points = {} if bus is None else config.crosspoints(bus)
        wanted = {point for owner, point in points.values() if owner == name}
        if switch.closed != wanted:
            yield f"{name} was left with {sorted(switch.closed)} closed, idle is {config.idle}"
    board = report.board
    if board is not None and (board.armed or board.energised):
        yield f"the board was left at {board}"
    if not report.is_safe:
        yield "the bench says that it is not safe"


def _order(report: BenchReport, tolerance: float) -> Iterator[str]:
    """Levels to zero, then all outputs off, then relays: after the last output went on."""
    events = report.events
    switched = [k for k, event in enumerate(events) if event.what == "output" and event.value]
    on = {events[k].where for k in switched}
    levels: dict[str, float] = {}
    is_energised = False
    off: set[str] = set()
    for place, event in enumerate(events):
        if event.what == "level":
            levels[event.where] = event.value
        elif event.what == "board":
            is_energised = "energised" in event.names or (
                is_energised and "idle" not in event.names
            )
        elif not switched or place <= switched[-1]:
            continue
        elif event.what == "output":
            off.add(event.where)
            loud = {where: level for where, level in levels.items() if abs(level) > tolerance}
            if loud or is_energised:
                yield f"{event.where} went off before levels were 0: {loud}, {is_energised=}"
        elif event.what in ("opened", "closed") and off and off != on:
            yield f"relays moved when {sorted(off)} were off and {sorted(on - off)} were not"


def _ramps(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Iterator[str]:
    """Every level to 0 in steps, none of them up."""
    levels = {event.where: event.value for event in before if event.what == "level"}
    off = {event.where for event in before if event.what == "output" and not event.value}
    for where, start in levels.items():
        if abs(start) <= tolerance or where in off:
            continue
        values = [start, *(e.value for e in after if e.where == where and e.what == "level")]
        if any(abs(new) > abs(old) for old, new in pairwise(values)) or abs(values[-1]) > tolerance:
            yield f"{where} went by {values}"
        elif max(abs(old - new) for old, new in pairwise(values)) > 0.11 * abs(start):
            yield f"{where} went by {values}, not in ten steps"
