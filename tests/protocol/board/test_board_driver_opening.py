"""The driver opening and configuring a board: every byte of it, and boards it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.board.blocks import definite
from drivers.board.driver import Board
from drivers.board.settings import BoardSettings
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    ProtocolError,
    TransportTimeoutError,
    UsageError,
)
from tests.protocol.board.boards import AnyBoard
from tests.protocol.board.hosts import PAIR, SETTINGS, codes

CAPABILITIES = (
    b"PROT=1.2,IN=4,OUT=2,NODE=5,DEV=20,ARR=1,DACB=16,DACR=5000000,NUDB=16,NUDR=100,"
    b"ADCB=16,ADCR=5000000,PRGB=12,PRGR=5000000,COMP=0,SCH=5,QUE=8,MSG=512,NEW=1"
)


def opening(capabilities: bytes = CAPABILITIES) -> list[tuple[bytes, bytes | Exception | None]]:
    return [
        (b"", None),
        (b"*IDN?", b"MAKER,SHBOARD,7,2.0"),
        (b"*CLS", None),
        (b":CAP?", capabilities),
        (b":CAP:ARR? 0", b"0,4,5"),
        (b":PULS:LAST?", b"41,6,6"),
    ]


def test_every_byte_of_a_session() -> None:
    pulses = np.zeros(20, np.int8)
    pulses[4] = -1
    script = [
        *opening(),
        (
            b"*RST;:LIM:INP 9;:LIM:NUDG 8;:LIM:PROG 7;:LIM:PULS 1;:DEAD 5000;:TIM:SETT 100;"
            b":TIM:ACQ 20;:COMP:DEAD 0;:PROG:SCH GATE;:PROG:LEV 5,6;:PROG:GATE 7,7;:PROG:WIDT 10\n"
            b":LIM:INP?;:LIM:NUDG?;:LIM:PROG?;:LIM:PULS?;:DEAD?;:TIM:SETT?;:TIM:ACQ?;:COMP:DEAD?;"
            b":PROG:SCH?;:PROG:LEV?;:PROG:GATE?;:PROG:WIDT?;:SYST:ERR?",
            b'9;8;7;1;5000;100;20;0;GATE;5,6;7,7;10;0,"No error"',
        ),
        (b":ARM\n:SYST:ERR?", b'0,"No error"'),
        (
            b":PULS:EXEC? " + definite(b"\x2a\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xff" + b"\0" * 15),
            b"0,42,1",
        ),
        (b"\n:SAFE", None),
    ]
    with ScriptedTransport(script) as transport:
        board = Board(transport, lambda _: None)
        settings = BoardSettings(9, 8, 7, 1, scheme="GATE", level_codes=(5, 6), gate_codes=(7, 7))
        board.configure(settings)
        board.arm()
        board.pulse(pulses)
        board.close()
    assert board.capability.schemes == ("HALF", "GATE")
    assert transport.closed


def test_a_setting_that_reads_back_differently_is_refused() -> None:
    wanted = [value for _, value in SETTINGS.pairs()]
    transport = ScriptedTransport(opening())
    board = Board(transport, lambda _: None)
    write = ";".join(["*RST", *(f":{header} {value}" for header, value in SETTINGS.pairs())])
    query = ";".join([*(f":{header}?" for header, _ in SETTINGS.pairs()), ":SYST:ERR?"])
    reply = ";".join(["29999", *wanted[1:], '0,"No error"'])
    transport._lines.append((f"{write}\n{query}".encode(), reply.encode()))
    with pytest.raises(InstrumentError, match="read back"):
        board.configure(SETTINGS)


@pytest.mark.parametrize(
    ("capabilities", "error", "text"),
    [
        (CAPABILITIES.replace(b"PROT=1.2", b"PROT=2.0"), InstrumentError, "protocol 2.0"),
        (CAPABILITIES.replace(b"QUE=8,", b""), ProtocolError, "QUE"),
        (CAPABILITIES.replace(b"IN=4", b"IN=four"), ProtocolError, "IN"),
    ],
)
def test_boards_it_cannot_drive(capabilities: bytes, error: type[Exception], text: str) -> None:
    transport = ScriptedTransport(opening(capabilities))
    with pytest.raises(error, match=text):
        Board(transport, lambda _: None)
    assert transport.closed


def test_another_instrument_is_left_alone() -> None:
    script = [(b"", None), (b"*IDN?", b"KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30")]
    with ScriptedTransport(script) as transport:
        with pytest.raises(InstrumentError, match="MODEL 2400"):
            Board(transport, lambda _: None)
    assert transport.closed


def test_a_board_that_does_not_answer() -> None:
    with ScriptedTransport([(b"", None), (b"*IDN?", None)]) as transport:
        with pytest.raises(TransportTimeoutError):
            Board(transport, lambda _: None)
    assert transport.closed


def test_a_dead_man_time_shorter_than_a_message_is_refused(board: AnyBoard) -> None:
    host = Board(board.transport, board.advance, bytes_per_second=100.0)
    with pytest.raises(ConfigurationError, match=r"shorter than the 5\.1 s"):
        host.configure(SETTINGS)


def test_settings_beyond_what_the_board_has_are_refused(board: AnyBoard) -> None:
    host = Board(board.transport, board.advance)
    with pytest.raises(InstrumentError, match="Data out of range"):
        host.configure(BoardSettings(40000, 1))


def test_boards_without_comparators_are_not_asked() -> None:
    with ScriptedTransport(opening()) as transport:
        board = Board(transport, lambda _: None)
        with pytest.raises(UsageError, match="no comparators"):
            board.run(PAIR, codes(1, 4), [codes(1, 2)])
