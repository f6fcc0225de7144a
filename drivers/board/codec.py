"""Runs and pulses as bytes, and their replies back (SPECIFICATION.md, 8 and 9)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.board.blocks import definite, opened
from drivers.board.conversion import Codes
from hil.errors import ProtocolError, UsageError

__all__ = [
    "ABORTED",
    "COMPLIANCE",
    "MAX_PHASES",
    "MAX_SETS",
    "MOVING",
    "RANGE",
    "Phase",
    "PulseReply",
    "RunReply",
    "keep_request",
    "load_request",
    "pulse_reply",
    "pulse_request",
    "run_reply",
]

RANGE, COMPLIANCE, MOVING, ABORTED = 1, 2, 4, 8
"""Bits of an example's status."""
MAX_PHASES = 8
MAX_SETS = 4

_RUN_HEAD = struct.Struct("<hHHH")
_PULSE_HEAD = struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a run.

    Attributes:
        bank: of the holds.
        drive: 0: nudge sources open; ``+k`` or ``-k``: nudge set k, or its negative.
        read: whether its bank is converted.
        compare: whether the comparators are asked after it; the other bank was the first.
    """

    bank: Literal["A", "B"]
    drive: int = 0
    read: bool = False
    compare: bool = False

    def __post_init__(self) -> None:
        """Refuse a set that no block can hold.

        Raises:
            UsageError: see above.
        """
        if abs(self.drive) > MAX_SETS:
            raise UsageError(f"a phase names nudge set {self.drive}; there are {MAX_SETS}")

    @property
    def word(self) -> str:
        """As sent."""
        drive = f"{self.drive:+d}" if self.drive else "0"
        return f"{self.bank}{drive}{'R' * self.read}{'C' * self.compare}"


@dataclass(frozen=True, slots=True, eq=False)
class RunReply:
    """Outcome of a run.

    Attributes:
        status: (n,) bits; 0: settled, held, and read within the range.
        readings: (n, phases read, n_nodes) codes.
        votes: (n_devices,) sums over the examples, or None.
    """

    status: NDArray[np.int16]
    readings: Codes
    votes: NDArray[np.int32] | None


@dataclass(frozen=True, slots=True)
class PulseReply:
    """Error code (0: none), sequence number last accepted, pulses applied then."""

    code: int
    sequence: int
    applied: int


def load_request(
    tag: int, phases: Sequence[Phase], input_codes: Codes, sets: Sequence[Codes]
) -> bytes:
    """A run with new inputs: (n, n_inputs), and (n, n_outputs) a set."""
    return _run_request(b"LOAD", tag, phases, input_codes, sets)


def keep_request(
    tag: int, phases: Sequence[Phase], rows: NDArray[np.integer], sets: Sequence[Codes]
) -> bytes:
    """A run with rows (n,) of the inputs that the run of this tag brought."""
    return _run_request(b"KEEP", tag, phases, rows[:, None], sets)


def _run_request(
    mode: bytes,
    tag: int,
    phases: Sequence[Phase],
    first: NDArray[np.integer],
    sets: Sequence[Codes],
) -> bytes:
    n = len(first)
    table = np.concatenate([first, *sets], axis=1).astype("<i2", copy=False)
    words = ",".join(phase.word for phase in phases).encode("ascii")
    return b":RUN? %s,%s,%s" % (
        mode,
        words,
        definite(struct.pack("<HH", tag, n) + table.tobytes()),
    )


def run_reply(
    payload: bytes, tag: int, n: int, n_read: int, n_nodes: int, n_votes: int
) -> RunReply | int:
    """The outcome of a run, or the error code with which it was refused.

    Args:
        payload: of the block that came.
        tag: of the request.
        n: examples.
        n_read: phases read.
        n_nodes: of the board.
        n_votes: devices whose votes were asked for; 0: no comparison.

    Raises:
        ProtocolError: a wrong checksum, or the reply to something else.
    """
    body = opened(payload)
    if body is None or len(body) < _RUN_HEAD.size:
        raise _spoiled(payload, "its checksum does not agree")
    code, found_tag, found_n, _ = _RUN_HEAD.unpack_from(body)
    if code:
        return int(code)
    width = 1 + n_read * n_nodes
    if (found_tag, found_n) != (tag, n) or len(body) != _RUN_HEAD.size + 2 * (n * width + n_votes):
        raise _spoiled(payload, f"it is about {found_n} examples of run {found_tag}, or incomplete")
    codes = np.frombuffer(body, "<i2", offset=_RUN_HEAD.size)
    records = codes[: n * width].reshape(n, width)
    votes = codes[n * width :].astype(np.int32) if n_votes else None
    return RunReply(records[:, 0], records[:, 1:].reshape(n, n_read, n_nodes), votes)


def pulse_request(sequence: int, first: int, counts: NDArray[np.int8]) -> bytes:
    """Signed pulses (n,) for devices from ``first`` on."""
    total = int(np.abs(counts.astype(np.int32)).sum())
    return b":PULS:EXEC? " + definite(_PULSE_HEAD.pack(sequence, first, total) + counts.tobytes())


def pulse_reply(line: bytes) -> PulseReply:
    """The reply to pulses.

    Raises:
        ProtocolError: it is none.
    """
    try:
        code, sequence, applied = map(int, line.split(b","))
    except ValueError:
        raise _spoiled(line, "it is not three numbers") from None
    return PulseReply(code, sequence, applied)


def _spoiled(reply: bytes, why: str) -> ProtocolError:
    return ProtocolError(
        f"the board's reply cannot be used: {why}. Probably bytes were lost on the line: recover "
        "the session and ask again; pulses must not be sent again before asking for the last ones",
        received=reply,
    )
