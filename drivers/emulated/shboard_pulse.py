"""Programming pulses: numbered, checked, applied once (SPECIFICATION.md, 9)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from drivers.board.blocks import opened
from drivers.emulated.shboard_parser import BoardError, Parameter, whole
from drivers.emulated.shboard_state import BoardState

__all__ = ["LAST_SEQUENCE", "execute", "one_device", "outcome"]

LAST_SEQUENCE = 2**31 - 1


def execute(state: BoardState, block: Parameter) -> None:
    """Apply the pulses of a block.

    Raises:
        BoardError: see the specification; unless it is 110, nothing was applied.
    """
    if not isinstance(block, bytes):
        raise BoardError(-104)
    body = opened(block)
    if body is None:
        raise BoardError(104)
    if len(body) < 13:
        raise BoardError(-222)
    sequence, first, total = struct.unpack_from("<III", body)
    counts = np.frombuffer(body, np.int8, offset=12)
    if first + len(counts) > state.geometry.n_devices or np.any(counts == -128):
        raise BoardError(-222)
    if int(np.abs(counts.astype(np.int64)).sum()) != total:
        raise BoardError(-230)
    _apply(state, sequence, first, counts)


def one_device(state: BoardState, parameters: tuple[Parameter, ...]) -> None:
    """Apply pulses to one device.

    Raises:
        BoardError: as :func:`execute`.
    """
    sequence = whole(parameters[0], 1, LAST_SEQUENCE)
    device = whole(parameters[1], 0, state.geometry.n_devices - 1)
    count = whole(parameters[2], -127, 127)
    _apply(state, sequence, device, np.array([count], np.int8))


def outcome(state: BoardState, code: int) -> str:
    """The reply to both: error, sequence number last accepted, pulses applied then."""
    return f"{code},{state.sequence},{state.applied}"


def _apply(state: BoardState, sequence: int, first: int, counts: NDArray[np.int8]) -> None:
    state.check_armed()
    if sequence != state.sequence + 1 or sequence > LAST_SEQUENCE:
        raise BoardError(106)
    sizes = np.abs(counts.astype(np.int64))
    if int(sizes.max()) > state.limits.pulses:
        raise BoardError(105)
    if 0 in state.programming.level_codes:
        raise BoardError(-221)
    if state.programming.scheme == 2 and 0 in state.programming.gate_codes:
        raise BoardError(-221)
    # On record before the first pulse: whatever happens next, the number is used up.
    state.sequence, state.requested, state.applied = sequence, int(sizes.sum()), 0
    state.idle()
    state.hardware.switch(np.ones(state.geometry.n_nodes, np.bool_), floating=False)
    state.applied = state.hardware.pulse(counts, first, state.programming)
    state.switch()
    if state.applied < state.requested:
        raise BoardError(110)
