"""Framing, parsing and errors: SPECIFICATION.md, chapters 3 to 5 and 10, on both boards."""

from __future__ import annotations

import pytest

from drivers.board.blocks import checksum, definite, opened, sealed
from tests.protocol.board.boards import AnyBoard

NO_ERROR = b'0,"No error"\n'


def test_it_identifies_itself(board: AnyBoard) -> None:
    assert board.raw(b"*IDN?\n") == b"EQPROP-HIL,SHBOARD,000000,1.0.0\n"
    assert board.raw(b":SYSTem:PROTocol?\n") == b"1.0\n"


def test_it_states_its_capabilities(board: AnyBoard) -> None:
    found = dict(part.split(b"=") for part in board.raw(b":CAP?\n").strip().split(b","))
    assert (found[b"IN"], found[b"OUT"], found[b"NODE"], found[b"DEV"]) == (b"4", b"2", b"5", b"20")
    assert (found[b"QUE"], found[b"MSG"]) == (b"8", b"512")
    assert board.raw(b":CAP:ARR? 0\n") == b"0,4,5\n"
    assert board.raw(b":CAP:ARR? 1\n:SYST:ERR?\n") == b'-222,"Data out of range"\n'


@pytest.mark.parametrize(
    "text", [b":SYSTEM:ERROR?", b"syst:err?", b"  :Syst:Error?\t\r", b";;SYST:ERR?;"]
)
def test_headers_have_two_forms_in_any_case(board: AnyBoard, text: bytes) -> None:
    assert board.raw(text + b"\n") == NO_ERROR


def test_replies_of_one_message_are_joined(board: AnyBoard) -> None:
    assert board.raw(b"*OPC?;:SYST:PROT?; *TST?\n") == b"1;1.0;0\n"


def test_a_message_may_come_in_pieces(board: AnyBoard) -> None:
    assert [board.raw(bytes([byte])) for byte in b"*OPC?\n"][-1] == b"1\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b":NOPE?", b'-113,"Undefined header"'),
        (b":SYST:ERRO?", b'-113,"Undefined header"'),
        (b"*IDN", b'-113,"Undefined header"'),
        (b":SAFE?", b'-113,"Undefined header"'),
        (b"*RST 1", b'-108,"Parameter not allowed"'),
        (b":DEAD", b'-109,"Missing parameter"'),
        (b":ISOL:NODE 1,", b'-109,"Missing parameter"'),
        (b":DEAD fast", b'-104,"Data type error"'),
        (b":DEAD 1.5", b'-104,"Data type error"'),
        (b":DEAD 99999999999", b'-104,"Data type error"'),
        (b":DEAD #13abc", b'-104,"Data type error"'),
        (b":DEAD 49", b'-222,"Data out of range"'),
        (b":LIN UP", b'-224,"Illegal parameter value"'),
        (b":LIN GRO #11a", b'-103,"Invalid separator"'),
        (b":DEAD #11a 5", b'-103,"Invalid separator"'),
        (b":DEAD,#14;*RS", b'-113,"Undefined header"'),
    ],
)
def test_what_cannot_be_understood_is_refused(board: AnyBoard, text: bytes, error: bytes) -> None:
    assert board.raw(text + b"\n") == b""
    assert board.raw(b":SYST:ERR?\n") == error + b"\n"
    assert board.raw(b":SYST:ERR?\n") == NO_ERROR


def test_an_error_ends_its_message(board: AnyBoard) -> None:
    assert board.raw(b"*OPC?;:NOPE;:DEAD 777;*OPC?\n") == b"1\n"
    assert board.raw(b":DEAD?\n") == b"2000\n"


def test_the_error_queue_tells_when_it_overflows(board: AnyBoard) -> None:
    board.raw(b":NOPE\n" * 20)
    assert board.raw(b":SYST:ERR:COUN?\n") == b"16\n"
    errors = [board.raw(b":SYST:ERR?\n") for _ in range(17)]
    assert errors[14] == b'-113,"Undefined header"\n'
    assert errors[15] == b'-350,"Queue overflow"\n'
    assert errors[16] == NO_ERROR


def test_status_registers(board: AnyBoard) -> None:
    assert board.raw(b"*ESR?;*STB?\n") == b"128;0\n"
    board.raw(b":NOPE\n:DEAD 1\n:ARM;:INP:CODE 0,1\n")
    assert board.raw(b"*STB?;*ESR?;*ESR?\n") == b"4;56;0\n"


def test_clearing_forgets_errors(board: AnyBoard) -> None:
    board.raw(b":NOPE\n")
    assert board.raw(b"*CLS;*STB?;*ESR?;:SYST:ERR?\n") == b"0;0;" + NO_ERROR


# --- blocks -----------------------------------------------------------------------------------


def test_the_checksum_is_crc_16_ccitt_false() -> None:
    assert checksum(b"123456789") == 0x29B1
    assert checksum(sealed(b"123456789")) == 0
    assert opened(sealed(b"abc")) == b"abc"
    assert opened(sealed(b"abc")[:-1]) is None
    assert definite(b"12345678") == b"#210" + sealed(b"12345678")


def test_a_block_may_hold_any_byte(board: AnyBoard) -> None:
    """Its content is no message, whatever it looks like."""
    assert board.raw(b":DEAD #218\n*OPC?\n*RST;:DEAD?\n") == b""
    assert board.raw(b":SYST:ERR?\n") == b'-104,"Data type error"\n'


@pytest.mark.parametrize("header", [b"#0", b"#x", b"#2a1", b"#9123456x89"])
def test_a_damaged_block_header_silences_the_board_until_the_line_rests(
    board: AnyBoard, header: bytes
) -> None:
    assert board.raw(b":PULS:EXEC? " + header + b"\n:DEAD 777\n*OPC?\n") == b""
    board.advance(0.099)
    assert board.raw(b":DEAD 777\n*OPC?\n") == b""
    board.advance(0.1)
    assert board.raw(b":DEAD?;:SYST:ERR?\n") == b'2000;-161,"Invalid block data"\n'


def test_a_block_that_stops_is_given_up(board: AnyBoard) -> None:
    assert board.raw(b":PULS:EXEC? #3100abc") == b""
    board.advance(0.1)
    assert board.raw(b"*OPC?;:SYST:ERR?\n") == b'1;-161,"Invalid block data"\n'


def test_text_may_be_typed_slowly(board: AnyBoard) -> None:
    assert board.raw(b"*OP") == b""
    board.advance(5.0)
    assert board.raw(b"C?\n") == b"1\n"


@pytest.mark.parametrize(
    "message", [b"*" * 513, b":PULS:EXEC? #3600", b":PULS:EXEC? #3496", b":PULS:EXEC? #9999999999"]
)
def test_a_message_that_is_too_long_is_dropped(board: AnyBoard, message: bytes) -> None:
    assert board.raw(message + b"\n*OPC?\n") == b""
    board.advance(0.1)
    assert board.raw(b":SYST:ERR?\n") == b'-363,"Input buffer overrun"\n'


def test_the_longest_message_is_taken(board: AnyBoard) -> None:
    assert board.raw(b"*OPC?" + b" " * 507 + b"\n") == b"1\n"
    assert board.raw(b":PULS:EXEC? #3495" + b"x" * 495 + b"\n") == b"104,0,0\n"
