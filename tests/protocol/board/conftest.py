"""Boards for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.board.driver import Board
from tests.protocol.board.boards import AnyBoard, EmulatedBoard, FirmwareBoard, build_firmware
from tests.protocol.board.hosts import Disturbed, armed

MakeBoard = Callable[..., AnyBoard]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native program of the reference firmware."""
    return build_firmware(tmp_path_factory.mktemp("firmware"))


@pytest.fixture(params=["emulated", "firmware"])
def make_board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBoard]:
    """Boards of one kind."""
    made: list[AnyBoard] = []

    def make(opens_after: int | None = None) -> AnyBoard:
        board: AnyBoard
        if request.param == "emulated":
            board = EmulatedBoard(opens_after)
        else:
            folder = tmp_path / str(len(made))
            folder.mkdir()
            board = FirmwareBoard(request.getfixturevalue("firmware"), folder, opens_after)
        made.append(board)
        return board

    yield make
    for board in made:
        board.close()


@pytest.fixture
def board(make_board: MakeBoard) -> AnyBoard:
    """A board as it powers up."""
    return make_board()


@pytest.fixture
def line(board: AnyBoard) -> Disturbed:
    """A line to the board that can lose what goes over it."""
    return Disturbed(board.transport)


@pytest.fixture
def host(board: AnyBoard, line: Disturbed) -> Board:
    """Configured and armed."""
    return armed(line, board.advance)
