"""The driver at work: runs, chunks, errors; on both boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.board.codec import Phase
from drivers.board.conversion import Converter
from drivers.board.driver import Board
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_hardware import Geometry
from drivers.emulated.shboard_toy import ToyHardware
from drivers.transport.interface import Expect
from drivers.transport.memory import MemoryTransport
from hil.errors import InstrumentError, ProtocolError, SafetyError, UsageError
from tests.protocol.board.boards import AnyBoard, FirmwareBoard, build_firmware
from tests.protocol.board.conftest import MakeBoard
from tests.protocol.board.hosts import FREE, PAIR, Disturbed, armed, codes, votes_of


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


def test_a_run_cut_short_is_an_error(make_board: MakeBoard) -> None:
    board = make_board(opens_after=2)
    host = armed(Disturbed(board.transport), board.advance)
    with pytest.raises(InstrumentError, match="interlock opened meanwhile"):
        host.run(FREE, codes(3, 4))


def test_it_recovers_from_a_message_cut_off(board: AnyBoard, host: Board, line: Disturbed) -> None:
    line.inner.exchange(b":RUN? LOAD,A0R,#3200abc", Expect.NOTHING)
    host.session.recover()
    assert host.session.errors() == [(-161, "Invalid block data")]
    host.run(FREE, codes(1, 4))


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
            host = armed(line, real.advance)
            host.run(FREE, codes(32, 130))
            host.pulse(codes(1, 6760, reach=3)[0])
            found.append(host.rerun(PAIR, [codes(32, 20, seed=1)]))
            assert len(line.sent) == 3
        assert found[0].readings.shape == (32, 2, 52)
        assert (found[0].readings == found[1].readings).all()
        assert (votes_of(found[0]) == votes_of(found[1])).all()
    finally:
        real.close()
