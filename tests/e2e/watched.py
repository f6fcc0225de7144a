"""A bench of emulated instruments that a test keeps hold of, and sessions that are interfered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.emulated.bench import EmulatedBench
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
        sent: instrument and message of each exchange.
    """

    interfere: Interfere | None = None
    n_exchanges: int = 0
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    _bench: EmulatedBench | None = None

    @property
    def bench(self) -> EmulatedBench:
        """The bench; there is one once the way was gone."""
        assert self._bench is not None
        return self._bench

    @property
    def was_reached(self) -> bool:
        """Whether anybody opened the bench."""
        return self._bench is not None

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


def failures(lab: Lab, since: int = 0, tolerance: float = 1e-12) -> Iterator[str]:
    """What is wrong with how a bench was left, and with the order in which it was made safe.

    Args:
        lab: after the bench was closed.
        since: number of events before it was to be made safe.
        tolerance: volts or amps that are nothing.
    """
    bench, report = lab.bench, lab.bench.report()
    yield from _state(bench, tolerance)
    if report.n_violations:
        yield f"{report.n_violations} violations"
    for name, switch in report.switches.items():
        if switch.n_hot:
            yield f"{name} moved {switch.n_hot} relays under voltage"
    yield from _order(bench, since, tolerance)


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
            yield f"{name} was left with {sorted(switch.closed)} closed, {config.idle}"
    board = report.board
    if board is not None and (board.armed or board.energised):
        yield f"the board was left at {board}"
    if not report.is_safe:
        yield "the bench says that it is not safe"


def _order(bench: EmulatedBench, since: int, tolerance: float) -> Iterator[str]:
    """Levels to zero, then outputs off, then relays."""
    events = bench.report().events
    levels: dict[str, float] = {}
    off: set[str] = set()
    on = {event.where for event in events if event.what == "output" and event.value}
    on_at = [k for k, event in enumerate(events) if event.what == "output" and event.value]
    last_on = on_at[-1] if on_at else -1
    energised = False
    for place, event in enumerate(events):
        if event.what == "board":
            energised = (energised or "energised" in event.names) and "idle" not in event.names
        elif event.what == "level":
            before, levels[event.where] = levels.get(event.where, 0.0), event.value
            if place >= since and abs(event.value) > max(abs(before), tolerance):
                yield f"{event.where} went from {before:g} to {event.value:g} on the way to safety"
            if place >= since and abs(before) > tolerance and abs(event.value) < 0.5 * abs(before):
                steps = [e.value for e in events[since:] if e.where == event.where]
                if len(steps) < 5:
                    yield f"{event.where} fell from {before:g} to {event.value:g} at once"
        elif event.what == "output" and not event.value and place > max(since - 1, last_on):
            off.add(event.where)
            loud = {name: level for name, level in levels.items() if abs(level) > tolerance}
            if loud:
                yield f"{event.where} went off while there was {loud}"
            if energised:
                yield f"{event.where} went off while the board was energised"
        elif event.what in ("opened", "closed") and off and place > last_on and off != on:
            yield f"relays moved after {sorted(off)} and before {sorted(on - off)} went off"
