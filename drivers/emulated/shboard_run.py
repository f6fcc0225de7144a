"""Runs: phases of a whole batch in one exchange (SPECIFICATION.md, 8)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.board.blocks import definite, opened
from drivers.emulated.shboard_hardware import ABORTED, Codes, Phase, RunResult
from drivers.emulated.shboard_parser import BoardError, Parameter, word
from drivers.emulated.shboard_state import BoardState

__all__ = ["MAX_PHASES", "MAX_SETS", "refusal", "run"]

MAX_PHASES = 8
MAX_SETS = 4
_PHASE = re.compile(r"([AB])(0|[+-][1-4])(R?)(C?)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Word:
    """A phase as written: bank, sign and number of its nudge set (0: open), flags."""

    bank: int
    sign: int
    number: int
    read: bool
    compare: bool


def refusal(code: int) -> bytes:
    """The reply to a run that was refused."""
    return definite(struct.pack("<hHHH", code, 0, 0, 0))


def run(state: BoardState, parameters: tuple[Parameter, ...]) -> tuple[int, bytes]:
    """Check everything, then run; 0 or the error that ended it, and the reply.

    Raises:
        BoardError: see the specification; nothing was applied.
    """
    keep = word(parameters[0], ("LOAD", "KEEP")) == 1
    words = [_phase(text) for text in parameters[1:-1]]
    _check_banks(words)
    if not isinstance(parameters[-1], bytes):
        raise BoardError(-104)
    body = opened(parameters[-1])
    if body is None:
        raise BoardError(104)
    if any(w.compare for w in words) and not state.geometry.has_comparators:
        raise BoardError(108)
    n_sets = max(w.number for w in words)
    tag, n, table = _table(state, body, keep, n_sets)
    state.check_ready()
    inputs = _inputs(state, table, keep, tag)
    nudges = table[:, 1 if keep else state.geometry.n_inputs :]
    sets = nudges.reshape(n, n_sets, state.geometry.n_outputs)
    if _extreme(inputs) > state.limits.input or _extreme(sets) > state.limits.nudge:
        raise BoardError(105)
    if not keep:
        state.kept, state.kept_tag = inputs.copy(), tag
    phases = [
        Phase(
            w.bank,
            np.asarray(sets[:, w.number - 1] * w.sign, np.int16) if w.number else None,
            w.read,
            w.compare,
        )
        for w in words
    ]
    result = state.hardware.run(inputs, phases, state.timing, state.dead_zone)
    state.idle()
    return (110 if np.any(result.status & ABORTED) else 0), _reply(tag, result)


def _phase(text: Parameter) -> _Word:
    found = None if isinstance(text, bytes) else _PHASE.match(text)
    if found is None:
        raise BoardError(-104 if isinstance(text, bytes) else -224)
    bank, drive, read, compare = found.groups()
    number = int(drive[-1])
    return _Word(int(bank in "Bb"), -1 if drive[0] == "-" else 1, number, bool(read), bool(compare))


def _check_banks(words: list[_Word]) -> None:
    """One comparison at most, of a bank with one held before it."""
    if sum(w.compare for w in words) > 1:
        raise BoardError(-221)
    for place, w in enumerate(words):
        if w.compare and all(earlier.bank == w.bank for earlier in words[:place]):
            raise BoardError(-221)


def _table(state: BoardState, body: memoryview, keep: bool, n_sets: int) -> tuple[int, int, Codes]:
    """Tag, number of examples, and what was sent of each, (n, fields)."""
    g = state.geometry
    if len(body) < 4:
        raise BoardError(-222)
    tag, n = struct.unpack_from("<HH", body)
    fields = (1 if keep else g.n_inputs) + n_sets * g.n_outputs
    if not 1 <= n <= g.queue_length or len(body) != 4 + 2 * n * fields:
        raise BoardError(-222)
    return tag, n, np.frombuffer(body, "<i2", offset=4).reshape(n, fields)


def _inputs(state: BoardState, table: Codes, keep: bool, tag: int) -> Codes:
    if not keep:
        return table[:, : state.geometry.n_inputs]
    if state.kept_tag != tag:
        raise BoardError(107)
    rows = table[:, 0]
    if rows.min() < 0 or rows.max() >= len(state.kept):
        raise BoardError(107)
    kept: Codes = state.kept[rows]
    return kept


def _extreme(codes: NDArray[np.int16]) -> int:
    return int(np.abs(codes.astype(np.int32)).max(initial=0))


def _reply(tag: int, result: RunResult) -> bytes:
    n = len(result.status)
    records = np.concatenate([result.status[:, None], result.readings.reshape(n, -1)], axis=1)
    votes = b"" if result.votes is None else result.votes.astype("<i2").tobytes()
    n_votes = 0 if result.votes is None else 1
    head = struct.pack("<hHHH", 0, tag, n, n_votes)
    return definite(head + records.astype("<i2").tobytes() + votes)
