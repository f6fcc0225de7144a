"""Stopping on request: SIGINT and SIGTERM become a question asked between batches.

The first signal asks for a stop after the batch in progress, so that the run can be resumed to
the bit.  A second one does not wait: it raises KeyboardInterrupt where the program is.  What must
not be broken off at all, such as the way of a bench to safety, defers them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeAlias

__all__ = [
    "StopRequests",
    "deferred_signals",
    "interrupt_politely",
    "interrupted_once",
    "polite_signals",
]

Handler: TypeAlias = Callable[[int, FrameType | None], Any]

# Requests to stop that Python has dropped, and who told of dropped exceptions before.
_DROPPED: list[type[BaseException]] = []
_TELLERS: list[Callable[[sys.UnraisableHookArgs], Any]] = []


def polite_signals() -> tuple[signal.Signals, ...]:
    """Requests to stop: a closed terminal asks too, where the system has such a signal."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def _install(handler: Handler) -> dict[int, Any]:
    """Handle the requests.

    Returns:
        What handled them before; empty outside the main thread, which gets no signals.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in polite_signals():
            if not _stays(number):
                before[number] = signal.signal(number, handler)
    return before


def _give_back(before: dict[int, Any], noted: list[int]) -> None:
    """Let those handle requests who did before, and those that came meanwhile take effect."""
    for number, handler in before.items():
        signal.signal(number, handler)
    for number in noted:
        signal.raise_signal(number)


def _stays(number: signal.Signals) -> bool:
    """Whether a signal is left as it is: handled by code that is not Python's, or ``nohup``.

    That SIGINT is ignored says little: shells do so to whatever they start in the background.
    """
    now = signal.getsignal(number)
    return now is None or (number.name == "SIGHUP" and now is signal.SIG_IGN)


def interrupt_politely() -> None:
    """From now on every request to stop unwinds as Ctrl-C does, so that all is cleaned up.

    Where nothing can unwind, as in a finalizer, Python drops the exception; the next
    :class:`StopRequests` then takes the request over.
    """
    _install(signal.default_int_handler)
    if sys.unraisablehook is not _note_dropped:
        _TELLERS.append(sys.unraisablehook)
        sys.unraisablehook = _note_dropped


def _note_dropped(dropped: sys.UnraisableHookArgs) -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        _DROPPED.append(dropped.exc_type)
    else:
        _TELLERS[-1](dropped)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Requests to stop wait until the block has ended, then take effect as they would have.

    Those that came in the block take effect in their order, until one raises.  Outside the main
    thread, which gets none, nothing is deferred.
    """
    noted: list[int] = []
    before = _install(lambda number, _: noted.append(number))
    try:
        yield
    finally:
        _give_back(before, noted)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """The first request to stop takes effect at once; later ones wait until the block has ended.

    Requests often come in pairs (a closed terminal and its shell, systemd), and the second one
    would break off what the first one has begun to clean up.
    """
    raised: list[bool] = []
    noted: list[int] = []
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        if raised:
            noted.append(number)
            return
        raised.append(True)
        handler = before.get(number)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, frame)
        raised.clear()

    before.update(_install(handle))
    try:
        yield
    finally:
        _give_back(before, noted)


class StopRequests:
    """Context that notes signals; outside the main thread, which gets none, it does nothing."""

    def __init__(self) -> None:
        self.requested = False
        self._patient = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = _install(self._note)
        if self._before and _DROPPED:
            _DROPPED.clear()
            self.requested = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def no_longer_wait(self) -> None:
        """From now on the first signal raises KeyboardInterrupt too, as an earlier one does now."""
        self._patient = False
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if again or not self._patient:
            raise KeyboardInterrupt
