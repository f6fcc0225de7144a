"""However a run on a bench ends: sources ramped to zero, then outputs off, then switches idle.

What is checked is what the emulated instruments themselves report, and in which order it happened.
"""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from hil.bench import opening
from hil.composition import ExperimentConfig, build
from hil.errors import TransportError
from hil.interruption import interrupt_politely
from hil.runs import train_run
from tests.cli.stopping import Stopped
from tests.e2e.watched import IDLES, KINDS, Interfere, Lab, bench_text, experiment_on, failures, hot

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
posix = pytest.mark.skipif(
    not hasattr(signal, "pthread_sigmask"), reason="signals are held back by POSIX means"
)

Configured = Callable[..., ExperimentConfig]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Makes an experiment of a kind of bench and its idle mode."""

    def make(kind: str, idle: str = "float", **changes: Any) -> ExperimentConfig:
        return experiment_on(tmp_path / "bench.toml", bench_text(kind, idle, **changes))

    return make


@pytest.fixture(autouse=True)
def _as_the_program_has_them() -> Iterator[None]:
    """Signals unwind as in ``hil``; afterwards they are the test runner's again."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interrupt_politely()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def leave_the_program() -> None:
    """What the interpreter does when it ends."""
    opening._close_all()


class Ending:
    """A listener that ends a run after its first batch."""

    def __init__(self, lab: Lab, error: BaseException) -> None:
        self.lab, self.error = lab, error
        self.n_events = 0

    def started(self, experiment: object, resumed_epoch: int) -> None:
        pass

    def progressed(self, progress: object, examples: int, seconds: float) -> None:
        self.n_events = self.lab.n_events
        raise self.error

    def recording(self, experiment: object) -> None:
        pass

    def evaluating(self) -> None:
        pass


def interrupted_at(count: int, after: bool, *numbers: int) -> Interfere:
    """Signals at one exchange, before or after its message was sent."""

    def interfere(lab: Lab, name: str, request: bytes, send: Callable[[], bytes]) -> bytes:
        here = lab.n_exchanges == count
        reply = send() if after or not here else b""
        if here:
            lab.marked = lab.n_events
            for number in numbers:
                signal.raise_signal(number)
        return reply if after or not here else send()

    return interfere


def n_exchanges(config: ExperimentConfig) -> tuple[int, int, int]:
    """Of the opening, of that and a run, and of all with the closing."""
    lab = Lab()
    with build(config, reach=lab.reach) as experiment:
        opened = lab.n_exchanges
        for _ in experiment.steps():
            pass
        trained = lab.n_exchanges
    return opened, trained, lab.n_exchanges


@pytest.mark.parametrize("idle", IDLES)
@pytest.mark.parametrize("kind", KINDS)
def test_normal_end(configured: Configured, kind: str, idle: str) -> None:
    lab = Lab()
    with build(configured(kind, idle), reach=lab.reach) as experiment:
        n_batches = sum(1 for _ in experiment.steps())
        assert not lab.bench.report().is_safe
        since = lab.n_events
    assert n_batches == 2
    assert lab.n_events > since
    assert failures(lab.bench, since) == []
    assert hot(lab.bench) == 0


@pytest.mark.parametrize("idle", IDLES)
@pytest.mark.parametrize("kind", KINDS)
def test_error_from_outside(configured: Configured, kind: str, idle: str) -> None:
    lab = Lab()
    listener = Ending(lab, Stopped())
    with pytest.raises(Stopped):
        train_run(configured(kind, idle), None, reach=lab.reach, listener=listener)
    assert failures(lab.bench, listener.n_events) == []
    assert hot(lab.bench) == 0


@pytest.mark.parametrize("idle", IDLES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_signal_ends_after_the_batch(configured: Configured, kind: str, idle: str) -> None:
    config = configured(kind, idle)
    opened, trained, _ = n_exchanges(config)
    number = SIGNALS[IDLES.index(idle) % len(SIGNALS)]
    lab = Lab(interrupted_at(opened + 2, True, number))
    summary = train_run(config, None, reach=lab.reach).summary
    assert summary["status"] == "interrupted"
    assert opened < lab.n_exchanges
    assert failures(lab.bench) == []
    assert hot(lab.bench) == 0
    assert trained > opened + 2


@pytest.mark.parametrize("kind", KINDS)
def test_two_signals_at_any_message(configured: Configured, kind: str) -> None:
    """Two at once break off where the run is; sources are ramped from where they were."""
    opened, trained, total = n_exchanges(configured(kind))
    n_loud = 0
    for place in range(opened - 3, trained + 1, max(1, trained // 15)):
        config = configured(kind, IDLES[place % 3])
        lab = Lab(interrupted_at(place, True, signal.SIGINT, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            train_run(config, None, reach=lab.reach)
        leave_the_program()
        assert failures(lab.bench, lab.marked) == [], place
        assert hot(lab.bench) == 0, place
        levels = {e.where: e.value for e in lab.bench.report().events[: lab.marked]
                  if e.what == "level"}  # fmt: skip
        n_loud += any(levels.values())
    assert total > trained
    assert n_loud > 0 or kind == "board"


@pytest.mark.parametrize("kind", KINDS)
def test_signals_before_a_message_is_sent(configured: Configured, kind: str) -> None:
    """The driver then thinks that levels are what they are not yet."""
    opened, trained, _ = n_exchanges(configured(kind))
    for place in range(opened, trained + 1, max(1, (trained - opened) // 6)):
        lab = Lab(interrupted_at(place, False, signal.SIGINT, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            train_run(configured(kind), None, reach=lab.reach)
        leave_the_program()
        assert failures(lab.bench) == [], place
        assert hot(lab.bench) == 0, place


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_breaks_off_the_way_to_safety(configured: Configured, kind: str) -> None:
    """A signal with every message from one on, all the way to the last."""
    opened, trained, total = n_exchanges(configured(kind))
    for first in (opened - 3, (opened + trained) // 2, trained + 1, trained + 5, total - 2):

        def storm(
            lab: Lab, name: str, request: bytes, send: Callable[[], bytes], first: int = first
        ) -> bytes:
            if lab.n_exchanges >= first:
                signal.raise_signal(SIGNALS[lab.n_exchanges % len(SIGNALS)])
            return send()

        lab = Lab(storm)
        with pytest.raises(KeyboardInterrupt), build(configured(kind), reach=lab.reach) as it:
            for _ in it.steps():
                pass
        leave_the_program()
        assert failures(lab.bench) == [], first
        assert hot(lab.bench) == 0, first


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_two_signals_at_once_while_opening(configured: Configured, kind: str) -> None:
    """A terminal that is closed sends SIGHUP, and so does its shell; systemd sends two kinds."""
    opened, _, _ = n_exchanges(configured(kind))

    def both(lab: Lab, name: str, request: bytes, send: Callable[[], bytes]) -> bytes:
        reply = send()
        if lab.n_exchanges == place:
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            for number in SIGNALS:
                signal.raise_signal(number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return reply

    for place in range(opened - 12, opened + 1):
        lab = Lab(both)
        with pytest.raises(KeyboardInterrupt), build(configured(kind), reach=lab.reach):
            pass
        leave_the_program()
        assert failures(lab.bench) == [], place


def test_a_signal_between_any_two_lines(configured: Configured) -> None:
    """Of what opens and closes; the last chance is when the interpreter ends."""
    config = configured("board")

    def run(signal_at: int | None) -> tuple[Lab, Lines]:
        lab, lines = Lab(), Lines(signal_at)
        try:
            with lines, build(config, reach=lab.reach):
                pass
        except KeyboardInterrupt:
            assert signal_at is not None
        leave_the_program()
        opening._OPENED.clear()
        return lab, lines

    places = run(None)[1].last.values()
    assert len(places) > 50
    wrong = {}
    for place in sorted(places):
        lab, lines = run(place)
        if lab.was_reached and (found := failures(lab.bench)):
            wrong[lines.signalled] = found[0]
    assert wrong == {}


class Lines:
    """Counts lines of the modules that open and close a bench, and raises a signal at one.

    Attributes:
        count: of lines so far.
        last: the last count at each line.
        signalled: line of the signal.
    """

    MODULES = (
        "hil.substrate", "hil.interruption", "hil.bench.opening", "drivers.bench.substrate",
    )  # fmt: skip

    def __init__(self, signal_at: int | None) -> None:
        self.signal_at = signal_at
        self.count = 0
        self.last: dict[str, int] = {}
        self.signalled = ""

    def __enter__(self) -> Lines:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_globals.get("__name__") in self.MODULES else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            where = f"{frame.f_globals['__name__']}.{frame.f_code.co_name}:{frame.f_lineno}"
            self.count += 1
            self.last[where] = self.count
            if self.count == self.signal_at:
                self.signalled = where
                signal.raise_signal(signal.SIGINT)
        return self._line


@pytest.mark.parametrize("error", [TransportError("gone"), OSError(errno.ENOSPC, "disk full")])
@pytest.mark.parametrize("kind", KINDS)
def test_one_instrument_gone(configured: Configured, kind: str, error: Exception) -> None:
    """All others are made safe all the same, whatever it is that fails."""
    opened, trained, _ = n_exchanges(configured(kind))
    names = configured(kind).substrate.instruments  # type: ignore[union-attr]
    for number, gone in enumerate(names):
        first = opened - 1 + number * (trained - opened) // len(names)

        def fail(
            lab: Lab, name: str, request: bytes, send: Callable[[], bytes],
            gone: str = gone, first: int = first,
        ) -> bytes:  # fmt: skip
            if name == gone and lab.n_exchanges >= first:
                raise error
            return send()

        lab = Lab(fail)
        with pytest.raises((TransportError, OSError)), build(
            configured(kind), reach=lab.reach
        ) as experiment:  # fmt: skip
            for _ in experiment.steps():
                pass
        mine = (f"{gone}.", f"{gone} was left", "the bench says")
        others = [
            text for text in failures(lab.bench) if not text.startswith(mine) and gone not in text
        ]
        assert others == [], (gone, first)
