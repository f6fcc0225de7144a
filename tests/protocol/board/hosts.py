"""What the tests of the driver share: a line that loses replies, and a driver ready to run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drivers.board.codec import Phase, RunReply
from drivers.board.driver import Board
from drivers.board.settings import BoardSettings
from drivers.transport import failures
from drivers.transport.interface import Expect, Framing, Transport

SETTINGS = BoardSettings(
    input_limit=30000, nudge_limit=20000, program_limit=1000, pulse_limit=3, level_codes=(500, 600)
)
FREE = [Phase("A", read=True)]
PAIR = [Phase("A", -1, read=True), Phase("B", +1, read=True, compare=True)]


class Disturbed:
    """A transport that counts exchanges and can lose a request or a reply."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.sent: list[bytes] = []
        self.lose_request = self.lose_reply = False
        self.spoil = False

    @property
    def address(self) -> str:
        return "disturbed"

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self.sent.append(request)
        lost, self.lose_request = self.lose_request, False
        if lost:
            raise failures.late(self.address, request, b"", 1.0)
        reply = self.inner.exchange(request, expect)
        lost, self.lose_reply = self.lose_reply, False
        if lost and expect.framing is not Framing.NOTHING:
            raise failures.late(self.address, request, b"", 1.0)
        if self.spoil:
            self.spoil = False
            return reply[:-1] + bytes([reply[-1] ^ 1])
        return reply

    def clear(self) -> None:
        self.inner.clear()

    def close(self) -> None:
        self.inner.close()


def armed(line: Disturbed, advance: Callable[[float], None]) -> Board:
    """A driver of a board that is configured and armed; nothing is in ``line.sent``."""
    made = Board(line, advance)
    made.configure(SETTINGS)
    made.arm()
    line.sent.clear()
    return made


def codes(n: int, width: int, seed: int = 0, reach: int = 900) -> np.ndarray:
    """(n, width) converter codes."""
    return np.random.default_rng(seed).integers(-reach, reach, (n, width)).astype(np.int16)


def votes_of(reply: RunReply) -> np.ndarray:
    """The votes of a run that compared."""
    assert reply.votes is not None
    return reply.votes
