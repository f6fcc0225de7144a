"""A small experiment, bench files that fit it, and a look at the emulated instruments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from typer.testing import CliRunner

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.lines import crosspoints_of, idle_state
from drivers.emulated.bench.bench import EmulatedBench
from drivers.emulated.bench.report import Event
from drivers.transport.interface import Expect, Transport
from hil.bench.examples import write_example
from hil.bench.reaching import Reached
from hil.cli.main import app
from hil.composition import dump_toml, resolve
from hil.errors import TransportError

Wiring = Literal["smu", "board"]
WIRINGS: tuple[Wiring, ...] = ("smu", "board")

_AT_ZERO = 2e-3
"""Volts or amps of a source at zero, with its offset."""

SMALL: dict[str, Any] = {
    "substrate.hidden": [3],
    "substrate.g_min_siemens": 1e-5,
    "substrate.pulse_siemens": 2e-5,
    "epochs": 2,
    "threads": 1,
}
"""Exclusive or: 6 input lines, 3 hidden nodes, 2 outputs."""


def hil(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object, words: tuple[str, ...]) -> str:
    """One clear message and exit code 2."""
    result = hil(*arguments)
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    for word in words:
        assert word in result.stderr, result.stderr
    assert "Traceback" not in result.output
    return str(result.stderr)


def write_files(folder: Path) -> None:
    """``experiment.toml``, and ``smu.toml`` and ``board.toml`` for it."""
    config = resolve("xor", overrides=SMALL)
    (folder / "experiment.toml").write_text(dump_toml(config))
    for wiring in WIRINGS:
        write_example(wiring, folder / f"{wiring}.toml", config)


class Watched:
    """A way to emulated instruments that can be looked at afterwards.

    Args:
        silent: names of instruments that do not answer.
        closed_interlock: of a board.
    """

    def __init__(self, silent: tuple[str, ...] = (), closed_interlock: bool = True) -> None:
        self.silent = silent
        self.closed_interlock = closed_interlock
        self.benches: list[EmulatedBench] = []
        self.sent: list[tuple[str, bytes]] = []

    def __call__(self, config: BenchConfig, seed: int) -> Reached:
        bench = EmulatedBench(config, seed)
        if bench._board is not None:
            bench._board.electronics.interlock = self.closed_interlock
        self.benches.append(bench)

        def open_transport(name: str, instrument: InstrumentConfig) -> Transport:
            if name in self.silent:
                raise TransportError(f"{instrument.address} could not be opened (no route)")
            return _Noting(self, name, bench.transport(name, instrument))

        return Reached(open_transport, bench.sleep)

    @property
    def bench(self) -> EmulatedBench:
        """The one that was reached."""
        (bench,) = self.benches
        return bench

    def assert_safe(self) -> None:
        """As the instruments themselves report: all off, switches in the idle mode."""
        for bench in self.benches:
            report = bench.report()
            assert report.is_safe
            assert report.n_violations == 0
            for name, points in crosspoints_of(bench.config, idle_state(bench.config)).items():
                assert report.switches[name].closed == points
            self._assert_order(report.events, set(bench.config.instruments))

    def _assert_order(self, events: Sequence[Event], names: set[str]) -> None:
        """Outputs go off at zero, and switches move for the last time after that."""
        levels: dict[str, float] = {}
        for event in events:
            if event.what == "level":
                levels[event.where] = event.value
            if event.what == "output" and not event.value:
                assert abs(levels.get(event.where, 0.0)) < _AT_ZERO
        kinds = [event.what for event in events if event.where.partition(".")[0] in names]
        moved = [place for place, kind in enumerate(kinds) if kind in ("opened", "closed")]
        offs = [place for place, kind in enumerate(kinds) if kind == "output"]
        assert not offs or moved[-1] > offs[-1]


class _Noting:
    def __init__(self, watched: Watched, name: str, inner: Transport) -> None:
        self._watched, self._name, self._inner = watched, name, inner

    @property
    def address(self) -> str:
        return self._inner.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self._watched.sent.append((self._name, request))
        return self._inner.exchange(request, expect)

    def clear(self) -> None:
        self._inner.clear()

    def close(self) -> None:
        self._inner.close()
