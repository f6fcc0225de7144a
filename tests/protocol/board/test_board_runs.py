"""Runs and pulses, on both boards: SPECIFICATION.md, chapters 7 to 9."""

from __future__ import annotations

import struct

import pytest

from drivers.board.blocks import definite, opened
from tests.protocol.board.boards import AnyBoard, pulse_block, run_block
from tests.protocol.board.conftest import MakeBoard

READY = b":LIM:INP 32767;:LIM:NUDG 20000;:LIM:PROG 1000;:LIM:PULS 3;:PROG:LEV 500,600;:ARM\n"
INPUTS = [[1000, 0, 0, 24], [0, 2000, -400, 0]]
FREE = b":RUN? LOAD,A0R," + run_block(9, INPUTS) + b"\n"


@pytest.fixture
def armed(board: AnyBoard) -> AnyBoard:
    board.raw(READY)
    return board


def numbers(reply: bytes) -> list[int]:
    """The integers of a run's reply."""
    assert reply[:1] == b"#"
    digits = int(reply[1:2])
    payload = reply[2 + digits : -1]
    assert len(payload) == int(reply[2 : 2 + digits])
    assert reply.endswith(b"\n")
    body = opened(payload)
    assert body is not None
    return [value for (value,) in struct.iter_unpack("<h", body)]


def error(board: AnyBoard) -> bytes:
    return board.raw(b":SYST:ERR?\n").strip()


# --- one at a time ----------------------------------------------------------------------------


def test_levels_holds_and_readings_by_hand(armed: AnyBoard) -> None:
    assert armed.raw(b":INP:CODE 0,1024;:HOLD A;:READ? A\n") == b"0,256,256,256,256,256\n"
    assert armed.raw(b":NUDG:CODE 1,400;:HOLD B;:READ? B\n") == b"0,257,257,257,257,357\n"
    assert armed.raw(b":COMP? A,4;:COMP? B,4\n") == b"-1;1\n"
    assert armed.raw(b":COMP:DEAD 100;:COMP? A,4;:COMP:DEAD 101;:COMP? A,4\n") == b"-1;0\n"
    assert armed.raw(b":NUDG:OPEN;:HOLD B;:READ? B;:READ? A\n").count(b"257") == 5


# --- runs -------------------------------------------------------------------------------------


def test_a_free_run_reads_every_example(armed: AnyBoard) -> None:
    assert numbers(armed.raw(FREE)) == [0, 9, 2, 0, *[0, *[256] * 5], *[0, *[400] * 5]]
    assert armed.raw(b":INP:CODE? 0;:NUDG:CODE? 0\n") == b"0;OPEN\n"


def test_pairs_use_kept_inputs_and_are_compared(armed: AnyBoard) -> None:
    armed.raw(FREE)
    request = b":RUN? KEEP,A-1R,B+1RC," + run_block(9, [[1, 400, 0], [0, 0, 800]]) + b"\n"
    head, rest = numbers(armed.raw(request))[:4], numbers(armed.raw(request))[4:]
    assert head == [0, 9, 2, 1]
    assert rest[:11] == [0, 400, 400, 400, 300, 400, 401, 401, 401, 501, 401]
    assert rest[11:22] == [0, 256, 256, 256, 256, 56, 257, 257, 257, 257, 457]
    assert len(rest) == 22 + 20
    # Input 0, node 3: |0 - 501| > |0 - 300| in the first, |1000 - 257| < |1000 - 256| after.
    assert rest[22 + 3] == 0
    assert rest[22 + 15 + 4] == 2  # input 3 (0 and 24 codes), node 4: both drops rise


def test_banks_change_their_roles_phase_by_phase(armed: AnyBoard) -> None:
    armed.raw(FREE)
    request = b":RUN? KEEP,B0,A+1RC,B-1R," + run_block(9, [[0, 0, 0]]) + b"\n"
    found = numbers(armed.raw(request))
    assert found[4:15] == [0, *[256] * 5, *[257] * 5]
    # First bank B (one code higher), second A: drops of input 0 rise by one code.
    assert found[15:] == [1] * 5 + [-1] * 15


def test_inputs_are_at_0_after_a_run(armed: AnyBoard) -> None:
    """Comparators see it: |0 - 401| > |0 - 400|, while |2000 - 401| < |2000 - 400|."""
    found = numbers(armed.raw(b":RUN? LOAD,A0,B0C," + run_block(9, INPUTS[1:]) + b"\n"))
    assert found[5 + 5] == -1
    assert armed.raw(b":COMP? A,5\n") == b"1\n"


def test_a_bank_is_read_before_it_is_used_again(armed: AnyBoard) -> None:
    armed.raw(FREE)
    request = b":RUN? KEEP,A0R,A+1R,A-1R," + run_block(9, [[0, 40, 80]]) + b"\n"
    assert numbers(armed.raw(request))[4:] == [
        0, 256, 256, 256, 256, 256, 256, 256, 256, 266, 276, 256, 256, 256, 246, 236,
    ]  # fmt: skip


def test_a_second_set_of_nudges(armed: AnyBoard) -> None:
    request = b":RUN? LOAD,A-2R,B+1," + run_block(0, [[0, 0, 0, 0, 4, 8, 40, 80]]) + b"\n"
    assert numbers(armed.raw(request))[5:] == [0, 0, 0, -10, -20]


def test_an_example_out_of_range_is_marked_and_does_not_vote(armed: AnyBoard) -> None:
    rows = [[32767] * 4 + [20000, 0], [100, 0, 0, 0, 0, 0]]
    found = numbers(armed.raw(b":RUN? LOAD,A0R,B+1RC," + run_block(3, rows) + b"\n"))
    assert found[4] == 3  # compliance of a source, and out of the range of the converter
    assert found[4 + 11] == 0
    assert found[4 + 22 :] == [-1] * 5 + [1] * 15


@pytest.mark.parametrize(
    ("request_text", "code", "text"),
    [
        (b"SOME,A0R,#12zz", -224, b"Illegal parameter value"),
        (b"LOAD,A6R,#12zz", -224, b"Illegal parameter value"),
        (b"LOAD,A0R", -109, b"Missing parameter"),
        (b"LOAD,A0R,text", -104, b"Data type error"),
        (b"LOAD,A0R,#12zz", 104, b"Checksum mismatch"),
        (b"LOAD,A0R,#11z", 104, b"Checksum mismatch"),
        (b"LOAD,A0R,", -109, b"Missing parameter"),
        (b"LOAD,A0C," + run_block(9, INPUTS), -221, b"Settings conflict"),
        (b"LOAD,A0,B0C,A0C," + run_block(9, INPUTS), -221, b"Settings conflict"),
        (b"LOAD,A0R," + definite(b"12"), -222, b"Data out of range"),
        (b"LOAD,A0R," + run_block(9, []), -222, b"Data out of range"),
        (b"LOAD,A0R," + run_block(9, [[1, 2, 3]]), -222, b"Data out of range"),
        (b"LOAD,A0R," + run_block(9, [[0] * 4] * 9), -222, b"Data out of range"),
        (b"LOAD,A+1R," + run_block(9, [[0] * 4]), -222, b"Data out of range"),
        (b"LOAD,A0R," + run_block(9, [[0, 0, 0, -32768]]), 105, b"Beyond limit"),
        (b"LOAD,A+1R," + run_block(9, [[0, 0, 0, 0, 0, 20001]]), 105, b"Beyond limit"),
        (b"KEEP,A0R," + run_block(8, [[0]]), 107, b"Inputs not kept"),
        (b"KEEP,A0R," + run_block(9, [[2]]), 107, b"Inputs not kept"),
        (b"KEEP,A0R," + run_block(9, [[-1]]), 107, b"Inputs not kept"),
    ],
)
def test_a_bad_run_is_refused_whole(
    armed: AnyBoard, request_text: bytes, code: int, text: bytes
) -> None:
    """It says so in its reply, queues the error, and changes nothing."""
    armed.raw(FREE)
    assert numbers(armed.raw(b":RUN? " + request_text + b"\n")) == [code, 0, 0, 0]
    assert error(armed) == b'%d,"%s"' % (code, text)
    keep = b":RUN? KEEP,A0R," + run_block(9, [[1]]) + b"\n"
    assert numbers(armed.raw(keep))[4:] == [0, *[400] * 5]


def test_a_run_that_is_damaged_anywhere_never_runs(armed: AnyBoard) -> None:
    block = run_block(9, INPUTS)
    for place in range(4, len(block)):
        spoiled = block[:place] + bytes([block[place] ^ 0x10]) + block[place + 1 :]
        assert numbers(armed.raw(b":RUN? LOAD,A0R," + spoiled + b"\n")) == [104, 0, 0, 0]
    armed.raw(b"*CLS\n")


def test_safe_forgets_inputs(armed: AnyBoard) -> None:
    armed.raw(FREE + b":SAFE;:ARM\n")
    assert numbers(armed.raw(b":RUN? KEEP,A0R," + run_block(9, [[0]]) + b"\n"))[0] == 107


def test_replies_of_a_message_are_joined_around_blocks(armed: AnyBoard) -> None:
    reply = armed.raw(b"*OPC?;:RUN? LOAD,A0R," + run_block(9, INPUTS) + b";*OPC?\n")
    assert reply.startswith(b"1;#234")
    assert reply.endswith(b";1\n")


# --- pulses -----------------------------------------------------------------------------------


def weights_moved(board: AnyBoard) -> bytes:
    """What the network makes of 256 codes at input 0."""
    return board.raw(b":INP:CODE 0,256;:HOLD A;:INP:CODE 0,0;:READ? A\n")


def test_pulses_go_to_their_devices_once(armed: AnyBoard) -> None:
    block = pulse_block(1, 1, [3, -2, 0, 1])
    assert armed.raw(b":PULS:EXEC? " + block + b"\n") == b"0,1,6\n"
    assert weights_moved(armed) == b"0,64,67,62,64,65\n"
    assert armed.raw(b":PULS:EXEC? " + block + b"\n") == b"106,1,6\n"
    assert error(armed) == b'106,"Pulse sequence mismatch"'
    assert weights_moved(armed) == b"0,64,67,62,64,65\n"
    assert armed.raw(b":PULS:LAST?\n") == b"1,6,6\n"


def test_pulses_of_one_device_by_hand(armed: AnyBoard) -> None:
    assert armed.raw(b":PULS:DEV? 1,4,-3\n") == b"0,1,3\n"
    assert armed.raw(b":PULS:DEV? 3,4,-3\n") == b"106,1,3\n"
    assert weights_moved(armed) == b"0,64,64,64,64,61\n"


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (b"#12zz", 104),
        (definite(b"123456789012"), -222),
        (pulse_block(1, 19, [1, 1]), -222),
        (pulse_block(1, 4294967295, [1, 1]), -222),
        (pulse_block(1, 0, [-128]), -222),
        (pulse_block(1, 0, [1, 1], total=3), -230),
        (pulse_block(2, 0, [1]), 106),
        (pulse_block(0, 0, [1]), 106),
        (pulse_block(1, 0, [0, 4]), 105),
        (b"1", -104),
    ],
)
def test_bad_pulses_are_refused_whole(armed: AnyBoard, block: bytes, code: int) -> None:
    assert armed.raw(b":PULS:EXEC? " + block + b"\n") == b"%d,0,0\n" % code
    assert error(armed).startswith(b"%d," % code)
    assert weights_moved(armed) == b"0,64,64,64,64,64\n"
    assert armed.raw(b":PULS:EXEC? " + pulse_block(1, 0, [0]) + b"\n") == b"0,1,0\n"


def test_pulses_that_are_damaged_anywhere_are_never_applied(armed: AnyBoard) -> None:
    block = pulse_block(1, 0, [1, 1, 1])
    for place in range(4, len(block)):
        spoiled = block[:place] + bytes([block[place] ^ 0x01]) + block[place + 1 :]
        assert armed.raw(b":PULS:EXEC? " + spoiled + b"\n") == b"104,0,0\n"
    assert weights_moved(armed) == b"0,64,64,64,64,64\n"


def test_pulses_need_amplitudes_and_gates(board: AnyBoard) -> None:
    board.raw(b":LIM:PROG 1000;:LIM:PULS 1;:PROG:LEV 0,5;:ARM\n")
    assert board.raw(b":PULS:DEV? 1,0,1\n") == b"-221,0,0\n"
    board.raw(b":PROG:LEV 5,5;:PROG:SCH GATE\n")
    assert board.raw(b":PULS:DEV? 1,0,1\n") == b"-221,0,0\n"
    board.raw(b":PROG:GATE 7,7\n")
    assert board.raw(b":PULS:DEV? 1,0,1;:PROG:SCH?\n") == b"0,1,1;GATE\n"


def test_the_interlock_ends_pulses_in_the_middle(make_board: MakeBoard) -> None:
    board = make_board(opens_after=4)
    board.raw(READY)
    assert board.raw(b":PULS:EXEC? " + pulse_block(1, 0, [3, 3]) + b"\n") == b"110,1,4\n"
    assert board.raw(b":PULS:LAST?;:ARM?\n") == b"1,6,4;0\n"
    assert error(board) == b'110,"Aborted"'
    assert error(board) == b'102,"Interlock open"'


def test_the_interlock_ends_a_run_in_the_middle(make_board: MakeBoard) -> None:
    """The example it hits and all behind it have status 8 and no readings."""
    board = make_board(opens_after=3)
    board.raw(READY)
    rows = [[1000, 0, 0, 24], [1000, 0, 0, 24], [1000, 0, 0, 24]]
    found = numbers(board.raw(b":RUN? LOAD,A0R,B0R," + run_block(9, rows) + b"\n"))
    assert found == [0, 9, 3, 0, 0, *[256] * 5, *[257] * 5, 8, *[0] * 10, 8, *[0] * 10]
    assert error(board) == b'110,"Aborted"'
    assert error(board) == b'102,"Interlock open"'
    assert board.raw(b":STAT?\n") == b"0,5,0,0\n"


def test_the_interlock_is_asked_within_a_message(make_board: MakeBoard) -> None:
    board = make_board(opens_after=3)
    board.raw(READY)
    assert board.raw(b":PULS:DEV? 1,0,3;:PULS:DEV? 2,0,1\n") == b"0,1,3;102,1,3\n"


def test_runs_after_pulses_find_their_nodes_joined(armed: AnyBoard) -> None:
    armed.raw(b":PULS:DEV? 1,0,1\n")
    assert numbers(armed.raw(FREE))[4:10] == [0, 259, *[256] * 4]


def test_the_sequence_survives_safe_and_reset(armed: AnyBoard) -> None:
    armed.raw(b":PULS:DEV? 1,0,1\n:SAFE\n*RST\n")
    assert armed.raw(b":PULS:LAST?\n") == b"1,1,1\n"
