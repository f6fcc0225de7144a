"""The driver programming: pulses arrive once, whatever is lost; on both boards."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.board.driver import Board
from hil.errors import ProgramError, SafetyError
from tests.protocol.board.boards import AnyBoard
from tests.protocol.board.conftest import MakeBoard
from tests.protocol.board.hosts import FREE, Disturbed, armed


def weight_of_first_column(host: Board) -> list[int]:
    """Weights of the four devices at node 0, each by an input of its own."""
    return host.run(FREE, (256 * np.eye(4)).astype(np.int16)).readings[:, 0, 0].tolist()


def first_column(values: list[int]) -> np.ndarray:
    counts = np.zeros((4, 5), np.int64)
    counts[:, 0] = values
    return counts.reshape(-1)


def test_pulses_arrive(host: Board) -> None:
    host.pulse(first_column([1, -2, 3, 0]))
    host.pulse(first_column([0, 0, -1, 1]))
    host.pulse(np.zeros(20, np.int8))
    assert weight_of_first_column(host) == [65, 62, 66, 65]


@pytest.mark.parametrize("count", [4, -4, 127, -128])
def test_more_pulses_than_the_limit_are_not_sent(host: Board, line: Disturbed, count: int) -> None:
    with pytest.raises(SafetyError, match="the limit is 3"):
        host.pulse(first_column([count, 0, 0, 0]).astype(np.int8))
    assert line.sent == []


def test_a_lost_reply_is_resolved_without_repeating(host: Board, line: Disturbed) -> None:
    line.lose_reply = True
    host.pulse(first_column([3, 0, 0, 0]))
    assert line.sent[0].startswith(b":PULS:EXEC?")
    assert line.sent[1:] == [b"", b":PULS:LAST?"]
    assert weight_of_first_column(host) == [67, 64, 64, 64]
    host.pulse(first_column([3, 0, 0, 0]))
    assert weight_of_first_column(host) == [70, 64, 64, 64]


def test_a_lost_request_is_reported_and_not_repeated(host: Board, line: Disturbed) -> None:
    line.lose_request = True
    with pytest.raises(ProgramError, match="none of 3 programming pulses was applied") as caught:
        host.pulse(first_column([3, 0, 0, 0]))
    assert caught.value.evidence["applied"] == 0
    assert sum(b"PULS:EXEC" in request for request in line.sent) == 1
    assert weight_of_first_column(host) == [64, 64, 64, 64]
    host.pulse(first_column([3, 0, 0, 0]))
    assert weight_of_first_column(host) == [67, 64, 64, 64]


def test_pulses_cut_short_say_how_many_were_applied(make_board: MakeBoard) -> None:
    board = make_board(opens_after=4)
    host = armed(Disturbed(board.transport), board.advance)
    with pytest.raises(ProgramError, match="4 of 6 programming pulses were applied") as caught:
        host.pulse(first_column([3, 3, 0, 0]))
    assert caught.value.evidence["applied"] == 4


def test_the_sequence_goes_on_in_a_new_session(board: AnyBoard, host: Board) -> None:
    host.pulse(first_column([1, 0, 0, 0]))
    other = armed(Disturbed(board.transport), board.advance)
    other.pulse(first_column([1, 0, 0, 0]))
    assert weight_of_first_column(other) == [66, 64, 64, 64]
