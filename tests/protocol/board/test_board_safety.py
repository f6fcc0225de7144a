"""Arming, limits, the dead-man timer, the interlock and isolation, on both boards."""

from __future__ import annotations

import pytest

from tests.protocol.board.boards import AnyBoard, pulse_block, run_block

LIMITS = b":LIM:INP 10000;:LIM:NUDG 5000;:LIM:PROG 1000;:LIM:PULS 3;:PROG:LEV 500,600\n"
FREE = b":RUN? LOAD,A0R," + run_block(1, [[1, 2, 3, 4]]) + b"\n"
REFUSED = b"#210"


def error(board: AnyBoard) -> bytes:
    return board.raw(b":SYST:ERR?\n").strip()


def test_it_powers_up_safe(board: AnyBoard) -> None:
    assert board.raw(b":STAT?;:ARM?;:INT?\n") == b"0,5,0,1;0;1\n"
    assert board.raw(b":LIM:INP?;:LIM:NUDG?;:LIM:PROG?;:LIM:PULS?\n") == b"0;0;0;0\n"
    assert board.raw(b":INP:CODE? 3;:NUDG:CODE? 1\n") == b"0;OPEN\n"


@pytest.mark.parametrize(
    "command", [b":INP:CODE 0,1", b":NUDG:CODE 0,1", b":HOLD A", b":PULS:DEV? 1,0,1"]
)
def test_nothing_is_energised_before_it_is_armed(board: AnyBoard, command: bytes) -> None:
    board.raw(LIMITS)
    board.raw(command + b"\n")
    assert error(board) == b'101,"Not armed"'


def test_runs_are_refused_before_it_is_armed(board: AnyBoard) -> None:
    board.raw(LIMITS)
    assert board.raw(FREE).startswith(REFUSED)
    assert error(board) == b'101,"Not armed"'


@pytest.mark.parametrize(
    "command",
    [b":INP:CODE 0,1", b":NUDG:CODE 0,1", b":PROG:LEV 1,0", b":PROG:GATE 0,1", b":PULS:DEV? 1,0,1"],
)
def test_limits_come_before_levels(board: AnyBoard, command: bytes) -> None:
    """Until they are set, every level is beyond them."""
    board.raw(b":ARM;" + command + b"\n")
    assert error(board) == b'105,"Beyond limit"'


@pytest.mark.parametrize("level", [10001, -10001, 32767])
def test_levels_beyond_their_limits_are_refused(board: AnyBoard, level: int) -> None:
    board.raw(LIMITS + b":ARM;:INP:CODE 2,9999\n")
    board.raw(b":INP:CODE 2,%d\n" % level)
    assert error(board) == b'105,"Beyond limit"'
    assert board.raw(b":INP:CODE? 2\n") == b"9999\n"


def test_limits_cannot_be_moved_while_armed(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:LIM:INP 32767\n")
    assert error(board) == b'-221,"Settings conflict"'
    assert board.raw(b":SAFE;:LIM:INP 300;:LIM:INP?\n") == b"300\n"


def test_programming_levels_hold_their_limit_up(board: AnyBoard) -> None:
    board.raw(LIMITS + b":LIM:PROG 599\n")
    assert error(board) == b'-221,"Settings conflict"'
    assert board.raw(b":LIM:PROG 600;:LIM:PROG?\n") == b"600\n"


def test_safe_drops_every_level(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:INP:CODE 0,700;:NUDG:CODE 1,-30\n")
    assert board.raw(b":STAT?;:INP:CODE? 0;:NUDG:CODE? 0;:NUDG:CODE? 1\n") == b"1,0,0,1;700;0;-30\n"
    assert board.raw(b":SAFE\n") == b""
    assert board.raw(b":STAT?;:INP:CODE? 0;:NUDG:CODE? 1\n") == b"0,5,0,1;0;OPEN\n"
    assert board.raw(b":LIM:INP?\n") == b"10000\n"


def test_reset_is_safe_and_forgets_limits(board: AnyBoard) -> None:
    board.raw(LIMITS + b":DEAD 700;:ARM;*RST\n")
    assert board.raw(b":STAT?;:LIM:INP?;:PROG:LEV?;:DEAD?\n") == b"0,5,0,1;0;0,0;2000\n"


# --- the dead-man timer -----------------------------------------------------------------------


def test_outputs_fall_when_the_host_is_silent(board: AnyBoard) -> None:
    board.raw(LIMITS + b":DEAD 500;:ARM;:INP:CODE 0,700\n")
    board.advance(0.499)
    assert board.raw(b":INP:CODE? 0\n") == b"700\n"
    board.advance(0.499)
    assert board.raw(b":ARM?\n") == b"1\n"
    board.advance(0.5)
    assert board.raw(b":INP:CODE? 0;:STAT?;:SYST:ERR?\n") == b'0;0,5,0,1;103,"Dead-man expired"\n'


def test_bytes_that_are_no_message_do_not_keep_it_alive(board: AnyBoard) -> None:
    board.raw(LIMITS + b":DEAD 500;:ARM\n")
    for _ in range(5):
        board.advance(0.1)
        board.raw(b"xxx")
    assert board.raw(b"\n:SYST:ERR?\n") == b'103,"Dead-man expired"\n'


def test_a_command_that_comes_too_late_finds_it_safe(board: AnyBoard) -> None:
    board.raw(LIMITS + b":DEAD 500;:ARM\n")
    board.advance(0.6)
    assert board.raw(FREE).startswith(REFUSED)
    assert error(board) == b'103,"Dead-man expired"'
    assert error(board) == b'101,"Not armed"'


def test_it_does_not_expire_while_disarmed(board: AnyBoard) -> None:
    board.advance(100.0)
    assert error(board) == b'0,"No error"'


# --- the interlock ----------------------------------------------------------------------------


def test_an_open_interlock_forbids_arming(board: AnyBoard) -> None:
    board.set_interlock(False)
    assert board.raw(b":ARM;:ARM?\n") == b""
    assert error(board) == b'102,"Interlock open"'
    assert board.raw(b":STAT?\n") == b"0,5,0,0\n"


def test_the_interlock_brings_it_down(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:INP:CODE 0,700\n")
    board.set_interlock(False)
    assert board.raw(b":INP:CODE? 0;:ARM?;:SYST:ERR?\n") == b'0;0;102,"Interlock open"\n'
    board.set_interlock(True)
    assert board.raw(b":ARM?\n") == b"0\n"


# --- isolation --------------------------------------------------------------------------------


def test_arming_joins_the_nodes_and_isolation_forbids_runs(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:ISOL:NODE 2,ON\n")
    assert board.raw(b":ISOL?;:ISOL:NODE? 2;:ISOL:NODE? 1\n") == b"1;1;0\n"
    assert board.raw(FREE).startswith(REFUSED)
    assert error(board) == b'109,"Isolated or floating"'
    assert not board.raw(b":ISOL OFF\n" + FREE).startswith(REFUSED)


def test_lines_float_for_an_external_instrument_without_arming(board: AnyBoard) -> None:
    assert board.raw(b":ISOL ON;:LIN FLO;:LIN?;:STAT?\n") == b"FLO;0,5,1,1\n"
    assert board.raw(b":SAFE;:LIN?\n") == b"GRO\n"


def test_floating_lines_forbid_levels(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:LIN FLOAT;:INP:CODE 0,1\n")
    assert error(board) == b'109,"Isolated or floating"'


def test_pulses_restore_the_switches(board: AnyBoard) -> None:
    board.raw(LIMITS + b":ARM;:INP:CODE 0,700;:ISOL:NODE 1,1\n")
    assert board.raw(b":PULS:EXEC? " + pulse_block(1, 0, [2]) + b"\n") == b"0,1,2\n"
    assert board.raw(b":STAT?;:ISOL:NODE? 1;:INP:CODE? 0\n") == b"1,1,0,1;1;0\n"
