"""SPECIFICATION.md says what the boards do: its dialogues, its commands, its errors."""

from __future__ import annotations

import re
from pathlib import Path

from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_parser import TEXTS
from drivers.emulated.shboard_toy import ToyHardware
from tests.protocol.board.boards import AnyBoard

TEXT = (Path(__file__).parents[3] / "drivers" / "board" / "SPECIFICATION.md").read_text("utf-8")


def spelled(line: str) -> bytes:
    """A line of a dialogue as bytes."""
    pieces = re.split(r"\{([0-9a-f ]*)\}", line)
    return b"".join(
        bytes.fromhex(piece) if place % 2 else piece.encode() for place, piece in enumerate(pieces)
    )


def test_the_dialogues_are_true(board: AnyBoard) -> None:
    lines = "\n".join(re.findall(r"```dialogue\n(.*?)```", TEXT, re.DOTALL)).splitlines()
    n_replies = 0
    expected = b""
    for line in [*filter(None, lines), "> "]:
        mark, _, rest = line.partition(" ")
        if mark == "<":
            assert expected == spelled(rest) + b"\n"
            expected = b""
            n_replies += 1
            continue
        assert expected == b"", f"a reply is missing before {line!r}"
        if mark == "--":
            board.advance(int(rest) / 1000)
        else:
            expected = board.raw(spelled(rest) + b"\n")
    assert n_replies == sum(line.startswith("<") for line in lines) > 15


def test_every_command_is_specified() -> None:
    rows = re.findall(r"^\| `(\*?[A-Za-z:]+\??)`", TEXT, re.MULTILINE)
    keys = {"PROT", "IN", "OUT", "NODE", "DEV", "ARR", "DACB", "HALF", "THIRd", "GATE"}
    specified = {row for row in rows if row not in keys}
    commands = ShBoard(ToyHardware())._commands.values()
    known = {f"{command.header}{'?' * command.is_query}" for command in commands}
    assert specified == known


def test_every_error_is_listed() -> None:
    listed = re.findall(r"\| (-?\d{3}) \| ([A-Za-z -]+?) (?=\|)", TEXT)
    table = {int(code): text for code, text in listed}
    assert table == {code: text for code, text in TEXTS.items() if code != 0}
