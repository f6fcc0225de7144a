"""The driver: exchanges, chunks, errors, lost replies; on both boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.board.blocks import definite
from drivers.board.codec import Phase, RunReply
from drivers.board.conversion import Converter
from drivers.board.driver import Board
from drivers.board.settings import BoardSettings
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_hardware import Geometry
from drivers.emulated.shboard_toy import ToyHardware
from drivers.transport import failures
from drivers.transport.interface import Expect, Framing, Transport
from drivers.transport.memory import MemoryTransport
from drivers.transport.scripted import ScriptedTransport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    ProgramError,
    ProtocolError,
    SafetyError,
    TransportTimeoutError,
    UsageError,
)
from tests.protocol.board.boards import AnyBoard, FirmwareBoard, build_firmware
from tests.protocol.board.conftest import MakeBoard

SETTINGS = BoardSettings(
    input_limit=30000, nudge_limit=20000, program_limit=1000, pulse_limit=3, level_codes=(500, 600)
)
FREE = [Phase("A", read=True)]
PAIR = [Phase("A", -1, read=True), Phase("B", +1, read=True, compare=True)]


class Disturbed:
    """A transport that counts exchanges and can lose a request or a reply."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.sent: list[bytes] = []
        self.lose_request = self.lose_reply = False
        self.spoil = False

    @property
    def address(self) -> str:
        return "disturbed"

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self.sent.append(request)
        lost, self.lose_request = self.lose_request, False
        if lost:
            raise failures.late(self.address, request, b"", 1.0)
        reply = self.inner.exchange(request, expect)
        lost, self.lose_reply = self.lose_reply, False
        if lost and expect.framing is not Framing.NOTHING:
            raise failures.late(self.address, request, b"", 1.0)
        if self.spoil:
            self.spoil = False
            return reply[:-1] + bytes([reply[-1] ^ 1])
        return reply

    def clear(self) -> None:
        self.inner.clear()

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def line(board: AnyBoard) -> Disturbed:
    return Disturbed(board.transport)


@pytest.fixture
def host(board: AnyBoard, line: Disturbed) -> Board:
    """Configured and armed."""
    made = Board(line, board.advance)
    made.configure(SETTINGS)
    made.arm()
    line.sent.clear()
    return made


def codes(n: int, width: int, seed: int = 0, reach: int = 900) -> np.ndarray:
    return np.random.default_rng(seed).integers(-reach, reach, (n, width)).astype(np.int16)


def free_volts(inputs: np.ndarray) -> np.ndarray:
    """What the toy network makes of inputs, every weight being 64."""
    sums = inputs.astype(int).sum(axis=1)
    return np.sign(sums) * (np.abs(sums) * 64 // 256)


def test_it_learns_what_the_board_has(host: Board) -> None:
    found = host.capability
    assert (found.n_inputs, found.n_outputs, found.n_nodes, found.n_devices) == (4, 2, 5, 20)
    assert (found.dac_bits, found.dac_volts, found.nudge_amps) == (16, 5.0, pytest.approx(1e-4))
    assert found.schemes == ("HALF", "THIRD", "GATE")
    assert [(a.first, a.rows, a.columns) for a in found.arrays] == [(0, 4, 5)]
    assert found.has_comparators


def test_a_batch_takes_three_exchanges(host: Board, line: Disturbed) -> None:
    inputs, nudges = codes(8, 4), codes(8, 2, seed=1)
    free = host.run(FREE, inputs)
    pair = host.rerun(PAIR, [nudges])
    host.pulse(np.arange(20) % 3 - 1)
    assert len(line.sent) == 3
    assert free.readings[:, 0, 0].tolist() == free_volts(inputs).tolist()
    lift = np.sign(nudges) * (np.abs(nudges.astype(int)) // 4)
    assert (pair.readings[:, 0, 3:] == free.readings[:, 0, 3:] - lift).all()
    assert (pair.readings[:, 1, 3:] == free.readings[:, 0, 3:] + lift + 1).all()
    assert pair.votes is not None
    assert pair.votes.shape == (20,)
    assert not free.status.any()


def test_a_part_of_the_inputs_can_be_run_again(host: Board) -> None:
    inputs = codes(8, 4)
    host.run(FREE, inputs)
    rows = np.array([6, 1])
    again = host.rerun([Phase("B", +1, read=True)], [np.zeros((2, 2), np.int16)], rows)
    assert again.readings[:, 0, 0].tolist() == (free_volts(inputs)[rows] + 1).tolist()


def test_a_batch_larger_than_the_queue_goes_in_pieces(host: Board, line: Disturbed) -> None:
    inputs, nudges = codes(19, 4), codes(19, 2, seed=1)
    free = host.run(FREE, inputs)
    assert len(line.sent) == 3
    assert free.readings[:, 0, 0].tolist() == free_volts(inputs).tolist()
    pair = host.rerun(PAIR, [nudges])
    assert len(line.sent) == 6
    pieces = [
        host.run(PAIR, inputs[part], [nudges[part]])
        for part in (slice(0, 8), slice(8, 16), slice(16, 19))
    ]
    assert (pair.readings == np.concatenate([piece.readings for piece in pieces])).all()
    assert pair.votes is not None
    assert (pair.votes == sum(votes_of(piece) for piece in pieces)).all()
    host.run(FREE, inputs)
    part = host.rerun(FREE, [], np.arange(3))
    assert (part.readings == free.readings[:3]).all()


def votes_of(reply: RunReply) -> np.ndarray:
    assert reply.votes is not None
    return reply.votes


def test_closing_makes_safe(board: AnyBoard, host: Board, line: Disturbed) -> None:
    host.make_safe()
    assert host.state().armed is False
    host.arm()
    line.sent.clear()
    host.close()
    host.close()
    assert line.sent == [b"\n:SAFE"]


def test_switches_and_state(host: Board) -> None:
    host.isolate(True)
    host.float_lines(True)
    state = host.state()
    assert (state.n_isolated, state.floating, state.armed) == (5, True, True)
    with pytest.raises(InstrumentError, match="isolated or lines float"):
        host.run(FREE, codes(1, 4))
    host.isolate(False)
    host.float_lines(False)
    host.run(FREE, codes(1, 4))


def test_levels_beyond_the_limits_are_a_safety_error(host: Board) -> None:
    with pytest.raises(SafetyError, match="105 Beyond limit"):
        host.run(FREE, np.full((1, 4), 30001, np.int16))
    assert host.session.errors() == []


def test_silence_is_reported_with_its_cause(board: AnyBoard, host: Board) -> None:
    board.advance(3.0)
    host.keep_alive()
    board.advance(3.0)
    host.keep_alive()
    board.advance(5.0)
    with pytest.raises(InstrumentError, match=r"Dead-man expired.*Not armed"):
        host.run(FREE, codes(1, 4))


def test_the_interlock_is_reported(board: AnyBoard, host: Board) -> None:
    board.set_interlock(False)
    with pytest.raises(InstrumentError, match="Interlock open"):
        host.arm()


def test_inputs_are_forgotten_by_safe(host: Board) -> None:
    host.run(FREE, codes(2, 4))
    host.make_safe()
    host.arm()
    with pytest.raises(UsageError, match="no inputs were loaded"):
        host.rerun(FREE, [])


@pytest.mark.parametrize(
    ("phases", "inputs", "sets"),
    [
        ([], (2, 4), []),
        (FREE * 9, (2, 4), []),
        (PAIR, (2, 4), []),
        (FREE, (2, 4), [(2, 2)]),
        (PAIR, (2, 4), [(3, 2)]),
        (PAIR, (2, 4), [(2, 3)]),
        (FREE, (0, 4), []),
        (FREE, (2, 3), []),
        (FREE, (4,), []),
    ],
)
def test_runs_that_make_no_sense_send_nothing(
    host: Board,
    line: Disturbed,
    phases: list[Phase],
    inputs: tuple[int, ...],
    sets: list[tuple[int, int]],
) -> None:
    with pytest.raises(UsageError):
        host.run(phases, np.zeros(inputs, np.int16), [np.zeros(s, np.int16) for s in sets])
    assert line.sent == []


def test_a_spoiled_reply_is_a_protocol_error(host: Board, line: Disturbed) -> None:
    line.spoil = True
    with pytest.raises(ProtocolError, match="checksum"):
        host.run(FREE, codes(2, 4))


# --- pulses -----------------------------------------------------------------------------------


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
    host = Board(board.transport, board.advance)
    host.configure(SETTINGS)
    host.arm()
    with pytest.raises(ProgramError, match="4 of 6 programming pulses were applied") as caught:
        host.pulse(first_column([3, 3, 0, 0]))
    assert caught.value.evidence["applied"] == 4


def test_a_run_cut_short_is_an_error(make_board: MakeBoard) -> None:
    board = make_board(opens_after=2)
    host = Board(board.transport, board.advance)
    host.configure(SETTINGS)
    host.arm()
    with pytest.raises(InstrumentError, match="interlock opened meanwhile"):
        host.run(FREE, codes(3, 4))


def test_the_sequence_goes_on_in_a_new_session(board: AnyBoard, host: Board) -> None:
    host.pulse(first_column([1, 0, 0, 0]))
    other = Board(board.transport, board.advance)
    other.configure(SETTINGS)
    other.arm()
    other.pulse(first_column([1, 0, 0, 0]))
    assert weight_of_first_column(other) == [66, 64, 64, 64]


def test_it_recovers_from_a_message_cut_off(board: AnyBoard, host: Board, line: Disturbed) -> None:
    line.inner.exchange(b":RUN? LOAD,A0R,#3200abc", Expect.NOTHING)
    host.session.recover()
    assert host.session.errors() == [(-161, "Invalid block data")]
    host.run(FREE, codes(1, 4))


# --- opening and configuring ------------------------------------------------------------------


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


# --- conversion -------------------------------------------------------------------------------


def test_levels_and_codes() -> None:
    nominal = Converter.nominal(16, 5.0)
    assert nominal.codes(np.array([[5.0, -5.0, 0.0, 5.0 / 32767]])).tolist() == [
        [32767, -32767, 0, 1]
    ]
    assert nominal.levels(np.array([[32767, 0]], np.int16)).tolist() == [[5.0, 0.0]]
    with pytest.raises(SafetyError, match="largest one is 32767"):
        nominal.codes(np.array([[5.001]]))
    with pytest.raises(SafetyError):
        nominal.codes(np.array([[np.nan]]))
    calibrated = Converter(np.array([0.1, 0.2]), np.array([0.0, 1.0]), 100)
    levels = np.array([[1.0, 3.0]])
    assert calibrated.codes(levels).tolist() == [[10, 10]]
    assert calibrated.levels(np.array([[10, 10]], np.int16)) == pytest.approx(levels)


# --- the size of a real one -------------------------------------------------------------------


def test_a_board_of_130_inputs_on_a_pseudo_terminal(tmp_path: Path) -> None:
    """Blocks of many kilobytes, the same as in process; 32 examples take three exchanges."""
    flags = ["-DSHB_INPUTS=130", "-DSHB_OUTPUTS=20", "-DSHB_NODES=52", "-DSHB_N_ARRAYS=1"]
    flags += ["'-DSHB_ARRAYS={130, 52}'", "-DSHB_DEVICES=6760", "-DSHB_QUEUE=64"]
    program = build_firmware(tmp_path, *flags, "-DSHB_MESSAGE_BYTES=32768")
    geometry = Geometry(130, 20, 52, ((130, 52),))
    emulated = ShBoard(ToyHardware(geometry), lambda: 0.0)
    real = FirmwareBoard(program, tmp_path)
    try:
        found = []
        for transport in (real.transport, MemoryTransport(emulated)):
            line = Disturbed(transport)
            host = Board(line, real.advance)
            host.configure(SETTINGS)
            host.arm()
            line.sent.clear()
            host.run(FREE, codes(32, 130))
            host.pulse(codes(1, 6760, reach=3)[0])
            found.append(host.rerun(PAIR, [codes(32, 20, seed=1)]))
            assert len(line.sent) == 3
        assert found[0].readings.shape == (32, 2, 52)
        assert (found[0].readings == found[1].readings).all()
        assert (votes_of(found[0]) == votes_of(found[1])).all()
    finally:
        real.close()
