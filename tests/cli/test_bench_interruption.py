"""Requests to stop: put off while a bench is made safe, and in force afterwards."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from hil.interruption import StopRequests, deferred_signals, interrupt_politely


@pytest.fixture(autouse=True)
def a_listening_process() -> Iterator[None]:
    """A shell has SIGINT ignored by what it starts in the background; these are not about that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_must_not_be_broken_off_is_finished_first() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with deferred_signals():
            for step in range(3):
                signal.raise_signal(signal.SIGINT)
                done.append(step)
    assert done == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_deferred_requests_reach_whoever_asks_for_them() -> None:
    with StopRequests() as stop:
        with deferred_signals():
            with deferred_signals():
                signal.raise_signal(signal.SIGTERM)
            assert not stop.requested
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            with deferred_signals():
                signal.raise_signal(signal.SIGINT)


def test_an_error_meanwhile_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:  # noqa: PT012
        with deferred_signals():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("broken")
    assert isinstance(caught.value.__context__, ValueError)


def test_a_closed_terminal_asks_too_unless_that_is_ignored() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        interrupt_politely()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        with StopRequests() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.requested
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with StopRequests() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Thing:
    """Something that can be referred to weakly."""


def test_a_request_in_a_finalizer_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    try:
        interrupt_politely()
        thing = Thing()
        finalizer = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
        del thing  # KeyboardInterrupt is raised in there, and goes nowhere
        assert finalizer() is None
        with StopRequests() as stop:
            assert stop.requested
        with StopRequests() as stop:
            assert not stop.requested
        assert not told
        broken = Thing()
        failing = weakref.ref(broken, lambda _: [][0])
        del broken
        assert failing() is None
        assert len(told) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_other_threads_defer_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def look() -> None:
        with deferred_signals(), StopRequests():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
