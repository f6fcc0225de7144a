"""A transport that knows its dialogue beforehand: the tests' way to pin every byte of a driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from types import TracebackType

from drivers.transport import failures
from drivers.transport.interface import Expect, Framing

__all__ = ["ScriptedTransport"]

Line = tuple[bytes, bytes | Exception | None]


class ScriptedTransport:
    """Answers an exact dialogue; use it in a ``with`` block, whose end finds lines left over.

    Args:
        dialogue: pairs of the request expected and what happens: the reply (a line without its
            terminator, or the payload of a block), ``None`` for no reply, or an exception.
        address: how errors name it.

    Raises:
        AssertionError: a request that is not the next one, or, at the end, lines not used.
    """

    def __init__(self, dialogue: Iterable[Line], address: str = "scripted") -> None:
        self._lines: deque[Line] = deque(dialogue)
        self._address = address
        self._n_used = 0
        self.closed = False

    @property
    def address(self) -> str:
        """The name given at construction."""
        return self._address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        """Check the request against the script and give the answer written there."""
        assert not self.closed, f"{request!r} was sent after the session was closed"
        assert self._lines, f"{request!r} was sent after the dialogue had ended"
        wanted, answer = self._lines[0]
        assert request == wanted, f"message {self._n_used} is {request!r}, the script: {wanted!r}"
        self._lines.popleft()
        self._n_used += 1
        if isinstance(answer, Exception):
            raise answer
        silent = expect.framing is Framing.NOTHING
        assert answer is None or not silent, f"nobody reads the reply to {request!r}: {answer!r}"
        if answer is None and not silent:
            raise failures.late(self._address, request, b"", expect.timeout_seconds or 0.0)
        return answer or b""

    def clear(self) -> None:
        """Nothing is ever left unread here."""

    def close(self) -> None:
        """Refuse further messages."""
        self.closed = True

    def __enter__(self) -> ScriptedTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            left = [request for request, _ in self._lines]
            assert not left, f"never sent: {left!r}"
